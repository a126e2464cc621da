"""Stages that run at the same time with bounded queues between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_END: Final = object()


@dataclass(frozen=True)
class FlowStage:
    """``work`` takes items until their ``weight`` comes to ``batch``, and gives those that go on.

    ``width`` calls run side by side; at most ``room`` items wait in front of the stage. A batch that is not full waits
    ``linger_s`` for more items, counted from its first one.
    """

    work: Callable[[list[Any]], Awaitable[Sequence[Any]]]
    width: int = 1
    room: int = 8
    batch: int = 1
    weight: Callable[[Any], int] = lambda _: 1
    linger_s: float = 0.0


async def flow(source: AsyncIterator[Any], *stages: FlowStage) -> None:
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


async def _run(stage: FlowStage, source: asyncio.Queue[Any], target: asyncio.Queue[Any] | None) -> None:
    """All workers of a stage, then the end mark for the next one."""

    async def worker() -> None:
        while (items := await _take(source, stage)) is not None:
            for item in await stage.work(items):
                if target is not None:
                    await target.put(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(stage.width):
            group.create_task(worker())
    if target is not None:
        await target.put(_END)


async def _take(source: asyncio.Queue[Any], stage: FlowStage) -> list[Any] | None:
    """A batch of at least one item; None at the end, which is left for the other workers."""
    item = await source.get()
    deadline = asyncio.get_running_loop().time() + stage.linger_s
    items: list[Any] = []
    room = stage.batch
    while item is not _END:
        items.append(item)
        room -= stage.weight(item)
        if room <= 0:
            return items
        try:
            async with asyncio.timeout_at(deadline):
                item = await source.get()
        except TimeoutError:
            return items
    source.put_nowait(_END)
    return items or None
