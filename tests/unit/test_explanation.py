"""Where an answer went wrong, as its record shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from roma_core.agents.pipeline import Pipeline, Stage
from roma_core.answers import AnswerRecord
from roma_core.answers.record import StageSnapshot
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.explanation import explain_record, read_stage_times
from roma_core.types import Chunk, Query, ScoredChunk, StageEvent, Statement, TailorOutput, TokenEvent

BEGUN = datetime(2026, 11, 28, 10, 0, 0, tzinfo=UTC)


async def nothing(context: object) -> None:
    return None


PIPELINE = Pipeline(
    [
        Stage("retrieve", nothing, event_at_end="retrieved"),
        Stage("write", nothing, event_at_start="writing"),
        Stage("verify", nothing, event_at_start="verifying"),
    ]
)


def passage(text: str, rank: int = 1) -> ScoredChunk:
    chunk = Chunk(id=text, document_id="d", uri="file:///d.md", title="Dues", text=text, start=0, end=len(text))
    return ScoredChunk(chunk=chunk, score=1 / rank, rank=rank, retriever="fused")


def record(output: TailorOutput | None = None, found: tuple[ScoredChunk, ...] = (), **facts: object) -> AnswerRecord:
    return AnswerRecord.model_validate(
        {
            "id": "r1",
            "state": "complete",
            "query": Query(text="What does a ferry pay?"),
            "created_at": BEGUN,
            "ended_at": BEGUN + timedelta(seconds=2),
            "events": (
                StageEvent(stage="retrieved", elapsed_ms=300.0),
                StageEvent(stage="writing", elapsed_ms=320.0),
                TokenEvent(text="A ferry"),
                StageEvent(stage="verifying", elapsed_ms=1900.0),
            ),
            "stages": (StageSnapshot(stage="rerank", question="q", passages=found),),
            "output": output,
            **facts,
        }
    )


def answer(text: str, verdict: str, *used: ScoredChunk, **facts: object) -> TailorOutput:
    statement = Statement.model_validate({"start": 0, "end": len(text), "verdict": verdict})
    return TailorOutput.model_validate({"answer": text, "statements": (statement,), "passages": used, **facts})


PROOF, OTHER = passage("A ferry pays 97 EUR for a landing."), passage("The quay is closed.", rank=2)
CLAIM = "A ferry pays 97 EUR for a landing."


@pytest.mark.parametrize(
    ("output", "found", "stage", "why"),
    [
        (answer(CLAIM, "supported", PROOF), (PROOF,), "", "Every statement is proven."),
        (answer(CLAIM, "unsupported", OTHER), (OTHER, PROOF), "rerank", "found and then left out"),
        (answer(CLAIM, "unsupported", OTHER), (OTHER,), "retrieve", "No passage that was found says it"),
        (answer(CLAIM, "unsupported", OTHER, PROOF), (OTHER, PROOF), "write", "at rank 1 says it"),
        (answer("A ferry pays 12 EUR.", "contradicted", PROOF), (PROOF,), "write", "say otherwise"),
        (TailorOutput(answer="I don't know.", answered="unknown", passages=(OTHER,)), (OTHER,), "retrieve", "too weak"),
        (TailorOutput(answer="I don't know.", answered="unknown"), (), "retrieve", "No passage was found."),
    ],
    ids=["proven", "left out", "not found", "not cited", "contradicted", "weak", "empty"],
)
def test_the_first_stage_that_went_wrong_is_named(
    output: TailorOutput, found: tuple[ScoredChunk, ...], stage: str, why: str
) -> None:
    explained = explain_record(record(output, found), PIPELINE)
    assert explained.stage == stage
    assert why in explained.why
    assert explained.stage in explained._repr_html_() and why.split("“", maxsplit=1)[0] in explained._repr_markdown_()


def test_a_statement_that_was_taken_out_is_explained_by_its_own_words() -> None:
    removed = Statement(start=0, end=0, verdict="unsupported", text="A ferry pays 12 EUR.")
    output = TailorOutput(answer="", removed=(removed,), passages=(OTHER,))
    explained = explain_record(record(output, (OTHER,)), PIPELINE)
    assert [fault.text for fault in explained.faults] == ["A ferry pays 12 EUR."]


def test_each_stage_has_the_time_until_the_next_one() -> None:
    times = read_stage_times(record(), PIPELINE)
    assert [(time.stage, round(time.took_ms)) for time in times] == [
        ("retrieve", 300),
        ("start", 20),
        ("write", 1580),
        ("verify", 100),
    ]
    assert "1,580 ms" in explain_record(record(answer(CLAIM, "supported", PROOF), (PROOF,)), PIPELINE)._repr_html_()


@pytest.mark.parametrize("state", ["stopped", "failed", "interrupted", "running"])
def test_an_answer_that_did_not_end_says_in_which_stage(state: str) -> None:
    failure = AgentFailure(agent="llm", code=ErrorCode.LLM_UNAVAILABLE, message="It is away.", recoverable=True)
    explained = explain_record(record(state=state, failure=failure), PIPELINE)
    assert state in explained.why and "ERR_LLM_UNAVAILABLE" in explained.why
    assert explained.stage == "verify"


def test_hostile_words_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    output = answer(evil, "unsupported", passage(evil))
    html = explain_record(record(output, (passage(evil + "2"),)), PIPELINE)._repr_html_()
    assert "<img" not in html and "&lt;img" in html
