"""Processor time of a process and of all below it, however they end, and what would distort it."""

from __future__ import annotations

import gc
import threading
from types import TracebackType
from typing import Final, Self

import psutil

LOOK_S: Final = 0.05
"""A process that lives for less is not met."""


def freeze_garbage() -> None:
    """Leave what has been loaded out of garbage collections, as ``roma serve`` does once it is warm.

    Otherwise one question in fifty or so waits for a tenth of a second while all of it is looked through.
    """
    gc.collect()
    gc.freeze()


class ProcessorMeter:
    """Counts the processor time of this process and of all below it inside a ``with`` block.

    The system adds the time of a process to the one that waits for it. A worker whose parent was killed, or that
    outlives the block, is counted nowhere then, so each process is looked at while it is there.

    >>> with ProcessorMeter() as meter:
    ...     _ = sum(range(1_000_000))
    >>> meter.seconds > 0
    True
    """

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], float] = {}
        self._used: dict[tuple[int, float], float] = {}
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look_often, name="processor-meter", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._before = dict(self._used)
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._looking.join()
        self._look()

    @property
    def seconds(self) -> float:
        """The time so far, of all processes together."""
        return sum(used - self._before.get(process, 0.0) for process, used in self._used.copy().items())

    def _look_often(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        own = psutil.Process()
        for process in (own, *own.children(recursive=True)):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    self._used[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:  # it has ended meanwhile; what was seen last stands
                continue
