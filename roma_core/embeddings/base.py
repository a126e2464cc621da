"""The seam to embedding models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from roma_core.settings import Settings, SettingsSection
from roma_core.types import DEFAULT_TENANT, Usage

if TYPE_CHECKING:
    from roma_core.types import ComponentHealth, Vector, Vectors

paying_tenant: ContextVar[str] = ContextVar("roma_paying_tenant", default=DEFAULT_TENANT)
"""Tenant whose budget pays for the embedding that is going on."""


@contextmanager
def charge_to(tenant: str) -> Iterator[None]:
    """Charge embeddings inside the block to ``tenant``.

    >>> with charge_to("acme"):
    ...     paying_tenant.get()
    'acme'
    """
    token = paying_tenant.set(tenant)
    try:
        yield
    finally:
        paying_tenant.reset(token)


@dataclass(frozen=True)
class EmbeddingResult:
    """Unit vectors, one a row in the order of the texts, and what they cost (nothing for a model of this machine)."""

    vectors: Vectors
    usage: Usage = field(default_factory=Usage)

    @property
    def vector(self) -> Vector:
        """The only row: that of a question."""
        row: Vector
        [row] = self.vectors
        return row


class Embedder(Protocol):
    """Text to unit vectors. Deterministic: a text gives the same bytes in every batch."""

    @property
    def name(self) -> str:
        """Return the name of the model, for people and messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return the hash of everything that decides a vector (weights, pooling, prefix).

        The store refuses a table made with another one.
        """
        ...

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        ...

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return the vectors of passages, in the order given. Raises ``EmbeddingError``."""
        ...

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question (models with a query instruction add it here)."""
        ...

    async def health(self) -> ComponentHealth:
        """Return whether it can embed now, as far as can be checked free of charge. May raise ``EmbeddingError``."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the length of ``text`` in the model's tokens, without the special ones."""
        ...


class EmbedderOver:
    """Base of an ``Embedder`` over another one, whose vectors and identity it has."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        return self._embedder.dim

    async def health(self) -> ComponentHealth:
        return await self._embedder.health()

    def count_tokens(self, text: str) -> int:
        return self._embedder.count_tokens(text)


@dataclass(frozen=True)
class EmbedderSpec:
    """The declaration of an embedder: one entry point of the group ``roma.embedders``, named like ``name``.

    ``ROMA_EMBEDDER=name:model`` has ``make`` called with the settings and ``model`` (empty when none is named)::

        SPEC = EmbedderSpec("acme", make=lambda settings, model: AcmeEmbedder(settings.section(AcmeSettings), model))
    """

    name: str
    make: Callable[[Settings, str], Embedder]
    settings: type[SettingsSection] | None = None
    priced_as: str | None = None
    """Provider under which prices are listed, for a model that costs money: its calls stay within budgets."""
