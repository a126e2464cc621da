"""The example notebook adds a stage from outside of the package, and a comparison decides about it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from roma_core.evals.notebooks import run_notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "hyde.ipynb"
TEXTS = {
    "bridge.md": "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres.\n",
    "mill.md": "# Water mill\n\nThe mill of Quellfeld grinds rye. It has two wheels.\n",
}
CASES = [
    ("built", "When was the rope bridge built?", "1902", "bridge.md"),
    ("span", "How many metres does the rope bridge span?", "48 metres", "bridge.md"),
    ("grinds", "What does the mill grind?", "rye", "mill.md"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of two files and a golden set about them."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, text in TEXTS.items():
        (corpus / name).write_text(text)
    cases = [
        {
            "id": name,
            "question": question,
            "kind": "single",
            "answer": fact,
            "nuggets": [{"fact": fact}],
            "evidence": [{"uri": uri, "anchor": fact}],
        }
        for name, question, fact, uri in CASES
    ]
    (tmp_path / "golden.json").write_text(json.dumps(cases))
    return tmp_path


def html_of(cell: nbformat.NotebookNode) -> str:
    outputs = cell.get("outputs", [])
    return "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


def test_the_stage_takes_ten_lines() -> None:
    (cell,) = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if "async def hyde" in cell.source]
    assert len([line for line in cell.source.splitlines() if line.strip()]) <= 10


@pytest.mark.slow
async def test_a_notebook_adds_hyde_and_a_comparison_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    settings = {"LLM_PROVIDER": "fake", "ROMA_EMBEDDER": "fake", "ROMA_RERANKER": "none", "ROMA_PLANNER": "off"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    places = {"workspace": folder / "w", "dataset": folder / "golden.json", "corpus": folder / "corpus"}
    target = await run_notebook(NOTEBOOK, folder / "out.ipynb", {name: str(place) for name, place in places.items()})
    shown = {cell.source: html_of(cell) for cell in nbformat.read(target, as_version=4).cells}
    (pipeline,) = [html for source, html in shown.items() if "async def hyde" in source]
    (comparison,) = [html for source, html in shown.items() if "compare(" in source]
    assert "Imagining an answer" in pipeline
    assert "stage.hyde" in comparison
