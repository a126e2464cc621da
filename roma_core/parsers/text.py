"""Plain text, kept as it is: paragraphs between blank lines, pages between form feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.build import assemble
from roma_core.parsers.encodings import decode
from roma_core.types import Block, Document, Page, RawDocument

_PARAGRAPH = re.compile(r"\S(?:[^\f]*?\S)?(?=[^\S\n\f]*(?:\n[^\S\n\f]*\n|(?:\n[^\S\n\f]*)?\f|\s*\Z))", re.DOTALL)


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY``."""
    text = decode(raw.data)
    pages = tuple(_pages(text)) if "\f" in text.strip("\f") else ()
    return assemble(raw, options, "text", text, blocks=tuple(paragraphs(text, pages)), pages=pages)


def paragraphs(text: str, pages: tuple[Page, ...] = ()) -> Iterator[Block]:
    number = iter(pages)
    page = next(number, None)
    for match in _PARAGRAPH.finditer(text):
        while page and match.start() >= page.end:
            page = next(number, None)
        yield Block(kind="paragraph", start=match.start(), end=match.end(), page=page.number if page else None)


def _pages(text: str) -> Iterator[Page]:
    start = 0
    for number, part in enumerate(text.split("\f"), start=1):
        end = min(start + len(part) + 1, len(text))
        yield Page(number=number, start=start, end=end)
        start = end
