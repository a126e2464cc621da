"""Words to lines in reading order: columns are found as bands of lines that leave a gutter free.

The cut is a variant of the recursive XY-cut (Nagy and Seth 1984) that asks which lines *cross* a gutter rather than
whether any does: a title over two columns then costs one band, not the columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from roma_core.parsers.pdf.page import SOFT_HYPHEN, Rect, Word

SPLIT = 1.0
"""A gap of this many ems inside of a line parts it into segments."""
MAX_DEPTH = 6
_STRIP = 12.0


@dataclass(frozen=True, eq=False)
class Line:
    """Words on one baseline, in reading order."""

    words: tuple[Word, ...]

    @cached_property
    def x0(self) -> float:
        return min(w.x0 for w in self.words)

    @cached_property
    def x1(self) -> float:
        return max(w.x1 for w in self.words)

    @cached_property
    def top(self) -> float:
        return min(w.top for w in self.words)

    @cached_property
    def bottom(self) -> float:
        return max(w.bottom for w in self.words)

    @property
    def rect(self) -> Rect:
        return self.x0, self.top, self.x1, self.bottom

    @cached_property
    def size(self) -> float:
        """Size that most characters have."""
        sizes: dict[float, int] = {}
        for word in self.words:
            sizes[word.size] = sizes.get(word.size, 0) + len(word.text)
        return max(sizes, key=lambda s: (sizes[s], s))

    def share(self, attribute: str) -> float:
        """Share of the characters whose style has ``attribute`` (bold, italic, mono)."""
        total = sum(len(w.text) for w in self.words)
        return sum(len(w.text) for w in self.words if getattr(w.style, attribute)) / max(total, 1)

    @cached_property
    def face(self) -> str | None:
        """The font of all its words; None when it is mixed."""
        faces = {w.style.face for w in self.words}
        return next(iter(faces)) if len(faces) == 1 else None

    @property
    def hyphenated(self) -> bool:
        """Whether PDFium takes the hyphen at the end for a hyphenation."""
        return self.words[-1].text.endswith(SOFT_HYPHEN)

    @cached_property
    def text(self) -> str:
        return text_of(self.words)


def text_of(words: Sequence[Word]) -> str:
    """Words joined by blanks; words that touch (a change of style inside a word, CJK) by nothing."""
    parts: list[str] = []
    last: Word | None = None
    for word in words:
        if last is not None and not _touching(last, word):
            parts.append(" ")
        parts.append(word.text.replace(SOFT_HYPHEN, "-"))
        last = word
    return "".join(parts)


def _touching(one: Word, two: Word) -> bool:
    """Whether no blank belongs between: the file has none, and the gap is small."""
    gap = max(two.x0 - one.x1, one.x0 - two.x1)
    size = min(one.size, two.size) or 1.0
    if is_rtl(one.text) != is_rtl(two.text) and one.text[-1].isalnum() and two.text[0].isalnum():
        return False
    if is_wide(one.text[-1]) and is_wide(two.text[0]):
        return gap < 0.2 * size
    return two.glued and gap < 0.12 * size


def is_wide(char: str) -> bool:
    """Han, kana: scripts that set no blanks between words. (Hangul does.)"""
    return unicodedata.east_asian_width(char) in "WF" and not "\uac00" <= char <= "\ud7af"


def is_rtl(text: str) -> bool:
    strong = [unicodedata.bidirectional(c) for c in text if c.isalpha()]
    return 2 * sum(kind in {"R", "AL"} for kind in strong) > len(strong) > 0


def rows_of(words: Iterable[Word]) -> list[list[Word]]:
    """Words grouped by baseline from top to bottom, each row from left to right. Raised and lowered marks join the
    row that they overlap most."""
    rows: list[list[Word]] = []
    spans: list[tuple[float, float]] = []
    near: dict[int, list[int]] = {}
    """Rows by the strips of ``_STRIP`` points that they cross, so that a word is compared with few."""
    for word in sorted(words, key=lambda w: (-w.size, w.top, w.x0)):
        middle = (word.top + word.bottom) / 2
        best, best_gain = -1, 0.5
        for index in near.get(int(middle // _STRIP), ()):
            top, bottom = spans[index]
            overlap = min(bottom, word.bottom) - max(top, word.top)
            gain = overlap / max(min(word.bottom - word.top, bottom - top), 0.1)
            if gain > best_gain and top <= middle <= bottom:
                best, best_gain = index, gain
        if best >= 0:
            rows[best].append(word)
            continue
        for strip in range(int(word.top // _STRIP), int(word.bottom // _STRIP) + 1):
            near.setdefault(strip, []).append(len(rows))
        rows.append([word])
        spans.append((word.top, word.bottom))
    order = sorted(range(len(rows)), key=lambda i: spans[i][1])
    return [sorted(rows[i], key=lambda w: w.x0) for i in order]


def segments_of(row: Sequence[Word], split: float = SPLIT) -> list[Line]:
    """The pieces of a row (sorted by x) that wide gaps separate."""
    pieces: list[list[Word]] = []
    right = 0.0
    for word in row:
        if pieces and word.x0 - right <= split * max(word.size, 1.0):
            pieces[-1].append(word)
            right = max(right, word.x1)
        else:
            pieces.append([word])
            right = word.x1
    return [Line(tuple(_logical(piece))) for piece in pieces]


def _logical(piece: list[Word]) -> list[Word]:
    """Reading order of words sorted by x: right to left where most letters are, runs of the other kind kept."""
    if not is_rtl("".join(w.text for w in piece)):
        return piece
    ordered: list[Word] = []
    run: list[Word] = []
    for word in reversed(piece):
        if any(unicodedata.bidirectional(c) in {"L", "EN"} for c in word.text) and not is_rtl(word.text):
            run.insert(0, word)
            continue
        ordered += [*run, word]
        run = []
    return ordered + run


def regions(lines: list[Line], depth: int = 0) -> list[list[Line]]:
    """Segments of a page parted into regions (columns and full-width bands) in reading order."""
    gutter = _gutter(lines) if depth < MAX_DEPTH and len(lines) >= 4 else None
    if gutter is None:
        return [sorted(lines, key=lambda s: (s.bottom, s.x0))] if lines else []
    parts: list[list[Line]] = []
    for crossing, band in _bands(lines, gutter):
        if crossing:
            parts += regions(band, depth + 1) if len(band) < len(lines) else [band]
            continue
        sides = [s for s in band if s.x1 <= gutter + 1], [s for s in band if s.x1 > gutter + 1]
        if is_rtl("".join(s.text for s in band)):
            sides = sides[1], sides[0]
        for side in sides:
            parts += regions(side, depth + 1)
    return parts


def _bands(lines: list[Line], gutter: float) -> list[tuple[bool, list[Line]]]:
    """Runs of lines from top to bottom that cross the gutter (True) or leave it free (False)."""
    bands: list[tuple[bool, list[Line]]] = []
    crossing = sorted((s for s in lines if s.x0 < gutter - 1 and s.x1 > gutter + 1), key=lambda s: s.bottom)
    free = sorted((s for s in lines if s not in set(crossing)), key=lambda s: s.bottom)
    for segment in crossing:
        above = [s for s in free if (s.top + s.bottom) / 2 < segment.top + 0.2 * (segment.bottom - segment.top)]
        beside = [s for s in free if s not in set(above) and (s.top + s.bottom) / 2 < segment.bottom]
        if above:
            bands.append((False, above))
        if bands and bands[-1][0]:
            bands[-1][1].extend([segment, *beside])
        else:
            bands.append((True, [segment, *beside]))
        taken = {*above, *beside}
        free = [s for s in free if s not in taken]
    if free:
        bands.append((False, free))
    return bands


def _gutter(lines: list[Line]) -> float | None:
    """Centre of the best gutter between two columns of prose, or None."""
    left, right = min(s.x0 for s in lines), max(s.x1 for s in lines)
    width = right - left
    if width < 60:
        return None
    best, best_score = None, 0.0
    for x, gap in _valleys(lines, left, right):
        score = _prose_sides(lines, x, gap)
        if score > best_score:
            best, best_score = x, score
    return best


def _valleys(lines: list[Line], left: float, right: float) -> list[tuple[float, float]]:
    """Candidate gutters (centre, width): runs of x that few lines cover although lines lie on both sides."""
    bins = int(right - left) + 2
    cover = [0] * (bins + 1)
    for s in lines:
        cover[max(0, int(s.x0 - left))] += 1
        cover[min(bins, int(s.x1 - left) + 1)] -= 1
    total, profile = 0, []
    for step in cover:
        total += step
        profile.append(total)
    peak = max(profile)
    found: list[tuple[int, int]] = []
    start: int | None = None
    for i, height in enumerate(profile):
        low = height <= 0.35 * peak
        if low and start is None:
            start = i
        elif not low and start is not None:
            found.append((start, i))
            start = None
    centres = []
    for a, b in found:
        floor = min(profile[a:b])
        run = [i for i in range(a, b) if profile[i] == floor]
        x0, x1 = run[0], run[-1] + 1
        if left + 0.12 * (right - left) < left + (x0 + x1) / 2 < right - 0.12 * (right - left):
            centres.append((left + (x0 + x1) / 2, float(x1 - x0)))
    return centres


def _prose_sides(lines: list[Line], x: float, gap: float) -> float:
    """How well ``x`` parts two columns of prose: 0 when it parts the cells of a table or too little."""
    left = [s for s in lines if s.x1 <= x + 1]
    right = [s for s in lines if s.x0 >= x - 1]
    size = median(s.size for s in lines)
    if min(len(left), len(right)) < 2 or gap < 0.5 * size or not (_is_column(left) and _is_column(right)):
        return 0.0
    top = max(min(s.top for s in left), min(s.top for s in right))
    bottom = min(max(s.bottom for s in left), max(s.bottom for s in right))
    return max(0.0, bottom - top) * min(gap, 3 * size)


def _is_column(side: list[Line]) -> bool:
    """Prose fills its column; the cells of a table do not, and lie beside one another."""
    x0, x1 = min(s.x0 for s in side), max(s.x1 for s in side)
    long = [s for s in side if s.x1 - s.x0 >= 0.55 * (x1 - x0)]
    words = sorted(len(s.words) for s in side)
    letters = sum(len(s.text) for s in side) / len(side)
    return len(long) >= 0.45 * len(side) and (words[len(words) // 2] >= 3 or letters >= 14)
