"""Searches, explained: what each leg found, what fusion and reranker made of it, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from roma_core import display
from roma_core.types.base import Noun, frame
from roma_core.types.document import ScoredChunk

if TYPE_CHECKING:
    import pandas as pd

SEARCH_COLUMNS = ("rank", "title", "place", "score", "bm25_rank", "dense_rank", "fused_rank", "uri", "text")


class SearchLeg(Noun):
    """One part of a search. ``failure`` is its code when it was unavailable and the others stood in for it."""

    name: str
    found: int
    ms: float
    failure: str = ""


class SearchHit(Noun):
    """A passage with its rank in each leg; None where a leg has not found or not read it."""

    rank: int
    passage: ScoredChunk
    bm25_rank: int | None = None
    dense_rank: int | None = None
    fused_rank: int | None = None
    was_reranked: bool = False

    @property
    def title(self) -> str:
        """Title of the document."""
        return self.passage.chunk.title

    @property
    def place(self) -> str:
        """Place of the passage for a person."""
        return self.passage.chunk.place

    @property
    def uri(self) -> str:
        """Address of the document."""
        return self.passage.chunk.uri

    @property
    def text(self) -> str:
        """Words of the passage."""
        return self.passage.chunk.text

    @property
    def score(self) -> float:
        """The score that it is ranked by."""
        return self.passage.score


class SearchReport(Noun):
    """A search with everything that decided its order.

    ``numbers`` are those of the ``RetrievalConfig``: limits and weights.
    """

    question: str
    searched: str
    """The words that were searched, without filters."""
    filters: dict[str, Any] = Field(default_factory=dict)
    numbers: dict[str, float] = Field(default_factory=dict)
    legs: tuple[SearchLeg, ...] = ()
    hits: tuple[SearchHit, ...] = ()
    ms: float = 0.0

    @property
    def passages(self) -> tuple[ScoredChunk, ...]:
        """The passages, best first."""
        return tuple(hit.passage for hit in self.hits)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a passage, with its ranks."""
        table = frame((), SEARCH_COLUMNS)
        for hit in self.hits:
            table.loc[len(table)] = [getattr(hit, name) for name in SEARCH_COLUMNS]
        return table

    def _repr_html_(self) -> str:
        legs = [(leg.name, leg.found, f"{leg.ms:.1f}", leg.failure) for leg in self.legs]
        hits = [
            (h.rank, h.title, h.place, f"{h.score:.4f}", h.bm25_rank, h.dense_rank, h.fused_rank, h.text[:200])
            for h in self.hits
        ]
        return display.box(
            display.heading(f"{self.searched}: {len(self.hits)} passages in {self.ms:.0f} ms"),
            display.table(("Leg", "Found", "ms", "Failure"), legs),
            display.table(("Rank", "Source", "Where", "Score", "BM25", "Vectors", "Fused", "Words"), hits),
        )
