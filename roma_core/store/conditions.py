"""Conditions of LanceDB on the rows of the table: tenant, kind, filters, and what the caller may read. Pure."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, Final, Literal

from roma_core.store.base import Filters
from roma_core.store.filters import Conditions, parse_filters
from roma_core.store.rows import join_words
from roma_core.types import EVERYTHING, ReadScope

Kind = Literal["document", "chunk"]

ALL_CHUNKS: Final = "kind = 'chunk'"
"""Condition of the chunks of all tenants."""


def build_scope(
    tenant: str, kind: Kind | None, filters: Filters | None = None, permitted: ReadScope = EVERYTHING
) -> Any:
    """Return the condition for tenant, kind, filters, and what the caller may read.

    Every query passes here. Values are literals of an expression, never SQL text.
    """
    from lancedb.expr import col, lit

    wanted = parse_filters(filters)
    where = col("tenant") == lit(tenant)
    if kind is not None:
        where = where & (col("kind") == lit(kind))
    for column in ("document_id", "uri", "type", "language", "collection"):
        values = getattr(wanted, column)
        if values is not None:
            where = where & is_one_of(column, values)
    if wanted.uri_prefix is not None:
        where = where & (col("uri") >= lit(wanted.uri_prefix))
        after = next_prefix(wanted.uri_prefix)
        where = where & (col("uri") < lit(after)) if after else where
    if permitted.collections is not None:
        where = where & (is_one_of("collection", permitted.collections) if permitted.collections else lit(False))
    for column, withheld in (("collection", permitted.closed), ("document_id", permitted.hidden)):
        if withheld:
            where = where & ~is_one_of(column, withheld)
    return where & _facts_condition(wanted) if _has_facts(wanted) else where


def _has_facts(wanted: Conditions) -> bool:
    return any((wanted.author, wanted.after, wanted.before, wanted.source, wanted.section))


def _facts_condition(wanted: Conditions) -> Any:
    """Return the condition for names, dates and parts of texts."""
    from lancedb.expr import col, lit

    conditions: list[Any] = []
    if wanted.author is not None:
        names = [
            _all_of([col("author_words").contains(lit(join_words([word]))) for word in name]) for name in wanted.author
        ]
        conditions.append(_any_of(names))
    if wanted.after is not None:
        conditions.append(col("date") >= lit(wanted.after))
    if wanted.before is not None:
        conditions.append((col("date") > lit("")) & (col("date") < lit(wanted.before)))
    if wanted.source is not None:
        conditions.append(_any_of([col("place_words").contains(lit(part)) for part in wanted.source]))
    if wanted.section is not None:
        conditions.append(_any_of([col("section").contains(lit(part)) for part in wanted.section]))
    return _all_of(conditions)


def _all_of(conditions: Sequence[Any]) -> Any:
    return functools.reduce(operator.and_, conditions)


def _any_of(conditions: Sequence[Any]) -> Any:
    from lancedb.expr import lit

    return functools.reduce(operator.or_, conditions) if conditions else lit(False)


def is_one_of(column: str, values: Sequence[str]) -> Any:
    """Return the condition that a column has one of some values."""
    from lancedb.expr import col, lit

    return col(column).isin([lit(value) for value in values]) if values else lit(False)


def next_prefix(prefix: str) -> str:
    """Return the least string above all that begin with ``prefix``; empty without one. LIKE has wildcards."""
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i])
        if code < 0x10FFFF:
            return prefix[:i] + chr(0xE000 if code == 0xD7FF else code + 1)  # surrogates are no characters
    return ""
