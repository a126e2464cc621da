"""Notebooks: thin, stripped, and run only with parameters that they have."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.notebooks import check_parameters, defaults, run_notebook
from roma_core.evals.provenance import read_provenance

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = ["00_setup", "01_ingest", "02_ask", "02b_parse_explorer", "03_golden_eval", "04_prompt_lab", "05_chat_console"]
NAMES += ["06_compare", "07_judge_calibration", "08_error_analysis", "09_retrieval_ablation"]


def notebook(folder: Path, *cells: str, parameters: str = "n = 1\nname = 'a'") -> Path:
    book = nbformat.v4.new_notebook()
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    book.cells = [first, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    book.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path = folder / "book.ipynb"
    nbformat.write(book, path)
    return path


ALLOWED: dict[str, Any] = {"n": 1, "x": 0.5, "on": True, "name": "a", "names": [], "options": {}, "limit": None}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, {}),
        ({"n": 5}, {"n": 5}),
        ({"n": "5"}, {"n": 5}),
        ({"x": 2}, {"x": 2.0}),
        ({"x": "0.25"}, {"x": 0.25}),
        ({"on": "false"}, {"on": False}),
        ({"name": "5"}, {"name": "5"}),
        ({"names": "['a', 'b']"}, {"names": ["a", "b"]}),
        ({"names": ("a",)}, {"names": ["a"]}),
        ({"options": "{'k': 1}"}, {"options": {"k": 1}}),
        ({"limit": "7"}, {"limit": 7}),
        ({"limit": "all of them"}, {"limit": "all of them"}),
        ({"n": "null"}, {"n": None}),
    ],
)
def test_parameters_are_read_in_the_types_of_their_defaults(given: dict[str, Any], read: dict[str, Any]) -> None:
    assert check_parameters(given, ALLOWED) == read


@pytest.mark.parametrize("given", [{"n": "many"}, {"n": True}, {"n": 1.5}, {"on": 1}, {"names": "a"}, {"name": 5}])
def test_other_types_are_refused(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(EvalError, match=f"Parameter {name} must be") as caught:
        check_parameters(given, ALLOWED)
    assert caught.value.code is ErrorCode.EVAL_PARAMETERS


def test_unknown_names_are_refused_with_those_allowed() -> None:
    with pytest.raises(EvalError, match=r"Unknown parameters: m, z\. Allowed: limit, n") as caught:
        check_parameters({"z": 1, "n": 2, "m": 3}, {"n": 1, "limit": None})
    assert caught.value.details == {"unknown": ["m", "z"], "allowed": ["limit", "n"]}
    with pytest.raises(EvalError, match="Allowed: none"):
        check_parameters({"z": 1}, {})


async def test_nothing_runs_when_a_name_is_wrong(tmp_path: Path) -> None:
    source = notebook(tmp_path, "raise SystemExit")
    with pytest.raises(EvalError, match="Unknown parameters: m"):
        await run_notebook(source, tmp_path / "out.ipynb", {"m": 1})
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("content", [None, "not json"])
async def test_files_that_are_no_notebook(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvalError, match="cannot be read"):
        await run_notebook(path, tmp_path / "out.ipynb")


@pytest.mark.slow
async def test_a_notebook_runs_with_its_parameters(tmp_path: Path) -> None:
    target = await run_notebook(notebook(tmp_path, "n * 2"), tmp_path / "sub" / "out.ipynb", {"n": "21"})
    cells = nbformat.read(target, as_version=4).cells
    assert cells[-1].outputs[0]["data"]["text/plain"] == "42"
    card = read_provenance(target)
    assert card.kind == "notebook" and card.name == "out.ipynb" and card.finished_at is not None
    assert card.parameters == {"notebook": str(tmp_path / "book.ipynb"), "n": 21, "name": "a"}
    assert "roma rerun out.ipynb" in (tmp_path / "sub" / "out.card.md").read_text()


@pytest.mark.slow
async def test_a_failing_cell_is_named_without_its_text(tmp_path: Path) -> None:
    source = notebook(tmp_path, "1", "raise ValueError('secret words of a document')")
    with pytest.raises(EvalError, match="failed in cell 3 with ValueError") as caught:
        await run_notebook(source, tmp_path / "out.ipynb")
    assert caught.value.code is ErrorCode.EVAL_NOTEBOOK and "secret" not in caught.value.message
    assert (tmp_path / "out.ipynb").is_file()


def test_the_notebooks_are_all_there() -> None:
    assert [p.stem for p in NOTEBOOKS] == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_stripped_and_have_parameters(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert book.cells[0].cell_type == "markdown" and "workspace" in defaults(path)
    for cell in code:
        tree = ast.parse(cell.source, mode="exec", type_comments=False) if "await" not in cell.source else None
        tree = tree or compile(cell.source, path.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.slow
async def test_a_notebook_runs_by_papermill_in_an_empty_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them; `make notebooks` runs all, `make demo` three."""
    path = ROOT / "notebooks" / "03_golden_eval.ipynb"
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    target = await run_notebook(path, tmp_path / path.name, {"workspace": str(tmp_path / "w"), "limit": 2})
    shown = nbformat.read(target, as_version=4)
    assert any("text/html" in output.get("data", {}) for cell in shown.cells for output in cell.get("outputs", []))
