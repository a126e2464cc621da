"""What every provider owes: one conformance class for the scripted and the real ones."""

from collections.abc import AsyncIterator

import pytest

from roma_core.llm.base import LLMRequest, Message, Provider
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.testing import ProviderContract

ASK = LLMRequest(messages=(Message(role="user", content="What colour is the sky today?"),))


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
