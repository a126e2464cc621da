"""Measures of what an answer states, against values worked out by hand."""

from __future__ import annotations

import pytest

from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.answers import answered, false_answers, nugget_f, nugget_recall
from roma_core.llm.base import I_DONT_KNOW
from tests.fakes.evals import FAILED, UNSCORED, make_answer, make_case, take

NUGGETS = (Nugget(fact="red"), Nugget(fact="blue", aliases=("azure",)), Nugget(fact="green"))


async def test_nugget_recall_is_the_share_of_facts_stated_and_names_the_others() -> None:
    score = await nugget_recall.score(make_case(nuggets=NUGGETS), make_answer("Red [1] and azure [2]."))
    assert score.value == pytest.approx(2 / 3) and score.reason == "missed green"


async def test_an_abstention_states_nothing() -> None:
    assert await take(nugget_recall, make_case(nuggets=NUGGETS), make_answer("I don't know.", answered=False)) == 0.0


async def test_the_sentences_that_an_abstention_shows_are_no_answer() -> None:
    shown = f"{I_DONT_KNOW}\n\nNearest to the question:\n\n- Guide: “The doors are red, blue and green.”"
    assert await take(nugget_recall, make_case(nuggets=NUGGETS), make_answer(shown, answered=False)) == 0.0
    assert await take(nugget_f, make_case(nuggets=NUGGETS), make_answer(shown, answered=False)) == 0.0


async def test_a_marker_is_no_fact() -> None:
    assert await take(nugget_recall, make_case(nuggets=(Nugget(fact="3"),)), make_answer("So it is [3].")) == 0.0


async def test_nugget_recall_applies_to_cases_with_facts() -> None:
    assert await take(nugget_recall, make_case(), make_answer("Red.")) == "not_applicable"
    assert await take(nugget_recall, make_case(nuggets=NUGGETS), FAILED) == UNSCORED


async def test_answers_and_abstentions() -> None:
    trap, fair = make_case("no_answer", evidence=0), make_case()
    known, unknown = make_answer("Red."), make_answer("I don't know.", answered=False)
    assert [await take(false_answers, trap, outcome) for outcome in (known, unknown, FAILED)] == [1.0, 0.0, UNSCORED]
    assert [await take(answered, fair, outcome) for outcome in (known, unknown, FAILED)] == [1.0, 0.0, UNSCORED]
    assert await take(false_answers, fair, known) == "not_applicable"
    assert await take(answered, trap, known) == "not_applicable"
