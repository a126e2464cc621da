"""Citation markers in an answer: where they are, which passages they name, which words they stand behind. Pure.

Accepted are ``[1]``, ``[1, 2]``, ``[1][3]``, ``[1-3]`` and the same in the brackets 【】. Not taken for markers: links
(``[1](...)``), link definitions (``[1]: ...``), escaped brackets (``\\[1]``) and whatever stands in code.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import BlockKind

_MARKER = re.compile(
    r"(?<!\\)[\[【]\s*\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\s*[\]】](?!\(|\]|:[ \t]*\S*[:/])",
)
_CODE = re.compile(r"(?P<fence>`{3,}|~{3,}).*?(?:(?P=fence)|\Z)|(?P<tick>`+)[^`\n]+(?P=tick)", re.DOTALL)
_CONTEXT = 12
"""Characters before a number in brackets that must agree with the source's for it to be the source's own."""
_LEADING = re.compile(r"(?:\[\d{1,3}\][ \t,;]*)+")
_PART = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")


@dataclass(frozen=True)
class Marker:
    """``text[start:end]`` is one group in brackets that names passages by ``numbers`` (1-based, as written)."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """``text[start:end]`` is what the markers with ``numbers`` are to support; no numbers: nothing is cited for it."""

    start: int
    end: int
    kind: BlockKind = "paragraph"
    numbers: tuple[int, ...] = ()


def markers(text: str, passages: int) -> Iterator[Marker]:
    """The groups of markers of ``text`` in order. Ranges are cut at ``passages``, other numbers stay as written."""
    code = [m.span() for m in _CODE.finditer(text)]
    for match in _MARKER.finditer(text):
        if not any(start <= match.start() < end for start, end in code):
            yield Marker(*match.span(), tuple(dict.fromkeys(_numbers(match[0], passages))))


def _numbers(group: str, passages: int) -> Iterator[int]:
    for first, last in _PART.findall(group):
        low, high = int(first), int(last or first)
        yield low
        yield from range(low + 1, min(high, passages) + 1)


def rewrite(text: str, passages: int, keep: Callable[[int], bool]) -> tuple[str, int]:
    """The text with each kept number as a marker of its own (``[1][3]``), and how many numbers were dropped.

    A group that loses all its numbers goes with the blanks before it. What is left may close up to a new marker, so
    this goes on until nothing more is dropped: every marker of the result names a number that is kept.
    """
    total = 0
    while True:
        text, dropped = _rewritten(text, passages, keep)
        total += dropped
        if not dropped:
            return text, total


def _rewritten(text: str, passages: int, keep: Callable[[int], bool]) -> tuple[str, int]:
    parts: list[str] = []
    last = dropped = 0
    for marker in markers(text, passages):
        kept = [n for n in marker.numbers if 1 <= n <= passages and keep(n)]
        dropped += len(marker.numbers) - len(kept)
        before = text[last : marker.start]
        parts.append(before if kept else before.rstrip(" \t"))
        parts.extend(f"[{n}]" for n in kept)
        last = marker.end
    parts.append(text[last:])
    return "".join(parts), dropped


def escape_quoted(text: str, sources: Sequence[str]) -> str:
    """The text with ``\\[7]`` for each ``[7]`` that a source has behind the same words: a reference of its own.

    Papers and encyclopedias are full of them, and a word-for-word quotation must not seem to cite another passage.
    """
    parts: list[str] = []
    last = 0
    for marker in markers(text, passages=0):
        context = text[max(0, marker.start - _CONTEXT) : marker.end]
        if marker.start >= _CONTEXT and any(context in source for source in sources):
            parts += (text[last : marker.start], "\\")
            last = marker.start
    return "".join((*parts, text[last:]))


def claims(text: str, passages: int) -> list[Claim]:
    """What each group of markers supports, and the sentences that no marker supports, in order.

    A group supports the words from the group before it (or the sentence's start) to itself; the last group of a
    sentence supports the rest of the sentence too. A group behind a full stop belongs to the sentence before. The text
    has its markers in the form that ``rewrite`` gives them.
    """
    found = list(markers(text, passages))
    units = split_sentences(text)
    groups: list[list[Marker]] = [[] for _ in units]
    starts = [unit.start for unit in units]
    for marker in found:
        if before := bisect_left(starts, marker.start):
            groups[before - 1].append(marker)
    return [claim for unit, held in zip(units, groups, strict=True) for claim in _claims(text, unit, held)]


def masked(text: str, found: Sequence[Marker]) -> str:
    """The text with blanks for markers: what the claims say, at the same offsets."""
    chars = list(text)
    for marker in found:
        chars[marker.start : marker.end] = " " * (marker.end - marker.start)
    return "".join(chars)


def _claims(text: str, unit: Sentence, held: list[Marker]) -> Iterator[Claim]:
    """Cut one sentence at its groups of markers; neighbouring groups are one."""
    leading = _LEADING.match(text, unit.start, unit.end)
    start, end, kind = leading.end() if leading else unit.start, unit.end, unit.kind
    if not held:
        if start < end:
            yield Claim(start, end, kind)
        return
    runs: list[list[Marker]] = []
    for marker in held:
        if runs and not text[runs[-1][-1].end : marker.start].strip(" ,;"):
            runs[-1].append(marker)
        else:
            runs.append([marker])
    begin = start
    for i, run in enumerate(runs):
        rest = i == len(runs) - 1 and any(c.isalnum() for c in text[run[-1].end : end])
        stop = end if rest else min(run[0].start, end)
        left, right = _trim(text, begin, stop)
        numbers = tuple(dict.fromkeys(n for m in run for n in m.numbers))
        if left < right:
            yield Claim(left, right, kind, numbers)
        begin = run[-1].end


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip(" \t\n,;"))
    return start + left, start + left + len(piece.strip(" \t\n,;"))
