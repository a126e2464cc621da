"""Reads that are asked for at the same time, made as one: an answer asks for its five documents side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from roma_core.perloop import PerLoop

G = TypeVar("G", bound=Hashable)
V = TypeVar("V")


@dataclass
class _Batch(Generic[V]):
    """The keys that are read next, and the task that reads them."""

    reading: asyncio.Future[Mapping[str, V]]
    keys: set[str]


class ReadTogether(Generic[G, V]):
    """Values by a group and a key; ``read`` is called once for all keys of a group that are asked for in one turn.

    Every event loop has turns of its own. What ``read`` raises, all callers of the turn get::

        documents = ReadTogether(read_documents)
        first, second = await asyncio.gather(documents.get("tenant", "a"), documents.get("tenant", "b"))
    """

    def __init__(self, read: Callable[[G, frozenset[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._read = read
        self._batches: PerLoop[dict[G, _Batch[V]]] = PerLoop(dict)

    async def get(self, group: G, key: str) -> V | None:
        """Return the value of a key; None where ``read`` has found none. A cancelled caller stops no other one."""
        batches = self._batches.get()
        batch = batches.get(group)
        if batch is None:
            keys: set[str] = set()
            batch = batches[group] = _Batch(asyncio.ensure_future(self._read_batch(group, keys)), keys)
        batch.keys.add(key)
        return (await asyncio.shield(batch.reading)).get(key)

    async def _read_batch(self, group: G, keys: set[str]) -> Mapping[str, V]:
        del self._batches.get()[group]  # who asks from now on waits for the next one
        return await self._read(group, frozenset(keys))
