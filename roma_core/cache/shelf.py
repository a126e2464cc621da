"""Places that keep the entries of a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from roma_core.errors import StoreError


@dataclass(frozen=True)
class CacheStats:
    """Size of the entries of one kind."""

    kind: str
    entries: int
    bytes: int


class CacheShelf(Protocol):
    """A place that keeps entries. Every method but ``close`` and ``recover`` raises ``StoreError``."""

    @property
    def place(self) -> str:
        """Return its name in logs."""
        ...

    def load(self, kind: str, key: str, *, notes_use: bool) -> bytes | None:
        """Return an entry; ``notes_use`` keeps it from being dropped as one that nobody uses."""
        ...

    def store(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store entries by key; they replace older ones."""
        ...

    def clear(self, kind: str | None) -> int:
        """Drop the entries of a kind, or all; return how many."""
        ...

    def remove_before(self, moment: datetime, *, counts_only: bool) -> int:
        """Drop, or only count, the entries that were made before ``moment``; return how many."""
        ...

    def delete(self, kind: str, keys: Sequence[str]) -> int:
        """Drop entries; return how many there were."""
        ...

    def stats(self) -> list[CacheStats]:
        """Return the size of each kind, by name."""
        ...

    def recover(self, error: StoreError) -> None:
        """Do after a failure what lets the next use work."""
        ...

    def close(self) -> None:
        """Close it; the next use opens it again."""
        ...
