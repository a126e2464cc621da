"""The scripted provider does what its script says, and the folds notice what is wrong with a stream."""

import asyncio
from contextlib import aclosing

import pytest
from pydantic import BaseModel

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLMRequest, Message, complete, complete_json
from roma_core.llm.providers.fake import FakeLLM, Reply, least_instance
from roma_core.llm.structured import json_body

ASK = LLMRequest(messages=(Message(role="user", content="say a word"),))


class Plan(BaseModel):
    questions: list[str]
    depth: int = 1


async def test_words_stream_one_by_one_and_add_up() -> None:
    llm = FakeLLM(["one  two\nthree "])
    pieces = [d async for d in llm.stream(ASK)]
    assert [p.text for p in pieces] == ["one", "  two", "\nthree ", ""]
    assert pieces[-1].usage is not None
    assert (pieces[-1].finish_reason, pieces[-1].usage.input_tokens, pieces[-1].usage.output_tokens) == ("stop", 3, 3)
    assert (llm.calls, llm.requests) == (1, [ASK])


async def test_the_queue_comes_first_then_the_rule() -> None:
    llm = FakeLLM(["first"], rule=lambda r: f"echo {r.messages[-1].content}")
    assert [(await complete(llm, ASK)).text for _ in range(2)] == ["first", "echo say a word"]


async def test_a_cut_stream_is_a_failure_and_not_an_answer() -> None:
    with pytest.raises(LLMError) as caught:
        await complete(FakeLLM([Reply("half an", finish_reason=None)]), ASK)
    assert caught.value.code is ErrorCode.LLM_TRUNCATED


async def test_an_error_comes_after_as_many_words_as_asked() -> None:
    llm = FakeLLM([Reply("one two three", error=LLMError("down"), error_after_words=2)])
    seen: list[str] = []
    with pytest.raises(LLMError, match="down"):
        async for delta in llm.stream(ASK):
            seen.append(delta.text)
    assert seen == ["one", " two"]


async def test_leaving_a_stream_early_is_counted() -> None:
    llm = FakeLLM([Reply("one two three"), Reply("slow", first_token_wait_s=60)])
    async with aclosing(llm.stream(ASK)) as stream:  # type: ignore[type-var]
        async for _ in stream:
            break
    assert llm.closed == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(complete(llm, ASK), 0.01)
    assert llm.closed == 2


async def test_structured_answers_are_read_from_fences_and_sentences() -> None:
    llm = FakeLLM(['Sure:\n```json\n{"questions": ["a"]}\n```'])
    plan, response = await complete_json(llm, ASK, Plan)
    assert plan == Plan(questions=["a"])
    assert response.usage.calls == 1
    assert llm.requests[0].json_schema == Plan.model_json_schema()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply("no json here"), ErrorCode.LLM_MALFORMED),
        (Reply('{"questions": 3}'), ErrorCode.LLM_MALFORMED),
        (Reply("I won't", finish_reason="refusal"), ErrorCode.LLM_REFUSED),
        (Reply('{"questions": ["a', finish_reason="length"), ErrorCode.LLM_TRUNCATED),
    ],
)
async def test_a_structured_answer_that_cannot_be_used_is_a_typed_failure(reply: Reply, code: ErrorCode) -> None:
    with pytest.raises(LLMError) as caught:
        await complete_json(FakeLLM([reply]), ASK, Plan)
    assert caught.value.code is code
    assert "no json" not in str(caught.value.details)


async def test_by_default_it_answers_from_the_first_passage_or_with_the_least_instance() -> None:
    assert (await complete(FakeLLM(), ASK)).text == I_DONT_KNOW
    assert (await complete_json(FakeLLM(), ASK, Plan))[0] == Plan(questions=[])


def test_least_instances_follow_the_schema() -> None:
    schema = {
        "$defs": {"G": {"enum": ["x", "y"]}},
        "type": "object",
        "properties": {
            "g": {"$ref": "#/$defs/G"},
            "n": {"type": "integer", "minimum": 2},
            "s": {"type": "string", "minLength": 1},
            "l": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
            "o": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "z": {"type": "null"},
        },
        "required": ["g", "n", "s", "l", "o", "z"],
    }
    assert least_instance(schema) == {"g": "x", "n": 2, "s": "x", "l": [False, False], "o": 0, "z": None}


def test_json_body_leaves_text_without_an_object_alone() -> None:
    assert json_body("[1]") == "[1]"
    assert json_body('a {"b": {}} c') == '{"b": {}}'
