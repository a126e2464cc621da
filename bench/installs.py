"""``python -m bench.installs PYTHON...``: what a new user waits for, from an empty environment to a cited answer.

For each interpreter: the wheel with ``[all]`` by plain pip, ``roma init``, ``roma demo``. Writes the times, the
megabytes and whether the scores are the same into ``docs/benchmarks/install.md``. ``--by uvx`` or ``--by
pipx`` runs the demo by a program that makes an environment for one run instead. ``--locked WORKSPACE`` compares with
the demo that ``make demo`` has made there under the lock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.report import FOLDER, ROOT, circumstances, table

TITLE = "## From nothing to an answer"
PAGE = FOLDER / "install.md"
PARTS = ROOT / "bench" / ".installs"
MB = 1 << 20
SHOWN = ("R@5", "nugget_recall", "citation_validity", "false_answers")
NOTE = (
    "What somebody does who has a Python and nothing else: `pip install 'roma-core[all]'` of the built wheel into an "
    "empty environment, with the newest versions that pip finds (no lock), then `roma init x && cd x && roma demo`, "
    "which ingests the 308 documents of the frozen corpus and scores the 120 questions of its core. A row of *the "
    "lock* is `make demo`; one of *uvx* or *pipx* makes an environment for one run, without a project: `uvx --from "
    "'roma-core[all]' roma demo`, `pipx run --spec 'roma-core[all]' roma demo`. *the same answers* compares every "
    "answer and every score of every question with the first row. Packages came from a mirror near by, and other work "
    "ran on the machine: take the minutes as an upper bound and the network as your own."
)
RUNNERS: dict[str, tuple[str, Callable[[str, str], list[str]]]] = {
    "uvx": ("uv", lambda python, package: ["--python", python, "--from", package, "roma"]),
    "pipx": ("pipx", lambda python, package: ["run", "--python", python, "--spec", package, "roma"]),
}
"""Programs that make an environment for one run: the package that brings each, and its words before those of ROMA."""


def run(command: Sequence[str | Path], folder: Path, log: Path, **variables: str) -> float:
    """Run a command as a new user would and return its seconds. Raises ``SystemExit`` with the end of its output."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ROMA_", "LLM_", "PYTHON"))}
    own |= variables
    began = time.perf_counter()
    with log.open("a", encoding="utf-8") as output:
        done = subprocess.run([str(part) for part in command], cwd=folder, stdout=output, stderr=output, env=own)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{log.read_text('utf-8')[-3000:]}")
    return time.perf_counter() - began


def measure_mb(folder: Path) -> float:
    """Return the size of the files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / MB


def list_outcomes(demo: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the answer and the scores of each question."""
    return {row["case_id"]: [row["answer"], row["scores"]] for row in demo["scores"]["rows"]}


def average(outcomes: dict[str, list[Any]], measure: str) -> float:
    """Return the mean of a measure over the questions that it scored."""
    values = [scores[measure] for _, scores in outcomes.values() if scores.get(measure) is not None]
    return sum(values) / len(values)


def build_wheel(folder: Path) -> Path:
    """Return the wheel of this checkout."""
    run([ROOT / ".venv/bin/uv", "build", "--wheel", "--quiet", "--out-dir", folder, ROOT], ROOT, folder / "log")
    return next(folder.glob("*.whl"))


def read_version(python: str) -> str:
    """Return the version of an interpreter."""
    script = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def try_runner(name: str, python: str, wheel: Path, root: Path) -> dict[str, Any]:
    """Run the demo by a program that makes an environment for one run; return what was measured."""
    package, words = RUNNERS[name]
    folder = root / f"{name}-{read_version(python)}"
    folder.mkdir()
    log = folder / "log"
    run([python, "-m", "venv", folder / "tools"], folder, log)
    run([folder / "tools/bin/pip", "install", "--quiet", package], folder, log)
    command = [str(folder / "tools/bin" / name), *words(python, f"{wheel}[all]")]
    fresh = {"UV_CACHE_DIR": str(folder / "cache"), "PIPX_HOME": str(folder / "home")}
    install_s = run([*command, "--version"], folder, log, **fresh)
    shell = f"{shlex.join(command)} demo --json > demo.json || {{ cat demo.json >&2; exit 1; }}"
    demo_s = run(["/bin/sh", "-c", shell], folder, log, **fresh)
    demo = json.loads((folder / "demo.json").read_text("utf-8"))
    return {
        "python": f"{read_version(python)}, {name}",
        "install_s": install_s,
        "demo_s": demo_s,
        "workspace_mb": measure_mb(folder / ".roma"),
        "outcomes": list_outcomes(demo),
        "cited": len(demo["answer"]["citations"]),
    }


def try_python(python: str, wheel: Path, root: Path) -> dict[str, Any]:
    """Install and run the demo with one interpreter; return what was measured."""
    version = read_version(python)
    folder = root / version
    folder.mkdir()
    environment, log = folder / "env", folder / "log"
    run([python, "-m", "venv", environment], folder, log)
    program = environment / "bin"
    empty_mb = measure_mb(environment)
    install_s = run([program / "pip", "install", "--quiet", f"{wheel}[all]"], folder, log)
    installed_mb = measure_mb(environment) - empty_mb
    run([program / "pip", "check"], folder, log)
    listed = subprocess.run([program / "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    init_s = run([program / "roma", "init", "x"], folder, log)
    shell = f"{program}/roma demo --json > ../demo.json || {{ cat ../demo.json >&2; exit 1; }}"
    demo_s = run(["/bin/sh", "-c", shell], folder / "x", log)
    demo = json.loads((folder / "demo.json").read_text("utf-8"))
    return {
        "python": version,
        "packages": len(json.loads(listed.stdout)),
        "install_s": install_s,
        "installed_mb": installed_mb,
        "init_s": init_s,
        "demo_s": demo_s,
        "workspace_mb": measure_mb(folder / "x"),
        "outcomes": list_outcomes(demo),
        "cited": len(demo["answer"]["citations"]),
    }


def read_locked(workspace: Path) -> dict[str, Any]:
    """Return what the demo of this checkout's own environment says: nothing is asked again."""
    done = subprocess.run(
        [ROOT / ".venv/bin/roma", "demo", "--json", "--workspace", workspace],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    demo = json.loads(done.stdout)
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "python": f"{version}, the lock",
        "outcomes": list_outcomes(demo),
        "cited": len(demo["answer"]["citations"]),
    }


def describe(part: dict[str, Any], first: dict[str, Any]) -> dict[str, object]:
    """Return the row of one installation."""
    outcomes = part["outcomes"]
    other = [key for key, outcome in first["outcomes"].items() if outcomes.get(key) != outcome]
    row: dict[str, object] = {"Python": part["python"]}
    row["packages"] = part.get("packages")
    row["install, minutes"] = part["install_s"] / 60 if "install_s" in part else None
    row["MB installed"] = part.get("installed_mb")
    row["demo, minutes"] = part["demo_s"] / 60 if "demo_s" in part else None
    row["MB of the project"] = part.get("workspace_mb")
    for measure in SHOWN:
        row[measure] = f"{average(outcomes, measure):.3f}"
    row["the same answers"] = f"{len(outcomes) - len(other)} of {len(first['outcomes'])}"
    return row


def read_section(page: Path = PAGE) -> str:
    """Return the section of the page that this module writes; empty where there is none."""
    text = page.read_text("utf-8") if page.is_file() else ""
    found = re.search(rf"^{re.escape(TITLE)}\n.*?(?=^## |\Z)", text, re.M | re.S)
    return found[0] if found else ""


def write_section(rows: Sequence[dict[str, object]]) -> None:
    """Put the section into the page, before what the extras weigh."""
    section = "\n".join([TITLE, "", *table(rows), "", NOTE, "", f"*{circumstances()}*", "", ""])
    old, text = read_section(), PAGE.read_text("utf-8")
    text = text.replace(old, section) if old else text.replace("## Extras\n", f"{section}## Extras\n", 1)
    PAGE.write_text(text, "utf-8")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("pythons", nargs="*")
    arguments.add_argument("--by", default="pip", choices=("pip", *RUNNERS))
    arguments.add_argument("--locked", type=Path)
    given = arguments.parse_args()
    PARTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        root = Path(name)
        wheel = build_wheel(root) if given.pythons else root
        for python in given.pythons:
            is_pip = given.by == "pip"
            part = try_python(python, wheel, root) if is_pip else try_runner(given.by, python, wheel, root)
            (PARTS / f"{part['python']}.json").write_text(json.dumps(part), "utf-8")
            print(describe(part, part), flush=True)
    if given.locked:
        (PARTS / "locked.json").write_text(json.dumps(read_locked(given.locked.resolve())), "utf-8")
    parts = [json.loads(path.read_text("utf-8")) for path in sorted(PARTS.glob("*.json"))]
    write_section([describe(part, parts[0]) for part in parts])
    return 0


if __name__ == "__main__":
    sys.exit(main())
