"""Calibration: published examples, scikit-learn, and what the corrections promise in simulations."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.evals.judge import calibration as c

metrics = pytest.importorskip("sklearn.metrics")
grades = st.lists(st.integers(1, 5), min_size=2, max_size=30)


@given(grades, st.randoms(use_true_random=False), st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_is_that_of_scikit_learn(a: list[int], random: object, weights: c.Weights) -> None:
    b = [min(5, max(1, x + random.randint(-1, 1))) for x in a]  # type: ignore[attr-defined]
    ours = c.cohen_kappa(a, b, weights)
    if math.isnan(ours):
        assert len({*a, *b}) == 1
    else:
        theirs = metrics.cohen_kappa_score(a, b, weights=None if weights == "none" else weights)
        assert ours == pytest.approx(theirs)


NAN = None
SCALE = (1.0, 5.0)
KRIPPENDORFF = [  # the example of Krippendorff 2011 with four raters, twelve units and gaps
    [1, 1, NAN, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [NAN, 5, 5, 5], [NAN, NAN, 1, 1], [NAN, NAN, 3, NAN],
]  # fmt: skip


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level: c.Level, alpha: float) -> None:
    assert c.krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(alpha, abs=5e-4)


def test_alpha_without_anything_to_compare() -> None:
    assert math.isnan(c.krippendorff_alpha([[1, None], [None, 2]]))
    assert math.isnan(c.krippendorff_alpha([[3, 3], [3, 3]]))
    assert math.isnan(c.krippendorff_alpha([]))
    assert c.krippendorff_alpha([[1, 1], [5, 5]]) == 1.0


def test_a_calibration_by_hand() -> None:
    found = c.calibrate([5, 4, 2, 1], [5, 3, 4, 1], threshold=4)
    assert (found.n, found.exact, found.within_one, found.bias) == (4, 0.5, 0.75, 0.25)
    assert found.passed == c.Confusion(true_positive=1, false_negative=1, true_negative=1, false_positive=1)
    assert found.passed.sensitivity == found.passed.specificity == 0.5
    with pytest.raises(ValueError, match="nothing to calibrate"):
        c.calibrate([], [], 4)
    assert math.isnan(c.confusion([True], [True]).specificity)


def known(sensitivity: float, specificity: float, n: int) -> list[c.LabelledGrade]:
    """Labels of ``n`` good and ``n`` bad answers, each in a cluster of its own, with exactly these shares."""
    labels = []
    for index in range(n):
        labels.append(c.LabelledGrade(person=5, judge=5 if index < sensitivity * n else 1, cluster=f"g{index}"))
        labels.append(c.LabelledGrade(person=1, judge=1 if index < specificity * n else 5, cluster=f"b{index}"))
    return labels


def grades_of(share: float, n: int) -> list[float]:
    return [5.0 if index < share * n else 1.0 for index in range(n)]


def test_a_perfect_judge_is_not_corrected() -> None:
    found = c.corrected_rate(grades_of(0.6, 4000), range(4000), known(1.0, 1.0, 2000))
    assert found.mean == pytest.approx(0.6, abs=0.002) and found.high - found.low < 0.04


def test_the_correction_of_rogan_and_gladen_by_hand() -> None:
    # sensitivity 0.9, specificity 0.8: a true rate of 0.5 is seen as 0.55
    found = c.corrected_rate(grades_of(0.55, 4000), range(4000), known(0.9, 0.8, 2000))
    assert found.mean == pytest.approx(0.5, abs=0.003)


def test_a_judge_no_better_than_chance_says_nothing() -> None:
    found = c.corrected_rate(grades_of(0.9, 100), range(100), known(0.5, 0.5, 10))
    assert math.isnan(found.mean) and (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize("person", [1.0, 5.0])
def test_labels_of_one_kind_correct_nothing(person: float) -> None:
    labels = [c.LabelledGrade(person=person, judge=person, cluster=str(i)) for i in range(50)]
    found = c.corrected_rate(grades_of(0.9, 100), range(100), labels)
    assert math.isnan(found.mean) and (found.low, found.high) == (0.0, 1.0)


def covered(runs: int, once: Callable[[np.random.Generator], bool]) -> float:
    rng = np.random.default_rng(9)
    return sum(once(rng) for _ in range(runs)) / runs


def draw_answers(rng: np.random.Generator, clusters: int, size: int, rate: float) -> tuple[np.ndarray, list[str]]:
    """Good or bad answers, alike within a cluster by 0.3 (beta-binomial) unless each is alone."""
    odds = (1 - 0.3) / 0.3
    shares = rng.beta(rate * odds, (1 - rate) * odds, clusters) if size > 1 else np.full(clusters, rate)
    names = [f"d{number}" for number in range(clusters) for _ in range(size)]
    return (rng.random((clusters, size)) < shares[:, None]).ravel(), names


def judge_answers(rng: np.random.Generator, good: np.ndarray) -> np.ndarray:
    """Grades of a judge with sensitivity 0.9 and specificity 0.8."""
    return np.where(np.where(good, rng.random(len(good)) < 0.9, rng.random(len(good)) >= 0.8), 5.0, 1.0)


@pytest.mark.parametrize(("clusters", "size"), [(200, 1), (40, 5), (10, 20)])
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_corrected_rates_cover_the_truth_also_with_clusters(clusters: int, size: int, rate: float) -> None:
    def once(rng: np.random.Generator) -> bool:
        good, names = draw_answers(rng, 40, 5, rate)
        labels = [
            c.LabelledGrade(person=5.0 if is_good else 1.0, judge=grade, cluster=name)
            for is_good, grade, name in zip(good, judge_answers(rng, good), names, strict=True)
        ]
        answers, groups = draw_answers(rng, clusters, size, rate)
        found = c.corrected_rate(judge_answers(rng, answers).tolist(), groups, labels)
        return found.low <= rate <= found.high

    assert covered(200, once) >= 0.94 - 3 * math.sqrt(0.94 * 0.06 / 200) + 0.03


@pytest.mark.parametrize("labels", [(20, 5), (50, 1)])
def test_corrected_means_cover_the_truth_near_the_end_of_the_scale(labels: tuple[int, int]) -> None:
    rate = 0.95

    def once(rng: np.random.Generator) -> bool:
        good, names = draw_answers(rng, *labels, rate)
        known = [
            c.LabelledGrade(person=5.0 if is_good else 1.0, judge=grade, cluster=name)
            for is_good, grade, name in zip(good, judge_answers(rng, good), names, strict=True)
        ]
        answers, groups = draw_answers(rng, 10, 20, rate)
        found = c.prediction_powered_mean(known, judge_answers(rng, answers).tolist(), groups, SCALE)
        return found.low <= 1 + 4 * rate <= found.high

    assert covered(200, once) >= 0.94 - 3 * math.sqrt(0.94 * 0.06 / 200)


def judged(rng: np.random.Generator, n: int, noise: float) -> list[c.LabelledGrade]:
    people = np.clip(rng.normal(3.5, 0.7, n), 1, 5)
    judge = people + 0.3 + rng.normal(0, noise, n)
    return [
        c.LabelledGrade(person=p, judge=j, cluster=str(i)) for i, (p, j) in enumerate(zip(people, judge, strict=True))
    ]


def test_prediction_powered_means_cover_and_are_shorter_than_people_alone() -> None:
    widths: list[float] = []
    truth = float(np.mean(np.clip(np.random.default_rng(1).normal(3.5, 0.7, 400_000), 1, 5)))

    def once(rng: np.random.Generator) -> bool:
        alone = [pair.judge for pair in judged(rng, 600, 0.3)]
        found = c.prediction_powered_mean(judged(rng, 60, 0.3), alone, range(600), SCALE)
        widths.append((found.high - found.low) / (2 * 1.96 * 0.69 / math.sqrt(60)))
        return found.low <= truth <= found.high

    assert 0.91 <= covered(300, once) <= 0.985
    assert np.mean(widths) < 0.65


def test_a_useless_judge_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    people = np.clip(rng.normal(3, 0.5, 200), 1, 5).tolist()
    labels = [c.LabelledGrade(person=p, judge=4.0, cluster=str(i)) for i, p in enumerate(people)]
    found = c.prediction_powered_mean(labels, [4.0] * 1000, range(1000), SCALE)
    assert found.mean == pytest.approx(np.mean(people))
    assert found.high - found.low == pytest.approx(2 * 1.972 * np.std(people, ddof=1) / math.sqrt(200), rel=1e-3)


def test_without_more_answers_the_people_decide() -> None:
    labels = [c.LabelledGrade(person=p, judge=j) for p, j in ((1.0, 2.0), (5.0, 4.0), (5.0, 5.0))]
    found = c.prediction_powered_mean(labels, [], [], SCALE)
    assert found.mean == pytest.approx(11 / 3) and 1 <= found.low <= found.high <= 5
    with pytest.raises(ValueError, match="at least two"):
        c.prediction_powered_mean(labels[:1], [2.0], ["x"], SCALE)


def test_people_agree_with_people_on_published_ratings(shared_dir: Callable[[str], Path]) -> None:
    path = shared_dir("data") / "mtrag_human" / "judge.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rated = [json.loads(line)["annotations"]["faithfulness"] for line in lines]
    units = [[float(grade) for grade in unit.values()] for unit in rated]
    assert len(units) >= 400 and all(len(unit) >= 2 for unit in units)
    alpha = c.krippendorff_alpha(units, "ordinal")
    assert 0.05 < alpha < 0.9
    first, second = [unit[0] for unit in units], [unit[1] for unit in units]
    found = c.calibrate(first, second, threshold=3)
    assert found.within_one > 0.8 and found.passed.sensitivity > 0.8
