"""The one retry policy: what may be tried again, how long to wait, and when to stop.

Whoever talks to the outside maps its errors to ``RomaError`` first; ``recoverable`` and ``retry_after_s`` decide here.
SDKs' own retries are switched off, and nothing is retried once a caller has seen part of the result.
"""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from roma_core.errors import RomaError

T = TypeVar("T")

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529, 520, 521, 522, 523, 524})
"""HTTP statuses after which the same request may succeed. 529 is Anthropic's "overloaded"; 520-524 are what
Cloudflare, in front of many APIs, says when the server behind it fails."""


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of retries. Waits are drawn from ``0 .. base_s * 2**n`` (exponential backoff with full jitter)."""

    attempts: int = 3
    base_s: float = 0.5
    longest_backoff_s: float = 8.0
    longest_retry_after_s: float = 30.0
    """A server that asks for a longer pause is not asked again: waiting less would break its rule, waiting as long
    would hang the caller."""


def is_recoverable(error: BaseException) -> bool:
    """Tell if an error is one that may pass when the work is tried again."""
    return isinstance(error, RomaError) and error.recoverable


async def retrying(
    work: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy | None = None,
    deadline: float | None = None,
    retry_if: Callable[[BaseException], bool] = is_recoverable,
    on_retry: Callable[[BaseException, int, float], None] | None = None,
) -> T:
    """Call ``work`` until it returns, its error is final, or the next attempt would come too late.

    ``deadline`` is a ``time.monotonic()`` value: an attempt that could only start after it is not waited for. It does
    not interrupt ``work``. ``on_retry(error, attempt, wait_s)`` is told of each pause. Raises the last error as it is.
    """
    rules = policy or RetryPolicy()
    backoff = wait_random_exponential(multiplier=rules.base_s, max=rules.longest_backoff_s)

    def wait(state: RetryCallState) -> float:
        asked = getattr(_error_of(state), "retry_after_s", None)
        # A little more than asked: servers count from their own clock.
        return backoff(state) if asked is None else max(0.0, float(asked)) + backoff(state) / 10

    def too_late(state: RetryCallState) -> bool:
        asked = getattr(_error_of(state), "retry_after_s", None)
        if asked is not None and asked > rules.longest_retry_after_s:
            return True
        return deadline is not None and time.monotonic() + state.upcoming_sleep >= deadline

    def tell(state: RetryCallState) -> None:
        error = _error_of(state)
        if on_retry is not None and error is not None:
            on_retry(error, state.attempt_number, state.upcoming_sleep)

    attempts = AsyncRetrying(
        stop=lambda state: stop_after_attempt(rules.attempts)(state) or too_late(state),
        sleep=sleep,
        wait=wait,
        retry=retry_if_exception(retry_if),
        before_sleep=tell,
        reraise=True,
    )

    async def attempt() -> T:  # tenacity awaits coroutine functions alone; ``work`` may be a lambda that makes one
        return await work()

    return await attempts(attempt)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a response asks to wait: ``Retry-After-Ms``, or ``Retry-After`` in seconds or as an HTTP-date.

    RFC 9110 section 10.2.3; the milliseconds are the vendors' extension. None when absent or unreadable.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(lowered[name]) / unit)
        except (KeyError, ValueError):
            continue
    try:
        at = parsedate_to_datetime(lowered["retry-after"])
    except (KeyError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
