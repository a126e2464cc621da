"""The graph of an ONNX model, changed before ONNX Runtime reads it. Pure.

Declared here are the fields that are read or written, by their numbers in ``onnx.proto``; protobuf keeps all others.
"""

from __future__ import annotations

import functools
from typing import Any, Final

GRAPH_RECIPE: Final = "first-token/1"
"""Identity of what ``keep_first_token`` does: outputs differ in their last digits from those of the whole model."""
_MESSAGES: Final = {
    "Model": {"graph": (7, "Graph")},
    "Graph": {"node": (1, "Node*"), "initializer": (5, "Tensor*")},
    "Node": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "op_type": (4, "string"),
        "attribute": (5, "Attribute*"),
    },
    "Attribute": {"name": (1, "string"), "i": (3, "int64"), "type": (20, "int64")},
    "Tensor": {"dims": (1, "int64*"), "data_type": (2, "int64"), "name": (8, "string"), "raw_data": (9, "bytes")},
}
"""Fields of messages: their number and type; a star marks those that are repeated."""
_INT64: Final = 7
"""``TensorProto.INT64``."""
_INT: Final = 2
"""``AttributeProto.INT``."""
_QUERY: Final = "/query/"
"""In the name of a node: it belongs to the queries of a layer's attention, as PyTorch exports them."""
_FIRST: Final = "roma/first"
"""Name of the index of the first token, and beginning of the names of what is taken by it."""


def keep_first_token(model: bytes) -> bytes:
    """Return an int8 BERT whose last layer computes the first token alone: CLS pooling and classifiers read no other.

    Keys and values are those of all tokens, so the output is that of the whole model but for rounding: the last
    matrices quantise the first token by its own range instead of by that of all. An output by token has one token
    left. A model without such a layer is returned as it is.
    """
    parsed = _message("Model").FromString(model)
    graph = parsed.graph
    queries = [node for node in graph.node if node.op_type == "MatMulInteger" and _QUERY in node.name]
    if not queries:
        return model
    query = queries[-1]
    [quantiser] = [node for node in graph.node if query.input[0] in node.output]
    [masking] = [node for node in graph.node if node.name == f"{query.name.partition(_QUERY)[0]}/Add"]
    states, mask = quantiser.input[0], masking.input[1]
    graph.initializer.add(name=_FIRST, dims=[1], data_type=_INT64, raw_data=bytes(8))
    for node in list(graph.node):
        if node.name != quantiser.name:
            _replace_input(node, states, f"{_FIRST}/states")
    _replace_input(masking, mask, f"{_FIRST}/mask")
    _add_gather(graph, states, f"{_FIRST}/states", axis=1)
    _add_gather(graph, mask, f"{_FIRST}/mask", axis=2)
    _add_gather(graph, query.input[0], f"{_FIRST}/query", axis=1)
    query.input[0] = f"{_FIRST}/query"
    changed: bytes = parsed.SerializeToString()
    return changed


def _replace_input(node: Any, old: str, new: str) -> None:
    for place, name in enumerate(node.input):
        if name == old:
            node.input[place] = new


def _add_gather(graph: Any, source: str, target: str, *, axis: int) -> None:
    """Add a node that takes the first of ``source`` along an axis."""
    node = graph.node.add(name=target, op_type="Gather", input=[source, _FIRST], output=[target])
    node.attribute.add(name="axis", i=axis, type=_INT)


@functools.cache
def _message(name: str) -> Any:
    """Return the class of a message."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    types = {"string": field.TYPE_STRING, "int64": field.TYPE_INT64, "bytes": field.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(name="roma/onnx.proto", package="roma", syntax="proto2")
    for message, fields in _MESSAGES.items():
        declared = file.message_type.add(name=message)
        for key, (number, kind) in fields.items():
            plain = kind.removesuffix("*")
            declared.field.add(
                name=key,
                number=number,
                label=field.LABEL_OPTIONAL if plain == kind else field.LABEL_REPEATED,
                type=types.get(plain, field.TYPE_MESSAGE),
                type_name=None if plain in types else f".roma.{plain}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"roma.{name}"))
