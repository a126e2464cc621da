"""Pictures and words by a pair of ONNX models as CLIP and SigLIP are published: one reads pixels, one reads words.

The folder, or the repository of the hub, holds ``vision_model.onnx`` and ``text_model.onnx`` (also below ``onnx/``),
``tokenizer.json`` and ``preprocessor_config.json``.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from roma_core.embeddings.images.base import PictureFeatures, PictureWay
from roma_core.embeddings.images.decode import Preprocessing, read_pixels
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import LazyObjects, find_or_fetch_folder, make_session, width
from roma_core.types import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roma_core.types import Vector

VISION, TEXT = "vision_model.onnx", "text_model.onnx"
TOKENIZER, PREPROCESSOR = "tokenizer.json", "preprocessor_config.json"
OUTPUTS: Final = ("image_embeds", "text_embeds", "pooler_output")
"""Outputs that hold one vector a picture or text, the better ones first."""
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)
"""OpenAI's, for a configuration that names none."""
CLIP_TOKENS, SIGLIP_TOKENS = 77, 64
"""Tokens that a model without a limit of its own reads; SigLIP was trained on texts filled up to that."""


class ClipEmbedder:
    """``ImageEmbedder`` by the models in a folder, or in a repository of the hub. Loaded at first use.

    Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when they are missing or are no such pair.
    """

    way: PictureWay = "pixels"

    def __init__(self, model: str) -> None:
        self._model = model
        self._pool = ThreadPoolExecutor(width(0), thread_name_prefix="pictures")

    @property
    def name(self) -> str:
        """Return the folder's name, or the repository."""
        return Path(self._model).name if Path(self._model).is_dir() else self._model

    @property
    def fingerprint(self) -> str:
        """Return the hash of all files."""
        return digest("clip-embedder", "1", _hash_folder(find_folder(self._model)))

    async def embed_pictures(self, pictures: Sequence[bytes]) -> list[PictureFeatures | None]:
        """Return the features of pictures, see ``ImageEmbedder``."""
        loop = asyncio.get_running_loop()
        vectors = await asyncio.gather(*(loop.run_in_executor(self._pool, self._see, data) for data in pictures))
        return [PictureFeatures(vector) if vector is not None else None for vector in vectors]

    async def embed_words(self, text: str) -> Vector:
        """Return the vector of what is looked for."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, text)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _see(self, data: bytes) -> Vector | None:
        pair = _pairs(self._model)
        pixels = read_pixels(data, pair.preprocessing)
        return pair.see(pixels) if pixels is not None else None

    def _read(self, text: str) -> Vector:
        return _pairs(self._model).read(text)


class ModelPair:
    """The two models of a folder, one thread each call. Raises ``EmbeddingError``."""

    def __init__(self, folder: Path) -> None:
        self._vision = _load_session(folder, VISION)
        self._text = _load_session(folder, TEXT)
        self.preprocessing = read_preprocessing(folder / PREPROCESSOR)
        self._inputs = [node.name for node in self._text.get_inputs()]
        self._tokenizer = _load_tokenizer(folder, fills=len(self._inputs) == 1)

    def see(self, pixels: NDArray[np.float32]) -> Vector:
        """Return the vector of a picture."""
        [name] = [node.name for node in self._vision.get_inputs()][:1]
        return _run(self._vision, {name: pixels})

    def read(self, text: str) -> Vector:
        """Return the vector of a text."""
        import numpy as np

        encoded = self._tokenizer.encode(text)
        known = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask}
        return _run(self._text, {name: np.array([known[name]], dtype=np.int64) for name in self._inputs})


@functools.cache
def find_folder(model: str) -> Path:
    """Return the folder of the models, fetched from the hub when ``model`` is none. Raises ``EmbeddingError``."""
    wanted = [TOKENIZER, PREPROCESSOR, *(f"{place}{name}" for place in ("", "onnx/") for name in (VISION, TEXT))]
    return find_or_fetch_folder(model, wanted, _missing)


_pairs: LazyObjects[str, ModelPair] = LazyObjects(lambda model: ModelPair(find_folder(model)))


def read_preprocessing(path: Path) -> Preprocessing:
    """Return what ``preprocessor_config.json`` asks for. Raises ``EmbeddingError`` when it cannot be read."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        size, crop = values.get("size", 224), values.get("crop_size", {})
        side = _read_side(crop) or _read_side(size)
        cuts = bool(values.get("do_center_crop", bool(crop)))
        return Preprocessing(
            side=side,
            resized=(size.get("shortest_edge") or side if isinstance(size, dict) else int(size)) if cuts else 0,
            mean=_read_triple(values.get("image_mean", CLIP_MEAN)),
            deviation=_read_triple(values.get("image_std", CLIP_DEVIATION)),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _missing(path.name, f"{path.name} cannot be read") from error


def _read_side(size: Any) -> int:
    if isinstance(size, dict):
        return int(size.get("height") or size.get("shortest_edge") or 0)
    return int(size)


def _read_triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _load_session(folder: Path, name: str) -> Any:
    try:
        return make_session(_find_file(folder, name))
    except ValueError as error:
        raise _missing(str(folder), f"{name} is no model") from error


def _load_tokenizer(folder: Path, *, fills: bool) -> Any:
    """Return the tokenizer; ``fills`` for models that read no mask, and so a text of one length."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_find_file(folder, TOKENIZER)))
    given = tokenizer.truncation or {}
    limit = int(given.get("max_length") or (SIGLIP_TOKENS if fills else CLIP_TOKENS))
    tokenizer.enable_truncation(max_length=limit)
    if not fills:
        tokenizer.no_padding()
    elif tokenizer.padding is None:
        pad = next((name for name in ("</s>", "<pad>", "[PAD]") if tokenizer.token_to_id(name) is not None), None)
        if pad is not None:
            tokenizer.enable_padding(length=limit, pad_id=tokenizer.token_to_id(pad), pad_token=pad)
    return tokenizer


def _find_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / "onnx" / name):
        if path.is_file():
            return path
    raise _missing(str(folder), f"{name} is not in it")


def _run(session: Any, inputs: dict[str, Any]) -> Vector:
    """Return the unit vector that a model gives for one picture or text."""
    import numpy as np

    names = [node.name for node in session.get_outputs()]
    output = next((name for name in OUTPUTS if name in names), names[0])
    row = np.asarray(session.run([output], inputs)[0], dtype=np.float32).reshape(-1)
    return np.asarray(row / max(float(np.linalg.norm(row)), 1e-12), dtype=np.float32)


@functools.cache
def _hash_folder(folder: Path) -> str:
    hashes: list[str] = []
    for name in (VISION, TEXT, TOKENIZER, PREPROCESSOR):
        with _find_file(folder, name).open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digest(*hashes)


def _missing(model: str, reason: str) -> EmbeddingError:
    return EmbeddingError(
        f"The models for pictures {model!r} cannot be used ({reason}): ROMA_IMAGE_EMBEDDER has to name a folder or a "
        f"repository with {VISION}, {TEXT}, {TOKENIZER} and {PREPROCESSOR}.",
        ErrorCode.EMBEDDING_MODEL,
        details={"model": model},
    )
