"""Exceptions become values at one boundary, and say what to do without telling secrets."""

import ast
import asyncio
import errno
import pickle
from pathlib import Path

import pytest

import roma_core
from roma_core import errors
from roma_core.errors import AgentFailure, ErrorCode, LLMError, ParserError, RomaError, guarded

PACKAGE = Path(roma_core.__file__).parent


def subclasses(cls: type) -> list[type]:
    return [cls, *(s for c in cls.__subclasses__() for s in subclasses(c))]


async def fails(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("cls", subclasses(RomaError))
async def test_every_error_becomes_a_failure_with_its_code(cls: type[RomaError]) -> None:
    failure = await guarded("someone", fails(cls("Do this instead.", retry_after_s=2, details={"n": 1})))
    assert isinstance(failure, AgentFailure)
    assert (failure.agent, failure.code, failure.message) == ("someone", cls.default_code, "Do this instead.")
    assert failure.retry_after_s == 2 and failure.details == {"n": 1}
    assert failure.recoverable is (cls.default_code in errors.RECOVERABLE)


@pytest.mark.parametrize(
    ("error", "code", "recoverable"),
    [
        (TimeoutError(), ErrorCode.TIMEOUT, True),
        (OSError(errno.ENOSPC, "no space"), ErrorCode.STORAGE_FULL, True),
        (ModuleNotFoundError("no", name="panel"), ErrorCode.DEPENDENCY_MISSING, False),
        (ValueError("sk-secret in the text"), ErrorCode.INTERNAL, False),
    ],
)
async def test_pythons_errors_are_translated(error: Exception, code: ErrorCode, recoverable: bool) -> None:
    failure = await guarded("x", fails(error))
    assert isinstance(failure, AgentFailure)
    assert (failure.code, failure.recoverable) == (code, recoverable)
    assert "sk-secret" not in failure.model_dump_json()


async def in_groups(error: Exception) -> None:
    async with asyncio.TaskGroup() as outer:
        outer.create_task(_in_a_group(error))


async def _in_a_group(error: Exception) -> None:
    async with asyncio.TaskGroup() as inner:
        inner.create_task(fails(error))


async def test_a_task_group_shows_what_happened_inside() -> None:
    defect = await guarded("x", in_groups(KeyError("the words of a document")))
    assert isinstance(defect, AgentFailure)
    assert defect.details["exception"] == "KeyError"
    assert defect.details["where"].startswith("fails:"), "the cause's place, not the group's __aexit__"
    assert "words of a document" not in defect.model_dump_json()
    known = await guarded("x", in_groups(LLMError("The key is wrong.", ErrorCode.LLM_AUTH, details={"n": 1})))
    assert isinstance(known, AgentFailure)
    assert (known.code, known.message, known.details) == (ErrorCode.LLM_AUTH, "The key is wrong.", {"n": 1})


async def test_a_result_passes_and_cancellation_is_not_swallowed() -> None:
    async def works() -> int:
        return 3

    assert await guarded("x", works()) == 3
    task = asyncio.create_task(guarded("x", asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_request_id_is_on_the_failure() -> None:
    token = errors.request_id.set("req-1")
    try:
        failure = await guarded("x", fails(LLMError("no")))
    finally:
        errors.request_id.reset(token)
    assert isinstance(failure, AgentFailure) and failure.request_id == "req-1"


def test_errors_travel_between_processes() -> None:
    error = ParserError("locked", ErrorCode.PARSER_ENCRYPTED, retry_after_s=1.5, details={"page": 2})
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), back.code, back.message, back.retry_after_s, back.details) == (
        ParserError,
        ErrorCode.PARSER_ENCRYPTED,
        "locked",
        1.5,
        {"page": 2},
    )


def test_nothing_else_excepts_everything() -> None:
    """``guarded`` and ``guarded_stream`` may swallow everything; who cleans up and raises again swallows nothing."""
    broad = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    ]
    assert [place.split(":")[0] for place in broad] == ["errors.py", "errors.py"], broad


def _raises_again(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _is_broad(node: ast.expr | None) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(n is None or (isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"}) for n in names)
