"""A threshold that keeps the share of wrong answers below a promised risk: Learn then Test. Pure.

Of the answers whose score reaches a threshold, k of m are wrong. "The risk here is above the promise" is tested by the
exact binomial tail P(Bin(m, risk) <= k). A grid of thresholds is walked from the strictest on, from several starts that
share ``delta``, and each walk ends where the test does not reject (Angelopoulos, Bates, Candes, Jordan & Lei, "Learn
then Test", arXiv:2110.01052, algorithm 1). A walk passes over thresholds with so few answers that not even flawless
ones could reject: their number decides that, not their labels, and where higher evidence is no riskier it costs
nothing. With a probability of 1 - ``delta`` every threshold that a walk passed keeps the promise, so the one that
answers most is taken. The bounds are those of Clopper and Pearson (Biometrika 1934).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from roma_core.types import Noun

DELTA: Final = 0.05
"""Probability with which the promise may fail, over the draw of the labelled questions."""
STARTS: Final = 5
"""Walks over the grid; each has its share of ``DELTA``, so that one unlucky beginning does not end the search."""
RISK_STEP: Final = 0.01
"""Steps in which a risk that can be kept is looked for, where the promised one cannot."""
STEPS: Final = 72
"""Steps of a grid."""


class LabelledAnswer(Noun):
    """An answer that a labelled question would get, and whether it would be wrong.

    ``evidence`` is None where no threshold decides: rules answered (``is_answer``) or refused whatever the score.
    """

    kind: str
    evidence: float | None
    is_answer: bool
    is_wrong: bool

    @property
    def score(self) -> float:
        """The least threshold that refuses the question, as a number that also stands for always and never."""
        if self.evidence is not None:
            return self.evidence
        return math.inf if self.is_answer else -math.inf


class RiskPoint(Noun):
    """A threshold of a grid: how many of ``n`` questions it answers, and how many of these answers are wrong."""

    threshold: float
    n: int
    answered: int
    wrong: int

    @property
    def coverage(self) -> float:
        """Share of the questions that are answered."""
        return self.answered / self.n if self.n else 0.0

    @property
    def risk(self) -> float:
        """Share of the answers that are wrong; 0 where there is none."""
        return self.wrong / self.answered if self.answered else 0.0

    def bound(self, delta: float = DELTA) -> float:
        """Return the upper bound of the true risk, at this threshold alone."""
        return find_upper_bound(self.wrong, self.answered, delta)


class RiskControl(Noun):
    """The threshold that keeps ``risk`` for a set of labelled answers, or None with the risk that could be kept."""

    risk: float
    delta: float
    threshold: float | None
    reachable: float
    """Least risk that a walk could promise: ``risk`` itself where that is kept."""
    reachable_from: float
    """Threshold that keeps ``reachable``."""
    curve: tuple[RiskPoint, ...]
    """The grid, from the strictest threshold on."""

    @property
    def point(self) -> RiskPoint:
        """The threshold that is used: the one that keeps the promise, else the one that comes nearest."""
        used = self.threshold if self.threshold is not None else self.reachable_from
        return next(point for point in self.curve if point.threshold == used)

    @property
    def words(self) -> str:
        """The result in a sentence.

        >>> control_risk([], make_grid(0, 1)).words
        'no threshold keeps 5 %, and none another risk: 0 questions'
        """
        point = self.point
        counts = f"answers {point.answered} of {point.n} questions, {point.wrong} of them wrongly"
        if self.threshold is not None:
            return f"evidence from {point.threshold:g} on keeps {_percent(self.risk)}: {counts}"
        if self.reachable >= 1:
            return f"no threshold keeps {_percent(self.risk)}, and none another risk: {point.n} questions"
        return (
            f"no threshold keeps {_percent(self.risk)}; "
            f"{_percent(self.reachable)} can be kept, by evidence from {point.threshold:g} on: {counts}"
        )


def make_grid(low: float, high: float, steps: int = STEPS) -> tuple[float, ...]:
    """Return thresholds from ``high`` down to ``low``, in equal steps.

    >>> make_grid(0.0, 1.0, steps=2)
    (1.0, 0.5, 0.0)
    """
    width = (high - low) / steps
    return tuple(round(high - width * step, 6) for step in range(steps + 1))


def find_tail(wrong: int, answered: int, risk: float) -> float:
    """Return P(Bin(``answered``, ``risk``) <= ``wrong``): the p-value of "the true risk is above ``risk``".

    >>> round(find_tail(0, 59, 0.05), 3)
    0.048
    """
    if not answered:
        return 1.0
    from scipy.special import bdtr

    return float(bdtr(wrong, answered, risk))


def find_upper_bound(wrong: int, answered: int, delta: float = DELTA) -> float:
    """Return the exact upper bound of a share, which the true one exceeds with a probability of ``delta`` at most.

    >>> round(find_upper_bound(0, 59), 4)
    0.0495
    """
    if wrong >= answered:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(wrong + 1, answered - wrong, 1 - delta))


def trace_curve(answers: Sequence[LabelledAnswer], grid: Sequence[float]) -> tuple[RiskPoint, ...]:
    """Return how many questions each threshold answers, and how many of them wrongly."""
    scores = sorted(answer.score for answer in answers)
    wrong_scores = sorted(answer.score for answer in answers if answer.is_wrong)
    return tuple(
        RiskPoint(
            threshold=threshold,
            n=len(scores),
            answered=len(scores) - bisect_left(scores, threshold),
            wrong=len(wrong_scores) - bisect_left(wrong_scores, threshold),
        )
        for threshold in grid
    )


def control_risk(
    answers: Sequence[LabelledAnswer],
    grid: Sequence[float],
    risk: float = 0.05,
    *,
    delta: float = DELTA,
    starts: int = STARTS,
) -> RiskControl:
    """Return the lowest threshold of ``grid`` (strictest first) that keeps ``risk``, by Learn then Test.

    The grid must not come from the labels of ``answers``; that of another sample's scores may.

    >>> right = [LabelledAnswer(kind="", evidence=1.0, is_answer=True, is_wrong=False)] * 200
    >>> control_risk(right, make_grid(0.0, 2.0, steps=4)).threshold
    0.0
    """
    curve = trace_curve(answers, grid)
    passed = walk_grid(curve, risk, delta, starts)
    reachable = risk
    nearest = passed
    while nearest is None and reachable < 1:
        reachable = min(1.0, (math.floor(reachable / RISK_STEP + 1e-6) + 1) * RISK_STEP)
        nearest = walk_grid(curve, reachable, delta, starts)
    return RiskControl(
        risk=risk,
        delta=delta,
        threshold=curve[passed].threshold if passed is not None else None,
        reachable=round(reachable, 6),
        reachable_from=curve[nearest if nearest is not None else 0].threshold,
        curve=curve,
    )


def walk_grid(curve: Sequence[RiskPoint], risk: float, delta: float = DELTA, starts: int = STARTS) -> int | None:
    """Return the index of the lowest threshold of a curve that a walk passes; None where none passes any."""
    level = delta / starts
    flawless = [find_tail(0, point.answered, risk) for point in curve]
    tails = [find_tail(point.wrong, point.answered, risk) for point in curve]
    passed: set[int] = set()
    for start in {int((i + 0.5) * len(curve) / starts) for i in range(starts)}:
        for index in range(start, len(curve)):
            if flawless[index] > level:
                continue
            if tails[index] > level:
                break
            passed.add(index)
    return max(passed, default=None)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
