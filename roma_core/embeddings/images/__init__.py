"""Pictures and words to vectors of one space: the seam, and the models that ROMA knows.

>>> from roma_core.embeddings.fake import FakeEmbedder
>>> make_image_embedder(Settings(image_embedder="clip:/models/siglip"), FakeEmbedder()).way
'pixels'
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from roma_core.embeddings.base import Embedder
from roma_core.embeddings.images.base import ImageEmbedder, ImageEmbedderSpec, PictureFeatures, PictureWay
from roma_core.errors import ConfigError
from roma_core.plugins import Specs, load_specs
from roma_core.settings import Settings

__all__ = [
    "CLIP",
    "LABELS",
    "OFF",
    "ImageEmbedder",
    "ImageEmbedderSpec",
    "PictureFeatures",
    "PictureWay",
    "image_embedder_specs",
    "make_image_embedder",
]

GROUP: Final = "roma.image_embedders"
OFF: Final = "none"
"""Value of ``ROMA_IMAGE_EMBEDDER`` with which pictures are found by the words beside them alone."""


def image_embedder_specs() -> Specs[ImageEmbedderSpec]:
    """Return every installed image embedder's spec by its name."""
    return load_specs(GROUP, ImageEmbedderSpec)


def make_image_embedder(settings: Settings, embedder: Embedder) -> ImageEmbedder | None:
    """Return the image embedder that ``ROMA_IMAGE_EMBEDDER`` names; None when it is off.

    A folder, or a name with a slash, is a pair of ONNX models. Cheap: models are loaded at their first use. Raises
    ``ConfigError`` for a name that no image embedder has.
    """
    chosen = settings.retrieval.image_embedder
    if chosen == OFF:
        return None
    name, _, model = chosen.partition(":")
    specs = image_embedder_specs()
    if name not in specs and ("/" in chosen or Path(chosen).is_dir()):
        name, model = CLIP.name, chosen
    try:
        spec = specs.require(name)
    except ConfigError as error:
        raise ConfigError(f"ROMA_IMAGE_EMBEDDER: {error.message}") from None
    return spec.make(settings, model, embedder)


def _make_labels(settings: Settings, model: str, embedder: Embedder) -> ImageEmbedder:
    from roma_core.embeddings.images.labels import LabelEmbedder

    return LabelEmbedder(embedder)


def _make_clip(settings: Settings, model: str, embedder: Embedder) -> ImageEmbedder:
    from roma_core.embeddings.images.clip import ClipEmbedder

    if not model:
        raise ConfigError("ROMA_IMAGE_EMBEDDER=clip needs a folder or a hub name: clip:/models/siglip.")
    return ClipEmbedder(model)


LABELS = ImageEmbedderSpec("labels", make=_make_labels)
CLIP = ImageEmbedderSpec("clip", make=_make_clip)
