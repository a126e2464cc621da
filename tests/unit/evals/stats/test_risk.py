"""Learn then Test: the threshold that is chosen keeps the promised share of wrong answers."""

import random

import pytest

from roma_core.evals.stats.risk import (
    LabelledAnswer,
    control_risk,
    find_tail,
    find_upper_bound,
    make_grid,
    trace_curve,
)

GRID = make_grid(0.0, 10.0, steps=40)


def answer(evidence: float | None, *, is_wrong: bool, is_answer: bool = True) -> LabelledAnswer:
    return LabelledAnswer(kind="open", evidence=evidence, is_answer=is_answer, is_wrong=is_wrong)


def draw_answers(n: int, rng: random.Random) -> list[LabelledAnswer]:
    """Draw answers that are wrong with a probability of 0.4 at evidence 0, falling to 0 at evidence 8."""
    scores = [rng.uniform(0, 10) for _ in range(n)]
    return [answer(score, is_wrong=rng.random() < max(0.0, 0.4 - score / 20)) for score in scores]


def find_true_risk(threshold: float) -> float:
    """Return the mean of max(0, 0.4 - x/20) over x from ``threshold`` to 10."""
    held = min(threshold, 8.0)
    return (8.0 - held) ** 2 / 40 / (10 - threshold)


@pytest.mark.parametrize(("risk", "n"), [(0.05, 400), (0.1, 200), (0.15, 100)])
def test_the_promise_is_broken_in_no_more_than_its_share_of_the_samples(risk: float, n: int) -> None:
    rng = random.Random(7)
    broken = found = 0
    for _ in range(120):
        threshold = control_risk(draw_answers(n, rng), GRID, risk).threshold
        if threshold is not None:
            found += 1
            broken += find_true_risk(threshold) > risk
    assert broken <= 0.05 * 120
    assert found > 40


def test_the_risk_that_could_be_kept_instead_is_kept() -> None:
    rng = random.Random(11)
    broken = 0
    for _ in range(100):
        control = control_risk(draw_answers(60, rng), GRID, 0.02)
        assert control.threshold is None
        broken += find_true_risk(control.reachable_from) > control.reachable
    assert broken <= 0.05 * 100


def test_more_labels_answer_more_questions() -> None:
    rng = random.Random(1)
    few, many = (control_risk(draw_answers(n, rng), GRID).point.coverage for n in (200, 4000))
    assert many > few


def test_a_risk_that_no_threshold_keeps_is_refused_with_the_one_that_could_be_kept() -> None:
    half_wrong = [answer(i % 10, is_wrong=i % 20 < 10) for i in range(400)]
    control = control_risk(half_wrong, GRID)
    assert control.threshold is None
    assert 0.5 < control.reachable < 0.65
    assert control_risk(half_wrong, GRID, control.reachable).threshold == control.reachable_from
    assert "no threshold keeps 5 %" in control.words
    assert f"{control.reachable * 100:.3g} % can be kept" in control.words


def test_too_few_questions_promise_nothing_even_without_a_wrong_answer() -> None:
    control = control_risk([answer(9.0, is_wrong=False)] * 50, GRID)
    assert control.threshold is None
    assert control_risk([answer(9.0, is_wrong=False)] * 120, GRID).threshold == 0.0


def test_answers_that_no_threshold_stops_count_at_each() -> None:
    always = [answer(None, is_wrong=True)] * 3
    never = [answer(None, is_wrong=False, is_answer=False)] * 5
    curve = trace_curve([*always, *never, answer(4.0, is_wrong=False)], (10.0, 4.0))
    assert [(point.answered, point.wrong, point.n) for point in curve] == [(3, 3, 9), (4, 3, 9)]


@pytest.mark.parametrize(("wrong", "answered"), [(0, 59), (3, 100), (20, 41), (40, 41)])
def test_the_bound_is_where_the_tail_is_delta(wrong: int, answered: int) -> None:
    assert find_tail(wrong, answered, find_upper_bound(wrong, answered, 0.05)) == pytest.approx(0.05)


def test_no_answers_prove_nothing() -> None:
    assert find_tail(0, 0, 0.05) == 1.0
    assert find_upper_bound(0, 0) == 1.0
    assert find_upper_bound(7, 7) == 1.0
