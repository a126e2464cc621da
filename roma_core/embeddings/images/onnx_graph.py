"""ONNX models written by hand: as much of the format as a network of convolutions needs.

The format is Protocol Buffers (``onnx.proto3``, IR version 8); a field is its number and kind, then its value.

>>> import numpy as np
>>> graph = OnnxGraph("twice", inputs={"x": (1, 2)}, outputs={"y": (1, 2)})
>>> graph.add_tensor("two", np.float32([2]))
>>> graph.add_node("Mul", ["x", "two"], "y")
>>> model = graph.encode()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IR_VERSION: Final = 8
OPSET: Final = 13
FLOAT, INT64 = 1, 7
"""Numbers of element types in ``TensorProto.DataType``."""

Attribute = int | float | str | Sequence[int]


class OnnxGraph:
    """Nodes and constants, in the order in which they were added. Inputs and outputs are floats."""

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
        integers: Sequence[str] = (),
    ) -> None:
        """``inputs`` and ``outputs`` are shapes by name; a word in a shape is a free size. ``integers`` are int64."""
        self._name = name
        self._integers = frozenset(integers)
        self._inputs, self._outputs = dict(inputs), dict(outputs)
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []

    def add_tensor(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> None:
        """Add a constant of floats or of 64-bit integers."""
        kind = INT64 if values.dtype.kind == "i" else FLOAT
        data = values.astype("<i8" if kind == INT64 else "<f4").tobytes()
        sizes = b"".join(_varint_field(1, size) for size in values.shape)
        self._tensors.append(sizes + _varint_field(2, kind) + _bytes_field(8, name.encode()) + _bytes_field(9, data))

    def add_node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> None:
        """Add an operation."""
        parts = [_bytes_field(1, name.encode()) for name in inputs]
        parts += [_bytes_field(2, output.encode()), _bytes_field(4, operator.encode())]
        parts += [_bytes_field(5, _encode_attribute(name, value)) for name, value in sorted(attributes.items())]
        self._nodes.append(b"".join(parts))

    def encode(self) -> bytes:
        """Return the model as ONNX Runtime reads it."""
        parts = [_bytes_field(1, node) for node in self._nodes]
        parts.append(_bytes_field(2, self._name.encode()))
        parts += [_bytes_field(5, tensor) for tensor in self._tensors]
        parts += [_bytes_field(11, self._encode_value(name, shape)) for name, shape in self._inputs.items()]
        parts += [_bytes_field(12, self._encode_value(name, shape)) for name, shape in self._outputs.items()]
        opset = _bytes_field(1, b"") + _varint_field(2, OPSET)
        return _varint_field(1, IR_VERSION) + _bytes_field(7, b"".join(parts)) + _bytes_field(8, opset)

    def _encode_value(self, name: str, shape: Sequence[int | str]) -> bytes:
        sizes = [_varint_field(1, size) if isinstance(size, int) else _bytes_field(2, size.encode()) for size in shape]
        encoded = b"".join(_bytes_field(1, size) for size in sizes)
        kind = INT64 if name in self._integers else FLOAT
        tensor = _varint_field(1, kind) + _bytes_field(2, encoded)
        return _bytes_field(1, name.encode()) + _bytes_field(2, _bytes_field(1, tensor))


def _encode_attribute(name: str, value: Attribute) -> bytes:
    """Return an ``AttributeProto``: its name, its value and the number of its kind."""
    head = _bytes_field(1, name.encode())
    if isinstance(value, float):
        import struct

        return head + _key(2, 5) + struct.pack("<f", value) + _varint_field(20, 1)
    if isinstance(value, int):
        return head + _varint_field(3, value) + _varint_field(20, 2)
    if isinstance(value, str):
        return head + _bytes_field(4, value.encode()) + _varint_field(20, 3)
    return head + b"".join(_varint_field(8, number) for number in value) + _varint_field(20, 7)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint_field(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _bytes_field(field: int, data: bytes) -> bytes:
    return _key(field, 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Return seven bits a byte, the lowest first; a negative number as 64 bits."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
