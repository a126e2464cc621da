"""Settings of the models that write answers, and of each provider's access."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from roma_core.settings.base import Section, setting

Provider = Literal["auto", "openai", "anthropic", "extractive", "fake"]


class LLMSettings(Section):
    """Which model writes answers, and the limits of a call. ``LLM_*`` are the names that the outside world uses."""

    prefix: ClassVar[str] = "ROMA_LLM_"

    provider: Provider = setting("auto", "Who writes answers.", env="LLM_PROVIDER")
    model: str | None = setting(None, "Model id or alias.", env="LLM_MODEL")
    api_key: SecretStr | None = setting(None, "Key of the provider.", env="LLM_API_KEY", decides_answers=False)
    base_url: str | None = setting(
        None, "Address of a gateway or an OpenAI-compatible server (vLLM, Ollama, llama.cpp).", env="LLM_BASE_URL"
    )
    fallbacks: tuple[str, ...] = setting(
        ("extractive",),
        "Comma-separated provider[:model] tried in order when the first fails; `none` = no fallback.",
    )
    first_token_s: float = setting(10.0, "Deadline to the first token.", gt=0, decides_answers=False)
    total_s: float = setting(60.0, "Deadline for a whole model answer.", gt=0, decides_answers=False)
    stall_timeout_s: float = setting(15.0, "Longest silence inside a stream.", gt=0, decides_answers=False)
    max_attempts: int = setting(3, "Tries per provider before the fallback.", ge=1, le=10, decides_answers=False)
    max_output_tokens: int = setting(1024, "Longest answer.", ge=1)
    requests_per_minute: int | None = setting(None, "Per provider; none = unlimited.", ge=1, decides_answers=False)
    tokens_per_minute: int | None = setting(None, "Per provider; none = unlimited.", ge=1, decides_answers=False)
    max_concurrency: int = setting(16, "Upper end of the adaptive concurrency.", ge=1, decides_answers=False)
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

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return check_address(value)


class ProviderSettings(Section):
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
