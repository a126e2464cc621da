"""Embedding by OpenAI or a server with a compatible API."""

from __future__ import annotations

import asyncio
import functools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from roma_core.embeddings.base import EmbeddingResult
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.retry import TRANSIENT_STATUSES, RetryPolicy, retry_after_s, retrying
from roma_core.telemetry.health import make_model_server_probe
from roma_core.types import ComponentHealth, Usage, digest

if TYPE_CHECKING:
    pass

DIMS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
DEFAULT_MODEL = "text-embedding-3-small"
OFFICIAL = "https://api.openai.com/v1"
FORBIDDEN = 403
BATCH = 96
"""Texts a request: far below the API's limits (2048 texts, 300 000 tokens) at the usual size of passages."""
CHARS_PER_PIECE = 5
_WORD = re.compile(r"\w+|[^\w\s]")


class OpenAIEmbedder:
    """``Embedder`` over ``/v1/embeddings``. ``http_client`` replaces the transport (tests, proxies).

    Raises ``EmbeddingError``: ERR_EMBEDDING_UNAVAILABLE when trying later may help, else ERR_EMBEDDING_MODEL.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str | None = None,
        dim: int | None = None,
        timeout_s: float = 60.0,
        concurrency: int = 4,
        policy: RetryPolicy | None = None,
        http_client: Any = None,
    ) -> None:
        if dim is None and model not in DIMS:
            raise EmbeddingError(f"The vectors' length of {model!r} is not known; pass dim.", ErrorCode.EMBEDDING_MODEL)
        self._model = model
        self._dim = dim or DIMS[model]
        self._options = {"api_key": api_key, "base_url": base_url, "timeout": timeout_s, "http_client": http_client}
        self._policy = policy
        self._probe_models = make_model_server_probe(base_url or OFFICIAL, api_key, name="the embedding server")
        self._slots = asyncio.Semaphore(concurrency)

    @property
    def name(self) -> str:
        """Return ``openai:`` and the model."""
        return f"openai:{self._model}"

    @property
    def fingerprint(self) -> str:
        """Return the hash of model and dimension."""
        return digest("openai-embedder", "1", self._model, str(self._dim))

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self._dim

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Return the vectors of passages, embedded in batches side by side, see ``Embedder``."""
        import numpy as np

        batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
        results = await asyncio.gather(*(self._embed_batch(batch) for batch in batches))
        vectors = [np.zeros((0, self._dim), dtype=np.float32), *(result.vectors for result in results)]
        return EmbeddingResult(np.concatenate(vectors), Usage.total(result.usage for result in results))

    async def embed_query(self, text: str) -> EmbeddingResult:
        """Return the vector of a question, see ``Embedder``."""
        return await self._embed_batch([text])

    async def health(self) -> ComponentHealth:
        """Ask the server for its list of models; a key that may only embed is refused it (403), which is ``ok``."""
        found = await self._probe_models()
        return ComponentHealth(details=found.details) if found.details.get("status") == FORBIDDEN else found

    def count_tokens(self, text: str) -> int:
        """Estimate the number of tokens: one for each five letters begun of a word.

        The model's tokenizer is not available offline.
        """
        return sum(math.ceil(len(word) / CHARS_PER_PIECE) for word in _WORD.findall(text))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @functools.cached_property
    def _client(self) -> Any:
        from openai import AsyncOpenAI

        return AsyncOpenAI(max_retries=0, **self._options)

    async def _embed_batch(self, texts: Sequence[str]) -> EmbeddingResult:
        async with self._slots:
            return await retrying(lambda: self._request_vectors(texts), policy=self._policy)

    async def _request_vectors(self, texts: Sequence[str]) -> EmbeddingResult:
        import numpy as np
        import openai

        try:
            # A blank text is refused by the API; its vector is never near anything anyway.
            answer = await self._client.embeddings.create(
                model=self._model, input=[text if text.strip() else "-" for text in texts], encoding_format="float"
            )
            rows = np.array([item.embedding for item in sorted(answer.data, key=lambda item: item.index)], np.float32)
        except openai.APIStatusError as error:
            raise _make_status_error(error) from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:  # no connection, or not its JSON
            raise EmbeddingError(f"The embedding server could not be used ({type(error).__name__}).") from error
        if len(rows) != len(texts):
            raise EmbeddingError(f"The embedding server sent {len(rows)} vectors for {len(texts)} texts.")
        if rows.shape[1:] != (self._dim,):
            raise EmbeddingError(
                f"{self._model!r} gives vectors of {rows.shape[1]} numbers, not {self._dim}.", ErrorCode.EMBEDDING_MODEL
            )
        lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return EmbeddingResult(np.asarray(rows / lengths, dtype=np.float32), self._usage(answer, texts))

    def _usage(self, answer: Any, texts: Sequence[str]) -> Usage:
        """Return the tokens that the server counted; servers that count none have them estimated here."""
        counted = getattr(answer.usage, "prompt_tokens", None) if answer.usage is not None else None
        if isinstance(counted, int) and counted > 0:
            return Usage(calls=1, input_tokens=counted, cost_usd=None)
        estimate = sum(self.count_tokens(text) for text in texts)
        return Usage(calls=1, input_tokens=estimate, cost_usd=None, estimated=True)


def _make_status_error(error: Any) -> EmbeddingError:
    """Return the typed error for a response with an error status."""
    final = error.code == "insufficient_quota" or error.status_code not in TRANSIENT_STATUSES
    reason = "the quota is used up" if error.code == "insufficient_quota" else f"status {error.status_code}"
    return EmbeddingError(
        f"The embedding server refused: {reason}." + (" Check key, model and address." if final else ""),
        ErrorCode.EMBEDDING_MODEL if final else ErrorCode.EMBEDDING_UNAVAILABLE,
        retry_after_s=retry_after_s(error.response.headers),
        details={"status": error.status_code},
    )
