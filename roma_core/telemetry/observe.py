"""Metrics, one log line and spans of each answer, measured where every skin passes by."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from roma_core.errors import request_id
from roma_core.telemetry import logs, metrics, tracing
from roma_core.types import CompleteEvent, ErrorEvent, IngestionReport, Query, StageEvent, StreamEvent, TokenEvent

_log = logs.get("orchestrator")
_BEGUN = frozenset({"writing", "verifying"})
"""Stages whose event marks their begin; the others' marks their end."""
_RECOVERED = re.compile(r"([\w.-]+): (ERR_\w+)")


class _Watch:
    """One query: when its stages began and ended."""

    def __init__(self, query: Query) -> None:
        self.start = self._last = time.perf_counter()
        self._running: tuple[str, float] | None = None
        self._first_token = False
        self._trace = tracing.begin("query", persona=query.persona, top_k=query.top_k, tenant=query.tenant)
        self.outcome = "cancelled"
        self.line: dict[str, object] = {}

    def see(self, event: StreamEvent) -> None:
        now = time.perf_counter()
        match event:
            case TokenEvent():
                if not self._first_token:
                    self._first_token = True
                    metrics.observe_first_token(now - self.start)
            case StageEvent():
                self._stage(event, now)
            case CompleteEvent(output=output):
                self._settle(now)
                self.outcome = "answered" if output.answered else "unanswered"
                self.line = {"model": output.model, "citations": len(output.citations), "degraded": output.degraded}
                for reason in output.degraded_reasons:
                    if found := _RECOVERED.match(reason):
                        metrics.count_error(found[1], found[2])
            case ErrorEvent(failure=failure):
                self._settle(now)
                self.outcome = "failed"
                self.line = {"code": failure.code.value, "failed_agent": failure.agent}
                metrics.count_failure(failure)

    def end(self) -> None:
        seconds = time.perf_counter() - self.start
        metrics.observe_query(seconds, self.outcome, degraded=bool(self.line.get("degraded")))
        tracing.end(self._trace, {"outcome": self.outcome, **self.line}, failed=self.outcome == "failed")
        _log.info("query", outcome=self.outcome, duration_ms=round(seconds * 1000, 2), **self.line)

    def _stage(self, event: StageEvent, now: float) -> None:
        self._settle(now)
        if event.stage in _BEGUN:
            self._running = (event.stage, now)
        else:
            self._observe(event.stage, self._last, now, event.detail)
        self._last = now

    def _settle(self, now: float) -> None:
        if self._running is not None:
            self._observe(self._running[0], self._running[1], now, {})
            self._running = None

    def _observe(self, stage: str, start: float, end: float, detail: dict[str, object]) -> None:
        metrics.observe_stage(stage, end - start)
        tracing.record(self._trace, stage, start, end, detail)


async def observed(events: AsyncGenerator[StreamEvent], query: Query) -> AsyncGenerator[StreamEvent]:
    """``events`` as they are. Gives the query an id if no skin did. Closing this closes them."""
    outer = request_id.get()
    if outer is None:
        request_id.set(logs.new_request_id())
    watch = _Watch(query)
    try:
        async with aclosing(events):
            async for event in events:
                watch.see(event)
                yield event
    finally:
        watch.end()
        # By hand: the token of ``set`` is of no use when the generator is closed in another context.
        request_id.set(outer)


def count_ingest(report: IngestionReport) -> None:
    """An ingest ended: its items by state, its failures by agent and code."""
    metrics.count_ingest(report)
    for failure in report.failures:
        metrics.count_failure(failure)
    for item in report.items:
        if item.state == "failed" and item.code:
            metrics.count_error("ingestion", item.code)
    _log.info("ingest", run_id=report.run_id, duration_ms=round(report.seconds * 1000, 1), **report.counts())
