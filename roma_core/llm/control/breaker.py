"""The circuit breaker: stop asking a provider that keeps failing, and look now and then whether it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from roma_core.errors import ErrorCode, LLMError

BreakerState = Literal["closed", "open", "half_open"]
COUNTED = frozenset(
    {ErrorCode.LLM_UNAVAILABLE, ErrorCode.LLM_TIMEOUT, ErrorCode.LLM_TRUNCATED, ErrorCode.LLM_MALFORMED}
)
"""Failures of the provider. A wrong key, a bad request or too many requests say nothing about its health."""


class Breaker:
    """Opens after ``failures`` in a row; ``rest_s`` later lets one call through, which decides."""

    def __init__(
        self, name: str, failures: int = 5, rest_s: float = 30.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._threshold = failures
        self._rest_s = rest_s
        self._now = now
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._why = ""
        self.proven = False
        """The last call that says something about the provider succeeded."""

    @property
    def state(self) -> BreakerState:
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._now() - self._opened_at >= self._rest_s else "open"

    def admit(self) -> None:
        """Raise ``ERR_LLM_UNAVAILABLE`` (final for this provider) unless a call may be made now."""
        if self.state == "closed":
            return
        if self.state == "open" or self._probing:
            left = max(0.0, self._rest_s - (self._now() - (self._opened_at or 0.0)))
            raise LLMError(
                self.trouble,
                ErrorCode.LLM_UNAVAILABLE,
                retry_after_s=left,
                details={"breaker": self.state},
            )
        self._probing = True

    @property
    def trouble(self) -> str:
        """Return the message for calls that are turned away."""
        return f"{self._name} failed {self._failures} times in a row and is left alone for now. {self._why}".rstrip()

    def note_success(self) -> None:
        self.proven = True
        self._failures, self._opened_at, self._probing = 0, None, False

    def note_failure(self, code: ErrorCode, why: str = "") -> None:
        """``why`` is told to those who are turned away because of it."""
        self.proven = False
        if code not in COUNTED:
            self.note_abandoned()
            return
        self._failures += 1
        self._why = why
        if self._probing or self._failures >= self._threshold:
            self._opened_at = self._now()
        self._probing = False

    def note_abandoned(self) -> None:
        """The call ended without saying anything about the provider (cancelled, refused before it was sent)."""
        self._probing = False
