"""Rivers: strips of white that run down through the rows of a table and part its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from statistics import median

from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.page import Word

MIN_WIDTH_EM = 0.45
"""Blanks inside of numbers (1 234 567) stand below one another too, and are narrower."""
NARROW_EM = 0.15
MIN_NUMBERS = 3
"""In a row of so many numbers each is a cell, however near they stand."""
_GROUP = re.compile(r"\d{3}(?:[.,]\d+)?")
_BLANK_SIGNS = frozenset("—–-…")

Row = list[Line]
"""The pieces of one baseline from left to right."""


def table_rows(words: Iterable[Word], min_numbers: int = MIN_NUMBERS) -> list[Row]:
    """Return the rows of pieces: parted by wide gaps, and between the numbers of a row of ``min_numbers`` or more."""
    rows: list[Row] = []
    for row in rows_of(words):
        numbers = sum(_is_figure(word) for word in row)
        breaks = _between_figures if numbers >= min_numbers else None
        pieces = segments_of(row, breaks=breaks)
        rows.append(sorted(pieces, key=lambda piece: piece.x0))
    return [row for row in rows if row]


def _is_figure(word: Word) -> bool:
    """Return whether a word is a number, an interval of two (``(1.2–3.4)``), or the sign for none."""
    if word.text in _BLANK_SIGNS:
        return True
    return any(map(str.isdigit, word.text)) and not any(map(str.isalpha, word.text))


def _between_figures(left: Word, right: Word) -> bool:
    return _is_figure(left) and _is_figure(right) and right.x0 - left.x1 > 0.2 * left.size


def strips(rows: Sequence[Row], allowed: int = 0, width_em: float = MIN_WIDTH_EM) -> list[float]:
    """Return the centres of the strips, at least ``width_em`` wide, that at most ``allowed`` pieces cover."""
    left, right = min(s.x0 for r in rows for s in r), max(s.x1 for r in rows for s in r)
    bins = int(right - left) + 2
    cover = [0] * (bins + 1)
    for row in rows:
        for piece in row:
            cover[max(0, int(piece.x0 - left))] += 1
            cover[min(bins, int(piece.x1 - left + 0.999))] -= 1
    size = median(piece.size for row in rows for piece in row)
    found: list[tuple[int, int]] = []
    height = 0
    start: int | None = None
    for i, step in enumerate(cover):
        height += step
        if height <= allowed and start is None:
            start = i
        elif height > allowed and start is not None:
            found.append((start, i))
            start = None
    return [left + (a + b) / 2 for a, b in found if b - a >= width_em * size and a > 0]


def figure_rivers(rows: Sequence[Row], allowed: int = 0) -> list[float]:
    """Return the centres of narrow strips that have a figure on both sides in most rows.

    Groups of three digits are one number: 1 234 567.
    """
    multi = [row for row in rows if len(row) > 1]
    found: list[float] = []
    for x in strips(rows, allowed, NARROW_EM):
        parted = [row for row in multi if parts(row, x)]
        around = [pair for row in parted if (pair := figures_around(row, x))]
        groups = sum(bool(_GROUP.fullmatch(right)) and left[-3:].isdigit() and len(left) <= 3 for left, right in around)
        if len(around) >= max(2, 0.6 * len(parted)) and 2 * groups < len(around) and 2 * len(parted) >= len(multi):
            found.append(x)
    return found


def figures_around(row: Row, x: float) -> tuple[str, str] | None:
    """Return the texts next to ``x`` on either side when both are figures."""
    left = [piece for piece in row if piece.x1 <= x + 1]
    right = [piece for piece in row if piece.x0 >= x - 1]
    if not left or not right:
        return None
    one, two = left[-1].words[-1], right[0].words[0]
    return (one.text, two.text) if _is_figure(one) and _is_figure(two) else None


def merge_edges(one: Sequence[float], two: Sequence[float], apart: float) -> list[float]:
    """Return all of ``one``, and of ``two`` those that are not within ``apart`` of one of them."""
    return sorted([*one, *(x for x in two if all(abs(x - y) > apart for y in one))])


def parts(row: Row, x: float) -> bool:
    """Return whether a row has pieces on both sides of ``x``."""
    return row[0].x1 <= x + 1 and row[-1].x0 >= x - 1


def crosses(piece: Line, x: float) -> bool:
    """Return whether a piece lies over ``x``."""
    return piece.x0 < x - 1 and piece.x1 > x + 1
