"""From settings to an ``LLMService``: which provider, which fallbacks, and why."""

from __future__ import annotations

from typing import TypedDict

from pydantic import SecretStr

from roma_core.cache import Cache
from roma_core.errors import ConfigError
from roma_core.llm.base import Provider
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Prices
from roma_core.llm.extractive import ExtractiveLLM, Scorer
from roma_core.llm.service import PROVIDERS, Limits, LLMService
from roma_core.settings import Settings
from roma_core.workspace import Workspace


def build_llm(settings: Settings, scorer: Scorer | None = None, scorer_name: str = "") -> LLMService:
    """The service that ``settings`` describe. Cheap: SDKs and files are opened by the first call.

    ``scorer`` (``Reranker.scores``) and its name serve extractive answers. Raises ``ConfigError``.
    """
    vendor, why = choose(settings)
    first = f"{vendor}:{settings.llm.model}" if settings.llm.model else vendor

    def make(spec: str) -> Provider:
        return make_provider(spec, settings, scorer, scorer_name)

    specs = dict.fromkeys((first, *settings.llm.fallbacks))
    return LLMService(
        [make(spec) for spec in specs if spec == first or not _covered(spec, first)],
        why=why,
        limits=Limits(
            first_token_s=settings.llm.first_token_s,
            total_s=settings.llm.total_s,
            attempts=settings.llm.max_attempts,
            max_output_tokens=settings.llm.max_output_tokens,
            requests_per_minute=settings.llm.requests_per_minute,
            tokens_per_minute=settings.llm.tokens_per_minute,
            max_concurrency=settings.llm.max_concurrency,
        ),
        make=make,
        prices=Prices.load(settings.budgets.prices_file),
        budgets=Budgets(
            Workspace(settings.workspace).budgets,
            run_usd=settings.budgets.run_usd,
            session_usd=settings.budgets.session_usd,
            tenant_usd=settings.budgets.tenant_usd,
        ),
        cache=Cache(Workspace(settings.workspace).cache, settings.storage.cache),
        log_text=settings.llm.log_text,
    )


def _covered(spec: str, first: str) -> bool:
    """A fallback to what is asked first anyway."""
    return spec == first.partition(":")[0] and spec in {"extractive", "fake"}


def choose(settings: Settings) -> tuple[str, str]:
    """The provider and why it is that one. ``auto`` takes the first that has a key, else quotes."""
    if settings.llm.provider != "auto":
        return settings.llm.provider, "configured"
    claude = _looks_like_claude(settings.llm.model, settings.llm.api_key)
    if settings.llm.api_key is not None:
        return ("anthropic" if claude else "openai"), "auto: LLM_API_KEY is set"
    if settings.llm.base_url is not None:
        return ("anthropic" if claude else "openai"), "auto: LLM_BASE_URL is set"
    found = [
        (vendor, f"auto: {name} is set")
        for vendor, name, key in (
            ("openai", "OPENAI_API_KEY", settings.openai.api_key),
            ("anthropic", "ANTHROPIC_API_KEY", settings.anthropic.api_key),
        )
        if key is not None
    ]
    # With both keys, a Claude model decides for its vendor.
    preferred = [pair for pair in found if pair[0] == "anthropic"] if claude else []
    return (preferred or found or [("extractive", "auto: no key is set, so answers are quoted from the sources")])[0]


def _looks_like_claude(model: str | None, key: SecretStr | None) -> bool:
    if model is not None:
        return model.startswith("claude")
    return key is not None and key.get_secret_value().startswith("sk-ant-")


def make_provider(spec: str, settings: Settings, scorer: Scorer | None = None, scorer_name: str = "") -> Provider:
    """The provider that ``provider[:model]`` names. Raises ``ConfigError``, also when its key is missing."""
    vendor, _, model = spec.partition(":")
    match vendor:
        case "openai":
            from roma_core.llm.providers.openai import OpenAILLM

            return OpenAILLM(model or None, **_access(settings, "openai"))
        case "anthropic":
            from roma_core.llm.providers.anthropic import AnthropicLLM

            return AnthropicLLM(model or None, **_access(settings, "anthropic"))
        case "extractive":
            return ExtractiveLLM(scorer, scorer_name)
        case "fake":
            from roma_core.llm.providers.fake import FakeLLM

            return FakeLLM(name=f"fake:{model or 'fake'}")
    raise ConfigError(f"ROMA_LLM_FALLBACKS: {vendor!r} is no provider; there are {', '.join(sorted(PROVIDERS))}.")


class _Access(TypedDict):
    """How a vendor's API is reached."""

    api_key: SecretStr | None
    base_url: str | None
    first_token_s: float
    stall_s: float


def _access(settings: Settings, vendor: str) -> _Access:
    """Key, address and patience for ``vendor``. The general variables belong to the provider that is configured."""
    own_key = settings.openai.api_key if vendor == "openai" else settings.anthropic.api_key
    own_url = settings.openai.base_url if vendor == "openai" else settings.anthropic.base_url
    general = choose(settings)[0] == vendor
    key = (settings.llm.api_key if general else None) or own_key
    # A key must not travel to an address that was meant for another.
    url = (settings.llm.base_url if general else None) or own_url
    if key is None and url is None:
        raise ConfigError(
            f"LLM_API_KEY: {vendor} needs a key (or {vendor.upper()}_API_KEY), or LLM_BASE_URL names a server of yours."
        )
    return _Access(
        api_key=key,
        base_url=url,
        first_token_s=settings.llm.first_token_s,
        stall_s=settings.llm.stall_timeout_s,
    )
