"""An event loop whose clock jumps: what waits for seconds ends at once, and no busy machine changes the order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


class StoppedClock:
    """The clock of the running loop: it stands still until a test moves it on, so that no deadline passes by chance.

    Unlike ``run_at_once`` it lets the loop wait for threads and sockets; what waits for a time waits until ``move``.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now_s = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self._now_s)

    def move(self, seconds: float) -> None:
        self._now_s += seconds


class JumpingSelector(selectors.DefaultSelector):
    """Moves a clock on instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Runs sleeps and deadlines in their order, in no time. Nothing in it may wait for a thread or a socket."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_at_once(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns, run by a clock that jumps from one timer to the next.

    assert run_at_once(asyncio.sleep(60, "done")) == "done"
    """
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
