"""An executor without workers: tasks run here, one after the other. For tests, and the smallest example of the seam."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from roma_core.errors import AgentFailure, guarded
from roma_core.executor.base import AGENT, ExecutorStatus, Shard, ShardResult
from roma_core.executor.worker import Task, find_task


class InlineExecutor:
    """``Executor`` in this very task. ``task`` stands in for the function that ``map`` names."""

    address = "inline"
    is_private = True

    def __init__(self, task: Task | None = None) -> None:
        self._task = task
        self._given: Task | None = None
        self._shards: AsyncIterator[Shard] | None = None
        self._status = ExecutorStatus(self.address, workers=1)

    async def map(self, target: str, shards: AsyncIterator[Shard]) -> None:
        """Hold the shards until their results are asked for, see ``Executor``."""
        self._given = self._task or find_task(target)
        self._shards = shards

    async def gather(self) -> AsyncIterator[ShardResult]:
        """Run one shard after the other, see ``Executor``."""
        if self._given is None or self._shards is None:
            return
        async for shard in self._shards:
            result = await guarded(AGENT, self._given(shard.payload))
            if isinstance(result, AgentFailure):
                self._status = replace(self._status, failed=self._status.failed + 1)
                yield ShardResult(shard.key, failure=result, worker=self.address)
            else:
                self._status = replace(self._status, done=self._status.done + 1)
                yield ShardResult(shard.key, result, worker=self.address)

    async def cancel(self) -> None:
        """Forget the shards, see ``Executor``."""
        self._shards = None

    async def status(self) -> ExecutorStatus:
        """Return how many shards have ended, see ``Executor``."""
        return self._status
