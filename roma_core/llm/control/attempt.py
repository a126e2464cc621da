"""One call while it runs: where it goes, what came back so far, and what it may cost."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMDelta, LLMRequest, Provider
from roma_core.llm.control.breaker import Breaker
from roma_core.llm.control.cache import KeptAnswer
from roma_core.llm.control.limits import Limiter
from roma_core.llm.control.pricing import PICTURE_TOKENS_ABOUT, tokens_about, tokens_at_most
from roma_core.types import Usage


@dataclass
class Lane:
    """A provider with the breaker and the limiter that it shares with others at its address."""

    provider: Provider
    breaker: Breaker
    limiter: Limiter
    unread_bytes: int = 0
    """Bytes of all responses that could not be understood."""

    @property
    def vendor(self) -> str:
        return self.provider.name.partition(":")[0]

    @property
    def model(self) -> str:
        return self.provider.name.partition(":")[2]


@dataclass
class Attempt:
    """What is known of one call while it runs. Deadlines are times of the running loop's clock."""

    lane: Lane
    request: LLMRequest
    number: int
    first_by: float
    deadline: float
    started: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    finish: LLMDelta | None = None
    outcome: str = ""
    own_usage: Usage = field(default_factory=Usage)

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @functools.cached_property
    def most_in(self) -> int:
        """The most input tokens that the vendor can count."""
        return tokens_at_most([m.content for m in self.request.messages], self.request.json_schema, self._pictures)

    @property
    def most_out(self) -> int:
        return self.request.max_output_tokens or 0

    def take(self, delta: LLMDelta) -> bool:
        """Note ``delta``; True when it is the first that holds text."""
        if delta.restart:
            self.thoughts, self.parts = [*self.thoughts, *self.parts], []
        if delta.reasoning:
            self.thoughts.append(delta.reasoning)
        if delta.finish_reason is not None:
            self.finish = delta
        if not delta.text:
            return False
        self.parts.append(delta.text)
        if self.first_token is not None:
            return False
        self.first_token = time.monotonic()
        return True

    def usage(self) -> Usage:
        """As reported, or else counted here and marked as an estimate."""
        if self.finish is not None and self.finish.usage is not None:
            return self.finish.usage
        asked = sum(tokens_about(m.content) for m in self.request.messages) + PICTURE_TOKENS_ABOUT * self._pictures
        return Usage(calls=1, input_tokens=asked, output_tokens=tokens_about(self.text), estimated=True)

    @property
    def _pictures(self) -> int:
        return sum(len(m.pictures) for m in self.request.messages)

    def late(self) -> LLMError:
        stage = "finish" if self.parts else "begin to answer"
        return LLMError(f"{self.lane.provider.name} did not {stage} in time.", ErrorCode.LLM_TIMEOUT)

    def kept(self) -> KeptAnswer:
        """What the cache keeps: this call's own usage, without that of failed attempts before it."""
        finish = self.finish or LLMDelta()
        return KeptAnswer(
            text=self.text,
            provider=finish.provider or self.lane.vendor,
            model=finish.model or self.lane.model,
            usage=self.own_usage,
            reason=finish.reason or "",
        )
