"""What a text costs the bundled models: whole, as fastembed runs them, and as ROMA does, on each provider at hand.

``python -m bench.engines``. ONNX Runtime of the environment decides the providers; ``openvino`` needs one that has
onnxruntime-openvino in place of onnxruntime.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnxruntime import InferenceSession, SessionOptions, get_available_providers

from bench import report
from roma_core.embeddings.local import BUNDLED as EMBEDDER
from roma_core.engines import EXECUTION_RULES, PROBE_QUESTIONS, PROBE_TEXTS
from roma_core.models import ModelFiles, find_bundled_files, load_tokenizer, open_session
from roma_core.onnx_graph import keep_first_token
from roma_core.rerank import BUNDLED as RERANKER
from roma_core.rerank import RERANKER_FILES

MODELS = {EMBEDDER: "bge_small_en", RERANKER: RERANKER_FILES}
TOKENS = (32, 128, 256)
TEXTS, ROUNDS = 8, 7
WHOLE = "whole, as fastembed runs it"
Inputs = Mapping[str, np.ndarray[Any, Any]]


def open_whole(files: ModelFiles) -> Any:
    """Return a session of one thread over the model as it is, with ONNX Runtime's own choice of optimisations."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return InferenceSession(str(files.folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


def open_engines(files: ModelFiles) -> dict[str, Any]:
    """Return the session of each engine that can be had here, the reference first."""
    engines = {WHOLE: open_whole(files)}
    model = keep_first_token((files.folder / "model.onnx").read_bytes())
    for provider, rule in EXECUTION_RULES.items():
        if rule.name in get_available_providers():
            engines[f"ROMA, {provider}"] = open_session(model, provider)
    return engines


def make_inputs(files: ModelFiles, tokens: int, *, is_pair: bool) -> list[Inputs]:
    """Return inputs of exactly so many tokens: sentences in chance orders, for pairs behind a question."""
    tokenizer = load_tokenizer(files)
    tokenizer.enable_truncation(max_length=tokens)
    rng = random.Random(tokens)
    inputs: list[Inputs] = []
    for number in range(TEXTS):
        text = " ".join(rng.sample(PROBE_TEXTS, len(PROBE_TEXTS)))
        question = PROBE_QUESTIONS[number % len(PROBE_QUESTIONS)]
        encoded = tokenizer.encode(question, text) if is_pair else tokenizer.encode(text)
        assert len(encoded.ids) == tokens
        inputs.append(
            {
                "input_ids": np.array([encoded.ids]),
                "attention_mask": np.array([encoded.attention_mask]),
                "token_type_ids": np.array([encoded.type_ids]),
            }
        )
    return inputs


def compare(one: Sequence[np.ndarray[Any, Any]], other: Sequence[np.ndarray[Any, Any]]) -> float:
    """Return the least cosine of vectors of the first token, or the largest difference of scores."""
    if one[0].ndim < 3:
        return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
    rows = [(a[0, 0], b[0, 0]) for a, b in zip(one, other, strict=True)]
    return min(float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in rows)


def measure(name: str, tokens: int) -> list[dict[str, object]]:
    """Return a row for each engine; they take turns, and the median of the rounds counts."""
    files = find_bundled_files(MODELS[name])
    engines = open_engines(files)
    inputs = make_inputs(files, tokens, is_pair=name == RERANKER)
    outputs = {engine: [session.run(None, each)[0] for each in inputs] for engine, session in engines.items()}
    taken: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(ROUNDS):
        for engine, session in engines.items():
            began = time.process_time()
            for each in inputs:
                session.run(None, each)
            taken[engine].append(1000 * (time.process_time() - began) / len(inputs))
    reference = statistics.median(taken[WHOLE])
    is_embedder = name == EMBEDDER
    rows: list[dict[str, object]] = []
    for engine in engines:
        agreement = compare(outputs[WHOLE], outputs[engine])
        rows.append(
            {
                "model": name,
                "tokens": tokens,
                "engine": engine,
                "processor ms a text": statistics.median(taken[engine]),
                "times as fast": reference / statistics.median(taken[engine]),
                "least cosine": f"{agreement:.4f}" if is_embedder else None,
                "largest difference of scores": None if is_embedder else agreement,
            }
        )
    return rows


def main() -> int:
    rows = [row for name in MODELS for tokens in TOKENS for row in measure(name, tokens)]
    note = (
        "One text, or one question and passage, a call on one thread; processor time, which other work on the machine "
        "moves less. ROMA runs the last layer for the first token alone, which is all that is read of it, and leaves "
        "out a fusion of ONNX Runtime that is slow on processors. Scores are logits of about -11 to 8. Agreement is "
        "with the whole model."
    )
    if EXECUTION_RULES["openvino"].name in get_available_providers():
        report.write("engines_openvino", "The bundled models on OpenVINO", rows, note, ["onnxruntime-openvino"])
    else:
        report.write("engines", "Engines of the bundled models", rows, note, ["onnxruntime"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
