"""How the code reads, counted: ``python -m bench.house [ROOT...]`` prints the same figures for each checkout.

The figures stand in ``docs/adr/0006-house.md``, before and after. They are consequences to look at, not targets:
what decides is reading. One is a rule that ``make check`` holds: a class name has one meaning (``--check``).
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.report import ROOT, table

CIRCUMSTANTIAL = re.compile(r"(What|Whether|Who|Where|How|The same)\b")
"""First words of docstrings that circumscribe the noun in place of naming it."""
PRIVATE = re.compile(r"(?<![\w.])(?!self\b|cls\b)[a-z_]\w*\._(?!repr_|exit\b|replace\b|getframe\b)[a-z]\w*")
"""An attribute with a leading underscore of something other than ``self``; those that Python and Jupyter document do
not count."""
PATCH = re.compile(r"monkeypatch\.setattr\(|mock\.patch")


def parse_modules(package: Path) -> dict[str, ast.Module]:
    """Syntax trees of a package by dotted name."""
    files = sorted(package.rglob("*.py"))
    return {
        ".".join(file.relative_to(package.parent).with_suffix("").parts): ast.parse(file.read_text("utf-8"))
        for file in files
    }


def find_duplicate_classes(modules: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Names of classes that are defined in two or more modules, with those modules; ``_Page`` counts as ``Page``.

    >>> find_duplicate_classes({"a": ast.parse("class Page: ..."), "b": ast.parse("class Page: ...")})
    {'Page': ['a', 'b']}
    """
    homes: dict[str, list[str]] = defaultdict(list)
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(name)
    return {name: places for name, places in sorted(homes.items()) if len(places) > 1}


def iterate_functions(modules: dict[str, ast.Module]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def nodes_per_line(modules: dict[str, ast.Module]) -> float:
    """Syntax nodes for each line of function bodies, docstrings left out."""
    nodes = lines = 0
    for function in iterate_functions(modules):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if not body:
            continue
        lines += (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1
        nodes += sum(1 for statement in body for _ in ast.walk(statement))
    return nodes / lines


def collect_docstrings(modules: dict[str, ast.Module]) -> list[str]:
    """Docstrings of modules, classes and functions."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = (node for tree in modules.values() for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for node in nodes if (text := ast.get_docstring(node))]


def count_lines(folder: Path) -> int:
    """Lines of all Python files below a folder."""
    return sum(len(file.read_text("utf-8").splitlines()) for file in folder.rglob("*.py"))


def count_tests(folder: Path) -> int:
    """Test functions below a folder."""
    functions = iterate_functions(parse_modules(folder))
    return sum(function.name.startswith("test_") for function in functions)


def measure(root: Path) -> dict[str, object]:
    """All figures of one checkout."""
    modules = parse_modules(root / "roma_core")
    docstrings = collect_docstrings(modules)
    circumstantial = sum(bool(CIRCUMSTANTIAL.match(text)) for text in docstrings)
    texts = [file.read_text("utf-8") for file in (root / "tests").rglob("*.py")]
    tests = count_tests(root / "tests")
    source_lines = count_lines(root / "roma_core")
    return {
        "modules": len(modules),
        "source lines": source_lines,
        "class names with two meanings": len(find_duplicate_classes(modules)),
        "syntax nodes a line": nodes_per_line(modules),
        "docstrings": len(docstrings),
        "of them What/Whether/Who/Where/How/The same": f"{circumstantial / len(docstrings):.1%}",
        "of them with an example": sum(">>>" in text or "::\n" in text or "```" in text for text in docstrings),
        "tests": tests,
        "test lines over source lines": count_lines(root / "tests") / source_lines,
        "reaches into private names": sum(len(PRIVATE.findall(text)) for text in texts),
        "patched attributes": sum(len(PATCH.findall(text)) for text in texts),
    }


def check_class_names() -> None:
    """Exit with 1 when a class name has two meanings."""
    duplicates = find_duplicate_classes(parse_modules(ROOT / "roma_core"))
    for name, places in duplicates.items():
        print(f"{name} is a class in {' and '.join(places)}: give each thing a name of its own.")
    sys.exit(1 if duplicates else 0)


def main(*roots: Path) -> None:
    """Print one column of figures for each checkout; by default for this one."""
    columns = {root.resolve().name: measure(root) for root in roots or (ROOT,)}
    figures = list(next(iter(columns.values())))
    rows = [{"figure": figure, **{name: column[figure] for name, column in columns.items()}} for figure in figures]
    print("\n".join(table(rows)))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check_class_names()
    else:
        main(*map(Path, sys.argv[1:]))
