"""OpenAI's models behind Azure, through the SDK's own client for it: a deployment and an API version for each call.

Azure's newer addresses (``https://NAME.openai.azure.com/openai/v1``) need neither: the adapter ``openai`` takes them as
``LLM_BASE_URL``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from roma_core.errors import ConfigError
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.spec import Reach
from roma_core.llm.providers.wire import Endpoint
from roma_core.settings import AzureSettings

_PATH = re.compile(r"(?P<root>.*?)(?:/openai(?:/v1)?)?(?:/deployments/(?P<deployment>[^/]+))?/?")


class AzureLLM(OpenAILLM):
    """One deployment of Azure OpenAI. Its model's name decides the price; the deployment decides the address."""

    vendor = replace(OpenAILLM.vendor, name="azure", title="Azure OpenAI", url="", client="AsyncAzureOpenAI")

    def __init__(self, model: str | None = None, reach: Reach | None = None, **changes: Any) -> None:
        super().__init__(model, reach, **changes)
        address = self.reach.base_url
        if address is None:
            raise ConfigError("Azure needs its address: set AZURE_OPENAI_ENDPOINT to https://NAME.openai.azure.com.")
        given = Endpoint.parse(address)
        parts = urlsplit(given.url)
        path = _PATH.fullmatch(parts.path)
        root = path["root"] if path else parts.path
        in_address = path["deployment"] if path else None
        query = dict(given.query)
        version = query.pop("api-version", "") or self.reach.api_version or AzureSettings().api_version
        self._deployment = self.reach.deployment or in_address or self._model
        self._root = urlunsplit(parts._replace(path=root))
        url = f"{self._root}/openai/deployments/{self._deployment}"
        self._endpoint = Endpoint(url, (*query.items(), ("api-version", version)))

    @property
    def official(self) -> bool:
        """Return True: whatever the address, it is Azure's own API with the names of today's parameters."""
        return True

    def _client_options(self, url: str) -> dict[str, Any]:
        query = dict(self._endpoint.query)
        root = url.removesuffix(f"/openai/deployments/{self._deployment}")
        return {
            "azure_endpoint": root,
            "azure_deployment": self._deployment,
            "api_version": query.pop("api-version"),
            "default_query": query or None,
        }

    @staticmethod
    def _headers(key: str) -> dict[str, str]:
        return {"api-key": key}

    @property
    def _list_url(self) -> str:
        return f"{self._root}/openai"

    @property
    def _listed_model(self) -> str:
        return ""  # the list holds the models of the region, not the deployments
