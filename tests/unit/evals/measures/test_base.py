"""A measure is a function; what it cannot score is unscored, and its code is part of its identity."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from roma_core.errors import ErrorCode, EvalError, defects
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures import CaseOutcome, Measure, Score, default_measures, measure
from roma_core.llm.base import FALLBACK
from tests.fakes.evals import FAILED, UNSCORED, make_answer, make_case, take

ANSWER = make_answer("It is red.")


async def test_a_measure_is_four_lines() -> None:
    @measure(source="long answers are not read", applies=lambda case: case.kind == "single")
    def brief(case: GoldenCase, outcome: CaseOutcome) -> Score:
        words = len(outcome.answer.split())
        return Score(float(words <= 2), f"{words} words")

    assert await brief.score(make_case(), ANSWER) == Score(0.0, "3 words")
    assert await take(brief, make_case("no_answer", evidence=0), ANSWER) == "not_applicable"
    assert (brief.name, brief.source, brief.higher, brief.scale) == ("brief", "long answers are not read", True, (0, 1))


async def test_a_measure_may_return_a_number_and_may_wait() -> None:
    @measure
    async def given(case: GoldenCase, outcome: CaseOutcome) -> bool:
        """Any answer at all."""
        return bool(outcome.answer)

    assert await take(given, make_case(), ANSWER) == 1.0
    assert given.source == "Any answer at all."


def scored(value: object) -> Measure:
    return measure(name="m")(lambda case, outcome: value)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Score.unscored("no source"), "no source"),
        (1.5, "1.5 is outside of the scale 0 to 1"),
        (math.nan, "a score is a finite number, not nan"),
        ("good", "the measure m returned str; return a Score or a number"),
        (None, "the measure m returned NoneType"),
    ],
)
async def test_no_number_on_the_scale_is_unscored_with_the_reason(value: object, why: str) -> None:
    score = await scored(value).score(make_case(), ANSWER)
    assert score.state == UNSCORED and score.reason.startswith(why)


@pytest.mark.parametrize(
    "value", [np.float32(0.5), Decimal("0.5"), Fraction(1, 2)], ids=["numpy", "decimal", "fraction"]
)
async def test_any_number_is_a_score(value: object) -> None:
    assert await take(scored(value), make_case(), ANSWER) == 0.5


async def test_a_condition_that_raises_leaves_its_case_unscored() -> None:
    broken = measure(name="m", applies=lambda case: bool(1 / 0))(lambda case, outcome: 1.0)
    score = await broken.score(make_case(), ANSWER)
    assert score.state == UNSCORED and score.reason.startswith("the measure raised ZeroDivisionError")


async def test_what_a_users_code_raises_is_no_defect_of_roma() -> None:
    reported: list[str] = []
    defects.append(note := lambda agent, error: reported.append(agent))
    try:
        await measure(name="m")(lambda case, outcome: 1 / 0).score(make_case(), ANSWER)
    finally:
        defects.remove(note)
    assert reported == []


async def test_an_exception_with_a_meaning_of_its_own_keeps_it() -> None:
    def late(case: GoldenCase, outcome: CaseOutcome) -> float:
        raise TimeoutError

    score = await measure(late).score(make_case(), ANSWER)
    assert score.reason.startswith("The time allowed for this step ran out")


async def test_a_reason_that_no_file_can_hold_is_mended_and_one_that_is_no_text_is_refused() -> None:
    assert Score(1.0, "half \ud800").reason == "half ?"
    with pytest.raises(EvalError, match="a reason is a text, not int"):
        Score(1.0, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "scale"), [("a\nb", (0.0, 1.0)), ("m", (1.0, 0.0))])
def test_a_measure_without_a_name_or_a_scale_is_refused(name: str, scale: tuple[float, float]) -> None:
    with pytest.raises(EvalError) as raised:
        measure(name=name, scale=scale)(lambda case, outcome: 1.0)
    assert raised.value.code is ErrorCode.EVAL_PARAMETERS


async def test_a_measure_that_raises_leaves_its_case_unscored() -> None:
    @measure
    def broken(case: GoldenCase, outcome: CaseOutcome) -> float:
        return 1 / 0

    score = await broken.score(make_case(), ANSWER)
    assert score.state == UNSCORED and score.reason.startswith("the measure raised ZeroDivisionError in broken")


@pytest.mark.parametrize(
    ("outcome", "state", "why"),
    [
        (FAILED, "failed", "failed: ERR_TIMEOUT: late"),
        (make_answer("x", degraded=True, degraded_reasons=("memory is away",)), "degraded", "degraded: memory is away"),
        (make_answer("x", degraded=True, model_reason=f"{FALLBACK}503"), "fallback", "fallback: 503"),
    ],
)
async def test_what_failed_or_is_degraded_is_unscored_before_any_measure_looks(
    outcome: CaseOutcome, state: str, why: str
) -> None:
    asked: list[CaseOutcome] = []

    @measure
    def counting(case: GoldenCase, outcome: CaseOutcome) -> float:
        asked.append(outcome)
        return 1.0

    score = await counting.score(make_case(), outcome)
    assert (outcome.state, score.state, score.reason, asked) == (state, UNSCORED, why, [])


def test_a_score_has_a_value_or_says_that_it_has_none() -> None:
    assert Score(0.25).state == "scored" and Score.unscored("why").value is None
    with pytest.raises(EvalError, match=r"Score.unscored"):
        Score()
    with pytest.raises(EvalError, match="finite"):
        Score(math.inf)


def within(limit: int) -> Measure:
    @measure(name="short")
    def score(case: GoldenCase, outcome: CaseOutcome) -> bool:
        return len(outcome.answer) < limit

    return score


def test_the_code_and_the_constants_of_a_measure_are_its_identity() -> None:
    assert within(3).identity == within(3).identity
    assert within(3).identity != within(4).identity

    @measure(name="short")
    def score(case: GoldenCase, outcome: CaseOutcome) -> bool:
        return len(outcome.answer) <= 3

    assert score.identity != within(3).identity


def test_models_and_prompts_of_a_measure_are_its_identity() -> None:
    def graded(**fields: dict[str, str]) -> str:
        function: Callable[[GoldenCase, CaseOutcome], float] = float_one
        return Measure("graded", function, **fields).identity  # type: ignore[arg-type]

    assert (
        len({graded(), graded(models={"judge": "a"}), graded(models={"judge": "b"}), graded(prompts={"j": "1"})}) == 4
    )


def float_one(case: GoldenCase, outcome: CaseOutcome) -> float:
    return 1.0


def test_the_default_measures_name_their_sources_and_directions() -> None:
    measures = default_measures(5)
    assert [repr(x) for x in measures][:3] == ["R@5", "RR@5", "nDCG@5"]
    assert all(x.source and x.identity for x in measures)
    assert [x.name for x in measures if x.higher is False] == ["contradicted", "false_answers", "repetition"]
    assert [x.name for x in measures if x.higher is None] == ["answer_words"]
