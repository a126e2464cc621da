"""The seam to writers: a question and its passages become a stream of text that ends with a ``Draft``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from roma_core.llm.base import FinishReason, Message
from roma_core.types import ComponentHealth, ModelRoute, Query, ScoredChunk, Usage


@dataclass(frozen=True)
class Draft:
    """A whole answer as its writer gave it, before its markers are resolved."""

    text: str
    model: str
    """``provider:model`` that wrote it, or ``extractive``."""
    reason: str = ""
    """Why that writer wrote it, and what it says of its own certainty."""
    follow_ups: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"
    prompt_hash: str = ""
    """Empty when no prompt was read."""
    passages_read: int = 0
    """The number of passages, from the first on, that the writer was able to read."""
    prompt: tuple[Message, ...] = ()
    """The messages that a model was sent; none where no model wrote."""
    added: tuple[ScoredChunk, ...] = ()
    """Spans of documents that the answer cites beside the passages it was given; their numbers follow on theirs."""
    route: ModelRoute | None = None
    """The choice between models, where there was one."""
    is_partial: bool = False
    """True where the writer says that a part of the question stays open."""
    frame: tuple[str, ...] = ()
    """Lines of ``text`` that only announce or name what stands around them; none where a model writes."""


@dataclass(frozen=True)
class Thoughts:
    """A sign that the model is thinking: no part of the answer."""

    seconds: float
    """How long it has thought so far."""
    text: str = ""
    """What it has thought since the sign before."""


Piece = str | Thoughts | Draft
"""What a writer yields: pieces of the answer, signs of thinking, and the draft at the end."""


class WritingContext(Protocol):
    """The part of a query's context that writers read."""

    @property
    def query(self) -> Query:
        """The query: persona, session and tenant."""
        ...

    @property
    def reading(self) -> str:
        """The question as the conversation reads it, in words that stand alone; empty when it stands alone itself."""
        ...

    @property
    def lookup_count(self) -> int:
        """The number of look-ups that the question was taken apart into."""
        ...

    @property
    def candidates(self) -> Sequence[ScoredChunk]:
        """The passages that were found beside those of the answer: other sources may say otherwise."""
        ...


class Writer(Protocol):
    """Writes an answer from passages alone."""

    @property
    def name(self) -> str:
        """``provider:model`` of what is configured, or ``extractive``."""
        ...

    @property
    def fingerprint(self) -> str:
        """The identity of the writer: all that decides an answer beside question, passages and persona."""
        ...

    def write(
        self, question: str, passages: Sequence[ScoredChunk], context: WritingContext
    ) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of the answer in order, then the ``Draft`` whose text they make up.

        Raises ``RomaError``. Closing the generator stops the work behind it.
        """
        ...

    async def health(self) -> ComponentHealth:
        """Return whether it could write now, as far as can be told free of charge."""
        ...
