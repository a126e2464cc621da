"""Plots of the dashboards hold the numbers that they are given, also where there are none."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from bokeh.models import ColumnDataSource, GlyphRenderer

from roma_core.evals import compare
from roma_core.evals.report.record import RunFacts
from roma_core.evals.runs import RunCard, RunSummary, make_summary
from roma_core.theme import CHART_COLOURS, colour
from roma_core.ui.dashboards import plots
from tests.fakes.evals import make_run


def make_summaries(*means: float) -> list[RunSummary]:
    found = []
    for number, mean in enumerate(means):
        report = make_run([mean, mean], fingerprint=str(number))
        card = RunCard(
            run_id=report.run_id, name=f"run-{number}", created_at=datetime(2026, 11, 1 + number, tzinfo=UTC)
        )
        found.append(make_summary(card, report, RunFacts()))
    return found


def data_of(pane: Any) -> list[dict[str, Any]]:
    renderers = pane.object.select(GlyphRenderer)
    return [dict(each.data_source.data) for each in renderers if isinstance(each.data_source, ColumnDataSource)]


def test_a_trend_has_a_point_for_each_run_that_took_the_measure() -> None:
    pane = plots.draw_trend(make_summaries(0.2, 0.4, math.nan), "nugget_recall")
    (data, *_) = data_of(pane)
    assert data["mean"] == [0.2, 0.4]
    assert data["run"] == ["run-0", "run-1"]


def test_bars_beyond_the_room_are_added_up() -> None:
    pane = plots.draw_bars({f"kind {number:02}": number + 1 for number in range(30)})
    (data,) = data_of(pane)
    assert len(data["name"]) == plots.MOST_BARS + 1
    assert sum(data["value"]) == sum(range(1, 31))
    assert data["name"][-1] == "18 others"


def test_names_that_are_equal_when_cut_stay_apart() -> None:
    pane = plots.draw_bars({"x" * 60 + "a": 1, "x" * 60 + "b": 2})
    (data,) = data_of(pane)
    assert len(set(data["name"])) == 2


@pytest.mark.parametrize("counts", [{}, {"one": 0}], ids=["none", "zero"])
def test_no_number_is_a_plot_too(counts: dict[str, int]) -> None:
    assert plots.draw_bars(counts).object is not None
    assert plots.draw_days({date(2026, 11, 28): {}}).object is not None
    assert plots.draw_trend([], "nugget_recall").object is not None
    assert plots.draw_run_figures([], {"median": []}, "s").object is not None


def test_a_forest_has_a_row_for_each_measure_with_a_better_side() -> None:
    comparison = compare(make_run([0.0, 0.2, 0.4, 0.1]), make_run([1.0, 0.9, 0.8, 1.0], fingerprint="g"))
    (data, *_) = data_of(plots.draw_forest(comparison))
    assert data["name"] == ["nugget_recall"]
    assert data["mean"][0] > 0


def relative_luminance(tone: str) -> float:
    parts = [int(tone[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", sorted(CHART_COLOURS))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_stand_out_from_both_grounds(name: str, scheme: Any) -> None:
    one, other = relative_luminance(CHART_COLOURS[name]), relative_luminance(colour("surface", scheme))
    assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= 3
