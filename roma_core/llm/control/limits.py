"""Limits of one provider: requests and tokens a minute, and calls at once.

Concurrency follows AIMD (additive increase, multiplicative decrease; Chiu and Jain 1989), as TCP does: every success
adds a little, every 429 halves it. So it settles near what the provider grants, without a number to guess.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from roma_core.errors import ErrorCode, LLMError
from roma_core.settings import LLMSettings

_DEFAULTS = LLMSettings()

MINUTE_S = 60.0
LONGEST_PAUSE_S = 60.0
"""A Retry-After holds everybody back for at most this long; then one more call may ask whether it still stands."""


@dataclass
class WindowEntry:
    """An amount taken from a window; ``live`` while it still counts."""

    when: float
    amount: float
    live: bool = True


class MinuteWindow:
    """At most ``limit`` units in any 60 seconds. A single amount above the limit waits for an empty window."""

    def __init__(self, limit: int | None) -> None:
        self._limit = math.inf if limit is None else limit
        self._entries: deque[WindowEntry] = deque()
        self._sum = 0.0

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` fits."""
        self._forget(now)
        excess = self._sum + amount - max(self._limit, amount)
        for entry in self._entries:
            if excess <= 0:
                return 0.0
            excess -= entry.amount
            if excess <= 0:
                return max(0.0, entry.when + MINUTE_S - now)
        return 0.0

    def add(self, amount: float, now: float) -> WindowEntry:
        """Take ``amount``; ``settle`` corrects it later."""
        entry = WindowEntry(now, amount, live=self._limit is not math.inf)
        if entry.live:
            self._entries.append(entry)
            self._sum += amount
        return entry

    def settle(self, entry: WindowEntry, amount: float) -> None:
        if entry.live:
            self._sum += amount - entry.amount
            entry.amount = amount

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0].when + MINUTE_S <= now:
            gone = self._entries.popleft()
            gone.live = False
            self._sum -= gone.amount


@dataclass
class Slot:
    """A permission to make one call. Set what became of it before it is given back."""

    started: float
    held: WindowEntry
    loop: asyncio.AbstractEventLoop
    tokens: int | None = None
    """Tokens that were really used; None leaves the estimate standing."""
    limited: bool = False
    """The provider answered 429."""
    pause_s: float | None = None
    succeeded: bool = False


class Limiter:
    """Admits calls in the order they came. One per provider, shared by all tasks of the process."""

    def __init__(
        self,
        name: str,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrency: int = _DEFAULTS.max_concurrency,
    ) -> None:
        self._name = name
        self._requests = MinuteWindow(requests_per_minute)
        self._tokens = MinuteWindow(tokens_per_minute)
        self._ceiling = max_concurrency
        self._allowed = float(max_concurrency)
        self._in_flight = 0
        self._not_before = 0.0
        self._last_cut = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue = asyncio.Lock()
        self._freed = asyncio.Event()
        self.waiting = 0
        """Calls whose turn has not come yet."""

    @property
    def allowed(self) -> int:
        """Calls that may run at once now."""
        return max(1, int(self._allowed))

    @asynccontextmanager
    async def slot(self, tokens: int, deadline: float) -> AsyncIterator[Slot]:
        """Wait for the turn and hold a slot. Raises ``ERR_LLM_RATE_LIMIT`` at once when it would come too late.

        ``tokens`` is the most that the call may use; ``deadline`` is a time of the running loop's clock.
        """
        slot = await self._enter(tokens, deadline)
        try:
            yield slot
        finally:
            self._leave(slot)

    async def _enter(self, tokens: int, deadline: float) -> Slot:
        loop = self._adopt_loop()
        waited = loop.time()
        self.waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                async with self._queue:
                    while (wait := self._wait_s(tokens, loop.time())) > 0:
                        if loop.time() + wait >= deadline and wait is not math.inf:
                            raise self._too_late(tokens, loop.time(), wait)
                        self._freed.clear()
                        await self._sleep(wait)
                    return self._take(tokens, loop)
        except TimeoutError:
            raise self._too_many(loop.time() - waited) from None
        finally:
            self.waiting -= 1

    async def _sleep(self, wait: float) -> None:
        try:
            async with asyncio.timeout(None if wait is math.inf else wait):
                await self._freed.wait()
        except TimeoutError:
            return

    def _wait_s(self, tokens: int, now: float) -> float:
        if self._in_flight >= self.allowed:
            return math.inf
        return max(self._not_before - now, self._requests.wait_s(1, now), self._tokens.wait_s(tokens, now))

    def _take(self, tokens: int, loop: asyncio.AbstractEventLoop) -> Slot:
        now = loop.time()
        self._in_flight += 1
        self._requests.add(1, now)
        return Slot(started=now, held=self._tokens.add(tokens, now), loop=loop)

    def _leave(self, slot: Slot) -> None:
        if slot.loop is not self._loop:  # its loop is gone, and its count with it
            return
        now = slot.loop.time()
        self._in_flight -= 1
        if slot.tokens is not None:
            self._tokens.settle(slot.held, slot.tokens)
        if slot.limited:
            if slot.started >= self._last_cut:  # calls of the same burst cut once
                self._allowed, self._last_cut = max(1.0, self._allowed / 2), now
            self._not_before = max(self._not_before, now + min(slot.pause_s or 0.0, LONGEST_PAUSE_S))
        elif slot.succeeded:
            self._allowed = min(float(self._ceiling), self._allowed + 1 / self._allowed)
        self._freed.set()

    def _too_late(self, tokens: int, now: float, wait: float) -> LLMError:
        """Return the error for a turn that would come too late, by what holds it back."""
        if self._not_before - now >= wait:
            cause, advice = f"{self._name} has asked for a pause of {wait:.0f} s", "ask again later"
        elif self._requests.wait_s(1, now) >= wait:
            cause = f"ROMA_LLM_REQUESTS_PER_MINUTE leaves no room at {self._name} for {wait:.0f} s"
            advice = "raise it, or ask again later"
        else:
            cause = f"ROMA_LLM_TOKENS_PER_MINUTE leaves no room at {self._name} for {wait:.0f} s"
            advice = "raise it, or ask again later"
        return LLMError(f"{cause}; {advice}.", ErrorCode.LLM_RATE_LIMIT, retry_after_s=wait, details={"limit": "local"})

    def _too_many(self, waited_s: float) -> LLMError:
        """Return the error for a turn that did not come: others were served first."""
        return LLMError(
            f"{self._in_flight} calls to {self._name} are running and others wait; the turn did not come within "
            f"{waited_s:.0f} s. Ask again later, or raise ROMA_LLM_MAX_CONCURRENCY or ROMA_LLM_QUEUE_S.",
            ErrorCode.LLM_RATE_LIMIT,
            details={"limit": "local"},
        )

    def _adopt_loop(self) -> asyncio.AbstractEventLoop:
        """Waiting happens in one loop; a new one (a second ``asyncio.run``) starts with an empty queue."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._queue, self._freed, self._in_flight = loop, asyncio.Lock(), asyncio.Event(), 0
            self._not_before = self._last_cut = 0.0
        return loop
