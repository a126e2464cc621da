"""The part that executors with workers share: shards run in the background, results are gathered as they come."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from roma_core.executor.base import Shard, ShardResult


class BackgroundExecutor(ABC):
    """The half of an ``Executor`` that hands shards out and results over; a subclass has the workers."""

    def __init__(self) -> None:
        self._results: asyncio.Queue[ShardResult | None] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None

    async def map(self, target: str, shards: AsyncIterator[Shard]) -> None:
        """Begin to run a task on each shard, see ``Executor``."""
        if self._running is not None and not self._running.done():
            raise RuntimeError("the executor is at work already")
        self._results = asyncio.Queue()
        self._running = asyncio.create_task(self._work(target, shards))

    async def gather(self) -> AsyncIterator[ShardResult]:
        """Yield the results as they come, see ``Executor``."""
        if self._running is None:
            return
        while (result := await self._results.get()) is not None:
            yield result
        await self._running

    async def cancel(self) -> None:
        """Take back what waits and runs, see ``Executor``."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})  # its error is raised in gather
        await self._release()

    async def _work(self, target: str, shards: AsyncIterator[Shard]) -> None:
        """Hand out the shards; the end of the results is noted however this ends."""
        try:
            await self._run(target, shards)
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            self._results.put_nowait(None)

    @abstractmethod
    async def _run(self, target: str, shards: AsyncIterator[Shard]) -> None:
        """Run the task on each shard and put each result into the queue."""

    @abstractmethod
    async def _release(self) -> None:
        """Free what the workers hold once nothing more is handed out."""
