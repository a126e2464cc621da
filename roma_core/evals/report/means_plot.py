"""Plot of a run: each measure between 0 and 1 as its mean with its interval, drawn as SVG that needs no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from roma_core import display
from roma_core.theme import colour

if TYPE_CHECKING:
    from roma_core.evals.report.record import MeasureInfo, Summary

LEFT, WIDTH, ROW, TOP = 190, 360, 24, 18


def draw_means(summaries: Sequence[Summary], measures: Sequence[MeasureInfo]) -> display.Html:
    """Return the plot; measures on other scales (milliseconds, dollars) and those without a mean are not in it.

    >>> from roma_core.evals.report.record import Interval, MeasureInfo, Summary
    >>> mean = Summary(measure="recall", interval=Interval(mean=0.9, low=0.8, high=1, n=9, clusters=9), unscored=0)
    >>> "0.900" in draw_means([mean], [MeasureInfo(name="recall")])
    True
    """
    shares = {measure.name for measure in measures if measure.scale == (0.0, 1.0)}
    drawn = [summary for summary in summaries if summary.measure in shares and not math.isnan(summary.interval.mean)]
    if not drawn:
        return display.Html("")
    height = TOP + ROW * len(drawn)
    grid = [
        f'<line x1="{_x(share):.0f}" y1="{TOP - 2}" x2="{_x(share):.0f}" y2="{height}" stroke="currentColor" '
        f'stroke-opacity=".2"/><text x="{_x(share):.0f}" y="12" text-anchor="middle" font-size="11" '
        f'fill="currentColor">{share:g}</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    rows = [_draw_row(summary, TOP + ROW * number) for number, summary in enumerate(drawn)]
    return display.Html(
        f'<svg role="img" aria-label="Means of the measures with their intervals" width="{LEFT + WIDTH + 70}" '
        f'height="{height + 4}" style="max-width:100%" font-family="system-ui,sans-serif">{"".join(grid + rows)}</svg>'
    )


def _x(share: float) -> float:
    return LEFT + WIDTH * share


def _draw_row(summary: Summary, top: int) -> str:
    found = summary.interval
    middle, accent = top + ROW / 2, colour("accent")
    low = found.mean if math.isnan(found.low) else max(0.0, found.low)
    high = found.mean if math.isnan(found.high) else min(1.0, found.high)
    return (
        f'<text x="{LEFT - 10}" y="{middle + 4:.0f}" text-anchor="end" font-size="13" fill="currentColor">'
        f"{escape(summary.measure)}</text>"
        f'<line x1="{_x(low):.1f}" y1="{middle}" x2="{_x(high):.1f}" y2="{middle}" stroke="{accent}" '
        f'stroke-width="4" stroke-opacity=".45" stroke-linecap="round"/>'
        f'<circle cx="{_x(found.mean):.1f}" cy="{middle}" r="5" fill="{accent}"/>'
        f'<text x="{LEFT + WIDTH + 14}" y="{middle + 4:.0f}" font-size="12" fill="currentColor">{found.mean:.3f}</text>'
    )
