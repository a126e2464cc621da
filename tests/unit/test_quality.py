"""The page for stakeholders shows the last runs, what they cost and what is open."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.evals.report.quality_page import CostProjection, QualityReport, Trend, TrendPoint, render_quality_page
from roma_core.quality import report_quality
from roma_core.settings import Settings
from tests.unit.exports.conftest import fill

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
async def quality(tmp_path: Path) -> QualityReport:
    settings = await fill(tmp_path)
    (tmp_path / "notes" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    async with build_roma(settings) as roma:
        await roma.ingest(tmp_path / "notes")
        await roma.query("Who painted the lighthouse?")
        return await report_quality(roma)


async def test_the_report_of_a_workspace(quality: QualityReport) -> None:
    trends = {trend.measure: trend for trend in quality.trends}
    assert [point.run for point in trends["nugget_recall"].points] == ["base"]
    assert trends["nugget_recall"].points[0].mean == 1.0
    (coverage,) = quality.coverage
    assert (coverage.items, coverage.missing_evidence) == (3, 0)
    assert (coverage.documents_asked, coverage.documents) == (2, 2)
    assert [cost.asked for cost in quality.costs] == [3]
    kinds = [failure.kind for failure in quality.failures]
    assert "rated down" in kinds
    assert "not answered" in kinds
    assert "document" in kinds


async def test_an_empty_workspace_has_a_page_too(workspace: Path) -> None:
    async with build_roma(Settings(workspace=workspace, embedder="fake")) as roma:
        page = render_quality_page(await report_quality(roma))
    assert "No run yet" in page


def test_words_from_outside_are_escaped_and_nothing_is_fetched() -> None:
    point = TrendPoint(run="<script>", made_at=NOON, mean=0.5, low=0.4, high=0.6, items=9, unscored=1)
    trend = Trend(dataset="<b>set", dataset_sha256="x", measure="m<", direction="higher", points=(point, point))
    page = render_quality_page(QualityReport(made_at=NOON, workspace=".roma", trends=(trend,)))
    assert "<script>" not in page
    assert "<b>set" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_points_without_a_number_leave_the_plot_whole() -> None:
    nan = float("nan")
    points = (
        TrendPoint(run="a", made_at=NOON, mean=nan, low=nan, high=nan, items=0, unscored=9),
        TrendPoint(run="b", made_at=NOON, mean=12.5, low=nan, high=nan, items=1, unscored=0),
    )
    trend = Trend(dataset="set", dataset_sha256="x", measure="words", direction="neither", points=points)
    page = render_quality_page(QualityReport(made_at=NOON, workspace=".roma", trends=(trend,)))
    assert page.count("<circle") == 1
    assert "nan" not in page.replace("cy=", "").lower().split("<table")[0]


def test_a_month_is_projected_by_what_is_over_of_it() -> None:
    assert CostProjection(spent_usd=3.0, days_over=10, days_in_month=30).month_usd == pytest.approx(9.0)
