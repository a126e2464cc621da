"""A pool of worker processes: one hostile file costs one worker, never the run.

The parent only writes and reads frames. Whatever a worker does - hang, grow, crash, talk nonsense - it is killed,
replaced when next needed, and the file gets a typed failure.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from roma_core.environment import count_cores
from roma_core.errors import AgentFailure, ErrorCode, ParserError
from roma_core.parsers.sandbox.confine import EXIT_MEMORY
from roma_core.parsers.sandbox.pipes import Pipe
from roma_core.parsers.sandbox.worker import (
    AGENT,
    ParseJob,
    Result,
    decode_result,
    encode_job,
    outcome,
    read_frame,
    write_frame,
)
from roma_core.scratch import ScratchFolder
from roma_core.settings import ParsingSettings

_DEFAULTS = ParsingSettings()
START_TIMEOUT_S = 60.0
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TESSDATA_PREFIX", "VIRTUAL_ENV")
"""All that a worker sees of the parent's environment: no key, no token. (``COVERAGE_*`` passes for measuring tests.)"""


@dataclass(frozen=True)
class WorkerLimits:
    """Limits of one worker. ``file_mb`` bounds what it may write to its temporary folder."""

    timeout_s: float = _DEFAULTS.timeout_s
    memory_mb: int = _DEFAULTS.memory_mb
    file_mb: int = 1024
    files: int = 200
    """Files after which a worker is replaced, so that what libraries leak stays bounded."""


class Sandbox(Protocol):
    """A process in which parsers run."""

    async def run(self, job: ParseJob) -> Result: ...

    async def close(self) -> None: ...


class InlineSandbox:
    """Runs jobs in a thread of this process, one at a time: no limits. For tests, and for files of one's own making."""

    async def run(self, job: ParseJob) -> Result:
        return await asyncio.to_thread(_alone, job)

    async def close(self) -> None:
        return None


_inline = threading.Lock()
"""Held by the one inline job of the process: PDFium ends the process when two threads are inside of it."""


def _alone(job: ParseJob) -> Result:
    with _inline:
        return outcome(job)


class ProcessSandbox:
    """Runs jobs in worker processes, at most ``workers`` at once. Safe to use from any event loop or thread."""

    def __init__(self, workers: int = 0, limits: WorkerLimits | None = None) -> None:
        self.limits = limits or WorkerLimits()
        self.workers = workers or count_cores()
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="roma-parser")
        self._idle: deque[Worker] = deque()
        self._scratch = ScratchFolder("parser")
        self._closed = False

    async def run(self, job: ParseJob) -> Result:
        """Result of ``job``. Cancelling the call kills its worker."""
        lease = _CallBinding()
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._run, job, lease)
        try:
            return await call
        except asyncio.CancelledError:
            lease.cancel()
            raise

    async def close(self) -> None:
        self._closed = True  # workers at work are killed when their call ends
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().kill()
        self._scratch.remove()

    def _run(self, job: ParseJob, lease: _CallBinding) -> Result:
        try:
            worker = self._take()
        except ParserError as error:
            return AgentFailure.of(AGENT, error)
        lease.hold(worker)
        result = worker.call(job)
        if worker.usable and not self._closed:
            self._idle.append(worker)
        else:
            worker.kill()
        return result

    def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.kill()
        return Worker(self.limits, str(self._scratch.path))


class _CallBinding:
    """Ties a call to the worker that serves it, so that cancelling the one kills the other."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def hold(self, worker: Worker) -> None:
        with self._lock:
            self._worker = worker
            if self._cancelled:
                worker.stop()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.stop()


class Worker:
    """One worker process, seen from the parent."""

    def __init__(self, limits: WorkerLimits, folder: str) -> None:
        self.limits = limits
        self.files = 0
        self._retired = False
        arguments = {"timeout_s": limits.timeout_s, "memory_mb": limits.memory_mb, "file_mb": limits.file_mb}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "roma_core.parsers.sandbox.worker", json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(os.environ, folder),
            start_new_session=True,
        )
        self._pipe = Pipe(_open(self._process.stdout), _open(self._process.stdin))
        self._await_ready()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def usable(self) -> bool:
        return self.alive and not self._retired and self.files < self.limits.files

    def call(self, job: ParseJob) -> Result:
        """Send the job and wait for its result, at most ``timeout_s``; then the worker is killed."""
        self.files += 1
        self._pipe.allow(self.limits.timeout_s)
        try:
            return self._exchange(job)
        except TimeoutError:
            self.stop()
            return self._autopsy(expired=True)
        except (OSError, EOFError, ValueError):
            return self._autopsy()

    def stop(self) -> None:
        """End the process and all that it started. From any thread: the one that waits for it sees its pipe close."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()

    def kill(self) -> None:
        """Stop, reap and close; only for the thread that owns the worker."""
        self.stop()
        self._process.wait()
        self._pipe.close()

    def _exchange(self, job: ParseJob) -> Result:
        write_frame(self._pipe, *encode_job(job))
        header, payload = read_frame(self._pipe)
        self._retired = bool(header.get("retire"))
        return decode_result(header["kind"], payload)

    def _await_ready(self) -> None:
        self._pipe.allow(START_TIMEOUT_S)
        try:
            read_frame(self._pipe)
        except (OSError, EOFError, ValueError):
            self.kill()
            raise ParserError(
                "A parser process did not start; raise ROMA_PARSER_MEMORY_MB or look for a broken installation.",
                ErrorCode.PARSER_MEMORY,
            ) from None

    def _autopsy(self, *, expired: bool = False) -> AgentFailure:
        """Why a worker is gone, as a failure that says what to do."""
        try:
            status: int | None = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            status = None  # alive, but it no longer speaks the protocol
        self.kill()
        if expired or status == -signal.SIGXCPU:
            error = ParserError(
                f"Parsing took longer than {self.limits.timeout_s:g} s; raise ROMA_PARSER_TIMEOUT_S or split the file.",
                ErrorCode.PARSER_TIMEOUT,
            )
        elif status in {EXIT_MEMORY, -signal.SIGKILL}:
            error = ParserError(
                f"Parsing needed more than {self.limits.memory_mb} MB; raise ROMA_PARSER_MEMORY_MB or split the file.",
                ErrorCode.PARSER_MEMORY,
            )
        else:
            error = ParserError(
                "The file ended the process that read it; it is damaged or hostile. Save it again, or leave it out.",
                details={"exit_status": status},
            )
        return AgentFailure.of(AGENT, error)


def environment(parent: Mapping[str, str], folder: str) -> dict[str, str]:
    """Environment of a worker: what it needs, and nothing that is secret."""
    kept = {k: v for k, v in parent.items() if k in KEPT_ENVIRONMENT or k.startswith("COVERAGE_")}
    package_root = str(Path(__file__).resolve().parents[3])
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([package_root, *filter(None, [parent.get("PYTHONPATH")])]),
        "TMPDIR": folder,
        "MALLOC_ARENA_MAX": "2",  # arenas of idle threads would eat the address space
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),  # memory given back after a file is faulted in again at the next one
        "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
        "OMP_THREAD_LIMIT": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the worker was started without pipes")
    return pipe
