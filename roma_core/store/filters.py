"""Filters of a caller, checked once for every store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roma_core.errors import InputError
from roma_core.store.base import Filters

MOST_VALUES = 1000
LONGEST_VALUE = 8192
"""A condition is an expression that each search reads anew: 200 000 values took it 12 s and a gigabyte."""


@dataclass(frozen=True)
class Conditions:
    """Conditions on a chunk's document; those that are not None must all hold."""

    document_id: tuple[str, ...] | None = None
    uri: tuple[str, ...] | None = None
    uri_prefix: str | None = None

    def match(self, document_id: str, uri: str) -> bool:
        """Return whether a document satisfies every condition."""
        return (
            (self.document_id is None or document_id in self.document_id)
            and (self.uri is None or uri in self.uri)
            and (self.uri_prefix is None or uri.startswith(self.uri_prefix))
        )


def parse_filters(filters: Filters | None) -> Conditions:
    """Return filters as typed conditions.

    Raises ``InputError`` for an unknown field, a wrong value, or too many values.
    """
    given = dict(filters or {})
    prefix = given.pop("uri_prefix", None)
    if prefix is not None and not isinstance(prefix, str):
        raise InputError("Filter 'uri_prefix' must be a string.")
    _check_length("uri_prefix", prefix or "")
    wanted = {field: _values(field, given.pop(field, None)) for field in ("document_id", "uri")}
    if given:
        unknown = ", ".join(sorted(f"{str(field)[:40]!r}" for field in given)[:3])
        raise InputError(f"Unknown filter {unknown}; allowed are document_id, uri and uri_prefix.")
    return Conditions(uri_prefix=prefix, **wanted)


def _values(field: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, list | tuple | set | frozenset) or not all(isinstance(v, str) for v in values):
        raise InputError(f"Filter {field!r} must be a string or a list of strings.")
    if len(values) > MOST_VALUES:
        raise InputError(f"Filter {field!r} has {len(values)} values; at most {MOST_VALUES} are allowed.")
    _check_length(field, *values)
    return tuple(sorted(values))


def _check_length(field: str, *values: str) -> None:
    if any(len(value) > LONGEST_VALUE for value in values):
        raise InputError(f"A value of filter {field!r} is longer than {LONGEST_VALUE} characters.")
