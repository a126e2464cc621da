"""JSON schemas in the dialect that vendors' structured output accepts."""

from __future__ import annotations

import json
from typing import Any

_MAPS = frozenset({"properties", "$defs"})
"""Keywords whose value maps names to schemas; the names are not keywords themselves."""


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with every object closed and every property required, as structured output demands.

    Defaults are dropped: a model that must write each property has no use for them.
    """
    closed = {
        key: {name: _close_objects(inner) for name, inner in value.items()} if key in _MAPS else _close_objects(value)
        for key, value in schema.items()
        if key not in {"default", "title"}
    }
    if "properties" in schema:
        closed |= {"required": list(schema["properties"]), "additionalProperties": False}
    return closed


def _close_objects(node: Any) -> Any:
    if isinstance(node, list):
        return [_close_objects(item) for item in node]
    return strict_schema(node) if isinstance(node, dict) else node


def schema_instruction(schema: dict[str, Any]) -> str:
    """Return the words that ask a model without structured output for JSON."""
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{json.dumps(schema)}"
