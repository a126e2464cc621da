"""The example of a plug-in is installed as a package of its own and used by the commands."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from roma_core.cli import roma as command_line
from roma_core.plugins import forget_specs
from tests.fakes.packages import declare_package

pytestmark = pytest.mark.slow

Run = Callable[..., Any]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "roma-plugin-example"
GOLDEN = [
    {
        "id": "heron",
        "question": "What does the heron eat?",
        "kind": "single",
        "answer": "Forty.",
        "nuggets": [{"fact": "forty"}],
        "evidence": [{"uri": "notes.jsonl/a", "anchor": "forty fish"}],
    }
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages in which the example is installed, by its own ``pyproject.toml``."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    declare_package(site, project["name"], project["version"], project["entry-points"])
    (site / "roma_plugin_example").symlink_to(EXAMPLE / "src" / "roma_plugin_example")
    return site


@pytest.fixture
def run(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``run(command, ...)`` gives what the command prints with ``--json``."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))  # parsers run in processes of their own
    monkeypatch.chdir(tmp_path)
    for name, value in (("ROMA_EMBEDDER", "fake"), ("ROMA_RERANKER", "none"), ("ROMA_PARSER_WORKERS", "1")):
        monkeypatch.setenv(name, value)
    importlib.invalidate_caches()
    forget_specs()

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(command_line, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    yield call
    for module in [name for name in sys.modules if name.startswith("roma_plugin_example")]:
        del sys.modules[module]
    monkeypatch.undo()
    forget_specs()


def test_its_four_parts_are_loaded_used_and_measured(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": "a", "title": "Heron", "text": "The heron eats forty fish a day."}]
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "golden.json").write_text(json.dumps(GOLDEN), encoding="utf-8")
    (tmp_path / "birds.cards").write_text("Q: What is an ibis?\nA: A wading bird.\n", encoding="utf-8")
    monkeypatch.setenv("ROMA_GLOSSARY_TERMS", '{"EF": "eats fish"}')

    mine = [row for row in run("plugins") if row["package"] == "roma-plugin-example"]
    assert {(row["group"], row["name"], row["reason"]) for row in mine} == {
        ("roma.connectors", "lines", ""),
        ("roma.parsers", "cards", ""),
        ("roma.measures", "opens_with_proof", ""),
        ("roma.stages", "glossary", ""),
    }
    ingested = run("ingest", f"lines://{tmp_path}/notes.jsonl", "birds.cards")
    assert [item["state"] for item in ingested["items"]] == ["added", "added"]
    assert "forty fish" in run("ask", "heron EF?")["answer"]
    scored = run("eval", "golden.json", "--measure", "opens_with_proof")
    assert scored["rows"][0]["scores"]["opens_with_proof"] == 1.0


def test_its_own_tests_pass(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "tests"]
    ran = subprocess.run(
        [*command, "--rootdir", str(EXAMPLE), "-c", os.devnull],
        cwd=EXAMPLE,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
