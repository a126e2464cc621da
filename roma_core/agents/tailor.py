"""Tailor: the answer, cut to its reader, out of the passages and nothing else, while it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import replace
from typing import Final, Self

from roma_core.agents.base import Agent
from roma_core.agents.context import Context
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.citations import Cited
from roma_core.errors import ErrorCode, LLMError, RomaError
from roma_core.languages import is_same_script
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import find_frame, rewrite_markers
from roma_core.types import Answered, ComponentHealth, HealthState, Query, TailorOutput, digest
from roma_core.writers.base import Draft, Piece, Thoughts, Writer

MOST_TITLES: Final = 5
LONGEST_TITLE: Final = 80
_DECLINED = frozenset({"refusal", "content_filter"})

CUT_REASON = "tailor: the answer was cut at its longest length"
DECLINED_REASON = "tailor: the model declined to answer"
"""Reasons for which an answer is degraded."""
DECLINED_ANSWER = "The model declined to answer this question."
"""The answer where a model declines without a word."""


class TailorAgent(Agent):
    """Has the answer written by the first of ``writers`` that begins, and puts the output together."""

    name = "tailor"

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = tuple(writers)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages write and compose."""
        return (
            Stage(
                "write",
                self.write,
                Recovery(0, Then.FAIL, "before the first token the LLM service has retried and walked its fallbacks"),
                says="Writing …",
                agent=self,
                event_at_start="writing",
                detail=lambda context: {"passages": len(context.passages)},
                shown=list_titles,
                applies=lambda context: bool(context.passages),
                version="2",
                parameters={"writers": [writer.fingerprint for writer in self._writers]},
            ),
            Stage(
                "compose",
                self._compose_output,
                Recovery(0, Then.FAIL, "without an output there is no answer"),
                agent=self,
                event_at_start="",
                version="1",
            ),
        )

    async def health(self) -> ComponentHealth:
        """Return ``degraded`` where a writer is; models and reranker report their own health."""
        details = {"writers": [writer.name for writer in self._writers]}
        found = [await writer.health() for writer in self._writers]
        reasons = [health.reason for health in found if health.state != "ok"]
        state: HealthState = "degraded" if reasons else "ok"
        return ComponentHealth(name=self.name, state=state, reason="; ".join(reasons), details=details)

    def write(self, context: Context) -> WriterStream:
        """Return the pieces of the answer in order, then the ``Draft`` that they make up.

        Raises the last writer's error when none begins. Nothing is written again once a piece of text is out; thoughts
        are none. Closing the stream stops the model's call.
        """
        return WriterStream(self._writers, context)

    async def _compose_output(self, context: Context) -> None:
        context.output = _compose_unknown(context) if context.is_unknown else _compose_answer(context)


class WriterStream:
    """The stream of the first of ``writers`` that begins to write.

    Another writer follows on one that fails before its first text. From that text on each item is the writer's own
    ``anext``: no generator stands between.
    """

    def __init__(self, writers: Sequence[Writer], context: Context) -> None:
        self._waiting = list(writers)
        self._context = context
        self._stream: AsyncGenerator[Piece, None] | None = None
        self._has_begun = False

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[Piece]:
        if self._has_begun and self._stream is not None:
            return self._stream.__anext__()
        return self._begin()

    async def aclose(self) -> None:
        """Close the writer's stream, where one was opened."""
        if self._stream is not None:
            await self._stream.aclose()

    async def _begin(self) -> Piece:
        context = self._context
        while self._waiting:
            writer = self._waiting[0]
            if self._stream is None:
                self._stream = writer.write(context.question, context.passages, context)
            try:
                piece = await anext(self._stream)
                self._has_begun = not isinstance(piece, Thoughts)
                return piece
            except RomaError as error:
                self._waiting.pop(0)
                await self._stream.aclose()
                self._stream = None
                if not self._waiting:
                    raise
                context.writer_failures += _describe_failure(writer, error)
            except StopAsyncIteration:
                break
        raise LLMError("The answer ended before it began; ask again.", ErrorCode.LLM_TRUNCATED)


def list_titles(context: Context) -> dict[str, list[str]]:
    """Return the titles of the documents that the answer is written from, the best first.

    The writer was given them, so they go from the record with the answer when a document is forgotten.
    """
    titles: dict[str, str] = {}
    for passage in context.passages:
        titles.setdefault(passage.chunk.document_id, passage.chunk.title or passage.chunk.uri)
    return {"titles": [title[:LONGEST_TITLE] for title in list(titles.values())[:MOST_TITLES]]}


def _compose_answer(context: Context) -> TailorOutput:
    """Return the answer with its citations; without verified ones its markers are taken out."""
    draft = context.draft
    if draft is None:
        return _compose_unknown(context)
    if draft.finish_reason == "length":
        context.degraded.append(CUT_REASON)
    declined = draft.finish_reason in _DECLINED
    if declined:
        context.degraded.append(DECLINED_REASON)
    cited = context.cited or _leave_unchecked(context, draft)
    if declined and not cited.answer.strip():
        cited = replace(cited, answer=DECLINED_ANSWER, citations=(), statements=(), frame=())
    if not is_same_script(context.question, cited.answer):
        context.notes.append("the answer is in another script than the question")
    return TailorOutput(
        answer=cited.answer,
        citations=() if declined else cited.citations,
        follow_ups=draft.follow_ups,
        persona=context.query.persona,
        usage=context.usage,
        degraded=bool(context.degraded),
        degraded_reasons=context.reasons,
        answer_id=answer_id(context.query, cited, draft.model),
        model=draft.model,
        model_reason=context.model_reason,
        passages=context.passages,
        considered=context.considered,
        answered=Answered.UNKNOWN if declined else _weigh_answer(cited, draft),
        statements=() if declined else cited.statements,
        removed=cited.removed,
        frame=cited.frame,
        flags=tuple(context.flags),
        prompt_hash=draft.prompt_hash,
        route=draft.route,
    )


def _leave_unchecked(context: Context, draft: Draft) -> Cited:
    """Return the answer without markers, as nothing was verified."""
    answer = _without_markers(context.answer, context)
    return Cited(answer, frame=find_frame(answer, draft.frame))


def _weigh_answer(cited: Cited, draft: Draft) -> Answered:
    """Return how much of an answer is proven: at most a part where its writer leaves a part of the question open."""
    if draft.is_partial and cited.answered is Answered.KNOWN:
        return Answered.PARTLY
    return cited.answered


def _compose_unknown(context: Context) -> TailorOutput:
    """Return "I don't know" with no citation; degraded only when something was unavailable."""
    draft = context.draft
    text = draft.text if draft is not None else I_DONT_KNOW
    answer = _without_markers(text, context).strip()
    model = draft.model if draft is not None else ""
    return TailorOutput(
        answer=answer,
        persona=context.query.persona,
        usage=context.usage,
        degraded=bool(context.degraded),
        degraded_reasons=context.reasons,
        answer_id=answer_id(context.query, Cited(answer), model),
        model=model,
        model_reason=context.model_reason,
        passages=context.passages,
        considered=context.considered,
        answered=Answered.UNKNOWN,
        flags=tuple(context.flags),
        prompt_hash=draft.prompt_hash if draft is not None else "",
        route=draft.route if draft is not None else None,
    )


def answer_id(query: Query, cited: Cited, model: str) -> str:
    """Return an id that the same question, answer and evidence have on every machine."""
    evidence = [f"{c.document_id}:{c.start}:{c.end}" for c in cited.citations]
    return digest("answer", query.tenant, query.persona, query.text, model, cited.answer, *evidence)[:32]


def _without_markers(text: str, context: Context) -> str:
    bare, _ = rewrite_markers(text, len(context.passages), lambda number: False)
    return bare


def _describe_failure(writer: Writer, error: RomaError) -> list[str]:
    """Return each model that failed with its code: those that the service had tried before, then the last."""
    last = error.details.get("provider", writer.name)
    return [*error.details.get("tried", ()), f"{last} {error.code.value}"]
