"""Embedding on this machine: ONNX Runtime through fastembed, with the bundled model or any that fastembed knows.

One text a call on a session of one thread, several calls side by side: with int8 models that is as fast as batches of
any size, and it alone makes a vector independent of what else is embedded (``docs/benchmarks``).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import ModelFiles, bundled, spread, unusable, width
from roma_core.types import digest

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

BUNDLED = "bge-small-en-v1.5-int8"
BUNDLED_DIM = 384
BGE_QUERY = "Represent this sentence for searching relevant passages: "
"""BAAI's instruction for questions; passages have none (model card of bge-*-en-v1.5)."""
_loading = threading.Lock()


class LocalEmbedder:
    """``Embedder`` over fastembed. ``model`` None = the bundled one, else a name that fastembed lists (hub download).

    Everything heavy waits for the first use. Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when a model is missing.
    """

    def __init__(self, model: str | None = None, *, threads: int = 0) -> None:
        self._hub = model
        self._width = width(threads)
        self._pool = ThreadPoolExecutor(self._width + 1, thread_name_prefix="embed")  # one to spare for questions
        self._query_prefix = BGE_QUERY if model is None or ("bge-" in model and "-en" in model) else ""

    @property
    def name(self) -> str:
        return self._hub or BUNDLED

    @property
    def fingerprint(self) -> str:
        """Of the weights' own checksums for the bundled model, of the name for one from the hub."""
        weights = self._hub or _files().fingerprint
        return digest("local-embedder", "1", weights, "cls-l2", self._query_prefix)

    @property
    def dim(self) -> int:
        return BUNDLED_DIM if self._hub is None else _hub_dim(self._hub)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        rows = await spread(self._pool, self._width, self._vector, texts, cost=len)
        return np.stack(rows)

    async def embed_query(self, text: str) -> Vector:
        [vector] = await spread(self._pool, 1, self._vector, [self._query_prefix + text], cost=len)
        return vector

    def count_tokens(self, text: str) -> int:
        return len(self._counter.encode(text, add_special_tokens=False))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def _model(self) -> Any:
        with _loading:
            return _load(self._hub)

    @functools.cached_property
    def _counter(self) -> Any:
        """The model's tokenizer without truncation and padding."""
        from tokenizers import Tokenizer

        if self._hub is None:
            tokenizer = Tokenizer.from_file(str(_files().folder / "tokenizer.json"))
        else:
            tokenizer = Tokenizer.from_str(self._model.model.tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _vector(self, text: str) -> Vector:
        import numpy as np

        row = np.asarray(next(iter(self._model.embed([text], batch_size=1))), dtype=np.float32)
        # The custom bundled model is normalised by fastembed; not every listed model is.
        return np.asarray(row / np.linalg.norm(row), dtype=np.float32) if self._hub else row


@functools.cache
def _files() -> ModelFiles:
    return bundled("bge_small_en")


@functools.cache
def _load(hub: str | None) -> Any:
    """The model, once a process however many embedders there are."""
    return _load_bundled(_files()) if hub is None else _load_hub(hub)


def _load_bundled(files: ModelFiles) -> Any:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    files.verify()
    name = f"roma/{BUNDLED}"
    if name not in {m["model"] for m in TextEmbedding.list_supported_models()}:
        TextEmbedding.add_custom_model(
            model=name,
            pooling=PoolingType.CLS,
            normalization=True,
            sources=ModelSource(hf="BAAI/bge-small-en-v1.5"),
            dim=BUNDLED_DIM,
            model_file="model.onnx",
        )
    return TextEmbedding(name, specific_model_path=str(files.folder), threads=1)


def _load_hub(name: str) -> Any:
    from fastembed import TextEmbedding

    try:
        return TextEmbedding(name, threads=1)
    except (ValueError, OSError, RuntimeError) as error:  # not listed; no network; damaged download
        raise unusable(name, error) from error


def _hub_dim(name: str) -> int:
    from fastembed import TextEmbedding

    try:
        return int(TextEmbedding.get_embedding_size(name))
    except ValueError as error:
        raise EmbeddingError(
            f"fastembed does not know the model {name!r}; ROMA_EMBEDDER must be one that it lists.",
            ErrorCode.EMBEDDING_MODEL,
        ) from error
