"""Questions that went wrong become candidates, and golden cases by a reviewer's word alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.answers import AnswerRecord
from roma_core.errors import AgentFailure, ErrorCode, EvalError
from roma_core.evals.golden.candidates import (
    GoldenCandidate,
    ReviewDecision,
    accept_candidate,
    append_decision,
    collect_candidates,
    find_candidate,
    name_candidate,
    read_decisions,
    refuse_candidate,
)
from roma_core.sessions.service import Feedback
from roma_core.types import Answered, Chunk, Query, ScoredChunk, TailorOutput

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TEXT = "The rope bridge was built in 1902. It spans 48 metres."


def passage(text: str = TEXT, name: str = "c") -> ScoredChunk:
    chunk = Chunk(
        id=name, document_id="d", uri="file:///notes/bridge.md", title="Bridge", text=text, start=0, end=len(text)
    )
    return ScoredChunk(chunk=chunk, score=1, rank=1, retriever="bm25")


def record(number: int, question: str, *, answered: bool = True, failed: bool = False, hours: int = 0) -> AnswerRecord:
    output = TailorOutput(
        answer="In 1903.",
        answer_id=f"a{number}",
        answered=Answered.KNOWN if answered else Answered.UNKNOWN,
        passages=(passage(),),
    )
    failure = AgentFailure(agent="tailor", code=ErrorCode.LLM_TIMEOUT, message="late", recoverable=True)
    return AnswerRecord(
        id=f"r{number}",
        state="failed" if failed else "complete",
        query=Query(text=question),
        created_at=NOON + timedelta(hours=hours),
        output=None if failed else output,
        failure=failure if failed else None,
    )


async def collect(
    *records: AnswerRecord, ratings: list[Feedback] | None = None, decisions: list[ReviewDecision] | None = None
) -> list[GoldenCandidate]:
    async def iterate() -> AsyncIterator[AnswerRecord]:
        for each in records:
            yield each

    return await collect_candidates(iterate(), ratings or [], decisions or [])


def down(number: int, comment: str = "", hours: int = 1) -> Feedback:
    return Feedback(answer_id=f"a{number}", rating="down", comment=comment, created_at=NOON + timedelta(hours=hours))


async def test_what_went_well_is_no_candidate() -> None:
    up = Feedback(answer_id="a1", rating="up", created_at=NOON)
    assert await collect(record(1, "When was it built?"), ratings=[up]) == []


async def test_candidates_say_why_and_the_gravest_come_first() -> None:
    candidates = await collect(
        record(1, "Who failed?", failed=True),
        record(2, "Who is unknown?", answered=False),
        record(3, "When was it built?"),
        ratings=[down(3, "wrong year")],
    )
    assert [each.reasons for each in candidates] == [("rated down",), ("not answered",), ("failed",)]
    assert candidates[0].comments == ("wrong year",)
    assert candidates[0].answers == ("r3",)


async def test_the_same_words_are_one_candidate() -> None:
    candidates = await collect(
        record(1, "Who is unknown?", answered=False), record(2, "who is UNKNOWN", answered=False, hours=2)
    )
    assert [(each.times, each.answers) for each in candidates] == [(2, ("r1", "r2"))]


async def test_what_was_decided_is_off_the_list_until_it_goes_wrong_again() -> None:
    question = "Who is unknown?"
    decision = ReviewDecision(
        candidate=name_candidate(question), decision="dropped", at=NOON + timedelta(hours=1), tenant="default"
    )
    first, again = record(1, question, answered=False), record(2, question, answered=False, hours=2)
    assert await collect(first, decisions=[decision]) == []
    assert [each.times for each in await collect(first, again, decisions=[decision])] == [1]


async def test_an_accepted_candidate_has_the_passage_that_states_its_fact_as_evidence() -> None:
    (candidate,) = await collect(record(1, "When was it built?"), ratings=[down(1)])
    case = accept_candidate(candidate, "In 1902.", ["1902"])
    assert case.id == f"use-{candidate.id}"
    assert [(piece.uri, piece.anchor) for piece in case.evidence] == [
        ("notes/bridge.md", "The rope bridge was built in 1902.")
    ]
    assert "reviewed" in case.tags


async def test_evidence_is_never_guessed() -> None:
    (candidate,) = await collect(record(1, "When was it built?"), ratings=[down(1)])
    with pytest.raises(EvalError, match="--passage"):
        accept_candidate(candidate, "In 1950.", ["1950"])
    found = passage("It was painted in 1950.", "other")
    assert accept_candidate(candidate, "In 1950.", ["1950"], passages=[found]).evidence[0].anchor == found.chunk.text


async def test_a_question_without_an_answer_is_golden_too() -> None:
    (candidate,) = await collect(record(1, "Who is unknown?", answered=False))
    case = refuse_candidate(candidate, tags=["near-miss"])
    assert (case.kind, case.tags) == ("no_answer", ("reviewed", "near-miss"))


async def test_a_candidate_is_named_by_the_beginning_of_its_id() -> None:
    candidates = await collect(record(1, "Who is unknown?", answered=False))
    assert find_candidate(candidates, candidates[0].id[:4]) == candidates[0]
    with pytest.raises(EvalError, match="no open candidate"):
        find_candidate(candidates, "zzz")


def test_decisions_are_appended_and_kept_by_tenant(tmp_path: Path) -> None:
    path = tmp_path / "evals" / "reviews.jsonl"
    for tenant, decision in (("t", "accepted"), ("u", "dropped"), ("t", "dropped")):
        append_decision(path, ReviewDecision(candidate="c", decision=decision, at=NOON, tenant=tenant, answers=("r1",)))
    assert [each.decision for each in read_decisions(path, "t")] == ["accepted", "dropped"]
    assert path.stat().st_mode & 0o77 == 0
