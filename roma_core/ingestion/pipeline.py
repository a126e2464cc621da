"""Stages that run at the same time with bounded queues between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_END: Final = object()


@dataclass(frozen=True)
class Stage:
    """``work`` takes up to ``batch`` items (what is ready, never waiting for more) and gives those that go on.

    ``width`` calls run side by side; at most ``room`` items wait in front of the stage.
    """

    work: Callable[[list[Any]], Awaitable[Sequence[Any]]]
    width: int = 1
    room: int = 8
    batch: int = 1


async def flow(source: AsyncIterator[Any], *stages: Stage) -> None:
    """Drive ``source`` through ``stages``; returns when everything is through. The first error stops it all."""
    queues: list[asyncio.Queue[Any]] = [asyncio.Queue(stage.room) for stage in stages]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(source, queues[0]))
            for i, stage in enumerate(stages):
                group.create_task(_run(stage, queues[i], queues[i + 1] if i + 1 < len(stages) else None))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _feed(source: AsyncIterator[Any], target: asyncio.Queue[Any]) -> None:
    async for item in source:
        await target.put(item)
    await target.put(_END)


async def _run(stage: Stage, source: asyncio.Queue[Any], target: asyncio.Queue[Any] | None) -> None:
    """All workers of a stage, then the end mark for the next one."""

    async def worker() -> None:
        while (items := await _take(source, stage.batch)) is not None:
            for item in await stage.work(items):
                if target is not None:
                    await target.put(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(stage.width):
            group.create_task(worker())
    if target is not None:
        await target.put(_END)


async def _take(source: asyncio.Queue[Any], most: int) -> list[Any] | None:
    """At least one item and what else is there up to ``most``; None at the end, which is left for the other workers."""
    items = [await source.get()]
    while items[-1] is not _END and len(items) < most and not source.empty():
        items.append(source.get_nowait())
    if items[-1] is _END:
        source.put_nowait(_END)
        items.pop()
    return items or None
