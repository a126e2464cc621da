"""How many answers people must grade before a judge's corrected pass rate says enough."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from roma_core import display
from roma_core.evals.judge.calibration import LabelledGrade, corrected_rate
from roma_core.evals.judge.model import PASS_GRADE
from roma_core.evals.report.experiment_page import Point, draw_scatter
from roma_core.evals.stats.inference import Interval
from roma_core.types import Noun

PASS, FAIL = 5.0, 1.0
COUNTS = (20, 50, 100, 200, 400)


class LabelPlan(Noun):
    """Expected intervals of the corrected pass rate by the number of graded answers."""

    sensitivity: float
    specificity: float
    rate: float
    answers: int
    intervals: dict[int, Interval] = Field(repr=False)

    def _repr_html_(self) -> str:
        rows = [(n, f"{i.low:.3f} to {i.high:.3f}", i.high - i.low) for n, i in self.intervals.items()]
        points = [Point(str(n), n, i.mean, i.low, i.high) for n, i in self.intervals.items()]
        return display.box(
            display.heading(
                f"A judge with sensitivity {self.sensitivity:g} and specificity {self.specificity:g} on {self.answers} "
                f"answers of which {self.rate:.0%} are good"
            ),
            draw_scatter(points, "answers graded by people", "corrected pass rate, 95 % interval"),
            display.table(("Graded answers", "95 % interval", "Width"), rows),
        )


def plan_labels(
    sensitivity: float = 0.9,
    specificity: float = 0.8,
    *,
    rate: float = 0.7,
    answers: int = 200,
    counts: Sequence[int] = COUNTS,
) -> LabelPlan:
    """Return the interval to be expected of a judge of this quality, for each number of graded answers.

    >>> plan = plan_labels(0.95, 0.9, counts=(50, 200))
    >>> plan.intervals[200].high - plan.intervals[200].low < plan.intervals[50].high - plan.intervals[50].low
    True
    """
    seen = rate * sensitivity + (1 - rate) * (1 - specificity)
    grades = _grades(seen, answers, PASS, FAIL)
    intervals = {}
    for count in counts:
        good = max(1, round(count * rate))
        bad = max(1, count - good)
        labels = [
            *(_label(PASS, judge, f"g{i}") for i, judge in enumerate(_grades(sensitivity, good, PASS, FAIL))),
            *(_label(FAIL, judge, f"b{i}") for i, judge in enumerate(_grades(specificity, bad, FAIL, PASS))),
        ]
        intervals[count] = corrected_rate(grades, range(answers), labels, PASS_GRADE)
    return LabelPlan(sensitivity=sensitivity, specificity=specificity, rate=rate, answers=answers, intervals=intervals)


def _grades(share: float, n: int, first: float, second: float) -> list[float]:
    return [first if index < round(share * n) else second for index in range(n)]


def _label(person: float, judge: float, cluster: str) -> LabelledGrade:
    return LabelledGrade(person=person, judge=judge, cluster=cluster)
