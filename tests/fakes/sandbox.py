"""Parser processes that outlive a test: the next one finds them started, which takes longer than its file."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import NamedTuple

from roma_core.parsers.sandbox.pool import ProcessSandbox, WorkerLimits, environment
from roma_core.parsers.sandbox.worker import ParseJob, Result

MOST_POOLS = 3
"""Idle processes hold memory; pools beyond these are closed, the oldest first."""


class PoolKey(NamedTuple):
    """All that a worker is started with."""

    workers: int
    limits: WorkerLimits
    environment: tuple[tuple[str, str], ...]


_pools: dict[PoolKey, ProcessSandbox] = {}
_lock = threading.Lock()


class SharedSandbox:
    """Runs jobs as ``ProcessSandbox`` does, on workers of its kind that an earlier test may have started."""

    def __init__(self, workers: int = 0, limits: WorkerLimits | None = None) -> None:
        self.workers = workers
        self.limits = limits or WorkerLimits()

    async def run(self, job: ParseJob) -> Result:
        """Return what a worker makes of ``job``."""
        return await (await self._find_pool()).run(job)

    async def close(self) -> None:
        """Leave the workers to the next test."""

    async def _find_pool(self) -> ProcessSandbox:
        key = PoolKey(self.workers, self.limits, tuple(sorted(environment(os.environ, "").items())))
        with _lock:
            pool = _pools.pop(key, None) or ProcessSandbox(self.workers, self.limits)
            _pools[key] = pool
            outdated = [_pools.pop(oldest) for oldest in list(_pools)[:-MOST_POOLS]]
        for other in outdated:
            await other.close()
        return pool


def close_pools() -> None:
    """End the workers, when no test follows."""
    while _pools:
        _, pool = _pools.popitem()
        asyncio.run(pool.close())
