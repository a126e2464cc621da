"""Thinking models, crowds and servers that cut prompts: what counts against which limit, and what is said."""

import asyncio
import json

import pytest
from pydantic import BaseModel

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMDelta, LLMRequest, LLMResponse, Message, complete_json
from roma_core.llm.control.budget import Budgets
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.llm.service import Limits, LLMService
from roma_core.types import Usage
from tests.fakes.clock import run_at_once

ASK = LLMRequest(messages=(Message(role="user", content="Say hello."),))


def sse(*deltas: dict[str, object], finish: str = "stop", usage: dict[str, object] | None = None) -> bytes:
    """Return a stream of chat completions as bytes."""
    events: list[dict[str, object]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    last: dict[str, object] = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    events.append(last | ({"usage": usage} if usage else {}))
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def stream(body: bytes) -> Script:
    return Script(raw=body, media_type="text/event-stream")


async def failure(service: LLMService) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await service.complete(ASK)
    return caught.value


# --- thoughts ---


async def test_thoughts_are_deltas_of_their_own_and_no_part_of_the_answer() -> None:
    service = LLMService([FakeLLM([Reply("Hello there.", thoughts="Let me see.")])])
    deltas = [delta async for delta in service.stream(ASK)]
    assert "".join(delta.reasoning for delta in deltas) == "Let me see."
    assert "".join(delta.text for delta in deltas) == "Hello there."


def test_thinking_counts_neither_as_silence_nor_as_time_of_the_answer() -> None:
    slow = Reply("Hello.", thoughts="one two three four five six", word_wait_s=0.05)
    service = LLMService([FakeLLM([slow])], limits=Limits(first_token_s=0.15, total_s=0.15))
    assert run_at_once(service.complete(ASK)).text == "Hello."


def test_thinking_has_a_limit_of_its_own() -> None:
    endless = Reply("Hello.", thoughts="one two three four five six", word_wait_s=0.05)
    error = run_at_once(failure(LLMService([FakeLLM([endless])], limits=Limits(thinking_s=0.12))))
    assert error.code is ErrorCode.LLM_TIMEOUT
    assert "raise ROMA_LLM_THINKING_S or lower ROMA_LLM_EFFORT" in error.message


async def test_what_a_server_sends_before_its_first_token_is_a_sign_of_life() -> None:
    seen = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for _ in range(3):
            writer.write(b": loading\n\n")
            await seen.acquire()
        writer.write(sse({"content": "Hello."}))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    llm = OpenAILLM("m", base_url=f"http://{host}:{port}/v1")
    deltas = []
    async for delta in llm.stream(ASK):
        deltas.append(delta)
        seen.release()
    await llm.aclose()
    server.close()
    assert deltas[:3] == [LLMDelta()] * 3
    assert "".join(delta.text for delta in deltas) == "Hello."


def test_a_model_that_shows_life_before_its_first_token_is_waited_for() -> None:
    class Loading(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            for _ in range(6):
                await asyncio.sleep(1.0)
                yield LLMDelta()
            async for delta in super().stream(request):
                yield delta

    service = LLMService([Loading(["Hello."])], limits=Limits(first_token_s=1.5))
    assert run_at_once(service.complete(ASK)).text == "Hello."


@pytest.mark.parametrize("shown", [True, False])
async def test_thoughts_that_use_up_the_limit_are_given_room_once(shown: bool) -> None:
    used = {"prompt_tokens": 9, "completion_tokens": 1024, "completion_tokens_details": {"reasoning_tokens": 1024}}
    thoughts: list[dict[str, object]] = [{"reasoning_content": "Hm"}] if shown else []
    bodies = [sse(*thoughts, finish="length", usage=used), sse(*thoughts, {"content": "Hello."})]
    async with FakeModelServer([stream(body) for body in bodies]).running() as server:
        service = LLMService([OpenAILLM("m", base_url=f"{server.url}/v1")])
        answer = await service.complete(ASK)
        await service.close()
    assert (answer.text, answer.usage.reasoning_tokens) == ("Hello.", 1024)
    assert [asked.body["max_tokens"] for asked in server.asked] == [1024, 1024 + 4096]


async def test_thoughts_that_never_end_say_what_to_raise() -> None:
    cut = sse({"reasoning_content": "Hm"}, finish="length")
    async with FakeModelServer(lambda asked: stream(cut)).running() as server:
        service = LLMService([OpenAILLM("m", base_url=f"{server.url}/v1")])
        error = await failure(service)
        await service.close()
    assert (error.code, len(server.asked)) == (ErrorCode.LLM_EMPTY, 2)
    assert "raise ROMA_LLM_THINKING_TOKENS" in error.message


async def test_room_for_thoughts_is_part_of_what_a_budget_reserves() -> None:
    budgets = Budgets(run_usd=0.012)  # 1 024 tokens of gpt-4o cost 0.01, with 4 096 more 0.05
    reply = stream(sse({"content": "Hello."}))
    async with FakeModelServer(lambda asked: reply).running() as server:
        llm = OpenAILLM("gpt-4o", base_url=f"{server.url}/v1", thinking_tokens=4096)
        error = await failure(LLMService([llm], budgets=budgets))
        assert (error.code, server.asked) == (ErrorCode.LLM_BUDGET, [])
        await llm.aclose()


# --- crowds ---


def test_sixty_users_at_once_are_all_answered_by_the_model() -> None:
    """As many as the defaults let wait: a server that answers slowly, and a fallback that must not be needed."""
    running = most = 0

    def rule(request: LLMRequest) -> Reply:
        return Reply("Hello from the model.", word_wait_s=5.0)

    class Counting(FakeLLM):
        async def stream(self, request: LLMRequest):  # type: ignore[no-untyped-def, override]
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                async for delta in super().stream(request):
                    yield delta
            finally:
                running -= 1

    async def ask_all() -> list[LLMResponse]:
        return await asyncio.gather(*(service.complete(ASK) for _ in range(60)))

    model, other = Counting(rule=rule, name="openai:m"), FakeLLM(name="fake:other")
    service = LLMService([model, other])
    answers = run_at_once(ask_all())
    assert [answer.text for answer in answers] == ["Hello from the model."] * 60
    assert (most, other.calls) == (Limits().max_concurrency, 0)


def test_waiting_has_its_own_bound_and_says_so() -> None:
    slow = FakeLLM(rule=lambda request: Reply("one two three", word_wait_s=0.2), name="openai:m")
    service = LLMService([slow], limits=Limits(max_concurrency=1, queue_s=0.1))

    async def ask_twice() -> list[object]:
        return await asyncio.gather(*(service.complete(ASK) for _ in range(2)), return_exceptions=True)

    results = run_at_once(ask_twice())
    (error,) = [result for result in results if isinstance(result, LLMError)]
    assert error.code is ErrorCode.LLM_RATE_LIMIT
    assert "raise ROMA_LLM_MAX_CONCURRENCY or ROMA_LLM_QUEUE_S" in error.message
    assert "1 calls to openai are running" in error.message


# --- prompts that are cut ---


async def test_a_prompt_that_the_server_cuts_in_silence_is_found_out() -> None:
    long = ASK.model_copy(update={"messages": (Message(role="user", content="The moon pulls the water. " * 100),)})
    counted = iter([620, 30])

    def rule(asked: Asked) -> Script:
        return stream(sse({"content": "Hello."}, usage={"prompt_tokens": next(counted), "completion_tokens": 2}))

    async with FakeModelServer(rule).running() as server:
        service = LLMService([OpenAILLM("m", base_url=f"{server.url}/v1")])
        whole = await service.complete(long)
        cut = await service.complete(long)
        health = await service.health()
        await service.close()
    assert "part" not in whole.reason
    assert "counted 30 tokens for a prompt of 2600 characters, so it has read only a part" in cut.reason
    assert (health.state, "read only a part of 1 prompts" in health.reason) == ("degraded", True)


# --- work beside the answer ---


class Plan(BaseModel):
    step: str


async def test_plans_that_fail_three_times_in_a_row_degrade_health_until_one_succeeds() -> None:
    replies = ["no plan", "no plan", "no plan", '{"step": "a"}']
    service = LLMService([FakeLLM(replies)])
    plan = ASK.model_copy(update={"purpose": "plan"})
    for number in range(3):
        assert (await service.health()).state == "ok", number
        with pytest.raises(LLMError):
            await complete_json(service, plan, Plan)
    health = await service.health()
    assert (health.state, service.trouble("plan") in health.reason) == ("degraded", True)
    assert health.reason.startswith("plan failed at least 3 times in a row: ")
    await complete_json(service, plan, Plan)
    assert ((await service.health()).state, service.trouble("plan")) == ("ok", "")


async def test_what_the_model_has_shown_is_in_the_health_report() -> None:
    reply = stream(sse({"reasoning_content": "Hm"}, {"content": "Hello."}, {"body": "lost"}))
    async with FakeModelServer(lambda asked: reply).running() as server:
        service = LLMService([OpenAILLM("m", base_url=f"{server.url}/v1")])
        await service.complete(ASK)
        details = (await service.health()).details
        await service.close()
    assert details["traits"]["openai:m"]["thinks"] is True
    assert details["unread_bytes"]["openai:m"] > 0


async def test_every_call_is_counted_in_the_account_of_the_workspace(tmp_path) -> None:  # type: ignore[no-untyped-def]
    usage = Usage(calls=1, input_tokens=10, output_tokens=30, reasoning_tokens=20)
    budgets = Budgets(tmp_path / "b.sqlite")
    service = LLMService([FakeLLM([Reply("Hi.", usage=usage)], name="openai:gpt-4o")], budgets=budgets)
    await service.complete(ASK)
    (row,) = service.spending.rows("day", by="model")
    assert (row.name, row.calls, row.reasoning_tokens) == ("openai:gpt-4o", 1, 20)
    assert 0 < row.reasoning_usd < row.cost_usd
    await service.close()
