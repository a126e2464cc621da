"""Which key may travel to which address: the one rule for models that write and models that embed.

A key is sent to the address that it was set for, and to no other. ``LLM_API_KEY`` belongs to ``LLM_BASE_URL``, or
without one to the vendor that is configured. A vendor's own key (``OPENAI_API_KEY``) belongs to the vendor's own
address, and to ``LLM_BASE_URL`` where that vendor is the one configured: then it names a gateway to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, cast

from pydantic import SecretStr

from roma_core.plugins import load_specs
from roma_core.settings.llm import ProviderSettings
from roma_core.settings.model import Settings

COMMON: Final = "openai"
"""The provider whose API most servers speak: taken where nothing says which."""


@dataclass(frozen=True)
class Access:
    """Keys and addresses of the vendors' APIs; None = no key is needed or set, or the vendor's public address."""

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

    A model or a key that can only be one vendor's decides for it; a server that says nothing speaks OpenAI's API.

    >>> choose_vendor(Settings(llm_api_key="sk-1"))
    ('openai', 'auto: LLM_API_KEY is set')
    """
    llm = settings.llm
    if llm.provider != "auto":
        return llm.provider, "configured"
    specs = _vendor_specs()
    claiming = [name for name, spec in specs.items() if spec.claims(llm.model, llm.api_key)]
    for variable, value in (("LLM_API_KEY", llm.api_key), ("LLM_BASE_URL", llm.base_url)):
        if value is not None:
            return (claiming or [COMMON])[0], f"auto: {variable} is set"
    with_key = [name for name in specs if _own_access(settings, name).api_key is not None]
    if not with_key:
        return "extractive", "auto: no key is set, so answers are quoted from the sources"
    # With several keys, the one whose vendor the model names.
    vendor = next((name for name in with_key if name in claiming), with_key[0])
    return vendor, f"auto: {specs[vendor].key_variable} is set"


class VendorSpec(Protocol):
    """A spec of the group ``roma.providers``, as far as access is concerned."""

    @property
    def settings(self) -> type[ProviderSettings] | None: ...

    @property
    def key_variable(self) -> str: ...

    def claims(self, model: str | None, key: SecretStr | None) -> bool: ...


def _is_configured(settings: Settings, vendor: str) -> bool:
    return choose_vendor(settings)[0] == vendor


def _own_access(settings: Settings, vendor: str) -> Access:
    spec = _vendor_specs().get(vendor)
    if spec is None or spec.settings is None:
        return Access(None, None)
    own = settings.section(spec.settings)
    return Access(own.api_key, own.base_url)


def _vendor_specs() -> dict[str, VendorSpec]:
    """Return the providers that have a key of their own by name, in the order in which ``auto`` looks for it."""
    specs = load_specs("roma.providers", object).items()
    vendors = {name: cast(VendorSpec, spec) for name, spec in specs if getattr(spec, "key_variable", "")}
    return dict(sorted(vendors.items(), key=lambda item: item[0] != COMMON))
