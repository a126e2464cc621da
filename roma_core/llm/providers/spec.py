"""The declaration of a provider of language models, ROMA's own and those of other packages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from roma_core.llm.base import Provider
from roma_core.plugins import Specs, load_specs
from roma_core.settings import LLMSettings, ProviderSettings

if TYPE_CHECKING:
    from roma_core.settings import SettingsSection

_DEFAULTS = LLMSettings()

GROUP: Final = "roma.providers"


@dataclass(frozen=True)
class Reach:
    """The access to a server and the limits of its model. Times are in seconds."""

    api_key: SecretStr | None = None
    base_url: str | None = None
    max_output_tokens: int = _DEFAULTS.max_output_tokens
    first_token_s: float = _DEFAULTS.first_token_s
    """Longest silence before the first token."""
    stall_s: float = _DEFAULTS.stall_timeout_s
    """Longest silence after it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request, besides the SDK's own."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are added to every request, over ROMA's own."""
    thinking_tokens: int | None = None
    """Most tokens of thoughts; None leaves it to the model."""
    effort: str | None = None
    """The effort of thinking: none, minimal, low, medium, high; None leaves it to the model."""
    api_version: str = ""
    """Version of the API, where the vendor wants one with each call."""
    deployment: str | None = None
    """What of the server is called, where that is not named like the model."""


@dataclass(frozen=True)
class ProviderSpec:
    """One entry point of the group ``roma.providers``, named like ``name``.

    A package that brings a vendor whose API is like OpenAI's needs one file::

        class AcmeSettings(ProviderSettings):
            prefix: ClassVar[str] = "ACME_"
            api_key: SecretStr | None = setting(None, "Acme's own variable.", decides_answers=False)

        MAKE = openai_compatible("acme", "https://api.acme.example/v1", "acme-large")
        SPEC = ProviderSpec("acme", MAKE, AcmeSettings)
    """

    name: str
    """The name in ``LLM_PROVIDER`` and ``provider:model``."""
    make: Callable[[str | None, Reach], Provider]
    """Makes the provider for a model (None: its default). Cheap, but for the import of the module that has it."""
    settings: type[SettingsSection] | None = None
    """The vendor's own variables; None for what needs no key."""
    model_pattern: str = ""
    """Which model ids are this vendor's, for ``LLM_PROVIDER=auto``."""
    key_pattern: str = ""
    """Which keys are this vendor's, likewise."""

    @property
    def key_variable(self) -> str:
        """Return the name of the variable that holds the vendor's own key; empty when it needs none."""
        if self.settings is None or not issubclass(self.settings, ProviderSettings):
            return ""
        extra = self.settings.model_fields["api_key"].json_schema_extra
        named = extra.get("env") if isinstance(extra, dict) else None
        return str(named or f"{self.settings.prefix}API_KEY")

    def claims(self, model: str | None, key: SecretStr | None) -> bool:
        """Return whether a model's id, or else a key, is this vendor's."""
        if model is not None:
            return bool(self.model_pattern) and re.match(self.model_pattern, model) is not None
        text = key.get_secret_value() if key is not None else ""
        return bool(self.key_pattern and text) and re.match(self.key_pattern, text) is not None


def provider_specs() -> Specs[ProviderSpec]:
    """Return every installed provider's spec by its name."""
    return load_specs(GROUP, ProviderSpec)
