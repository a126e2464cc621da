"""Trust in a judge: its agreement with people, and estimates that its errors no longer bias.

Pure functions over grades. A judge is a measuring instrument: it is calibrated on answers that people graded, then
what it says about the rest is corrected by what was learnt there, with intervals that pay for the correction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import product
from statistics import NormalDist
from typing import Literal

from roma_core.evals.stats.inference import CONFIDENCE, Interval, interval
from roma_core.types import Noun

Level = Literal["nominal", "ordinal", "interval"]
Weights = Literal["none", "linear", "quadratic"]


class Confusion(Noun):
    """Passed or not, by people and by the judge."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    @property
    def sensitivity(self) -> float:
        """Share of what people passed that the judge passed; NaN without such cases."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Share of what people failed that the judge failed; NaN without such cases."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)


class JudgeCalibration(Noun):
    """A judge against people over the same answers. ``bias`` is judge minus people, on the scale of the grades."""

    n: int
    exact: float
    within_one: float
    kappa: float
    alpha: float
    bias: float
    passed: Confusion


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def calibrate(people: Sequence[float], judge: Sequence[float], threshold: float) -> JudgeCalibration:
    """Compare grades of the same answers; ``threshold`` is the least grade that passes. Raises ``ValueError``."""
    pairs = list(zip(people, judge, strict=True))
    if not pairs:
        raise ValueError("there is nothing to calibrate on")
    gaps = [b - a for a, b in pairs]
    return JudgeCalibration(
        n=len(pairs),
        exact=sum(gap == 0 for gap in gaps) / len(gaps),
        within_one=sum(abs(gap) <= 1 for gap in gaps) / len(gaps),
        kappa=cohen_kappa(people, judge, "quadratic"),
        alpha=krippendorff_alpha(pairs, "ordinal"),
        bias=math.fsum(gaps) / len(gaps),
        passed=confusion([a >= threshold for a in people], [b >= threshold for b in judge]),
    )


def confusion(people: Sequence[bool], judge: Sequence[bool]) -> Confusion:
    """Counts of the four ways in which people and judge can pass or fail an answer."""
    found = Counter(zip(people, judge, strict=True))
    return Confusion(
        true_positive=found[True, True],
        false_negative=found[True, False],
        true_negative=found[False, False],
        false_positive=found[False, True],
    )


def cohen_kappa(a: Sequence[float], b: Sequence[float], weights: Weights = "none") -> float:
    """Agreement of two raters beyond chance (Cohen 1960; weighted: Cohen 1968). NaN when chance explains everything.

    Weights work on the ranks of the grades that occur, as in scikit-learn.
    """
    pairs = list(zip(a, b, strict=True))
    rank = {grade: i for i, grade in enumerate(sorted({*a, *b}))}
    power = {"none": 0, "linear": 1, "quadratic": 2}[weights]

    def cost(x: float, y: float) -> float:
        return float(x != y) if power == 0 else float(abs(rank[x] - rank[y]) ** power)

    seen = math.fsum(cost(x, y) for x, y in pairs)
    chance = math.fsum(cost(x, y) * n * m for (x, n), (y, m) in product(Counter(a).items(), Counter(b).items()))
    return 1 - seen * len(pairs) / chance if chance else math.nan


def krippendorff_alpha(units: Sequence[Sequence[float | None]], level: Level = "ordinal") -> float:
    """Return the reliability of any number of raters with gaps (Krippendorff, Content Analysis, 2004, ch. 11).

    ``units[i]`` are the grades of one answer, None where a rater gave none. NaN when no answer has two grades or all
    grades are equal.
    """
    import krippendorff
    import numpy as np

    raters = max(map(len, units), default=0)
    padded = [[*unit, *[None] * (raters - len(unit))] for unit in units]
    grades = np.array(padded, dtype=np.float64).reshape(len(units), raters).T
    paired = grades[:, np.sum(~np.isnan(grades), axis=0) >= 2]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return math.nan
    return float(krippendorff.alpha(reliability_data=paired, level_of_measurement=level))


def corrected_rate(judged_passed: int, judged: int, known: Confusion, confidence: float = CONFIDENCE) -> Interval:
    """True pass rate behind a judge's pass rate, given how it did on answers that people graded.

    Estimate of Rogan & Gladen (Am. J. Epidemiol. 1978), interval of Lang & Reiczigel (Prev. Vet. Med. 2014), which
    also counts the uncertainty of sensitivity and specificity. 0..1 when the judge does no better than chance.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n_pass, n_fail = (
        known.true_positive + known.false_negative + 2,
        known.true_negative + known.false_positive + 2,
    )
    sensitivity, specificity = (known.true_positive + 1) / n_pass, (known.true_negative + 1) / n_fail
    n = judged + z * z
    rate = (judged_passed + z * z / 2) / n
    youden = sensitivity + specificity - 1
    if youden <= 0:
        return Interval(mean=math.nan, low=0.0, high=1.0, n=judged, clusters=judged, confidence=confidence)
    estimate = (rate + specificity - 1) / youden
    v_pass = sensitivity * (1 - sensitivity) / n_pass
    v_fail = specificity * (1 - specificity) / n_fail
    shift = 2 * z * z * (estimate * v_pass - (1 - estimate) * v_fail)
    spread = rate * (1 - rate) / n + estimate**2 * v_pass + (1 - estimate) ** 2 * v_fail
    half = z * math.sqrt(spread) / youden
    bounds = [min(1.0, max(0.0, x)) for x in (estimate, estimate + shift - half, estimate + shift + half)]
    return Interval(mean=bounds[0], low=bounds[1], high=bounds[2], n=judged, clusters=judged, confidence=confidence)


def prediction_powered_mean(
    people: Sequence[float], judge: Sequence[float], judge_alone: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """Mean grade that people would give, from a few answers graded by both and many graded by the judge alone.

    Prediction-powered inference (Angelopoulos et al., Science 2023) with the weight λ of PPI++ (arXiv:2311.01453): a
    useless judge gets λ = 0 and the result is the mean of the people's grades. Raises ``ValueError`` below two pairs.
    """
    n, alone = len(people), len(judge_alone)
    if n < 2 or len(judge) != n:
        raise ValueError("at least two answers must be graded by people and by the judge")
    if alone == 0:
        return interval(people, scale=(min(people), max(people) + (min(people) == max(people))))
    spread = _covariance(judge, judge)
    weight = _covariance(people, judge) / ((1 + n / alone) * spread) if spread else 0.0
    weight = min(1.0, max(0.0, weight))
    rest = [y - weight * f for y, f in zip(people, judge, strict=True)]
    mean = weight * math.fsum(judge_alone) / alone + math.fsum(rest) / n
    variance = weight**2 * _covariance(judge_alone, judge_alone) / alone + _covariance(rest, rest) / n
    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    return Interval(
        mean=mean, low=mean - half, high=mean + half, n=n + alone, clusters=n + alone, confidence=confidence
    )


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    """Sample covariance; 0 below two values."""
    n = len(a)
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (n - 1) if n > 1 else 0.0
