"""``FakeModelServer`` in a process of its own, so that its work is not counted as the client's."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from roma_core.llm.providers.server import Asked, FakeModelServer, Script


@contextmanager
def serving(rule: Script | Callable[[Asked], Script]) -> Iterator[str]:
    """Root address of a server that plays ``rule`` (a module-level function, or one script for every request)."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(rule, theirs), daemon=True)
    process.start()
    theirs.close()  # so that a server that dies is an EOFError, not a wait for ever
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(rule: Script | Callable[[Asked], Script], pipe: Connection) -> None:
    async def run() -> None:
        always = rule
        server = FakeModelServer((lambda asked: always) if isinstance(always, Script) else always)
        async with server.running():
            pipe.send(server.url)
            await asyncio.Event().wait()

    asyncio.run(run())
