"""Reranking: how well does a passage answer a question, by a model that reads both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from roma_core.ranking import minmax, ranked
from roma_core.types import ScoredChunk, digest

RERANK_WEIGHT = 0.5
"""Mixing gains a point of nDCG@10 over the hybrid and loses nowhere; replacing its order by the model's loses one."""


class Reranker(Protocol):
    """Scores pairs. Higher is better; the scale belongs to the model: thresholds are stored with its fingerprint."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One raw score (logit) a text, in the order given. Raises ``EmbeddingError``."""
        ...


def mix(
    candidates: Sequence[ScoredChunk], scores: Sequence[float], *, weight: float = RERANK_WEIGHT
) -> list[ScoredChunk]:
    """Reorder the first ``len(scores)`` candidates by ``weight`` x min-max(score) + the rest x min-max(own score).

    The candidates that the model did not see follow below in their own order. Their score goes on along the same
    scale (0 from the model, so at most 0 in all), hence ``score`` falls along the whole list. ``scores`` gains
    ``rerank`` (raw) and ``mixed``.
    """
    if not scores:
        return list(candidates)
    seen, unseen = candidates[: len(scores)], candidates[len(scores) :]
    own = minmax([c.score for c in seen])
    model = minmax(scores)
    mixed = [
        (c.chunk, m, {**c.scores, "rerank": raw, "mixed": m})
        for c, raw, m in zip(
            seen, scores, (weight * b + (1 - weight) * a for a, b in zip(own, model, strict=True)), strict=True
        )
    ]
    top = ranked(mixed, "rerank")
    low = min(c.score for c in seen)
    spread = (max(c.score for c in seen) - low) or 1.0
    below = [
        c.model_copy(
            update={"score": (1 - weight) * min(0.0, (c.score - low) / spread), "rank": rank, "retriever": "rerank"}
        )
        for rank, c in enumerate(unseen, start=len(top) + 1)
    ]
    return [*top, *below]


class FakeReranker:
    """``Reranker`` without a model: the share of the question's words that the text has, as a logit-like -5..5."""

    @property
    def name(self) -> str:
        return "fake"

    @property
    def fingerprint(self) -> str:
        return digest("fake-reranker", "1")

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        wanted = set(re.findall(r"\w+", question.lower()))
        return [_share(wanted, set(re.findall(r"\w+", text.lower()))) * 10.0 - 5.0 for text in texts]


def _share(wanted: set[str], present: set[str]) -> float:
    return len(wanted & present) / len(wanted) if wanted else 0.0
