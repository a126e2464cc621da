"""The providers that ROMA brings, as their entry points name them."""

from __future__ import annotations

from roma_core.llm.base import Provider
from roma_core.llm.providers.spec import ProviderSpec, Reach, provider_specs
from roma_core.settings import AnthropicSettings, AzureSettings, OpenAISettings

__all__ = ["ANTHROPIC", "AZURE", "FAKE", "OPENAI", "ProviderSpec", "Reach", "provider_specs"]


def _make_openai(model: str | None, reach: Reach) -> Provider:
    from roma_core.llm.providers.openai import OpenAILLM

    return OpenAILLM(model, reach)


def _make_anthropic(model: str | None, reach: Reach) -> Provider:
    from roma_core.llm.providers.anthropic import AnthropicLLM

    return AnthropicLLM(model, reach)


def _make_azure(model: str | None, reach: Reach) -> Provider:
    from roma_core.llm.providers.azure import AzureLLM

    return AzureLLM(model, reach)


def _make_fake(model: str | None, reach: Reach) -> Provider:
    from roma_core.llm.providers.fake import FakeLLM

    return FakeLLM(name=f"fake:{model or 'fake'}")


OPENAI = ProviderSpec("openai", _make_openai, OpenAISettings)
ANTHROPIC = ProviderSpec("anthropic", _make_anthropic, AnthropicSettings, "claude", "sk-ant-")
AZURE = ProviderSpec("azure", _make_azure, AzureSettings)
FAKE = ProviderSpec("fake", _make_fake)
