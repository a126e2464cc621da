"""An entailment model of our own: words vote for a class, and pairs are classified by the mean of the votes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roma_core.embeddings.images.onnx_graph import OnnxGraph

LABELS = ("contradiction", "neutral", "entailment")


def make_nli_model(folder: Path, votes: Mapping[str, str], *, others: str = "neutral") -> Path:
    """Write the three files of a model below ``folder`` and return it.

    ``votes`` names the class of a word, ``others`` that of all other words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"[UNK]": 0, "[PAD]": 1, **{word: number for number, word in enumerate(votes, start=2)}}
    table = np.zeros((len(vocabulary), len(LABELS)), dtype=np.float32)
    table[0, LABELS.index(others)] = 1.0
    for word, label in votes.items():
        table[vocabulary[word], LABELS.index(label)] = 90.0
    names = ("input_ids",)
    graph = OnnxGraph(
        "nli", inputs={"input_ids": ("pairs", "length")}, outputs={"logits": ("pairs", 3)}, integers=names
    )
    graph.add_tensor("table", table)
    graph.add_node("Gather", ["table", "input_ids"], "votes", axis=0)
    graph.add_node("ReduceMean", ["votes"], "logits", axes=(1,), keepdims=0)
    (folder / "model.onnx").write_bytes(graph.encode())
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS))}), encoding="utf-8")
    return folder
