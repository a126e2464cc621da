"""Retrieval against values worked out by hand, and against ir-measures on whole rankings."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.evals.golden.evidence import Place
from roma_core.evals.measures import CaseOutcome, Measure, default_measures
from roma_core.evals.measures.retrieval import gains, ndcg_at, recall_at, reciprocal_rank_at
from roma_core.types import TailorOutput
from tests.fakes.evals import FAILED, UNSCORED, make_case, make_passages, make_places, take

# Rank 1 misses, rank 2 holds two pieces of evidence, rank 3 repeats one, rank 4 misses, rank 5 has the third.
RANKING = make_passages(("a", 0, 10), ("b", 0, 50), ("b", 10, 30), ("a", 20, 30), ("c", 5, 9))
PLACES = (make_places("b", 5, 12), make_places("b", 40, 60), make_places("c", 8, 20))


def test_gains_count_each_piece_of_evidence_once() -> None:
    assert gains(RANKING, PLACES, [1, 1, 1]) == [0, 2, 0, 0, 1]
    assert gains(RANKING, PLACES, [3, 1, 2]) == [0, 4, 0, 0, 2]


def score(measure: Measure, ranking: Any = RANKING, places: Any = PLACES) -> float | str:
    outcome = CaseOutcome(output=TailorOutput(answer="", passages=ranking), evidence=places)
    return asyncio.run(take(measure, make_case(evidence=len(places)), outcome))


@pytest.mark.parametrize(("k", "recall"), [(1, 0.0), (2, 2 / 3), (4, 2 / 3), (5, 1.0)])
def test_recall_by_hand(k: int, recall: float) -> None:
    assert score(recall_at(k)) == pytest.approx(recall)


def test_reciprocal_rank_by_hand() -> None:
    assert score(reciprocal_rank_at(5)) == pytest.approx(1 / 2)
    assert score(reciprocal_rank_at(1)) == 0.0


def test_ndcg_by_hand() -> None:
    dcg = 2 / math.log2(3) + 1 / math.log2(6)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert score(ndcg_at(5)) == pytest.approx(dcg / ideal)


def test_evidence_that_is_not_found_lowers_ndcg_and_recall() -> None:
    lost = (*PLACES, make_places("z", 0, 5))
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert score(ndcg_at(5), places=lost) == pytest.approx((2 / math.log2(3) + 1 / math.log2(6)) / ideal)
    assert score(recall_at(5), places=lost) == pytest.approx(3 / 4)


def test_nothing_retrieved_is_zero_and_alternatives_count_as_one() -> None:
    assert [score(x, ranking=()) for x in default_measures(5)[:3]] == [0.0, 0.0, 0.0]
    either = ((Place(document_id="z", start=0, end=9), Place(document_id="a", start=0, end=1)),)
    assert score(recall_at(1), places=either) == 1.0


spans = st.tuples(st.sampled_from("abc"), st.integers(0, 8)).map(lambda s: (s[0], s[1] * 10, s[1] * 10 + 10))


rankings = st.lists(spans, unique=True, max_size=12)


@given(rankings, st.lists(spans, unique=True, min_size=1, max_size=6), st.integers(1, 12))
def test_where_chunks_and_evidence_match_one_to_one_the_scores_are_those_of_ir_measures(
    ranking: list[Any], wanted: list[Any], k: int
) -> None:
    qrels = {"q": {str(s): 1 for s in wanted}}
    run = {"q": {str(s): float(-i) for i, s in enumerate(ranking)} or {"none": 0.0}}
    for ours, theirs in (
        (recall_at(k), ir_measures.R @ k),
        (reciprocal_rank_at(k), ir_measures.RR @ k),
        (ndcg_at(k), ir_measures.nDCG @ k),
    ):
        expected = next(iter(ir_measures.iter_calc([theirs], qrels, run))).value
        assert score(ours, make_passages(*ranking), tuple(make_places(*s) for s in wanted)) == pytest.approx(expected)


async def test_retrieval_is_unscored_without_its_evidence_or_its_answer() -> None:
    answer = TailorOutput(answer="")
    for measure in default_measures(5)[:3]:
        case = make_case("single")
        assert await take(measure, case, FAILED) == UNSCORED
        assert await take(measure, case, CaseOutcome(output=answer)) == UNSCORED
        lost = await measure.score(case, CaseOutcome(output=answer, evidence=((),)))
        assert (lost.state, lost.reason) == (UNSCORED, "not in the corpus: e0")
        assert await take(measure, make_case("no_answer", evidence=0), FAILED) == "not_applicable"
