"""Azure OpenAI through the SDK's own client: deployments, API versions, addresses as people copy them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from roma_core.errors import ConfigError, LLMError
from roma_core.llm.base import LLMRequest, Message, complete
from roma_core.llm.build import build_llm
from roma_core.llm.providers.azure import AzureLLM
from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.llm.service import LLMService
from roma_core.settings import Settings

ASK = LLMRequest(messages=(Message(role="user", content="Name a colour."),), max_output_tokens=16)
KEY = SecretStr("azure-key")


async def ask(address: str, **options: Any) -> tuple[str, Any]:
    """The answer, and the request as the server got it, of an adapter at ``address`` below a fake server."""
    async with FakeModelServer(lambda asked: Script("blue")).running() as server:
        llm = AzureLLM("gpt-4o", base_url=f"{server.url}{address}", api_key=KEY, **options)
        answer = await complete(llm, ASK)
        await llm.aclose()
    return answer.text, server.asked[0]


@pytest.mark.parametrize(
    "address, deployment",
    [
        ("", "gpt-4o"),
        ("/", "gpt-4o"),
        ("/openai", "gpt-4o"),
        ("/openai/deployments/mine", "mine"),
        ("/openai/deployments/mine/chat/completions?api-version=2025-01-01-preview", "mine"),
        ("/gateway/openai/deployments/mine/", "mine"),
    ],
)
async def test_addresses_are_understood_as_people_copy_them(address: str, deployment: str) -> None:
    text, asked = await ask(address)
    root = "/gateway" if "gateway" in address else ""
    version = "2025-01-01-preview" if "2025" in address else "2024-10-21"
    assert text == "blue"
    assert asked.path == f"{root}/openai/deployments/{deployment}/chat/completions?api-version={version}"
    assert asked.headers["api-key"] == "azure-key"
    assert "authorization" not in asked.headers


async def test_deployment_and_version_are_settings() -> None:
    _, asked = await ask("/openai", deployment="team a", api_version="2099-01-01")
    assert asked.path == "/openai/deployments/team%20a/chat/completions?api-version=2099-01-01"


async def test_the_model_decides_the_price_and_the_deployment_the_address() -> None:
    async with FakeModelServer(lambda asked: Script("blue")).running() as server:
        llm = LLMService([AzureLLM("gpt-4o-mini", base_url=server.url, api_key=KEY, deployment="mine")])
        answer = await llm.complete(ASK)
        await llm.close()
    assert llm.name == "azure:gpt-4o-mini"
    assert answer.usage.cost_usd
    assert "/deployments/mine/" in server.asked[0].path


async def test_settings_lead_to_the_client(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeModelServer(lambda asked: Script("blue")).running() as server:
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url)
        monkeypatch.setenv("AZURE_OPENAI_DEPLOYMENT", "mine")
        monkeypatch.setenv("OPENAI_API_VERSION", "2099-01-01")
        service = build_llm(Settings.load(workspace=workspace, llm_model="gpt-4o", cache="off"))
        assert service.why == "auto: AZURE_OPENAI_API_KEY is set"
        answer = await service.complete(ASK)
        health = await service.health()
        await service.close()
    assert (answer.provider, answer.text) == ("azure", "blue")
    assert server.asked[0].path.endswith("/deployments/mine/chat/completions?api-version=2099-01-01")
    assert health.state == "ok", health.reason
    assert server.asked[-1].path == "/openai/models?api-version=2099-01-01"


def test_without_an_address_it_says_what_to_set(workspace: Path) -> None:
    settings = Settings(workspace=workspace, llm_provider="azure", llm_api_key="k")
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        build_llm(settings)


async def test_a_refusal_of_azure_is_in_its_name() -> None:
    refused = Script(status=404, error={"code": "DeploymentNotFound", "message": "The deployment does not exist."})
    async with FakeModelServer(lambda asked: refused).running() as server:
        llm = AzureLLM("gpt-4o", base_url=server.url, api_key=KEY)
        with pytest.raises(LLMError, match=r"Azure OpenAI.*deployment does not exist"):
            await complete(llm, ASK)
        await llm.aclose()
