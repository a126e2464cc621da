"""The examples of docstrings do what they show."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import roma_core

PACKAGE = Path(roma_core.__file__).parent
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


def name_module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_module(path): path for path in PACKAGE.rglob("*.py") if EXAMPLE.search(path.read_text("utf-8"))}


def import_or_skip(name: str) -> ModuleType:
    """Return a module; the test is skipped where a package is missing that ROMA does not need to have."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] == "roma_core":
            raise
        pytest.skip(f"{missing} is not installed")


def find_examples(name: str, path: Path) -> Iterator[doctest.DocTest]:
    """Yield each docstring with examples, also those of decorated functions, which doctest's own finder passes over."""
    module = import_or_skip(name)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        text = node.value.value
        if isinstance(text, str) and EXAMPLE.search(text):
            yield doctest.DocTestParser().get_doctest(text, dict(vars(module)), name, str(path), node.lineno - 1)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_the_examples_of_a_module_do_what_they_show(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(verbose=False)
    messages: list[str] = []
    for example in find_examples(name, PATHS[name]):
        runner.run(example, out=messages.append)
    assert not messages, "".join(messages)
