"""From settings to an ``LLMService``: which provider, which fallbacks, and why."""

from __future__ import annotations

from roma_core.cache import Cache
from roma_core.errors import ConfigError, suggest_name
from roma_core.llm.base import Provider
from roma_core.llm.control.attempt import Limits
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Prices
from roma_core.llm.extractive import ExtractiveLLM, Scorer
from roma_core.llm.providers.spec import ProviderSpec, Reach, provider_specs
from roma_core.llm.service import LLMService
from roma_core.settings import ProviderSettings, Settings
from roma_core.workspace import Workspace

COMMON = "openai"
"""The provider whose API most servers speak: taken where nothing says which."""


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
            queue_s=settings.llm.queue_s,
            total_s=settings.llm.total_s,
            thinking_s=settings.llm.thinking_s,
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
            tenant_month_usd=settings.budgets.tenant_month_usd,
            tenant_day_usd=settings.budgets.tenant_day_usd,
            token_usd=settings.budgets.token_usd,
            token_month_usd=settings.budgets.token_month_usd,
            token_day_usd=settings.budgets.token_day_usd,
        ),
        cache=Cache(Workspace(settings.workspace).cache, settings.storage.cache),
        log_text=settings.llm.log_text,
    )


def _covered(spec: str, first: str) -> bool:
    """A fallback to what is asked first anyway."""
    return spec == first.partition(":")[0] and spec in {"extractive", "fake"}


def choose(settings: Settings) -> tuple[str, str]:
    """Return the provider and why it is that one. ``auto`` takes the first that has a key, else quotes.

    A model or a key that can only be one vendor's decides for that vendor; else a server of one's own is taken for one
    that speaks OpenAI's API.
    """
    llm = settings.llm
    if llm.provider != "auto":
        return llm.provider, "configured"
    specs = [spec for spec in provider_specs().values() if spec.key_variable]
    claiming = [spec.name for spec in specs if spec.claims(llm.model, llm.api_key)]
    for name, value in (("LLM_API_KEY", llm.api_key), ("LLM_BASE_URL", llm.base_url)):
        if value is not None:
            return (claiming or [COMMON])[0], f"auto: {name} is set"
    with_key = [spec for spec in specs if _own(settings, spec).api_key is not None]
    with_key.sort(key=lambda spec: (spec.name not in claiming, spec.name != COMMON))
    if with_key:
        return with_key[0].name, f"auto: {with_key[0].key_variable} is set"
    return "extractive", "auto: no key is set, so answers are quoted from the sources"


def make_provider(name: str, settings: Settings, scorer: Scorer | None = None, scorer_name: str = "") -> Provider:
    """Return the provider that ``provider[:model]`` names. Raises ``ConfigError``, also when its key is missing."""
    vendor, _, model = name.partition(":")
    if vendor == "extractive":
        return ExtractiveLLM(scorer, scorer_name)
    specs = provider_specs()
    if vendor not in specs and name in settings.llm.fallbacks:
        known = ("extractive", *specs)
        raise ConfigError(f"ROMA_LLM_FALLBACKS: {vendor!r} is no provider. {suggest_name(vendor, known)}")
    spec = specs.require(vendor)
    return spec.make(model or None, reach_of(settings, spec))


def reach_of(settings: Settings, spec: ProviderSpec) -> Reach:
    """Return key, address and patience for a provider. The general variables belong to the one that is configured.

    Raises ``ConfigError`` when it needs a key and none is set.
    """
    llm, own = settings.llm, _own(settings, spec)
    is_configured = choose(settings)[0] == spec.name
    key = (llm.api_key if is_configured else None) or own.api_key
    # A key must not travel to an address that was meant for another.
    url = (llm.base_url if is_configured else None) or own.base_url
    if spec.key_variable and key is None and url is None:
        raise ConfigError(
            f"LLM_API_KEY: {spec.name} needs a key (or {spec.key_variable}), or LLM_BASE_URL names a server of yours."
        )
    return Reach(
        api_key=key,
        base_url=url,
        first_token_s=llm.first_token_s,
        stall_s=llm.stall_timeout_s,
        headers=llm.sent_headers if is_configured else {},
        extra_body=llm.extra_body if is_configured else {},
        thinking_tokens=llm.thinking_tokens,
        effort=llm.effort,
    )


def _own(settings: Settings, spec: ProviderSpec) -> ProviderSettings:
    """Return the vendor's own variables; nothing where it has none."""
    section = settings.section(spec.settings) if spec.settings is not None else None
    return section if isinstance(section, ProviderSettings) else ProviderSettings()
