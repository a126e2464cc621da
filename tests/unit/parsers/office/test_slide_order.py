"""Shapes of a slide in the order in which people read them."""

from __future__ import annotations

import pytest

from roma_core.parsers.office.slide_order import Rectangle, reading_order


def box(left: int, top: int, width: int = 30, height: int = 5) -> Rectangle:
    return Rectangle(left, top, left + width, top + height)


@pytest.mark.parametrize(
    ("boxes", "order"),
    [
        ([box(0, 40), box(0, 20), box(0, 0)], [2, 1, 0]),
        ([box(50, 30), box(50, 20), box(0, 31), box(0, 21), box(0, 0, 90)], [4, 3, 2, 1, 0]),
        ([box(40, 40), box(0, 40), box(40, 20), box(0, 20)], [3, 2, 1, 0]),
        ([box(0, 0, 90, 90), box(10, 10), box(5, 5)], [0, 2, 1]),
        ([None, box(0, 20), None, box(0, 0)], [0, 3, 1, 2]),
        ([box(0, 5, 0, 0), box(0, 5, 0, 0)], [0, 1]),
        ([], []),
    ],
    ids=["top to bottom", "columns below a title", "grid by rows", "overlaps", "without a place", "points", "none"],
)
def test_shapes_are_read_by_where_they_stand(boxes: list[Rectangle | None], order: list[int]) -> None:
    assert reading_order(boxes) == order


def test_a_drawing_of_many_shapes_is_read_in_time() -> None:
    boxes: list[Rectangle | None] = [box(7 * n % 900, 13 * n % 900, 5, 5) for n in range(3000)]
    assert sorted(reading_order(boxes)) == list(range(3000))
