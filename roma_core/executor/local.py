"""Processes of this machine, one shard at a time each."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from roma_core.errors import AgentFailure, ErrorCode, WorkerError
from roma_core.executor.background import BackgroundExecutor
from roma_core.executor.base import AGENT, ATTEMPTS, ExecutorStatus, Shard, ShardResult
from roma_core.executor.worker import LENGTH_BYTES, describe_code, pack_frame, read_reply
from roma_core.telemetry import logs

START_TIMEOUT_S: Final = 120.0
PROGRAM: Final = "from roma_core.executor.worker import main; main()"
_log = logs.get(AGENT)


class LocalPool(BackgroundExecutor):
    """``Executor`` of ``workers`` processes, started at the first shard."""

    is_private = True

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.address = f"local:{workers}"
        self._workers = workers
        self._processes: list[WorkerProcess] = []
        self._waiting: asyncio.Queue[Shard | None] = asyncio.Queue(maxsize=workers)
        self._counts = {"waiting": 0, "running": 0, "done": 0, "failed": 0, "lost": 0}

    async def _release(self) -> None:
        """Kill the workers."""
        for process in self._processes:
            await process.kill()

    async def status(self) -> ExecutorStatus:
        """Return how far the work is, see ``Executor``."""
        return ExecutorStatus(self.address, self._workers, **self._counts)

    async def close(self) -> None:
        """End the workers."""
        await self.cancel()
        self._processes.clear()

    async def _run(self, target: str, shards: AsyncIterator[Shard]) -> None:
        self._waiting = asyncio.Queue(maxsize=self._workers)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(shards))
            while len(self._processes) < self._workers:
                self._processes.append(WorkerProcess())
            for process in self._processes:
                group.create_task(self._serve(process, target))

    async def _feed(self, shards: AsyncIterator[Shard]) -> None:
        async for shard in shards:
            self._counts["waiting"] += 1
            await self._waiting.put(shard)
        await self._waiting.put(None)

    async def _serve(self, process: WorkerProcess, target: str) -> None:
        while (shard := await self._waiting.get()) is not None:
            self._counts["waiting"] -= 1
            self._counts["running"] += 1
            try:
                result = await self._run_shard(process, target, shard)
            finally:
                self._counts["running"] -= 1
            self._counts["done" if result.failure is None else "failed"] += 1
            self._results.put_nowait(result)
        await self._waiting.put(None)  # for the next worker

    async def _run_shard(self, process: WorkerProcess, target: str, shard: Shard) -> ShardResult:
        for _ in range(ATTEMPTS):
            reply = await process.call(target, shard.payload)
            if reply is not None:
                result = read_reply(reply)
                if isinstance(result, AgentFailure):
                    return ShardResult(shard.key, failure=result, worker=process.name)
                return ShardResult(shard.key, result, worker=process.name)
            self._counts["lost"] += 1
            _log.warning("worker_lost", worker=process.name, shard=shard.key)
        return ShardResult(shard.key, failure=explain_loss(), worker=process.name)


def explain_loss() -> AgentFailure:
    """Return the failure of a shard whose workers were lost."""
    message = f"The worker that handled it ended {ATTEMPTS} times; look at the item, or give the workers more memory."
    return AgentFailure(agent=AGENT, code=ErrorCode.WORKER_LOST, message=message, recoverable=True)


class WorkerProcess:
    """One process, started when it is needed."""

    def __init__(self) -> None:
        self.name = ""
        self._process: Process | None = None

    async def call(self, target: str, payload: bytes) -> bytes | None:
        """Return the reply to a task; None when the process has ended. Raises ``WorkerError`` if it does not start."""
        process = await self._start()
        frame = pack_frame(describe_code().encode(), target.encode(), payload)
        try:
            _stdin(process).write(frame)
            await _stdin(process).drain()
            [reply] = await _read_frame(process)
        except (OSError, asyncio.IncompleteReadError):
            await self.kill()
            return None
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self.kill()))
            raise
        return reply

    async def kill(self) -> None:
        """End the process and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        _stdin(process).close()
        await process.wait()

    async def _start(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self.kill()
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", PROGRAM),
            stdin=PIPE,
            stdout=PIPE,
            env=worker_environment(os.environ),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                _, name = await _read_frame(process)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            await self.kill()
            raise WorkerError("A worker process did not start; look at the messages above this one.") from error
        self.name = name.decode()
        return process


def worker_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: that of its parent, and where this ROMA is."""
    root = str(Path(__file__).resolve().parents[2])
    return {**parent, "PYTHONPATH": os.pathsep.join([root, *filter(None, [parent.get("PYTHONPATH")])])}


async def _read_frame(process: Process) -> list[bytes]:
    assert process.stdout is not None  # noqa: S101
    source = process.stdout

    async def read_length() -> int:
        return int.from_bytes(await source.readexactly(LENGTH_BYTES), "big")

    return [await source.readexactly(await read_length()) for _ in range(await read_length())]


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101
    return process.stdin
