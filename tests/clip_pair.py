"""A pair of models as CLIP's: pictures by their mean colour, words by the colours that they name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from roma_core.embeddings.images.onnx_graph import OnnxGraph

SIDE = 8
COLOURS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}


def make_clip_pair(folder: Path, *, reads_mask: bool = True) -> Path:
    """Write the four files of a pair below ``folder`` and return it; without a mask the text model is like SigLIP's."""
    folder.mkdir(parents=True, exist_ok=True)
    vision = OnnxGraph("vision", inputs={"pixel_values": (1, 3, SIDE, SIDE)}, outputs={"image_embeds": (1, 3)})
    vision.add_node("GlobalAveragePool", ["pixel_values"], "pooled")
    vision.add_node("Flatten", ["pooled"], "image_embeds", axis=1)
    (folder / "vision_model.onnx").write_bytes(vision.encode())

    vocabulary = {"[UNK]": 0, "[PAD]": 1, **{name: number for number, name in enumerate(COLOURS, start=2)}}
    table = np.zeros((len(vocabulary), 3), dtype=np.float32)
    for name, colour in COLOURS.items():
        table[vocabulary[name]] = colour
    inputs: dict[str, tuple[int | str, ...]] = {"input_ids": (1, "length")}
    if reads_mask:
        inputs["attention_mask"] = (1, "length")
    text = OnnxGraph("text", inputs=inputs, outputs={"pooler_output": (1, 3)}, integers=tuple(inputs))
    text.add_tensor("table", table)
    text.add_node("Gather", ["table", "input_ids"], "words", axis=0)
    text.add_node("ReduceMean", ["words"], "pooler_output", axes=(1,), keepdims=0)
    (folder / "text_model.onnx").write_bytes(text.encode())

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
    size = {"height": SIDE, "width": SIDE}
    config = {"size": size, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
