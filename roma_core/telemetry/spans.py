"""Spans before they are written, and the thread that writes them: nothing of a query waits for a tracing server."""

from __future__ import annotations

import functools
import queue
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from roma_core.errors import guarded_call, request_id

MOST_WAITING = 256
"""Queries whose spans wait to be written; those of further ones are dropped."""


@dataclass
class TraceSpan:
    """An interval of time (nanoseconds since the epoch) with the intervals inside of it."""

    name: str
    attributes: dict[str, Any]
    start_ns: int = field(default_factory=time.time_ns)
    end_ns: int = 0
    request_id: str | None = field(default_factory=request_id.get)
    outputs: dict[str, Any] = field(default_factory=dict)
    failed: bool = False
    inside: list[TraceSpan] = field(default_factory=list)
    is_call: bool = False
    """A call of a model, with the attributes that OpenTelemetry names for it."""


class SpanWriter(ABC):
    """Thread that writes spans, one query after the other."""

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        self._waiting: queue.Queue[TraceSpan | None] = queue.Queue(most_waiting)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, span: TraceSpan | None) -> None:
        """Enqueue ``span``; None ends the thread. Never waits: a full queue drops the span."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            return

    def flush(self, timeout_s: float) -> None:
        """Wait until all enqueued spans are written, at most ``timeout_s``."""
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, timeout_s)

    @abstractmethod
    def write(self, span: TraceSpan) -> None:
        """Write the spans of one query."""

    def begin(self) -> None:
        """Prepare in the thread before the first span comes; by default nothing."""
        return

    def _run(self) -> None:
        guarded_call("tracing", self.begin)
        while (span := self._waiting.get()) is not None:
            guarded_call("tracing", functools.partial(self.write, span))
            self._waiting.task_done()
        self._waiting.task_done()
