"""Structured log lines on stderr, and in files on request: one chain for ROMA's own lines and those of libraries.

Each line carries ``event``, ``level``, ``timestamp``, ``agent``, ``request_id`` and ``duration_ms`` (as measured by the
caller, else the time since the request began), and has passed redaction. An exception that becomes ``ERR_INTERNAL``
is logged here by itself, once, with its traceback. Usage::

    log = logs.get("memory")                      # agent="memory" on every line
    with logs.request():                          # a skin, once per request: sets errors.request_id
        with logs.log_duration(log, "retrieved") as line:
            line["n"] = 20                        # duration_ms is added; a failure is logged with its type
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from roma_core.errors import defects, request_id
from roma_core.redaction.rules import redact, redact_value
from roma_core.telemetry.log_files import USER_FIELD, LogFileHandler
from roma_core.terminal import escape_json, neutralise
from roma_core.types import Principal
from roma_core.workspace import DEFAULT_TENANT, Workspace

_started: ContextVar[float | None] = ContextVar("roma_request_started", default=None)
_served: ContextVar[Principal | None] = ContextVar("roma_logged_principal", default=None)
"""For whom the work of this request is done: the lines of a tenant lie in its folder."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class _Stderr(logging.StreamHandler[TextIO]):
    """Handler that writes to the ``sys.stderr`` of the moment, so that redirection and notebooks work."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def quiet_loggers(*names: str) -> None:
    """Raise the level of libraries' loggers to warnings, for those that report every table they create."""
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)


def configure(level: str = "WARNING", shape: Literal["console", "json"] = "console") -> None:
    """Send every line of ``level`` and above to stderr. A later call replaces the configuration, also of files."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Stderr | LogFileHandler)]:
        root.removeHandler(old)
    root.addHandler(_with_formatter(_Stderr(), shape))
    root.setLevel(level)
    _configure_structlog(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)


def configure_files(workspace: Workspace, *, days: int, tenant: str = DEFAULT_TENANT) -> None:
    """Write every line to files of the workspace, too, and keep those of the last ``days`` days.

    Lines without a caller lie in the folder of ``tenant``. Call ``configure`` before.
    """

    def find_tenant() -> str:
        principal = _served.get()
        return tenant if principal is None else principal.tenant

    def report(reason: str) -> None:
        get("logs").warning("log_file_failed", reason=reason)

    handler = LogFileHandler(workspace, days, find_tenant=find_tenant, on_failure=report)
    logging.getLogger().addHandler(_with_formatter(handler, "json", _add_user))


def _with_formatter(handler: logging.Handler, shape: str, *first: Processor) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_CHAIN, _name_agent],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *first,
                *_make_last_processors(shape),
            ],
        )
    )
    return handler


def _make_last_processors(shape: str) -> list[Processor]:
    """Return the processors of tracebacks, redaction and rendering.

    No traceback shows locals: they would put documents and keys into a line.
    """
    if shape == "json":
        transformer = ExceptionDictTransformer(show_locals=False, max_frames=20)
        render: Processor = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        return [structlog.processors.ExceptionRenderer(transformer), _redact_event, _escape_json(render)]
    colors = sys.stderr.isatty()
    render = structlog.dev.ConsoleRenderer(colors=colors)
    return [structlog.processors.format_exc_info, _redact_event, _neutralise_event, render]


def _neutralise_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Spell out control characters: a file's name may hold some, and a person reads the line on a terminal."""
    return {key: neutralise(value) if isinstance(value, str) else value for key, value in event.items()}


def _escape_json(render: Processor) -> Processor:
    def escape(logger: Any, method: str, event: EventDict) -> str:
        return escape_json(str(render(logger, method, event)))

    return escape


def _configure_structlog(*last: Processor) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_CHAIN,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *last,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get(agent: str) -> FilteringBoundLogger:
    """Return a logger whose lines name ``agent``. Cheap; before ``configure`` only warnings and errors are shown."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(f"roma.{agent}", agent=agent))


def new_request_id(wanted: str | None = None) -> str:
    """Return ``wanted`` when it is short, plain and no secret (headers and logs will hold it), else a random id."""
    usable = wanted and _REQUEST_ID.fullmatch(wanted) and redact(wanted) == wanted
    return wanted if wanted and usable else uuid.uuid4().hex


@contextmanager
def request(wanted: str | None = None) -> Iterator[str]:
    """Put everything inside into one request: its id is on every line, failure and span."""
    current = new_request_id(wanted)
    id_token, start_token, served_token = request_id.set(current), _started.set(time.perf_counter()), _served.set(None)
    try:
        yield current
    finally:
        request_id.reset(id_token)
        _started.reset(start_token)
        _served.reset(served_token)


def serve(principal: Principal) -> None:
    """Note for whom the rest of the request is: its lines in files lie with the tenant and name the pseudonym."""
    _served.set(principal)


@contextmanager
def detach_request() -> Iterator[None]:
    """Detach work from the request: a server's own work does not belong to the request that started it."""
    id_token, start_token, served_token = request_id.set(None), _started.set(None), _served.set(None)
    try:
        yield
    finally:
        request_id.reset(id_token)
        _started.reset(start_token)
        _served.reset(served_token)


@contextmanager
def log_duration(log: FilteringBoundLogger, event: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Log ``event`` at the end with ``duration_ms`` and the fields that were added to the yielded dict.

    An exception is logged by its type alone and passes on: its text may quote a document or a key.
    """
    start = time.perf_counter()
    line: dict[str, Any] = dict(fields)
    try:
        yield line
    except BaseException as error:
        log.warning(event, failed=type(error).__name__, duration_ms=_ms_since(start), **line)
        raise
    log.info(event, duration_ms=_ms_since(start), **line)


def _ms_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)


def _add_request(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.setdefault("request_id", request_id.get())
    start = _started.get()
    event.setdefault("duration_ms", None if start is None else _ms_since(start))
    return event


def _add_user(_logger: Any, _method: str, event: EventDict) -> EventDict:
    principal = _served.get()
    if principal is not None:
        event[USER_FIELD] = principal.pseudonym
    return event


def _name_agent(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Name the library as the agent of its own lines."""
    record = event.get("_record")
    event.setdefault("agent", record.name.partition(".")[0] if record is not None else "unknown")
    return event


_CHAIN: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_request,
]
_MOST_FRAMES = 20
_KEEP = frozenset({"timestamp", "level", "request_id", "duration_ms", "agent", USER_FIELD})


def _redact_event(_logger: Any, _method: str, event: EventDict) -> MutableMapping[str, Any]:
    kept = {k: v for k, v in event.items() if k in _KEEP}
    return {**kept, **redact_value({k: v for k, v in event.items() if k not in _KEEP})}


def _log_defect(agent: str, error: BaseException) -> None:
    get(agent).error("defect", exception=format_stack(error))


def format_stack(error: BaseException) -> str:
    """Return the places where ``error`` and its causes were raised: each type with its frames, the innermost first.

    Neither locals nor the exceptions' own words, which may quote a document, a prompt or a key.
    """
    parts: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = traceback.extract_tb(at.__traceback__)[-_MOST_FRAMES:]
        parts += [type(at).__qualname__, *(f"  {f.filename}:{f.lineno} in {f.name}" for f in reversed(frames))]
        grouped = at.exceptions[0] if isinstance(at, BaseExceptionGroup) else None
        at = grouped or at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "\n".join(parts)


defects.append(_log_defect)

# Until ``configure`` is called (a notebook, another program) lines go to the standard library's logging, which
# shows warnings alone, and they have passed redaction too.
_configure_structlog(*_make_last_processors("console"))
