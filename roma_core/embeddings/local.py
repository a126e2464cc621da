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
from roma_core.engines import (
    EXECUTION_RULES,
    PROBE_QUESTIONS,
    PROBE_TEXTS,
    REFERENCE,
    Agreement,
    ChosenEngine,
    choose_engine,
    compare_vectors,
)
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.models import (
    LazyObjects,
    ModelFiles,
    OnnxModel,
    find_bundled_files,
    identify_graph,
    load_tokenizer,
    open_listed,
    spread_batches,
    verify_files,
    width,
)
from roma_core.settings.retrieval import ExecutionProvider
from roma_core.types import ComponentHealth, digest

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

BUNDLED = "bge-small-en-v1.5-int8"
BUNDLED_DIM = 384
BUNDLED_TOKENS = 512
BGE_QUERY = "Represent this sentence for searching relevant passages: "
"""BAAI's instruction for questions; passages have none (model card of bge-*-en-v1.5)."""


class LocalEmbedder:
    """``Embedder`` by ``model``: None for the bundled one, else a name that fastembed lists (hub download).

    Models are loaded at first use. Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when one is missing. A ``provider``
    that does not agree with the CPU is not used, and health says so; hence the fingerprint does not name it.
    """

    def __init__(self, model: str | None = None, *, threads: int = 0, provider: ExecutionProvider = REFERENCE) -> None:
        self._hub = model
        self._provider = provider
        self._width = width(threads, provider)
        self._batch = EXECUTION_RULES[provider].batch
        self._pool = ThreadPoolExecutor(self._width + 1, thread_name_prefix="embed")  # one to spare for questions
        self._query_prefix = BGE_QUERY if model is None or ("bge-" in model and "-en" in model) else ""

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return self._hub or BUNDLED

    @property
    def fingerprint(self) -> str:
        """Return the hash of the bundled model's checksums and graph, or of the name of a model from the hub."""
        weights = self._hub or identify_graph(_find_files())
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
        rows = await spread_batches(self._pool, self._width, self._embed, texts, cost=len, batch=self._batch)
        return EmbeddingResult(np.stack(rows))

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question, with the model's instruction in front of it."""
        rows = await spread_batches(self._pool, 1, self._embed, [self._query_prefix + text], cost=len, batch=1)
        import numpy as np  # loaded by now, in a thread: the loop has others to serve

        return EmbeddingResult(np.stack(rows))

    async def health(self) -> ComponentHealth:
        """Check the bundled model's files, once, and a provider beside the CPU; one of the hub at its first use."""
        if self._provider != REFERENCE:
            chosen = await asyncio.to_thread(_load, (self._hub, self._provider))
            return chosen.describe()
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

        engine = _load((self._hub, self._provider)).engine
        assert isinstance(engine, HubEncoder)  # noqa: S101  (it has a name)
        tokenizer = Tokenizer.from_str(engine.model.model.tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        return _load((self._hub, self._provider)).engine.embed(texts)


class BundledEncoder:
    """The bundled model on one execution provider."""

    def __init__(self, provider: ExecutionProvider) -> None:
        self._model = OnnxModel(_find_files(), BUNDLED_TOKENS, provider)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the unit vectors of texts, in one call."""
        outputs = self._model.run_batch([(text, None) for text in texts])
        return [_normalise(output[0]) for output in outputs]  # of the first token: CLS pooling


class HubEncoder:
    """A model that fastembed lists, on one execution provider."""

    def __init__(self, name: str, provider: ExecutionProvider) -> None:
        from fastembed import TextEmbedding

        self.model = open_listed(TextEmbedding, name, provider)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the unit vectors of texts, in one call."""
        import numpy as np

        rows = self.model.embed(list(texts), batch_size=len(texts))
        return [_normalise(np.asarray(row, dtype=np.float32)) for row in rows]


Encoder = BundledEncoder | HubEncoder


def _normalise(row: Vector) -> Vector:
    import numpy as np

    # Along an axis, as fastembed does: over a bare vector numpy sums in another order, and the last bit differs.
    return np.asarray(row / np.linalg.norm(row[np.newaxis], axis=1), dtype=np.float32)


def _choose_engine(wanted: tuple[str | None, ExecutionProvider]) -> ChosenEngine[Encoder]:
    hub, provider = wanted

    def make(provider: ExecutionProvider) -> Encoder:
        return BundledEncoder(provider) if hub is None else HubEncoder(hub, provider)

    return choose_engine(provider, make, _compare)


def _compare(one: Encoder, other: Encoder) -> Agreement:
    """Return how well two engines agree on the probes, the first one in a batch."""
    import numpy as np

    def embed(probes: Sequence[str]) -> tuple[Vectors, Vectors]:
        alone = [other.embed([probe])[0] for probe in probes]
        return np.stack(one.embed(probes)), np.stack(alone)

    return compare_vectors(embed(PROBE_TEXTS), embed(PROBE_QUESTIONS))


@functools.cache
def _find_files() -> ModelFiles:
    return find_bundled_files("bge_small_en")


_load: LazyObjects[tuple[str | None, ExecutionProvider], ChosenEngine[Encoder]] = LazyObjects(_choose_engine)


def _find_hub_dim(name: str) -> int:
    from fastembed import TextEmbedding

    try:
        return int(TextEmbedding.get_embedding_size(name))
    except ValueError as error:
        raise EmbeddingError(
            f"fastembed does not know the model {name!r}; ROMA_EMBEDDER must be one that it lists.",
            ErrorCode.EMBEDDING_MODEL,
        ) from error
