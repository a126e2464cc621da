"""Errors of servers: each message says what to do, and keeps the vendor's sentence without what is private."""

import re

import pytest

from roma_core.errors import ErrorCode
from roma_core.llm.providers.faults import fault, from_response, quotable, read_error, rejected_parameter
from roma_core.llm.providers.meanings import ADVICE, DEFAULT_ADVICE, MEANINGS, Advice, meaning_of

TO_DO = re.compile(r"\b(?:set|check|ask|try|use|lower|raise|pull|load|add|put|name|give)\b", re.IGNORECASE)
NAMES = ("temperature", "stream_options", "max_completion_tokens", "reasoning_effort", "stop", "system_role", "stream")


@pytest.mark.parametrize("advice", ADVICE)
def test_each_message_says_what_to_do(advice: Advice) -> None:
    message = fault("openai:m", ErrorCode.LLM_UNAVAILABLE, advice=advice).message
    what, _, to_do = message.partition("; ")
    assert TO_DO.search(to_do), message
    assert "openai:m" in what
    assert message.endswith(".")


def test_each_code_and_each_row_has_an_advice() -> None:
    codes = {code for code in ErrorCode if code.value.startswith("ERR_LLM_")}
    assert codes - set(DEFAULT_ADVICE) == {ErrorCode.LLM_BUDGET, ErrorCode.LLM_EMPTY}
    assert all((meaning.advice or DEFAULT_ADVICE[meaning.code]) in ADVICE for meaning in MEANINGS)


def test_each_row_is_reached() -> None:
    """A row whose pattern or words another row above takes for another meaning says nothing."""
    for meaning in MEANINGS:
        status = min(meaning.statuses, default=400)
        for word in meaning.words:
            first = meaning_of(status, frozenset({word}), "")
            assert first is not None
            assert first.code is meaning.code, (word, first)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Unrecognized request argument supplied: stream_options", "stream_options"),
        ("'stream_options' : property 'stream_options' is unsupported", "stream_options"),
        ('Invalid JSON payload received. Unknown name "stream_options": Cannot find field.', "stream_options"),
        ("Model x does not support parameter reasoningEffort.", "reasoning_effort"),
        ("Argument not supported on this model: stop", "stop"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("got an unexpected keyword argument 'max_completion_tokens'", "max_completion_tokens"),
        ("Additional properties are not allowed ('stream_options' was unexpected)", "stream_options"),
        ("reasoning_effort is not a valid parameter for this model", "reasoning_effort"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
        ("Malformed input request: #: extraneous key [temperature] is not permitted", "temperature"),
        ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "system_role"),
        ('"m" does not support thinking', "reasoning_effort"),
        ("Reasoning effort is not supported by this model", "reasoning_effort"),
        ("think value 'low' is not supported for this model", "reasoning_effort"),
        ("Invalid value: 'reasoning_effort'. Supported values are: 'low' and 'high'.", "reasoning_effort"),
        ("Stream options can only be defined when `stream=True`.", "stream_options"),
        ("This model does not support streaming responses.", "stream"),
        ("The parameter is invalid. Please check again: stop", "stop"),
        ("Unable to submit request because the 'stop_sequences' field is not supported", "stop"),
        ("Only user, assistant roles are supported, got: system", "system_role"),
        ("Developer instruction is not enabled for models/gemma-3", "system_role"),
        ("System role not supported", "system_role"),
        ("This model's maximum context length is 4096 tokens, temperature is not supported", None),
        ("max_completion_tokens is too large: 90000.", None),
        ("Something else is unsupported.", None),
    ],
)
def test_the_parameter_that_is_rejected_is_found(message: str, name: str | None) -> None:
    assert rejected_parameter({"error": {"message": message}}, NAMES) == name


def test_fields_that_a_validator_names_are_found() -> None:
    detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
    assert rejected_parameter({"detail": detail}, NAMES) == "stream_options"


def test_a_sentence_is_quoted_without_what_is_private() -> None:
    prompt = "The moon pulls the water of the sea towards itself."
    said = (
        "Key sk-live-0123456789 and 10.0.0.7 at http://inner:8000/v1: The moon pulls the water of the sea. Mail a@b.org"
    )
    shown = quotable(said, ("sk-live-0123456789", prompt))
    for private in ("0123456789", "10.0.0.7", "inner:8000", "pulls the water", "a@b.org"):
        assert private not in shown
    assert shown.startswith("Key ")


def test_a_long_sentence_is_cut() -> None:
    assert len(quotable("word " * 500)) <= 200


def test_a_sentence_is_found_wherever_it_stands() -> None:
    bodies: list[object] = [
        {"error": {"message": "no"}},
        {"error": "no"},
        {"message": "no"},
        {"detail": "no"},
        {"detail": [{"msg": "no"}]},
        [{"error": {"message": "no"}}],
        {"errors": [{"message": "no"}]},
        {"error": {"message": '{"error": {"message": "no"}}'}},
        "no",
    ]
    assert [read_error(body).sentence for body in bodies] == ["no"] * len(bodies)


def test_an_unknown_error_is_told_by_its_status() -> None:
    assert from_response("s", 418, {"error": "?"}, {}).code is ErrorCode.LLM_BAD_REQUEST
    assert from_response("s", 503, "?", {}).code is ErrorCode.LLM_UNAVAILABLE
    assert from_response("s", 200, {"error": {"code": 401}}, {}).code is ErrorCode.LLM_AUTH
