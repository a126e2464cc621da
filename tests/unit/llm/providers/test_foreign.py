"""Answers in formats of their own become chunks of chat completions."""

from typing import Any

import pytest

from roma_core.llm.providers.foreign import to_chunk, with_usual_names
from roma_core.llm.providers.frames import read_json_like


@pytest.mark.parametrize(
    "event, text, marker",
    [
        ({"generation": "Yes.", "stop_reason": "stop"}, "Yes.", "stop"),
        ({"outputText": "Yes.", "completionReason": "FINISH"}, "Yes.", "FINISH"),
        ({"results": [{"outputText": "Yes.", "completionReason": "LENGTH"}]}, "Yes.", "LENGTH"),
        ({"generations": [{"text": "Yes.", "finish_reason": "COMPLETE"}]}, "Yes.", "COMPLETE"),
        ({"result": "Yes.", "is_end": False}, "Yes.", None),
        ({"result": "Yes.", "is_end": True, "is_truncated": True}, "Yes.", "length"),
        ({"response": "Yes."}, "Yes.", None),
    ],
)
def test_a_format_is_known_by_its_names(event: dict[str, Any], text: str, marker: str | None) -> None:
    chunk = to_chunk(event)
    assert chunk is not None
    (choice,) = chunk["choices"]
    assert (choice["delta"]["content"], choice["finish_reason"]) == (text, marker)


def test_text_that_holds_all_before_it_is_a_message() -> None:
    chunk = to_chunk({"output": {"text": "Yes, so far.", "finish_reason": "null"}})
    assert chunk is not None
    assert chunk["choices"][0]["message"] == {"content": "Yes, so far."}


@pytest.mark.parametrize("event", [{}, {"generation": None}, {"results": []}, {"result": {"a": 1}}, {"status": "ok"}])
def test_any_other_event_is_left_alone(event: dict[str, Any]) -> None:
    assert to_chunk(event) is None


def test_names_in_capitals_become_the_usual_ones() -> None:
    event = {"Response": {"Error": {"Code": "AuthFailure", "Message": "No."}, "RequestId": "r"}}
    assert with_usual_names(event) == {"error": {"code": "AuthFailure", "message": "No."}, "request_id": "r"}
    assert with_usual_names({"finishReason": "STOP"}) == {"finishReason": "STOP"}


@pytest.mark.parametrize("text", ["hello", "{'a': __import__('os')}", "b'", '{"a": 1}{"b"', "{'a'}{'b'}", "{" * 5000])
def test_what_is_not_nearly_json_is_nothing(text: str) -> None:
    assert read_json_like(text) is None
