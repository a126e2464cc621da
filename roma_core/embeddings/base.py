"""The seam to embedding models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from roma_core.telemetry.health import Status
    from roma_core.types import Vector, Vectors


class Embedder(Protocol):
    """Text to unit vectors. Deterministic: the same text gives the same bytes whatever it is batched with."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hash of what decides a vector (weights, pooling, prefix); the store refuses a table made with another."""
        ...

    @property
    def dim(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, in the order given. Raises ``EmbeddingError``."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """Vector of a question (models with a query instruction add it here)."""
        ...

    async def health(self) -> Status:
        """Whether it could embed now, as far as can be told free of charge. May raise ``EmbeddingError``."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length in the model's tokens, without the special ones."""
        ...
