"""Which parser reads which media type: one table, so that a new format is one row."""

from __future__ import annotations

from collections.abc import Iterable

from roma_core.parsers import media
from roma_core.parsers.base import Parser

PARSERS: tuple[Parser, ...] = (Parser("text", 1, (media.TEXT, media.JSON, media.XML), "roma_core.parsers.plain:parse"),)
"""Functions are named, not imported: the parent process loads no format library."""


def by_media_type(parsers: Iterable[Parser] = PARSERS) -> dict[str, Parser]:
    """Table from media type to parser. Raises ``ValueError`` when two parsers claim one type."""
    table: dict[str, Parser] = {}
    for parser in parsers:
        for name in parser.media_types:
            if name in table:
                raise ValueError(f"{name} is claimed by both {table[name].name} and {parser.name}")
            table[name] = parser
    return table
