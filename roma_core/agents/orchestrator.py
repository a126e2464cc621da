"""The orchestrator: from a question to exactly one terminal event, whatever fails on the way.

``stream_query`` is the primitive and ``query`` folds it. What happens when a step fails is ``RECOVERY`` and nothing
else; ``docs/02_AGENT_SPECS.md`` shows the same table and a test compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from roma_core.agents.base import Agent
from roma_core.agents.citations import CitationAgent, Cited
from roma_core.agents.conversation import ConversationAgent, Standalone
from roma_core.agents.guardrails import GuardrailsAgent, Passed
from roma_core.agents.memory import MemoryAgent, Recall, interleave
from roma_core.agents.planner import Finding, Plan, PlannerAgent, filled
from roma_core.agents.tailor import Draft, TailorAgent
from roma_core.errors import AgentFailure, DeadlineError, ErrorCode, LLMError, guarded_stream
from roma_core.llm.base import FALLBACK, I_DONT_KNOW
from roma_core.markup import normalise_markers, read_markers, rewrite_markers
from roma_core.types import (
    CompleteEvent,
    ErrorEvent,
    Query,
    ScoredChunk,
    Stage,
    StageEvent,
    StreamEvent,
    TailorOutput,
    TokenEvent,
    Usage,
    digest,
)
from roma_core.watchdog import Watchdog

T = TypeVar("T")


class Step(StrEnum):
    """What can fail, in the order of a query."""

    GUARD_QUESTION = "guard question"
    STANDALONE = "stand alone"
    PLAN = "plan"
    RETRIEVE = "retrieve"
    GUARD_PASSAGES = "guard passages"
    FIND = "find"
    WRITE = "write"
    GUARD_ANSWER = "guard answer"
    VERIFY = "verify"
    REMEMBER = "remember"


class Then(StrEnum):
    """What follows when the retries are used up, or at once when the failure is final."""

    FAIL = "one ErrorEvent"
    GO_ON = "go on without"
    GO_ON_DEGRADED = "go on without, degraded"


@dataclass(frozen=True)
class Recovery:
    """How often a transient failure of a step is tried again, what follows, and what stands in for its result."""

    retries: int
    then: Then
    instead: str


RECOVERY: Mapping[Step, Recovery] = {
    Step.GUARD_QUESTION: Recovery(0, Then.FAIL, "guardrails fail closed"),
    Step.STANDALONE: Recovery(1, Then.GO_ON_DEGRADED, "the question as it stands"),
    Step.PLAN: Recovery(0, Then.GO_ON, "the question as it stands"),
    Step.RETRIEVE: Recovery(2, Then.GO_ON_DEGRADED, "no passages, so the answer is that ROMA does not know"),
    Step.GUARD_PASSAGES: Recovery(0, Then.FAIL, "guardrails fail closed"),
    Step.FIND: Recovery(0, Then.GO_ON, "the sub-question without what was to be found"),
    Step.WRITE: Recovery(0, Then.FAIL, "before the first token the LLM service has retried and walked its fallbacks"),
    Step.GUARD_ANSWER: Recovery(0, Then.FAIL, "guardrails fail closed"),
    Step.VERIFY: Recovery(2, Then.GO_ON_DEGRADED, "the answer without citations: what cannot be proven is not cited"),
    Step.REMEMBER: Recovery(1, Then.GO_ON_DEGRADED, "the answer without a place in the history"),
}
"""Retries are for recoverable failures; final ones (auth, unsupported, bad request) skip them. A filter or a setting
that the caller got wrong (``CALLERS_FAULT``) always ends in one ErrorEvent, because no other answer would be honest."""

CALLERS_FAULT = frozenset({ErrorCode.INPUT_INVALID, ErrorCode.CONFIG_INVALID, ErrorCode.STORAGE_MISMATCH})
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0


class _Stopped(Exception):  # noqa: N818  (control flow inside this module, not an error of its own)
    """A step failed for which the table says: one ErrorEvent."""

    def __init__(self, failure: AgentFailure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@dataclass
class _Run:
    """What a query gathers on its way. ``question`` stands alone."""

    query: Query
    started: float
    question: str
    degraded: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    plan: Plan = field(init=False)
    passages: tuple[ScoredChunk, ...] = ()

    def event(self, stage: Stage, **detail: Any) -> StageEvent:
        elapsed_ms = (asyncio.get_running_loop().time() - self.started) * 1000
        return StageEvent(stage=stage, elapsed_ms=round(elapsed_ms, 1), detail=detail)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the answer is degraded, each once."""
        return tuple(dict.fromkeys(self.degraded))

    def flag(self, names: Sequence[str]) -> None:
        self.flags += [name for name in names if name not in self.flags]


class ROMAOrchestrator(Agent):
    """Runs the agents. ``planner`` None asks every question as it stands, ``conversation`` None forgets."""

    name = "orchestrator"

    def __init__(
        self,
        *,
        memory: MemoryAgent,
        tailor: TailorAgent,
        citations: CitationAgent,
        guardrails: GuardrailsAgent,
        planner: PlannerAgent | None = None,
        conversation: ConversationAgent | None = None,
        timeout_s: float = 90.0,
    ) -> None:
        self._memory = memory
        self._tailor = tailor
        self._citations = citations
        self._guardrails = guardrails
        self._planner = planner
        self._conversation = conversation
        self._timeout_s = timeout_s

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Every agent that a query runs through, for health reports."""
        given = (self._guardrails, self._conversation, self._planner, self._memory, self._tailor, self._citations)
        return tuple(agent for agent in given if agent is not None)

    async def query(self, query: Query) -> TailorOutput | AgentFailure:
        """The terminal event of ``stream_query``."""
        async with aclosing(self.stream_query(query)) as events:
            return await folded(events)

    def stream_query(self, query: Query) -> AsyncGenerator[StreamEvent, None]:
        """Stages, tokens and exactly one ``CompleteEvent`` or ``ErrorEvent``, within the deadline.

        Closing it (or cancelling whoever awaits it) stops the model's call.
        """
        return guarded_stream(self.name, self._answered(query), lambda failure: ErrorEvent(failure=failure))

    async def _answered(self, query: Query) -> AsyncGenerator[StreamEvent, None]:
        """The phases of an answer, one after the other, as long as there is time."""
        time = asyncio.get_running_loop().time
        run = _Run(query, time(), query.text)
        deadline = run.started + self._timeout_s
        with closing(Watchdog(deadline)) as watchdog:
            try:
                for phase in (self._understood, self._recalled, self._written):
                    async with aclosing(phase(run)) as events:
                        while True:
                            with watchdog:
                                event = await anext(events, None)
                            if event is None:
                                break
                            given = time()
                            yield event
                            # The deadline counts while a step works, never while the consumer does.
                            deadline += time() - given
                            watchdog.move(deadline)
            except _Stopped as stopped:
                yield ErrorEvent(failure=stopped.failure)
            except TimeoutError:
                if not watchdog.expired:
                    raise
                raise DeadlineError(
                    f"The query took longer than {self._timeout_s:g} s; ask again or raise ROMA_QUERY_TIMEOUT_S."
                ) from None

    async def _understood(self, run: _Run) -> AsyncGenerator[StreamEvent, None]:
        checked = await self._settle(
            Step.GUARD_QUESTION, run, lambda: self._guardrails.question(run.query.text), Passed()
        )
        run.flag(checked.flags)
        yield run.event("guarded", flags=list(checked.flags))
        run.question = await self._standalone(run, checked.text)
        run.plan = await self._planned(run)
        yield run.event("planned", questions=[step.question for step in run.plan.steps])

    async def _standalone(self, run: _Run, question: str) -> str:
        if self._conversation is None:
            return question
        conversation = self._conversation
        found = await self._settle(
            Step.STANDALONE, run, lambda: conversation.standalone(question, run.query), Standalone(question)
        )
        run.usage += found.usage
        return found.question

    async def _remembered(self, run: _Run, output: TailorOutput) -> TailorOutput:
        if self._conversation is None:
            return output
        conversation, before = self._conversation, len(run.degraded)
        await self._settle(Step.REMEMBER, run, lambda: conversation.remember(run.question, run.query, output), None)
        if len(run.degraded) == before:
            return output
        return output.model_copy(update={"degraded": True, "degraded_reasons": run.reasons})

    async def _planned(self, run: _Run) -> Plan:
        if self._planner is None or not self._tailor.llm.generative:
            return Plan.single(run.question)
        planner = self._planner
        plan = await self._settle(
            Step.PLAN, run, lambda: planner.plan(run.question, run.query), Plan.single(run.question)
        )
        run.usage += plan.usage
        return plan

    async def _recalled(self, run: _Run) -> AsyncGenerator[StreamEvent, None]:
        """Look up the plan layer by layer; the passages of all sub-questions take turns."""
        plan = run.plan
        recalls: list[Recall] = []
        findings: dict[int, str] = {}
        share = -(-self._memory.rerank_limit // len(plan.steps))
        for layer in plan.layers:
            asked = [filled(step, findings) or run.question for step in layer]
            found = await asyncio.gather(*(self._retrieve(run, question) for question in asked))
            yield run.event("retrieved", n=len({p.chunk.id for r in found for p in r.passages}))
            ordered = await asyncio.gather(*(self._rerank(run, recall, share) for recall in found))
            recalls += ordered
            yield run.event("reranked", n=sum(min(share, len(r.passages)) for r in ordered))
            for step, recall in zip(layer, ordered, strict=True):
                if step.id in plan.needed and self._planner:
                    findings[step.id] = await self._find(run, self._planner, recall)
        run.degraded += dict.fromkeys(reason for r in recalls for reason in r.degraded)
        passages = interleave(recalls, run.query.top_k)
        passed = await self._settle(Step.GUARD_PASSAGES, run, lambda: self._guardrails.passages(passages), Passed())
        run.passages = passed.passages
        run.flag(passed.flags)

    async def _retrieve(self, run: _Run, question: str) -> Recall:
        query = run.query
        return await self._settle(
            Step.RETRIEVE,
            run,
            lambda: self._memory.retrieve(question, tenant=query.tenant, filters=dict(query.filters)),
            Recall(question),
        )

    async def _rerank(self, run: _Run, recall: Recall, limit: int) -> Recall:
        """Reranking degrades inside of the agent; what fails beyond that is told the same way."""
        return await self._settle(Step.RETRIEVE, run, lambda: self._memory.rerank(recall, limit=limit), recall)

    async def _find(self, run: _Run, planner: PlannerAgent, recall: Recall) -> str:
        passages = recall.passages[: run.query.top_k]
        found = await self._settle(
            Step.FIND, run, lambda: planner.find(recall.question, passages, run.query), Finding("")
        )
        run.usage += found.usage
        return found.text

    async def _written(self, run: _Run) -> AsyncGenerator[StreamEvent, None]:
        if not run.passages:
            yield TokenEvent(text=I_DONT_KNOW)
            yield CompleteEvent(output=await self._remembered(run, self._unknown(run, I_DONT_KNOW, None)))
            return
        yield run.event("writing", passages=len(run.passages))
        links, late = self._guardrails.link_filter(run.passages), self._guardrails.holds_back
        draft: Draft | None = None
        async with aclosing(self._tailor.write(run.question, run.passages, run.query)) as pieces:
            async for piece in pieces:
                if isinstance(piece, AgentFailure):
                    raise _Stopped(piece)
                if isinstance(piece, Draft):
                    draft = piece
                elif not late and (shown := links.feed(piece)):
                    yield TokenEvent(text=shown)
        if shown := links.rest():
            yield TokenEvent(text=shown)
        if draft is None:
            raise LLMError("The answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED)
        run.usage += draft.usage
        yield run.event("verifying")
        output = await self._verified(run, draft)
        if late:
            yield TokenEvent(text=output.answer)
        yield CompleteEvent(output=await self._remembered(run, output))

    async def _verified(self, run: _Run, draft: Draft) -> TailorOutput:
        if draft.reason.startswith(FALLBACK):
            run.degraded.append(f"llm: {draft.reason}")
        if draft.read < len(run.passages):
            run.degraded.append(f"llm: the model reads no more than {draft.read} of {len(run.passages)} passages")
            run.passages = run.passages[: draft.read]
        if is_unknown(draft.text, len(run.passages)):
            return self._unknown(run, draft.text, draft)
        text = normalise_markers(draft.text, len(run.passages), [p.chunk.text for p in run.passages])
        cited = cited_passages(text, run.passages)
        passed = await self._settle(Step.GUARD_ANSWER, run, lambda: self._guardrails.answer(text, cited), Passed())
        bare, _ = rewrite_markers(passed.text, len(run.passages), lambda n: False)
        proven = await self._settle(
            Step.VERIFY,
            run,
            lambda: self._citations.resolve(passed.text, run.passages, run.query.tenant),
            Cited(bare),
        )
        reviewed = await self._settle(Step.GUARD_ANSWER, run, lambda: self._guardrails.citations(proven), Passed())
        run.flag((*passed.flags, *reviewed.flags))
        if proven.stale:
            run.degraded.append(f"citations: {proven.stale} of a document that has changed since were dropped")
        if draft.finish_reason == "length":
            run.degraded.append("tailor: the answer was cut at its longest length")
        return self._output(run, proven, draft)

    def _output(self, run: _Run, cited: Cited, draft: Draft) -> TailorOutput:
        declined = draft.finish_reason in {"refusal", "content_filter"}
        if declined:
            run.degraded.append("tailor: the model declined to answer")
        return TailorOutput(
            answer=cited.answer,
            citations=() if declined else cited.citations,
            follow_ups=draft.follow_ups,
            persona=run.query.persona,
            usage=run.usage,
            degraded=bool(run.degraded),
            degraded_reasons=run.reasons,
            answer_id=answer_id(run.query, cited, draft.model),
            model=draft.model,
            model_reason=draft.reason,
            passages=run.passages,
            answered=not declined,
            flags=tuple(run.flags),
            prompt_hash=draft.prompt_hash,
        )

    def _unknown(self, run: _Run, text: str, draft: Draft | None) -> TailorOutput:
        """ "I don't know" with no citation; degraded only when something was away."""
        answer, _ = rewrite_markers(text, len(run.passages), lambda n: False)
        return TailorOutput(
            answer=answer.strip(),
            persona=run.query.persona,
            usage=run.usage,
            degraded=bool(run.degraded),
            degraded_reasons=run.reasons,
            answer_id=answer_id(run.query, Cited(answer.strip()), draft.model if draft else ""),
            model=draft.model if draft else "",
            model_reason=draft.reason if draft else "no passages",
            passages=run.passages,
            answered=False,
            flags=tuple(run.flags),
            prompt_hash=draft.prompt_hash if draft else "",
        )

    async def _settle(self, step: Step, run: _Run, call: Callable[[], Awaitable[T | AgentFailure]], instead: T) -> T:
        """Do a step as ``RECOVERY`` says: its result, or the stand-in, or ``_Stopped``."""
        rule = RECOVERY[step]
        outcome = await call()
        for attempt in range(rule.retries):
            if not (isinstance(outcome, AgentFailure) and outcome.recoverable):
                break
            await asyncio.sleep(min(outcome.retry_after_s or FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S))
            outcome = await call()
        if not isinstance(outcome, AgentFailure):
            return outcome
        if rule.then is Then.FAIL or outcome.code in CALLERS_FAULT:
            raise _Stopped(outcome)
        if rule.then is Then.GO_ON_DEGRADED:
            run.degraded.append(f"{outcome.agent}: {outcome.code}")
        return instead


async def folded(events: AsyncIterator[StreamEvent]) -> TailorOutput | AgentFailure:
    """The terminal event's value."""
    async for event in events:
        if isinstance(event, CompleteEvent):
            return event.output
        if isinstance(event, ErrorEvent):
            return event.failure
    raise AssertionError("a stream of events ended without a terminal one")


def cited_passages(text: str, passages: Sequence[ScoredChunk]) -> list[ScoredChunk]:
    """The passages that ``text`` names by marker."""
    size = len(passages)
    named = {number for marker in read_markers(text, size) for number in marker.numbers if 1 <= number <= size}
    return [passages[number - 1] for number in sorted(named)]


def is_unknown(text: str, passages: int) -> bool:
    """Whether an answer says that ROMA does not know: the agreed sentence, or its beginning without any marker."""
    plain = " ".join(text.replace("’", "'").split()).casefold()
    if plain.startswith(I_DONT_KNOW.casefold().rstrip(".")):
        return True
    cites = rewrite_markers(text, passages, lambda n: False)[0] != text
    return plain.startswith("i don't know") and not cites


def answer_id(query: Query, cited: Cited, model: str) -> str:
    """The same question, answer and evidence give the same id on every machine."""
    evidence = [f"{c.document_id}:{c.start}:{c.end}" for c in cited.citations]
    return digest("answer", query.tenant, query.persona, query.text, model, cited.answer, *evidence)[:32]
