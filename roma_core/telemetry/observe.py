"""Watch over one query: metrics, one log line and spans, measured where every skin passes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from roma_core.errors import AgentFailure, request_id
from roma_core.telemetry import logs, metrics, tracing
from roma_core.types import IngestionReport, Query, TailorOutput

_log = logs.get("orchestrator")
_RECOVERED = re.compile(r"([\w.-]+): (ERR_\w+)")


class QueryWatch:
    """Watch a query: ``with QueryWatch(query) as watch:``. It gets an id when no skin set one.

    A query that ends without ``complete`` or ``fail`` counts as cancelled.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._outcome = "cancelled"
        self._line: dict[str, object] = {}
        self._stage: tuple[str, float] | None = None

    def __enter__(self) -> Self:
        self._outer_id = request_id.get()
        if self._outer_id is None:
            request_id.set(logs.new_request_id())
        query = self._query
        self._start = time.perf_counter()
        self._trace = tracing.begin(
            "query",
            persona=query.persona,
            top_k=query.top_k,
            tenant=query.tenant,
            user=query.principal.pseudonym,
        )
        return self

    def begin_stage(self, label: str) -> None:
        """Record that a stage begins."""
        self._stage = (label, time.perf_counter())

    def end_stage(self, details: Mapping[str, Any] | None = None) -> None:
        """Record that the running stage, if any, has ended."""
        if self._stage is None:
            return
        label, start = self._stage
        self._stage = None
        end = time.perf_counter()
        metrics.observe_stage(label, end - start)
        tracing.record(self._trace, label, start, end, dict(details or {}))

    def first_token(self) -> None:
        """Record that the first words of the answer are shown."""
        metrics.observe_first_token(time.perf_counter() - self._start)

    def complete(self, output: TailorOutput) -> None:
        """Record the answer, and each failure that was recovered from on the way."""
        self._outcome = "answered" if output.answered else "unanswered"
        self._line = {"model": output.model, "citations": len(output.citations), "degraded": output.degraded}
        if output.route is not None and output.saved is None:  # a cached answer was counted when it was written
            route = output.route
            self._line |= {"route": route.choice, "route_reason": route.reason, "route_saved_usd": route.saved_usd}
            metrics.count_route(route)
        for reason in output.degraded_reasons:
            if recovered := _RECOVERED.match(reason):
                metrics.count_error(recovered[1], recovered[2])

    def fail(self, failure: AgentFailure) -> None:
        """Record the failure that ended the query."""
        self._outcome = "failed"
        self._line = {"code": failure.code.value, "failed_agent": failure.agent}
        metrics.count_failure(failure)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end_stage()
        seconds = time.perf_counter() - self._start
        metrics.observe_query(seconds, self._outcome, degraded=bool(self._line.get("degraded")))
        tracing.end(self._trace, {"outcome": self._outcome, **self._line}, failed=self._outcome == "failed")
        _log.info("query", outcome=self._outcome, duration_ms=round(seconds * 1000, 2), **self._line)
        # By hand: the token of ``set`` is of no use when a generator is closed in another context.
        request_id.set(self._outer_id)


def count_ingest(report: IngestionReport) -> None:
    """Count and log an ingest: its items by state, its failures by agent and code."""
    metrics.count_ingest(report)
    for failure in report.failures:
        metrics.count_failure(failure)
    for item in report.items:
        if item.state == "failed" and item.code:
            metrics.count_error("ingestion", item.code)
    _log.info("ingest", run_id=report.run_id, duration_ms=round(report.seconds * 1000, 1), **report.counts())
