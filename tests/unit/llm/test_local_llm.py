"""A real model behind a real server on loopback, driven by both real SDKs through the adapters.

The model has 135 million parameters and talks nonsense: what is tested is the way there and back, never the content.
"""

from typing import Any

import pytest
from pydantic import BaseModel

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMRequest, Message, complete
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.service import Limits, LLMService
from roma_core.types import Usage

pytestmark = pytest.mark.local_llm

ASK = LLMRequest(
    messages=(Message(role="system", content="You are brief."), Message(role="user", content="Name a colour.")),
    max_output_tokens=16,
)
PATIENT = Limits(first_token_s=60, total_s=120)


@pytest.fixture(params=["openai", "anthropic"])
async def service(request: pytest.FixtureRequest, local_llm: str) -> Any:
    slow = {"first_token_s": 60.0, "stall_s": 60.0}
    provider: Any = (
        OpenAILLM("smollm2-135m", base_url=f"{local_llm}/v1", **slow)
        if request.param == "openai"
        else AnthropicLLM("smollm2-135m", base_url=local_llm, **slow)
    )
    made = LLMService([provider], limits=PATIENT)
    yield made
    await made.close()


async def test_a_real_model_streams_with_usage(service: LLMService) -> None:
    deltas = [d async for d in service.stream(ASK)]
    last = deltas[-1]
    assert len(deltas) > 2
    assert last.finish_reason in {"stop", "length"}
    assert last.usage is not None
    assert not last.usage.estimated
    assert last.usage.input_tokens > 5
    assert 0 < last.usage.output_tokens <= 16
    assert last.usage.cost_usd is None  # nobody lists a price for it


async def test_the_same_question_gets_the_same_answer(service: LLMService) -> None:
    first, second = await service.complete(ASK), await service.complete(ASK)
    assert first.text == second.text != ""


async def test_a_limit_of_tokens_is_kept_and_said(service: LLMService) -> None:
    story = Message(role="user", content="Tell a very long story about the sea.")
    answer = await service.complete(ASK.model_copy(update={"messages": (story,), "max_output_tokens": 4}))
    assert (answer.finish_reason, answer.usage.output_tokens) == ("length", 4)


async def test_a_prompt_that_is_too_long_is_named_as_such(service: LLMService) -> None:
    long = Message(role="user", content="colour " * 6000)
    with pytest.raises(LLMError) as caught:
        await service.complete(ASK.model_copy(update={"messages": (long,)}))
    assert caught.value.code is ErrorCode.LLM_CONTEXT_LENGTH


async def test_structured_output_is_held_to_its_schema(local_llm: str) -> None:
    class Colour(BaseModel):
        colour: str
        warm: bool

    llm = LLMService([OpenAILLM("smollm2-135m", base_url=f"{local_llm}/v1", first_token_s=60)], limits=PATIENT)
    value, response = await llm.complete_json(ASK.model_copy(update={"max_output_tokens": 200}), Colour)
    await llm.close()
    assert isinstance(value, Colour)
    assert response.usage != Usage()


async def test_leaving_a_real_stream_leaves_the_server_usable(service: LLMService) -> None:
    story = ASK.model_copy(update={"max_output_tokens": 200})
    async for _ in service.stream(story):
        break
    assert (await service.complete(ASK)).text


async def test_adapters_alone_work_without_the_service(local_llm: str) -> None:
    llm = AnthropicLLM("smollm2-135m", base_url=f"{local_llm}/v1", first_token_s=60)
    assert (await complete(llm, ASK)).text
    await llm.aclose()
