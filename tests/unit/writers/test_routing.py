"""The difficulty of a question, and the rule over it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers.routing import WEIGHTS, Difficulty, RouterRule, measure_difficulty


def passage(**scores: float) -> ScoredChunk:
    chunk = Chunk(id="c", document_id="d", uri="u", title="t", text="x", start=0, end=1)
    return ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="rerank", scores=scores)


EASY = (passage(bm25=3.0, dense=0.9, rerank=9.0),)


@pytest.mark.parametrize(
    ("question", "passages", "lookups", "feature"),
    [
        ("Compare the mill and the bridge.", EASY, 1, "kind"),
        ("Who built the mill?", EASY, 4, "plan"),
        ("Who built the mill?", (passage(bm25=3.0, rerank=9.0),), 1, "agreement"),
        ("Who built the mill?", (passage(bm25=3.0, dense=0.9, rerank=-9.0),), 1, "evidence"),
        ("Who built the mill " + "that stands near the river " * 8 + "?", EASY, 1, "length"),
    ],
)
def test_each_feature_makes_a_question_harder(
    question: str, passages: tuple[ScoredChunk, ...], lookups: int, feature: str
) -> None:
    easy = measure_difficulty("Who built the mill?", EASY)
    harder = measure_difficulty(question, passages, lookups)
    assert getattr(harder, feature) > getattr(easy, feature) + 0.5
    assert harder.value > easy.value


def test_what_cannot_be_read_is_neither_easy_nor_hard() -> None:
    unread = measure_difficulty("Who built the mill?", ())
    assert (unread.agreement, unread.evidence) == (0.5, 0.5)


@given(st.builds(Difficulty, **{name: st.floats(0, 1) for name in WEIGHTS}))
def test_the_difficulty_lies_between_0_and_1(difficulty: Difficulty) -> None:
    assert 0 <= difficulty.value <= 1


def test_the_rule_sends_to_the_cheap_model_up_to_its_threshold() -> None:
    difficulty = measure_difficulty("Who built the mill?", EASY)
    assert RouterRule("difficulty", difficulty.value).choose(difficulty)[0] == "cheap"
    assert RouterRule("difficulty", difficulty.value - 0.01).choose(difficulty)[0] == "strong"


def test_without_a_threshold_the_strong_model_answers() -> None:
    choice, reason = RouterRule("cascade", None).choose(measure_difficulty("Who built the mill?", EASY))
    assert choice == "strong"
    assert "roma calibrate router" in reason
