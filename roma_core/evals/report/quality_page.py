"""The page for those who do not run ROMA: how well it answers over time, what it costs, what is open.

One HTML file that needs nothing else and asks nothing of the network. All figures come from the last runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from roma_core import display
from roma_core.types import Noun

HEADLINES = ("nugget_recall", "R@5", "support", "false_answers")
"""Measures whose trend is drawn, as far as a run has them; its own primary measure comes first."""
WIDTH_PX, HEIGHT_PX, EDGE_PX = 560, 170, 46
MOST_TICKS = 8
LINE, GRID = "#2563eb", "#8884"


class TrendPoint(Noun):
    """A measure of one run with its 95 % interval."""

    run: str
    made_at: datetime
    mean: float
    low: float
    high: float
    items: int
    unscored: int


class Trend(Noun):
    """A measure over the runs on one version of a golden set, the oldest first."""

    dataset: str
    dataset_sha256: str
    measure: str
    direction: str
    points: tuple[TrendPoint, ...]


class CostProjection(Noun):
    """What the models of a month have cost, and its end if the rest of it goes like the part that is over."""

    spent_usd: float
    days_over: float
    days_in_month: int
    unpriced_calls: int = 0

    @property
    def month_usd(self) -> float:
        """The projected cost of the whole month."""
        return self.spent_usd * self.days_in_month / max(self.days_over, 1 / 24)


class RunCost(Noun):
    """What a run has cost; ``cost_usd`` is None where a price is unknown."""

    run: str
    asked: int
    cost_usd: float | None
    seconds: float

    @property
    def per_thousand_usd(self) -> float | None:
        """Cost of a thousand questions."""
        return None if self.cost_usd is None or not self.asked else 1000 * self.cost_usd / self.asked


class Coverage(Noun):
    """How far the newest run's set reaches: its items, what of its evidence the corpus lacks, the documents it asks."""

    dataset: str
    items: int
    missing_evidence: int
    documents: int
    documents_asked: int | None
    """None where the set is not found as it was."""
    kinds: dict[str, int]


class OpenFailure(Noun):
    """Something that went wrong and is not settled: an item of the newest run, a person's complaint, a document."""

    kind: str
    name: str
    what: str


class QualityReport(Noun):
    """Everything that the page shows."""

    made_at: datetime
    workspace: str
    trends: tuple[Trend, ...] = ()
    costs: tuple[RunCost, ...] = ()
    projection: CostProjection | None = None
    coverage: tuple[Coverage, ...] = ()
    failures: tuple[OpenFailure, ...] = ()

    def _repr_html_(self) -> str:
        return display.box(*_render_parts(self))


def render_quality_page(report: QualityReport) -> str:
    """Return the report as one HTML file."""
    made = f"Made on {report.made_at:%d %B %Y, %H:%M} UTC from the runs in {report.workspace}."
    body = display.box(display.paragraph(made), *_render_parts(report))
    return display.page("How well ROMA answers", body)


def _render_parts(report: QualityReport) -> list[str]:
    parts: list[str] = [display.heading("Quality over time, with 95 % intervals")]
    if not report.trends:
        parts.append(display.paragraph("No run yet: `roma eval` makes one."))
    for trend in report.trends:
        better = {"higher": ", higher is better", "lower": ", lower is better"}.get(trend.direction, "")
        parts.append(display.heading(f"{trend.dataset}: {trend.measure}{better}"))
        parts.append(draw_trend(trend))
        rows = [
            (point.run, f"{point.made_at:%Y-%m-%d %H:%M}", point.mean, _describe_interval(point), point.items,
             point.unscored)
            for point in trend.points
        ]  # fmt: skip
        columns = ("Run", "Made", "Mean", "95 % interval", "Items", "Unscored")
        parts.append(display.table(columns, rows))
    return [*parts, *_render_costs(report), *_render_coverage(report), *_render_failures(report)]


def _render_costs(report: QualityReport) -> list[str]:
    parts: list[str] = [display.heading("Cost")]
    projection = report.projection
    if projection is None:
        parts.append(display.paragraph("No call of a model is on the account of this month."))
    else:
        sentence = (
            f"{projection.spent_usd:.2f} USD in {projection.days_over:.1f} days of this month; "
            f"{projection.month_usd:.2f} USD for the month if it goes on like this."
        )
        if projection.unpriced_calls:
            sentence += f" {projection.unpriced_calls} calls have no known price and are not in it."
        parts.append(display.paragraph(sentence))
    rows = [
        (cost.run, cost.asked, cost.cost_usd, cost.per_thousand_usd, f"{cost.seconds:.0f}") for cost in report.costs
    ]
    return [*parts, display.table(("Run", "Asked", "USD", "USD per 1000 questions", "Seconds"), rows)]


def _render_coverage(report: QualityReport) -> list[str]:
    rows = [
        (
            each.dataset,
            each.items,
            ", ".join(f"{n} {kind}" for kind, n in sorted(each.kinds.items())),
            f"{each.items - each.missing_evidence} of {each.items}",
            "–" if each.documents_asked is None else f"{each.documents_asked} of {each.documents}",
        )
        for each in report.coverage
    ]
    columns = ("Set", "Items", "Kinds", "Items with all evidence in the corpus", "Documents that are asked about")
    return [display.heading("Coverage"), display.table(columns, rows)]


def _render_failures(report: QualityReport) -> list[str]:
    title = display.heading(f"Open failures ({len(report.failures)})")
    if not report.failures:
        return [title, display.paragraph("None.")]
    rows = [(failure.kind, failure.name, failure.what) for failure in report.failures]
    return [title, display.table(("Kind", "Name", "What"), rows)]


def _describe_interval(point: TrendPoint) -> str:
    if not (math.isfinite(point.low) and math.isfinite(point.high)):
        return "interval unknown"
    return f"{point.low:.3f} to {point.high:.3f}"


def draw_trend(trend: Trend) -> display.Html:
    """Return a measure over runs as SVG: a point with its interval for each run, at equal distances."""
    points = [point for point in trend.points if math.isfinite(point.mean)]
    ends = [end for point in points for end in (point.low, point.mean, point.high) if math.isfinite(end)]
    low, high = _choose_axis(ends)
    step = (WIDTH_PX - 2 * EDGE_PX) / max(1, len(points) - 1)

    def x(number: int) -> float:
        return EDGE_PX + step * number if len(points) > 1 else WIDTH_PX / 2

    def y(value: float) -> float:
        return EDGE_PX / 2 + (HEIGHT_PX - EDGE_PX) * (high - value) / (high - low)

    parts = [_draw_level(level, y(level)) for level in (low, (low + high) / 2, high)]
    path = " ".join(f"{x(number):.1f},{y(point.mean):.1f}" for number, point in enumerate(points))
    parts.append(f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>')
    every = max(1, math.ceil(len(points) / MOST_TICKS))
    for number, point in enumerate(points):
        parts += _draw_point(point, x(number), y)
        if number % every == 0 or number == len(points) - 1:
            parts.append(_text(x(number), HEIGHT_PX - 6, point.run[:14], "middle"))
    label = escape(f"{trend.measure} over {len(points)} runs")
    return display.Html(
        f'<svg role="img" aria-label="{label}" width="{WIDTH_PX}" height="{HEIGHT_PX}" style="max-width:100%">'
        f"{''.join(parts)}</svg>"
    )


def _choose_axis(ends: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the axis: 0 to 1 for what lies within, else somewhat more than there is."""
    if not ends or (min(ends) >= 0 and max(ends) <= 1):
        return 0.0, 1.0
    margin = 0.05 * (max(ends) - min(ends)) or 0.5
    return min(ends) - margin, max(ends) + margin


def _draw_level(level: float, y: float) -> str:
    line = f'<line x1="{EDGE_PX}" x2="{WIDTH_PX - EDGE_PX}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
    return line + _text(EDGE_PX - 6, y + 4, f"{level:.2f}", "end")


def _draw_point(point: TrendPoint, x: float, y: Callable[[float], float]) -> list[str]:
    parts = []
    if math.isfinite(point.low) and math.isfinite(point.high):
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(point.low):.1f}" y2="{y(point.high):.1f}" stroke="{LINE}"/>'
        )
    interval = f"{point.run}: {point.mean:.3f} ({_describe_interval(point)})"
    mark = (
        f'<circle cx="{x:.1f}" cy="{y(point.mean):.1f}" r="4" fill="{LINE}"><title>{escape(interval)}</title></circle>'
    )
    return [*parts, mark]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="currentColor" '
        f'font-family="system-ui,sans-serif">{escape(text)}</text>'
    )
