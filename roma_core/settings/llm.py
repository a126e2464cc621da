"""Settings of the models that write answers, and of each provider's access."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from roma_core.errors import suggest_name
from roma_core.plugins import declared_names
from roma_core.settings.base import SettingsSection, setting

NOT_FROM_PACKAGES: Final = ("auto", "extractive")
"""Values of ``LLM_PROVIDER`` that are no provider: whichever has a key, and quotes instead of a model."""
Effort = Literal["none", "minimal", "low", "medium", "high"]


class LLMSettings(SettingsSection):
    """Which model writes answers, and the limits of a call. ``LLM_*`` are the names that the outside world uses."""

    prefix: ClassVar[str] = "ROMA_LLM_"

    provider: str = setting("auto", "Who writes answers.", env="LLM_PROVIDER")
    model: str | None = setting(None, "Model id or alias.", env="LLM_MODEL")
    api_key: SecretStr | None = setting(None, "Key of the provider.", env="LLM_API_KEY", decides_answers=False)
    base_url: str | None = setting(
        None, "Address of a gateway or an OpenAI-compatible server (vLLM, Ollama, llama.cpp).", env="LLM_BASE_URL"
    )
    fallbacks: tuple[str, ...] = setting(
        ("extractive",),
        "Comma-separated provider[:model] tried in order when the first fails; `none` = no fallback.",
    )
    first_token_s: float = setting(
        60.0,
        "Longest silence of a server before its first token; thoughts are no silence.",
        gt=0,
        decides_answers=False,
    )
    queue_s: float = setting(
        60.0, "Longest wait for a turn when more ask than the server may be asked.", gt=0, decides_answers=False
    )
    total_s: float = setting(
        60.0, "Deadline for a whole model answer, without waiting and thoughts.", gt=0, decides_answers=False
    )
    stall_timeout_s: float = setting(15.0, "Longest silence inside a stream.", gt=0, decides_answers=False)
    thinking_s: float = setting(300.0, "Longest time that a model may think.", gt=0, decides_answers=False)
    thinking_tokens: int | None = setting(
        None, "Most tokens of thoughts beside those of the answer; none = left to the model.", ge=0
    )
    effort: Effort | None = setting(None, "How much a model thinks; none is a value: not at all.")
    max_attempts: int = setting(3, "Tries per provider before the fallback.", ge=1, le=10, decides_answers=False)
    max_output_tokens: int = setting(1024, "Longest answer.", ge=1)
    requests_per_minute: int | None = setting(None, "Per provider; none = unlimited.", ge=1, decides_answers=False)
    tokens_per_minute: int | None = setting(None, "Per provider; none = unlimited.", ge=1, decides_answers=False)
    max_concurrency: int = setting(16, "Upper end of the adaptive concurrency.", ge=1, decides_answers=False)
    headers: SecretStr | None = setting(
        None, 'JSON object of headers that every call sends: `{"X-Team": "search"}`.', decides_answers=False
    )
    extra_body: dict[str, Any] = setting({}, 'JSON object of fields that every call sends: `{"top_p": 0.9}`.')
    log_text: bool = setting(False, "Log prompts and answers (redacted). Off: never.", decides_answers=False)

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _accept_none(cls, value: Any) -> Any:
        """An empty variable counts as unset, so having no fallback needs a word."""
        return () if isinstance(value, str) and value.strip().casefold() == "none" else value

    @field_validator("provider", mode="before")
    @classmethod
    def _accept_any_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("provider")
    @classmethod
    def _check_provider(cls, value: str) -> str:
        known = (*NOT_FROM_PACKAGES, *declared_names("roma.providers"))
        if value not in known:
            raise ValueError(f"there is no provider of this name. {suggest_name(value, known)}".rstrip("."))
        return value

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return check_address(value)

    @field_validator("extra_body", mode="before")
    @classmethod
    def _read_body(cls, value: Any) -> Any:
        return read_object(value) if isinstance(value, str) else value

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: SecretStr | None) -> SecretStr | None:
        read_headers(value)
        return value

    @property
    def sent_headers(self) -> dict[str, str]:
        """Return the headers that every call sends, by name."""
        return read_headers(self.headers)


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``. Raises ``ValueError`` when it is none; its words quote nothing of it."""
    try:
        value = json.loads(text)
    except ValueError:
        raise ValueError('this is no JSON object, as in {"name": "value"}') from None
    if not isinstance(value, dict):
        raise ValueError('this is no JSON object, as in {"name": "value"}')
    return value


def read_headers(text: SecretStr | None) -> dict[str, str]:
    """Return the headers in a JSON object by name; none for None. Raises ``ValueError``, see ``read_object``."""
    if text is None:
        return {}
    return {name: str(value) for name, value in read_object(text.get_secret_value()).items()}


class ProviderSettings(SettingsSection):
    """Access to one vendor: the vendor's own variables, used when ``LLM_API_KEY`` and ``LLM_BASE_URL`` are not set."""

    api_key: SecretStr | None = None
    base_url: str | None = None

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return check_address(value)


class OpenAISettings(ProviderSettings):
    """OpenAI's own variables."""

    prefix: ClassVar[str] = "OPENAI_"

    api_key: SecretStr | None = setting(None, "OpenAI's own variable.", decides_answers=False)
    base_url: str | None = setting(None, "OpenAI's own variable.")


class AnthropicSettings(ProviderSettings):
    """Anthropic's own variables."""

    prefix: ClassVar[str] = "ANTHROPIC_"

    api_key: SecretStr | None = setting(None, "Anthropic's own variable.", decides_answers=False)
    base_url: str | None = setting(None, "Anthropic's own variable.")


class AzureSettings(ProviderSettings):
    """The variables of Azure's own client. A model is a deployment there."""

    prefix: ClassVar[str] = "AZURE_OPENAI_"

    api_key: SecretStr | None = setting(None, "Azure's own variable.", decides_answers=False)
    base_url: str | None = setting(
        None, "Azure's own variable: `https://NAME.openai.azure.com`.", env="AZURE_OPENAI_ENDPOINT"
    )
    api_version: str = setting("2024-10-21", "Version of Azure's API.", env="OPENAI_API_VERSION")
    deployment: str | None = setting(None, "Deployment that is called; none = it is named like the model.")


def check_address(value: str | None) -> str | None:
    """Return ``value`` without blanks and quotes around it. Raises ``ValueError`` when it is no address of a server."""
    if value is None:
        return None
    value = value.strip().strip("\"'").strip()
    if not value.lower().startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    if not _names_host(value):
        raise ValueError("an address names a host")
    return value


def _names_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets and ports that are none; its words quote the address
        return False
