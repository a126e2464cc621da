"""A setting's default and its name stand in one place: its field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import roma_core
from roma_core.settings import own_settings
from roma_core.settings.environment import TOKEN_VARIABLE, TOOLING

ROOT = Path(roma_core.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if "settings" not in path.relative_to(ROOT).parts)
GENERAL = {"timeout_s"}
"""Names that other things have too, with defaults of their own."""
VARIABLE = re.compile(r"\bROMA_[A-Z0-9]+(?:_[A-Z0-9]+)*\b")


def literal_defaults(tree: ast.AST) -> Iterator[tuple[str, object]]:
    """Yield name and value of each parameter, and of each field of a class, whose default is a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [*node.args.posonlyargs, *node.args.args]
            with_default = positional[len(positional) - len(node.args.defaults) :]
            pairs = list(zip(with_default, node.args.defaults, strict=True))
            keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            pairs += [(argument, default) for argument, default in keywords if default is not None]
            for argument, default in pairs:
                if isinstance(default, ast.Constant):
                    yield argument.arg, default.value
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                is_named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
                if is_named and isinstance(field.value, ast.Constant):
                    yield field.target.id, field.value.value


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_default_of_a_setting_is_stated_again(path: Path) -> None:
    stated: dict[str, set[object]] = {}
    for setting in own_settings():
        if isinstance(setting.default, str | int | float) and setting.default not in (False, "", 0):
            for name in {setting.name, setting.field} - GENERAL:
                if "_" in name:
                    stated.setdefault(name, set()).add(setting.default)
    for name, value in literal_defaults(ast.parse(path.read_text("utf-8"))):
        assert value not in stated.get(name, set()), f"{name}: take the default of the setting"


def test_every_variable_that_is_named_is_a_setting() -> None:
    known = {setting.env for setting in own_settings()} | {TOKEN_VARIABLE}
    for path in [*MODULES, *(ROOT.rglob("*.md"))]:
        for name in set(VARIABLE.findall(path.read_text("utf-8"))):
            is_beginning = any(variable.startswith(f"{name}_") for variable in known)
            assert name in known or is_beginning or name.startswith(TOOLING), f"{path.relative_to(ROOT)}: {name}"
