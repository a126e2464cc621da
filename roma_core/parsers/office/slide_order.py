"""Reading order of the shapes of a slide: by where they stand, not by when the author drew them.

Recursive cuts (XY-cut: Nagy and Seth 1984): a white band through all shapes parts them, across or down. Shapes that no
band parts, because they overlap, follow by their top and left edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import Any, NamedTuple

from roma_core.parsers.office.drawingml import A

MAX_CUT = 150
"""Shapes of one slide that are cut apart; more are a drawing, read from top to bottom."""


COLUMN_GAP = 1.5
"""Width of a band between columns, in those of the bands between rows, from which on columns are read one by one."""


class Rectangle(NamedTuple):
    """A place on a slide, in EMU."""

    left: int
    top: int
    right: int
    bottom: int


def rectangle_of(element: Any) -> Rectangle | None:
    """Return the place that a shape names itself; None when it takes that of its layout."""
    frame = next((child for child in element.iter() if str(child.tag).endswith("}xfrm")), None)
    offset = frame.find(f"{A}off") if frame is not None else None
    size = frame.find(f"{A}ext") if frame is not None else None
    if offset is None or size is None:
        return None
    try:
        left, top = int(offset.get("x") or 0), int(offset.get("y") or 0)
        width, height = int(size.get("cx") or 0), int(size.get("cy") or 0)
    except ValueError:
        return None
    return Rectangle(left, top, left + width, top + height)


def reading_order(boxes: Sequence[Rectangle | None]) -> list[int]:
    """Return the indices of shapes in the order in which they are read.

    Shapes without a place follow the one that was drawn before them.

    >>> reading_order([Rectangle(0, 50, 10, 60), Rectangle(0, 0, 10, 10)])
    [1, 0]
    """
    placed = [i for i, box in enumerate(boxes) if box is not None]
    known = {i: box for i, box in enumerate(boxes) if box is not None}
    followers: dict[int, list[int]] = {}
    first: list[int] = []
    for i, box in enumerate(boxes):
        if box is None:
            before = [j for j in placed if j < i]
            (followers.setdefault(before[-1], []) if before else first).append(i)
    order = list(first)
    for i in _cut(placed, known):
        order += [i, *followers.get(i, ())]
    return order


def _cut(indices: list[int], boxes: dict[int, Rectangle]) -> list[int]:
    """Return the indices in reading order, by white bands across or down."""
    if len(indices) < 2:
        return indices
    parts = _split(indices, boxes) if len(indices) <= MAX_CUT else None
    if parts is None:
        return sorted(indices, key=lambda i: (boxes[i].top, boxes[i].left))
    return [*_cut(parts[0], boxes), *_cut(parts[1], boxes)]


def _split(indices: list[int], boxes: dict[int, Rectangle]) -> tuple[list[int], list[int]] | None:
    """Return the parts before and after the best band; None when no band parts the shapes.

    A band down is taken when it is much wider than those across usually are: a grid is read row by row. Of those
    across, the one is best that frees the most shapes in columns from what spans them.
    """
    across = _gaps([(boxes[i].top, boxes[i].bottom) for i in indices])
    down = _gaps([(boxes[i].left, boxes[i].right) for i in indices])
    if down and (not across or max(down)[0] > COLUMN_GAP * median_low(across)[0]):
        end = max(down)[1]
        return _part_at_gap(indices, [i for i in indices if boxes[i].right <= end])
    best: tuple[tuple[int, int], tuple[list[int], list[int]]] | None = None
    for width, end in across:
        parts = _part_at_gap(indices, [i for i in indices if boxes[i].bottom <= end])
        if parts is not None:
            freed = sum(len(part) for part in parts if _gaps([(boxes[i].left, boxes[i].right) for i in part]))
            best = max(best, ((freed, width), parts)) if best is not None else ((freed, width), parts)
    return None if best is None else best[1]


def _part_at_gap(indices: list[int], before: list[int]) -> tuple[list[int], list[int]] | None:
    taken = set(before)
    after = [i for i in indices if i not in taken]
    return (before, after) if before and after else None


def _gaps(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return width and begin of the bands that no span touches; one of no width parts spans that touch."""
    found: list[tuple[int, int]] = []
    ordered = sorted(spans)
    end = ordered[0][1]
    for start, stop in ordered[1:]:
        if start >= end:
            found.append((start - end, end))
        end = max(end, stop)
    return found
