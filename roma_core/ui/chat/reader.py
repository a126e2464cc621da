"""The source beside the answer: a part of a document as it reads with the exact words marked, or pages with boxes."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import accumulate
from typing import Any, Final, NamedTuple

from roma_core.errors import InputError
from roma_core.parsers.pdf.words import PageWord
from roma_core.types import Box, Document, Page, Span
from roma_core.ui.render import mark_span, to_html

AROUND_CHARS: Final = 6_000
"""Characters of the document that are shown before and behind the cited words."""
MOST_BLOCK_CHARS: Final = 20_000
"""A longer block (a sheet is one table) is cut at its lines."""
EXACT_SHARE: Final = 0.9
"""Share of the cited letters that must be found on the page for their boxes to count as exact."""


class DocumentPart(NamedTuple):
    """A part ``[start, end)`` of a document as safe HTML. ``is_exact``: the cited words are marked in it."""

    start: int
    end: int
    html: str
    is_exact: bool


class MarkedPage(NamedTuple):
    """Boxes on a page, as fractions of it. They hold the exact words, or the blocks that they stand in."""

    boxes: tuple[Box, ...]
    is_exact: bool


def require_span(document: Document, start: int | None, end: int | None) -> tuple[int, int] | None:
    """Return the span that is to be marked; None where none is asked for. Raises ``InputError``."""
    if start is None and end is None:
        return None
    if start is None or end is None or not 0 <= start < end <= len(document.text):
        raise InputError(f"A cited span needs start < end <= {len(document.text)}, the length of the text.")
    return start, end


def cut_part(document: Document, span: tuple[int, int] | None, offset: int = 0) -> DocumentPart:
    """Return the part of a document around ``span``, or from ``offset`` on, cut at blocks."""
    first, last = span or (offset, offset)
    start = _block_start(document, max(0, first - AROUND_CHARS) if span else offset)
    end = _block_end(document, min(len(document.text), last + AROUND_CHARS))
    text = document.text[start:end]
    header = _table_header(document, start)
    if span is None:
        return DocumentPart(start, end, to_html(header + text), is_exact=False)
    shift = len(header) - start
    html = mark_span(header + text, first + shift, last + shift)
    if html is None:
        before, quote, after = text[: first - start], text[first - start : last - start], text[last - start :]
        plain = f"{escape(before)}<mark>{escape(quote)}</mark>{escape(after)}"
        html = f'<div class="roma-typed">{plain}</div>'
    return DocumentPart(start, end, html, is_exact=True)


def _block_at(document: Document, offset: int) -> Span | None:
    at = bisect_right(document.blocks, offset, key=lambda block: block.start) - 1
    if at < 0 or document.blocks[at].end <= offset:
        return None
    return document.blocks[at]


def _block_start(document: Document, offset: int) -> int:
    block = _block_at(document, offset)
    if block is not None and offset - block.start < MOST_BLOCK_CHARS:
        return block.start
    return document.text.rfind("\n", 0, offset) + 1


def _block_end(document: Document, offset: int) -> int:
    block = _block_at(document, offset - 1) if offset else None
    if block is not None and block.end - offset < MOST_BLOCK_CHARS:
        return block.end
    line = document.text.find("\n", offset)
    return len(document.text) if line < 0 else line


def _table_header(document: Document, start: int) -> str:
    """Return the first two lines of a table that begins before ``start``: without them the rest is no table."""
    block = _block_at(document, start)
    if block is None or block.start >= start or not document.text.startswith("|", block.start):
        return ""
    lines = document.text[block.start : start].split("\n", 2)
    return "\n".join(lines[:2]) + "\n" if len(lines) > 2 else ""


def find_cited_pages(document: Document, span: tuple[int, int]) -> list[Page]:
    """Return the pages that a span stands on."""
    start, end = span
    return [page for page in document.pages if page.start < end and start < page.end]


def has_pages(document: Document) -> bool:
    """Return whether pages of the document can be drawn: those of PDF files and of pictures."""
    kind = document.media_type
    return bool(document.pages) and (kind == "application/pdf" or kind.startswith("image/"))


def mark_page(document: Document, page: Page, span: tuple[int, int], words: Sequence[PageWord]) -> MarkedPage:
    """Return the boxes of the cited words on a page, one a line; else the boxes of the blocks that they stand in."""
    start, end = max(span[0], page.start), min(span[1], page.end)
    blocks = tuple(
        block.box
        for block in document.blocks
        if block.box and block.page == page.number and block.start < end and start < block.end
    )
    found = find_words(document.text[start:end], words, blocks)
    return MarkedPage(_join_lines(found), True) if found else MarkedPage(blocks, False)


def find_words(quote: str, words: Sequence[PageWord], blocks: Sequence[Box] = ()) -> list[Box]:
    """Return the boxes of the words of ``quote`` on a page, in their order; none where they are not found.

    Where the words stand several times on the page, those inside of ``blocks`` count.
    """
    wanted = _letters(quote)
    if not wanted:
        return []
    keys = [_letters(word.text) for word in words]
    stream = "".join(keys)
    starts = [0, *accumulate(map(len, keys))]
    places: list[list[Box]] = []
    at = stream.find(wanted)
    while at >= 0 and len(places) < 100:
        places.append(_words_between(words, starts, at, at + len(wanted)))
        at = stream.find(wanted, at + 1)
    if places:
        return max(places, key=lambda boxes: sum(_is_inside(box, blocks) for box in boxes) / len(boxes))
    return _align(wanted, words, keys, blocks)


def _words_between(words: Sequence[PageWord], starts: Sequence[int], first: int, last: int) -> list[Box]:
    begin, end = bisect_right(starts, first) - 1, bisect_right(starts, last - 1) - 1
    return [words[index].box for index in range(begin, end + 1) if starts[index + 1] > starts[index]]


def _align(wanted: str, words: Sequence[PageWord], keys: Sequence[str], blocks: Sequence[Box]) -> list[Box]:
    """Return the words inside of ``blocks`` that stand in the quote, where they make nearly all of it.

    The file may draw its words in another order than a reader takes them, cell by cell or column by column.
    """
    near = [index for index, word in enumerate(words) if keys[index] and _is_inside(word.box, blocks)]
    stream = "".join(keys[index] for index in near)
    starts = [0, *accumulate(len(keys[index]) for index in near)]
    boxes: dict[int, Box] = {}
    found = 0
    for run in SequenceMatcher(None, stream, wanted, autojunk=False).get_matching_blocks():
        if run.size < 2:
            continue
        found += run.size
        begin, end = bisect_right(starts, run.a) - 1, bisect_right(starts, run.a + run.size - 1) - 1
        boxes.update({near[index]: words[near[index]].box for index in range(begin, end + 1)})
    return [boxes[index] for index in sorted(boxes)] if found >= EXACT_SHARE * len(wanted) else []


def _is_inside(box: Box, blocks: Sequence[Box]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in blocks)


def _join_lines(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Return one box for each line: neighbours of the same height are joined."""
    lines: list[Box] = []
    for box in boxes:
        if lines and _is_same_line(lines[-1], box):
            last = lines[-1]
            lines[-1] = (min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3]))
        else:
            lines.append(box)
    return tuple(lines)


def _is_same_line(line: Box, box: Box) -> bool:
    overlap = min(line[3], box[3]) - max(line[1], box[1])
    height = min(line[3] - line[1], box[3] - box[1])
    gap = max(box[0] - line[2], line[0] - box[2])
    return overlap > height / 2 and gap < 0.05


def _letters(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum())


def view_part(part: DocumentPart) -> dict[str, Any]:
    """Return a part as plain values for the page."""
    return {"start": part.start, "end": part.end, "html": part.html, "exact": part.is_exact}
