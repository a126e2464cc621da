"""All settings, read once from the environment and ``.env`` and passed in.

``LLM_*`` variables keep the names that the outside world uses; every other one is ``ROMA_<FIELD>``. The vendors' own
variables (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``, ``OPENAI_BASE_URL``, ``ANTHROPIC_BASE_URL``) are fallbacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from roma_core.errors import ConfigError

Provider = Literal["auto", "openai", "anthropic", "extractive", "fake"]
CacheMode = Literal["off", "read", "write", "refresh"]
RuleMode = Literal["off", "flag", "block"]


def _outside(*names: str) -> Any:
    """Field that the outside world names; also accepted by its own name in code."""
    return AliasChoices(*names)


class Settings(BaseSettings):
    """Names carry their units. Construct with keyword arguments in tests, or ``Settings.load()`` elsewhere."""

    model_config = SettingsConfigDict(
        env_prefix="ROMA_",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    # Where things are kept
    workspace: Path = Field(default=Path(".roma"), description="Folder that holds everything ROMA writes.")
    tenant: str = Field(default="default", min_length=1, description="Whose documents CLI and notebooks work on.")
    min_free_mb: int = Field(default=256, ge=0, description="Ingest stops with ERR_STORAGE_FULL below this free space.")

    # Models
    llm_provider: Provider = Field(
        default="auto", validation_alias=_outside("llm_provider", "LLM_PROVIDER"), description="Who writes answers."
    )
    llm_model: str | None = Field(
        default=None, validation_alias=_outside("llm_model", "LLM_MODEL"), description="Model id or alias."
    )
    llm_api_key: SecretStr | None = Field(
        default=None, validation_alias=_outside("llm_api_key", "LLM_API_KEY"), description="Key of the provider."
    )
    llm_base_url: str | None = Field(
        default=None,
        validation_alias=_outside("llm_base_url", "LLM_BASE_URL"),
        description="Address of a gateway or an OpenAI-compatible server (vLLM, Ollama, llama.cpp).",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_outside("openai_api_key", "OPENAI_API_KEY"),
        description="OpenAI's own variable.",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=_outside("openai_base_url", "OPENAI_BASE_URL"),
        description="OpenAI's own variable.",
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_outside("anthropic_api_key", "ANTHROPIC_API_KEY"),
        description="Anthropic's own variable.",
    )
    anthropic_base_url: str | None = Field(
        default=None,
        validation_alias=_outside("anthropic_base_url", "ANTHROPIC_BASE_URL"),
        description="Anthropic's own variable.",
    )
    llm_fallbacks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("extractive",),
        description="Comma-separated provider[:model] tried in order when the first fails; `none` = no fallback.",
    )
    llm_first_token_s: float = Field(default=10.0, gt=0, description="Deadline to the first token.")
    llm_total_s: float = Field(default=60.0, gt=0, description="Deadline for a whole model answer.")
    llm_stall_timeout_s: float = Field(default=15.0, gt=0, description="Longest silence inside a stream.")
    llm_max_attempts: int = Field(default=3, ge=1, le=10, description="Tries per provider before the fallback.")
    llm_max_output_tokens: int = Field(default=1024, ge=1, description="Longest answer.")
    llm_requests_per_minute: int | None = Field(default=None, ge=1, description="Per provider; none = unlimited.")
    llm_tokens_per_minute: int | None = Field(default=None, ge=1, description="Per provider; none = unlimited.")
    llm_max_concurrency: int = Field(default=16, ge=1, description="Upper end of the adaptive concurrency.")
    llm_log_text: bool = Field(default=False, description="Log prompts and answers (redacted). Off: never.")
    budget_run_usd: float | None = Field(default=None, ge=0, description="Hard limit of one run; none = no limit.")
    budget_session_usd: float | None = Field(default=None, ge=0, description="Hard limit of one session.")
    budget_tenant_usd: float | None = Field(default=None, ge=0, description="Hard limit of one tenant, all time.")
    prices_file: Path | None = Field(default=None, description="JSON that overrides prices per model.")
    cache: CacheMode = Field(default="write", description="off: never; read: use only; write: use and fill; refresh.")
    embedder: str = Field(default="local", description="local, fake, openai, openai:<model> or a fastembed hub name.")
    reranker: str = Field(default="local", description="local, none, fake or a fastembed cross-encoder hub name.")
    embed_threads: int = Field(default=0, ge=0, description="Embedding sessions side by side; 0 = one per core.")

    # Chunking and retrieval
    chunk_tokens: int = Field(default=200, ge=32, le=500, description="Target size of a passage in model tokens.")
    retrieve_limit: int = Field(default=100, ge=1, le=1000, description="Candidates taken from each retriever.")
    lexical_weight: float = Field(default=0.4, ge=0, le=1, description="Weight of BM25 in the min-max fusion.")
    rerank_limit: int = Field(default=20, ge=0, le=200, description="Candidates that the cross-encoder sees.")
    rerank_weight: float = Field(default=0.5, ge=0, le=1, description="Weight of the cross-encoder in the mix.")

    # Parsing
    parser_timeout_s: float = Field(default=60.0, gt=0, description="Wall time one file may take.")
    parser_memory_mb: int = Field(default=2048, ge=256, description="Address space of a parser process.")
    parser_workers: int = Field(default=0, ge=0, description="Parser processes; 0 = one per core.")
    parser_max_mb: int = Field(default=200, ge=1, description="Larger files are refused.")
    figure_captions: Literal["off", "on"] = Field(
        default="off",
        description="on: ingest has a model describe figures without words in PDF, DOCX, PPTX, EPUB, ODF.",
    )
    figure_model: str | None = Field(
        default=None, description="provider:model that describes figures; none = the model that writes answers."
    )
    figure_limit: int = Field(default=30, ge=1, description="Most figures of one document that are described.")

    # Connectors
    local_ignore: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(
            ".git",
            ".roma",
            "__pycache__",
            "node_modules",
            ".venv",
            ".ipynb_checkpoints",
            ".DS_Store",
            "~$*",
            ".~lock.*",
        ),
        description="Comma-separated globs over names (or, with a slash, relative paths) that LocalConnector skips.",
    )
    gdrive_credentials: SecretStr | None = Field(
        default=None, description="Service account or user token: a file's path or the JSON itself."
    )
    gdrive_api_endpoint: str | None = Field(default=None, description="Other address of the Drive API (proxy).")
    web_render: Literal["auto", "always", "never"] = Field(default="auto", description="When to use Chromium.")
    web_timeout_s: float = Field(default=20.0, gt=0, description="Time one page may take.")
    web_max_mb: float = Field(default=10.0, gt=0, description="Largest body after decompression.")
    web_max_depth: int = Field(default=3, ge=0, description="Largest depth of a crawl.")
    web_max_pages: int = Field(default=200, ge=1, description="Most pages of one crawl.")
    web_rate_per_s: float = Field(default=1.0, gt=0, description="Requests a second to one host.")
    web_concurrency: int = Field(default=2, ge=1, description="Requests at once to one host.")
    web_allowed_domains: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="Only these; none = any.")
    web_denied_domains: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="Never these.")
    web_allowed_private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host or host:port that may resolve to a private address."
    )
    web_rotate_user_agent: bool = Field(default=False, description="Use browsers' User-Agents after 403/429.")
    web_chromium: str | None = Field(default=None, description="Path of Chromium; none = search PATH.")

    # Answering
    query_timeout_s: float = Field(default=90.0, gt=0, description="Deadline of a whole query.")
    max_question_chars: int = Field(default=4000, ge=1, description="Longer questions are refused.")
    planner: Literal["auto", "off"] = Field(default="auto", description="auto: plan when a generative model is there.")
    guardrails: Annotated[dict[str, RuleMode], NoDecode] = Field(
        default_factory=dict, description="Comma-separated rule=off|flag|block that override the defaults."
    )
    history_tokens: int = Field(default=2000, ge=0, description="Most tokens of history a follow-up sees.")
    database_url: str | None = Field(default=None, description="SQLAlchemy URL for sessions; none = workspace SQLite.")

    # Serving and telemetry
    host: str = Field(default="127.0.0.1", description="Address to bind; other than loopback needs a token.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to bind.")
    require_token: bool = Field(
        default=False, description="Serve nobody without a token, also while there is none: a workspace may be missing."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of other sites whose pages may use the API (CORS) and open the console."
    )
    ingest_roots: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated folders and gdrive:// addresses that tokens may ingest over HTTP; none = none.",
    )
    max_body_mb: float = Field(default=10.0, gt=0, description="Largest request body.")
    rate_limit_per_minute: int = Field(default=120, ge=1, description="Requests a minute per token or address.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="WARNING", description="Least level shown.")
    log_format: Literal["console", "json"] = Field(default="console", description="Shape of log lines on stderr.")
    tracing: bool = Field(default=False, description="Write MLflow spans of every stage.")
    mlflow_tracking_uri: str | None = Field(default=None, description="MLflow server; none = SQLite in the workspace.")

    @field_validator(
        "llm_fallbacks",
        "local_ignore",
        "web_allowed_domains",
        "web_denied_domains",
        "web_allowed_private_hosts",
        "cors_origins",
        "ingest_roots",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("ingest_roots", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return tuple(map(str, value)) if isinstance(value, tuple | list) else value

    @field_validator("llm_fallbacks", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        """An empty variable counts as unset, so having no fallback needs a word."""
        return () if isinstance(value, str) and value.strip().casefold() == "none" else value

    @field_validator("llm_provider", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("llm_base_url", "openai_base_url", "anthropic_base_url")
    @classmethod
    def _has_scheme(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.lower().startswith(("http://", "https://")):
            raise ValueError("an address begins with http:// or https://")
        if not _names_host(value):
            raise ValueError("an address names a host")
        return value

    @field_validator("guardrails", mode="before")
    @classmethod
    def _split_rules(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        return {rule.strip(): mode.strip() for rule, _, mode in pairs}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, shown(value)) for name, value in super().__repr_args__())

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Settings from the environment. Raises ``ConfigError`` with one line that names each wrong setting."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(e) for e in error.errors())) from None


def env_name(field: str) -> str:
    """The environment variable that sets ``field``."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[-1])
    return f"ROMA_{field.upper()}"


def shown(value: Any) -> Any:
    """``value`` as it may be printed: keys as ``(set)``, addresses without the credentials that they may hold."""
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple):
        return tuple(shown(part) for part in value)
    return _bare(value) if isinstance(value, str) and "://" in value else value


_CREDENTIALS = re.compile(r"\A([^:/?#]*://)?.*@", re.DOTALL)  # up to the last @: a password may hold any sign
_ARGUMENT = re.compile(r"([?&;][^=&;#]*=)[^&;#]*")


def _bare(address: str) -> str:
    return _ARGUMENT.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", address))


def _names_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets and ports that are none; its words quote the address
        return False


def _explain(error: Any) -> str:
    key = str(error["loc"][0]) if error["loc"] else "settings"
    field = next((f for f in Settings.model_fields if key in {f, env_name(f), env_name(f).lower()}), None)
    name = env_name(field) if field else key
    # A value is named only where it cannot be a secret, nor hold one.
    secret = field is not None and "Secret" in str(Settings.model_fields[field].annotation)
    secret |= name.endswith(("_URL", "_URI", "_ENDPOINT"))
    given = error["input"]
    got = "" if secret else f", not {(_bare(given) if isinstance(given, str) else given)!r}"
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {said[0].lower()}{said[1:]}{got}"
