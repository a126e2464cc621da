"""Comparison of two arms that may be looked at after every observation: a test by betting, valid at all times.

Each observation belongs to an arm that a fair coin chose. Where the arms do not differ, a gambler who sees an outcome
cannot win by betting on the arm that it came from. The gambler's wealth is therefore a martingale that begins at 1, and
the chance that it ever reaches ``1 / alpha`` is at most ``alpha``, however often and whenever one looks (Ville 1939;
Shafer, "Testing by Betting", JRSS A 2021). The bets of many sizes that are made here side by side are those of
Waudby-Smith and Ramdas, "Estimating Means of Bounded Random Variables by Betting", JRSS B 2024; betting against each
possible difference gives an interval that holds at all times, too. No distribution is assumed. Pure and deterministic.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from pydantic import field_validator

from roma_core.evals.stats.inference import ALPHA
from roma_core.types import Noun
from roma_core.types.base import read_nan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Arm = Literal["a", "b"]
STAKES: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.6, 0.9)
"""Shares of the wealth that are bet, in both directions; the wealth is spread evenly over them at the beginning."""
STEPS: Final = 201
"""Differences from -1 to 1 that are bet against for the interval."""


class Observation(NamedTuple):
    """An outcome from 0 to 1 and the arm that it came from."""

    arm: Arm
    value: float


class ArmComparison(Noun):
    """B minus A with an interval and a p-value that hold however often one has looked.

    ``evidence`` is the largest wealth of the gambler so far; ``decided_after`` is the number of observations after
    which it reached ``1 / alpha`` for the first time, None where it has not.
    """

    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    evidence: float
    p_value: float
    decided_after: int | None
    confidence: float = 1 - ALPHA

    _nan = field_validator("mean_a", "mean_b", "difference", "low", "high", mode="before")(read_nan)


def compare_arms(observations: Sequence[Observation], alpha: float = ALPHA) -> ArmComparison:
    """Return the comparison of two arms by outcomes from 0 to 1, in the order in which they became known.

    >>> compare_arms([Observation("b", 1.0), Observation("a", 0.0)] * 50).decided_after is not None
    True
    """
    import numpy as np

    values: dict[Arm, list[float]] = {"a": [], "b": []}
    for observation in observations:
        values[observation.arm].append(observation.value)
    means = {arm: float(np.mean(own)) if own else math.nan for arm, own in values.items()}
    outcomes = _center(observations)
    peak = float(np.max(bet(outcomes), initial=0.0))
    low, high = _find_interval(outcomes, alpha)
    return ArmComparison(
        n_a=len(values["a"]),
        n_b=len(values["b"]),
        mean_a=means["a"],
        mean_b=means["b"],
        difference=means["b"] - means["a"],
        low=low,
        high=high,
        evidence=math.exp(min(peak, 700.0)),
        p_value=math.exp(-peak),
        decided_after=find_decision(observations, alpha),
        confidence=1 - alpha,
    )


def find_decision(observations: Sequence[Observation], alpha: float = ALPHA) -> int | None:
    """Return the number of observations after which the arms were first known to differ; None where they are not.

    >>> find_decision([Observation("b", 1.0), Observation("a", 1.0)] * 50) is None
    True
    """
    import numpy as np

    reached = np.flatnonzero(bet(_center(observations)) >= -math.log(alpha))
    return int(reached[0]) + 1 if reached.size else None


def rank_outcomes(observations: Sequence[Observation]) -> list[Observation]:
    """Return each outcome of any size as its rank among the earlier ones, from 0 to 1: for seconds and money.

    >>> [round(one.value, 2) for one in rank_outcomes([Observation("a", 3.0), Observation("b", 9.0)])]
    [0.5, 0.75]
    """
    seen: list[float] = []
    ranked: list[Observation] = []
    for arm, value in observations:
        below, up_to = bisect_left(seen, value), bisect_right(seen, value)
        ranked.append(Observation(arm, ((below + up_to) / 2 + 0.5) / (len(seen) + 1)))
        insort(seen, value)
    return ranked


def bet(outcomes: NDArray[np.float64], difference: float = 0.0) -> NDArray[np.float64]:
    """Return the logarithm of the wealth after each outcome, from bets against a mean of ``difference``."""
    import numpy as np

    stakes = np.array([sign * stake for sign in (-1, 1) for stake in STAKES])
    gains = (outcomes - difference) / (2 + abs(difference))
    logs: NDArray[np.float64] = np.cumsum(np.log1p(np.outer(gains, stakes)), axis=0)
    if not len(logs):
        return np.zeros(0)
    peaks = logs.max(axis=1)
    mixed: NDArray[np.float64] = peaks + np.log(np.exp(logs - peaks[:, None]).mean(axis=1))
    return mixed


def _center(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """Return for each observation a value from -2 to 2 whose mean, given all before it, is B minus A.

    The outcome counts from the mean of the earlier ones, which the coin knows nothing of; that takes out most of its
    variance.
    """
    import numpy as np

    values = np.array([observation.value for observation in observations], dtype=float)
    if np.any((values < 0) | (values > 1) | np.isnan(values)):
        raise ValueError("Outcomes are numbers from 0 to 1; see rank_outcomes for others.")
    signs = np.array([1.0 if observation.arm == "b" else -1.0 for observation in observations])
    earlier = np.concatenate([[0.0], np.cumsum(values)])[:-1] if len(values) else values
    centers = (0.5 + earlier) / (1 + np.arange(len(values)))
    centered: NDArray[np.float64] = 2 * signs * (values - centers)
    return centered


def _find_interval(outcomes: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """Return the least and the largest difference that no gambler has ruined so far."""
    import numpy as np

    limit = -math.log(alpha)
    differences = np.linspace(-1, 1, STEPS)
    left = [float(d) for d in differences if np.max(bet(outcomes, float(d)), initial=0.0) < limit]
    if not left:
        mean = float(outcomes.mean())
        return mean, mean
    return left[0], left[-1]
