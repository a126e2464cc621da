"""The seam to models that put pictures and words into one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from roma_core.embeddings.base import Embedder
from roma_core.settings import Settings, SettingsSection

if TYPE_CHECKING:
    from roma_core.types import Vector

PictureWay = Literal["label", "pixels"]
"""Ways in which a model finds pictures: by names of the things in them, or by their pixels."""


@dataclass(frozen=True)
class PictureFeatures:
    """A picture as a model sees it: a unit vector, and what it recognises, each with its share (0..1), most first."""

    vector: Vector
    labels: tuple[tuple[str, float], ...] = ()


class ImageEmbedder(Protocol):
    """Pictures and words to unit vectors of one space. Deterministic: a picture gives the same bytes in every batch."""

    @property
    def name(self) -> str:
        """Return the name of the model, for people and messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return the hash of everything that decides a vector. Raises ``EmbeddingError`` without the model."""
        ...

    @property
    def way(self) -> PictureWay:
        """Return how pictures are found by it."""
        ...

    async def embed_pictures(self, pictures: Sequence[bytes]) -> list[PictureFeatures | None]:
        """Return the features of encoded pictures (PNG, JPEG ...); None for one that cannot be read.

        Raises ``EmbeddingError``.
        """
        ...

    async def embed_words(self, text: str) -> Vector:
        """Return the vector of what is looked for."""
        ...


@dataclass(frozen=True)
class ImageEmbedderSpec:
    """The declaration of an image embedder: one entry point of ``roma.image_embedders``, named like ``name``.

    ``ROMA_IMAGE_EMBEDDER=name:model`` has ``make`` called with the settings, ``model`` (empty when none is named) and
    the embedder of texts::

        SPEC = ImageEmbedderSpec("acme", make=lambda settings, model, embedder: AcmePictures(model))
    """

    name: str
    make: Callable[[Settings, str, Embedder], ImageEmbedder]
    settings: type[SettingsSection] | None = None
