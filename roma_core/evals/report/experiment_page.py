"""An experiment as HTML that needs nothing else: decisions, a forest plot, and quality against cost and latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from roma_core import display
from roma_core.evals.report.comparison_page import COLOURS, NEUTRAL, render_experiment

if TYPE_CHECKING:
    from roma_core.evals.experiments import Experiment

WIDTH_PX, HEIGHT_PX, LEFT_PX, BOTTOM_PX = 640, 320, 60, 40
LARGEST_PX, SMALLEST_PX = 14.0, 5.0
LETTER_PX, LINE_PX = 6.5, 13.0


@dataclass(frozen=True)
class Point:
    """One variant in a plot of quality against what it takes. ``size`` is in 0..1."""

    label: str
    x: float
    y: float
    low: float
    high: float
    size: float = 0.0
    colour: str = NEUTRAL


def draw_scatter(points: Sequence[Point], x_title: str, y_title: str) -> display.Html:
    """Return a scatter plot with intervals as SVG; the best place is at the top left."""
    known = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    if not known:
        return display.Html("")
    right = max(p.x for p in known) * 1.15 or 1.0
    bottom = max(0.0, min(p.low for p in known if math.isfinite(p.low)) - 0.02)
    top = max(p.high for p in known if math.isfinite(p.high)) + 0.02

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT_PX + (WIDTH_PX - LEFT_PX - 10) * x / right
        down = 10 + (HEIGHT_PX - BOTTOM_PX - 10) * (top - y) / (top - bottom)
        return across, down

    parts: list[str] = []
    labels: list[tuple[float, float, float]] = []
    for step in range(5):
        value = bottom + (top - bottom) * step / 4
        _, y = place(0, value)
        parts.append(f'<line x1="{LEFT_PX}" x2="{WIDTH_PX - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8883"/>')
        parts.append(_label(LEFT_PX - 6, y + 4, f"{value:.2f}", "end"))
        x, _ = place(right * step / 4, bottom)
        parts.append(_label(x, HEIGHT_PX - BOTTOM_PX + 16, f"{right * step / 4:.3g}", "middle"))
    for p in known:
        x, y = place(p.x, p.y)
        _, low = place(p.x, p.low)
        _, high = place(p.x, p.high)
        radius = SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * p.size
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{p.colour}" stroke-opacity=".5"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{p.colour}" fill-opacity=".7">'
            f"<title>{escape(p.label)}</title></circle>"
        )
        left = x + radius + 3
        down = _find_free_line(labels, left, y + 4, LETTER_PX * len(p.label))
        labels.append((left, down, LETTER_PX * len(p.label)))
        parts.append(_label(left, down, p.label, "start"))
    parts.append(_label(WIDTH_PX / 2, HEIGHT_PX - 6, x_title, "middle"))
    parts.append(_label(LEFT_PX + 4, 12, y_title, "start"))
    return display.Html(
        f'<svg role="img" aria-label="{escape(y_title)} against {escape(x_title)}" width="{WIDTH_PX}" '
        f'height="{HEIGHT_PX}" style="max-width:100%;overflow:visible">{"".join(parts)}</svg>'
    )


def _find_free_line(labels: Sequence[tuple[float, float, float]], left: float, down: float, width: float) -> float:
    """Return the first height from ``down`` at which a label covers none of ``labels`` (left, height, width)."""
    while any(
        abs(down - y) < LINE_PX and left < other + its_width and other < left + width for other, y, its_width in labels
    ):
        down += LINE_PX
    return down


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="currentColor" '
        f'font-family="system-ui,sans-serif">{escape(text)}</text>'
    )


def draw_quality(experiment: Experiment) -> display.Html:
    """Return quality against cost, with latency as the size of a point; against latency where nothing costs money."""
    decisions = {v.name: v.comparison.decision for v in experiment.comparison.variants} if experiment.comparison else {}
    costs = [v.cost_usd or 0.0 for v in experiment.variants]
    has_cost = any(costs)
    slowest = max((v.seconds for v in experiment.variants if math.isfinite(v.seconds)), default=0.0)
    points = [
        Point(
            label=v.name,
            x=(1000 * cost) if has_cost else v.seconds,
            y=v.score,
            low=v.low,
            high=v.high,
            size=v.seconds / slowest if has_cost and slowest and math.isfinite(v.seconds) else 0.0,
            colour=COLOURS.get(decisions.get(v.name, ""), NEUTRAL),
        )
        for v, cost in zip(experiment.variants, costs, strict=True)
    ]
    title = "USD for 1000 questions (larger: slower)" if has_cost else "median seconds of an answer"
    return draw_scatter(points, title, experiment.primary)


def render_experiment_report(experiment: Experiment) -> display.Html:
    """Return an experiment for a notebook or a page."""
    rows = [
        (
            v.name + (" (base)" if v.name == experiment.base else ""),
            v.score,
            f"{v.low:.3f} to {v.high:.3f}",
            f"{v.asked} / {v.known}",
            v.calls,
            None if v.cost_usd is None else f"{1000 * v.cost_usd:.3f}",
            v.seconds,
            ", ".join(f"{n} {state}" for state, n in v.states.items() if state != "ok") or "ok",
        )
        for v in experiment.variants
    ]
    columns = (
        "Variant", experiment.primary, "95 % interval", "Asked / known", "Calls", "USD / 1000 questions",
        "Median seconds", "State",
    )  # fmt: skip
    return display.box(
        display.heading(f"{experiment.dataset}: {len(rows)} variants in {experiment.seconds:.0f} s"),
        display.paragraph(f"Announced: {experiment.estimate.words}"),
        render_experiment(experiment.comparison) if experiment.comparison else "",
        *[
            display.paragraph(f"⚠ {name} has no answer of its own and is not compared: {why}")
            for name, why in experiment.broken.items()
        ],
        display.heading("Quality, cost and latency"),
        draw_quality(experiment),
        display.paragraph(
            "Median seconds of an answer with all searches and rankings that it needed, also those that a variant "
            "before had made; model calls that were known cost no time."
        ),
        display.table(columns, rows),
    )


def render_experiment_page(experiment: Experiment) -> str:
    """Return the experiment as one HTML file that needs nothing else, with each comparison below the others."""
    compared = experiment.comparison.variants if experiment.comparison else ()
    parts = [
        f"<h2>{escape(v.name)} against {escape(experiment.base)}</h2>{v.comparison._repr_html_()}" for v in compared
    ]
    return display.page("ROMA experiment", render_experiment_report(experiment), *parts)
