"""An embedder without a model: words hashed into a vector, so that texts that share words are near."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roma_core.embeddings.base import EmbeddingResult
from roma_core.types import ComponentHealth, digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_PIECE = re.compile(r"\w+|[^\w\s]")
_STEM_LENGTH = 5
"""Words count by their first letters too, so that ``measure`` and ``measured`` are near."""


class FakeEmbedder:
    """``Embedder`` for tests: deterministic across processes and machines."""

    def __init__(self, dim: int = 128, version: int = 1) -> None:
        self._dim = dim
        self._version = version

    @property
    def name(self) -> str:
        """Return ``fake/`` and the version."""
        return f"fake/{self._version}"

    @property
    def fingerprint(self) -> str:
        """Return the hash of version and dimension."""
        return digest("fake-embedder", str(self._version), str(self._dim))

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self._dim

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return the vectors of passages, see ``Embedder``."""
        import numpy as np

        if not texts:
            return EmbeddingResult(np.zeros((0, self._dim), dtype=np.float32))
        return EmbeddingResult(np.stack([self._vector(text) for text in texts]))

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question, which is that of a passage with its text."""
        return await self.embed([text])

    async def health(self) -> ComponentHealth:
        """Return ``ok``."""
        return ComponentHealth()

    def count_tokens(self, text: str) -> int:
        """Return the number of words and punctuation marks."""
        return len(_PIECE.findall(text))

    def _vector(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        vector = np.zeros(self._dim, dtype=np.float64)
        for word in re.findall(r"\w+", text.lower()):
            for feature in (word, word[:_STEM_LENGTH] + "*"):
                place, sign = self._bucket(feature)
                vector[place] += sign
        if not vector.any():
            vector[0] = 1.0
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    def _bucket(self, feature: str) -> tuple[int, float]:
        value = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
        return (value >> 1) % self._dim, 1.0 if value & 1 else -1.0
