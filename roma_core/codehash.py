"""A hash of what a function does: its source, what it calls in its own package, and the constants it reads.

A run of an evaluation is named by the code that decided it. A researcher's function lives in a notebook or a script,
where neither a version nor a commit says that it has changed.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

from roma_core.types import digest

ROOT = Path(__file__).parent
PLAIN = (bool, int, float, complex, str, bytes, type(None), Path)
"""Types of values that decide by what they are, and print the same in every process."""
CONTAINERS = (list, tuple, set, frozenset, dict)


@functools.cache
def package_sha256(*folders: str, without: frozenset[str] = frozenset()) -> str:
    """Return the hash of ROMA's own modules in ``folders`` (all of them when none is named).

    ``without`` names folders and files directly below the package that do not count.
    """
    inside = [ROOT / folder for folder in folders] or [ROOT]
    files = sorted({path for folder in inside for path in folder.rglob("*.py")})
    counted = [path for path in files if path.relative_to(ROOT).parts[0] not in without]
    return digest("package", *(part for p in counted for part in (p.relative_to(ROOT).as_posix(), p.read_bytes())))


def code_sha256(function: Callable[..., Any]) -> str:
    """Return the hash (hex) of a function's source with everything of its own package that it uses.

    >>> def double(value): return 2 * value
    >>> code_sha256(double) == code_sha256(double)
    True

    Followed are functions and classes of the same top-level package (in a notebook: of the notebook) and constants that
    the function reads as globals or holds in its closure. Of other packages only the name of what is used counts.
    """
    parts: list[str] = []
    _describe(function, _package(function), {}, parts)
    return digest("code", *parts)


def _describe(value: Any, package: str, seen: dict[int, Any], parts: list[str]) -> None:
    """Append what ``value`` contributes; each object once."""
    if isinstance(value, PLAIN):
        parts.append(f"{type(value).__name__} {value!r}")
        return
    if isinstance(value, re.Pattern):
        parts.append(f"pattern {value.flags} {value.pattern!r}")
        return
    if id(value) in seen:
        parts.append(f"again {_name(value)}")
        return
    seen[id(value)] = value  # held, so that no other object gets its id
    if isinstance(value, CONTAINERS):
        _describe_container(value, package, seen, parts)
    elif isinstance(value, functools.partial):
        _describe([value.func, list(value.args), dict(value.keywords)], package, seen, parts)
    elif isinstance(value, MethodType):
        _describe(value.__func__, package, seen, parts)
        _describe(vars(value.__self__) if hasattr(value.__self__, "__dict__") else None, package, seen, parts)
    elif isinstance(value, FunctionType) and _package(value) == package:
        _describe_function(value, package, seen, parts)
    elif isinstance(value, type) and _package(value) == package:
        _describe_class(value, package, seen, parts)
    elif not isinstance(value, FunctionType | BuiltinFunctionType | type) and _package(type(value)) == package:
        _describe_class(type(value), package, seen, parts)
        _describe(getattr(value, "__dict__", None), package, seen, parts)
    else:
        parts.append(_name(value))


def _describe_container(value: Any, package: str, seen: dict[int, Any], parts: list[str]) -> None:
    items = list(value.items()) if isinstance(value, dict) else list(value)
    if isinstance(value, set | frozenset):
        items.sort(key=repr)
    parts.append(f"{type(value).__name__} of {len(items)}")
    for item in items:
        _describe(item, package, seen, parts)


def _describe_function(function: FunctionType, package: str, seen: dict[int, Any], parts: list[str]) -> None:
    parts.append(_source(function) or _instructions(function.__code__))
    _describe(function.__defaults__, package, seen, parts)
    _describe(function.__kwdefaults__, package, seen, parts)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        parts.append(f"closure {name}")
        _describe(_content(cell), package, seen, parts)
    for name in sorted(set(_global_names(function.__code__))):
        if name in function.__globals__:
            parts.append(f"global {name}")
            _describe(function.__globals__[name], package, seen, parts)
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        _describe(wrapped, package, seen, parts)


def _describe_class(kind: type, package: str, seen: dict[int, Any], parts: list[str]) -> None:
    """A class by its methods and constants: the source of one that was made in a notebook cannot be read."""
    parts.append(_name(kind))
    for name, member in sorted(vars(kind).items()):
        inner = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
        if isinstance(inner, (FunctionType, type, re.Pattern, *PLAIN, *CONTAINERS)) and name not in {
            "__dict__",
            "__doc__",
        }:
            parts.append(f"member {name}")
            _describe(inner, package, seen, parts)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # assigned later
        return None


def _global_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _instructions(code: CodeType) -> str:
    """Return the compiled form of code whose source cannot be read (typed in, or made by ``exec``)."""
    constants = [_instructions(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return digest("instructions", sys.version, code.co_code, *code.co_names, *constants)


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return ""


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").partition(".")[0]


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") or hasattr(value, "__name__") else type(value)
    name = getattr(named, "__qualname__", None) or getattr(named, "__name__", "?")
    return f"{getattr(named, '__module__', '')}.{name}"
