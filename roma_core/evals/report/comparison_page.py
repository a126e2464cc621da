"""A comparison as HTML that needs nothing else: the decision, a forest plot, what must be known, the changed cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from roma_core import display
from roma_core.errors import count_noun

if TYPE_CHECKING:
    from roma_core.evals.report.comparison import (
        Comparison,
        Decision,
        ExperimentComparison,
        MeasureComparison,
        ScorePair,
    )

COLOURS = {"better": "#15803d", "not worse": "#15803d", "equivalent": "#15803d", "worse": "#b91c1c"}
NEUTRAL = "#475569"
PLOT_PX, ROW_PX, GAP_PX = 380, 26, 8
LABEL_SIZE_PX, NUMBERS_SIZE_PX, SCALE_SIZE_PX = 13, 12, 11
CHARACTER_EM = 0.66
"""Width of a character on average, in the widest of the fonts that a page may be shown in."""
LONGEST_LABEL = 48
"""Characters of a label; a longer one is cut, and shown whole when it is pointed at."""
LONGEST_ANSWER = 700
"""Characters of an answer in the table of changed cases."""


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot: an estimate with its interval, turned so that right is better."""

    label: str
    low: float
    mean: float
    high: float
    decision: str

    @property
    def colour(self) -> str:
        """Colour of the decision."""
        return COLOURS.get(self.decision, NEUTRAL)


def draw_forest(rows: Sequence[ForestRow], margin: float | None = None) -> display.Html:
    """Return a forest plot as SVG: the line at 0 is no difference, right of it B is better.

    The band is the margin within which a loss does not matter. Both columns of text are as wide as their longest line,
    and a narrow page shows the whole plot smaller.
    """
    ends = [abs(x) for row in rows for x in (row.low, row.mean, row.high) if math.isfinite(x)]
    reach = max([*ends, margin or 0.0, 0.01]) * 1.05
    height = ROW_PX * (len(rows) + 1)
    left = _measure_width([_cut_label(row.label) for row in rows], LABEL_SIZE_PX)
    right = _measure_width([_describe_numbers(row) for row in rows], NUMBERS_SIZE_PX)

    def x(value: float) -> float:
        clipped = max(-reach, min(reach, value))
        return left + PLOT_PX * (clipped + reach) / (2 * reach)

    parts = []
    if margin is not None:
        width = x(margin) - x(-margin)
        parts.append(f'<rect x="{x(-margin):.1f}" y="0" width="{width:.1f}" height="{height - ROW_PX}" fill="#8882"/>')
    parts.append(f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - ROW_PX}" stroke="#8888"/>')
    for i, row in enumerate(rows):
        parts += _draw_row(row, ROW_PX * i + ROW_PX / 2, x, left)
    for value in (-reach / 1.05, 0.0, reach / 1.05):
        shown = f"{value:+.2f}" if value else "0"
        parts.append(_text(x(value), height - GAP_PX, shown, "middle", size=SCALE_SIZE_PX))
    whole = left + PLOT_PX + right
    return display.Html(
        f'<svg role="img" aria-label="Forest plot" width="{whole}" height="{height}" viewBox="0 0 {whole} {height}" '
        f'style="max-width:100%;height:auto">{"".join(parts)}</svg>'
    )


def _draw_row(row: ForestRow, y: float, place: Callable[[float], float], left: int) -> list[str]:
    parts = [_text(left - GAP_PX, y + 4, _cut_label(row.label), "end", title=row.label)]
    if _has_interval(row):
        parts.append(
            f'<line x1="{place(row.low):.1f}" x2="{place(row.high):.1f}" y1="{y}" y2="{y}" stroke="{row.colour}" '
            'stroke-width="2"/>'
        )
    parts.append(f'<rect x="{place(row.mean) - 4:.1f}" y="{y - 4}" width="8" height="8" fill="{row.colour}"/>')
    numbers_x = left + PLOT_PX + GAP_PX
    parts.append(_text(numbers_x, y + 4, _describe_numbers(row), "start", size=NUMBERS_SIZE_PX, fill=row.colour))
    return parts


def _has_interval(row: ForestRow) -> bool:
    return math.isfinite(row.low) and math.isfinite(row.high)


def _describe_numbers(row: ForestRow) -> str:
    interval = f" [{row.low:+.3f}, {row.high:+.3f}]" if _has_interval(row) else ""
    return f"{round(row.mean, 3) + 0.0:+.3f}{interval} {row.decision}"


def _cut_label(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _measure_width(lines: Sequence[str], size_px: int) -> int:
    """Return the pixels that a column of text takes, with a gap on both sides."""
    longest = max((len(line) for line in lines), default=0)
    return math.ceil(longest * size_px * CHARACTER_EM) + 2 * GAP_PX


def _text(
    x: float, y: float, text: str, anchor: str, size: int = LABEL_SIZE_PX, fill: str = "currentColor", title: str = ""
) -> str:
    whole = f"<title>{escape(title)}</title>" if title and title != text else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" '
        f'font-family="system-ui,sans-serif">{whole}{escape(text)}</text>'
    )


def render_comparison(comparison: Comparison) -> display.Html:
    """Return a comparison for a notebook or a page."""
    directed = [m for m in comparison.measures if m.higher is not None]
    rows = [ForestRow(m.measure, *m.gain, m.decision) for m in directed]
    slices = [ForestRow(s.title, s.difference.low, s.difference.mean, s.difference.high, "") for s in comparison.slices]
    changed = [(name, *values) for name, values in comparison.changed.items()]
    name_a, name_b = comparison.shown_names
    return display.box(
        display.heading(f"{comparison.dataset}: {name_b} (B) against {name_a} (A), {comparison.cases} cases"),
        _verdict_line(comparison),
        *[display.paragraph(f"⚠ {remark}") for remark in comparison.remarks],
        draw_forest(rows, comparison.margin),
        display.paragraph(
            f"Right of the line B is better. {comparison.primary} decides, at {_percent(comparison)}; the others are "
            "corrected for how many could have moved (Holm), each with the interval of its own level."
        ),
        _measure_table(comparison.measures),
        display.paragraph(f"Words an answer: {comparison.words[0]:.0f} in A, {comparison.words[1]:.0f} in B."),
        display.heading(f"{comparison.primary} by part of the cases: to look at, not to decide by") if slices else "",
        draw_forest(slices) if slices else "",
        display.heading("What differs between the runs") if changed else "",
        display.table(("What changed", "A", "B"), changed) if changed else "",
        display.heading("The cases that changed most") if comparison.changed_cases else "",
        _case_table(comparison.changed_cases) if comparison.changed_cases else "",
        display.paragraph(f"A is run {comparison.a}, B is run {comparison.b}.") if comparison.names else "",
    )


def _percent(comparison: Comparison) -> str:
    return f"{100 * (1 - comparison.of(comparison.primary).difference.confidence):.3g} %"


def _verdict_line(comparison: Comparison) -> display.Html:
    decided = comparison.of(comparison.primary)
    why = f" ({decided.remark})" if decided.remark else ""
    margin = f", margin {comparison.margin:g}" if comparison.margin is not None else ""
    return display.Html(
        f'<p style="font-size:120%">B is <strong style="color:{_colour(decided.decision)}">'
        f"{escape(decided.decision)}</strong> in {escape(decided.measure)}{margin}{escape(why)}: "
        f"{decided.a:.3f} → {decided.b:.3f}, difference {decided.difference.mean:+.3f} "
        f"({escape(decided.shown_interval)}), p {decided.difference.p_value:.3f}. "
        f"Smallest effect found four times in five: {escape(decided.shown_detectable)}.</p>"
    )


def _colour(decision: Decision) -> str:
    return COLOURS.get(decision, NEUTRAL)


def _measure_table(measures: Sequence[MeasureComparison]) -> display.Html:
    columns = (
        "Measure", "A", "B", "B - A", "Interval", "p", "B is", "Detectable", "Won/ lost/ tied",
        "Only A/ only B/ neither", "Clusters (effective)",
    )  # fmt: skip
    rows = [
        (
            m.measure if m.role == "secondary" else f"{m.measure} ({m.role})",
            m.a,
            m.b,
            m.difference.mean,
            display.Html(f'<span style="white-space:nowrap">{escape(m.shown_interval)}</span>'),
            m.adjusted_p,
            m.decision.value + (f": {m.remark}" if m.remark else ""),
            m.shown_detectable,
            f"{m.wins}/{m.losses}/{m.ties}",
            f"{len(m.only_a)}/{len(m.only_b)}/{m.neither}",
            f"{m.difference.clusters} ({m.difference.effective_clusters:.1f})",
        )
        for m in measures
    ]
    return display.table(columns, rows)


def _case_table(pairs: Sequence[ScorePair]) -> display.Html:
    rows = [
        (
            p.case_id,
            p.question,
            p.a,
            p.b,
            _cut(p.answer_a),
            _cut(p.answer_b),
            p.reason_a,
            p.reason_b,
        )
        for p in pairs
    ]
    return display.table(("Case", "Question", "A", "B", "Answer of A", "Answer of B", "Why A", "Why B"), rows)


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]} …"


def render_experiment(experiment: ExperimentComparison) -> display.Html:
    """Return several variants against one base: one plot, one table."""
    decided = [(v, v.comparison.of(v.comparison.primary)) for v in experiment.variants]
    rows = [ForestRow(v.name, *m.gain, m.decision) for v, m in decided]
    table = [
        (v.name, m.a, m.b, m.difference.mean, m.shown_interval, v.adjusted_p, m.shown_detectable, m.decision.value)
        for v, m in decided
    ]
    columns = ("Variant", "Base", "Score", "Difference", "Interval", "p (Holm)", "Detectable", "Variant is")
    number = count_noun(len(rows), "variant")
    return display.box(
        display.heading(f"{number} against {experiment.base}, decided by {experiment.primary}"),
        *[display.paragraph(f"⚠ {remark}") for remark in experiment.remarks],
        draw_forest(rows),
        display.paragraph(f"Corrected for {number} (Holm); each interval is of the level of its test."),
        display.table(columns, table),
    )


def render_comparison_page(comparison: Comparison | ExperimentComparison) -> str:
    """Return the comparison as one HTML file that needs nothing else."""
    return display.page("ROMA comparison", comparison._repr_html_())
