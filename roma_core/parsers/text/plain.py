"""Plain text, kept as it is: paragraphs between blank lines, pages between form feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import assemble
from roma_core.parsers.text.encodings import decode
from roma_core.types import Block, Document, Page, RawDocument

_BREAK = re.compile(r"\n[^\S\n\f]*(?=\n)|\f|\Z")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    pages = tuple(_pages(text)) if "\f" in text.strip("\f") else ()
    return assemble(raw, options, "text", text, blocks=tuple(paragraphs(text, pages)), pages=pages, warnings=warnings)


def paragraphs(text: str, pages: tuple[Page, ...] = ()) -> Iterator[Block]:
    """Yield the text between blank lines and form feeds, without the white space around it."""
    number = iter(pages)
    page = next(number, None)
    start = 0
    for match in _BREAK.finditer(text):
        piece = text[start : match.start()]
        first = start + len(piece) - len(piece.lstrip())
        start = match.end()
        if not piece.strip():
            continue
        while page and first >= page.end:
            page = next(number, None)
        end = first + len(piece.strip())
        yield Block(kind="paragraph", start=first, end=end, page=page.number if page else None)


def _pages(text: str) -> Iterator[Page]:
    start = 0
    for number, part in enumerate(text.split("\f"), start=1):
        end = min(start + len(part) + 1, len(text))
        yield Page(number=number, start=start, end=end)
        start = end
