"""Vectors of passages, out of the cache where it has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from roma_core.cache import Cache
from roma_core.embeddings.base import Embedder, EmbeddingResult, charge_to
from roma_core.types import digest


def embed_key(embedder: Embedder, text: str) -> str:
    """Return the cache's key of the vector of a text."""
    return digest("embed", embedder.fingerprint, text)


async def embed_passages(embedder: Embedder, cache: Cache, tenant: str, texts: Sequence[str]) -> EmbeddingResult:
    """Return the vectors of ``texts``; those that the cache holds cost nothing. Raises ``EmbeddingError``."""
    import numpy as np

    keys = [embed_key(embedder, text) for text in texts]
    held = await asyncio.to_thread(lambda: [cache.get("embed", key) for key in keys])
    missing = [i for i, data in enumerate(held) if data is None or len(data) != embedder.dim * 4]
    with charge_to(tenant):
        embedded = await embedder.embed([texts[i] for i in missing])
    fresh = embedded.vectors
    result = np.empty((len(texts), embedder.dim), dtype=np.float32)
    for i, data in enumerate(held):
        if data is not None and len(data) == embedder.dim * 4:
            result[i] = np.frombuffer(data, dtype="<f4")
    for i, row in zip(missing, fresh, strict=True):
        result[i] = row

    made = {keys[i]: row.astype("<f4").tobytes() for i, row in zip(missing, fresh, strict=True)}
    await asyncio.to_thread(cache.put_many, "embed", made)
    return EmbeddingResult(result, embedded.usage)
