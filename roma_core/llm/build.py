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
from roma_core.settings import Settings, choose_vendor, find_model_access
from roma_core.workspace import Workspace


def build_llm(
    settings: Settings, scorer: Scorer | None = None, scorer_name: str = "", *, budgets: Budgets | None = None
) -> LLMService:
    """The service that ``settings`` describe. Cheap: SDKs and files are opened by the first call.

    ``scorer`` (``Reranker.scores``) and its name serve extractive answers. Raises ``ConfigError``.
    """
    vendor, why = choose_vendor(settings)
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
        budgets=budgets or make_budgets(settings),
        cache=Cache(Workspace(settings.workspace).cache, settings.storage.cache),
        log_text=settings.llm.log_text,
    )


def make_budgets(settings: Settings) -> Budgets:
    """Return the accounts of the workspace, on which every call that costs money draws."""
    return Budgets(
        Workspace(settings.workspace).budgets,
        run_usd=settings.budgets.run_usd,
        session_usd=settings.budgets.session_usd,
        tenant_usd=settings.budgets.tenant_usd,
    )


def _covered(spec: str, first: str) -> bool:
    """A fallback to what is asked first anyway."""
    return spec == first.partition(":")[0] and spec in {"extractive", "fake"}


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
    access = find_model_access(settings, vendor)
    if access.api_key is None and access.base_url is None:
        raise ConfigError(
            f"LLM_API_KEY: {vendor} needs a key (or {vendor.upper()}_API_KEY), or LLM_BASE_URL names a server of yours."
        )
    return _Access(
        api_key=access.api_key,
        base_url=access.base_url,
        first_token_s=settings.llm.first_token_s,
        stall_s=settings.llm.stall_timeout_s,
    )
