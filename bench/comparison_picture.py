"""``python -m bench comparison_picture``: the page of a real comparison, for the README, in ``docs/pictures``.

After ``make demo``: the golden set's core is asked without and with the cross-encoder, ``roma compare`` decides, and
Chromium draws the page that it wrote.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from bench.report import ROOT

FOLDER = ROOT / "docs" / "pictures"
WORKSPACE = Path(os.environ.get("DEMO", ROOT / ".roma"))
SET = "datasets/golden/golden_dataset.json#core"
RUNS = {"as-found": "none", "reranked": "local"}
"""Name of each run, with its reranker."""
PRIMARY = "false_answers"
WIDTH, HEIGHT = 1100, 650


def call(*arguments: str | Path, reranker: str = "") -> None:
    """Run a command of ROMA over the demo's workspace; a comparison that finds a loss is no failure here."""
    own = {"ROMA_RERANKER": reranker} if reranker else {}
    command = [ROOT / ".venv/bin/roma", *arguments, "--workspace", WORKSPACE]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True)
    if done.returncode not in (0, 2):
        raise SystemExit(done.stderr)


def save_page(page: Path, picture: Path) -> None:
    """Write what a browser shows of a page, with a palette."""
    from playwright.sync_api import sync_playwright

    from tests.console import CHROMIUM

    with sync_playwright() as tools, tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser:
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        shown = Image.open(io.BytesIO(view.screenshot()))
    picture.parent.mkdir(exist_ok=True)
    shown.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(picture, optimize=True)


def main() -> int:
    for name, reranker in RUNS.items():
        call("eval", SET, "--name", name, "--primary", PRIMARY, reranker=reranker)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "comparison.html"
        call("compare", *RUNS, "--primary", PRIMARY, "--html", page)
        save_page(page, FOLDER / "comparison.png")
    return 0
