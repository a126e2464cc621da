"""Statistics: against hand-worked values, scipy, and their promise (coverage) in simulations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from roma_core.evals.stats import inference as stats

units = st.lists(st.integers(0, 60).map(lambda n: n / 60), min_size=2, max_size=40)


def test_standard_error_of_single_values_is_the_usual_one() -> None:
    values = [0.1, 0.5, 0.9, 0.4, 0.4]
    assert stats.standard_error(values) == pytest.approx(scipy.stats.sem(values))


def test_clustered_standard_error_by_hand() -> None:
    # mean 0.5; cluster sums of residuals +1.0 (a), -0.5 (b), -0.5 (c); factor 3/2; n = 4
    values, clusters = [1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "c"]
    assert stats.standard_error(values, clusters) == pytest.approx(math.sqrt(1.5 * (1 + 0.25 + 0.25)) / 4)


@given(units)
def test_two_copies_of_each_case_in_one_cluster_add_nothing(values: list[float]) -> None:
    doubled = [v for v in values for _ in range(2)]
    names = [i for i in range(len(values)) for _ in range(2)]
    assert stats.standard_error(doubled, names) == pytest.approx(stats.standard_error(values), abs=1e-9)


def test_one_cluster_has_no_error_to_estimate() -> None:
    assert math.isnan(stats.standard_error([0.1, 0.9], ["a", "a"]))
    found = stats.interval([0.0, 1.0], ["a", "a"])
    assert (found.low, found.high, found.clusters) == (0.0, 1.0, 1)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        stats.standard_error([1.0], ["a", "b"])
    with pytest.raises(ValueError, match="shorter"):
        stats.paired([1.0], [])


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (57, 80)])
def test_wilson_is_that_of_scipy(k: int, n: int) -> None:
    theirs = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    assert stats.wilson(k, n, scipy.stats.norm.ppf(0.975)) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_without_information_is_everything() -> None:
    assert stats.wilson(0, 0, 1.96) == (0.0, 1.0)
    assert stats.wilson(1, 2, math.inf) == (0.0, 1.0)


@given(units)
def test_an_interval_holds_its_mean_and_stays_on_its_scale(values: list[float]) -> None:
    found = stats.interval(values)
    assert 0 <= found.low <= found.mean + 1e-9 and found.mean - 1e-9 <= found.high <= 1
    grades = stats.interval([1 + 4 * v for v in values], scale=(1, 5))
    assert grades.mean == pytest.approx(1 + 4 * found.mean)
    assert (grades.low, grades.high) == pytest.approx((1 + 4 * found.low, 1 + 4 * found.high))


def test_all_right_is_not_certain() -> None:
    found = stats.interval([1.0] * 10)
    assert found.high == 1.0 and 0.6 < found.low < 0.75
    alike = stats.interval([1.0] * 10, ["a"] * 5 + ["b"] * 5)
    assert alike.low < found.low


def test_no_value_no_mean() -> None:
    found = stats.interval([])
    assert found.n == 0 and math.isnan(found.mean) and math.isnan(found.low)


def draw(rng: np.random.Generator, clusters: int, size: int) -> tuple[list[float], list[int]]:
    """Answers right or wrong, alike within a cluster (beta-binomial, intra-class correlation 1/3, mean 0.7)."""
    chances = rng.beta(1.4, 0.6, clusters)
    values = rng.random((clusters, size)) < chances[:, None]
    return values.astype(float).ravel().tolist(), np.repeat(np.arange(clusters), size).tolist()


def coverage(clusters: int, size: int, robust: bool, runs: int = 600) -> float:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(runs):
        values, names = draw(rng, clusters, size)
        found = stats.interval(values, names if robust else None)
        hits += found.low <= 0.7 <= found.high
    return hits / runs


@pytest.mark.parametrize(("clusters", "size"), [(15, 4), (40, 2), (60, 1)])
def test_clustered_intervals_cover_what_they_promise(clusters: int, size: int) -> None:
    assert 0.92 <= coverage(clusters, size, robust=True) <= 0.985


def test_ignoring_clusters_would_cover_less() -> None:
    assert coverage(15, 4, robust=False) < 0.90


@pytest.mark.parametrize("n", [20, 60])
def test_intervals_of_fractions_cover(n: int) -> None:
    rng = np.random.default_rng(11)
    runs = 600
    found = [stats.interval(rng.choice([0, 1 / 3, 2 / 3, 1], n, p=[0.1, 0.1, 0.2, 0.6]).tolist()) for _ in range(runs)]
    truth = 0.1 / 3 + 0.4 / 3 + 0.6
    assert 0.92 <= sum(f.low <= truth <= f.high for f in found) / runs <= 0.99


def test_bootstrap_covers_with_enough_clusters() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for run in range(200):
        means = rng.normal(0, 1, 40)
        values = (means[:, None] + rng.normal(0, 1, (40, 3))).ravel().tolist()
        low, high = stats.bootstrap(values, np.repeat(np.arange(40), 3).tolist(), seed=run, resamples=800)
        hits += low <= 0 <= high
    assert 0.89 <= hits / 200 <= 0.985


def test_bootstrap_is_seeded_and_of_whole_clusters() -> None:
    values, names = [1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b"]
    assert stats.bootstrap(values, names, seed=1) == stats.bootstrap(values, names, seed=1)
    assert stats.bootstrap(values, names) == (0.0, 1.0)
    assert all(math.isnan(x) for x in stats.bootstrap([]))


def test_sign_flips_are_those_of_scipy() -> None:
    differences = [0.2, -0.1, 0.4, 0.3, 0.0, 0.25, -0.05]
    theirs = scipy.stats.permutation_test(
        (np.array(differences), np.zeros(len(differences))),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert stats.sign_flip_p(differences) == pytest.approx(theirs.pvalue)


def test_sign_flips_by_hand_with_clusters() -> None:
    # cluster sums 3, 1: |±3±1| >= 4 in 2 of 4 cases
    assert stats.sign_flip_p([1.0, 2.0, 1.0], ["a", "a", "b"]) == pytest.approx(0.5)
    assert stats.sign_flip_p([0.0, 0.0]) == 1.0
    assert stats.sign_flip_p([]) == 1.0


def test_drawn_sign_flips_agree_with_all_of_them() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.15, 0.5, stats.EXACT_CLUSTERS).tolist()
    exact = stats.sign_flip_p(differences)
    padded = [*differences, *([1e-12] * 3)]  # past the exact size, with the same sums
    assert stats.sign_flip_p(padded, seed=1) == pytest.approx(exact, abs=0.02)
    assert stats.sign_flip_p(padded, seed=1) == stats.sign_flip_p(padded, seed=1)


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for run in range(300):
        means = rng.normal(0, 1, 20)
        values = (means[:, None] + rng.normal(0, 0.3, (20, 3))).ravel().tolist()
        names = np.repeat(np.arange(20), 3).tolist()
        alarms += stats.sign_flip_p(values, names, seed=run, resamples=400) < 0.05
    assert alarms / 300 <= 0.085


@given(units, units)
def test_comparing_the_other_way_round_turns_the_sign(a: list[float], b: list[float]) -> None:
    n = min(len(a), len(b))
    there, back = stats.paired(a[:n], b[:n]), stats.paired(b[:n], a[:n])
    assert there.mean == pytest.approx(-back.mean)
    assert there.p_value == pytest.approx(back.p_value, abs=0.03)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_a_paired_difference_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(30), rng.random(30)
    found = stats.paired(a.tolist(), b.tolist())
    theirs = scipy.stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.n == found.clusters == 30
    assert found.shown[1] == f"{found.low:+.3f} to {found.high:+.3f}"


def test_paired_with_too_little_to_say() -> None:
    assert math.isnan(stats.paired([], []).mean)
    one = stats.paired([0.0], [1.0])
    assert one.mean == 1.0 and math.isnan(one.low) and one.p_value == 1.0


def test_detectable_effect_by_hand_and_in_a_simulation() -> None:
    assert stats.detectable(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
    rng = np.random.default_rng(4)
    se = 1 / math.sqrt(50)
    effect = stats.detectable(se)
    found = [abs(rng.normal(effect, 1, 50).mean() / se) > 1.96 for _ in range(1500)]
    assert 0.77 <= np.mean(found) <= 0.83


def test_holm_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([]) == []
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_helps(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    for (p, a), (q, b) in itertools.combinations(zip(p_values, adjusted, strict=True), 2):
        if p < q:
            assert a <= b


def test_a_difference_without_an_interval_shows_none() -> None:
    given = {"mean": 0.0, "p_value": 1.0, "n": 1, "clusters": 1, "detectable": math.nan}
    assert stats.Difference(low=math.nan, high=math.nan, **given).shown[1] == "–"
    assert stats.Difference(low=-0.1, high=0.25, **given).shown[1] == "-0.100 to +0.250"
