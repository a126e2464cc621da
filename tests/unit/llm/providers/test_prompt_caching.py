"""Vendors' prompt caches: asked for where it pays, priced, and shown in the usage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.control.pricing import Price, Prices
from roma_core.llm.providers import wire
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.llm.service import LLMService
from roma_core.types import Usage

LONG = "Answer from the passages alone, and cite each of them. " * 100


def request(question: str, instructions: str = LONG) -> LLMRequest:
    return LLMRequest(
        messages=(Message(role="system", content=instructions), Message(role="user", content=question)),
        max_output_tokens=16,
    )


def has_mark(asked: Asked) -> bool:
    return "cache_control" in json.dumps(asked.body)


async def asked_by(*requests: LLMRequest) -> list[Asked]:
    async with FakeModelServer(lambda asked: Script("blue")).running() as server:
        llm = LLMService([AnthropicLLM("claude-sonnet-5-5", base_url=server.url)])
        for each in requests:
            assert (await llm.complete(each)).text == "blue"
        await llm.close()
    return server.asked


async def test_instructions_that_come_again_are_marked_from_the_second_time_on() -> None:
    first, second, third = await asked_by(request("a"), request("b"), request("c"))
    assert not has_mark(first)
    for asked in (second, third):
        (block,) = asked.body["system"]
        assert block == {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}


async def test_a_whole_prompt_that_is_drawn_again_is_marked_at_its_end() -> None:
    _, second = await asked_by(request("a"), request("a"))
    (part,) = second.body["messages"][-1]["content"]
    assert part == {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}


async def test_short_and_other_instructions_are_not_marked() -> None:
    asked = await asked_by(
        request("a", "Be brief."), request("b", "Be brief."), request("a", f"1 {LONG}"), request("b")
    )
    assert not any(map(has_mark, asked))


async def test_what_was_sent_too_long_ago_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 400))
    monkeypatch.setattr(wire.time, "monotonic", lambda: float(next(clock)))
    prefixes = wire.PromptPrefixes(least_tokens=1)
    prefixes.note("some words")
    assert not prefixes.pays("some words")


async def test_a_server_that_refuses_the_mark_is_asked_without_it() -> None:
    def rule(asked: Asked) -> Script:
        if has_mark(asked):
            return Script(status=400, error={"message": "system.0.cache_control: Extra inputs are not permitted"})
        return Script("blue")

    async with FakeModelServer(rule).running() as server:
        llm = LLMService([AnthropicLLM("m", base_url=server.url)])
        for question in "abcd":
            assert (await llm.complete(request(question))).text == "blue"
        await llm.close()
    assert [has_mark(asked) for asked in server.asked] == [False, True, False, False, False]


def anthropic_reply(**usage: int) -> Script:
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "blue"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 100, "output_tokens": 1, **usage},
    }
    return Script(raw=json.dumps(message).encode())


async def test_what_was_written_and_read_is_in_the_usage_at_its_price() -> None:
    replies = [anthropic_reply(cache_creation_input_tokens=2000), anthropic_reply(cache_read_input_tokens=2000)]
    price = Price.model_validate({"input_usd": 10, "output_usd": 0, "cached_usd": 1, "cache_write_usd": 12.5})
    async with FakeModelServer(replies).running() as server:
        prices = Prices({"anthropic:m": price})
        llm = LLMService([AnthropicLLM("m", base_url=server.url)], prices=prices)
        written, read = [(await llm.complete(request(question))).usage for question in "ab"]
        await llm.close()
    assert (written.input_tokens, written.cached_tokens, written.cache_written_tokens) == (2100, 0, 2000)
    assert (read.input_tokens, read.cached_tokens, read.cache_written_tokens) == (2100, 2000, 0)
    assert written.cost_usd == pytest.approx((100 * 10 + 2000 * 12.5) / 1e6)
    assert read.cost_usd == pytest.approx((100 * 10 + 2000 * 1) / 1e6)


async def test_openais_own_caching_is_in_the_usage_at_its_price() -> None:
    async with FakeModelServer(lambda asked: Script("blue")).running() as server:
        llm = LLMService([OpenAILLM("gpt-4o", base_url=f"{server.url}/v1")])
        usage = (await llm.complete(request("a"))).usage
        await llm.close()
    assert usage.cached_tokens == 4
    plain = Prices().cost_usd("openai", "gpt-4o", usage.model_copy(update={"cached_tokens": 0}))
    assert usage.cost_usd is not None and plain is not None and usage.cost_usd < plain


def test_listed_prices_know_the_price_of_writing() -> None:
    prices, million = Prices(), 1_000_000
    plain = prices.cost_usd("anthropic", "claude-sonnet-5-5", Usage(input_tokens=million))
    written = prices.cost_usd(
        "anthropic", "claude-sonnet-5-5", Usage(input_tokens=million, cache_written_tokens=million)
    )
    assert plain is not None and written is not None and written > plain
    assert prices.worst_usd("anthropic", "claude-sonnet-5-5", million, 0) == written
