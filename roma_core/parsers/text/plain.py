"""Plain text, kept as it is: paragraphs between blank lines, pages between form feeds.

A first line that stands alone is the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_core.facts import is_date_line
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import assemble, file_name
from roma_core.parsers.text.encodings import decode
from roma_core.types import Block, Document, Page, RawDocument

MOST_TITLE_CHARS = 80
MOST_TITLE_WORDS = 12
_FIRST_LINE = re.compile(r"\s*(?P<line>[^\n\f]+)\n(?:[=~*-]{3,}[ \t]*\n|[ \t]*\n)\s*\S")
"""A line with a blank line or a rule below it, and more text behind."""
_NO_TITLE = re.compile(r".*[.!?:;,…]$|[-*+•>|#]\s|\d+[.)]\s|[\w-]+:\s|\W*https?:", re.IGNORECASE)
"""Sentences, salutations, items of lists, quotations, headers and links."""
_FILE_NAME = re.compile(r"\.(?:txt|text|log)$", re.IGNORECASE)
_BREAK = re.compile(r"\n[^\S\n\f]*(?=\n)|\f|\Z")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY``."""
    warnings: list[str] = []
    text = decode(raw.data, warn=warnings.append)
    pages = tuple(_pages(text)) if "\f" in text.strip("\f") else ()
    blocks = tuple(paragraphs(text, pages))
    is_named = bool(raw.title) and raw.title != file_name(raw.uri) and not _FILE_NAME.search(raw.title or "")
    title = None if is_named else find_title(text)
    return assemble(raw, options, "text", text, blocks=blocks, pages=pages, title=title, warnings=warnings)


def find_title(text: str) -> str | None:
    """Return the first line of a text where it stands alone and reads like a title; None otherwise.

    Neither a sentence, a salutation, a list item, a header of a mail nor a date is a title.

    >>> find_title("Broker meeting, notes\\n\\n3 September\\n"), find_title("It rained.\\n\\nIt stopped.")
    ('Broker meeting, notes', None)
    """
    found = _FIRST_LINE.match(text)
    if found is None:
        return None
    line = " ".join(found["line"].split())
    letters = sum(character.isalpha() for character in line)
    is_title = _NO_TITLE.match(line) is None and 2 * letters > len(line) and len(line.split()) <= MOST_TITLE_WORDS
    return line if is_title and len(line) <= MOST_TITLE_CHARS and not is_date_line(line) else None


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
