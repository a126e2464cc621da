"""Columns: vertical strips of white between prose, and the cuts of a page that follow from them.

A *gutter* is a rectangle that no word enters, tall enough for three lines. It need not reach over the page: pages have
bands of two and of three columns, figures over some of them, notes below. Whether a gutter parts columns of prose or
cells of a table is asked of the lines on its two sides, each measured against the usual line of its own side. The
order in which the file draws them is a second opinion.

References: whitespace rectangles as in Breuel, "Two geometric algorithms for layout analysis" (DAS 2002); recursive
cuts as in Nagy and Seth, "Hierarchical representation of optically scanned documents" (ICPR 1984).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from roma_core.parsers.pdf.layout import Line, is_rtl
from roma_core.parsers.pdf.page import Rect, Word
from roma_core.parsers.tables import is_number

MAX_DEPTH = 12
MIN_LINES = 3
"""Lines on either side of a gutter."""
MIN_LINES_ACROSS_STREAM = 5
"""Lines on either side where the file does not draw one side after the other."""
WIDE_EM, NARROW_EM = 0.9, 0.5
"""Least width of a gutter in ems; the narrow one when it is at least ``TALL_LINES`` lines tall, because the gaps
between words of so many lines hardly ever stand below one another."""
TALL_LINES = 6
MIN_COLUMN_EM = 6.0
"""A column of prose is at least this wide."""
FULL = 0.8
"""A line is full when it has this share of the 80th percentile of its side's widths."""

_Run = tuple[int, int, int]
"""First step, step after the last one, first strip."""
_STEPS_PER_EM = 8
_STRIPS_PER_EM = 4


@dataclass(frozen=True)
class Gutter:
    """A free rectangle between two columns, in points."""

    x0: float
    x1: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2

    def is_part_of(self, other: Gutter) -> bool:
        """Return whether ``other`` parts all that this gutter parts."""
        beside = min(self.x1, other.x1) > max(self.x0, other.x0)
        return beside and other.top <= self.top + 1 and other.bottom >= self.bottom - 1

    def parts(self, left: Word, right: Word) -> bool:
        """Return whether the gutter lies between two neighbours of one row."""
        y = (left.top + left.bottom) / 2
        return self.top <= y <= self.bottom and left.x1 <= self.middle <= right.x0


@dataclass(frozen=True)
class _Sides:
    left: list[Line]
    right: list[Line]


def find_gutters(words: Sequence[Word], obstacles: Sequence[Rect] = ()) -> list[Gutter]:
    """Return the tall free strips of a page that have words on both sides.

    Candidates only: rivers between the cells of a table are among them.
    """
    if len(words) < 2 * MIN_LINES:
        return []
    em = median(word.size for word in words) or 10.0
    bitmap = _Bitmap(words, obstacles, em)
    gutters: dict[Gutter, None] = {}
    for lines, width in ((MIN_LINES, WIDE_EM), (TALL_LINES, NARROW_EM)):
        height = round(lines * 1.15 * _STRIPS_PER_EM)
        gutters.update(dict.fromkeys(bitmap.free_strips(height, round(width * _STEPS_PER_EM))))
    tallest_first = sorted(gutters, key=lambda gutter: gutter.top - gutter.bottom)
    distinct: list[Gutter] = []
    for gutter in tallest_first:
        if not any(gutter.is_part_of(other) for other in distinct):
            distinct.append(gutter)
    return distinct


class _Bitmap:
    """Occupied places of a page: one integer a strip of its height, one bit a step of its width."""

    def __init__(self, words: Sequence[Word], obstacles: Sequence[Rect], em: float) -> None:
        rects = [(word.x0, word.top, word.x1, word.bottom) for word in words] + list(obstacles)
        self.left, self.top = min(r[0] for r in rects), min(r[1] for r in rects)
        self.step, self.strip = em / _STEPS_PER_EM, em / _STRIPS_PER_EM
        self.columns = self._step_at(max(r[2] for r in rects)) + 1
        self.strips = [0] * (self._strip_at(max(r[3] for r in rects)) + 1)
        for x0, top, x1, bottom in rects:
            first, last = self._step_at(x0), max(self._step_at(x1 - 0.01), self._step_at(x0))
            mask = ((1 << (last - first + 1)) - 1) << first
            # The box of a line reaches into its neighbours by the font's ascent; its middle does not.
            inset = 0.2 * (bottom - top)
            for y in range(self._strip_at(top + inset), self._strip_at(max(bottom - inset, top + inset)) + 1):
                self.strips[y] |= mask

    def _step_at(self, x: float) -> int:
        return max(0, int((x - self.left) / self.step))

    def _strip_at(self, y: float) -> int:
        return max(0, int((y - self.top) / self.strip))

    def free_strips(self, height: int, width: int) -> Iterator[Gutter]:
        """Yield the maximal free rectangles at least ``height`` strips tall and ``width`` steps wide."""
        whole = (1 << self.columns) - 1
        free = [whole & ~strip for strip in self.strips]
        open_runs: list[_Run] = []
        for y in range(len(free) - height + 1):
            window = whole
            for strip in free[y : y + height]:
                window &= strip
                if not window:
                    break
            runs = [run for run in _runs(window) if run[1] - run[0] >= width]
            continued: set[_Run] = set()
            kept: list[_Run] = []
            for first, last in runs:
                above = [run for run in open_runs if min(last, run[1]) - max(first, run[0]) >= width]
                parent = min(above, key=lambda run: run[2], default=None)
                if parent is None:
                    if first > 0 and last < self.columns:  # a margin is no gutter
                        kept.append((first, last, y))
                    continue
                continued.add(parent)
                kept.append((max(first, parent[0]), min(last, parent[1]), parent[2]))
            for run in open_runs:
                if run not in continued:
                    yield self._gutter(run, y - 1 + height)
            open_runs = kept
        for run in open_runs:
            yield self._gutter(run, len(free))

    def _gutter(self, run: _Run, end: int) -> Gutter:
        first, last, start = run
        mask = ((1 << (last - first)) - 1) << first
        while start > 0 and not self.strips[start - 1] & mask:
            start -= 1
        x0, x1 = self.left + first * self.step, self.left + last * self.step
        return Gutter(x0, x1, self.top + start * self.strip, self.top + end * self.strip)


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """Yield the half-open runs of set bits."""
    start = 0
    while mask:
        zeros = (mask & -mask).bit_length() - 1
        mask >>= zeros
        ones = (~mask & (mask + 1)).bit_length() - 1
        yield start + zeros, start + zeros + ones
        mask >>= ones
        start += zeros + ones


def column_gutters(gutters: Sequence[Gutter], lines: Sequence[Line]) -> list[Gutter]:
    """Return the gutters that part columns of prose, cut to the height on which both sides have text.

    ``lines`` are the pieces of the page's rows that no gutter crosses.
    """
    found: list[Gutter] = []
    for gutter in gutters:
        sides = _sides(gutter, lines)
        if sides is not None and _parts_prose(sides):
            found.append(_extent(gutter, sides, lines))
    return found


def _sides(gutter: Gutter, lines: Sequence[Line]) -> _Sides | None:
    """Return the lines next to the gutter on either side, or None when there are too few beside one another."""
    beside = [line for line in lines if gutter.top <= (line.top + line.bottom) / 2 <= gutter.bottom]
    hidden = _hidden_lines(beside, gutter.middle)
    left = [line for line in beside if line.x1 <= gutter.middle and line not in hidden]
    right = [line for line in beside if line.x0 >= gutter.middle and line not in hidden]
    if not left or not right:
        return None
    top = max(min(line.top for line in left), min(line.top for line in right))
    bottom = min(max(line.bottom for line in left), max(line.bottom for line in right))
    inside = _Sides(_between_heights(left, top, bottom), _between_heights(right, top, bottom))
    return inside if min(len(inside.left), len(inside.right)) >= MIN_LINES else None


def _hidden_lines(lines: Sequence[Line], x: float) -> set[Line]:
    """Return the lines that another line parts from the gutter at ``x``."""
    hidden: set[Line] = set()
    near: list[Line] = []
    for line in sorted(lines, key=lambda line: line.top):
        near = [other for other in near if other.bottom > line.top]
        for other in near:
            if _between(line, other, x):
                hidden.add(line)
            elif _between(other, line, x):
                hidden.add(other)
        near.append(line)
    return hidden


def _between_heights(lines: Sequence[Line], top: float, bottom: float) -> list[Line]:
    return [line for line in lines if line.bottom > top and line.top < bottom]


def _between(line: Line, other: Line, x: float) -> bool:
    """Return whether ``other`` stands on the same height between ``line`` and the gutter at ``x``."""
    if min(line.bottom, other.bottom) - max(line.top, other.top) < 0.5 * (line.bottom - line.top):
        return False
    return line.x1 <= other.x0 and other.x1 <= x if line.x1 <= x else x <= other.x0 and other.x1 <= line.x0


def _parts_prose(sides: _Sides) -> bool:
    """Return whether both sides read like columns of prose rather than like cells of a table."""
    left, right = _SideFacts(sides.left), _SideFacts(sides.right)
    aligned = _aligned_share(sides) >= 0.5
    turns = _stream_turns(sides)
    if not aligned and turns <= 0.25:
        return True
    if left.is_numeric or right.is_numeric or not (left.is_wide and right.is_wide):
        return False
    filled = min(left.fullness, right.fullness)
    if turns <= 0.25:
        return filled >= 0.3
    if min(len(sides.left), len(sides.right)) < MIN_LINES_ACROSS_STREAM:
        return False
    return filled >= 0.45 and (not aligned or (left.runs_on and right.runs_on))


class _SideFacts:
    """Measures of the lines on one side of a gutter."""

    def __init__(self, lines: Sequence[Line]) -> None:
        widths = sorted(line.x1 - line.x0 for line in lines)
        usual = widths[int(0.8 * (len(widths) - 1))]
        words = median(len(line.words) for line in lines)
        letters = sum(len(line.text) for line in lines) / len(lines)
        starts = [line.text[0] for line in lines if line.text[0].isalpha()]
        cased = [char for char in starts if char.lower() != char.upper()]
        self.fullness = sum(width >= FULL * usual for width in widths) / len(widths)
        """Share of the lines that are as wide as the column."""
        self.is_wide = usual >= MIN_COLUMN_EM * median(line.size for line in lines) and (words >= 3 or letters >= 14)
        self.is_numeric = sum(is_number(line.text) for line in lines) > 0.3 * len(lines)
        self.runs_on = not cased or sum(char.islower() for char in cased) >= 0.3 * len(lines)
        """Whether lines begin in the middle of sentences."""


def _stream_turns(sides: _Sides) -> float:
    """Return how often the file changes sides while it draws them: 0 = one after the other, 1 = row by row."""
    order = sorted([(line.order, 0) for line in sides.left] + [(line.order, 1) for line in sides.right])
    turns = sum(a[1] != b[1] for a, b in pairwise(order))
    return (turns - 1) / max(1, 2 * min(len(sides.left), len(sides.right)) - 1)


def _aligned_share(sides: _Sides) -> float:
    """Return the share of the lines of the shorter side that have a partner on the same baseline."""
    few, many = sorted((sides.left, sides.right), key=len)
    size = median(line.size for line in few)
    aligned = sum(any(abs(line.bottom - other.bottom) < 0.15 * size for other in many) for line in few)
    return aligned / len(few)


def _extent(gutter: Gutter, sides: _Sides, lines: Sequence[Line]) -> Gutter:
    """Return the gutter from the first line of its columns to their last, also where one is longer.

    Lines of one side alone, above the first line of the other side, belong to the column when they begin at its margin
    and stand near. A last line of a paragraph that reaches over the gutter stays with its paragraph.
    """
    top = max(min(line.top for line in sides.left), min(line.top for line in sides.right))
    above = [line for line in lines if gutter.top <= (line.top + line.bottom) / 2 < top]
    wide = [line for line in lines if line.x0 < gutter.middle < line.x1 and line.bottom <= top + 1]
    margins = [median(line.x0 for line in side) for side in (sides.left, sides.right)]
    for line in sorted(above, key=lambda line: -line.bottom):
        at_margin = any(abs(line.x0 - margin) <= line.size for margin in margins)
        hangs = any(0 <= line.bottom - other.bottom < 1.6 * line.size for other in wide)
        if hangs or not at_margin or top - line.bottom > 3 * line.size:
            break
        top = min(top, line.top)
    return Gutter(gutter.x0, gutter.x1, top, gutter.bottom)


def regions(lines: list[Line], gutters: Sequence[Gutter], depth: int = 0) -> list[list[Line]]:
    """Return the lines of a page parted into columns and bands, in reading order."""
    if not lines:
        return []
    best = _best_cut(lines, gutters) if depth < MAX_DEPTH else None
    if best is None:
        return [sorted(lines, key=lambda line: (line.bottom, line.x0))]
    gutter, (above, left, right, below) = best
    if is_rtl("".join(line.text for line in (*left, *right))):
        left, right = right, left
    rest = [other for other in gutters if other is not gutter]
    parts: list[list[Line]] = []
    for part in (above, left, right, below):
        parts += regions(part, rest, depth + 1)
    return parts


_Parts = tuple[list[Line], list[Line], list[Line], list[Line]]


def _best_cut(lines: Sequence[Line], gutters: Sequence[Gutter]) -> tuple[Gutter, _Parts] | None:
    """Return the gutter whose ends cut through the fewest other gutters, the tallest of such, and what it parts."""
    size = median(line.size for line in lines)
    cuts: list[tuple[Gutter, _Parts]] = []
    for gutter in gutters:
        parts = _cut(lines, gutter)
        if len(parts[1]) >= 2 and len(parts[2]) >= 2:
            cuts.append((gutter, parts))

    def rank(cut: tuple[Gutter, _Parts]) -> tuple[int, float]:
        gutter, (above, _, _, below) = cut
        cut_through = 0
        for other, _ in cuts:
            if other is gutter:
                continue
            cut_through += bool(above) and other.top < gutter.top - 2 * size and other.bottom > gutter.top + 2 * size
            cut_through += (
                bool(below) and other.top < gutter.bottom - 2 * size and other.bottom > gutter.bottom + 2 * size
            )
        return cut_through, gutter.top - gutter.bottom

    return min(cuts, key=rank, default=None)


def _cut(lines: Sequence[Line], gutter: Gutter) -> _Parts:
    above: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    below: list[Line] = []
    for line in lines:
        y = (line.top + line.bottom) / 2
        if y < gutter.top:
            above.append(line)
        elif y > gutter.bottom:
            below.append(line)
        elif line.x1 <= gutter.middle:
            left.append(line)
        elif line.x0 >= gutter.middle:
            right.append(line)
        elif y < (gutter.top + gutter.bottom) / 2:
            above.append(line)
        else:
            below.append(line)
    return above, left, right, below
