"""Statistics: against hand-worked values, scipy, and their promise (coverage) in simulations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import example, given, settings
from hypothesis import strategies as st

from roma_core.evals.stats import inference as stats
from tests.sizes import examples

units = st.lists(st.integers(0, 60).map(lambda n: n / 60), min_size=2, max_size=40)


def test_standard_error_of_single_values_is_the_usual_one() -> None:
    values = [0.1, 0.5, 0.9, 0.4, 0.4]
    assert stats.standard_error(values) == pytest.approx(scipy.stats.sem(values))


def test_clustered_standard_error_by_hand() -> None:
    # mean 0.5; cluster sums of residuals +1.0 (a), -0.5 (b), -0.5 (c), divided by 1 - share (1/2, 3/4, 3/4); n = 4
    values, clusters = [1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "c"]
    assert stats.standard_error(values, clusters) == pytest.approx(math.sqrt(1 / 0.5 + 0.25 / 0.75 + 0.25 / 0.75) / 4)


def test_equal_clusters_have_the_standard_error_of_liang_and_zeger() -> None:
    values, clusters = [1.0, 1.0, 0.0, 0.5, 0.0, 0.0], ["a", "a", "b", "b", "c", "c"]
    sums = np.array([2.0, 0.5, 0.0]) - 2 * np.mean(values)
    assert stats.standard_error(values, clusters) == pytest.approx(math.sqrt(3 / 2 * np.sum(sums**2)) / 6)


def by_matrices(sizes: list[int], residuals: np.ndarray) -> tuple[float, float]:
    """CR2 variance and Bell-McCaffrey degrees of freedom for a mean, straight from their definition (OLS on ones)."""
    n = sum(sizes)
    ones = np.ones((n, 1))
    hat = ones @ ones.T / n
    starts = np.cumsum([0, *sizes])
    columns, variance = [], 0.0
    for low, high in itertools.pairwise(starts):
        values, vectors = np.linalg.eigh(np.eye(high - low) - hat[low:high, low:high])
        adjust = vectors @ np.diag(values**-0.5) @ vectors.T
        score = ones[low:high].T @ adjust / n
        variance += float((score @ residuals[low:high])[0]) ** 2
        columns.append((np.eye(n) - hat)[:, low:high] @ score.T)
    g = np.hstack(columns)
    eigenvalues = np.linalg.eigvalsh(g.T @ g)
    return variance, float(eigenvalues.sum() ** 2 / np.sum(eigenvalues**2))


@pytest.mark.parametrize("sizes", [[1] * 9, [3, 3, 3, 3], [50, *[1] * 50], [30, 18, 10, 3, 1], [2, 1]])
def test_the_standard_error_and_its_degrees_of_freedom_are_those_of_their_definition(sizes: list[int]) -> None:
    values = np.random.default_rng(3).random(sum(sizes))
    codes = np.repeat(np.arange(len(sizes)), sizes)
    variance, degrees = by_matrices(sizes, values - values.mean())
    assert stats.standard_error(values.tolist(), codes.tolist()) == pytest.approx(math.sqrt(variance), rel=1e-9)
    assert stats.ClusterDesign(tuple(sizes)).degrees == pytest.approx(degrees, rel=1e-9)


def test_effective_clusters_of_a_manual_and_twenty_leaflets() -> None:
    assert stats.ClusterDesign((60, *[2] * 20)).effective_clusters == pytest.approx(2.717, abs=1e-3)
    assert stats.ClusterDesign((5,) * 20).effective_clusters == pytest.approx(20)


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
        stats.compare_pairs([1.0], [])


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (57, 80)])
def test_wilson_is_that_of_scipy(k: int, n: int) -> None:
    theirs = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    assert stats.wilson(k, n, scipy.stats.norm.ppf(0.975)) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_is_that_of_statsmodels(k: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    theirs = proportion_confint(min(k, n), n, 0.05, method="wilson")
    assert stats.wilson(min(k, n), n, scipy.stats.norm.ppf(0.975)) == pytest.approx(theirs, abs=1e-9)


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


def test_a_mean_of_counts_is_not_below_zero() -> None:
    words = stats.interval([11.0, 45.0], scale=None)
    assert words.low == 0.0 and words.high > 200
    assert stats.interval([-1.0, 45.0], scale=None).low < 0
    assert stats.interval([7.0], scale=None).low == 0.0


UNEQUAL = {
    "equal": [5] * 20,
    "few": [10] * 10,
    "half in one": [50] + [1] * 50,
    "one manual": [60] + [2] * 20,
    "seventeen": [30, 18, 10, *[3] * 14],
}


@pytest.mark.parametrize("sizes", UNEQUAL.values(), ids=UNEQUAL)
def test_false_alarms_and_coverage_hold_with_unequal_clusters(sizes: list[int]) -> None:
    rng, codes = np.random.default_rng(2), np.repeat(np.arange(len(sizes)), sizes).tolist()
    alarms, hits, runs = 0, 0, 600
    for _ in range(runs):
        shared = rng.normal(0, 0.3, len(sizes))[codes] + rng.normal(0, 0.4, len(codes))
        found = stats.compare_pairs([0.0] * len(codes), shared.tolist(), codes, scale=None)
        alarms += found.p_value < 0.05
        hits += found.low <= 0 <= found.high
    assert alarms / runs <= 0.08 and hits / runs >= 0.92


def test_one_document_with_most_questions_does_not_shorten_the_interval() -> None:
    rng, sizes = np.random.default_rng(9), [60] + [2] * 20
    codes = np.repeat(np.arange(len(sizes)), sizes).tolist()
    hits = 0
    for _ in range(400):
        chances = rng.beta(1.4, 0.6, len(sizes))
        found = stats.interval((rng.random(len(codes)) < chances[codes]).astype(float).tolist(), codes)
        hits += found.low <= 0.7 <= found.high
    assert hits / 400 >= 0.92


@example([0.0] * 12, [1 / 60, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7 / 60, 2 / 60, 1 / 60, 0.0])
@given(units, units)
def test_comparing_the_other_way_round_turns_the_sign(a: list[float], b: list[float]) -> None:
    n = min(len(a), len(b))
    there, back = stats.compare_pairs(a[:n], b[:n]), stats.compare_pairs(b[:n], a[:n])
    assert there.mean == pytest.approx(-back.mean)
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_a_paired_difference_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(30), rng.random(30)
    found = stats.compare_pairs(a.tolist(), b.tolist())
    theirs = scipy.stats.ttest_rel(b, a)
    bounds = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert found.n == found.clusters == 30 and found.effective_clusters == pytest.approx(30)


def share_of_runs_that_hold_a_sparse_effect(sizes: list[int], effect: float, runs: int) -> float:
    """Nine of ten pairs are equal; the others differ one way or the other, alike within a cluster."""
    rng, codes = np.random.default_rng(3), np.repeat(np.arange(len(sizes)), sizes)
    gains = 0.5 + effect / 0.2
    held = 0
    for _ in range(runs):
        changed = rng.random(len(codes)) < 0.1
        alone = rng.random(len(codes)) < gains
        together = (rng.random(len(sizes)) < gains)[codes]
        gained = np.where(rng.random(len(codes)) < math.sqrt(0.2), together, alone)
        values = np.where(changed, np.where(gained, 1.0, -1.0), 0.0)
        found = stats.compare_pairs([0.0] * len(codes), values.tolist(), codes.tolist())
        held += found.low <= effect <= found.high
    return held / runs


@pytest.mark.parametrize("sizes", [[5] * 20, [1] * 100], ids=["20 x 5", "100 x 1"])
def test_the_interval_of_a_few_changes_reaches_far_enough(sizes: list[int]) -> None:
    assert share_of_runs_that_hold_a_sparse_effect(sizes, 0.09, runs=600) >= 0.945


def test_a_few_changes_leave_the_end_towards_zero_to_the_t_test() -> None:
    gains = [1.0] * 8 + [0.0] * 92
    found = stats.compare_pairs([0.0] * 100, gains)
    theirs = scipy.stats.ttest_1samp(gains, 0.0)
    bounds = theirs.confidence_interval(0.95)
    assert (found.low, found.p_value) == pytest.approx((bounds.low, theirs.pvalue), abs=1e-9)
    assert found.high > bounds.high + 0.005


def test_no_difference_is_larger_than_the_scale() -> None:
    found = stats.compare_pairs([0.0] * 9, [1.0] * 8 + [0.0])
    assert found.high == 1.0 and found.low > 0
    assert stats.compare_pairs([0.0] * 9, [1.0] * 8 + [0.0], scale=None).high > 1.0
    assert stats.compare_pairs([1.0] * 3, [5.0, 5.0, 1.0], scale=(1.0, 5.0)).high == 4.0


def test_paired_with_too_little_to_say() -> None:
    assert math.isnan(stats.compare_pairs([], []).mean)
    one = stats.compare_pairs([0.0], [1.0])
    assert one.mean == 1.0 and math.isnan(one.low) and one.p_value == 1.0


@pytest.mark.parametrize("clusters", [8, 12, 50])
def test_the_announced_effect_is_found_four_times_in_five(clusters: int) -> None:
    rng, design = np.random.default_rng(4), stats.ClusterDesign((1,) * clusters)
    effect = design.detectable(0.3 / math.sqrt(clusters))
    runs, found = 600, 0
    for _ in range(runs):
        values = rng.normal(effect, 0.3, clusters).tolist()
        found += stats.compare_pairs([0.0] * clusters, values, scale=None).is_significant
    assert 0.75 <= found / runs <= 0.85


def test_many_clusters_announce_the_effect_of_the_normal_distribution() -> None:
    assert stats.noncentrality(1e6) == pytest.approx(1.959964 + 0.841621, abs=1e-4)
    assert stats.ClusterDesign((1,) * 6).detectable(0.1) == math.inf
    assert stats.ClusterDesign((1,)).smallest_p() == 1.0


def test_a_planned_error_is_that_of_the_design() -> None:
    assert stats.ClusterDesign((1,) * 100).planned_error(0.5, 0.9) == pytest.approx(0.05)
    assert stats.ClusterDesign((10,) * 10).planned_error(0.5, 1.0) == pytest.approx(0.5 / math.sqrt(10))


@pytest.mark.parametrize(("clusters", "significant"), [(2, False), (6, False), (7, True), (40, True)])
def test_clusters_that_all_agree_are_no_certainty(clusters: int, significant: bool) -> None:
    for values in ([1.0] * clusters, [1.0 - i * 1e-4 for i in range(clusters)]):
        found = stats.compare_pairs([0.0] * clusters, values)
        assert found.is_significant is significant is (found.p_value < 0.05)
        assert found.p_value >= found.smallest_p - 1e-12


def test_where_nothing_moves_the_interval_is_not_a_point() -> None:
    few, many = stats.compare_pairs([0.5] * 12, [0.5] * 12), stats.compare_pairs([0.5] * 300, [0.5] * 300)
    assert few.p_value == many.p_value == 1.0 and few.high > 0.2 and -few.low == few.high
    assert many.high < 0.02


@settings(max_examples=examples(5, whole=10), deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert stats.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=1e-9)


@given(st.lists(st.floats(0, 1), max_size=9))
def test_the_levels_of_holm_reject_what_holm_rejects(p_values: list[float]) -> None:
    levels, adjusted = stats.holm_levels(p_values), stats.holm(p_values)
    for p, level, corrected in zip(p_values, levels, adjusted, strict=True):
        if abs(corrected - 0.05) > 1e-9:
            assert (p < level) == (corrected < 0.05)


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
