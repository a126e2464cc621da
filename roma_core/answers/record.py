"""The record of an answer: everything that made it, in the order in which it came.

A record is begun when the question is asked, grows by events, and ends in exactly one state. It needs nothing else to
be shown again: passages stand in it with their words and scores, beside the prompt and the raw words of the model.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import Field

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.types import (
    CompleteEvent,
    ErrorEvent,
    Noun,
    Query,
    ScoredChunk,
    StreamEvent,
    TailorOutput,
    TokenEvent,
    Usage,
)

AnswerState = Literal["running", "complete", "stopped", "failed", "interrupted"]
"""``stopped``: on request, or because the client went away; ``interrupted``: the process that wrote it is gone."""
ANSWER_STATES: tuple[AnswerState, ...] = get_args(AnswerState)
FORGOTTEN = "This answer quoted a document that was forgotten."
"""Stands for the words of an answer whose source was removed on demand."""


class AnswerIdentity(Noun):
    """What decides an answer beside the question and the corpus: settings, models, prompts and stages."""

    roma: str = ""
    """Version of ROMA."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings that decide answers, by name; secrets are none of them."""
    fingerprints: dict[str, str] = Field(default_factory=dict)
    """Of models and stages, by name."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Hashes of prompts, by name."""


class LookupSnapshot(Noun):
    """One search for passages, with its candidates in their order after the stage."""

    text: str
    rank_by: str = ""
    number: int = 0
    needs: tuple[int, ...] = ()
    round: int | None = None
    is_ranked: bool = False
    finding: str | None = None
    passages: tuple[ScoredChunk, ...] | None = None


class PromptMessage(Noun):
    """One message of the prompt that the answer was written with."""

    role: str
    content: str


class DraftSnapshot(Noun):
    """The raw words of the writer, before markers are resolved."""

    text: str
    model: str = ""
    reason: str = ""
    follow_ups: tuple[str, ...] = ()
    usage: Usage = Usage()
    finish_reason: str = "stop"
    prompt_hash: str = ""
    passages_read: int = 0
    prompt: tuple[PromptMessage, ...] = ()
    is_partial: bool = False
    frame: tuple[str, ...] = ()


class StageSnapshot(Noun):
    """The state of a question when a stage had ended."""

    stage: str
    question: str
    reading: str = ""
    round: int = 0
    lookups: tuple[LookupSnapshot, ...] = ()
    passages: tuple[ScoredChunk, ...] = ()
    draft: DraftSnapshot | None = None
    answer: str = ""
    flags: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    usage: Usage = Usage()


class AnswerSummary(Noun):
    """An answer in a list."""

    id: str
    state: AnswerState
    question: str
    session_id: str | None = None
    answer_id: str = ""
    created_at: datetime
    ended_at: datetime | None = None


class AnswerRecord(Noun):
    """A question and everything that made its answer.

    ``output`` is the answer with its citations and verdicts, to the letter as it was given; None as long as there is
    none. ``events`` are those that a client saw, numbered from 0.
    """

    id: str
    state: AnswerState
    query: Query
    identity: AnswerIdentity = AnswerIdentity()
    created_at: datetime
    ended_at: datetime | None = None
    events: tuple[StreamEvent, ...] = ()
    stages: tuple[StageSnapshot, ...] = ()
    output: TailorOutput | None = None
    failure: AgentFailure | None = None
    forgotten: tuple[str, ...] = ()
    """Addresses of documents that were removed on demand since, and of which nothing is kept here."""
    is_cut: bool = False
    """True where parts were left out because the record grew too large."""

    @property
    def text(self) -> str:
        """The answer as far as it was written."""
        if self.output is not None:
            return self.output.answer
        return "".join(event.text for event in self.events if isinstance(event, TokenEvent))

    @property
    def draft(self) -> DraftSnapshot | None:
        """The raw words of the writer and the prompt that they answer; None where nothing was written."""
        return next((stage.draft for stage in reversed(self.stages) if stage.draft is not None), None)

    @property
    def candidates(self) -> tuple[ScoredChunk, ...]:
        """The passages that were found, each once, with the last scores that it had."""
        found: dict[str, ScoredChunk] = {}
        for stage in self.stages:
            for passages in (*(lookup.passages or () for lookup in stage.lookups), stage.passages):
                found.update({passage.chunk.id: passage for passage in passages})
        return tuple(found.values())


def is_terminal(event: StreamEvent) -> bool:
    """Return whether no event follows this one."""
    return isinstance(event, CompleteEvent | ErrorEvent)


def make_ending(state: AnswerState) -> ErrorEvent:
    """Return the last event of an answer that was stopped or interrupted."""
    if state == "interrupted":
        code, message = ErrorCode.INTERRUPTED, "ROMA ended while it wrote this answer; ask the question again to go on."
    else:
        code, message = ErrorCode.STOPPED, "The answer was stopped; ask again."
    return ErrorEvent(failure=AgentFailure(agent="answers", code=code, message=message, recoverable=True))
