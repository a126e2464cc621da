"""Dask's workers: a cluster of one's own on this machine or on Slurm, or one that runs already."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from roma_core.environment import count_cores
from roma_core.errors import AgentFailure, ConfigError, ErrorCode, WorkerError
from roma_core.executor.background import BackgroundExecutor
from roma_core.executor.base import AGENT, ATTEMPTS, ExecutorAddress, ExecutorStatus, Shard, ShardResult
from roma_core.executor.local import explain_loss
from roma_core.executor.worker import describe_code, read_reply, run_task
from roma_core.telemetry import logs

CONNECT_TIMEOUT_S: Final = 30
STARTS: Final = 3
"""Starts of a cluster of one's own: one whose worker is lost while it starts fails as a whole."""
SHARDS_PER_WORKER: Final = 2
"""Shards that are handed out for each worker: one runs and the next one waits beside it."""
LEAST_HANDED_OUT: Final = 4
OWN_CLUSTER: Final[dict[str, object]] = {
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "5s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}
"""Configuration of a cluster of one's own. By default each worker samples its stack every 10 ms and its memory every
100 for Dask's dashboard, which is not started: it halves what idle workers and the scheduler use of the processor."""
_log = logs.get(AGENT)


class DaskExecutor(BackgroundExecutor):
    """``Executor`` over a client of Dask's that belongs to this event loop."""

    def __init__(self, client: Any, address: str, *, is_private: bool) -> None:
        super().__init__()
        self.address = address
        self.is_private = is_private
        self._client = client
        self._name = uuid.uuid4().hex[:12]
        self._futures: dict[str, Any] = {}
        self._counts = {"done": 0, "failed": 0}
        self._freed = asyncio.Event()
        self._rounds = 0
        self._suspects = 0
        """Shards that may have ended workers, or only stood in line there when others did."""
        self._trial = asyncio.Lock()

    async def _release(self) -> None:
        """Have Dask forget what it still holds."""
        futures = list(self._futures.values())
        self._futures.clear()
        if futures and self._client.status == "running":
            await self._client.cancel(futures, force=True)

    async def status(self) -> ExecutorStatus:
        """Return how far the work is, see ``Executor``."""
        workers = len(self._client.scheduler_info(n_workers=-1).get("workers", {}))
        running = min(workers, len(self._futures))
        return ExecutorStatus(self.address, workers, len(self._futures) - running, running, **self._counts)

    async def _run(self, target: str, shards: AsyncIterator[Shard]) -> None:
        self._rounds += 1
        async with asyncio.TaskGroup() as group:
            async for shard in shards:
                await self._wait_for_room()
                group.create_task(self._await(target, shard, *self._submit(target, shard)))

    def _submit(self, target: str, shard: Shard) -> tuple[str, Any]:
        """Hand a shard out; return the key of its task, and the future of its reply."""
        key = f"roma-{self._name}-{self._rounds}-{shard.key}-{uuid.uuid4().hex[:8]}"
        future = self._client.submit(run_task, describe_code(), target, shard.payload, key=key, pure=False, retries=0)
        self._futures[key] = future
        return key, future

    def _forget(self, key: str) -> None:
        self._futures.pop(key, None)
        self._freed.set()

    async def _wait_for_room(self) -> None:
        """Wait until fewer shards are handed out than the workers have use for, and none is on trial."""
        while True:
            workers = len(self._client.scheduler_info(n_workers=-1).get("workers", {}))
            if not self._suspects and len(self._futures) < max(LEAST_HANDED_OUT, SHARDS_PER_WORKER * workers):
                return
            self._freed.clear()
            await self._freed.wait()

    async def _await(self, target: str, shard: Shard, key: str, future: Any) -> None:
        result = await self._read(future, shard)
        self._forget(key)
        if result.failure is not None and result.failure.code is ErrorCode.WORKER_LOST:
            result = await self._run_alone(target, shard)
        self._counts["done" if result.failure is None else "failed"] += 1
        self._results.put_nowait(result)

    async def _run_alone(self, target: str, shard: Shard) -> ShardResult:
        """Run a shard again while no other is handed out: Dask blames all that stood in line at a lost worker."""
        self._suspects += 1
        try:
            async with self._trial:
                while self._futures:
                    self._freed.clear()
                    await self._freed.wait()
                key, future = self._submit(target, shard)
                result = await self._read(future, shard)
                self._forget(key)
                return result
        finally:
            self._suspects -= 1
            self._freed.set()

    async def _read(self, future: Any, shard: Shard) -> ShardResult:
        from distributed import CancelledError, KilledWorker

        try:
            reply = read_reply(await future)
        except KilledWorker:
            _log.warning("worker_lost", shard=shard.key)
            return ShardResult(shard.key, failure=explain_loss())
        except CancelledError as error:
            raise WorkerError("The cluster has dropped the work; see whether its scheduler runs.") from error
        except (ImportError, AttributeError) as error:
            raise _no_roma(error) from error
        if isinstance(reply, AgentFailure):
            return ShardResult(shard.key, failure=reply, worker=str(reply.details.get("worker", "")))
        return ShardResult(shard.key, reply)


def _no_roma(error: Exception) -> WorkerError:
    return WorkerError(
        f"The workers cannot import this ROMA ({type(error).__name__}): install the same version there.",
        ErrorCode.WORKER_MISMATCH,
    )


@asynccontextmanager
async def open_dask(text: str, address: ExecutorAddress) -> AsyncIterator[DaskExecutor]:
    """Open a cluster, or a connection to one. Raises ``WorkerError``."""
    import distributed  # the error for a missing one names the extra

    async with AsyncExitStack() as stack:
        place: Any
        security: Any = None
        if address.kind == "scheduler":
            place = address.place
            security = distributed.Security() if place.startswith("tls:") else None  # type: ignore[no-untyped-call]
        else:
            security = distributed.Security.temporary()  # type: ignore[no-untyped-call]
            place = await stack.enter_async_context(_open_cluster(address, security))
        client: Any = distributed.Client(  # type: ignore[no-untyped-call]
            place, asynchronous=True, security=security, set_as_default=False, timeout=CONNECT_TIMEOUT_S
        )
        try:
            await client
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            await client.close(timeout=1)
            raise WorkerError(f"No scheduler of Dask's answers at {text}; start it, or correct the address.") from error
        stack.push_async_callback(client.close, timeout=5)
        executor = DaskExecutor(client, text, is_private=security is not None)
        stack.push_async_callback(executor.cancel)
        yield executor


@asynccontextmanager
async def _open_cluster(address: ExecutorAddress, security: Any) -> AsyncIterator[Any]:
    """Start a cluster of one's own; its workers run one shard at a time and talk by TLS alone."""
    import dask

    with dask.config.set(OWN_CLUSTER):
        cluster = await _start_cluster(address, security)
        try:
            yield cluster
        finally:
            await cluster.close(timeout=10)


async def _start_cluster(address: ExecutorAddress, security: Any) -> Any:
    for attempt in range(1, STARTS + 1):
        cluster = _make_cluster(address, security)
        try:
            return await cluster
        except (RuntimeError, OSError, TimeoutError) as error:
            await cluster.close(timeout=10)
            _log.warning("cluster_did_not_start", attempt=attempt, error=type(error).__name__)
    raise WorkerError("The workers did not start; look at the messages above this one, and run it again.")


def _make_cluster(address: ExecutorAddress, security: Any) -> Any:
    import distributed

    if address.kind == "slurm":
        return _make_slurm_cluster(address, security)
    return distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=address.workers or count_cores(),
        threads_per_worker=1,
        processes=True,
        asynchronous=True,
        dashboard_address=None,
        security=security,
        memory_limit=0,
        silence_logs="ERROR",
    )


def _make_slurm_cluster(address: ExecutorAddress, security: Any) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ConfigError("slurm:// needs the package dask-jobqueue: pip install dask-jobqueue.") from error
    options = address.options
    cluster = SLURMCluster(
        queue=address.place,
        account=options.get("account"),
        cores=int(options.get("cores", "1")),
        processes=1,
        memory=options.get("memory", "4GB"),
        walltime=options.get("walltime", "01:00:00"),
        n_workers=address.workers,
        asynchronous=True,
        security=security,
        shared_temp_directory=".",
        scheduler_options={"dashboard_address": None},
    )
    return cluster
