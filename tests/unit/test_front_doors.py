"""Every package has a door: a few names that exist, are typed, and are all that users need."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import roma_core

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(["roma_core", *(m.name for m in pkgutil.walk_packages(roma_core.__path__, "roma_core.") if m.ispkg)])
USER = """
import asyncio

from roma_core import AgentFailure, Settings, build_roma
from roma_core.embeddings import make_embedder
from roma_core.evals import CaseOutcome, GoldenCase, Score, measure


@measure(source="words of an answer")
def brevity(case: GoldenCase, outcome: CaseOutcome) -> Score:
    return Score(1.0)


async def main() -> None:
    settings = Settings.load(workspace="w", lexical_weight=0.0)
    async with build_roma(settings, embedder=make_embedder(settings)) as roma:
        report = await roma.ingest("papers/")
        answer = await roma.query("What does the bridge span?", persona="executive", top_k=3)
        if isinstance(answer, AgentFailure):
            print(report.worked, answer.code, answer.message)
        else:
            print(answer.answer, [citation.quote for citation in answer.citations])


asyncio.run(main())
"""
SLIPS = [
    ("top_k=3", "topk=3", '"topk"'),
    ('"executive"', '"executve"', "persona"),
    ("embedder=make", "embeder=make", '"embeder"'),
    ("AgentFailure, Settings", "AgentFailur, Settings", '"AgentFailur"'),
    ("make_embedder\n", "make_embeder\n", '"make_embeder"'),
    ("report.worked", "report.workd", '"workd"'),
    ("citation.quote", "citation.quot", '"quot"'),
]
"""What stands in the user's file, a slip in its place, and a word of the complaint about it."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_and_exports_names_that_exist(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__, f"{package} has no docstring"
    for name in module.__all__:
        if not hasattr(module, name):
            importlib.import_module(f"{package}.{name}")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_a_package_lacks_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError):
        importlib.import_module(package).a_name_that_nobody_has  # noqa: B018


def imported_modules(source: str) -> set[str]:
    """Return the modules of ROMA from which ``source`` imports names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("roma_core"):
            found.add(node.module)
    return found


def cells(path: Path) -> str:
    notebook = json.loads(path.read_text("utf-8"))
    lines = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return "\n".join(re.sub(r"^[%!].*", "", line, flags=re.M) for line in lines)


@pytest.mark.parametrize("path", sorted(ROOT.glob("dashboards/*.py")), ids=lambda path: path.name)
def test_dashboards_import_from_doors_alone(path: Path) -> None:
    assert imported_modules(path.read_text("utf-8")) <= set(PACKAGES)


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.name)
def test_notebooks_import_from_doors_alone(path: Path) -> None:
    assert imported_modules(cells(path)) <= set(PACKAGES)


@pytest.fixture(scope="module")
def errors_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy says of the user's file and of one with each slip; checked in one run, which is what takes long."""
    folder = tmp_path_factory.mktemp("user")
    sources = {"right.py": USER}
    for number, (right, wrong, _) in enumerate(SLIPS):
        assert right in USER
        sources[f"slip{number}.py"] = USER.replace(right, wrong, 1)
    for name, source in sources.items():
        (folder / name).write_text(source)
    (folder / "empty.ini").write_text("[mypy]\n")
    options = ["--strict", "--config-file", "empty.ini", "--cache-dir", str(ROOT / ".mypy_cache" / "user")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *sources], cwd=folder, capture_output=True, text=True, check=False
    )
    assert f"(checked {len(sources)} source files)" in done.stdout, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    return {name: "\n".join(line for line in lines if line.startswith(f"{name}:")) for name in sources}


@pytest.mark.slow
def test_a_users_file_is_clean_under_strict_types(errors_of: dict[str, str]) -> None:
    assert errors_of["right.py"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SLIPS)), ids=[wrong.strip() for _, wrong, _ in SLIPS])
def test_a_slip_in_a_users_file_is_an_error_of_types(errors_of: dict[str, str], number: int) -> None:
    output = errors_of[f"slip{number}.py"]
    assert "error: " in output and SLIPS[number][2] in output
