"""Fake of the file of evaluated answers."""

from __future__ import annotations


class MemoryCheckpoint:
    """``Checkpoint`` in memory; ``values`` holds what was put."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str) -> None:
        self.values[key] = value
