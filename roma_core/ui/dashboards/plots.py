"""Bokeh plots of the dashboards. The page colours their text and grounds, in the light and in the dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import panel as pn
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
    Span,
    Whisker,
)
from bokeh.plotting import figure

from roma_core.evals.report.comparison import Comparison
from roma_core.evals.runs import RunSummary
from roma_core.insights.usage import OUTCOMES
from roma_core.theme import CHART_COLOURS

HEIGHT_PX: Final = 240
ROW_PX: Final = 26
MOST_BARS: Final = 12
MOST_LABELS: Final = 10
LABEL_CHARS: Final = 28
LEAST_DAYS: Final = 14
"""Days that an axis of days has at least, so that a single day is no wall."""
COUNTS: Final = "0,0"
"""Form of numbers that are counts."""
DAY_MS: Final = 86_400_000
OUTCOME_COLOURS: Final[Mapping[str, str]] = {
    "answered": "accent",
    "partly": "second",
    "not answered": "warning",
    "failed": "bad",
    "stopped": "muted",
    "interrupted": "muted",
    "running": "muted",
}
VERSION_COLOURS: Final = ("accent", "second", "warning", "muted")
"""Of runs on different versions of a set, which are not joined by a line."""


def draw_trend(runs: Sequence[RunSummary], measure: str, chosen: Sequence[str] = ()) -> Any:
    """Return a measure's mean with its 95 % interval for each run, in their order; ``chosen`` runs are larger."""
    points = []
    for number, run in enumerate(runs):
        summary = run.find(measure)
        if summary is not None and not math.isnan(summary.interval.mean):
            points.append((number, run, summary))
    plot = make_figure(x_range=Range1d(-0.6, max(len(runs), 2) - 0.4))
    if any(info.name == measure and info.scale == (0.0, 1.0) for run in runs for info in run.measures):
        plot.y_range = Range1d(-0.03, 1.06)
    versions = list(dict.fromkeys(run.dataset_sha256 for _, run, _ in points))
    renderers = []
    for place, version in enumerate(versions):
        tone = CHART_COLOURS[VERSION_COLOURS[place % len(VERSION_COLOURS)]]
        held = [(number, run, summary) for number, run, summary in points if run.dataset_sha256 == version]
        source = ColumnDataSource(
            {
                "x": [number for number, _, _ in held],
                "mean": [summary.interval.mean for _, _, summary in held],
                "low": [_or_mean(summary.interval.low, summary.interval.mean) for _, _, summary in held],
                "high": [_or_mean(summary.interval.high, summary.interval.mean) for _, _, summary in held],
                "run": [run.card.name for _, run, _ in held],
                "made": [f"{run.card.created_at:%Y-%m-%d %H:%M}" for _, run, _ in held],
                "cases": [summary.interval.n for _, _, summary in held],
                "size": [13 if run.card.run_id in chosen else 8 for _, run, _ in held],
            }
        )
        whisker = Whisker(base="x", upper="high", lower="low", source=source, line_color=tone, line_width=1.5)
        for head in (whisker.upper_head, whisker.lower_head):
            head.line_color = tone
            head.size = 6
        plot.add_layout(whisker)
        plot.line("x", "mean", source=source, color=tone, line_alpha=0.5)
        renderers.append(plot.scatter("x", "mean", source=source, color=tone, size="size"))
    plot.add_tools(
        HoverTool(
            renderers=renderers,
            tooltips=[
                ("run", "@run"),
                ("made", "@made"),
                ("mean", "@mean{0.000}"),
                ("95 %", "@low{0.000} to @high{0.000}"),
                ("cases", "@cases"),
            ],
        )
    )
    _label_runs(plot, runs)
    return make_pane(plot)


def draw_run_figures(runs: Sequence[RunSummary], names: Mapping[str, Sequence[float | None]], unit: str) -> Any:
    """Return one line for each name over the runs; None leaves a gap."""
    plot = make_figure(x_range=Range1d(-0.6, max(len(runs), 2) - 0.4))
    tones = [CHART_COLOURS[name] for name in ("accent", "warning", "second")]
    renderers = []
    for (name, values), tone in zip(names.items(), tones, strict=False):
        plain = [math.nan if value is None else value for value in values]
        source = ColumnDataSource(
            {
                "x": list(range(len(runs))),
                "y": plain,
                "run": [run.card.name for run in runs],
                "name": [name] * len(runs),
            }
        )
        plot.line("x", "y", source=source, color=tone, legend_label=name)
        renderers.append(plot.scatter("x", "y", source=source, color=tone, size=6))
    plot.add_tools(HoverTool(renderers=renderers, tooltips=[("run", "@run"), ("@name", f"@y{{0.0000}} {unit}")]))
    plot.y_range.start = 0
    if len(names) > 1:
        _place_legend(plot)
    else:
        plot.legend.visible = False
    _label_runs(plot, runs)
    return make_pane(plot)


def draw_bars(counts: Mapping[str, float], *, tones: Mapping[str, str] | None = None, form: str = COUNTS) -> Any:
    """Return numbers as bars in their order; those that do not fit are added up as "others"."""
    pairs = [(cut_label(name), value, (tones or {}).get(name, "accent")) for name, value in counts.items()]
    shown, rest = pairs[:MOST_BARS], pairs[MOST_BARS:]
    if rest:
        shown.append((f"{len(rest)} others", sum(value for _, value, _ in rest), "muted"))
    names = _make_unique([name for name, _, _ in shown])
    source = ColumnDataSource(
        {"name": names, "value": [value for _, value, _ in shown], "tone": [CHART_COLOURS[tone] for *_, tone in shown]}
    )
    plot = make_figure(y_range=list(reversed(names)), height=ROW_PX * max(len(names), 2) + 44)
    bars = plot.hbar(y="name", right="value", height=0.68, color="tone", source=source)
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("", f"@name: @value{{{form}}}")]))
    plot.x_range.start = 0
    plot.ygrid.grid_line_color = None
    plot.xaxis.formatter = NumeralTickFormatter(format=form)
    if form == COUNTS:
        plot.xaxis.ticker = BasicTicker(min_interval=1)
    return make_pane(plot)


def draw_days(days: Mapping[date, Mapping[Any, int]]) -> Any:
    """Return the questions of each day as a stack of their outcomes."""
    names = [name for name in OUTCOMES if any(counts.get(name) for counts in days.values())] or ["answered"]
    data: dict[str, list[Any]] = {"day": [datetime(day.year, day.month, day.day) for day in days]}  # noqa: DTZ001
    for name in names:
        data[name] = [counts.get(name, 0) for counts in days.values()]
    plot = make_figure(x_axis_type="datetime")
    tones = [CHART_COLOURS[OUTCOME_COLOURS[name]] for name in names]
    _show_days(plot, data["day"])
    plot.yaxis.ticker = BasicTicker(min_interval=1)
    plot.vbar_stack(
        names, x="day", width=0.8 * DAY_MS, color=tones, source=ColumnDataSource(data), legend_label=list(names)
    )
    hover = [(name, f"@{{{name}}}") for name in names]
    plot.add_tools(HoverTool(tooltips=[("", "@day{%F}"), *hover], formatters={"@day": "datetime"}))
    plot.y_range.start = 0
    plot.xgrid.grid_line_color = None
    _place_legend(plot)
    return make_pane(plot)


def draw_dollars(days: Mapping[date, float]) -> Any:
    """Return what each day has cost."""
    moments = [datetime(day.year, day.month, day.day) for day in days]  # noqa: DTZ001
    source = ColumnDataSource({"day": moments, "cost": list(days.values())})
    plot = make_figure(x_axis_type="datetime")
    _show_days(plot, moments)
    bars = plot.vbar(x="day", top="cost", width=0.8 * DAY_MS, color=CHART_COLOURS["accent"], source=source)
    tooltips = [("", "@day{%F}: $@cost{0.0000}")]
    plot.add_tools(HoverTool(renderers=[bars], tooltips=tooltips, formatters={"@day": "datetime"}))
    plot.y_range.start = 0
    plot.xgrid.grid_line_color = None
    return make_pane(plot)


def draw_forest(comparison: Comparison) -> Any:
    """Return the gain of B in each measure that has a better side, on one scale of shares; right of 0 B is better."""
    rows = [each for each in comparison.measures if each.higher is not None and math.isfinite(each.gain[1])]
    names = [each.measure for each in rows]
    tones = {"better": "good", "not worse": "good", "equivalent": "good", "worse": "bad"}
    source = ColumnDataSource(
        {
            "name": names,
            "low": [_or_mean(each.gain[0], each.gain[1]) for each in rows],
            "mean": [each.gain[1] for each in rows],
            "high": [_or_mean(each.gain[2], each.gain[1]) for each in rows],
            "is": [each.decision.value for each in rows],
            "p": [each.adjusted_p for each in rows],
            "tone": [CHART_COLOURS[tones.get(each.decision.value, "muted")] for each in rows],
        }
    )
    plot = make_figure(y_range=list(reversed(names)) or ["–"], height=ROW_PX * max(len(names), 2) + 44)
    plot.segment("low", "name", "high", "name", color="tone", line_width=2.5, source=source)
    points = plot.scatter("mean", "name", size=9, color="tone", marker="square", source=source)
    plot.add_layout(Span(location=0, dimension="height", line_color=CHART_COLOURS["muted"], line_dash="dashed"))
    tooltips = [
        ("", "@name"),
        ("B is", "@is"),
        ("gain", "@mean{+0.000}"),
        ("interval", "@low{+0.000} to @high{+0.000}"),
    ]
    plot.add_tools(HoverTool(renderers=[points], tooltips=[*tooltips, ("p", "@p{0.000}")]))
    plot.ygrid.grid_line_color = None
    return make_pane(plot)


def make_figure(**options: Any) -> Any:
    """Return an empty plot without a toolbar, as wide as its place."""
    given = {"height": HEIGHT_PX, "sizing_mode": "stretch_width", "toolbar_location": None, "tools": "", **options}
    plot = figure(**given)
    plot.min_border_right = 18
    plot.outline_line_color = None  # the theme frames a plot in the dark alone
    plot.toolbar.autohide = True
    return plot


def make_pane(plot: Any) -> Any:
    """Return a plot as a pane that takes its share of a row."""
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0)


def cut_label(name: str) -> str:
    """Return a name as it fits beside an axis.

    >>> cut_label("x" * 40)[-1]
    '…'
    """
    return name if len(name) <= LABEL_CHARS else name[: LABEL_CHARS - 1] + "…"


def _make_unique(names: Sequence[str]) -> list[str]:
    """Return names of which equal ones, cut short, are numbered: an axis has each once."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _or_mean(value: float, mean: float) -> float:
    return mean if math.isnan(value) else value


def _show_days(plot: Any, moments: Sequence[datetime]) -> None:
    """Let an axis show the days, and some before the first where they are few."""
    if not moments:
        return
    first = min(moments[0], moments[-1] - timedelta(days=LEAST_DAYS - 1))
    half = timedelta(hours=12)
    plot.x_range = Range1d(first - half, moments[-1] + half)


def _place_legend(plot: Any) -> None:
    """Put the legend above the plot, where it hides nothing."""
    for legend in plot.legend:
        legend.orientation = "horizontal"
        legend.padding = 0
        legend.margin = 0
    plot.add_layout(plot.legend[0], "above")


def _label_runs(plot: Any, runs: Sequence[RunSummary]) -> None:
    """Name some runs below the axis, evenly."""
    step = max(1, math.ceil(len(runs) / MOST_LABELS))
    places = list(range(0, len(runs), step))
    plot.xaxis.ticker = FixedTicker(ticks=places)
    plot.xaxis.major_label_overrides = {place: cut_label(runs[place].card.name) for place in places}
    if len(places) > 4:
        plot.xaxis.major_label_orientation = 0.6
    plot.xgrid.grid_line_color = None
