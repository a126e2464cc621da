"""Questions of an evaluation asked on workers: one question of one system is one task.

A worker makes the same system again by its settings and prompts, and says so before the first question is asked:
a system that cannot be made elsewhere (stages or models that were handed in as objects) is refused, never replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol, runtime_checkable

from pydantic import Field

from roma_core.errors import AgentFailure, ErrorCode, EvalError
from roma_core.executor import Executor, identify_machine, open_executor, parse_address
from roma_core.executor.calls import ExecutorCalls
from roma_core.llm.base import sample
from roma_core.settings import Settings
from roma_core.types import Noun, Query, TailorOutput, Usage

TARGET: Final = "roma_core.tasks:answer_query"
CALLS_PER_WORKER: Final = 2
"""Questions that are out for each worker: one is answered, the next one is there when it is done."""
OnUsage = Callable[[str, Usage], None]


class SystemDescription(Noun):
    """All by which a worker makes a system again, and the hash that says whether it did."""

    settings: str = Field(repr=False)
    """JSON of the settings; it may hold keys."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Text of each prompt that is not the system's own, by name."""
    index: str = ""
    """Workspace whose index is searched; empty for that of the settings."""
    identity: str = ""


@runtime_checkable
class RunsOnWorkers(Protocol):
    """A system that can be made again elsewhere."""

    @property
    def settings(self) -> Settings: ...

    def describe_system(self, *, with_secrets: bool) -> SystemDescription:
        """Return what a worker needs to make the system again."""
        ...


class QueryCall(Noun):
    """A question for a worker; without one, only whether its system is the client's."""

    system: SystemDescription
    machine: str
    query: Query | None = None
    sample: int = 0


class QueryReply(Noun):
    """An answer of a worker, with the model calls that it took."""

    output: TailorOutput | None = None
    considered: tuple[str, ...] = ()
    """Ids of all passages that were looked up: they are no part of an answer's JSON."""
    failure: AgentFailure | None = None
    usage: tuple[tuple[str, Usage], ...] = ()


class WorkerTask:
    """``Task`` that asks a system on workers."""

    def __init__(self, calls: ExecutorCalls, system: SystemDescription, on_usage: OnUsage) -> None:
        self._calls = calls
        self._system = system
        self._on_usage = on_usage

    async def check(self) -> None:
        """Raise ``EvalError`` when a worker does not come to the same system."""
        reply = await self._call(None)
        if isinstance(reply, AgentFailure):
            raise EvalError(reply.message, reply.code, details=reply.details)

    async def __call__(self, query: Query) -> TailorOutput | AgentFailure:
        """Return the answer of a worker."""
        reply = await self._call(query)
        if isinstance(reply, AgentFailure):
            return reply
        for purpose, usage in reply.usage:
            self._on_usage(purpose, usage)
        if reply.output is not None:
            return reply.output.model_copy(update={"considered": reply.considered})
        if reply.failure is None:
            raise EvalError("A worker returned neither an answer nor a failure.", ErrorCode.WORKER_MISMATCH)
        return reply.failure

    async def _call(self, query: Query | None) -> QueryReply | AgentFailure:
        call = QueryCall(system=self._system, machine=identify_machine(), query=query, sample=sample.get())
        reply = await self._calls.call(call.model_dump_json().encode())
        return reply if isinstance(reply, AgentFailure) else QueryReply.model_validate_json(reply)


@asynccontextmanager
async def open_worker_task(
    system: object, on: Executor | str | None, on_usage: OnUsage
) -> AsyncIterator[tuple[WorkerTask, int] | None]:
    """Open what asks ``system`` at ``on``, with how many questions may be out at once; None to ask it here.

    Without ``on`` the setting ``ROMA_EXECUTOR`` says where, for a system that can be asked elsewhere. Raises
    ``EvalError`` for one that cannot and ``WorkerError`` when there are no workers.
    """
    async with AsyncExitStack() as stack:
        executor: Executor | None
        if on is None or isinstance(on, str):
            executor = await stack.enter_async_context(open_executor_if_named(on, system))
        else:
            executor = on
        if executor is None:
            yield None
            return
        described = _require_description(system).describe_system(with_secrets=executor.is_private)
        calls = await stack.enter_async_context(ExecutorCalls(executor, TARGET))
        task = WorkerTask(calls, described, on_usage)
        await task.check()
        workers = (await executor.status()).workers
        yield task, max(1, workers) * CALLS_PER_WORKER


@asynccontextmanager
async def open_executor_if_named(on: str | None, system: object) -> AsyncIterator[Executor | None]:
    """Open the executor at ``on``, or that of the system's settings; None when questions are asked in this process."""
    chosen = on or (system.settings.executor if isinstance(system, RunsOnWorkers) else "local")
    if parse_address(chosen).is_in_process:
        yield None
        return
    async with open_executor(chosen) as executor:
        yield executor


def _require_description(system: object) -> RunsOnWorkers:
    if not isinstance(system, RunsOnWorkers):
        raise EvalError("This system is an object of this process: evaluate it without --on.")
    return system
