"""JSON in what models write: found, and mended where that is safe."""

import json

import pytest

from roma_core.llm.structured import json_body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here it is: {"a": {"b": 2}}. Anything else?', {"a": {"b": 2}}),
        ('An example is {"x": 0}. The answer: {"a": [1, 2, 3]}', {"a": [1, 2, 3]}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": "one, }", "b": 2,}', {"a": "one, }", "b": 2}),
        ('{"a": True, "b": None}', {"a": True, "b": None}),
        ('{"a": 1 // the first\n}', {"a": 1}),
        ("{“a”: 1}", {"a": 1}),
        ('{"a": [{"b": 1}', {"a": [{"b": 1}]}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('{"a": "True and // None"}', {"a": "True and // None"}),
    ],
)
def test_the_object_is_read(text: str, value: dict[str, object]) -> None:
    assert json.loads(json_body(text)) == value


@pytest.mark.parametrize("text", ["", "no object", "{", '{"a": }', "[1, 2]", "{a: 1}"])
def test_what_is_no_object_stays_what_it_is(text: str) -> None:
    assert json_body(text) == text or json_body(text) == "{}"
