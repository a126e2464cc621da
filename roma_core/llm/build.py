"""From settings to an ``LLMService``: which provider, which fallbacks, and why."""

from __future__ import annotations

from roma_core.cache import open_cache
from roma_core.errors import ConfigError, suggest_name
from roma_core.llm.base import Provider
from roma_core.llm.control.attempt import Limits
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Prices
from roma_core.llm.providers.spec import ProviderSpec, Reach, provider_specs
from roma_core.llm.service import LLMService
from roma_core.settings import Settings, choose_vendor, find_model_access
from roma_core.workspace import Workspace

EXTRACTIVE = "extractive"
"""The name by which users ask for quoted answers where others name a model."""


def build_llm(settings: Settings, *, budgets: Budgets | None = None) -> LLMService:
    """Return the service that ``settings`` describe. Cheap: SDKs and files are opened by the first call.

    Quoting is no model: the service for ``LLM_PROVIDER=extractive`` has the models among the fallbacks, or none.
    Raises ``ConfigError``.
    """
    names, why = writer_names(settings)

    def make(spec: str) -> Provider:
        return make_provider(spec, settings)

    return LLMService(
        [make(spec) for spec in names if spec != EXTRACTIVE],
        why=why,
        stand_in=EXTRACTIVE if EXTRACTIVE in names else "",
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
        budgets=budgets or make_budgets(settings),
        cache=open_cache(settings),
        log_text=settings.llm.log_text,
    )


def judge_settings(settings: Settings) -> Settings:
    """Return the settings with which the judge's model is built: no fallback, its own access and budget.

    A key of the model that writes goes to the judge only when both are of one vendor and no other address is named.
    """
    judge = settings.judge
    vendor, _, model = (judge.model or "").partition(":")
    shares_access = vendor == choose_vendor(settings)[0] and judge.base_url is None
    llm = settings.llm.model_copy(
        update={
            "provider": vendor,
            "model": model or None,
            "api_key": judge.api_key or (settings.llm.api_key if shares_access else None),
            "base_url": judge.base_url or (settings.llm.base_url if shares_access else None),
            "headers": settings.llm.headers if shares_access else None,
            "extra_body": settings.llm.extra_body if shares_access else {},
            "fallbacks": (),
        }
    )
    budgets = settings.budgets
    if judge.budget_usd is not None:
        budgets = budgets.model_copy(update={"run_usd": judge.budget_usd})
    cache = settings.storage.cache if judge.cache else "off"
    storage = settings.storage.model_copy(update={"cache": cache})
    return settings.model_copy(update={"llm": llm, "budgets": budgets, "storage": storage})


def make_budgets(settings: Settings) -> Budgets:
    """Return the accounts of the workspace, on which every call that costs money draws."""
    return Budgets(
        Workspace.of(settings).budgets,
        run_usd=settings.budgets.run_usd,
        session_usd=settings.budgets.session_usd,
        tenant_usd=settings.budgets.tenant_usd,
        tenant_month_usd=settings.budgets.tenant_month_usd,
        tenant_day_usd=settings.budgets.tenant_day_usd,
        token_usd=settings.budgets.token_usd,
        token_month_usd=settings.budgets.token_month_usd,
        token_day_usd=settings.budgets.token_day_usd,
        server_url=settings.storage.server_url,
    )


def writer_names(settings: Settings) -> tuple[tuple[str, ...], str]:
    """Return the models, and ``extractive`` for quotes, in the order in which they write; and why the first does.

    >>> writer_names(Settings.load(llm_provider="openai", llm_fallbacks="extractive"))
    (('openai', 'extractive'), 'configured')
    """
    vendor, why = choose_vendor(settings)
    has_model = settings.llm.model and vendor != EXTRACTIVE
    first = f"{vendor}:{settings.llm.model}" if has_model else vendor
    fallbacks = [name for name in settings.llm.fallbacks if not _is_covered(name, first)]
    return tuple(dict.fromkeys((first, *fallbacks))), why


def _is_covered(spec: str, first: str) -> bool:
    """True for a fallback to the writer that is asked first anyway."""
    return spec == first.partition(":")[0] and spec in {EXTRACTIVE, "fake"}


def make_provider(name: str, settings: Settings) -> Provider:
    """Return the provider that ``provider[:model]`` names. Raises ``ConfigError``, also when its key is missing."""
    vendor, _, model = name.partition(":")
    specs = provider_specs()
    if vendor not in specs and name in settings.llm.fallbacks:
        known = (EXTRACTIVE, *specs)
        raise ConfigError(f"ROMA_LLM_FALLBACKS: {vendor!r} is no provider. {suggest_name(vendor, known)}")
    spec = specs.require(vendor)
    return spec.make(model or None, reach_of(settings, spec))


def reach_of(settings: Settings, spec: ProviderSpec) -> Reach:
    """Return key, address and patience for a provider. Raises ``ConfigError`` when it needs a key and none is set."""
    llm, access = settings.llm, find_model_access(settings, spec.name)
    if spec.key_variable and access.api_key is None and access.base_url is None:
        raise ConfigError(
            f"LLM_API_KEY: {spec.name} needs a key (or {spec.key_variable}), or LLM_BASE_URL names a server of yours."
        )
    own = settings.section(spec.settings) if spec.settings is not None else None
    is_configured = choose_vendor(settings)[0] == spec.name
    return Reach(
        api_key=access.api_key,
        base_url=access.base_url,
        first_token_s=llm.first_token_s,
        stall_s=llm.stall_timeout_s,
        headers=llm.sent_headers if is_configured else {},
        extra_body=llm.extra_body if is_configured else {},
        thinking_tokens=llm.thinking_tokens,
        effort=llm.effort,
        api_version=getattr(own, "api_version", ""),
        deployment=getattr(own, "deployment", None),
    )
