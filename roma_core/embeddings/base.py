"""The seam to embedding models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from roma_core.settings import Section, Settings

if TYPE_CHECKING:
    from roma_core.types import ComponentHealth, Vector, Vectors


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

    async def health(self) -> ComponentHealth:
        """Whether it could embed now, as far as can be told free of charge. May raise ``EmbeddingError``."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length in the model's tokens, without the special ones."""
        ...


@dataclass(frozen=True)
class EmbedderSpec:
    """The declaration of an embedder: one entry point of the group ``roma.embedders``, named like ``name``.

    ``ROMA_EMBEDDER=name:model`` has ``make`` called with the settings and ``model`` (empty when none is named)::

        SPEC = EmbedderSpec("acme", make=lambda settings, model: AcmeEmbedder(settings.section(AcmeSettings), model))
    """

    name: str
    make: Callable[[Settings, str], Embedder]
    settings: type[Section] | None = None
