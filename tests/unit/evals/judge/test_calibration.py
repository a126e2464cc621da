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


def test_a_perfect_judge_is_not_corrected() -> None:
    known = c.confusion([True] * 5000 + [False] * 5000, [True] * 5000 + [False] * 5000)
    found = c.corrected_rate(6000, 10000, known)
    assert found.mean == pytest.approx(0.6, abs=0.001) and found.high - found.low < 0.025


def test_the_correction_of_rogan_and_gladen_by_hand() -> None:
    # sensitivity 0.9, specificity 0.8: a true rate of 0.5 is seen as 0.55
    known = c.Confusion(true_positive=9000, false_negative=1000, true_negative=8000, false_positive=2000)
    assert c.corrected_rate(5500, 10000, known).mean == pytest.approx(0.5, abs=0.002)


def test_a_judge_no_better_than_chance_says_nothing() -> None:
    known = c.Confusion(true_positive=5, false_negative=5, true_negative=5, false_positive=5)
    found = c.corrected_rate(90, 100, known)
    assert math.isnan(found.mean) and (found.low, found.high) == (0.0, 1.0)


def covered(runs: int, once: Callable[[np.random.Generator], bool]) -> float:
    rng = np.random.default_rng(9)
    return sum(once(rng) for _ in range(runs)) / runs


def test_corrected_rates_cover_what_they_promise() -> None:
    def once(rng: np.random.Generator) -> bool:
        tp, tn = int(rng.binomial(60, 0.9)), int(rng.binomial(40, 0.75))
        known = c.Confusion(true_positive=tp, false_negative=60 - tp, true_negative=tn, false_positive=40 - tn)
        seen = int(rng.binomial(300, 0.7 * 0.9 + 0.3 * 0.25))
        found = c.corrected_rate(seen, 300, known)
        return found.low <= 0.7 <= found.high

    assert 0.93 <= covered(1500, once) <= 0.99


def judged(rng: np.random.Generator, n: int, noise: float) -> tuple[list[float], list[float]]:
    people = rng.normal(3.5, 1, n)
    return people.tolist(), (people + 0.6 + rng.normal(0, noise, n)).tolist()


def test_prediction_powered_means_cover_and_are_shorter_than_people_alone() -> None:
    widths: list[float] = []

    def once(rng: np.random.Generator) -> bool:
        people, judge = judged(rng, 60, noise=0.4)
        _, alone = judged(rng, 1000, noise=0.4)
        found = c.prediction_powered_mean(people, judge, alone)
        widths.append((found.high - found.low) / (2 * 1.96 / math.sqrt(60)))
        return found.low <= 3.5 <= found.high

    assert 0.92 <= covered(600, once) <= 0.975
    assert np.mean(widths) < 0.55


def test_a_useless_judge_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    people = rng.normal(3, 1, 200).tolist()
    found = c.prediction_powered_mean(people, [4.0] * 200, [4.0] * 1000)
    assert found.mean == pytest.approx(np.mean(people))
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.std(people, ddof=1) / math.sqrt(200), rel=1e-3)


def test_without_more_answers_the_people_decide() -> None:
    found = c.prediction_powered_mean([1.0, 5.0, 5.0], [2.0, 4.0, 5.0], [])
    assert found.mean == pytest.approx(11 / 3) and 1 <= found.low <= found.high <= 5
    assert c.prediction_powered_mean([3.0, 3.0], [3.0, 3.0], []).mean == 3.0
    with pytest.raises(ValueError, match="at least two"):
        c.prediction_powered_mean([1.0], [1.0], [2.0])


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
