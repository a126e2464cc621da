"""Builders for tests of evaluations: cases, passages and outcomes with as little text as possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.evals.golden.dataset import Evidence, GoldenCase, Kind, Nugget
from roma_core.evals.golden.evidence import Place
from roma_core.evals.measures import CaseOutcome, Measure
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, RowState
from roma_core.types import Chunk, Citation, ScoredChunk, TailorOutput

FAILED = CaseOutcome(failure=AgentFailure(agent="x", code=ErrorCode.TIMEOUT, message="late", recoverable=True))
UNSCORED = "unscored"


def make_passages(*spans: tuple[str, int, int]) -> tuple[ScoredChunk, ...]:
    """Passages in order of rank: document, start, end."""
    return tuple(
        ScoredChunk(chunk=make_chunk(*span), score=1 / rank, rank=rank, retriever="t")
        for rank, span in enumerate(spans, 1)
    )


def make_chunk(document: str, start: int, end: int) -> Chunk:
    text = "x" * (end - start)
    return Chunk(
        id=f"{document}{start}", document_id=document, uri=document, title=document, text=text, start=start, end=end
    )


def make_places(document: str, start: int, end: int) -> tuple[Place, ...]:
    return (Place(document_id=document, start=start, end=end),)


def make_case(kind: Kind = "single", evidence: int = 1, nuggets: tuple[Nugget, ...] = (), grade: int = 1) -> GoldenCase:
    pieces = tuple(Evidence(uri=f"e{i}", grade=grade) for i in range(evidence))
    return GoldenCase(id="q", question="?", kind=kind, evidence=pieces, nuggets=nuggets)


def make_answer(text: str, *spans: tuple[int, int], proofs: tuple[bool | None, ...] = (), **fields: Any) -> CaseOutcome:
    """An outcome whose citations stand behind ``spans`` of the answer."""
    citations = tuple(
        Citation(
            marker=1, chunk_id="c", document_id="d", uri="u", title="t", start=0, end=1, quote="q",
            answer_start=start, answer_end=end,
        )
        for start, end in spans
    )  # fmt: skip
    return CaseOutcome(output=TailorOutput(answer=text, citations=citations, **fields), proofs=proofs)


async def take(measure: Measure, case: GoldenCase, outcome: CaseOutcome) -> float | str:
    """The value of a score, or its state where it has none."""
    score = await measure.score(case, outcome)
    return score.state if score.value is None else score.value


HIGHER = MeasureInfo(name="nugget_recall")
LOWER = MeasureInfo(name="false_answers", higher=False)
GRADES = MeasureInfo(name="judge", scale=(1, 5), judge="j")
LENGTH = MeasureInfo(name="length", higher=None, scale=None)


def make_row(case: str, state: RowState = "ok", cluster: str = "", **scores: float | None) -> EvalRow:
    """A row by its scores alone."""
    return EvalRow(
        case_id=case,
        question=f"{case}?",
        kind="single",
        persona="general",
        cluster=cluster or case,
        state=state,
        why="" if state == "ok" else f"{state}: 503",
        error="ERR_TIMEOUT" if state == "failed" else None,
        scores=scores,
    )


def make_report(*rows: EvalRow, fingerprint: str = "f", **fields: Any) -> EvalReport:
    """A report of these rows."""
    known = {"measures": (HIGHER, LOWER, GRADES, LENGTH), "dataset_sha256": "sha", **fields}
    return EvalReport(dataset="d", fingerprint=fingerprint, rows=rows, **known)


def make_run(
    values: Sequence[float | None], name: str = "nugget_recall", fingerprint: str = "f", **fields: Any
) -> EvalReport:
    """A report with one score a case, each in a cluster of its own."""
    return make_report(
        *(make_row(f"q{i}", **{name: v}) for i, v in enumerate(values)), fingerprint=fingerprint, **fields
    )
