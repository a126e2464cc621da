"""Words to rows and lines: baselines, pieces, direction of writing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from roma_core.parsers.pdf.page import SOFT_HYPHEN, Rect, Word

Breaks = Callable[[Word, Word], bool]
"""Return whether two neighbours of one row belong to different pieces."""
SMALL = 0.85
"""Type of at most this share of a line's largest is small: raised and lowered marks are."""
_NOTE_MARK = re.compile(r"[-+−–]?\d{1,4}(?:[,–-]\d{1,3})*[a-z,]?|[a-zA-Z](?:,[a-zA-Z])*,?")
"""Numbers and single letters; other raised text (1st, ™) reads well as it is."""
SPLIT = 1.0
"""A gap of this many ems inside of a line parts it into segments."""
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

    @cached_property
    def order(self) -> int:
        """Place of its first word in the order in which the file draws."""
        return min(w.order for w in self.words)

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
        """Return whether PDFium takes the hyphen at the end for a hyphenation."""
        return self.words[-1].text.endswith(SOFT_HYPHEN)

    @cached_property
    def text(self) -> str:
        return text_of(self.words)


def text_of(words: Sequence[Word]) -> str:
    """Return words joined by blanks; words that touch (a change of style inside a word, CJK) by nothing.

    A raised mark is set apart from what it stands on by ``^``: 1,250 with note 1 reads ``1,250^1`` and not 1,2501.
    """
    parts: list[str] = []
    last: Word | None = None
    raised = _raised_marks(words)
    for word in words:
        text = word.text.replace(SOFT_HYPHEN, "-")
        mark = raised.get(id(word), "")
        if last is not None:
            if mark and _is_near(last, word):
                text = mark + text
            elif not _touching(last, word) or (id(last) in raised and raised[id(last)] and text[0].isdigit()):
                parts.append(" ")
        parts.append(text)
        last = word
    return "".join(parts)


def _raised_marks(words: Sequence[Word]) -> dict[int, str]:
    """Return the sign in front of each word (by ``id``) of smaller type that stands above or below the line."""
    first = words[0].size if words else 0.0
    if all(word.size == first for word in words):
        return {}
    usual = _usual_size(words)
    if all(word.size > SMALL * usual for word in words):
        return {}
    base = median(word.bottom for word in words if word.size > SMALL * usual)
    signs: dict[int, str] = {}
    above_digit = False
    for word in words:
        is_small = word.size <= SMALL * usual
        raised = is_small and word.bottom < base - 0.15 * usual
        lowered = is_small and not raised and word.bottom > base + 0.02 * usual
        if raised and _NOTE_MARK.fullmatch(word.text) and (word.glued or not word.text.isalpha()):
            signs[id(word)] = "^"
        elif lowered and above_digit and word.text[0].isdigit():
            signs[id(word)] = "_"
        above_digit = word.text[-1].isdigit()
    return signs


def _usual_size(words: Sequence[Word]) -> float:
    """Return the largest size that at least a third of the characters have."""
    sizes: dict[float, int] = {}
    for word in words:
        sizes[word.size] = sizes.get(word.size, 0) + len(word.text)
    total = sum(sizes.values())
    return max((size for size, count in sizes.items() if 3 * count >= total), default=max(sizes, default=0.0))


def _is_near(one: Word, two: Word) -> bool:
    gap = max(two.x0 - one.x1, one.x0 - two.x1)
    return gap < 0.35 * max(one.size, two.size)


def _touching(one: Word, two: Word) -> bool:
    """Return whether no blank belongs between: the file has none, and the gap is small."""
    gap = max(two.x0 - one.x1, one.x0 - two.x1)
    size = min(one.size, two.size) or 1.0
    if is_rtl(one.text) != is_rtl(two.text) and one.text[-1].isalnum() and two.text[0].isalnum():
        return False
    if is_wide(one.text[-1]) and is_wide(two.text[0]):
        return gap < 0.2 * size
    return two.glued and gap < 0.12 * size


def is_wide(char: str) -> bool:
    """Tell if a character is of a script without blanks between words: Han or kana, not Hangul."""
    return unicodedata.east_asian_width(char) in "WF" and not "\uac00" <= char <= "\ud7af"


def is_rtl(text: str) -> bool:
    """Return whether most letters are written from right to left."""
    if text.isascii():
        return False
    strong = [unicodedata.bidirectional(c) for c in text if c.isalpha()]
    return 2 * sum(kind in {"R", "AL"} for kind in strong) > len(strong) > 0


def rows_of(words: Iterable[Word]) -> list[list[Word]]:
    """Return the words grouped by baseline from top to bottom, each row from left to right.

    Raised and lowered marks join the row that they overlap most.
    """
    rows: list[list[Word]] = []
    spans: list[tuple[float, float]] = []
    reaches: list[tuple[float, float, float]] = []
    """Left, right and type size of each row."""
    near: dict[int, list[int]] = {}
    """Rows by the strips of ``_STRIP`` points that they cross, so that a word is compared with few."""
    for word in sorted(words, key=lambda w: (-w.size, w.top, w.x0)):
        middle = (word.top + word.bottom) / 2
        best, best_gain = -1, 0.5
        for index in near.get(int(middle // _STRIP), ()):
            top, bottom = spans[index]
            overlap = min(bottom, word.bottom) - max(top, word.top)
            gain = overlap / max(min(word.bottom - word.top, bottom - top), 0.1)
            if gain > best_gain and top <= middle <= bottom and not _is_far_smaller(word, reaches[index]):
                best, best_gain = index, gain
        if best >= 0:
            rows[best].append(word)
            left, right, size = reaches[best]
            reaches[best] = min(left, word.x0), max(right, word.x1), size
            continue
        for strip in range(int(word.top // _STRIP), int(word.bottom // _STRIP) + 1):
            near.setdefault(strip, []).append(len(rows))
        rows.append([word])
        spans.append((word.top, word.bottom))
        reaches.append((word.x0, word.x1, word.size))
    order = sorted(range(len(rows)), key=lambda i: spans[i][1])
    return [sorted(rows[i], key=lambda w: w.x0) for i in order]


def _is_far_smaller(word: Word, row: tuple[float, float, float]) -> bool:
    """Return whether a word of less than half the row's type stands away from it: small print beside a title."""
    left, right, size = row
    return word.size < 0.5 * size and (word.x0 > right + 2 * size or word.x1 < left - 2 * size)


def segments_of(row: Sequence[Word], split: float = SPLIT, breaks: Breaks | None = None) -> list[Line]:
    """Return the pieces of a row (sorted by x) that gaps of ``split`` ems separate, or where ``breaks`` says so."""
    pieces: list[list[Word]] = []
    right = 0.0
    for word in row:
        joined = bool(pieces) and word.x0 - right <= split * max(word.size, 1.0)
        if joined and not (breaks is not None and breaks(pieces[-1][-1], word)):
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
