"""Addresses as people write them, and the ladder of structured output."""

import json

import httpx2
import pytest
from pydantic import BaseModel, SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMRequest, Message, complete, complete_json
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.wire import Endpoint

ASK = LLMRequest(messages=(Message(role="system", content="Be brief."), Message(role="user", content="Plan it.")))


class Plan(BaseModel):
    step: str


class Server:
    """A transport that refuses the first requests and notes what was asked."""

    def __init__(self, *refusals: httpx2.Response, answer: dict[str, object] | None = None) -> None:
        self.refusals = list(refusals)
        self.answer = answer or {"choices": [{"message": {"content": '{"step": "a"}'}, "finish_reason": "stop"}]}
        self.requests: list[httpx2.Request] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.refusals.pop(0) if self.refusals else httpx2.Response(200, json=self.answer)

    @property
    def bodies(self) -> list[dict[str, object]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)


def refusal(message: str, status: int = 400) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": message}})


@pytest.mark.parametrize(
    ("address", "url", "query"),
    [
        (" https://host/v1/ ", "https://host/v1", ()),
        ("'https://host/v1'", "https://host/v1", ()),
        ("https://host/v1/chat/completions", "https://host/v1", ()),
        ("https://host//v1//", "https://host/v1", ()),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/d",
            (("api-version", "2024-10-21"),),
        ),
    ],
)
def test_an_address_is_understood_as_people_write_it(address: str, url: str, query: tuple[object, ...]) -> None:
    assert Endpoint.parse(address) == Endpoint(url, query)  # type: ignore[arg-type]


async def test_a_query_of_the_address_goes_with_each_call_and_azure_gets_its_header() -> None:
    server = Server()
    llm = OpenAILLM(
        "d",
        api_key=SecretStr("azure-key"),
        base_url="https://x.openai.azure.com/openai/deployments/d?api-version=1",
        headers={"X-Team": "search"},
        extra_body={"top_p": 0.5},
        transport=server.transport,
    )
    await complete(llm, ASK)
    (request,) = server.requests
    assert str(request.url) == "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"
    assert (request.headers["api-key"], request.headers["x-team"]) == ("azure-key", "search")
    assert server.bodies[0]["top_p"] == 0.5


@pytest.mark.parametrize(
    "message",
    [
        "This response_format type is unavailable now",
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
        "'response_format.type' must be 'json_schema' or 'text'",
        "The provided JSON schema contains features not supported by xgrammar.",
        "No endpoints found that can handle the requested parameters.",
        "json: cannot unmarshal object into Go struct field",
        "Failed to initialize samplers: failed to parse grammar",
    ],
)
async def test_any_refusal_of_a_schema_is_tried_one_rung_lower_and_remembered(message: str) -> None:
    server = Server(refusal(message, 404 if "endpoints" in message else 400))
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    for _ in range(2):
        assert (await complete_json(llm, ASK, Plan))[0] == Plan(step="a")
    kinds = [body["response_format"]["type"] for body in server.bodies]  # type: ignore[index]
    assert kinds == ["json_schema", "json_object", "json_object"]
    assert llm.traits["structured_output"] == "json_object"


async def test_the_ladder_goes_down_to_a_tool_and_to_words() -> None:
    call = {"function": {"name": "give_answer", "arguments": '{"step": "b"}'}}
    tool = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    server = Server(refusal("no schema"), refusal("no json mode"), answer=tool)
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    assert (await complete_json(llm, ASK, Plan))[0] == Plan(step="b")
    server = Server(refusal("no schema"), refusal("no json mode"), refusal("no tools"))
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    assert (await complete_json(llm, ASK, Plan))[0] == Plan(step="a")
    assert "JSON schema" in str(server.bodies[3]["messages"])
    assert llm.traits["structured_output"] == "words"


async def test_a_refusal_that_no_rung_helps_is_told_as_it_was_first_said_and_not_remembered() -> None:
    server = Server(*[refusal("The field seed is wrong.") for _ in range(4)])
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    with pytest.raises(LLMError) as caught:
        await complete_json(llm, ASK, Plan)
    assert caught.value.code is ErrorCode.LLM_BAD_REQUEST
    assert len(server.requests) == 4
    await complete_json(llm, ASK, Plan)
    assert server.bodies[-1]["response_format"]["type"] == "json_schema"  # type: ignore[index]


@pytest.mark.parametrize("status", [401, 402, 403, 413, 429])
async def test_a_refusal_about_something_else_costs_one_call(status: int) -> None:
    server = Server(refusal("no", status))
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    with pytest.raises(LLMError):
        await complete_json(llm, ASK, Plan)
    assert len(server.requests) == 1


async def test_a_model_without_a_system_role_reads_its_words_in_the_first_message() -> None:
    server = Server(refusal("System role not supported"))
    llm = OpenAILLM("m", base_url="http://127.0.0.1:9/v1", transport=server.transport)
    await complete(llm, ASK)
    assert server.bodies[1]["messages"] == [{"role": "user", "content": "Be brief.\n\nPlan it."}]


async def test_effort_and_room_for_thoughts_are_asked_for_in_the_way_of_each_vendor() -> None:
    server = Server()
    llm = OpenAILLM(
        "m", base_url="http://127.0.0.1:9/v1", transport=server.transport, thinking_tokens=2000, effort="low"
    )
    await complete(llm, ASK)
    assert (server.bodies[0]["reasoning_effort"], server.bodies[0]["max_tokens"]) == ("low", 3024)
    message = {"type": "message", "content": [{"type": "text", "text": "Hi."}], "stop_reason": "end_turn"}
    server = Server(answer=message)
    claude = AnthropicLLM("m", base_url="http://127.0.0.1:9", transport=server.transport, thinking_tokens=2000)
    await complete(claude, ASK)
    assert server.bodies[0]["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert (server.bodies[0]["max_tokens"], "temperature" in server.bodies[0]) == (3024, False)
