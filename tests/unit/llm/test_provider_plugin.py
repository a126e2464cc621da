"""A package brings a provider with one file: its spec, its own variables, its place in settings, health and prices."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roma_core.errors import ConfigError
from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.build import build_llm, make_provider
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.settings import Settings, choose_vendor

PLUGIN = """
from typing import ClassVar

from pydantic import SecretStr

from roma_core.llm.providers import ProviderSpec, Reach
from roma_core.settings import ProviderSettings, setting


class AcmeSettings(ProviderSettings):
    prefix: ClassVar[str] = "ACME_"
    api_key: SecretStr | None = setting(None, "Acme's own variable.", decides_answers=False)
    base_url: str | None = setting(None, "Acme's own variable.")


def make(model, reach):
    from roma_core.llm.providers.openai import openai_compatible

    return openai_compatible("acme", "https://api.acme.example/v1", "acme-large")(model, reach)


SPEC = ProviderSpec("acme", make, AcmeSettings, "acme-", "ak-")
"""
ASK = LLMRequest(messages=(Message(role="user", content="Say hello."),))


@pytest.fixture
def _acme(install_plugin: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    install_plugin("roma.providers", "roma-acme", "roma_acme", PLUGIN, acme="roma_acme:SPEC")
    yield


@pytest.mark.usefixtures("_acme")
async def test_its_own_key_in_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeModelServer(lambda a: Script("Hello.")).running() as server:
        monkeypatch.setenv("ACME_API_KEY", "ak-1")
        monkeypatch.setenv("ACME_BASE_URL", f"{server.url}/v1")
        settings = Settings.load(env_file=None)
        assert choose_vendor(settings) == ("acme", "auto: ACME_API_KEY is set")
        service = build_llm(settings)
        answer = await service.complete(ASK)
        await service.close()
    assert (answer.text, answer.provider, answer.model) == ("Hello.", "acme", "acme-large")
    assert server.asked[0].headers["authorization"] == "Bearer ak-1"


@pytest.mark.usefixtures("_acme")
def test_its_models_and_keys_are_known_as_its_own() -> None:
    assert choose_vendor(Settings(llm_api_key="ak-1"))[0] == "acme"
    assert choose_vendor(Settings(llm_api_key="sk-1", llm_model="acme-large"))[0] == "acme"
    assert choose_vendor(Settings(llm_provider="acme")) == ("acme", "configured")


@pytest.mark.usefixtures("_acme")
def test_a_missing_key_and_a_misspelt_name_are_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"LLM_API_KEY: acme needs a key \(or ACME_API_KEY\)"):
        build_llm(Settings(llm_provider="acme"))
    with pytest.raises(ConfigError, match=r"LLM_PROVIDER.*Did you mean .acme"):
        Settings(llm_provider="acmee")


@pytest.mark.usefixtures("_acme")
def test_it_is_a_fallback_like_any_other() -> None:
    settings = Settings(llm_provider="fake", llm_fallbacks="acme:acme-small", acme_api_key="ak-1")
    assert make_provider("acme:acme-small", settings).name == "acme:acme-small"


def test_a_provider_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"LLM_PROVIDER.*anthropic"):
        Settings(llm_provider="acme")
