"""A worker: imports the function that a task names, runs it on some bytes, and sends bytes back.

``main`` is the program of a worker of ``LocalPool``: frames come on stdin, and it ends when its parent is gone.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import queue
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, BinaryIO, Final, TypeVar

from roma_core import __version__
from roma_core.codehash import package_sha256
from roma_core.errors import AgentFailure, ErrorCode, WorkerError, guarded
from roma_core.executor.base import AGENT

T = TypeVar("T")

SUCCESS, FAILURE = b"+", b"-"
LENGTH_BYTES: Final = 8
Task = Callable[[bytes], Awaitable[bytes]]


@functools.cache
def describe_code() -> str:
    """Return the version of ROMA and the begin of the hash of its code: two workers with one of these do the same."""
    return f"{__version__}+{package_sha256()[:12]}"


def name_worker() -> str:
    """Return the name of this worker: its host and process.

    >>> name_worker().endswith(str(os.getpid()))
    True
    """
    return f"{socket.gethostname()}/{os.getpid()}"


def run_task(code: str, target: str, payload: bytes) -> bytes:
    """Run a task; return ``+`` and its result, or ``-`` and the ``AgentFailure``. It never raises."""
    result = _loop().run(guarded(AGENT, _run(code, target, payload)))
    if isinstance(result, AgentFailure):
        named = result.model_copy(update={"details": {**result.details, "worker": name_worker()}})
        return FAILURE + named.model_dump_json().encode()
    return SUCCESS + result


def read_reply(reply: bytes) -> bytes | AgentFailure:
    """Return what ``run_task`` has packed."""
    if reply[:1] == FAILURE:
        return AgentFailure.model_validate_json(reply[1:])
    return reply[1:]


async def _run(code: str, target: str, payload: bytes) -> bytes:
    if code != describe_code():
        raise WorkerError(
            f"The worker {name_worker()} runs ROMA {describe_code()}, and this is {code}: install the same version "
            "there.",
            ErrorCode.WORKER_MISMATCH,
        )
    return await find_task(target)(payload)


def find_task(target: str) -> Task:
    """Return the function that ``module:function`` names."""
    module, _, name = target.partition(":")
    task: Task = getattr(importlib.import_module(module), name)
    return task


class TaskLoop:
    """An event loop in a thread of its own, so that what one task has opened serves the next one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="roma-tasks", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``."""
        running: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return running.result()


@functools.cache
def _loop() -> TaskLoop:
    return TaskLoop()


# Frames


def pack_frame(*parts: bytes) -> bytes:
    """Return parts as they cross a pipe: the length of each before it, and the number of parts first."""
    sized = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)
    return len(parts).to_bytes(LENGTH_BYTES, "big") + sized


def read_frame(source: BinaryIO) -> list[bytes]:
    """Read the parts of a frame. Raises ``EOFError`` when the other side is gone."""
    return [_read(source, _read_length(source)) for _ in range(_read_length(source))]


def _read_length(source: BinaryIO) -> int:
    return int.from_bytes(_read(source, LENGTH_BYTES), "big")


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Run the tasks that come, one after the other, until the parent is gone."""
    tasks: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, tasks), name="roma-parent", daemon=True).start()
    sink.write(pack_frame(SUCCESS, name_worker().encode()))
    sink.flush()
    while True:
        code, target, payload = tasks.get()
        sink.write(pack_frame(run_task(code.decode(), target.decode(), payload)))
        sink.flush()


def _listen(source: BinaryIO, tasks: queue.SimpleQueue[list[bytes]]) -> None:
    """Hand tasks on; end the process when the parent is gone, in the middle of a task as well."""
    try:
        while True:
            tasks.put(read_frame(source))
    except (EOFError, OSError):
        os._exit(0)


def main() -> None:
    """Serve on the pipes of this process; what a library prints goes to the errors."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, sink)
