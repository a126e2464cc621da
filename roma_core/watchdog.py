"""A deadline over many awaits that costs one timer, not one an await: streams have thousands of them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Watchdog:
    """Ends what is awaited inside ``with watchdog:`` with ``TimeoutError`` once ``deadline`` (loop's clock) has passed.

    Unlike ``asyncio.timeout`` it guards many such blocks, one after the other and in any task, and nothing between
    them: the reader of a generator is never interrupted, and a block that begins after the deadline ends at once.
    """

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Task[Any] | None = None
        self.expired = False
        self._cancels = 0
        self._interrupted = False
        self._arm(deadline)

    def close(self) -> None:
        self._timer.cancel()

    def move(self, deadline: float) -> None:
        """From now on ``deadline`` holds, also when the one before has passed."""
        self._deadline = deadline
        if self.expired or deadline < self._due:
            self._timer.cancel()
            self._arm(deadline)
        # Else the timer finds out for itself: a stream moves its deadline with every token.

    def _arm(self, deadline: float) -> None:
        self.expired = False
        self._deadline = self._due = deadline
        self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
        else:
            self.expire()

    def __enter__(self) -> None:
        if self.expired:
            raise TimeoutError
        self._waiting = task = asyncio.current_task(self._loop)
        self._cancels = task.cancelling() if task is not None else 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        task, self._waiting = self._waiting, None
        interrupted, self._interrupted = self._interrupted, False
        # As in asyncio.timeout: our own cancellation is a timeout unless another one cancels as well.
        if interrupted and task is not None and task.uncancel() <= self._cancels:
            raise TimeoutError

    def expire(self) -> None:
        """End what is awaited now, as if the deadline had passed."""
        self.expired = True
        if self._waiting is not None:
            self._interrupted = True
            self._waiting.cancel()


class Intermission:
    """``with intermission:`` around what a watchdog's deadline does not count; it can be entered again and again.

    A generator yields inside of one, so that its reader's time is not counted.
    """

    def __init__(self, watchdog: Watchdog, deadline: float) -> None:
        self._watchdog = watchdog
        self._deadline = deadline
        self._time = asyncio.get_running_loop().time
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._time()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._deadline += self._time() - self._began
        self._watchdog.move(self._deadline)
