"""The seam to language models: a request, a stream of deltas, and the folds over it."""

from __future__ import annotations

import functools
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.structured import json_body
from roma_core.types import ComponentHealth, Usage

I_DONT_KNOW = "I don't know: the sources that were found do not answer this question."
"""The answer of ROMA when the sources hold none. Providers, prompts, agents and evaluation compare with this."""

FALLBACK = "fallback: "
"""The beginning of ``LLMDelta.reason`` when another model than the configured one answered; the failures follow."""

sample: ContextVar[int] = ContextVar("roma_llm_sample", default=0)
"""Number of the sample, when the same system is asked again on purpose: part of every request's cache key."""

M = TypeVar("M", bound=BaseModel)
Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "refusal", "content_filter", "tool"]


class Picture(BaseModel):
    """A PNG picture for a model that sees, in base64 as it goes over the wire; ``MAX_SIDE`` pixels a side at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    MAX_SIDE: ClassVar[int] = 1024
    base64: str = Field(repr=False)

    @classmethod
    def of(cls, png: bytes) -> Picture:
        return cls(base64=b64encode(png).decode())

    @property
    def url(self) -> str:
        return f"data:image/png;base64,{self.base64}"


class Message(BaseModel):
    """One turn of the prompt. ``pictures`` are shown before the words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str
    pictures: tuple[Picture, ...] = ()


class LLMRequest(BaseModel):
    """Everything that decides an answer; its hash is the cache key (``purpose`` and budgets are not part of it)."""

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
    purpose: str = "answer"
    """The purpose of the call (answer, plan, rewrite, judge, caption): a label for logs, metrics and budgets."""
    session_id: str | None = None
    tenant: str = "default"


class LLMDelta(NamedTuple):
    """A piece of a stream. The last one carries ``finish_reason``; a stream that ends without it has failed.

    There is one for each token, so it is the cheapest thing that cannot be changed.
    """

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    provider: str | None = None
    model: str | None = None
    reason: str | None = None
    """The reason why this model answered, set on the last delta by the service."""
    request_id: str | None = None
    cached: bool = False
    reasoning: str = ""
    """Thoughts of the model: never part of the answer."""
    restart: bool = False
    """All text before this delta was reasoning: a model that marks only the end of its thoughts."""
    unread_bytes: int = 0
    """Bytes of the response that could not be understood, on the last delta."""


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
        """``provider:model`` of what is configured; empty where no model is."""
        ...

    def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]: ...


class Provider(LLM, Protocol):
    """One model behind one adapter. ``stream`` makes one attempt; retries, limits and fallbacks are the service's."""

    @property
    def fingerprint(self) -> str:
        """Return all that decides an answer besides the request: part of the cache key."""
        ...

    @property
    def endpoint(self) -> str:
        """Return vendor and address: rate limits and the circuit breaker are counted by it."""
        ...

    @property
    def thinking_tokens(self) -> int:
        """Tokens that thoughts may take beside ``max_output_tokens``, as a call now asks for; budgets reserve them."""
        ...

    async def ready(self) -> None:
        """Load what the first call needs (an SDK takes seconds); called before any deadline starts to run."""
        ...

    async def health(self) -> ComponentHealth:
        """Return whether a call could be made now, as far as it shows free of charge."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Learns(Protocol):
    """A provider that finds out what its model can do: shown in the health report."""

    @property
    def traits(self) -> Mapping[str, Any]: ...


@runtime_checkable
class NotesOutcomes(Protocol):
    """A service that counts what fails again and again beside the answer: plans, rewrites, verdicts."""

    def note_outcome(self, purpose: str, error: LLMError | None) -> None: ...

    def trouble(self, purpose: str) -> str: ...


def find_trouble(llm: LLM | None, purpose: str) -> str:
    """Return why work of ``purpose`` (plan, rewrite) keeps failing; empty unless it failed three times in a row."""
    return llm.trouble(purpose) if isinstance(llm, NotesOutcomes) else ""


def _note_outcome(llm: LLM, request: LLMRequest, error: LLMError | None) -> None:
    if request.purpose != "answer" and isinstance(llm, NotesOutcomes):
        llm.note_outcome(request.purpose, error)


async def complete(llm: LLM, request: LLMRequest) -> LLMResponse:
    """Return the whole answer: a fold over ``llm.stream``.

    Raises ``LLMError``, also for a stream without a finish marker.
    """
    try:
        response = await _fold(llm, request)
    except LLMError as error:
        _note_outcome(llm, request, error)
        raise
    if request.json_schema is None:
        _note_outcome(llm, request, None)
    return response


async def _fold(llm: LLM, request: LLMRequest) -> LLMResponse:
    parts: list[str] = []
    last: LLMDelta | None = None
    usage = Usage()
    # Both SDK-backed and scripted streams are async generators; closing them ends the call upstream.
    async with aclosing(cast(AsyncGenerator[LLMDelta, None], llm.stream(request))) as stream:
        async for delta in stream:
            if delta.restart:
                parts.clear()
            parts.append(delta.text)
            usage = delta.usage or usage
            last = delta if delta.finish_reason else last
    if last is None or last.finish_reason is None:
        raise LLMError(f"The answer of {llm.name} ended early; nothing of it is used.", ErrorCode.LLM_TRUNCATED)
    provider, _, model = llm.name.partition(":")
    return LLMResponse(
        text="".join(parts),
        finish_reason=last.finish_reason,
        usage=usage,
        provider=last.provider or provider,
        model=last.model or model,
        reason=last.reason or "",
        cached=last.cached,
    )


async def complete_json(llm: LLM, request: LLMRequest, schema: type[M]) -> tuple[M, LLMResponse]:
    """Return an answer that fits ``schema``, with the response it was read from.

    Raises ``LLMError``: of the call, or ``ERR_LLM_MALFORMED`` when the answer is not what the schema says,
    ``ERR_LLM_REFUSED`` / ``ERR_LLM_TRUNCATED`` when the model declined or ran out of room.
    """
    asked = request.model_copy(update={"json_schema": request.json_schema or _json_schema(schema)})
    response = await complete(llm, asked)
    try:
        value = _read_answer(response, schema)
    except LLMError as error:
        _note_outcome(llm, request, error)
        raise
    _note_outcome(llm, request, None)
    return value, response


def _read_answer(response: LLMResponse, schema: type[M]) -> M:
    if response.finish_reason in {"refusal", "content_filter"}:
        raise LLMError(f"{response.provider} declined to answer.", ErrorCode.LLM_REFUSED)
    if response.finish_reason == "length":
        raise LLMError("The structured answer did not fit its token limit.", ErrorCode.LLM_TRUNCATED)
    try:
        return schema.model_validate_json(json_body(response.text))
    except ValidationError as error:
        fields = sorted({".".join(map(str, e["loc"])) or "(root)" for e in error.errors()})
        raise LLMError(
            f"The structured answer of {response.provider} does not fit {schema.__name__}.",
            ErrorCode.LLM_MALFORMED,
            details={"fields": fields},
        ) from None


@functools.cache
def _json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Made once: pydantic takes milliseconds for it. Nobody may change it."""
    return schema.model_json_schema()
