"""The seam to language models: a request, a stream of deltas, and the folds over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from roma_core.types import ScoredChunk, Usage

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "refusal", "content_filter", "tool"]


class Message(BaseModel):
    """One turn of the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


class LLMRequest(BaseModel):
    """Everything that decides an answer; its hash is the cache key (``purpose`` and budgets are not part of it).

    ``question`` and ``passages`` state the grounding as data. Generative providers read ``messages`` alone, where the
    same passages are rendered; the extractive provider reads these two alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...]
    model: str | None = None
    """``provider:model`` or a model id of the configured provider; None = the configured one."""
    max_output_tokens: int | None = None
    temperature: float | None = 0.0
    json_schema: dict[str, Any] | None = None
    stop: tuple[str, ...] = ()
    repeat: int = 0
    """Number of the sample when the same request is wanted several times."""
    prompt_hash: str | None = None
    question: str | None = None
    passages: tuple[ScoredChunk, ...] = Field(default=(), repr=False)
    purpose: str = "answer"
    """What the call is for (answer, plan, rewrite, judge, caption): a label for logs, metrics and budgets."""
    session_id: str | None = None
    tenant: str = "default"


class LLMDelta(BaseModel):
    """A piece of a stream. The last one carries ``finish_reason``; a stream that ends without it has failed."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    provider: str | None = None
    model: str | None = None
    reason: str | None = None
    """Why this model answered, set on the last delta by the service."""
    request_id: str | None = None
    cached: bool = False


class LLMResponse(BaseModel):
    """A whole answer."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: FinishReason
    usage: Usage
    provider: str
    model: str
    reason: str = ""
    cached: bool = False


class LLM(Protocol):
    """A provider, or the service over several. ``stream`` raises ``LLMError``; it is closed by ``aclose()``."""

    @property
    def name(self) -> str:
        """``provider:model`` of what is configured."""
        ...

    @property
    def generative(self) -> bool:
        """False for providers that cannot follow instructions (extractive): no planning, rewriting or judging."""
        ...

    def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]: ...
