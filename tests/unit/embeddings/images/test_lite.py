"""EfficientNet-Lite0: weights out of a file of PyTorch, read without it, and the network as an ONNX model."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from roma_core.embeddings.images import lite
from roma_core.embeddings.images.onnx_graph import OnnxGraph
from roma_core.errors import EmbeddingError


def _rebuild_tensor_v2(*_: object) -> None:
    """Stand in for PyTorch's function of that name in pickles."""


class FloatStorage:
    """Stands in for PyTorch's class of that name in pickles."""


class Tensor:
    """A tensor as PyTorch pickles it: the numbers lie elsewhere, perhaps in another order."""

    def __init__(self, key: str, shape: tuple[int, ...], steps: tuple[int, ...], offset: int = 0) -> None:
        self.arguments = (key, offset, shape, steps)

    def __reduce__(self) -> Any:
        key, offset, shape, steps = self.arguments
        return _rebuild_tensor_v2, (Storage(key), offset, shape, steps, False, OrderedDict())


class Storage:
    def __init__(self, key: str) -> None:
        self.key = key


class TensorPickler(pickle.Pickler):
    def persistent_id(self, thing: Any) -> Any:
        return ("storage", FloatStorage, thing.key, "cpu", 6, None) if isinstance(thing, Storage) else None


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the stand-ins the names under which PyTorch pickles its own."""
    for name, module, owner in (
        ("_rebuild_tensor_v2", "torch._utils", _rebuild_tensor_v2),
        ("FloatStorage", "torch", FloatStorage),
    ):
        made = ModuleType(module)
        setattr(made, name, owner)
        monkeypatch.setitem(sys.modules, module, made)
        monkeypatch.setattr(owner, "__module__", module)


def write_file(state: object, numbers: dict[str, np.ndarray[Any, Any]]) -> bytes:
    file = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    TensorPickler(file, protocol=2).dump(state)
    pickle.dump(sorted(numbers), file, protocol=2)
    for key in sorted(numbers):
        file.write(len(numbers[key]).to_bytes(8, "little") + numbers[key].astype("<f4").tobytes())
    return file.getvalue()


@pytest.mark.usefixtures("torch_names")
def test_tensors_are_read_in_the_order_of_their_axes() -> None:
    state = OrderedDict(plain=Tensor("0", (2, 3), (3, 1)), turned=Tensor("1", (3, 2), (1, 3)))
    numbers = np.arange(6, dtype=np.float32)
    found = lite.parse_weights(write_file(state, {"0": numbers, "1": numbers}))
    assert found["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.usefixtures("torch_names")
def test_a_tensor_that_reaches_beyond_its_numbers_is_refused() -> None:
    for tensor in (Tensor("0", (3, 3), (3, 1)), Tensor("0", (2, 3), (3, -1)), Tensor("0", (6,), (1,), offset=1)):
        with pytest.raises(EmbeddingError):
            lite.parse_weights(write_file(OrderedDict(x=tensor), {"0": np.arange(6, dtype=np.float32)}))


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@pytest.mark.parametrize("data", [write_file({"x": Command()}, {}), b"", b"\x80\x02rubbish", b"PK\x03\x04"])
def test_what_is_no_tensor_is_not_even_looked_up(data: bytes) -> None:
    with pytest.raises(EmbeddingError, match="cannot be read"):
        lite.parse_weights(data)


def test_a_written_model_computes_what_its_nodes_say() -> None:
    graph = OnnxGraph("small", inputs={"x": (1, 2)}, outputs={"y": (1, 2)})
    graph.add_tensor("matrix", np.float32([[1, 2], [-3, 4]]))
    graph.add_tensor("zero", np.zeros((), dtype=np.float32))
    graph.add_tensor("six", np.full((), 6, dtype=np.float32))
    graph.add_node("MatMul", ["x", "matrix"], "product")
    graph.add_node("Clip", ["product", "zero", "six"], "clipped")
    graph.add_node("LeakyRelu", ["clipped"], "y", alpha=0.5)
    session = InferenceSession(graph.encode(), providers=["CPUExecutionProvider"])
    [[row]] = session.run(None, {"x": np.float32([[1, 2]])})
    assert row.tolist() == [0.0, 6.0]


def make_weights() -> dict[str, np.ndarray[Any, Any]]:
    """Return small weights of the right shapes, by the names of PyTorch's implementation."""
    random = np.random.default_rng(0)
    weights: dict[str, np.ndarray[Any, Any]] = {}

    def add(layer: str, norm: str, shape: tuple[int, ...]) -> None:
        weights[f"{layer}.weight"] = random.normal(0, 0.1, shape).astype(np.float32)
        for part in ("weight", "running_var"):
            weights[f"{norm}.{part}"] = np.ones(shape[0], dtype=np.float32)
        for part in ("bias", "running_mean"):
            weights[f"{norm}.{part}"] = np.zeros(shape[0], dtype=np.float32)

    add("_conv_stem", "_bn0", (32, 3, 3, 3))
    channels, block = 32, 0
    for stage in lite.STAGES:
        for _ in range(stage.blocks):
            name, wide = f"_blocks.{block}", channels * stage.expansion
            if stage.expansion > 1:
                add(f"{name}._expand_conv", f"{name}._bn0", (wide, channels, 1, 1))
            add(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, stage.kernel, stage.kernel))
            add(f"{name}._project_conv", f"{name}._bn2", (stage.channels, wide, 1, 1))
            channels, block = stage.channels, block + 1
    add("_conv_head", "_bn1", (1280, 320, 1, 1))
    weights["_fc.weight"] = random.normal(0, 0.1, (lite.CLASSES, 1280)).astype(np.float32)
    weights["_fc.bias"] = np.zeros(lite.CLASSES, dtype=np.float32)
    return weights


def test_the_network_gives_a_score_for_each_class() -> None:
    session = InferenceSession(lite.build_network(make_weights()), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(1).normal(size=(1, 3, lite.SIDE, lite.SIDE)).astype(np.float32)
    [[scores]] = session.run(None, {"pixels": pixels})
    assert scores.shape == (lite.CLASSES,)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddingError, match=r"roma-core\[pictures\]"):
        lite.find_weights()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"damaged")
    with pytest.raises(EmbeddingError, match="damaged"):
        lite.read_weights(path)
