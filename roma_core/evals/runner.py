"""Ask every case, score every answer, lose nothing: one function for notebook, command line and regression test."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from roma_core.errors import AgentFailure, guarded
from roma_core.evals.checkpoint import Checkpoint
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.golden.evidence import Corpus
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures.builtin import NUGGET_RECALL, Measure, Outcome, missed
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, RunFacts
from roma_core.types import DEFAULT_TENANT, Citation, Query, TailorOutput, Usage, digest

Task = Callable[[Query], Awaitable[TailorOutput | AgentFailure]]
"""The system under test: any RAG system that takes a ``Query``."""
Text = Callable[[str], Awaitable[str | None]]
"""Text of a document by id; None when there is none. Citations are proven against it."""
Progress = Callable[[int, int], None]
"""Called with how many cases are done, of how many."""


@dataclass(frozen=True)
class _Asked:
    """An outcome and what it took; ``kept`` when it was not asked anew."""

    outcome: Outcome
    seconds: float
    kept: bool


@dataclass(frozen=True)
class Evaluation:
    """All that ``evaluate`` needs beside the cases.

    ``fingerprint`` is the hash of everything that decides an answer beside the question. Answers are kept in
    ``checkpoint`` under it; without a fingerprint nothing is kept. Failed and degraded answers are never kept.
    """

    task: Task
    measures: Sequence[Measure]
    top_k: int = 5
    tenant: str = DEFAULT_TENANT
    concurrency: int = 4
    corpus: Corpus | None = None
    text: Text | None = None
    judge: Judge | None = None
    checkpoint: Checkpoint | None = None
    fingerprint: str = ""

    async def outcome(self, case: GoldenCase) -> _Asked:
        """The case's answer, from the checkpoint or from the task, with the proofs of its citations."""
        started = time.perf_counter()
        query = case.query(self.top_k, self.tenant)
        key = digest("outcome", self.fingerprint, query.model_dump_json())
        kept = await self.checkpoint.get(key) if self.checkpoint and self.fingerprint else None
        if kept is not None:
            return _Asked(self._placed(case, Outcome.model_validate_json(kept)), time.perf_counter() - started, True)
        answer = await guarded("task", self.task(query))
        outcome = await self._proven(answer)
        if self.checkpoint and self.fingerprint and outcome.output and not outcome.output.degraded:
            await self.checkpoint.put(key, outcome.model_dump_json())
        return _Asked(self._placed(case, outcome), time.perf_counter() - started, False)

    async def row(self, case: GoldenCase, asked: _Asked) -> EvalRow:
        """The case scored by every measure that applies, and by the judge if there is one."""
        outcome = asked.outcome
        scores = {m.name: v for m in self.measures if (v := m.score(case, outcome)) is not None}
        notes = {NUGGET_RECALL.name: f"missed {', '.join(gone)}" if (gone := _missed(case, outcome)) else ""}
        if self.judge is not None:
            grade = await self.judge.grade(case, outcome, self.checkpoint)
            scores[self.judge.info.name] = grade.value
            notes[self.judge.info.name] = grade.reason
        output = outcome.output or TailorOutput(answer="")
        return EvalRow(
            case_id=case.id,
            question=case.question,
            kind=case.kind,
            persona=case.persona,
            cluster=case.group,
            answer=None if outcome.output is None else output.answer,
            answered=None if outcome.output is None else output.answered,
            degraded=output.degraded,
            citations=output.citations,
            model=output.model,
            scores={name: None if math.isnan(v) else v for name, v in scores.items()},
            notes={name: note for name, note in notes.items() if note},
            error=outcome.failure.code if outcome.failure else None,
        )

    def _placed(self, case: GoldenCase, outcome: Outcome) -> Outcome:
        places = self.corpus.places.get(case.id, ()) if self.corpus else ()
        return outcome.model_copy(update={"evidence": places})

    async def _proven(self, answer: TailorOutput | AgentFailure) -> Outcome:
        if isinstance(answer, AgentFailure):
            return Outcome(failure=answer)
        ids = sorted({c.document_id for c in answer.citations})
        texts = {i: await self.text(i) for i in ids} if self.text else {}
        return Outcome(output=answer, proofs=tuple(proof(c, texts.get(c.document_id)) for c in answer.citations))


def proof(citation: Citation, text: str | None) -> bool | None:
    """Whether the source holds the quote at the citation's offsets; None without the source."""
    return None if text is None else text[citation.start : citation.end] == citation.quote


async def evaluate(golden: Golden, evaluation: Evaluation, progress: Progress | None = None) -> EvalReport:
    """Ask and score every case; rows come in the order of the cases, whatever finished first."""
    started = time.perf_counter()
    gate = asyncio.Semaphore(evaluation.concurrency)
    done = 0

    async def work(case: GoldenCase) -> tuple[EvalRow, _Asked]:
        nonlocal done
        async with gate:
            asked = await evaluation.outcome(case)
            row = await evaluation.row(case, asked)
        done += 1
        if progress is not None:
            progress(done, len(golden.cases))
        return row, asked

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(case)) for case in golden.cases]
    results = [task.result() for task in tasks]
    return EvalReport(
        dataset=golden.name,
        dataset_sha256=golden.sha256,
        corpus_sha256=evaluation.corpus.sha256 if evaluation.corpus else "",
        fingerprint=evaluation.fingerprint,
        measures=measure_infos(evaluation),
        rows=tuple(row for row, _ in results),
        missing_evidence=_missing(evaluation.corpus),
        facts=facts(results, time.perf_counter() - started),
    )


def _missed(case: GoldenCase, outcome: Outcome) -> list[str]:
    return missed(case, outcome.output.answer) if outcome.output else []


def measure_infos(evaluation: Evaluation) -> tuple[MeasureInfo, ...]:
    """What the columns of the report mean."""
    infos = (MeasureInfo(name=m.name, source=m.source, higher=m.higher, scale=m.scale) for m in evaluation.measures)
    return (*infos, *((evaluation.judge.info,) if evaluation.judge else ()))


def _missing(corpus: Corpus | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(case for case, _ in corpus.missing)) if corpus else ()


def facts(results: Iterable[tuple[EvalRow, _Asked]], seconds: float) -> RunFacts:
    """What this run took; answers that were kept cost nothing now."""
    pairs = list(results)
    outputs = [asked.outcome.output for _, asked in pairs if not asked.kept and asked.outcome.output]
    return RunFacts(
        seconds=seconds,
        asked=sum(not asked.kept for _, asked in pairs),
        resumed=sum(asked.kept for _, asked in pairs),
        usage=Usage.total(output.usage for output in outputs),
        case_seconds={row.case_id: asked.seconds for row, asked in pairs},
    )
