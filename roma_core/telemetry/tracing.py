"""Spans, one per stage and call of a model, with the request id of the log lines. Off until ``configure`` turns it on.

A query only records events and times. After it ends, separate threads write its spans to MLflow and by OTLP, so a slow
or unavailable server delays no answer: the spans of that time are lost, which is logged once. ``span`` costs one test
when tracing is off, and SDKs are imported only when there is something to write.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from roma_core.errors import AgentFailure, ConfigError, ErrorCode, guarded_call, request_id
from roma_core.redaction.rules import redact_value
from roma_core.settings import Settings
from roma_core.telemetry import logs
from roma_core.telemetry.otlp import OTLPWriter
from roma_core.telemetry.spans import MOST_WAITING, SpanWriter, TraceSpan
from roma_core.workspace import CORPUS_PREFIX, Workspace, private_file, private_folder

EXPERIMENT = "roma-traces"
SWITCHES = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds instead of two minutes, and one more try instead of seven
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",  # it would write in a second thread, and hold up the end of a process
    "MLFLOW_CONFIGURE_LOGGING": "false",  # its lines pass the chain of all others, and redaction
}
CONNECT_S = 3.0
USER_TAG: Final = "roma.user"
"""Tag of a trace: the pseudonym of who asked."""
LOOK_EVERY_S = 10.0
TRY_AGAIN_S = 60.0
FLUSH_S = 30.0
"""The first use of a new tracking database takes MLflow's migrations, which are seconds."""
_log = logs.get("tracing")


class _MLflowWriter(SpanWriter):
    """Thread that writes spans to MLflow."""

    def __init__(self, settings: Settings, *, eager: bool) -> None:
        super().__init__("roma-traces", MOST_WAITING)
        self._settings = settings
        self._eager = eager
        self._mlflow: Any = None
        self._experiments: dict[str, str] = {}
        """Id of the experiment of traces by the address of its database."""
        self._address = ""
        """Address that MLflow writes to."""
        self._up = True
        self._look_at = 0.0
        self._thread.start()

    def begin(self) -> None:
        if self._eager:
            self._is_ready()

    def write(self, span: TraceSpan) -> None:
        if not self._is_ready():
            return
        own = self._settings.tenant
        tenant = str(span.attributes.get("tenant") or own)
        is_removed = self._find_address(tenant) != self._find_address(own) and not self._find_workspace(tenant).exists
        if is_removed:
            _log.info("trace_of_removed_tenant")
            return
        try:
            self._export(span, None, self._open_experiment(tenant))
        finally:
            self._set_address(self._find_address(own))

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
        remote = self._settings.telemetry.mlflow_tracking_uri
        if remote is not None and remote.startswith(("http://", "https://")):
            _check_server(remote)
        if self._mlflow is None:
            self._mlflow = self._open_mlflow()

    def _open_mlflow(self) -> Any:
        for name, value in SWITCHES.items():
            os.environ.setdefault(name, value)
        logs.quiet_loggers("mlflow.store.db.utils", "alembic")
        import mlflow

        self._mlflow = mlflow
        try:
            self._open_experiment(self._settings.tenant)
        except BaseException:
            self._mlflow = None
            raise
        return mlflow

    def _find_workspace(self, tenant: str) -> Workspace:
        """Return where a tenant's traces are written; those of a corpus are of the tenant that evaluates."""
        is_own = tenant == self._settings.tenant or tenant.startswith(CORPUS_PREFIX)
        return Workspace.of(self._settings) if is_own else Workspace(self._settings.workspace).of_tenant(tenant)

    def _find_address(self, tenant: str) -> str:
        return self._settings.telemetry.mlflow_tracking_uri or self._find_workspace(tenant).mlflow_uri

    def _open_experiment(self, tenant: str) -> str:
        """Have MLflow write to a tenant's database, and return the id of its experiment. Raises ``ConfigError``."""
        from mlflow.exceptions import MlflowException

        workspace, server = self._find_workspace(tenant), self._settings.telemetry.mlflow_tracking_uri
        address = self._find_address(tenant)
        private_folder(workspace.folder)
        if server is None:
            private_file(workspace.mlflow)
        self._set_address(address)
        if address in self._experiments:
            return self._experiments[address]
        # Without a place of its own MLflow writes artifacts to ./mlruns, wherever the process happens to run.
        own = None if server else workspace.mlflow_artifacts.resolve().as_uri()
        try:
            found = self._mlflow.get_experiment_by_name(EXPERIMENT)
            made = found.experiment_id if found else self._mlflow.create_experiment(EXPERIMENT, artifact_location=own)
        except (MlflowException, OSError) as error:
            raise ConfigError(f"MLflow refused to be written to ({type(error).__name__}).") from None
        self._experiments[address] = str(made)
        return str(made)

    def _set_address(self, address: str) -> None:
        if address != self._address:
            self._mlflow.set_tracking_uri(address)
            self._address = address

    def _export(self, span: TraceSpan, parent: Any, experiment_id: str) -> None:
        current = self._mlflow.start_span_no_context(
            name=span.name,
            parent_span=parent,
            attributes=redact_value({**span.attributes, "request_id": span.request_id}),
            tags=None if parent else _make_tags(span),
            experiment_id=None if parent else experiment_id,
            start_time_ns=span.start_ns,
        )
        for stage in span.inside:
            if not stage.is_call:
                self._export(stage, current, experiment_id)
        current.set_outputs(redact_value(span.outputs))
        current.end(status="ERROR" if span.failed else "OK", end_time_ns=span.end_ns)


def _make_tags(span: TraceSpan) -> dict[str, str]:
    """Return the tags of a trace: the request, and who asked where that is known."""
    user = span.attributes.get("user")
    return {"request_id": span.request_id or "", **({USER_TAG: str(user)} if user else {})}


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


_writers: dict[str, SpanWriter] = {}
_configured: Settings | None = None
_parent: ContextVar[TraceSpan | None] = ContextVar("roma_span", default=None)
_open_queries: dict[str, TraceSpan] = {}
"""The span of each query that is under way, by its request id: where the calls of models belong."""


def configure(settings: Settings, *, eager: bool = False) -> None:
    """Turn tracing on or off as ``settings.telemetry`` says, without waiting: MLflow's spans, OTLP's, or both.

    The writing threads open what they write to when there is something to write, or at once with ``eager``, as for a
    server. Raises ``ConfigError`` when tracing is wanted and its package is not installed.
    """
    global _configured
    wanted = settings.telemetry
    if _writers and wanted.writes_spans and _configured == settings:
        return
    for writer in _writers.values():
        writer.put(None)
    _writers.clear()
    _configured = settings
    if wanted.tracing:
        _require("mlflow", "ROMA_TRACING needs MLflow: pip install 'roma-core[evals]'.")
        _writers["mlflow"] = _MLflowWriter(settings, eager=eager)
    if wanted.otlp_endpoint:
        _require("opentelemetry.exporter.otlp.proto.http", "ROMA_OTLP_ENDPOINT needs: pip install 'roma-core[doors]'.")
        _writers["otlp"] = OTLPWriter(wanted.otlp_endpoint, wanted.otlp_sent_headers)


def _require(module: str, advice: str) -> None:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # a package above it
        found = None
    if found is None:
        raise ConfigError(advice, ErrorCode.DEPENDENCY_MISSING)


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """Record a span around the block. Entries of the yielded dict become its outputs; everything is redacted.

    The parent is the enclosing ``span`` of the request.
    """
    if not _writers:
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
    if not _writers:
        return None
    opened = TraceSpan(name, attributes)
    if opened.request_id:
        _open_queries[opened.request_id] = opened
    return opened


def record(parent: TraceSpan | None, name: str, start: float, end: float, outputs: dict[str, Any]) -> None:
    """Add a completed stage to ``parent``; times are those of ``time.perf_counter``."""
    if parent is not None:
        offset_ns = time.time_ns() - time.perf_counter_ns()
        begun, over = (offset_ns + int(moment * 1e9) for moment in (start, end))
        calls = [span for span in parent.inside if span.is_call and span.start_ns >= begun]
        parent.inside = [span for span in parent.inside if span not in calls]
        stage = TraceSpan(name, {}, begun, over, parent.request_id, dict(outputs), inside=calls)
        parent.inside.append(stage)


def record_call(name: str, attributes: dict[str, Any], duration_s: float, *, failed: bool) -> None:
    """Add the call of a model, which has just ended, to the query that made it; or let it stand alone."""
    if not _writers:
        return
    now = time.time_ns()
    current = request_id.get()
    call = TraceSpan(name, attributes, now - int(duration_s * 1e9), now, current, failed=failed, is_call=True)
    query = _open_queries.get(current) if current else None
    if query is not None:
        query.inside.append(call)
    elif "otlp" in _writers:
        _writers["otlp"].put(call)


def end(current: TraceSpan | None, outputs: dict[str, Any], *, failed: bool) -> None:
    """Close the span that ``begin`` opened, and enqueue it."""
    if current is not None:
        current.outputs, current.failed = outputs, failed
        if current.request_id:
            _open_queries.pop(current.request_id, None)
        _close_span(current, None)


def _close_span(span: TraceSpan, parent: TraceSpan | None) -> None:
    span.end_ns = time.time_ns()
    if parent is not None:
        parent.inside.append(span)
    else:
        for writer in _writers.values():
            writer.put(span)


def flush(timeout_s: float = FLUSH_S) -> None:
    """Wait until the spans so far are written or lost, at most ``timeout_s``: at the end of a process and in tests."""
    for writer in _writers.values():
        writer.flush(timeout_s)
