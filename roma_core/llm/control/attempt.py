"""One call while it runs: where it goes, what came back so far, and what it may cost."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Self, cast

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMDelta, LLMRequest, Provider
from roma_core.llm.control.breaker import Breaker
from roma_core.llm.control.cache import CachedResponse
from roma_core.llm.control.limits import Limiter
from roma_core.llm.control.pricing import PICTURE_TOKENS_ABOUT, tokens_about, tokens_at_most
from roma_core.settings import LLMSettings
from roma_core.types import Usage
from roma_core.watchdog import Watchdog

_DEFAULTS = LLMSettings()


@dataclass(frozen=True)
class Limits:
    """Patience in seconds, and what may be asked of one provider."""

    first_token_s: float = _DEFAULTS.first_token_s
    """Longest silence before the first token, counted from when the call was sent."""
    queue_s: float = _DEFAULTS.queue_s
    """Longest wait for a turn."""
    total_s: float = _DEFAULTS.total_s
    """Longest time from the first token to the last one, without thoughts."""
    thinking_s: float = _DEFAULTS.thinking_s
    """Longest time of thoughts."""
    attempts: int = _DEFAULTS.max_attempts
    max_output_tokens: int = _DEFAULTS.max_output_tokens
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int = _DEFAULTS.max_concurrency
    breaker_rest_s: float = 30.0


@dataclass
class Lane:
    """A provider with the breaker and the limiter that it shares with others at its address."""

    provider: Provider
    breaker: Breaker
    limiter: Limiter
    unread_bytes: int = 0
    """Bytes of all responses that could not be understood."""
    chars_per_token: float | None = None
    """The least that a prompt of this model has shown: what the server's own count is compared with."""
    cut_prompts: int = 0
    """Answers to prompts of which the server has read only a part, without saying so."""

    @property
    def vendor(self) -> str:
        return self.provider.name.partition(":")[0]

    @property
    def model(self) -> str:
        return self.provider.name.partition(":")[2]

    def note_prompt(self, chars: int, tokens: int) -> bool:
        """Compare a prompt with the tokens that the server has counted; True when it has read only a part of it.

        Text has some four characters a token, and the same model counts alike from call to call. A server that cuts a
        prompt to its context (Ollama's ``num_ctx``) counts far fewer tokens than that.
        """
        if chars < LEAST_CHARS or tokens <= 0:
            return False
        ratio = chars / tokens
        usual = self.chars_per_token
        is_cut = ratio > MOST_CHARS_PER_TOKEN or (usual is not None and ratio > SUSPICIOUS_GROWTH * usual)
        if is_cut:
            self.cut_prompts += 1
        else:
            self.chars_per_token = ratio if usual is None else min(usual, ratio)
        return is_cut


LEAST_CHARS = 1_000
"""Shorter prompts say nothing: the template around them counts too."""
MOST_CHARS_PER_TOKEN = 9.0
"""No tokenizer in use reads prose in larger steps; English has 4 to 5, code and German less."""
SUSPICIOUS_GROWTH = 1.8


@dataclass
class Attempt:
    """One call while it runs. Deadlines are times of the running loop's clock."""

    lane: Lane
    request: LLMRequest
    number: int
    limits: Limits
    queue_until: float
    """The time by which its turn must have come."""
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    deadline: float = 0.0
    """The time by which the answer, or the next sign of life, must have come."""
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    finish: LLMDelta | None = None
    outcome: str = ""
    own_usage: Usage = field(default_factory=Usage)
    is_second: bool = False
    """The model is asked again, with room for the thoughts that used up the limit before."""
    _sent: float = 0.0
    _thinking_since: float | None = None
    _thought_s: float = 0.0
    _answer_by: float = 0.0
    _room: int = 0

    def begin(self) -> None:
        """Start the clocks: the turn has come, and the call is sent."""
        self.started = time.monotonic()
        self._sent = asyncio.get_running_loop().time()
        self.deadline = self._sent + self.limits.first_token_s
        self._room = self.lane.provider.thinking_tokens

    def second_attempt(self, error: BaseException) -> Attempt | None:
        """Return a second attempt when thoughts used up the limit and the provider now gives them room; else None."""
        thought = isinstance(error, LLMError) and error.code is ErrorCode.LLM_EMPTY and error.details.get("thought")
        if not thought or self.is_second or self.lane.provider.thinking_tokens <= self._room:
            return None
        return Attempt(self.lane, self.request, self.number, self.limits, self.queue_until, is_second=True)

    def take(self, delta: LLMDelta) -> bool:
        """Note ``delta``; True when it has moved the deadline.

        Before the first token any delta is a sign of life. Thoughts have a limit of their own, and do not count as time
        of the answer.
        """
        if delta.finish_reason is not None:
            self.finish = delta
        if delta.text and self.first_token is not None and self._thinking_since is None and not delta.restart:
            self.parts.append(delta.text)
            return False
        return self._take_first(delta)

    def _take_first(self, delta: LLMDelta) -> bool:
        now = asyncio.get_running_loop().time()
        if delta.restart:
            self.thoughts, self.parts = [*self.thoughts, *self.parts], []
        if delta.reasoning:
            self.thoughts.append(delta.reasoning)
            if self._thinking_since is None:
                self._thinking_since = now
                self.deadline = now + max(0.0, self.limits.thinking_s - self._thought_s)
                return True
            return False
        if delta.text:
            self.parts.append(delta.text)
            thought_s = 0.0 if self._thinking_since is None else now - self._thinking_since
            self._thought_s += thought_s
            self._thinking_since = None
            if self.first_token is None:
                self.first_token = time.monotonic()
                self._answer_by = now + self.limits.total_s
            else:
                self._answer_by += thought_s
            self.deadline = self._answer_by
            return True
        if self.first_token is None and self._thinking_since is None:
            latest = self._sent + self.limits.first_token_s + self.limits.total_s
            self.deadline = min(now + self.limits.first_token_s, latest)
            return True
        return False

    @property
    def thinking_s(self) -> float:
        """Return how long the model has thought so far."""
        since = self._thinking_since
        running = 0.0 if since is None else asyncio.get_running_loop().time() - since
        return self._thought_s + running

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @functools.cached_property
    def most_in(self) -> int:
        """The most input tokens that the vendor can count."""
        return tokens_at_most([m.content for m in self.request.messages], self.request.json_schema, self._pictures)

    @property
    def most_out(self) -> int:
        """The most output tokens that the vendor can count: those of the answer and those of thoughts."""
        return (self.request.max_output_tokens or 0) + self.lane.provider.thinking_tokens

    @property
    def has_pictures(self) -> bool:
        return self._pictures > 0

    @property
    def prompt_chars(self) -> int:
        return sum(len(message.content) for message in self.request.messages)

    def usage(self) -> Usage:
        """Return the usage as reported, or else counted here and marked as an estimate."""
        if self.finish is not None and self.finish.usage is not None:
            return self.finish.usage
        asked = sum(tokens_about(m.content) for m in self.request.messages) + PICTURE_TOKENS_ABOUT * self._pictures
        return Usage(calls=1, input_tokens=asked, output_tokens=tokens_about(self.text), estimated=True)

    @property
    def _pictures(self) -> int:
        return sum(len(m.pictures) for m in self.request.messages)

    def timeout_error(self) -> LLMError:
        """Return the error for a deadline that has passed: which one, and what to raise."""
        name, limits = self.lane.provider.name, self.limits
        if self._thinking_since is not None:
            message = (
                f"{name} thought for over {limits.thinking_s:g} s; raise ROMA_LLM_THINKING_S or lower ROMA_LLM_EFFORT."
            )
        elif self.parts:
            message = f"{name} did not finish within {limits.total_s:g} s; raise ROMA_LLM_TOTAL_S."
        else:
            message = (
                f"{name} did not begin to answer within {limits.first_token_s:g} s; try again, or raise "
                "ROMA_LLM_FIRST_TOKEN_S."
            )
        return LLMError(message, ErrorCode.LLM_TIMEOUT, details={"limit": "patience"})

    def as_cached_response(self) -> CachedResponse:
        """Return the answer for the cache, with this call's own usage, without that of failed attempts before it."""
        finish = self.finish or LLMDelta()
        return CachedResponse(
            text=self.text,
            provider=finish.provider or self.lane.vendor,
            model=finish.model or self.lane.model,
            usage=self.own_usage,
            reason=finish.reason or "",
        )


class CallStream:
    """The deltas of one call, each of which must come by the attempt's deadline.

    No generator: a token passes one layer less on its way to the reader::

        async with CallStream(attempt) as deltas:
            while (delta := await deltas.next()) is not None: ...
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._stream = cast(AsyncGenerator[LLMDelta, None], attempt.lane.provider.stream(attempt.request))
        self._watchdog = Watchdog(attempt.deadline)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watchdog.close()
        await self._stream.aclose()

    async def next(self) -> LLMDelta | None:
        """Return the next delta, noted in the attempt; None at the end. Raises ``LLMError``, also for the deadline."""
        try:
            with self._watchdog:
                delta = await self._stream.__anext__()
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise self._attempt.timeout_error() from None
        if self._attempt.take(delta):
            self._watchdog.move(self._attempt.deadline)
        return delta
