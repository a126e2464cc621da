"""Reranking: how well does a passage answer a question, by a model that reads both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores pairs. Higher is better; the scale belongs to the model (``calibration`` says what to make of it)."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One raw score (logit) a text, in the order given. Raises ``EmbeddingError``."""
        ...
