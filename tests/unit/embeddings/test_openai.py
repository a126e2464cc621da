"""The wire to the embeddings API and its faults."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from roma_core.embeddings.openai import BATCH, OpenAIEmbedder
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.retry import RetryPolicy

QUICK = RetryPolicy(attempts=3, base_s=0.001, longest_backoff_s=0.002)


def embedder(*answers: httpx2.Response | Exception, seen: list[Any] | None = None) -> OpenAIEmbedder:
    """Answers in turn, the last one for ever."""
    left = list(answers)

    def handle(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(json.loads(request.content))
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(handle))
    return OpenAIEmbedder("text-embedding-3-small", api_key="k", dim=2, policy=QUICK, http_client=client)


def vectors(*rows: list[float]) -> httpx2.Response:
    items = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return httpx2.Response(200, json={"object": "list", "data": items, "model": "m", "usage": None})


def refusal(status: int, code: str | None = None, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": "no", "code": code}}, headers=headers)


async def test_rows_are_made_unit_and_texts_batched() -> None:
    seen: list[list[str]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        texts = json.loads(request.content)["input"]
        seen.append(texts)
        return vectors(*([0.0, 2.0] if text == "-" else [3.0, 4.0] for text in texts))

    client = openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(handle))
    result = await OpenAIEmbedder("m", api_key="k", dim=2, http_client=client).embed(["t"] * BATCH + [" "])
    got = result.vectors
    assert got.shape == (BATCH + 1, 2)
    assert got[0].tolist() == pytest.approx([0.6, 0.8])
    assert got[-1].tolist() == [0.0, 1.0]
    assert sorted(len(texts) for texts in seen) == [1, BATCH]


@pytest.mark.parametrize(
    "fault", [refusal(429, **{"Retry-After-Ms": "1"}), refusal(503), httpx2.ConnectError("x"), httpx2.ReadTimeout("x")]
)
async def test_transient_faults_are_tried_again(fault: httpx2.Response | Exception) -> None:
    seen: list[Any] = []
    await embedder(fault, fault, vectors([1.0, 0.0]), seen=seen).embed_query("t")
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("fault", "calls", "code"),
    [
        (refusal(401), 1, ErrorCode.EMBEDDING_MODEL),
        (refusal(404), 1, ErrorCode.EMBEDDING_MODEL),
        (refusal(429, "insufficient_quota"), 1, ErrorCode.EMBEDDING_MODEL),
        (refusal(500), 3, ErrorCode.EMBEDDING_UNAVAILABLE),
        (httpx2.ConnectError("x"), 3, ErrorCode.EMBEDDING_UNAVAILABLE),
        (
            httpx2.Response(200, html="<html>"),
            3,
            ErrorCode.EMBEDDING_UNAVAILABLE,
        ),
        (httpx2.Response(200, json={"data": []}), 3, ErrorCode.EMBEDDING_UNAVAILABLE),
        (vectors([1.0, 0.0, 0.0]), 1, ErrorCode.EMBEDDING_MODEL),
        (vectors([1.0, 0.0], [1.0, 0.0]), 3, ErrorCode.EMBEDDING_UNAVAILABLE),
    ],
)
async def test_lasting_faults_are_typed(fault: httpx2.Response | Exception, calls: int, code: ErrorCode) -> None:
    seen: list[Any] = []
    with pytest.raises(EmbeddingError) as caught:
        await embedder(fault, seen=seen).embed_query("t")
    assert (caught.value.code, len(seen)) == (code, calls)


def test_an_unknown_model_needs_its_dimension() -> None:
    with pytest.raises(EmbeddingError, match="pass dim"):
        OpenAIEmbedder("my-model", api_key="k")
    assert OpenAIEmbedder("my-model", api_key="k", dim=8).dim == 8


async def test_close_closes_the_client() -> None:
    made = embedder(vectors([1.0, 0.0]))
    await made.embed_query("t")
    await made.close()
    assert made._client.is_closed()
