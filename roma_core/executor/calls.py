"""Single calls on an executor: hand over some bytes, await what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from roma_core.errors import AgentFailure, guarded
from roma_core.executor.base import AGENT, Executor, Shard


class ExecutorCalls:
    """Calls of one task; as many as wait for a result run side by side, as far as there are workers.

    >>> async with ExecutorCalls(executor, "roma_core.tasks:answer_case") as calls:  # doctest: +SKIP
    ...     await calls.call(payload)
    """

    def __init__(self, executor: Executor, target: str) -> None:
        self.executor = executor
        self._target = target
        self._waiting: asyncio.Queue[Shard | None] = asyncio.Queue()
        self._futures: dict[str, asyncio.Future[bytes | AgentFailure]] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._number = 0

    async def call(self, payload: bytes) -> bytes | AgentFailure:
        """Return what the task made of ``payload``, or why there is nothing."""
        if self._gathering is None or self._gathering.done():
            raise RuntimeError("calls are made inside of the block")
        self._number += 1
        key = str(self._number)
        future: asyncio.Future[bytes | AgentFailure] = asyncio.get_running_loop().create_future()
        self._futures[key] = future
        self._waiting.put_nowait(Shard(key, payload))
        return await future

    async def __aenter__(self) -> Self:
        await self.executor.map(self._target, self._hand_out())
        self._gathering = asyncio.create_task(self._gather())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._gathering is None:
            return
        if kind is None:
            self._waiting.put_nowait(None)
            await self._gathering
            return
        await self.executor.cancel()
        self._gathering.cancel()
        with suppress(asyncio.CancelledError):
            await self._gathering

    async def _hand_out(self) -> AsyncIterator[Shard]:
        while (shard := await self._waiting.get()) is not None:
            yield shard

    async def _gather(self) -> None:
        """Give each call its result; when there are no more, what still waits gets the reason."""
        try:
            ended = await guarded(AGENT, self._take_results())
            if isinstance(ended, AgentFailure):
                for future in self._futures.values():
                    if not future.done():
                        future.set_result(ended)
        finally:
            for future in self._futures.values():
                future.cancel()
            self._futures.clear()

    async def _take_results(self) -> None:
        async for result in self.executor.gather():
            future = self._futures.pop(result.key, None)
            if future is not None and not future.done():
                future.set_result(result.payload if result.failure is None else result.failure)
