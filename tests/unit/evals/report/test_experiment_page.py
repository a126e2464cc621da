"""The plot of quality against cost can be read where variants lie side by side."""

from __future__ import annotations

import re

from roma_core.evals.report.experiment_page import LINE_PX, Point, draw_scatter


def test_labels_of_near_points_do_not_cover_each_other() -> None:
    points = [Point(f"variant {n}", x=1.0 + n / 100, y=0.9, low=0.8, high=1.0) for n in range(3)]
    far = Point("far", x=9.0, y=0.9, low=0.8, high=1.0)
    drawn = draw_scatter([*points, far], "seconds", "score")
    heights = {name: float(y) for y, name in re.findall(r'y="([\d.]+)" text-anchor="start"[^>]*>([^<]+)<', drawn)}
    assert [round(heights[f"variant {n}"] - heights["variant 0"], 1) for n in range(3)] == [0.0, LINE_PX, 2 * LINE_PX]
    assert heights["far"] == heights["variant 0"]
