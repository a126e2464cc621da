"""MLflow spans, one per stage, with the request id of the log lines. Off until ``configure`` turns it on.

A query only records events and times. After it ends, a separate thread writes its spans, so a slow or unavailable
MLflow delays no answer: the spans of that time are lost, which is logged once. ``span`` costs one test when tracing is
off, and MLflow is imported only when there is something to write.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from roma_core.errors import AgentFailure, ConfigError, ErrorCode, guarded_call, request_id
from roma_core.redaction.rules import redact_value
from roma_core.settings import Settings
from roma_core.telemetry import logs
from roma_core.workspace import Workspace, private_file, private_folder

EXPERIMENT = "roma-traces"
SWITCHES = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds instead of two minutes, and one more try instead of seven
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",  # it would write in a second thread, and hold up the end of a process
    "MLFLOW_CONFIGURE_LOGGING": "false",  # its lines pass the chain of all others, and redaction
}
MOST_WAITING = 256
"""Queries whose spans wait to be written; those of further ones are dropped."""
CONNECT_S = 3.0
LOOK_EVERY_S = 10.0
TRY_AGAIN_S = 60.0
FLUSH_S = 30.0
"""The first use of a new tracking database takes MLflow's migrations, which are seconds."""
_log = logs.get("tracing")


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


class _SpanWriter:
    """Thread that writes spans to MLflow, one query after the other."""

    def __init__(self, settings: Settings, *, eager: bool) -> None:
        self.settings = settings
        self._waiting: queue.Queue[TraceSpan | None] = queue.Queue(MOST_WAITING)
        self._mlflow: Any = None
        self._experiment_id: str | None = None
        self._up = True
        self._look_at = 0.0
        threading.Thread(target=self._run, args=(eager,), name="roma-traces", daemon=True).start()

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

    def _run(self, eager: bool) -> None:
        if eager:
            self._is_ready()
        while (span := self._waiting.get()) is not None:
            guarded_call("tracing", functools.partial(self._write, span))
            self._waiting.task_done()
        self._waiting.task_done()

    def _write(self, span: TraceSpan) -> None:
        if self._is_ready():
            self._export(span, None)

    def _is_ready(self) -> bool:
        """Return whether MLflow is available; checked now and then, and logged when it changes."""
        now = time.monotonic()
        if now < self._look_at:
            return self._up
        found = guarded_call("tracing", self._connect)
        up = not isinstance(found, AgentFailure)
        if self._up and isinstance(found, AgentFailure):
            _log.warning("tracing_away", reason=found.message, again_in_s=TRY_AGAIN_S)
        elif up and not self._up:
            _log.warning("tracing_back")
        self._up, self._look_at = up, time.monotonic() + (LOOK_EVERY_S if up else TRY_AGAIN_S)
        return up

    def _connect(self) -> None:
        """Connect to MLflow. Raises ``ConfigError`` when it is unavailable."""
        remote = self.settings.telemetry.mlflow_tracking_uri
        if remote is not None and remote.startswith(("http://", "https://")):
            _check_server(remote)
        if self._mlflow is None:
            self._mlflow = self._open_mlflow()

    def _open_mlflow(self) -> Any:
        for name, value in SWITCHES.items():
            os.environ.setdefault(name, value)
        logs.quiet_loggers("mlflow.store.db.utils", "alembic")
        import mlflow
        from mlflow.exceptions import MlflowException

        workspace, server = Workspace(self.settings.workspace), self.settings.telemetry.mlflow_tracking_uri
        private_folder(workspace.folder)
        if server is None:
            private_file(workspace.mlflow)
        mlflow.set_tracking_uri(server or workspace.mlflow_uri)
        # Without a place of its own MLflow writes artifacts to ./mlruns, wherever the process happens to run.
        own = None if server else workspace.mlflow_artifacts.resolve().as_uri()
        try:
            found = mlflow.get_experiment_by_name(EXPERIMENT)
            self._experiment_id = (
                found.experiment_id if found else mlflow.create_experiment(EXPERIMENT, artifact_location=own)
            )
        except (MlflowException, OSError) as error:
            raise ConfigError(f"MLflow refused to be written to ({type(error).__name__}).") from None
        return mlflow

    def _export(self, span: TraceSpan, parent: Any) -> None:
        current = self._mlflow.start_span_no_context(
            name=span.name,
            parent_span=parent,
            attributes=redact_value({**span.attributes, "request_id": span.request_id}),
            tags=None if parent else {"request_id": span.request_id or ""},
            experiment_id=None if parent else self._experiment_id,
            start_time_ns=span.start_ns,
        )
        for stage in span.inside:
            self._export(stage, current)
        current.set_outputs(redact_value(span.outputs))
        current.end(status="ERROR" if span.failed else "OK", end_time_ns=span.end_ns)


def _check_server(server: str) -> None:
    """Send a short request to a server.

    Raises ``ConfigError`` when it is unreachable: MLflow itself would try for minutes.
    """
    import httpx2

    try:
        httpx2.get(f"{server.rstrip('/')}/health", timeout=CONNECT_S)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ConfigError(
            f"The MLflow server cannot be reached ({type(error).__name__}); check ROMA_MLFLOW_TRACKING_URI."
        ) from None


_writer: _SpanWriter | None = None
_parent: ContextVar[TraceSpan | None] = ContextVar("roma_span", default=None)


def configure(settings: Settings, *, eager: bool = False) -> None:
    """Turn tracing on or off as ``settings.telemetry.tracing`` says, without waiting.

    The writing thread opens MLflow when there is something to write, or at once with ``eager``, as for a server. Raises
    ``ConfigError`` when tracing is wanted and MLflow is not installed.
    """
    global _writer
    if _writer is not None and settings.telemetry.tracing and _writer.settings == settings:
        return
    if _writer is not None:
        _writer.put(None)
        _writer = None
    if settings.telemetry.tracing:
        if importlib.util.find_spec("mlflow") is None:
            raise ConfigError(
                "ROMA_TRACING needs MLflow: pip install 'roma-core[evals]'.", ErrorCode.DEPENDENCY_MISSING
            )
        _writer = _SpanWriter(settings, eager=eager)


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """Record a span around the block. Entries of the yielded dict become its outputs; everything is redacted.

    The parent is the enclosing ``span`` of the request.
    """
    if _writer is None:
        yield {}
        return
    parent, current = _parent.get(), TraceSpan(name, attributes)
    _parent.set(current)
    try:
        yield current.outputs
    except BaseException as error:
        # Its type alone: the text may quote a document or a key. Cancellation is no fault.
        current.outputs["failed"] = type(error).__name__
        current.failed = isinstance(error, Exception)
        raise
    finally:
        # By hand, not by token: a generator may be closed in another context than it was started in.
        _parent.set(parent)
        _close_span(current, parent)


def begin(name: str, **attributes: Any) -> TraceSpan | None:
    """Return a span that ``end`` closes, for work whose stages are reported by events; None when tracing is off."""
    return TraceSpan(name, attributes) if _writer is not None else None


def record(parent: TraceSpan | None, name: str, start: float, end: float, outputs: dict[str, Any]) -> None:
    """Add a completed stage to ``parent``; times are those of ``time.perf_counter``."""
    if parent is not None:
        offset_ns = time.time_ns() - time.perf_counter_ns()
        begun, over = (offset_ns + int(moment * 1e9) for moment in (start, end))
        parent.inside.append(TraceSpan(name, {}, begun, over, parent.request_id, dict(outputs)))


def end(current: TraceSpan | None, outputs: dict[str, Any], *, failed: bool) -> None:
    """Close the span that ``begin`` opened, and enqueue it."""
    if current is not None:
        current.outputs, current.failed = outputs, failed
        _close_span(current, None)


def _close_span(span: TraceSpan, parent: TraceSpan | None) -> None:
    span.end_ns = time.time_ns()
    if parent is not None:
        parent.inside.append(span)
    elif _writer is not None:
        _writer.put(span)


def flush(timeout_s: float = FLUSH_S) -> None:
    """Wait until the spans so far are written or lost, at most ``timeout_s``: at the end of a process and in tests."""
    if _writer is not None:
        _writer.flush(timeout_s)
