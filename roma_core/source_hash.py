"""The hash of a function by its source: what identifies code that a researcher wrote in a notebook or a module.

Two functions of one name are not the same when their words differ, or a constant that they close over, or a helper
that they call. The hash covers the function's source, its defaults, the plain values that it refers to, and the
functions and classes of its own module that it refers to, these in the same way.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

from roma_core.types import digest

_PLAIN = (str, bytes, int, float, bool, complex, type(None))


def source_sha256(function: Callable[..., Any]) -> str:
    """Return the hash of ``function`` and of everything of its own module that it depends on.

    >>> source_sha256(lambda: 1) == source_sha256(lambda: 2)
    False
    """
    seen: set[int] = set()
    return digest("source", *_parts(function, seen))


def _parts(thing: Any, seen: set[int]) -> Iterator[str]:
    """Yield the texts that identify ``thing``, each function and class once."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, functools.partial):
        yield from _parts(thing.func, seen)
        yield from _values("partial", (*thing.args, *sorted(thing.keywords.items())), seen)
    elif isinstance(thing, MethodType):
        yield from _parts(thing.__func__, seen)
        yield from _state(thing.__self__, seen)
    elif isinstance(thing, FunctionType):
        yield from _function(thing, seen)
    elif isinstance(thing, type):
        yield _text(thing) or thing.__qualname__
    elif callable(thing):
        yield from _parts(type(thing), seen)
        yield from _state(thing, seen)


def _function(function: FunctionType, seen: set[int]) -> Iterator[str]:
    wrapped = inspect.unwrap(function)
    if wrapped is not function:
        yield from _parts(wrapped, seen)
    yield _text(function)
    if function.__name__ == "<lambda>" or not _text(function):  # two lambdas of one line have the same source
        yield _bytecode(function.__code__)
    yield from _values("defaults", function.__defaults__ or (), seen)
    yield from _values("keyword", sorted((function.__kwdefaults__ or {}).items()), seen)
    closure = inspect.getclosurevars(function)
    for name, value in sorted({**closure.nonlocals, **closure.globals}.items()):
        yield from _reference(name, value, function.__module__, seen)


def _reference(name: str, value: Any, module: str, seen: set[int]) -> Iterator[str]:
    """Yield a value that a function refers to, if it is plain or belongs to the function's own module."""
    if _is_plain(value):
        yield f"{name}={value!r}"
    elif callable(value) and getattr(value, "__module__", None) == module:
        yield from _parts(value, seen)


def _state(instance: Any, seen: set[int]) -> Iterator[str]:
    """Yield the plain attributes of the object that a method belongs to."""
    if isinstance(instance, type):
        return
    attributes = getattr(instance, "__dict__", {})
    for name in sorted(attributes):
        yield from _reference(name, attributes[name], type(instance).__module__, seen)


def _values(label: str, values: Any, seen: set[int]) -> Iterator[str]:
    for value in values:
        if _is_plain(value):
            yield f"{label}:{value!r}"
        else:
            yield from _parts(value, seen)


def _is_plain(value: Any) -> bool:
    """True for values whose ``repr`` says all, on every machine and in every run."""
    if isinstance(value, (tuple, list)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return False
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return isinstance(value, _PLAIN)


def _text(thing: Any) -> str:
    """Return the source of a function or class; empty where there is none, as in an interactive session."""
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return ""


def _bytecode(code: CodeType) -> str:
    parts = [code.co_code.hex(), *map(str, code.co_names)]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_bytecode(constant))
        elif isinstance(constant, frozenset):
            parts.append(repr(sorted(map(repr, constant))))
        else:
            parts.append(repr(constant))
    return " ".join(parts)
