"""Progress of an ingest, as callers see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roma_core.types import ItemState


@dataclass(frozen=True)
class IngestProgress:
    """Progress of an ingest. ``listed`` still grows while ``listing``; ``per_s`` is the rate of ended items."""

    listed: int
    listing: bool
    counts: dict[ItemState, int]
    per_s: float
    uri: str = ""

    @property
    def done(self) -> int:
        """Number of ended items, without those that were not listed."""
        return sum(n for state, n in self.counts.items() if state not in {"missing", "deleted"})


OnProgress = Callable[[IngestProgress], None]
"""Called after each ended item, from the event loop. One that raises is logged and called no more."""
