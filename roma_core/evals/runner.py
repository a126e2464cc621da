"""Ask every case, score every answer, lose nothing."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from roma_core.codehash import package_sha256
from roma_core.errors import AgentFailure, ErrorCode, EvalError, foreign_code, guarded
from roma_core.evals.checkpoint import Checkpoint
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.golden.evidence import Corpus
from roma_core.evals.measures.base import CaseOutcome, Measure, Score
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, RunFacts
from roma_core.evals.shared_work import count_spared
from roma_core.types import DEFAULT_TENANT, Citation, Noun, Query, TailorOutput, Usage, digest

Task = Callable[[Query], Awaitable[TailorOutput | AgentFailure]]
"""The system under test: any RAG system that takes a ``Query``."""
ReadText = Callable[[str], Awaitable[str | None]]
"""Text of a document by id; None when there is none. Citations are proven against it."""
Progress = Callable[[int, int], None]
"""Called with how many cases are done, of how many."""
ANSWERS = "answer"
"""Role under which the cost of the answers is shown."""
_SCORE = TypeAdapter(Score)
_SCORES = TypeAdapter(dict[str, Score])


class TimedOutcome(Noun):
    """An outcome and the seconds that asking took, then as now."""

    outcome: CaseOutcome
    seconds: float
    spared_s: float = 0.0
    """Seconds of work that it needed beside and that another variant of an experiment had done."""
    started_at: float = 0.0
    """Seconds since 1970; 0 for answers that were kept before it was noted."""


@dataclass(frozen=True)
class _CaseResult:
    """A row, the outcome it was made of, and the cost of each measure's calls by role."""

    row: EvalRow
    timed: TimedOutcome
    resumed: bool
    """True when the answer was known from an earlier run."""
    usage: dict[str, Usage]


@dataclass(frozen=True)
class CaseRunner:
    """Asks and scores cases one by one.

    ``fingerprint`` is the hash of everything that decides an answer beside the question. Answers are kept in
    ``checkpoint`` under it; without a fingerprint nothing is kept. Failed and degraded answers are never kept.
    """

    task: Task
    measures: Sequence[Measure]
    top_k: int = 5
    tenant: str = DEFAULT_TENANT
    concurrency: int = 4
    corpus: Corpus | None = None
    read_text: ReadText | None = None
    checkpoint: Checkpoint | None = None
    fingerprint: str = ""

    async def run(self, case: GoldenCase) -> _CaseResult:
        """Return the row of a case."""
        asked = case.query(self.top_k, self.tenant).model_dump_json(exclude={"principal"})
        key = digest("outcome", self.fingerprint, self.tenant, asked)
        stored = await self.checkpoint.get(key) if self.checkpoint and self.fingerprint else None
        timed = TimedOutcome.model_validate_json(stored) if stored is not None else await self.ask(case, key)
        places = self.corpus.places.get(case.id, ()) if self.corpus else ()
        outcome = timed.outcome.model_copy(update={"evidence": places})
        ruled = await self.score_by_rules(case, outcome)
        scores: dict[str, Score] = {}
        usage: dict[str, Usage] = defaultdict(Usage)
        for measure in self.measures:
            score = ruled.get(measure.name) or await self.score(measure, case, outcome)
            scores[measure.name] = score
            usage[measure.role] += score.usage
        return _CaseResult(make_row(case, outcome, scores), timed, stored is not None, dict(usage))

    async def ask(self, case: GoldenCase, key: str) -> TimedOutcome:
        """Return the answer of the task with the proofs of its citations; a whole one is kept under ``key``."""
        started, started_at = time.perf_counter(), time.time()
        with count_spared() as spared:
            answer = await guarded("task", self._call(case.query(self.top_k, self.tenant)))
        seconds = time.perf_counter() - started
        outcome = await self._prove(answer)
        timed = TimedOutcome(outcome=outcome, seconds=seconds, spared_s=math.fsum(spared), started_at=started_at)
        if self.checkpoint and self.fingerprint and timed.outcome.state == "ok":
            await self.checkpoint.put(key, timed.model_dump_json())
        return timed

    async def _call(self, query: Query) -> TailorOutput | AgentFailure:
        with foreign_code("The system"):
            given = self.task(query)
            answer = await given if inspect.isawaitable(given) else given
        if isinstance(answer, AgentFailure):
            return answer
        if isinstance(answer, TailorOutput):
            try:
                answer.model_dump_json()
            except ValueError:
                raise EvalError(
                    "The answer holds half of a surrogate pair, which is no text and in no report.",
                    ErrorCode.EVAL_PARAMETERS,
                ) from None
            return answer
        raise EvalError(
            f"The system returned {type(answer).__name__}: return a TailorOutput or an AgentFailure. "
            "`roma eval --task` and ForeignSystem also take functions that return a text or a mapping.",
            ErrorCode.EVAL_PARAMETERS,
        )

    async def score_by_rules(self, case: GoldenCase, outcome: CaseOutcome) -> dict[str, Score]:
        """Return the scores of the measures that are rules of ROMA's, all of them taken once for the same inputs.

        Any change of ROMA's code takes them again: rules lean on words and numbers all over the package.
        """
        ruled = [measure for measure in self.measures if measure.is_ruled]
        if not (self.checkpoint and self.fingerprint and ruled) or outcome.why_unusable:
            return {}
        identities = (measure.identity for measure in ruled)
        key = digest("scores", package_sha256(), case.model_dump_json(), outcome.model_dump_json(), *identities)
        stored = await self.checkpoint.get(key)
        if stored is not None:
            return _SCORES.validate_json(stored)
        scores = {measure.name: await measure.score(case, outcome) for measure in ruled}
        if all(score.state != "unscored" for score in scores.values()):
            await self.checkpoint.put(key, _SCORES.dump_json(scores, exclude_defaults=True).decode())
        return scores

    async def score(self, measure: Measure, case: GoldenCase, outcome: CaseOutcome) -> Score:
        """Return the score of a measure; one that is worth caching is taken once for the same inputs."""
        if self.checkpoint is None or measure.cache_key is None or outcome.why_unusable or not measure.applies(case):
            return await measure.score(case, outcome)
        key = digest("score", measure.identity, measure.cache_key(case, outcome))
        stored = await self.checkpoint.get(key)
        if stored is not None:
            return _SCORE.validate_json(stored)
        score = await measure.score(case, outcome)
        if score.state == "scored":
            free = Score(score.value, score.reason)
            await self.checkpoint.put(key, _SCORE.dump_json(free).decode())
        return score

    async def _prove(self, answer: TailorOutput | AgentFailure) -> CaseOutcome:
        if isinstance(answer, AgentFailure):
            return CaseOutcome(failure=answer)
        ids = sorted({c.document_id for c in answer.citations})
        texts = {i: await self.read_text(i) for i in ids} if self.read_text else {}
        proofs = [prove_quote(c, texts.get(c.document_id)) for c in answer.citations]
        return CaseOutcome(output=answer, proofs=tuple(proofs), considered=answer.considered)


def prove_quote(citation: Citation, text: str | None) -> bool | None:
    """Return True when the source holds the quote at the citation's offsets; None without the source."""
    return None if text is None else text[citation.start : citation.end] == citation.quote


def make_row(case: GoldenCase, outcome: CaseOutcome, scores: dict[str, Score]) -> EvalRow:
    """Return the record of a case. ``scores`` are by measure; those that do not apply leave no trace."""
    applying = {name: score for name, score in scores.items() if score.state != "not_applicable"}
    reasons = {} if outcome.why_unusable else {name: s.reason for name, s in applying.items() if s.reason}
    output = outcome.output
    return EvalRow(
        case_id=case.id,
        question=case.question,
        kind=case.kind,
        persona=case.persona,
        cluster=case.group,
        state=outcome.state,
        why=outcome.why_unusable,
        answer=output.answer if output else None,
        answered=bool(output.answered) if output else None,
        citations=output.citations if output else (),
        passages=output.passages if output else (),
        considered=outcome.considered,
        proofs=outcome.proofs,
        model=output.model if output else "",
        scores={name: score.value for name, score in applying.items()},
        reasons=reasons,
        error=outcome.failure.code if outcome.failure else None,
    )


async def run_cases(golden: Golden, runner: CaseRunner, progress: Progress | None = None) -> EvalReport:
    """Ask and score every case; rows come in the order of the cases, whatever finished first."""
    started = time.perf_counter()
    gate = asyncio.Semaphore(runner.concurrency)
    done = 0

    async def work(case: GoldenCase) -> _CaseResult:
        nonlocal done
        async with gate:
            result = await runner.run(case)
        done += 1
        if progress is not None:
            progress(done, len(golden.cases))
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(case)) for case in golden.cases]
    results = [task.result() for task in tasks]
    return EvalReport(
        dataset=golden.name,
        dataset_sha256=golden.sha256,
        corpus_sha256=runner.corpus.sha256 if runner.corpus else "",
        fingerprint=runner.fingerprint,
        top_k=runner.top_k,
        measures=tuple(describe_measure(measure) for measure in runner.measures),
        rows=tuple(result.row for result in results),
        missing_evidence=_missing(runner.corpus),
        facts=collect_facts(results, time.perf_counter() - started),
    )


def describe_measure(measure: Measure) -> MeasureInfo:
    """Return what a column of the report means."""
    return MeasureInfo(
        name=measure.name,
        source=measure.source,
        higher=measure.higher,
        scale=measure.scale,
        length_sensitive=measure.length_sensitive,
        identity=measure.identity,
        models=dict(measure.models),
        judge=measure.judge,
    )


def _missing(corpus: Corpus | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(case for case, _ in corpus.missing)) if corpus else ()


def collect_facts(results: Iterable[_CaseResult], seconds: float) -> RunFacts:
    """Return what this run took; answers and scores that were kept cost nothing now."""
    held = list(results)
    usage: dict[str, Usage] = {ANSWERS: Usage()}
    for result in held:
        output = result.timed.outcome.output
        if output and not result.resumed:
            usage[ANSWERS] += output.usage
        for role, cost in result.usage.items():
            if cost != Usage():
                usage[role] = usage.get(role, Usage()) + cost
    return RunFacts(
        seconds=seconds,
        asked=sum(not result.resumed for result in held),
        resumed=sum(result.resumed for result in held),
        usage=usage,
        case_seconds={result.row.case_id: result.timed.seconds for result in held},
        case_spared={r.row.case_id: r.timed.spared_s for r in held if r.timed.spared_s},
        case_started={r.row.case_id: r.timed.started_at for r in held if r.timed.started_at},
    )
