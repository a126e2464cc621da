"""Tailor: the answer, cut to its reader, out of the passages and nothing else, while it is written."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Sequence

from roma_core.agents.base import Agent
from roma_core.agents.citations import Cited
from roma_core.agents.context import Context
from roma_core.agents.pipeline import Recovery, Stage, Then
from roma_core.errors import ErrorCode, LLMError, RomaError
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import rewrite_markers
from roma_core.streams import OpeningStream
from roma_core.types import ComponentHealth, Query, TailorOutput, digest
from roma_core.writers.base import Draft, Writer

_DECLINED = frozenset({"refusal", "content_filter"})


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
        """Return ok; models and reranker report their own health."""
        return ComponentHealth(name=self.name, state="ok", details={"writers": [w.name for w in self._writers]})

    def write(self, context: Context) -> OpeningStream[str | Draft]:
        """Return the pieces of the answer in order, then the ``Draft`` that they make up.

        The first ``anext`` raises the last writer's error when none begins. Nothing is written again once a piece is
        out. Closing the stream stops the model's call.
        """
        return OpeningStream(functools.partial(self._begin, context))

    async def _begin(self, context: Context) -> tuple[str | Draft, AsyncGenerator[str | Draft, None]]:
        """Return the first piece and the stream of the others, of the first writer that begins."""
        for writer in self._writers:
            stream = writer.write(context.question, context.passages, context)
            try:
                return await anext(stream), stream
            except RomaError as error:
                if writer is self._writers[-1]:
                    raise
                context.writer_failures += _describe_failure(writer, error)
            except StopAsyncIteration:
                break
        raise LLMError("The answer ended before it began; ask again.", ErrorCode.LLM_TRUNCATED)

    async def _compose_output(self, context: Context) -> None:
        context.output = _compose_unknown(context) if context.is_unknown else _compose_answer(context)


def _compose_answer(context: Context) -> TailorOutput:
    """Return the answer with its citations; without verified ones its markers are taken out."""
    draft = context.draft
    if draft is None:
        return _compose_unknown(context)
    if draft.finish_reason == "length":
        context.degraded.append("tailor: the answer was cut at its longest length")
    declined = draft.finish_reason in _DECLINED
    if declined:
        context.degraded.append("tailor: the model declined to answer")
    cited = context.cited or Cited(_without_markers(context.answer, context))
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
        answered=not declined,
        flags=tuple(context.flags),
        prompt_hash=draft.prompt_hash,
    )


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
        answered=False,
        flags=tuple(context.flags),
        prompt_hash=draft.prompt_hash if draft is not None else "",
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
