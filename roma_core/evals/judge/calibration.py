"""Trust in a judge: its agreement with people, and estimates that its errors no longer bias.

Pure functions over grades. A judge is a measuring instrument: it is calibrated on answers that people graded, then
what it says about the rest is corrected by what was learnt there, with intervals that pay for the correction. Answers
about one document, graded or corrected, are alike: every variance knows the clusters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from roma_core.evals.judge.model import PASS_GRADE
from roma_core.evals.stats.inference import CONFIDENCE, NO_VARIANCE, ClusteredMean, Interval, interval, quantile, wilson
from roma_core.types import Noun

FEW_OF_A_KIND = 10
"""Below so many labelled clusters of the rarer kind their spread is not taken for all the spread there is."""
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


class LabelledGrade(Noun):
    """One answer that a person and the judge graded; answers of one ``cluster`` are alike."""

    person: float
    judge: float
    cluster: str = ""


@dataclass(frozen=True)
class _Share:
    """A share with the number of independent answers that say as much (Kish), and one more answer of each kind."""

    value: float
    n: float
    degrees: float

    @classmethod
    def of(cls, passes: Sequence[bool], clusters: Sequence[Hashable], added: float) -> _Share:
        """Return the share of ``passes``; ``added`` answers of each kind keep it off its ends."""
        estimate = ClusteredMean.of([float(each) for each in passes], clusters)
        p, se = estimate.mean, estimate.standard_error
        size = float(len(passes))
        # Clusters never count as more answers than they hold: a likeness below 0 is noise.
        if se > NO_VARIANCE and 0 < p < 1:
            size = min(size, p * (1 - p) / se**2)
        elif len(passes) > 1 and estimate.design.clusters == 1:
            size = 1.0  # how alike answers of one cluster are cannot be seen
        return cls((p * size + added) / (size + 2 * added), size + 2 * added, estimate.design.degrees)

    @property
    def variance(self) -> float:
        """Variance of the share."""
        return self.value * (1 - self.value) / self.n


def corrected_rate(
    grades: Sequence[float],
    clusters: Sequence[Hashable],
    known: Sequence[LabelledGrade],
    threshold: float = PASS_GRADE,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the true pass rate behind a judge's grades, given how it did on answers that people graded.

    Estimate of Rogan & Gladen (Am. J. Epidemiol. 1978), interval of Lang & Reiczigel (Prev. Vet. Med. 2014), which
    also counts the uncertainty of sensitivity and specificity; each share counts as many answers as its clusters leave
    (Korn & Graubard 1998), with Student's t. 0..1 when the judge does no better than chance, or when people passed, or
    failed, every answer.
    """
    good = [label for label in known if label.person >= threshold]
    bad = [label for label in known if label.person < threshold]
    facts = {"n": len(grades), "clusters": len(set(clusters)), "confidence": confidence}
    nothing = Interval(mean=math.nan, low=0.0, high=1.0, **facts)
    if not good or not bad or not grades:
        return nothing
    sensitivity = _Share.of([g.judge >= threshold for g in good], [g.cluster for g in good], 1.0)
    specificity = _Share.of([g.judge < threshold for g in bad], [g.cluster for g in bad], 1.0)
    t = quantile(ClusteredMean.of([0.0] * len(grades), clusters).design.degrees, confidence)
    t = min(t, quantile(2.0, confidence))
    rate = _Share.of([grade >= threshold for grade in grades], clusters, t * t / 2)
    youden = sensitivity.value + specificity.value - 1
    if youden <= 0:
        return nothing
    estimate = (rate.value + specificity.value - 1) / youden
    shift = 2 * t * t * (estimate * sensitivity.variance - (1 - estimate) * specificity.variance)
    spread = rate.variance + estimate**2 * sensitivity.variance + (1 - estimate) ** 2 * specificity.variance
    half = t * math.sqrt(spread) / youden
    bounds = [min(1.0, max(0.0, x)) for x in (estimate, estimate + shift - half, estimate + shift + half)]
    return Interval(mean=bounds[0], low=bounds[1], high=bounds[2], **facts)


def prediction_powered_mean(
    known: Sequence[LabelledGrade],
    grades: Sequence[float],
    clusters: Sequence[Hashable],
    scale: tuple[float, float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the mean grade that people would give, from few answers graded by both and ``grades`` of the judge alone.

    Prediction-powered inference (Angelopoulos et al., Science 2023) with the weight λ of PPI++ (arXiv:2311.01453): a
    useless judge gets λ = 0 and the result is the mean of the people's grades. Variances are clustered (CR2), with
    Satterthwaite's degrees of freedom; the interval is Wilson's on the effective number of answers, since grades near
    the end of their scale are skewed. Where labels hold few answers of the rare kind, what they have not shown yet
    counts too (``_add_unseen``). Raises ``ValueError`` below two labelled answers.
    """
    if len(known) < 2:
        raise ValueError("at least two answers must be graded by people and by the judge")
    people, judge = [label.person for label in known], [label.judge for label in known]
    of_known: list[Hashable] = [label.cluster or index for index, label in enumerate(known)]
    if not grades:
        return interval(people, of_known, scale, confidence)
    n, alone = len(known), len(grades)
    spread = _covariance(judge, judge)
    weight = _covariance(people, judge) / ((1 + n / alone) * spread) if spread else 0.0
    weight = min(1.0, max(0.0, weight))
    residuals = [y - weight * f for y, f in zip(people, judge, strict=True)]
    rest, rate = ClusteredMean.of(residuals, of_known), ClusteredMean.of(list(grades), clusters)
    low, high = scale
    mean = weight * rate.mean + rest.mean
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    of_rest = rest.standard_error**2
    if min(share, 1 - share) * rest.design.effective_clusters < FEW_OF_A_KIND:
        ends = [end - weight * math.fsum(judge) / n for end in scale]
        of_rest = max(of_rest, _add_unseen(residuals, of_known, ends))
    parts = [(of_rest, rest.design.degrees), (weight**2 * rate.standard_error**2, rate.design.degrees)]
    parts = [(variance, degrees) for variance, degrees in parts if variance > NO_VARIANCE**2]
    variance = math.fsum(variance for variance, _ in parts)
    degrees = variance**2 / math.fsum(v**2 / d for v, d in parts) if parts else rest.design.degrees
    is_inside = bool(parts) and 0 < share < 1
    size = share * (1 - share) * (high - low) ** 2 / variance if is_inside else rest.design.effective_clusters
    bounds = wilson(share * size, size, quantile(degrees, confidence))
    return Interval(
        mean=mean,
        low=low + (high - low) * bounds[0],
        high=low + (high - low) * bounds[1],
        n=n + alone,
        clusters=len(set(clusters)),
        confidence=confidence,
    )


def _add_unseen(residuals: Sequence[float], clusters: Sequence[Hashable], ends: Sequence[float]) -> float:
    """Return the variance of the mean of ``residuals`` with one more cluster at each end of the scale.

    Ninety-five good answers of a hundred may all stand among the labels: their spread is then 0 and says nothing. A new
    cluster counts as the root of the mean size of a cluster: halfway between answers that are alike and that are not.
    """
    estimate = ClusteredMean.of(residuals, clusters)
    size = max(1, round(math.sqrt(estimate.design.n / estimate.design.clusters)))
    added = [end for end in ends for _ in range(size)]
    names = [("end", index) for index, _ in enumerate(ends) for _ in range(size)]
    wider = ClusteredMean.of([*residuals, *added], [*clusters, *names])
    return (wider.standard_error * (len(residuals) + len(added)) / len(residuals)) ** 2


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the sample covariance; 0 below two values."""
    n = len(a)
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    return math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (n - 1) if n > 1 else 0.0
