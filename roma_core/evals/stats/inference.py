"""Statistics to decide by: intervals and tests that know that questions come in clusters.

Questions about one document, or turns of one conversation, succeed and fail together; treating them as independent
makes intervals too short (Miller, "Adding Error Bars to Evals", arXiv:2411.00640, 2024). Everything here is pure and
deterministic; what draws random numbers takes a seed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from roma_core.types import Noun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
POWER = 0.8
RESAMPLES = 10_000
NO_VARIANCE = 1e-9
"""Standard errors below this are rounding, not variance."""
EXACT_CLUSTERS = 13
"""Up to this many clusters all 2**n sign flips are tried, which is fewer than ``RESAMPLES``."""


class Interval(Noun):
    """An estimate with its confidence interval. ``n`` values in ``clusters`` clusters; NaN when ``n`` is 0."""

    mean: float
    low: float
    high: float
    n: int
    clusters: int
    confidence: float = CONFIDENCE


class Difference(Noun):
    """B minus A over the cases that both have, with a two-sided p-value of "no difference"."""

    mean: float
    low: float
    high: float
    p_value: float
    n: int
    clusters: int
    detectable: float
    """Smallest true difference that a run of this size finds with ``POWER`` at 5 % (two-sided)."""

    @property
    def shown(self) -> tuple[float, str, float]:
        """Difference, interval and detectable effect, for a table."""
        known = not (math.isnan(self.low) or math.isnan(self.high))  # one cluster has no spread
        return self.mean, f"{self.low:+.3f} to {self.high:+.3f}" if known else "–", self.detectable


@dataclass(frozen=True)
class _Clustered:
    """Values with the number of their cluster (0..clusters-1)."""

    values: Floats
    codes: NDArray[np.intp]
    clusters: int

    @property
    def sums(self) -> Floats:
        import numpy as np

        return np.bincount(self.codes, weights=self.values, minlength=self.clusters).astype(np.float64)


def _clustered(values: Sequence[float], clusters: Sequence[Hashable] | None) -> _Clustered:
    import numpy as np

    names = list(range(len(values))) if clusters is None else list(clusters)
    if len(names) != len(values):
        raise ValueError("values and clusters differ in length")
    index = {name: i for i, name in enumerate(dict.fromkeys(names))}
    codes = np.fromiter((index[n] for n in names), dtype=np.intp, count=len(names))
    return _Clustered(np.asarray(values, dtype=np.float64), codes, len(index))


def standard_error(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> float:
    """Cluster-robust standard error of the mean (Liang & Zeger 1986), with the factor G/(G-1) for G clusters.

    With clusters of one it is the usual s/sqrt(n). NaN below two clusters.
    """
    import numpy as np

    data = _clustered(values, clusters)
    if data.clusters < 2:
        return math.nan
    centred = _Clustered(data.values - data.values.mean(), data.codes, data.clusters)
    factor = data.clusters / (data.clusters - 1)
    return float(np.sqrt(factor * np.sum(centred.sums**2))) / len(data.values)


@cache
def quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of Student's t; infinite below one degree of freedom."""
    from scipy.stats import t

    return float(t.ppf((1 + confidence) / 2, degrees)) if degrees >= 1 else math.inf


def wilson(successes: float, n: float, z: float) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, JASA 1927). ``n`` may be an effective sample size."""
    if n <= 0 or math.isinf(z):
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    scale: tuple[float, float] | None = (0.0, 1.0),
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of values with a confidence interval that stays on their scale; without a scale, Student's t.

    Wilson's interval on the effective sample size n_eff = p(1-p)/se², se cluster-robust and t with G-1 degrees of
    freedom (Korn & Graubard, Survey Methodology 1998; Dean & Pagano, J. Off. Stat. 2015). For independent 0/1 values
    this is Wilson's own interval up to t for z. Where all values agree there is no variance to estimate: each cluster
    counts as one draw.
    """
    n = len(values)
    if n == 0:
        return Interval(mean=math.nan, low=math.nan, high=math.nan, n=0, clusters=0, confidence=confidence)
    if scale is None:
        return _unbounded_interval(values, clusters, confidence)
    low, high = scale
    unit = [(v - low) / (high - low) for v in values]
    groups = len(set(clusters)) if clusters is not None else n
    p = math.fsum(unit) / n
    se = standard_error(unit, clusters)
    size = p * (1 - p) / se**2 if se > NO_VARIANCE else float(groups)
    left, right = wilson(p * size, size, quantile(groups - 1, confidence))
    back = [low + (high - low) * x for x in (p, left, right)]
    return Interval(mean=back[0], low=back[1], high=back[2], n=n, clusters=groups, confidence=confidence)


def _unbounded_interval(values: Sequence[float], clusters: Sequence[Hashable] | None, confidence: float) -> Interval:
    groups = len(set(clusters)) if clusters is not None else len(values)
    mean = math.fsum(values) / len(values)
    half = quantile(groups - 1, confidence) * standard_error(values, clusters) if groups > 1 else math.inf
    return Interval(mean=mean, low=mean - half, high=mean + half, n=len(values), clusters=groups, confidence=confidence)


def bootstrap(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile interval of the mean under a bootstrap of whole clusters (Davison & Hinkley 1997, ch. 3.8).

    For statistics on scales without bounds; too short below some 20 clusters, where ``interval`` is to be used.
    """
    import numpy as np

    data = _clustered(values, clusters)
    if data.clusters == 0:
        return math.nan, math.nan
    sizes = np.bincount(data.codes, minlength=data.clusters)
    draws = np.random.default_rng(seed).integers(0, data.clusters, (resamples, data.clusters))
    means = data.sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def sign_flip_p(
    differences: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p-value of mean 0 when each cluster's differences may all change sign (Fisher 1935).

    Exact up to ``EXACT_CLUSTERS`` clusters; else ``resamples`` draws, counted as (b + 1) / (m + 1) (Phipson & Smyth,
    Stat. Appl. Genet. Mol. Biol. 2010).
    """
    import numpy as np

    data = _clustered(differences, clusters)
    sums = data.sums[data.sums != 0]
    if len(sums) == 0:
        return 1.0
    if exact := len(sums) <= EXACT_CLUSTERS:
        signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
    else:
        signs = np.random.default_rng(seed).choice(np.array([-1, 1]), (resamples, len(sums)))
    extreme = int(np.sum(np.abs(signs @ sums) >= abs(sums.sum()) * (1 - 1e-12)))
    return extreme / len(signs) if exact else (extreme + 1) / (len(signs) + 1)


def detectable(se: float, power: float = POWER, confidence: float = CONFIDENCE) -> float:
    """Minimum detectable effect of a two-sided z-test: (z_{1-α/2} + z_power) · se (Bloom 1995)."""
    normal = NormalDist()
    return (normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)) * se


def paired(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[Hashable] | None = None, seed: int = 0
) -> Difference:
    """Second minus first, case by case: cluster-robust t interval, sign-flip p-value, detectable effect.

    Raises ``ValueError`` when the two differ in length.
    """
    differences = [b - a for a, b in zip(first, second, strict=True)]
    n = len(differences)
    groups = len(set(clusters)) if clusters is not None else n
    mean = math.fsum(differences) / n if n else math.nan
    se = standard_error(differences, clusters)
    half = quantile(groups - 1) * se if groups > 1 else math.nan
    return Difference(
        mean=mean,
        low=mean - half,
        high=mean + half,
        p_value=sign_flip_p(differences, clusters, seed),
        n=n,
        clusters=groups,
        detectable=detectable(se),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for how many were looked at (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
