"""Filters of a dashboard and its pages of rows."""

from __future__ import annotations

from typing import Any

import panel as pn
import pytest

from roma_core.ui.dashboards import frame


class Location:
    """The address of a page, in a script."""

    def __init__(self, search: str) -> None:
        self.search = search


@pytest.fixture
def make_filters(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(search: str) -> tuple[frame.Filters, dict[str, Any], Location, list[str]]:
        location = Location(search)
        monkeypatch.setattr(type(pn.state), "location", location)
        widgets = {"kind": frame.make_select("Kind"), "words": frame.make_words("Words", "")}
        calls: list[str] = []

        async def refresh() -> None:
            calls.append(location.search)

        return frame.Filters(widgets, refresh), widgets, location, calls

    return make


def test_a_filter_has_the_value_of_the_address_where_it_is_offered(make_filters: Any) -> None:
    filters, _, _, _ = make_filters("?kind=b&words=two%20words&other=x")
    assert filters["words"] == "two words"
    filters.offer("kind", ["a", "b"], "a")
    assert filters["kind"] == "b"
    filters, _, _, _ = make_filters("?kind=gone")
    filters.offer("kind", {"A": "a", "B": "b"}, "b")
    assert filters["kind"] == "b"


def test_offering_again_keeps_what_was_chosen(make_filters: Any) -> None:
    filters, widgets, _, _ = make_filters("")
    filters.offer("kind", ["a", "b"], "a")
    widgets["kind"].value = "b"
    filters.offer("kind", ["a", "b", "c"], "a")
    assert filters["kind"] == "b"
    filters.offer("kind", ["a"], "a")
    assert filters["kind"] == "a"


@pytest.mark.parametrize(
    ("size", "total", "pages"), [(25, 0, 1), (25, 25, 1), (25, 26, 2), (10, 10_000, 1000)], ids=str
)
def test_a_list_is_drawn_a_page_at_a_time(size: int, total: int, pages: int) -> None:
    starts: list[int] = []

    def draw(start: int) -> Any:
        starts.append(start)
        return frame.make_pane(f"<p>{start}</p>")

    pager = frame.Pager(draw, size)
    pager.show(total)
    assert starts == [0]
    assert len(pager.view) == (2 if pages > 1 else 1)
    if pages > 1:
        assert pager.view[1].count == pages
        pager.view[1].value = 1
        assert starts == [0, size]
        assert str(size) in pager.view[0].object
