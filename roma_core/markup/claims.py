"""Claims: which words of an answer each group of markers is to support. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from roma_core.markup.markers import Marker, mask_markers, read_markers
from roma_core.markup.sentences import Sentence, split_sentences
from roma_core.types import BlockKind, Span

_STATING: frozenset[BlockKind] = frozenset({"paragraph", "list", "quote", "table", "caption", "footnote"})
_LEADING = re.compile(r"(?:\[\d{1,3}\][ \t,;:]*)+")
_TRAILING = re.compile(r"\[\d{1,3}\]\Z")
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Claim:
    """``text[start:end]`` is what the markers with ``numbers`` are to support; no numbers: nothing is cited for it."""

    start: int
    end: int
    kind: BlockKind = "paragraph"
    numbers: tuple[int, ...] = ()

    @property
    def states(self) -> bool:
        """Return whether words of this kind can state something: headings, code and figures do not."""
        return self.kind in _STATING


def split_claims(text: str, passages: int) -> list[Claim]:
    """Return what each group of markers supports, and the sentences that no marker supports, in order.

    A group supports the words from the group before it (or the sentence's start) to itself; the last group of a
    sentence supports the rest of the sentence too. A group behind a full stop belongs to the sentence before it in the
    same block; one that begins a block belongs to the block's first sentence. The text has its markers in the form
    that ``rewrite_markers`` gives them.

    >>> [(claim.start, claim.end, claim.numbers) for claim in split_claims("A is B [1]. C is D.", passages=1)]
    [(0, 6, (1,)), (12, 19, ())]
    """
    units = split_sentences(text)
    groups: list[list[Marker]] = [[] for _ in units]
    blocks = _blocks_of(text, units)
    for marker in read_markers(text, passages):
        index = _unit_of(text, units, blocks, marker)
        if index is not None:
            groups[index].append(marker)
    return [claim for unit, group in zip(units, groups, strict=True) for claim in _claims_of(text, unit, group)]


def read_statements(text: str, passages: int = 999, frame: Sequence[Span] = ()) -> list[Claim]:
    """Return the sentences of an answer that state something: no headings or figures, and a word beside the markers.

    ``frame`` are the places of the lines that ROMA wrote around its quotes (``TailorOutput.frame``), which state
    nothing.
    """
    masked = mask_markers(text, read_markers(text, passages))
    units = (unit for unit in split_sentences(text) if unit.kind not in {"heading", "figure"})
    claims = [Claim(unit.start, unit.end, unit.kind) for unit in units if _WORD.search(masked, unit.start, unit.end)]
    return [claim for claim in claims if not is_framed(claim, frame)]


def is_framed(claim: Claim, frame: Sequence[Span]) -> bool:
    """Return whether a claim lies within the frame as a whole."""
    return any(span.start <= claim.start and claim.end <= span.end for span in frame)


def _blocks_of(text: str, units: Sequence[Sentence]) -> list[tuple[int, bool]]:
    """Return for each sentence the first one of its block, and whether markers lead there (``[1] So.``)."""
    firsts: list[int] = []
    for index, unit in enumerate(units):
        goes_on = index > 0 and "\n" not in text[units[index - 1].end : unit.start]
        firsts.append(firsts[-1] if goes_on else index)
    lasts = dict(zip(firsts, range(len(units)), strict=True))
    leads = {
        first: bool(_LEADING.match(text, units[first].start)) and not _ends_in_marker(text, units, first, last)
        for first, last in lasts.items()
    }
    return [(first, leads[first]) for first in firsts]


def _ends_in_marker(text: str, units: Sequence[Sentence], first: int, last: int) -> bool:
    end = text.find("\n", units[last].end)
    tail = text[units[first].start : end if end >= 0 else len(text)].rstrip(" \t.!?")
    return bool(_TRAILING.search(tail))


def _unit_of(text: str, units: Sequence[Sentence], blocks: Sequence[tuple[int, bool]], marker: Marker) -> int | None:
    """Return the index of the sentence that a marker belongs to."""
    index = bisect_right(units, marker.start, key=lambda unit: unit.start) - 1
    if index < 0:
        return 0 if units and not text[marker.end : units[0].start].strip(" \t>*-") else None
    first, leads = blocks[index]
    belongs_here = units[index].start < marker.start or index == first or leads
    return index if belongs_here else index - 1


def _claims_of(text: str, unit: Sentence, markers: list[Marker]) -> Iterator[Claim]:
    """Cut one sentence at its groups of markers; neighbouring groups are one."""
    leading = _LEADING.match(text, unit.start, unit.end)
    start, end, kind = leading.end() if leading else unit.start, unit.end, unit.kind
    first = [marker for marker in markers if marker.start < start]
    markers = [marker for marker in markers if marker.start >= start]
    if not markers:
        if start < end:
            yield Claim(start, end, kind, _numbers_of(first))
        return
    runs: list[list[Marker]] = []
    for marker in markers:
        if runs and not text[runs[-1][-1].end : marker.start].strip(" ,;"):
            runs[-1].append(marker)
        else:
            runs.append([marker])
    begin = start
    for i, run in enumerate(runs):
        has_rest = i == len(runs) - 1 and any(c.isalnum() for c in text[run[-1].end : end])
        stop = end if has_rest else min(run[0].start, end)
        left, right = _trim(text, begin, stop)
        if left < right:
            yield Claim(left, right, kind, _numbers_of(run))
        begin = run[-1].end


def _numbers_of(markers: Sequence[Marker]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for marker in markers for number in marker.numbers))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip(" \t\n,;"))
    return start + left, start + left + len(piece.strip(" \t\n,;"))
