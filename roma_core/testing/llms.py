"""Conformance class of providers of models."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, ClassVar

import pytest

from roma_core.errors import LLMError
from roma_core.llm.base import LLMRequest, Message, Provider, complete


class ProviderContract:
    """Conformance of a provider of models. Inherit it.

    Give the fixtures ``provider`` (that answers) and ``broken`` (that fails in mid-answer or before it).
    """

    request_to_ask: ClassVar[LLMRequest] = LLMRequest(
        messages=(Message(role="user", content="What colour is the sky today?"),)
    )

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
        deltas = [d async for d in provider.stream(self.request_to_ask)]
        assert [d.finish_reason for d in deltas] == [None] * (len(deltas) - 1) + ["stop"]
        assert all(d.text for d in deltas[:-1])
        assert deltas[-1].usage is not None
        assert deltas[-1].request_id

    async def test_the_same_request_gives_the_same_text_again(self, provider: Provider) -> None:
        first, second = await complete(provider, self.request_to_ask), await complete(provider, self.request_to_ask)
        assert first.text == second.text != ""

    async def test_a_stream_may_be_left_and_the_next_one_works(self, provider: Provider) -> None:
        stream: Any = provider.stream(self.request_to_ask)
        async with aclosing(stream):
            async for _ in stream:
                break
        assert (await complete(provider, self.request_to_ask)).finish_reason == "stop"

    async def test_a_failure_is_an_llm_error_and_never_a_finish_marker(self, broken: Provider) -> None:
        with pytest.raises(LLMError):
            await complete(broken, self.request_to_ask)

    async def test_closing_twice_does_no_harm(self, provider: Provider) -> None:
        await provider.aclose()
        await provider.aclose()
