"""Running headers, footers, page numbers and stamps: rows that repeat at the edges of the pages.

Rules, each because its opposite deletes data: whole rows only, on at least ``MIN_PAGES`` near one another; no number
in them changes but the page's own; they stand apart from the text; no row of a table; never most of a page.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.page import PageContent, Word

ZONE = 0.12
"""Share of the page's height at the top and at the bottom where furniture stands."""
MAX_ROWS = 3
"""Rows of furniture at either end of a page."""
MIN_PAGES = 3
WINDOW = 5
"""The pages that a row repeats on lie this near: left and right pages, and chapters, have their own."""
APART_EM = 0.6
"""Space between furniture and the text; text of a smaller type may stand nearer."""

_PAGE = r"(?:page|seite|página|pagina|pag\.|pg\.|p\.)"
_BARE_NUMBER = re.compile(rf"[\W_]*{_PAGE}?\s*(\d{{1,4}})(\s*(?:of|von|de|sur|/)\s*\d{{1,4}})?[\W_]*", re.IGNORECASE)
"""A page number and nothing else: ``12``, ``- 12 -``, ``Page 12 of 40``."""
_PAGE_NUMBER = re.compile(rf"(?<!\w){_PAGE}\s*(\d{{1,4}})(?!\d)", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s+[|—–·•]\s+")

Key = tuple[str, int]


class RemovedRow(NamedTuple):
    """A row that was taken out of a page."""

    page: int
    text: str


class _Row(NamedTuple):
    words: list[Word]
    key: Key


def remove_furniture(pages: Sequence[PageContent]) -> list[RemovedRow]:
    """Take the furniture out of ``pages`` (in place) and return its rows.

    >>> from roma_core.parsers.pdf.page import Style
    >>> pages = [PageContent(number, 600, 800) for number in (1, 2, 3)]
    >>> for page in pages:
    ...     places = [(20, "Report"), *((y, f"line{y}") for y in range(300, 400, 20))]
    ...     page.words = [Word(text, 50, y, 90, y + 10, Style(10)) for y, text in places]
    >>> remove_furniture(pages)[:1]
    [RemovedRow(page=1, text='Report')]
    """
    zones = [(page, [_zone_rows(page, edge) for edge in ("top", "bottom")]) for page in pages]
    seen: dict[Key, list[int]] = defaultdict(list)
    for index, (_, edges) in enumerate(zones):
        for key in {row.key for rows in edges for row in rows}:
            seen[key].append(index)
    repeated = {key for key, indexes in seen.items() if _is_regular(indexes)}
    removed: list[RemovedRow] = []
    for page, edges in zones:
        furniture = [row for rows in edges for row in _furniture_rows(page, rows, repeated)]
        gone = {id(word) for row in furniture for word in row.words}
        left = [word for word in page.words if id(word) not in gone]
        # A page that would be left (nearly) blank is not a page of furniture: titles of slides, forms, labels.
        if len(left) > len(gone) or all(_BARE_NUMBER.fullmatch(_text(row.words)) for row in furniture):
            page.words = left
            removed += [RemovedRow(page.number, _text(row.words)) for row in furniture]
    return removed + _remove_stamps(pages)


def _is_regular(indexes: Sequence[int]) -> bool:
    """Return whether ``MIN_PAGES`` of the pages (ascending) lie within a window."""
    last = MIN_PAGES - 1
    return any(indexes[i + last] - indexes[i] < WINDOW for i in range(len(indexes) - last))


def _zone_rows(page: PageContent, edge: str) -> list[_Row]:
    """Return the rows of an edge with the one that follows, from outside to inside."""
    height = page.frame[1]
    reach = (ZONE + 0.06) * height
    near = [w for w in page.words if (w.top < reach if edge == "top" else w.bottom > height - reach)]
    rows = rows_of(near)
    rows = rows[: MAX_ROWS + 1] if edge == "top" else rows[: -MAX_ROWS - 2 : -1]
    return [_Row(row, _key(page, row)) for row in rows]


def _furniture_rows(page: PageContent, rows: Sequence[_Row], repeated: set[Key]) -> list[_Row]:
    """Return the rows of one edge that are furniture: the outermost ones, as far as each repeats."""
    count = 0
    while count < min(len(rows), MAX_ROWS) and rows[count].key in repeated and _in_zone(page, rows[count].words):
        count += 1
    if not count:
        return []
    if any(_is_table_row(page, row.words) for row in rows[:count]):
        return []
    inner = rows[count] if count < len(rows) else None
    while count and inner is not None and not _stands_apart(rows[count - 1].words, inner.words):
        count -= 1
        inner = rows[count]
    return list(rows[:count])


def _in_zone(page: PageContent, row: Sequence[Word]) -> bool:
    height = page.frame[1]
    return max(w.bottom for w in row) < ZONE * height or min(w.top for w in row) > (1 - ZONE) * height


def _stands_apart(row: Sequence[Word], inner: Sequence[Word]) -> bool:
    """Return whether a row is no line of the text next to it: by space, or by a smaller type and no shared columns."""
    gap = max(
        min(w.top for w in inner) - max(w.bottom for w in row), min(w.top for w in row) - max(w.bottom for w in inner)
    )
    size, other = _size(row), _size(inner)
    if _shares_columns(row, inner):
        return gap > 2 * other
    return gap > APART_EM * max(size, other) or size < 0.9 * other


def _shares_columns(row: Sequence[Word], inner: Sequence[Word]) -> bool:
    """Return whether two rows of several pieces begin or end theirs at the same places: rows of one table."""
    one, two = segments_of(row), segments_of(inner)
    if len(one) < 2 or len(two) < 2:
        return False
    shared = sum(any(_is_aligned(a, b) for b in two) for a in one)
    return shared >= 2


def _is_aligned(one: Line, two: Line) -> bool:
    return min(abs(one.x0 - two.x0), abs(one.x1 - two.x1)) < 0.3 * one.size


def _is_table_row(page: PageContent, row: Sequence[Word]) -> bool:
    """Return whether at least three drawn vertical lines pass the row: the cells of a table."""
    y = (row[0].top + row[0].bottom) / 2
    passing = {round(rule.x0 / 3) for rule in page.rules if not rule.horizontal and rule.top <= y <= rule.bottom}
    return len(passing) >= 3


def _size(row: Sequence[Word]) -> float:
    return max(Counter(w.size for w in row).items(), key=lambda item: (item[1], item[0]))[0]


def _key(page: PageContent, row: Sequence[Word]) -> Key:
    """Return the text, its page number less the page's own, and the height in steps of 2 %."""
    pieces = segments_of(row, 1.5)
    width = page.frame[0]
    texts: list[str] = []
    for piece in pieces:
        is_outer = len(pieces) == 1 or piece.x0 < 0.2 * width or piece.x1 > 0.8 * width
        texts += [_part_key(page, part, is_outer) for part in _SEPARATOR.split(piece.text)]
    middle = (row[0].top + row[0].bottom) / 2
    return " ".join(texts).casefold(), round(middle / max(page.frame[1], 1) * 50)


def _part_key(page: PageContent, text: str, is_outer: bool) -> str:
    """Return a part of a row, a page number in it less the page's own. Any other number stays as it is."""
    if is_outer and (bare := _BARE_NUMBER.fullmatch(text)):
        return f"#{int(bare[1]) - page.number}{bare[2] or ''}"
    if is_outer and page.label and text.casefold() == page.label.casefold():
        return "#"
    return _PAGE_NUMBER.sub(lambda m: f"#{int(m[1]) - page.number}", text)


def _text(row: Sequence[Word]) -> str:
    return " ".join(w.text for w in row)


def _remove_stamps(pages: Sequence[PageContent]) -> list[RemovedRow]:
    """Take out text at an angle that stands on many pages: watermarks and margin stamps."""
    seen: dict[str, list[int]] = defaultdict(list)
    for index, page in enumerate(pages):
        if page.strays:
            seen[_text(page.strays)].append(index)
    removed: list[RemovedRow] = []
    for page in pages:
        text = _text(page.strays)
        if page.strays and _is_regular(seen[text]):
            removed.append(RemovedRow(page.number, text))
            page.strays = []
    return removed
