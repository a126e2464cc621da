"""A deadline over many awaits that costs one timer, not one an await: streams have thousands of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Watchdog:
    """Ends the await that it guards with ``TimeoutError`` once ``deadline`` (the running loop's clock) has passed.

    Unlike ``asyncio.timeout`` it may span the ``yield`` of a generator: whoever reads the generator meanwhile is never
    interrupted, and an await that begins after the deadline ends at once. Awaits may come from different tasks.
    """

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Task[Any] | None = None
        self._expired = False
        self._before: int | None = None
        self._timer = self._loop.call_at(deadline, self._expire)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def move(self, deadline: float) -> None:
        """From now on ``deadline`` holds."""
        self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._expire)

    async def guard(self, work: Awaitable[T]) -> T:
        """Await ``work`` within the deadline."""
        if self._expired:
            raise TimeoutError
        task = self._waiting = asyncio.current_task()
        try:
            return await work
        finally:
            self._waiting = None
            # As in asyncio.timeout: our own cancellation is a timeout unless somebody else cancels as well.
            if self._before is not None and task is not None and task.uncancel() <= self._before:
                raise TimeoutError

    def _expire(self) -> None:
        self._expired = True
        if self._waiting is not None:
            self._before = self._waiting.cancelling()
            self._waiting.cancel()
