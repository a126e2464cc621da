"""What every provider owes: one conformance class for the scripted and the real ones."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from roma_core.errors import LLMError
from roma_core.llm.base import LLMRequest, Message, Provider, complete
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import FakeModelServer, Script

ASK = LLMRequest(messages=(Message(role="user", content="What colour is the sky today?"),))


class ProviderContract:
    """Inherit, and give ``provider`` (that answers) and ``broken`` (that fails in mid-answer or before it)."""

    @pytest.fixture
    def provider(self) -> Provider:
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Provider:
        raise NotImplementedError

    async def test_it_is_named_and_fingerprinted(self, provider: Provider) -> None:
        assert provider.name
        assert provider.fingerprint
        assert provider.endpoint

    async def test_only_the_last_delta_carries_the_finish_marker(self, provider: Provider) -> None:
        deltas = [d async for d in provider.stream(ASK)]
        assert [d.finish_reason for d in deltas] == [None] * (len(deltas) - 1) + ["stop"]
        assert all(d.text for d in deltas[:-1])
        assert deltas[-1].usage is not None
        assert deltas[-1].request_id

    async def test_the_same_request_gives_the_same_text_again(self, provider: Provider) -> None:
        first, second = await complete(provider, ASK), await complete(provider, ASK)
        assert first.text == second.text != ""

    async def test_a_stream_may_be_left_and_the_next_one_works(self, provider: Provider) -> None:
        stream: Any = provider.stream(ASK)
        async with aclosing(stream):
            async for _ in stream:
                break
        assert (await complete(provider, ASK)).finish_reason == "stop"

    async def test_a_failure_is_an_llm_error_and_never_a_finish_marker(self, broken: Provider) -> None:
        with pytest.raises(LLMError):
            await complete(broken, ASK)

    async def test_closing_twice_does_no_harm(self, provider: Provider) -> None:
        await provider.aclose()
        await provider.aclose()


class TestFake(ProviderContract):
    @pytest.fixture
    def provider(self) -> Provider:
        return FakeLLM()

    @pytest.fixture
    def broken(self) -> Provider:
        return FakeLLM([Reply("half an", finish_reason=None)])


@pytest.fixture
async def server() -> AsyncIterator[FakeModelServer]:
    async with FakeModelServer(lambda a: Script("The sky is blue.")).running() as running:
        yield running


@pytest.fixture
async def cutting_server() -> AsyncIterator[FakeModelServer]:
    async with FakeModelServer(lambda a: Script("The sky is", end="cut", end_after_words=2)).running() as running:
        yield running


class TestOpenAI(ProviderContract):
    @pytest.fixture
    async def provider(self, server: FakeModelServer) -> AsyncIterator[Provider]:
        llm = OpenAILLM(base_url=f"{server.url}/v1")
        yield llm
        await llm.aclose()

    @pytest.fixture
    async def broken(self, cutting_server: FakeModelServer) -> AsyncIterator[Provider]:
        llm = OpenAILLM(base_url=f"{cutting_server.url}/v1")
        yield llm
        await llm.aclose()


class TestAnthropic(ProviderContract):
    @pytest.fixture
    async def provider(self, server: FakeModelServer) -> AsyncIterator[Provider]:
        llm = AnthropicLLM(base_url=server.url)
        yield llm
        await llm.aclose()

    @pytest.fixture
    async def broken(self, cutting_server: FakeModelServer) -> AsyncIterator[Provider]:
        llm = AnthropicLLM(base_url=cutting_server.url)
        yield llm
        await llm.aclose()
