"""The chat in JupyterLab, in marimo and under ``panel serve``: it asks, streams, proves, and nothing leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.model_server import serving
from roma_core.api.tokens import TokenStore
from roma_core.llm.providers.server import Script
from tests.console import ANSWER, CHROMIUM, Open, Service, ask, box_of, find_strangers, wait_for_answer
from tests.frameworks import find_python, lend_packages
from tests.ports import find_port

nbformat = pytest.importorskip("nbformat")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.soak,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
ROOT = Path(__file__).parents[2]
START_S = 120
NOTEBOOK = "chats.ipynb"
QUICK = {"ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "fake", "ROMA_PARSER_WORKERS": "1", "ROMA_PLANNER": "off"}
CELLS = (
    "from roma_core import Settings, build_roma\n\nroma = build_roma(Settings.load())",
    "from roma_core.ui import Chat\n\nChat(roma)",
    "from roma_core.ui import ChatPane, notebook\n\nnotebook()\nChatPane(roma)",
)
"""The chat as a widget of Jupyter, and as a component of Panel."""
WATCH = """
(box) => {
    const root = box.getRootNode(); // Panel's views live in one of their own
    box.states = new Set();
    const look = () => root.querySelectorAll(".roma-answer").forEach((e) => box.states.add(e.innerText.length));
    new MutationObserver(look).observe(root, {subtree: true, childList: true, characterData: true});
}
"""
"""Keep each length that the answer has on the page while it is written."""

MARIMO = """
import marimo
app = marimo.App()

@app.cell
def chat():
    from roma_core import Settings, build_roma
    from roma_core.ui import Chat
    Chat(build_roma(Settings.load()))
"""


@contextmanager
def running(command: Sequence[str | Path], folder: Path, ready: str, **own: str) -> Iterator[None]:
    """Run a server until the end of the block; it begins once the address ``ready`` answers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROMA_", "LLM_", "JUPYTER"))}
    environment = {**kept, **QUICK, **own}
    log = folder / "server.log"
    with log.open("wb") as said:
        server = subprocess.Popen(list(map(str, command)), cwd=folder, env=environment, stdout=said, stderr=said)
        try:
            until = time.monotonic() + START_S
            while not answers(ready):
                assert server.poll() is None and time.monotonic() < until, log.read_text("utf-8", "replace")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(60)


def answers(address: str) -> bool:
    """Return whether a server answers at an address."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def post(address: str, body: dict[str, Any]) -> Any:
    """Return what a JSON API answers to a value that is posted."""
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def model() -> Iterator[dict[str, str]]:
    """The settings of a model that writes word by word."""
    with serving(Script(ANSWER, word_wait_s=0.4)) as address:
        yield {"LLM_PROVIDER": "openai", "LLM_BASE_URL": f"{address}/v1", "LLM_API_KEY": "k", "LLM_MODEL": "m"}


@pytest.fixture(scope="module")
def lab(model: dict[str, str], console_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab with a notebook for each chat, and nothing of the developer's own settings of Jupyter."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(console_corpus, folder / ".roma")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / NOTEBOOK)
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    own = {place: str(folder / ".jupyter" / place) for place in (*places, "JUPYTERLAB_WORKSPACES_DIR")}
    port = find_port()
    options = {
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": "",
        "ServerApp.disable_check_xsrf": True,
        "LabApp.expose_app_in_browser": True,
        "LabApp.extension_manager": "readonly",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        *(f"--{key}={value}" for key, value in options.items()),
    ]
    address = f"http://127.0.0.1:{port}"
    with running(command, folder, f"{address}/api/status", **model, **own):
        yield address


def converse(place: Any, question: str = "When does the valve open?") -> None:
    """Ask in the chat of a page or of a cell: words stream, a badge has its card, and opens the exact words."""
    place.get_by_text("2 documents").wait_for()
    box = box_of(place)
    box.evaluate(WATCH)
    ask(place, question)
    badge = wait_for_answer(place).locator(".roma-answer .roma-badge").first
    lengths = [length for length in box.evaluate("box => [...box.states]") if length]
    assert min(lengths) < max(lengths) / 2, "the answer did not show word by word"
    badge.hover()
    card = place.get_by_role("tooltip")
    card.wait_for()
    assert "opens at 3 bar" in card.inner_text() and "Manual" in card.inner_text()
    badge.click()
    reader = place.get_by_role("complementary", name="Source")
    reader.locator("mark").first.wait_for()
    assert "opens at 3 bar" in "".join(reader.locator("mark").all_inner_texts())


def test_both_chats_of_a_notebook_answer_in_jupyterlab(lab: str, open_page: Open) -> None:
    session = {"path": NOTEBOOK, "name": NOTEBOOK, "type": "notebook", "kernel": {"name": "python3"}}
    post(f"{lab}/api/sessions", session)  # a page that finds its kernel does not ask for one
    page = open_page(lab, f"/lab/tree/{NOTEBOOK}?reset")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    cells.nth(2).wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # a command before that asks which kernel to take
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    cells.nth(2).get_by_text("2 documents").wait_for()  # a kernel that runs a cell sends no words
    converse(cells.nth(1))
    converse(cells.nth(2), "At what pressure does the valve open?")  # the first answer is in the cache
    assert find_strangers(page, lab) == []


@pytest.mark.parametrize("of", ["workspace", "service"])
def test_the_chat_answers_under_panel_serve(
    of: str, model: dict[str, str], console_corpus: Path, console: Service, open_page: Open, tmp_path: Path
) -> None:
    if of == "workspace":
        shutil.copytree(console_corpus, tmp_path / ".roma")
        chosen = model
    else:
        token = TokenStore(console.workspace).create("board", ["query"])[0]
        chosen = {"ROMA_URL": console.address, "ROMA_TOKEN": token}
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "panel",
        "serve",
        ROOT / "dashboards" / "chat.py",
        "--address",
        "127.0.0.1",
        "--port",
        str(port),
        "--liveness",
    ]
    with running(command, tmp_path, f"{address}/liveness", **chosen):
        page = open_page(address, "/chat")
        converse(page)
        assert find_strangers(page, address) == []
    assert (tmp_path / ".roma").exists() == (of == "workspace"), "the workspace is that of the service"


def test_the_chat_answers_in_marimo(model: dict[str, str], console_corpus: Path, browser: Any, tmp_path: Path) -> None:
    python = find_python("marimo")
    lend_packages(tmp_path)
    shutil.copytree(console_corpus, tmp_path / ".roma")
    (tmp_path / "chat.py").write_text(MARIMO)
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    command = [python, "-m", "marimo", "run", "chat.py", "--headless", "--no-token", "--port", str(port)]
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.requested = []
    page.on("request", lambda request: page.requested.append(request.url))
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    with running(command, tmp_path, f"{address}/health", **model, PYTHONPATH=path):
        page.goto(address)
        converse(page)
        assert find_strangers(page, address) == []
    context.close()
