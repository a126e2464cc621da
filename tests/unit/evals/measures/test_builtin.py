"""Measures against values worked out by hand, and against ir-measures on whole rankings."""

from __future__ import annotations

import math
from typing import Any

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.evals.golden.dataset import Evidence, GoldenCase, Kind, Nugget
from roma_core.evals.golden.evidence import Place
from roma_core.evals.measures import builtin as m
from roma_core.markup import read_statements
from roma_core.types import Chunk, Citation, ScoredChunk, TailorOutput

FAILED = m.Outcome(failure=AgentFailure(agent="x", code=ErrorCode.TIMEOUT, message="late", recoverable=True))


def chunk(document: str, start: int, end: int) -> Chunk:
    text = "x" * (end - start)
    return Chunk(
        id=f"{document}{start}", document_id=document, uri=document, title=document, text=text, start=start, end=end
    )


def passages(*spans: tuple[str, int, int]) -> tuple[ScoredChunk, ...]:
    return tuple(
        ScoredChunk(chunk=chunk(*s), score=1 / rank, rank=rank, retriever="t") for rank, s in enumerate(spans, 1)
    )


def place(document: str, start: int, end: int) -> tuple[Place, ...]:
    return (Place(document_id=document, start=start, end=end),)


def case(kind: Kind = "single", evidence: int = 1, nuggets: tuple[Nugget, ...] = (), grade: int = 1) -> GoldenCase:
    found = tuple(Evidence(uri=f"e{i}", grade=grade) for i in range(evidence))
    return GoldenCase(id="q", question="?", kind=kind, evidence=found, nuggets=nuggets)


def citation(start: int, end: int) -> Citation:
    return Citation(
        marker=1, chunk_id="c", document_id="d", uri="u", title="t", start=0, end=1, quote="q",
        answer_start=start, answer_end=end,
    )  # fmt: skip


def answer(text: str, *spans: tuple[int, int], proofs: tuple[bool | None, ...] = (), **fields: Any) -> m.Outcome:
    output = TailorOutput(answer=text, citations=tuple(citation(*s) for s in spans), **fields)
    return m.Outcome(output=output, proofs=proofs)


# Rank 1 misses, rank 2 holds two pieces of evidence, rank 3 repeats one, rank 4 misses, rank 5 has the third.
RANKING = passages(("a", 0, 10), ("b", 0, 50), ("b", 10, 30), ("a", 20, 30), ("c", 5, 9))
PLACES = (place("b", 5, 12), place("b", 40, 60), place("c", 8, 20))


def test_gains_count_each_piece_of_evidence_once() -> None:
    assert m.gains(RANKING, PLACES, [1, 1, 1]) == [0, 2, 0, 0, 1]
    assert m.gains(RANKING, PLACES, [3, 1, 2]) == [0, 4, 0, 0, 2]


def score(measure: m.Measure, ranking: Any = RANKING, places: Any = PLACES) -> float | None:
    outcome = m.Outcome(output=TailorOutput(answer="", passages=ranking), evidence=places)
    return measure.score(case(evidence=len(places)), outcome)


@pytest.mark.parametrize(("k", "recall"), [(1, 0.0), (2, 2 / 3), (4, 2 / 3), (5, 1.0)])
def test_recall_by_hand(k: int, recall: float) -> None:
    assert score(m.recall_at(k)) == pytest.approx(recall)


def test_reciprocal_rank_by_hand() -> None:
    assert score(m.reciprocal_rank_at(5)) == pytest.approx(1 / 2)
    assert score(m.reciprocal_rank_at(1)) == 0.0


def test_ndcg_by_hand() -> None:
    dcg = 2 / math.log2(3) + 1 / math.log2(6)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert score(m.ndcg_at(5)) == pytest.approx(dcg / ideal)


def test_evidence_that_is_not_found_lowers_ndcg_and_recall() -> None:
    lost = (*PLACES, place("z", 0, 5))
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert score(m.ndcg_at(5), places=lost) == pytest.approx((2 / math.log2(3) + 1 / math.log2(6)) / ideal)
    assert score(m.recall_at(5), places=lost) == pytest.approx(3 / 4)


def test_nothing_retrieved_is_zero_and_alternatives_count_as_one() -> None:
    assert [score(x, ranking=()) for x in m.default_measures(5)[:3]] == [0.0, 0.0, 0.0]
    either = ((Place(document_id="z", start=0, end=9), Place(document_id="a", start=0, end=1)),)
    assert score(m.recall_at(1), places=either) == 1.0


spans = st.tuples(st.sampled_from("abc"), st.integers(0, 8)).map(lambda s: (s[0], s[1] * 10, s[1] * 10 + 10))


rankings = st.lists(spans, unique=True, max_size=12)


@given(rankings, st.lists(spans, unique=True, min_size=1, max_size=6), st.integers(1, 12))
def test_where_chunks_and_evidence_match_one_to_one_the_scores_are_those_of_ir_measures(
    ranking: list[Any], wanted: list[Any], k: int
) -> None:
    qrels = {"q": {str(s): 1 for s in wanted}}
    run = {"q": {str(s): float(-i) for i, s in enumerate(ranking)} or {"none": 0.0}}
    for ours, theirs in (
        (m.recall_at(k), ir_measures.R @ k),
        (m.reciprocal_rank_at(k), ir_measures.RR @ k),
        (m.ndcg_at(k), ir_measures.nDCG @ k),
    ):
        expected = next(iter(ir_measures.iter_calc([theirs], qrels, run))).value
        assert score(ours, passages(*ranking), tuple(place(*s) for s in wanted)) == pytest.approx(expected)


def test_retrieval_is_unscored_without_its_evidence_or_its_answer() -> None:
    for measure in m.default_measures(5)[:3]:
        one = case("single")
        assert math.isnan(measure.score(one, FAILED) or 0)
        assert math.isnan(measure.score(one, m.Outcome(output=TailorOutput(answer=""))) or 0)
        lost = m.Outcome(output=TailorOutput(answer=""), evidence=((),))
        assert math.isnan(measure.score(one, lost) or 0)
        assert measure.score(case("no_answer", evidence=0), FAILED) is None


@pytest.mark.parametrize(
    ("said", "fact", "holds"),
    [
        ("It is `MLFLOW_DISABLE_TELEMETRY`.", "MLFLOW_DISABLE_TELEMETRY", True),
        ("About 10,000 rows", "10000", True),
        ("About 10000 rows", "10,000", True),
        ("python3.9 or newer", "3.9", True),
        ("version 13.9", "3.9", False),
        ("RED cars", "red", True),
        ("bored", "red", False),
        ("ﬁle size", "file size", True),
        ("not **at all** there", "not at all", True),
        ("1.5 times", "1,5", False),
        ("", "red", False),
    ],
)
def test_facts_are_found_as_whole_words_whatever_the_markup(said: str, fact: str, holds: bool) -> None:
    assert m.states(said, Nugget(fact=fact)) is holds


def test_nugget_recall_by_hand() -> None:
    nuggets = (Nugget(fact="red"), Nugget(fact="blue", aliases=("azure",)), Nugget(fact="green"))
    asked = case(nuggets=nuggets)
    assert m.NUGGET_RECALL.score(asked, answer("Red [1] and azure [2].")) == pytest.approx(2 / 3)
    assert m.NUGGET_RECALL.score(asked, answer("I don't know.", answered=False)) == 0.0
    assert math.isnan(m.NUGGET_RECALL.score(asked, FAILED) or 0)
    assert m.NUGGET_RECALL.score(case(), answer("Red.")) is None


def test_a_marker_is_no_fact() -> None:
    assert m.NUGGET_RECALL.score(case(nuggets=(Nugget(fact="3"),)), answer("So it is [3].")) == 0.0


SAID = "Red it is [1]. Blue as well. Green [2]."


def test_citation_coverage_by_hand() -> None:
    assert [SAID[c.start : c.end] for c in read_statements(SAID)] == ["Red it is [1].", "Blue as well.", "Green [2]."]
    both = answer(SAID, (0, 9), (29, 34), proofs=(True, True))
    assert m.CITATION_COVERAGE.score(case(), both) == pytest.approx(2 / 3)
    wrong = answer(SAID, (0, 9), (29, 34), proofs=(True, False))
    assert m.CITATION_COVERAGE.score(case(), wrong) == pytest.approx(1 / 3)
    unread = answer(SAID, (0, 9), proofs=(None,))
    assert m.CITATION_COVERAGE.score(case(), unread) == 0.0


def test_coverage_does_not_apply_to_abstentions_and_empty_answers() -> None:
    assert m.CITATION_COVERAGE.score(case(), answer("I don't know.", answered=False)) is None
    assert m.CITATION_COVERAGE.score(case(), answer("# Heading\n\n[1]")) is None
    assert math.isnan(m.CITATION_COVERAGE.score(case(), FAILED) or 0)


def test_citation_validity_by_hand() -> None:
    assert m.CITATION_VALIDITY.score(case(), answer(SAID, (0, 9), (29, 34), proofs=(True, False))) == 0.5
    assert m.CITATION_VALIDITY.score(case(), answer(SAID)) is None
    assert math.isnan(m.CITATION_VALIDITY.score(case(), answer(SAID, (0, 9), proofs=(None,))) or 0)
    assert math.isnan(m.CITATION_VALIDITY.score(case(), FAILED) or 0)


def test_cited_needs_one_proven_citation() -> None:
    assert m.CITED.score(case(), answer(SAID, (0, 9), proofs=(True,))) == 1.0
    assert m.CITED.score(case(), answer(SAID, (0, 9), proofs=(False,))) == 0.0
    assert m.CITED.score(case(), answer("?", answered=False)) is None
    assert math.isnan(m.CITED.score(case(), FAILED) or 0)


def test_answers_and_abstentions() -> None:
    trap, fair = case("no_answer", evidence=0), case()
    known, unknown = answer("Red."), answer("I don't know.", answered=False)
    assert [m.FALSE_ANSWERS.score(trap, o) for o in (known, unknown)] == [1.0, 0.0]
    assert [m.ANSWERED.score(fair, o) for o in (known, unknown)] == [1.0, 0.0]
    assert m.FALSE_ANSWERS.score(fair, known) is None and m.ANSWERED.score(trap, known) is None
    assert math.isnan(m.FALSE_ANSWERS.score(trap, FAILED) or 0)
    assert math.isnan(m.ANSWERED.score(fair, FAILED) or 0)


def test_a_measure_is_shown_by_its_name() -> None:
    assert [repr(x) for x in m.default_measures(5)][:3] == ["R@5", "RR@5", "nDCG@5"]
    assert all(x.source for x in m.default_measures(5))
    assert [x.name for x in m.default_measures(5) if not x.higher] == ["false_answers"]
