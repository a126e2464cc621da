"""Segments of an answer: text, markers, code, links, each with exact offsets and the block it stands in. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from roma_core.markup.markers import read_markers
from roma_core.markup.parse import InlineBlock, parse_blocks
from roma_core.types import BlockKind

SegmentKind = Literal["text", "marker", "code", "link", "image"]


@dataclass(frozen=True)
class Segment:
    """``answer[start:end]`` is one piece; ``block`` is what it stands in (paragraph, list, table, heading, ...)."""

    kind: SegmentKind
    start: int
    end: int
    block: BlockKind
    numbers: tuple[int, ...] = ()
    """Passages that a marker names."""
    target: str = ""
    """Address that a link leads to."""


def read_segments(answer: str, passages: int = 999) -> list[Segment]:
    """Return the segments of an answer in order. Marks of lists, tables and quotes lie between them.

    >>> [(s.kind, "Set `x[1]` first [2]."[s.start : s.end]) for s in read_segments("Set `x[1]` first [2].")]
    [('text', 'Set '), ('code', '`x[1]`'), ('text', ' first '), ('marker', '[2]'), ('text', '.')]
    """
    markers = [Segment("marker", m.start, m.end, "paragraph", m.numbers) for m in read_markers(answer, passages)]
    return [segment for block in parse_blocks(answer) for segment in _segments_of(answer, block, markers)]


def _segments_of(answer: str, block: InlineBlock, markers: list[Segment]) -> Iterator[Segment]:
    pieces = [
        Segment(span.kind, span.start, span.end, block.kind, target=span.target)
        for span in block.spans
        if span.kind != "escape"
    ]
    inside = [m for m in markers if block.start <= m.start and m.end <= block.end]
    pieces += [Segment("marker", m.start, m.end, block.kind, m.numbers) for m in inside]
    position = block.start
    for piece in sorted(pieces, key=lambda p: (p.start, -p.end)):
        if piece.start < position:
            continue  # a link's own label
        yield from _lines_between(answer, block, position, piece.start)
        yield piece
        position = piece.end
    yield from _lines_between(answer, block, position, block.end)


def _lines_between(answer: str, block: InlineBlock, start: int, end: int) -> Iterator[Segment]:
    """Yield the text of a block between two offsets, cut where marks of the block (``>``, indents) lie between."""
    offsets = [offset for offset in block.offsets[:-1] if start <= offset < end]
    run_start: int | None = None
    previous = -2
    for offset in offsets:
        if offset != previous + 1:
            if run_start is not None:
                yield Segment("text", run_start, previous + 1, block.kind)
            run_start = offset
        previous = offset
    if run_start is not None:
        yield Segment("text", run_start, previous + 1, block.kind)
