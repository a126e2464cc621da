"""The orchestrator: it drives a question through the pipeline to exactly one terminal event, whatever fails on the way.

``stream_query`` is the primitive and ``query`` folds it. The driver knows no stage by name. For each of them it keeps
the deadline, turns exceptions into failures, recovers as the stage says, and reports events, metrics and spans.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from roma_core.agents.base import Agent
from roma_core.agents.context import Context
from roma_core.agents.pipeline import Pipeline, Stage, Then, fill_words
from roma_core.agents.trace import take_snapshot
from roma_core.answers import AnswerReuse, Recorder
from roma_core.errors import (
    AgentFailure,
    ConfigError,
    DeadlineError,
    ErrorCode,
    LLMError,
    guarded,
    guarded_block,
)
from roma_core.settings import AnsweringSettings
from roma_core.telemetry.observe import QueryWatch
from roma_core.types import CompleteEvent, ErrorEvent, Query, StageEvent, StreamEvent, TailorOutput, TokenEvent
from roma_core.watchdog import Intermission, Watchdog
from roma_core.writers.base import Draft, Piece, Thoughts

_DEFAULTS = AnsweringSettings()
Event = TypeVar("Event", StageEvent, TokenEvent)

CALLERS_FAULT = frozenset({ErrorCode.INPUT_INVALID, ErrorCode.CONFIG_INVALID, ErrorCode.STORAGE_MISMATCH})
"""Codes of a filter or a setting that the caller got wrong. They always end in one ErrorEvent, because no other answer
would be honest."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
MOST_ROUNDS = 8
"""Rounds of look-ups in one query; a plan needs at most four. The limit ends a stage that adds a look-up in each."""


class ROMAOrchestrator(Agent):
    """Runs ``pipeline``, which can be replaced at any time; queries that are under way keep theirs."""

    name = "orchestrator"

    def __init__(self, pipeline: Pipeline, *, timeout_s: float = _DEFAULTS.query_timeout_s) -> None:
        self.pipeline = pipeline
        self._timeout_s = timeout_s

    def with_pipeline(self, pipeline: Pipeline) -> ROMAOrchestrator:
        """Return an orchestrator that runs another pipeline within the same deadline."""
        return ROMAOrchestrator(pipeline, timeout_s=self._timeout_s)

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Every agent that a query runs through, for health reports."""
        return self.pipeline.agents

    async def query(self, query: Query) -> TailorOutput | AgentFailure:
        """Return the value of the terminal event of ``stream_query``."""
        async with aclosing(self.stream_query(query)) as events:
            return await fold_events(events)

    async def stream_query(
        self,
        query: Query,
        recorder: Recorder | None = None,
        start: StartPoint | None = None,
        reuse: AnswerReuse | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield stages, tokens and exactly one ``CompleteEvent`` or ``ErrorEvent``, within the deadline.

        Closing it (or cancelling its reader) stops the model's call. A token passes no other generator between its
        writer and the reader. ``recorder`` gets each event before it is yielded, and the state after each stage.
        ``start`` goes on from a recorded context. ``reuse`` looks for the answer in the cache, and keeps a fresh one.
        """
        failure: AgentFailure | None = None
        with QueryWatch(query) as watch, _recording(recorder), _leaving(reuse):
            run = _QueryRun(self.pipeline, query, watch, self._timeout_s, recorder, start)
            with guarded_block(self.name) as block, closing(run.watchdog):
                try:
                    if recorder is not None and not recorder.has_begun:
                        await recorder.begin()
                    if reuse is not None and (cached := await run.look_into_cache(reuse)) is not None:
                        with run.reading:
                            yield run.note(cached)
                        if words := run.unseen_answer():
                            with run.reading:
                                yield run.note(TokenEvent(text=words))
                    for stage in run.walk():
                        block.agent = stage.agent_name
                        if (event := run.start_event()) is not None:
                            with run.reading:
                                yield run.note(event)
                        stream = run.open_stage()
                        if stream is None:
                            failure = await run.settle()
                            if failure is not None:
                                break
                        else:
                            async with aclosing(stream):
                                while (text := await run.next_text(stream)) is not None:
                                    if text:
                                        token = run.note(TokenEvent(text=text))
                                        with run.reading:
                                            yield token
                                    elif (event := run.thinking_event()) is not None:
                                        with run.reading:
                                            yield run.note(event)
                        if (event := run.end_event()) is not None:
                            with run.reading:
                                yield run.note(event)
                        if text := run.unseen_answer():
                            with run.reading:
                                yield run.note(TokenEvent(text=text))
                    if failure is None:
                        complete = CompleteEvent(output=run.output())
                        if recorder is not None:
                            await recorder.finish(complete)
                        if reuse is not None:
                            await reuse.keep(complete.output)
                        yield complete
                except TimeoutError:
                    if not run.watchdog.expired:
                        raise
                    block.agent = self.name
                    raise DeadlineError(
                        f"The query took longer than {self._timeout_s:g} s; ask again or raise ROMA_QUERY_TIMEOUT_S."
                    ) from None
            failure = failure or block.failure
            if failure is not None:
                watch.fail(failure)
                error = ErrorEvent(failure=failure)
                if reuse is not None:
                    reuse.give_up()
                if recorder is not None:
                    await recorder.finish(error)
                yield error


@dataclass(frozen=True)
class StartPoint:
    """A recorded context and the stage to go on with: what came before it is taken from the record."""

    stage: str
    context: Context


@contextmanager
def _recording(recorder: Recorder | None) -> Iterator[None]:
    """End the record of an answer whose reader went away."""
    try:
        yield
    finally:
        if recorder is not None:
            recorder.stop()


@contextmanager
def _leaving(reuse: AnswerReuse | None) -> Iterator[None]:
    """Let another equal question write the answer when the reader of this one went away."""
    try:
        yield
    finally:
        if reuse is not None:
            reuse.leave()


CACHED = "cached"
"""Name of the event of an answer out of the cache; it comes in place of those of the stages."""
THINKING = "thinking"
"""Name of the event of a model that thinks; it comes between ``writing`` and the first token."""


class _QueryRun:
    """One query on its way through the pipeline: the stage that is under way, the deadline, and the seen words."""

    def __init__(
        self,
        pipeline: Pipeline,
        query: Query,
        watch: QueryWatch,
        timeout_s: float,
        recorder: Recorder | None = None,
        start: StartPoint | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._context = start.context if start is not None else Context.begin(query)
        self._recorder = recorder
        self._watch = watch
        self._time = asyncio.get_running_loop().time
        self._started = self._time()
        deadline = self._started + timeout_s
        self.watchdog = Watchdog(deadline)
        self.reading = Intermission(self.watchdog, deadline)
        """The deadline counts while a stage works, never while the reader does."""
        self._position = pipeline.index_of(start.stage) if start is not None else 0
        self._stage = pipeline[self._position]
        self._has_run: set[str] = set()
        self._shown = False
        self._stream_ended = False
        self._thoughts: Thoughts | None = None
        self._is_cached = False

    async def look_into_cache(self, reuse: AnswerReuse) -> StageEvent | None:
        """Take the answer from the cache and return the event that says so; None when it has to be written."""
        with self.watchdog:
            output = await reuse.find()
        if output is None or output.saved is None:
            return None
        self._is_cached = True
        self._context.output = output
        self._context.passages = output.passages
        if self._recorder is not None:  # the record knows the passages, and forgets them with their document
            self._recorder.note_stage(take_snapshot(CACHED, self._context))
        details = output.saved.model_dump(mode="json")
        return self._event(CACHED, "Taking the answer from the cache …", details)

    def walk(self) -> Iterator[Stage]:
        """Yield the stages that apply in their order, and again for each round of look-ups."""
        while self._position < len(self._pipeline):
            stage = self._stage = self._pipeline[self._position]
            if self._applies(stage):
                self._has_run.add(stage.name)
                yield stage
            self._position = self._next_position(stage)

    def _applies(self, stage: Stage) -> bool:
        if self._is_cached and not stage.runs_when_cached:
            return False
        if stage.name in self._has_run and not stage.every_round:
            return False
        return stage.applies is None or stage.applies(self._context)

    def _next_position(self, stage: Stage) -> int:
        context = self._context
        if not stage.back_to or stage.back_to not in self._pipeline.names or context.round + 1 >= MOST_ROUNDS:
            return self._position + 1
        again = self._pipeline.index_of(stage.back_to)
        if again >= self._position or not context.has_waiting_lookups:
            return self._position + 1
        context.round += 1
        return again

    def note(self, event: Event) -> Event:
        """Return the event once it is in the record."""
        if self._recorder is not None:
            self._recorder.add(event)
        return event

    def start_event(self) -> StageEvent | None:
        """Note that the stage begins and return its event, where it has one."""
        stage = self._stage
        self._watch.begin_stage(stage.label)
        if not stage.start_event:
            return None
        details = stage.details(self._context)
        shown = dict(stage.shown(self._context)) if stage.shown is not None else {}
        return self._event(stage.start_event, fill_words(stage.says, details), {**details, **shown})

    def end_event(self) -> StageEvent | None:
        """Note that the stage has ended and return its event, where it has one."""
        stage = self._stage
        details = stage.details(self._context)
        self._watch.end_stage(details)
        if self._recorder is not None:
            self._recorder.note_stage(take_snapshot(stage.name, self._context))
        if not stage.event_at_end:
            return None
        return self._event(stage.event_at_end, self._pipeline.words_after(self._position, details), details)

    def _event(self, name: str, says: str, details: dict[str, object]) -> StageEvent:
        elapsed_ms = (self._time() - self._started) * 1000
        return StageEvent(stage=name, elapsed_ms=round(elapsed_ms, 1), detail=details, says=says)

    def open_stage(self) -> AsyncGenerator[Piece, None] | None:
        """Return the stream of a stage that writes; None for the others, which ``settle`` runs."""
        self._work = self._stage.run(self._context)
        if not hasattr(self._work, "__anext__"):
            return None
        self._stream_ended = False
        return cast(AsyncGenerator[Piece, None], self._work)

    async def settle(self) -> AgentFailure | None:
        """Do the stage as its recovery says. Return the failure that ends the query, or None to go on."""
        stage, rule = self._stage, self._stage.recovery
        with self.watchdog:
            outcome = await guarded(stage.agent_name, self._awaitable())
            for attempt in range(rule.retries):
                if not (isinstance(outcome, AgentFailure) and outcome.recoverable):
                    break
                await asyncio.sleep(min(outcome.retry_after_s or FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S))
                self._work = stage.run(self._context)
                outcome = await guarded(stage.agent_name, self._awaitable())
        if not isinstance(outcome, AgentFailure):
            return None
        if rule.then is Then.FAIL or outcome.code in CALLERS_FAULT:
            return outcome
        if rule.then is Then.GO_ON_DEGRADED:
            self._context.degraded.append(f"{outcome.agent}: {outcome.code}")
        return None

    def _awaitable(self) -> Awaitable[AgentFailure | None]:
        if isinstance(self._work, Awaitable):
            return self._work
        raise ConfigError(f"The stage {self._stage.name!r} is no async function; write it with 'async def'.")

    async def next_text(self, stream: AsyncGenerator[Piece, None]) -> str | None:
        """Return the next words of the answer that may be shown, maybe none; None when there are no more."""
        if self._stream_ended:
            return None
        context = self._context
        try:
            with self.watchdog:
                piece = await stream.__anext__()
        except StopAsyncIteration:
            self._stream_ended = True
            if context.draft is None:
                raise LLMError("The answer ended before it was complete; ask again.", ErrorCode.LLM_TRUNCATED) from None
            return self._show(context.text_filter.rest() if context.text_filter is not None else "")
        if not isinstance(piece, str):
            if isinstance(piece, Draft):
                context.take_draft(piece)
            else:
                self._thoughts = piece
            return ""
        if context.text_filter is not None:
            piece = context.text_filter.feed(piece)
        return self._show(piece)

    def thinking_event(self) -> StageEvent | None:
        """Return the event of a model that thinks, once for each sign of it; its words only where they are wanted."""
        thoughts, self._thoughts = self._thoughts, None
        if thoughts is None:
            return None
        details: dict[str, object] = {"seconds": round(thoughts.seconds, 1)}
        if self._context.query.show_thinking:
            details["text"] = thoughts.text
        return self._event(THINKING, f"Thinking for {thoughts.seconds:.0f} s …", details)

    def _show(self, text: str) -> str:
        """Return ``text`` if it may be shown now."""
        if not text or self._context.holds_back:
            return ""
        if not self._shown:
            self._shown = True
            self._watch.first_token()
        return text

    def unseen_answer(self) -> str:
        """Return the whole answer once there is one of which the reader has seen no word."""
        output = self._context.output
        if output is None or self._shown or not output.answer:
            return ""
        self._shown = True
        self._watch.first_token()
        return output.answer

    def output(self) -> TailorOutput:
        """Return the answer, degraded by what failed after it was composed too. Raises ``ConfigError`` without one."""
        output, reasons = self._context.output, self._context.reasons
        if output is None:
            raise ConfigError(
                "The pipeline has no stage that composes an answer; keep 'compose' or set context.output."
            )
        if reasons != output.degraded_reasons:
            output = output.model_copy(update={"degraded": True, "degraded_reasons": reasons})
        self._watch.complete(output)
        return output


async def fold_events(events: AsyncIterator[StreamEvent]) -> TailorOutput | AgentFailure:
    """Return the terminal event's value."""
    async for event in events:
        if isinstance(event, CompleteEvent):
            return event.output
        if isinstance(event, ErrorEvent):
            return event.failure
    raise AssertionError("a stream of events ended without a terminal one")
