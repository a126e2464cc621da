"""From settings to a service: which provider, which key goes where, and what is said about it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from roma_core.errors import ConfigError, LLMError
from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.build import build_llm, make_provider, writer_names
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.settings import Settings, choose_vendor

KEY = SecretStr("sk-1")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(**values: Any) -> Settings:
    return Settings(**values)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("values", "vendor", "why"),
    [
        ({}, "extractive", "no key"),
        ({"llm_provider": "fake"}, "fake", "configured"),
        ({"llm_api_key": KEY}, "openai", "LLM_API_KEY"),
        ({"llm_api_key": SecretStr("sk-ant-1")}, "anthropic", "LLM_API_KEY"),
        ({"llm_api_key": KEY, "llm_model": "claude-opus-3"}, "anthropic", "LLM_API_KEY"),
        ({"llm_base_url": "http://127.0.0.1:1/v1"}, "openai", "LLM_BASE_URL"),
        ({"openai_api_key": KEY}, "openai", "OPENAI_API_KEY"),
        ({"anthropic_api_key": KEY}, "anthropic", "ANTHROPIC_API_KEY"),
        ({"openai_api_key": KEY, "anthropic_api_key": KEY}, "openai", "OPENAI_API_KEY"),
        ({"openai_api_key": KEY, "anthropic_api_key": KEY, "llm_model": "claude-x"}, "anthropic", "ANTHROPIC_API_KEY"),
    ],
)
def test_auto_takes_the_first_that_has_a_key_and_says_why(values: dict[str, Any], vendor: str, why: str) -> None:
    chosen, reason = choose_vendor(settings(**values))
    assert chosen == vendor
    assert why in reason


async def test_the_default_has_no_model_and_says_that_answers_are_quoted() -> None:
    service = build_llm(settings())
    assert service.name == ""
    health = await service.health()
    assert (health.state, "quoted from the sources" in health.reason) == ("ok", True)
    await service.close()


async def test_fallbacks_follow_in_order() -> None:
    service = build_llm(
        settings(
            llm_provider="openai", llm_model="gpt-4o", llm_api_key=KEY, llm_fallbacks="openai:gpt-4o-mini,extractive"
        )
    )
    health = await service.health()
    assert list(health.details["breakers"]) == ["openai:gpt-4o", "openai:gpt-4o-mini"]
    assert service.name == "openai:gpt-4o"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, ("extractive",)),
        ({"llm_provider": "extractive", "llm_model": "x"}, ("extractive",)),
        ({"llm_provider": "openai", "llm_api_key": KEY}, ("openai", "extractive")),
        ({"llm_provider": "openai", "llm_api_key": KEY, "llm_fallbacks": "none"}, ("openai",)),
        (
            {"llm_provider": "extractive", "llm_fallbacks": "openai:x"},
            ("extractive", "openai:x"),
        ),
        ({"llm_provider": "fake", "llm_fallbacks": "fake,extractive"}, ("fake", "extractive")),
    ],
)
def test_writers_are_named_by_provider_and_fallbacks(values: dict[str, Any], names: tuple[str, ...]) -> None:
    assert writer_names(settings(**values))[0] == names


async def test_without_a_model_a_request_is_refused_with_what_to_set() -> None:
    with pytest.raises(LLMError, match="LLM_PROVIDER"):
        await build_llm(settings()).complete(LLMRequest(messages=(Message(role="user", content="hi"),)))


async def test_the_fake_answers_through_the_whole_service() -> None:
    service = build_llm(settings(llm_provider="fake"))
    request = LLMRequest(messages=(Message(role="user", content="hi"),))
    assert (await service.complete(request)).provider == "fake"
    assert (await service.complete(request)).cached
    await service.close()


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_missing_key_is_one_clear_line(vendor: Any) -> None:
    with pytest.raises(ConfigError, match=f"LLM_API_KEY.*{vendor.upper()}_API_KEY"):
        build_llm(settings(llm_provider=vendor))


def test_an_unknown_fallback_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ROMA_LLM_FALLBACKS: 'gemini'"):
        build_llm(settings(llm_fallbacks="gemini:x"))


def test_keys_stay_with_their_vendor() -> None:
    both = settings(
        llm_provider="anthropic",
        llm_api_key=SecretStr("sk-ant"),
        llm_base_url="http://gate:1",
        openai_api_key=SecretStr("sk-oa"),
    )
    claude, gpt = make_provider("anthropic", both), make_provider("openai", both)
    assert isinstance(claude, AnthropicLLM)
    assert isinstance(gpt, OpenAILLM)
    assert (claude.endpoint, gpt.endpoint) == ("anthropic@http://gate:1", "openai@https://api.openai.com/v1")
    assert claude.reach.api_key is not None
    assert gpt.reach.api_key is not None
    assert (claude.reach.api_key.get_secret_value(), gpt.reach.api_key.get_secret_value()) == ("sk-ant", "sk-oa")


def test_a_server_of_ones_own_needs_no_key() -> None:
    local = make_provider("openai:qwen", settings(llm_provider="openai", llm_base_url="http://127.0.0.1:1/v1"))
    assert local.fingerprint == "openai:qwen@http://127.0.0.1:1/v1"
