"""Conformance classes of embedders and rerankers."""

from __future__ import annotations

import numpy as np

from roma_core.embeddings.base import Embedder
from roma_core.rerank import Reranker
from roma_core.types import ComponentHealth

TEXTS = [
    "The harbour was dredged to nine metres in 1911.",
    "Yeast ferments sugar into alcohol.",
    "é 中文 👩\u200d👧",
    "word " * 900,
    " ",
]


class EmbedderContract:
    """Conformance of an embedder. Inherit it and give an ``embedder`` fixture."""

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

    async def test_health_is_reported_free_of_charge(self, embedder: Embedder) -> None:
        assert isinstance(await embedder.health(), ComponentHealth)

    async def test_usage_is_reported(self, embedder: Embedder) -> None:
        usage = (await embedder.embed(TEXTS[:1])).usage
        assert usage.calls in {0, 1}
        assert usage.input_tokens >= 0

    async def test_name_and_fingerprint_are_reported(self, embedder: Embedder) -> None:
        assert embedder.name
        assert len(embedder.fingerprint) == 64


class RerankerContract:
    """Conformance of a reranker. Inherit it and give a ``reranker`` fixture."""

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
