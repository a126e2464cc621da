"""The test that may be looked at after every observation: how often it errs, what it finds, and its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from roma_core.evals.stats.sequential import Observation, compare_arms, find_decision, rank_outcomes
from tests.sizes import examples

PEEKED = 400
"""Observations of a simulated trial; each is looked at as soon as it is known."""
SIMULATED = examples(150, whole=600)


def simulate(rng: np.random.Generator, rate_a: float, rate_b: float, n: int = PEEKED) -> list[Observation]:
    """A trial in which thumbs are up at these rates."""
    arms = ["b" if coin else "a" for coin in rng.integers(0, 2, n)]
    return [Observation(arm, float(rng.random() < (rate_b if arm == "b" else rate_a))) for arm in arms]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_trial_without_a_difference_is_rarely_decided_however_often_one_looks(rate: float) -> None:
    rng = np.random.default_rng(round(rate * 10))
    decided = sum(find_decision(simulate(rng, rate, rate)) is not None for _ in range(SIMULATED))
    assert decided <= 0.05 * SIMULATED


@pytest.mark.slow
def test_seconds_with_a_long_tail_err_as_rarely() -> None:
    rng = np.random.default_rng(4)
    decided = 0
    for _ in range(SIMULATED):
        arms = ["b" if coin else "a" for coin in rng.integers(0, 2, PEEKED)]
        seconds = [Observation(arm, float(value)) for arm, value in zip(arms, rng.lognormal(1, 2, PEEKED), strict=True)]
        decided += find_decision(rank_outcomes(seconds)) is not None
    assert decided <= 0.05 * SIMULATED


def test_an_ordinary_test_that_is_looked_at_as_often_errs_much_more() -> None:
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        trial = simulate(rng, 0.5, 0.5)
        signs = np.array([1.0 if one.arm == "b" else -1.0 for one in trial])
        values = np.array([one.value for one in trial])
        numbers = np.arange(1, len(trial) + 1)
        b, a = np.cumsum(values * (signs > 0)), np.cumsum(values * (signs < 0))
        n_b, n_a = np.cumsum(signs > 0), np.cumsum(signs < 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (b / n_b - a / n_a) / np.sqrt(0.25 / n_b + 0.25 / n_a)
        wrong += bool(np.any(np.abs(z[numbers > 30]) > 1.96))
    assert wrong > 15, "this is what the test by betting is for"


def test_a_real_difference_is_found_in_its_direction() -> None:
    rng = np.random.default_rng(6)
    found = [compare_arms(simulate(rng, 0.55, 0.8, 800)) for _ in range(12)]
    assert sum(one.decided_after is not None for one in found) >= 10
    assert all(one.low > 0 and one.p_value <= 0.05 for one in found if one.decided_after is not None)
    worse = compare_arms(simulate(rng, 0.9, 0.4, 800))
    assert worse.decided_after is not None and worse.high < 0 and worse.difference < 0


def test_the_interval_holds_the_truth_at_all_times() -> None:
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(30):
        trial = compare_arms(simulate(rng, 0.6, 0.7))
        missed += not trial.low <= 0.1 <= trial.high
    assert missed <= 2


def test_one_look_more_changes_nothing_that_was_known() -> None:
    trial = simulate(np.random.default_rng(8), 0.3, 0.9)
    whole = compare_arms(trial)
    assert whole.decided_after is not None
    then = compare_arms(trial[: whole.decided_after])
    assert then.decided_after == whole.decided_after
    assert compare_arms(trial[: whole.decided_after - 1]).decided_after is None


def test_a_trial_without_observations_says_nothing() -> None:
    empty = compare_arms([])
    assert (empty.low, empty.high, empty.p_value, empty.decided_after) == (-1.0, 1.0, 1.0, None)
    assert math.isnan(empty.difference) and compare_arms([Observation("a", 1.0)]).n_b == 0


def test_outcomes_of_other_sizes_are_refused_and_ranks_of_them_are_not() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        compare_arms([Observation("a", 3.0)])
    ranks = rank_outcomes([Observation("a", value) for value in (5.0, 5.0, 1.0, 9.0)])
    assert [one.value for one in ranks] == [0.5, 0.5, pytest.approx(1 / 6), 0.875]
