"""Errors as one tree, and the one place where exceptions become values.

Inside, code raises; at a boundary (agent, connector, parser service, CLI, HTTP) callers get ``T | AgentFailure``::

    RomaError                       code                        recoverable
    ├── ConfigError                 ERR_CONFIG_INVALID          no
    ├── InputError                  ERR_INPUT_INVALID           no
    │   └── NotFoundError           ERR_NOT_FOUND               no
    ├── DeadlineError               ERR_TIMEOUT                 yes
    ├── ConnectorError              ERR_CONNECTOR_*             by code
    ├── ParserError                 ERR_PARSER_*                no
    ├── LLMError                    ERR_LLM_*                   by code
    ├── EmbeddingError              ERR_EMBEDDING_*             by code
    ├── StoreError                  ERR_STORAGE_*               by code
    ├── GuardrailError              ERR_GUARDRAIL_*             no
    ├── EvalError                   ERR_EVAL_*                  no
    ├── WorkerError                 ERR_WORKER_*                by code
    └── AccessError                 ERR_ACCESS_*                by code

An area's exceptions differ in their code, not in their class: what a caller does depends on the code and on
``recoverable``, so a class per code would only be a second spelling of the same fact.
"""

from __future__ import annotations

import builtins
import difflib
import errno
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roma_core.environment import explain_environment, find_extra

T = TypeVar("T")

MOST_NAMED = 5
"""Names that a message gives of many."""
MOST_NAMES_LISTED = 12
"""An error about an unknown name lists all known ones up to this many; beyond, the nearest alone."""

request_id: ContextVar[str | None] = ContextVar("roma_request_id", default=None)
"""The id of the request that is being served; set once by a skin, read by every log line and failure."""


DISK_FULL = "The disk is full; free some room and try again."
"""The sentence for a full disk, whatever could not be written."""

defects: list[Callable[[str, BaseException], None]] = []
"""Hooks that get the agent and the exception when an unexpected one becomes ``ERR_INTERNAL``, to log its place."""


class ErrorCode(StrEnum):
    """Codes of all errors that ROMA can report. ``docs/errors.md`` explains each and says what to do."""

    CONFIG_INVALID = "ERR_CONFIG_INVALID"
    INPUT_INVALID = "ERR_INPUT_INVALID"
    NOT_FOUND = "ERR_NOT_FOUND"
    TIMEOUT = "ERR_TIMEOUT"
    STOPPED = "ERR_STOPPED"
    INTERRUPTED = "ERR_INTERRUPTED"
    INTERNAL = "ERR_INTERNAL"
    DEPENDENCY_MISSING = "ERR_DEPENDENCY_MISSING"
    ENVIRONMENT = "ERR_ENVIRONMENT"

    CONNECTOR_AUTH = "ERR_CONNECTOR_AUTH"
    CONNECTOR_PERMISSION = "ERR_CONNECTOR_PERMISSION"
    CONNECTOR_NOT_FOUND = "ERR_CONNECTOR_NOT_FOUND"
    CONNECTOR_RATE_LIMIT = "ERR_CONNECTOR_RATE_LIMIT"
    CONNECTOR_QUOTA = "ERR_CONNECTOR_QUOTA"
    CONNECTOR_UNAVAILABLE = "ERR_CONNECTOR_UNAVAILABLE"
    CONNECTOR_TIMEOUT = "ERR_CONNECTOR_TIMEOUT"
    CONNECTOR_TOO_LARGE = "ERR_CONNECTOR_TOO_LARGE"
    CONNECTOR_CORRUPT = "ERR_CONNECTOR_CORRUPT"
    CONNECTOR_CHANGED = "ERR_CONNECTOR_CHANGED"
    CONNECTOR_UNSUPPORTED = "ERR_CONNECTOR_UNSUPPORTED"
    CONNECTOR_BLOCKED = "ERR_CONNECTOR_BLOCKED"
    CONNECTOR_ROBOTS = "ERR_CONNECTOR_ROBOTS"

    PARSER_MALFORMED = "ERR_PARSER_MALFORMED"
    PARSER_ENCRYPTED = "ERR_PARSER_ENCRYPTED"
    PARSER_UNSUPPORTED = "ERR_PARSER_UNSUPPORTED"
    PARSER_EMPTY = "ERR_PARSER_EMPTY"
    PARSER_TOO_LARGE = "ERR_PARSER_TOO_LARGE"
    PARSER_TIMEOUT = "ERR_PARSER_TIMEOUT"
    PARSER_MEMORY = "ERR_PARSER_MEMORY"

    LLM_AUTH = "ERR_LLM_AUTH"
    LLM_BAD_REQUEST = "ERR_LLM_BAD_REQUEST"
    LLM_NOT_FOUND = "ERR_LLM_NOT_FOUND"
    LLM_CONTEXT_LENGTH = "ERR_LLM_CONTEXT_LENGTH"
    LLM_RATE_LIMIT = "ERR_LLM_RATE_LIMIT"
    LLM_QUOTA = "ERR_LLM_QUOTA"
    LLM_BUDGET = "ERR_LLM_BUDGET"
    LLM_UNAVAILABLE = "ERR_LLM_UNAVAILABLE"
    LLM_TIMEOUT = "ERR_LLM_TIMEOUT"
    LLM_TRUNCATED = "ERR_LLM_TRUNCATED"
    LLM_MALFORMED = "ERR_LLM_MALFORMED"
    LLM_EMPTY = "ERR_LLM_EMPTY"
    LLM_REFUSED = "ERR_LLM_REFUSED"

    EMBEDDING_MODEL = "ERR_EMBEDDING_MODEL"
    EMBEDDING_UNAVAILABLE = "ERR_EMBEDDING_UNAVAILABLE"

    STORAGE_UNAVAILABLE = "ERR_STORAGE_UNAVAILABLE"
    STORAGE_FULL = "ERR_STORAGE_FULL"
    STORAGE_LOCKED = "ERR_STORAGE_LOCKED"
    STORAGE_MISMATCH = "ERR_STORAGE_MISMATCH"
    STORAGE_CORRUPT = "ERR_STORAGE_CORRUPT"
    STORAGE_NEWER = "ERR_STORAGE_NEWER"

    GUARDRAIL_EMPTY = "ERR_GUARDRAIL_EMPTY"
    GUARDRAIL_TOO_LONG = "ERR_GUARDRAIL_TOO_LONG"
    GUARDRAIL_BLOCKED = "ERR_GUARDRAIL_BLOCKED"

    EVAL_DATASET = "ERR_EVAL_DATASET"
    EVAL_PARAMETERS = "ERR_EVAL_PARAMETERS"
    EVAL_JUDGE = "ERR_EVAL_JUDGE"
    EVAL_GATE = "ERR_EVAL_GATE"
    EVAL_NOTEBOOK = "ERR_EVAL_NOTEBOOK"

    WORKER_UNAVAILABLE = "ERR_WORKER_UNAVAILABLE"
    WORKER_LOST = "ERR_WORKER_LOST"
    WORKER_MISMATCH = "ERR_WORKER_MISMATCH"

    ACCESS_UNAUTHENTICATED = "ERR_ACCESS_UNAUTHENTICATED"
    ACCESS_FORBIDDEN = "ERR_ACCESS_FORBIDDEN"
    ACCESS_RATE_LIMIT = "ERR_ACCESS_RATE_LIMIT"


RECOVERABLE: frozenset[ErrorCode] = frozenset(
    {
        ErrorCode.TIMEOUT,
        ErrorCode.STOPPED,
        ErrorCode.INTERRUPTED,
        ErrorCode.CONNECTOR_RATE_LIMIT,
        ErrorCode.CONNECTOR_QUOTA,
        ErrorCode.CONNECTOR_UNAVAILABLE,
        ErrorCode.CONNECTOR_TIMEOUT,
        ErrorCode.CONNECTOR_CORRUPT,
        ErrorCode.CONNECTOR_CHANGED,
        ErrorCode.LLM_RATE_LIMIT,
        ErrorCode.LLM_UNAVAILABLE,
        ErrorCode.LLM_TIMEOUT,
        ErrorCode.LLM_TRUNCATED,
        ErrorCode.LLM_MALFORMED,
        ErrorCode.EMBEDDING_UNAVAILABLE,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.STORAGE_FULL,
        ErrorCode.STORAGE_LOCKED,
        ErrorCode.WORKER_UNAVAILABLE,
        ErrorCode.WORKER_LOST,
        ErrorCode.ACCESS_RATE_LIMIT,
    }
)
"""Codes for which the same call may succeed later without anybody changing anything but time or room."""


class RomaError(Exception):
    """Base of everything that ROMA raises on purpose.

    ``message`` is one sentence for a person that says what to do; ``details`` are small JSON values for a machine
    and never hold secrets or document text.
    """

    default_code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(
        self,
        message: str,
        code: ErrorCode | None = None,
        *,
        retry_after_s: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after_s = retry_after_s
        self.details = dict(details or {})

    @property
    def recoverable(self) -> bool:
        """Return whether a later call may succeed without a change, see ``RECOVERABLE``."""
        return self.code in RECOVERABLE

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes send their errors home by value; keyword-only arguments need help.
        return _rebuild, (type(self), self.message, self.code, self.retry_after_s, self.details)


def _rebuild(
    cls: type[RomaError], message: str, code: ErrorCode, retry_after_s: float | None, details: dict[str, Any]
) -> RomaError:
    return cls(message, code, retry_after_s=retry_after_s, details=details)


class ConfigError(RomaError):
    """A setting or an installation is wrong; nothing was started."""

    default_code = ErrorCode.CONFIG_INVALID


class InputError(RomaError):
    """The caller's input cannot be used."""

    default_code = ErrorCode.INPUT_INVALID


class NotFoundError(InputError):
    """The named thing does not exist."""

    default_code = ErrorCode.NOT_FOUND


def no_document(document: str) -> NotFoundError:
    """Return the error for a document that is not there; one that its reader may not see is told in the same words."""
    return NotFoundError(f"There is no document {document!r}; `roma documents` lists those that there are.")


class DeadlineError(RomaError):
    """ROMA's own deadline passed."""

    default_code = ErrorCode.TIMEOUT


class ConnectorError(RomaError):
    """A source could not be listed or an item not fetched."""

    default_code = ErrorCode.CONNECTOR_UNAVAILABLE


class ParserError(RomaError):
    """A file could not be turned into a document."""

    default_code = ErrorCode.PARSER_MALFORMED


class LLMError(RomaError):
    """A model did not answer, or not in a way that may be shown."""

    default_code = ErrorCode.LLM_UNAVAILABLE


class EmbeddingError(RomaError):
    """Text could not be embedded or reranked."""

    default_code = ErrorCode.EMBEDDING_UNAVAILABLE


class StoreError(RomaError):
    """The store could not be read or written."""

    default_code = ErrorCode.STORAGE_UNAVAILABLE


class GuardrailError(RomaError):
    """A guardrail refused a question or an answer."""

    default_code = ErrorCode.GUARDRAIL_BLOCKED


class EvalError(RomaError):
    """An evaluation cannot be run or trusted."""

    default_code = ErrorCode.EVAL_DATASET


class WorkerError(RomaError):
    """Work could not be handed to workers, or they could not do it."""

    default_code = ErrorCode.WORKER_UNAVAILABLE


class AccessError(RomaError):
    """The caller may not do this."""

    default_code = ErrorCode.ACCESS_FORBIDDEN


class AgentFailure(BaseModel):
    """A failure as a value: every boundary returns it instead of raising."""

    model_config = ConfigDict(frozen=True)

    agent: str
    code: ErrorCode
    message: str
    recoverable: bool
    retry_after_s: float | None = None
    request_id: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, agent: str, error: BaseException) -> AgentFailure:
        """Map any exception to a failure. Unknown ones become ``ERR_INTERNAL`` and name their type and place.

        The text of an unknown exception is not shown: it may quote a document, a prompt or a key.
        """
        cause = _find_cause(error)
        known = cause if isinstance(cause, RomaError) else _translate(cause)
        if known is not cause and known.code is ErrorCode.INTERNAL:
            for tell in defects:
                tell(agent, error)
        return cls(
            agent=agent,
            code=known.code,
            message=known.message,
            recoverable=known.recoverable,
            retry_after_s=known.retry_after_s,
            request_id=request_id.get(),
            details=known.details,
        )


def suggest_name(name: str, known: Iterable[str]) -> str:
    """Return the sentences about an unknown ``name``: the nearest known one, and all of them where they are few.

    >>> suggest_name("gdrvie", ["gdrive", "web"])
    "Did you mean 'gdrive'? Known: gdrive, web."
    """
    names = sorted(set(known))
    nearest = difflib.get_close_matches(name, names, n=1)
    sentences = [f"Did you mean {nearest[0]!r}?"] if nearest else []
    if len(names) <= MOST_NAMES_LISTED:
        sentences.append(f"Known: {', '.join(names) or 'none'}.")
    return " ".join(sentences) or "No known name is near it."


def name_some(names: Iterable[str]) -> str:
    """Return the first names for a message, and how many more there are.

    >>> name_some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    held = list(names)
    more = len(held) - MOST_NAMED
    return ", ".join(held[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def count_noun(number: int, noun: str) -> str:
    """Return a number with its noun for a message, in the plural where it is not one.

    >>> count_noun(1, "run"), count_noun(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def explain_invalid(error: ValidationError) -> str:
    """Return the error of each field, as one sentence without its end. Values are shown: not for secrets."""
    sentences = []
    for detail in error.errors(include_url=False, include_context=False):
        message = str(detail["msg"]).removeprefix("Value error, ").replace("a valid tuple", "a list")
        field = ".".join(map(str, detail["loc"]))
        sentences.append(f"{field}: {message[0].lower()}{message[1:]}, not {detail['input']!r}")
    return "; ".join(sentences)


def _find_cause(error: BaseException) -> BaseException:
    """Return the first exception of a task group: the group's own type and place (``__aexit__``) say nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _translate(error: BaseException) -> RomaError:
    """Return the typed error for one of Python's own that has a clear meaning everywhere."""
    if isinstance(error, builtins.TimeoutError):
        return DeadlineError("The time allowed for this step ran out; try again or raise the limit.")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreError(DISK_FULL, ErrorCode.STORAGE_FULL)
    if isinstance(error, ModuleNotFoundError):
        extra = find_extra(error.name or "")
        return ConfigError(
            f"The Python package {error.name!r} is not installed: pip install 'roma-core[{extra}]'.",
            ErrorCode.DEPENDENCY_MISSING,
            details={"module": error.name or "", "extra": extra},
        )
    refused = explain_environment(error)
    if refused:
        return ConfigError(refused, ErrorCode.ENVIRONMENT, details={"exception": type(error).__name__})
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "unknown"
    return RomaError(
        f"Unexpected {type(error).__name__} in {where}; this is a defect in ROMA, please report it.",
        details={"exception": type(error).__name__, "where": where},
    )


async def guarded(agent: str, work: Awaitable[T]) -> T | AgentFailure:
    """Await ``work``; any exception becomes an ``AgentFailure``. Cancellation passes through.

    This and its form for streams hold the only ``except Exception`` of the package (a test looks for others).
    """
    try:
        return await work
    except Exception as error:  # noqa: BLE001
        return AgentFailure.of(agent, error)


def run_without_waiting(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits: one step ends it, where an event loop would cost more."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("work that is done at once must not wait")


def guarded_call(agent: str, work: Callable[[], T]) -> T | AgentFailure:
    """Run a function, see ``guarded``; for threads."""

    async def inside() -> T:
        return work()

    return run_without_waiting(guarded(agent, inside()))


class guarded_block:  # noqa: N801  (reads as a function, like ``contextlib.suppress``)
    """Turn any exception of a block into ``failure`` and end the block; ``guarded`` for generators.

    It holds for every item of a stream and costs none of them anything; cancellation and closing pass through::

        with guarded_block("tailor") as block:
            async for item in stream: ...
        if block.failure is not None: ...
    """

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.failure: AgentFailure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.failure = AgentFailure.of(self.agent, error)
        return True


class foreign_code:  # noqa: N801  (reads as a function)
    """Turn an unknown exception of a block that runs a user's own code into ``EvalError``: no defect of ROMA.

    >>> with foreign_code("the measure brief"):
    ...     1 / 0
    Traceback (most recent call last):
        ...
    roma_core.errors.EvalError: the measure brief raised ZeroDivisionError in <module>:2
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, RomaError):
            return
        known = _translate(_find_cause(error))
        if known.code is ErrorCode.INTERNAL:
            raised, where = known.details["exception"], known.details["where"]
            raise EvalError(f"{self.name} raised {raised} in {where}", ErrorCode.EVAL_PARAMETERS) from error


@overload
def guarded_stream(agent: str, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T | AgentFailure, None]: ...
@overload
def guarded_stream(
    agent: str, stream: AsyncGenerator[T, None], convert: Callable[[AgentFailure], T]
) -> AsyncGenerator[T, None]: ...
async def guarded_stream(
    agent: str, stream: AsyncGenerator[Any, None], convert: Callable[[AgentFailure], Any] | None = None
) -> AsyncGenerator[Any, None]:
    """Yield the items of ``stream``; an exception becomes a last item, an ``AgentFailure`` or ``convert`` of it.

    Closing this closes ``stream``. One layer for a whole stream: ``guarded`` around every item costs more.
    """
    async with aclosing(stream):
        try:
            async for item in stream:
                yield item
        except Exception as error:  # noqa: BLE001
            failure = AgentFailure.of(agent, error)
            yield failure if convert is None else convert(failure)
