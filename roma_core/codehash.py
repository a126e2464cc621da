"""A hash of what a function does: its source, what it calls in code that is not installed, and the constants it reads.

A run of an evaluation is named by the code that decided it. A researcher's function lives in a notebook or a script,
where neither a version nor a commit says that it has changed.
"""

from __future__ import annotations

import dis
import functools
import importlib.util
import inspect
import re
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from roma_core.types import digest

ROOT = Path(__file__).parent
PLAIN = (bool, int, float, complex, str, bytes, type(None), Path)
"""Types of values that decide by what they are, and print the same in every process."""
CONTAINERS = (list, tuple, set, frozenset, dict)
LAMBDA = "<lambda>"


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

    Followed are functions and classes of the same top-level package (in a notebook: of the notebook) and of modules
    that are not installed, and constants that the function reads as globals or holds in its closure. Of installed
    packages only the name of what is used counts.
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
    elif isinstance(value, FunctionType) and _is_followed(value, package):
        _describe_function(value, package, seen, parts)
    elif isinstance(value, type) and _is_followed(value, package):
        _describe_class(value, package, seen, parts)
    elif not isinstance(value, FunctionType | BuiltinFunctionType | type) and _is_followed(type(value), package):
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
    source = _source(function)
    parts.append(source or _instructions(function.__code__))
    if source and function.__name__ == LAMBDA:  # two of one line have the same source
        parts.append(_instructions(function.__code__))
    _describe(function.__defaults__, package, seen, parts)
    _describe(function.__kwdefaults__, package, seen, parts)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        parts.append(f"closure {name}")
        _describe(_content(cell), package, seen, parts)
    names = sorted(set(_global_names(function.__code__)))
    for name in names:
        if name in function.__globals__:
            parts.append(f"global {name}")
            value = function.__globals__[name]
            if isinstance(value, ModuleType):
                _describe_module(value, names, package, seen, parts)
            else:
                _describe(value, package, seen, parts)
    for name in _imported_names(function.__code__):
        parts.append(f"import {name} {_file_sha256(name)}")
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        _describe(wrapped, package, seen, parts)


def _describe_module(
    module: ModuleType, names: list[str], package: str, seen: dict[int, Any], parts: list[str]
) -> None:
    """Append what a module that is not installed contributes: of its members, those that ``names`` mention."""
    parts.append(f"module {module.__name__}")
    top = module.__name__.partition(".")[0]
    if id(module) in seen or not (top == package or _is_loose(top)):
        return
    seen[id(module)] = module
    for name in names:
        member = vars(module).get(name)
        if isinstance(member, ModuleType):
            _describe_module(member, names, package, seen, parts)
        elif member is not None:
            parts.append(f"member {name}")
            _describe(member, package, seen, parts)


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


def _imported_names(code: CodeType) -> list[str]:
    """Return the modules that the function itself imports by whole names, when it runs."""
    found = {str(each.argval) for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME" and each.argval}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.update(_imported_names(constant))
    return sorted(found)


def _file_sha256(name: str) -> str:
    """Return the hash of the file of a module that is not installed; empty for any other."""
    top, *rest = name.split(".")
    if not _is_loose(top):
        return ""
    file = _find_file(top)
    path = file.parent.joinpath(*rest) if file is not None and rest else None
    candidates = [path.with_suffix(".py"), path / "__init__.py"] if path else [file]
    return next((digest("file", each.read_bytes()) for each in candidates if each and each.is_file()), "")


@functools.cache
def _is_loose(top: str) -> bool:
    """Return True for a module or package that lies in a folder of the user's: not installed, and not ROMA."""
    if top == ROOT.name:
        return False
    file = _find_file(top)
    paths = sysconfig.get_paths()
    installed = [Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return file is not None and not any(folder in file.resolve().parents for folder in installed)


def _find_file(top: str) -> Path | None:
    """Return the file of a module by its first name; None for one that is built in, or has no file."""
    loaded = sys.modules.get(top)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec and spec.has_location else None
    return Path(origin) if origin else None


def _is_followed(value: Any, package: str) -> bool:
    top = _package(value)
    return top == package or (bool(top) and _is_loose(top))


def _instructions(code: CodeType) -> str:
    """Return the compiled form of code whose source cannot be read (typed in, or made by ``exec``)."""
    constants = [_instructions(each) if isinstance(each, CodeType) else _constant(each) for each in code.co_consts]
    return digest("instructions", sys.version, code.co_code, *code.co_names, *constants)


def _constant(value: Any) -> str:
    """Return a constant as text; the members of a set in an order that is the same in every process."""
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


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
