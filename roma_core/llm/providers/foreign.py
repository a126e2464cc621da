"""Answers in formats of their own, as chunks of chat completions: a row for each format.

These are the formats of single vendors and of gateways before them. A row knows its format by the names in an event,
never by who was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

_CAPITAL_NAMES = ("Choices", "Response", "Error", "Code", "Message")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def to_chunk(event: Event) -> dict[str, Any] | None:
    """Return the event as a chunk of chat completions; None where no row knows its format.

    >>> to_chunk({"generation": "Yes.", "stop_reason": "stop"})
    {'choices': [{'delta': {'content': 'Yes.'}, 'finish_reason': 'stop'}]}
    """
    for is_meant, read in FORMATS:
        if is_meant(event):
            return read(event)
    return None


def with_usual_names(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event whose names begin with capitals, as Tencent's do, with the names that OpenAI gives; others as is.

    >>> with_usual_names({"Response": {"Choices": [{"FinishReason": "stop"}]}})
    {'choices': [{'finish_reason': 'stop'}]}
    """
    if not any(name in event for name in _CAPITAL_NAMES):
        return event
    named: dict[str, Any] = _to_snake_case(event)
    inner = named.get("response")
    return inner if isinstance(inner, dict) else named


def _to_snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_snake_case(part) for part in value]
    if isinstance(value, Mapping):
        return {_CAPITAL.sub("_", str(name)).lower(): _to_snake_case(part) for name, part in value.items()}
    return value


def _chunk(
    text: object, marker: object = None, *, thoughts: str = "", usage: object = None, is_whole: bool = False
) -> dict[str, Any]:
    """Return a chunk; ``is_whole`` where the text holds all that came before it too."""
    message: dict[str, Any] = {"content": text}
    if thoughts:
        message["reasoning_content"] = thoughts
    chunk: dict[str, Any] = {"choices": [{"message" if is_whole else "delta": message, "finish_reason": marker}]}
    if usage:
        chunk["usage"] = usage
    return chunk


def _read_workers_ai(event: Event) -> dict[str, Any]:
    return _chunk(event["response"], usage=event.get("usage"))


def _read_qianfan(event: Event) -> dict[str, Any]:
    marker = "length" if event.get("is_truncated") else "stop"
    return _chunk(event["result"], marker if event.get("is_end", True) else None, usage=event.get("usage"))


def _read_dashscope(event: Event) -> dict[str, Any]:
    output = event["output"]
    return _chunk(output["text"], output.get("finish_reason"), usage=event.get("usage"), is_whole=True)


def _read_converse(event: Event) -> dict[str, Any]:
    parts = event["output"]["message"].get("content") or []
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    thoughts = [_at(part, "reasoningContent", "reasoningText", "text") or "" for part in parts]
    return _chunk("".join(texts), event.get("stopReason"), thoughts="".join(thoughts), usage=event.get("usage"))


def _read_llama_on_bedrock(event: Event) -> dict[str, Any]:
    return _chunk(event["generation"], event.get("stop_reason"))


def _read_titan(event: Event) -> dict[str, Any]:
    return _chunk(event["outputText"], event.get("completionReason"))


def _read_titan_in_one_piece(event: Event) -> dict[str, Any]:
    return _read_titan(event["results"][0])


def _read_watsonx(event: Event) -> dict[str, Any]:
    return _chunk(event["results"][0]["generated_text"], event["results"][0].get("stop_reason"))


def _read_mistral_on_bedrock(event: Event) -> dict[str, Any]:
    return _chunk(_at(event["outputs"][0], "text"), _at(event["outputs"][0], "stop_reason"))


def _read_cohere_on_bedrock(event: Event) -> dict[str, Any]:
    first = event["generations"][0]
    return _chunk(_at(first, "text"), _at(first, "finish_reason") or event.get("finish_reason"))


def _read_cohere_in_one_piece(event: Event) -> dict[str, Any]:
    return _chunk(event["text"], event.get("finish_reason"), usage=_at(event, "meta", "tokens"))


def _read_assistants(event: Event) -> dict[str, Any]:
    return _chunk(_at(event, "delta", "content"))


def _read_run(event: Event) -> dict[str, Any]:
    is_over = event.get("status") in {"completed", "incomplete", "failed", "cancelled", "expired"}
    return _chunk(None, event["status"] if is_over else None, usage=event.get("usage"))


def _has_text(name: str, *others: str) -> Callable[[Event], bool]:
    """Return a check that ``name`` holds a text, and that all of ``others`` are there."""
    return lambda event: isinstance(event.get(name), str) and all(other in event for other in others)


def _has_list(name: str, inner: str) -> Callable[[Event], bool]:
    """Return a check that ``name`` is a list whose first entry has ``inner``."""

    def has_list(event: Event) -> bool:
        value = event.get(name)
        return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and inner in value[0]

    return has_list


FORMATS: tuple[tuple[Callable[[Event], bool], Callable[[Event], dict[str, Any]]], ...] = (
    (lambda event: isinstance(_at(event, "output", "message", "content"), list), _read_converse),
    (lambda event: isinstance(_at(event, "output", "text"), str), _read_dashscope),
    (_has_text("generation"), _read_llama_on_bedrock),
    (_has_text("outputText"), _read_titan),
    (_has_list("results", "outputText"), _read_titan_in_one_piece),
    (_has_list("results", "generated_text"), _read_watsonx),
    (_has_list("outputs", "text"), _read_mistral_on_bedrock),
    (_has_list("generations", "text"), _read_cohere_on_bedrock),
    (_has_text("text", "generation_id"), _read_cohere_in_one_piece),
    (_has_text("result", "is_end"), _read_qianfan),
    (_has_text("result", "need_clear_history"), _read_qianfan),
    (_has_text("response"), _read_workers_ai),
    (lambda event: event.get("object") == "thread.message.delta", _read_assistants),
    (lambda event: event.get("object") == "thread.run", _read_run),
)
"""Formats, each as a check of an event and its reader; the first row that knows an event reads it."""


def _at(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
