"""Scores to ranks: the arithmetic that every ranked list of ROMA shares. Pure.

Min-max normalisation before a convex combination is the fusion that measured best over twelve collections
(``docs/benchmarks``); Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roma_core.types import Chunk, ScoredChunk


def minmax(scores: Sequence[float]) -> list[float]:
    """Scores moved and scaled to 0..1. A list without spread becomes all ones: each is as good as the best."""
    if not scores:
        return []
    low, high = min(scores), max(scores)
    if high == low:
        return [1.0] * len(scores)
    return [(score - low) / (high - low) for score in scores]


def rank_chunks(
    found: Iterable[tuple[Chunk, float, dict[str, float]]], retriever: str, *, limit: int | None = None
) -> list[ScoredChunk]:
    """Chunks best first, ties by chunk id, ranks from 1. Each comes with its score and the scores it came from."""
    order = sorted(found, key=lambda item: (-item[1], item[0].id))[:limit]
    return [
        ScoredChunk(chunk=chunk, score=score, rank=rank, retriever=retriever, scores=parts)
        for rank, (chunk, score, parts) in enumerate(order, start=1)
    ]
