"""Embedding on this machine: the bundled model on ONNX Runtime, or any that fastembed lists.

One text a call on a session of one thread, several calls side by side: with int8 models that is as fast as batches of
any size, and it alone makes a vector independent of what else is embedded (``docs/benchmarks``).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from roma_core.embeddings.base import EmbeddingResult
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import (
    LazyObjects,
    ModelFiles,
    OnnxModel,
    find_bundled_files,
    load_tokenizer,
    make_model_error,
    spread,
    verify_files,
    width,
)
from roma_core.types import ComponentHealth, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

BUNDLED = "bge-small-en-v1.5-int8"
BUNDLED_DIM = 384
BUNDLED_TOKENS = 512
BGE_QUERY = "Represent this sentence for searching relevant passages: "
"""BAAI's instruction for questions; passages have none (model card of bge-*-en-v1.5)."""


class LocalEmbedder:
    """``Embedder`` by ``model``: None for the bundled one, else a name that fastembed lists (hub download).

    Models are loaded at first use. Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when one is missing.
    """

    def __init__(self, model: str | None = None, *, threads: int = 0) -> None:
        self._hub = model
        self._width = width(threads)
        self._pool = ThreadPoolExecutor(self._width + 1, thread_name_prefix="embed")  # one to spare for questions
        self._query_prefix = BGE_QUERY if model is None or ("bge-" in model and "-en" in model) else ""

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return self._hub or BUNDLED

    @property
    def fingerprint(self) -> str:
        """Return the hash of the bundled model's checksums, or of the name of a model from the hub."""
        weights = self._hub or _find_files().fingerprint
        return digest("local-embedder", "1", weights, "cls-l2", self._query_prefix)

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return BUNDLED_DIM if self._hub is None else _find_hub_dim(self._hub)

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return the vectors of passages, see ``Embedder``."""
        import numpy as np

        if not texts:
            return EmbeddingResult(np.zeros((0, self.dim), dtype=np.float32))
        rows = await spread(self._pool, self._width, self._vector, texts, cost=len)
        return EmbeddingResult(np.stack(rows))

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question, with the model's instruction in front of it."""
        rows = await spread(self._pool, 1, self._vector, [self._query_prefix + text], cost=len)
        import numpy as np  # loaded by now, in a thread: the loop has others to serve

        return EmbeddingResult(np.stack(rows))

    async def health(self) -> ComponentHealth:
        """Check the bundled model's files, once; a model from the hub is checked at its first use."""
        if self._hub is None:
            await asyncio.to_thread(lambda: verify_files(_find_files()))
        return ComponentHealth()

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens without the special ones, not truncated."""
        return len(self._counter.encode(text, add_special_tokens=False))

    def close(self) -> None:
        """Stop the threads; queued texts are dropped."""
        self._pool.shutdown(cancel_futures=True)

    @functools.cached_property
    def _counter(self) -> Any:
        """Return the model's tokenizer without truncation and padding."""
        if self._hub is None:
            return load_tokenizer(_find_files())
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(_hub(self._hub).model.tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _vector(self, text: str) -> Vector:
        import numpy as np

        if self._hub is None:
            row = _bundled(None).run(text)[0]  # of the first token: CLS pooling
        else:
            row = np.asarray(next(iter(_hub(self._hub).embed([text], batch_size=1))), dtype=np.float32)
        # Along an axis, as fastembed does: over a bare vector numpy sums in another order, and the last bit differs.
        return np.asarray(row / np.linalg.norm(row[np.newaxis], axis=1), dtype=np.float32)


@functools.cache
def _find_files() -> ModelFiles:
    return find_bundled_files("bge_small_en")


def _load_hub(name: str) -> Any:
    from fastembed import TextEmbedding

    try:
        return TextEmbedding(name, threads=1)
    except (ValueError, OSError, RuntimeError) as error:  # not listed; no network; damaged download
        raise make_model_error(name, error) from error


_bundled: LazyObjects[None, OnnxModel] = LazyObjects(lambda _: OnnxModel(_find_files(), BUNDLED_TOKENS))
_hub: LazyObjects[str, Any] = LazyObjects(_load_hub)


def _find_hub_dim(name: str) -> int:
    from fastembed import TextEmbedding

    try:
        return int(TextEmbedding.get_embedding_size(name))
    except ValueError as error:
        raise EmbeddingError(
            f"fastembed does not know the model {name!r}; ROMA_EMBEDDER must be one that it lists.",
            ErrorCode.EMBEDDING_MODEL,
        ) from error
