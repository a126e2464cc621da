"""Which key may travel to which address: the one rule for models that write and models that embed.

A key is sent to the address that it was set for, and to no other. ``LLM_API_KEY`` belongs to ``LLM_BASE_URL``, or
without one to the vendor that is configured. A vendor's own key (``OPENAI_API_KEY``) belongs to the vendor's own
address, and to ``LLM_BASE_URL`` where that vendor is the one configured: then it names a gateway to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from roma_core.settings.llm import ProviderSettings
from roma_core.settings.model import Settings


@dataclass(frozen=True)
class Access:
    """How a vendor's API is reached; None = no key is needed or set, or the vendor's public address."""

    api_key: SecretStr | None
    base_url: str | None


def find_model_access(settings: Settings, vendor: str) -> Access:
    """Return key and address for the models of ``vendor`` that write answers."""
    own = _own_access(settings, vendor)
    if not _is_configured(settings, vendor):
        return own
    return Access(settings.llm.api_key or own.api_key, settings.llm.base_url or own.base_url)


def find_embedding_access(settings: Settings, vendor: str) -> Access:
    """Return key and address for the embedding models of ``vendor``, which ``LLM_BASE_URL`` need not have."""
    own = _own_access(settings, vendor)
    is_same_address = settings.llm.base_url in {None, own.base_url}
    if own.api_key is None and _is_configured(settings, vendor) and is_same_address:
        return Access(settings.llm.api_key, own.base_url)
    return own


def choose_vendor(settings: Settings) -> tuple[str, str]:
    """Return the provider of answers and why it is that one. ``auto`` takes the first with a key, else quotes.

    >>> choose_vendor(Settings(llm_api_key="sk-1"))
    ('openai', 'auto: LLM_API_KEY is set')
    """
    if settings.llm.provider != "auto":
        return settings.llm.provider, "configured"
    is_claude = _names_claude(settings.llm.model, settings.llm.api_key)
    if settings.llm.api_key is not None:
        return ("anthropic" if is_claude else "openai"), "auto: LLM_API_KEY is set"
    if settings.llm.base_url is not None:
        return ("anthropic" if is_claude else "openai"), "auto: LLM_BASE_URL is set"
    with_key = [name for name, own in _vendors(settings).items() if own.api_key is not None]
    if not with_key:
        return "extractive", "auto: no key is set, so answers are quoted from the sources"
    # With several keys, a Claude model decides for its vendor.
    vendor = "anthropic" if is_claude and "anthropic" in with_key else with_key[0]
    return vendor, f"auto: {_vendors(settings)[vendor].prefix}API_KEY is set"


def _is_configured(settings: Settings, vendor: str) -> bool:
    return choose_vendor(settings)[0] == vendor


def _own_access(settings: Settings, vendor: str) -> Access:
    own = _vendors(settings).get(vendor)
    return Access(own.api_key, own.base_url) if own is not None else Access(None, None)


def _vendors(settings: Settings) -> dict[str, ProviderSettings]:
    """Return the sections of vendors by name, in the order in which ``auto`` looks for a key."""
    sections = dict(settings).items()
    return {name: section for name, section in sections if isinstance(section, ProviderSettings)}


def _names_claude(model: str | None, key: SecretStr | None) -> bool:
    if model is not None:
        return model.startswith("claude")
    return key is not None and key.get_secret_value().startswith("sk-ant-")
