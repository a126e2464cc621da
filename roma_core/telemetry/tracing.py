"""MLflow spans, one per stage, with the request id of the log lines. Off until ``configure`` turns it on.

``span`` costs one test when tracing is off, and nothing here imports MLflow before then. Spans are started without
OpenTelemetry's context, which an async generator that is closed from another task would leave in disorder; the parent
is the enclosing ``span`` of the same request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from roma_core.errors import ConfigError, ErrorCode, request_id
from roma_core.settings import Settings
from roma_core.telemetry.redact import redact_value
from roma_core.workspace import private_file, private_folder

_EXPERIMENT = "roma-traces"
_mlflow: Any = None
_experiment_id: str | None = None
_parent: ContextVar[Any] = ContextVar("roma_span", default=None)


def configure(settings: Settings) -> None:
    """Turn tracing on or off as ``settings.tracing`` says.

    The first use of a new tracking database takes seconds (MLflow's migrations). Raises ``ConfigError`` when tracing
    is wanted and MLflow is not installed.
    """
    global _mlflow, _experiment_id
    if not settings.tracing:
        _mlflow = None
        return
    try:
        import mlflow
    except ModuleNotFoundError:
        raise ConfigError(
            "ROMA_TRACING needs MLflow: pip install 'roma-core[evals]'.", ErrorCode.DEPENDENCY_MISSING
        ) from None
    private_folder(settings.workspace)
    folder = settings.workspace.resolve()
    if settings.mlflow_tracking_uri is None:
        private_file(folder / "mlflow.db")
    uri = settings.mlflow_tracking_uri or f"sqlite:///{folder / 'mlflow.db'}"
    for name in ("mlflow.store.db.utils", "alembic"):  # they tell of every table that they make
        logging.getLogger(name).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    found = mlflow.get_experiment_by_name(_EXPERIMENT)
    # Without a place of its own MLflow writes artifacts to ./mlruns, wherever the process happens to run.
    own = None if settings.mlflow_tracking_uri else (folder / "mlartifacts").as_uri()
    _experiment_id = found.experiment_id if found else mlflow.create_experiment(_EXPERIMENT, artifact_location=own)
    _mlflow = mlflow


def enabled() -> bool:
    """Whether spans are written."""
    return _mlflow is not None


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """A span around what happens inside. What is put into the yielded dict becomes its outputs. All is redacted."""
    outputs: dict[str, Any] = {}
    if _mlflow is None:
        yield outputs
        return
    parent = _parent.get()
    current = _mlflow.start_span_no_context(
        name=name,
        parent_span=parent,
        attributes=redact_value({**attributes, "request_id": request_id.get()}),
        tags=None if parent else {"request_id": request_id.get() or ""},
        experiment_id=None if parent else _experiment_id,
    )
    _parent.set(current)
    status = "OK"
    try:
        yield outputs
    except BaseException as error:
        # Its type alone: the text may quote a document or a key. Cancellation is no fault.
        outputs["failed"] = type(error).__name__
        status = "ERROR" if isinstance(error, Exception) else "OK"
        raise
    finally:
        # By hand, not by token: a generator may be closed in another context than it was started in.
        _parent.set(parent)
        current.set_outputs(redact_value(outputs))
        current.end(status=status)


def begin(name: str, **attributes: Any) -> Any:
    """A span that ``end`` closes, for work whose stages are told by events; None when tracing is off."""
    if _mlflow is None:
        return None
    return _mlflow.start_span_no_context(
        name=name,
        attributes=redact_value({**attributes, "request_id": request_id.get()}),
        tags={"request_id": request_id.get() or ""},
        experiment_id=_experiment_id,
    )


def record(parent: Any, name: str, start: float, end: float, outputs: dict[str, Any]) -> None:
    """A stage of ``parent`` that is over; times are those of ``time.perf_counter``."""
    if parent is None or _mlflow is None:
        return
    offset_ns = time.time_ns() - time.perf_counter_ns()
    stage = _mlflow.start_span_no_context(
        name=name,
        parent_span=parent,
        attributes={"request_id": request_id.get()},
        start_time_ns=offset_ns + int(start * 1e9),
    )
    stage.set_outputs(redact_value(outputs))
    stage.end(end_time_ns=offset_ns + int(end * 1e9))


def end(current: Any, outputs: dict[str, Any], *, failed: bool) -> None:
    """Close what ``begin`` opened."""
    if current is not None:
        current.set_outputs(redact_value(outputs))
        current.end(status="ERROR" if failed else "OK")


def flush() -> None:
    """Wait until the spans so far are written; for the end of a process and for tests."""
    if _mlflow is not None:
        _mlflow.flush_trace_async_logging()
