"""``Settings``: every section, and the ways to fill them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretStr, TypeAdapter, ValidationError, field_validator

from roma_core.errors import ConfigError
from roma_core.plugins import GROUPS, declared_names, load_specs
from roma_core.settings import base
from roma_core.settings.answering import AnsweringSettings
from roma_core.settings.base import PREFIX, Setting, SettingsSection, settings_of
from roma_core.settings.budgets import BudgetSettings
from roma_core.settings.chunking import ChunkingSettings
from roma_core.settings.connectors import (
    DatabaseSettings,
    GDriveSettings,
    LibrarySettings,
    LocalSettings,
    WebSettings,
)
from roma_core.settings.environment import misspelt_variables, read_variables
from roma_core.settings.judging import JudgeSettings
from roma_core.settings.llm import AnthropicSettings, AzureSettings, LLMSettings, OpenAISettings
from roma_core.settings.masking import mask_address, mask_value
from roma_core.settings.parsing import FigureSettings, ParsingSettings
from roma_core.settings.privacy import PrivacySettings
from roma_core.settings.retention import RetentionSettings
from roma_core.settings.retrieval import RetrievalSettings
from roma_core.settings.routing import RoutingSettings
from roma_core.settings.serving import ServingSettings
from roma_core.settings.signin import OIDCSettings, SAMLSettings
from roma_core.settings.sources import SourceSettings
from roma_core.settings.storage import StorageSettings
from roma_core.settings.telemetry import TelemetrySettings
from roma_core.workspace import DEFAULT_WORKSPACE, explain_blocked, require_tenant_name, resolve_workspace

S = TypeVar("S", bound=SettingsSection)
_AS_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_OWN_PROVIDERS = frozenset({"openai", "anthropic", "fake"})


class Settings(BaseModel):
    """All settings, in sections. ``Settings.load()`` reads the environment; ``Settings(...)`` does not.

    Both take single values by their name in code, and whole sections::

        Settings.load(workspace="w", lexical_weight=0.0)
        Settings(retrieval=RetrievalSettings(lexical_weight=0.0))

    Both raise ``ConfigError`` for a wrong value and for a name that no setting has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    workspace: Path = base.setting(
        Path(DEFAULT_WORKSPACE), "Folder that holds everything ROMA writes.", decides_answers=False
    )
    tenant: str = base.setting(
        "default", "Whose documents CLI and notebooks work on.", min_length=1, decides_answers=False
    )
    executor: str = base.setting(
        "local",
        "Where ingests and evaluations run: local (this process), local:8 (processes), dask, dask://host:8786, "
        "tls://host:8786 or slurm://partition.",
        decides_answers=False,
    )
    storage: StorageSettings = StorageSettings()
    llm: LLMSettings = LLMSettings()
    openai: OpenAISettings = OpenAISettings()
    anthropic: AnthropicSettings = AnthropicSettings()
    azure: AzureSettings = AzureSettings()
    budgets: BudgetSettings = BudgetSettings()
    routing: RoutingSettings = RoutingSettings()
    judge: JudgeSettings = JudgeSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    parsing: ParsingSettings = ParsingSettings()
    figures: FigureSettings = FigureSettings()
    sources: SourceSettings = SourceSettings()
    privacy: PrivacySettings = PrivacySettings()
    retention: RetentionSettings = RetentionSettings()
    local: LocalSettings = LocalSettings()
    gdrive: GDriveSettings = GDriveSettings()
    web: WebSettings = WebSettings()
    library: LibrarySettings = LibrarySettings()
    databases: DatabaseSettings = DatabaseSettings()
    answering: AnsweringSettings = AnsweringSettings()
    serving: ServingSettings = ServingSettings()
    oidc: OIDCSettings = OIDCSettings()
    saml: SAMLSettings = SAMLSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    _plugin_sections: dict[str, SettingsSection] = PrivateAttr(default_factory=dict)

    @field_validator("tenant")
    @classmethod
    def _check_tenant(cls, value: str) -> str:
        require_tenant_name(value)
        return value

    def __init__(self, values: Mapping[str, object] | None = None, /, **more: object) -> None:
        own, of_plugins = _nest({**(values or {}), **more})
        try:
            super().__init__(**own)
            self._plugin_sections.update(of_plugins)
        except ValidationError as error:
            raise _config_error(error, own_settings()) from None

    @classmethod
    def load(
        cls,
        values: Mapping[str, object] | None = None,
        /,
        *,
        env_file: Path | str | None = ".env",
        **more: object,
    ) -> Self:
        """Return the settings of the environment and ``env_file``, with ``values`` and ``more`` above them.

        A relative workspace is found from the working folder upwards (``resolve_workspace``).
        Raises ``ConfigError`` with one line that names each wrong setting, and each variable and name that is none;
        also for a workspace that can be no folder.
        """
        variables = read_variables(env_file)
        named = {setting.env: setting for setting in own_settings()}
        unknown = misspelt_variables(variables, named)
        if unknown or _has_other_providers():
            named |= {setting.env: setting for setting in plugin_settings()}
            unknown = misspelt_variables(variables, named)
        if unknown:
            raise ConfigError("; ".join(_explain_unknown(name) for name in unknown))
        given = {env: value for env, value in variables.items() if env in named}
        settings = cls({**given, **(values or {}), **more})
        workspace = resolve_workspace(settings.workspace)
        blocked = explain_blocked(workspace)
        if blocked:
            raise ConfigError(
                f"The workspace {workspace} {blocked}, where a folder is needed; choose another place with "
                "ROMA_WORKSPACE or --workspace."
            )
        return settings.model_copy(update={"workspace": workspace})

    @property
    def signs_in_by_provider(self) -> bool:
        """Return whether people sign in at an identity provider: then nobody is served without a sign-in or token."""
        return bool(self.oidc.issuer or self.saml.idp_entity_id)

    def section(self, kind: type[S]) -> S:
        """Return the section of this kind; one of a plug-in that nothing was set in has its defaults."""
        for value in (*self.__dict__.values(), *self._plugin_sections.values()):
            if type(value) is kind:
                return value
        return kind()

    def replace(self, values: Mapping[str, object] | None = None, /, **more: object) -> Self:
        """Return a copy with these values, given as in ``Settings(...)``.

        >>> Settings().replace(lexical_weight=0.0).retrieval.lexical_weight
        0.0
        """
        changed = {setting.name: value for setting, value in self.items() if value != setting.default}
        return type(self)({**changed, **(values or {}), **more})

    def value(self, setting: Setting) -> object:
        """Return the value of ``setting``, also of one that a plug-in brings."""
        holder = self._holders().get(setting.section)
        return cast(object, getattr(holder, setting.field) if holder else setting.default)

    def items(self) -> Iterator[tuple[Setting, Any]]:
        """Yield every setting with its value; those of plug-ins where one of them is set."""
        for setting in own_settings():
            yield setting, self.value(setting)
        if self._plugin_sections:
            for setting in plugin_settings():
                if setting.section in self._plugin_sections:
                    yield setting, self.value(setting)

    def deciding(self) -> dict[str, Any]:
        """Return what decides an answer over a given corpus, by name, as JSON values without secrets."""
        values: dict[str, Any] = {}
        for setting, value in self.items():
            if setting.decides_answers and not setting.is_secret:
                values[setting.name] = _as_json(mask_value(value))
        return dict(sorted(values.items()))

    def _holders(self) -> dict[str, BaseModel]:
        return {"": self, **self.__dict__, **self._plugin_sections}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, mask_value(value)) for name, value in super().__repr_args__())


def dump_settings(settings: Settings, *, with_secrets: bool) -> dict[str, Any]:
    """Return every setting by its name in code, as JSON values for a worker.

    Without ``with_secrets``, keys, passwords and addresses with credentials stay here: a worker reads its own.

    >>> "llm_api_key" in dump_settings(Settings(llm_api_key="k"), with_secrets=False)
    False
    """
    values: dict[str, Any] = {}
    for setting, value in settings.items():
        holds_secret = setting.is_secret or (setting.holds_address and mask_value(value) != value)
        if with_secrets or not holds_secret:
            values[setting.name] = _AS_JSON.dump_python(_reveal(value), mode="json")
    return values


def _reveal(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: _reveal(each) for key, each in value.items()}
    return value


@runtime_checkable
class ConfiguredSpec(Protocol):
    """A plug-in's spec that brings a section of settings."""

    @property
    def settings(self) -> type[SettingsSection] | None: ...


def _has_other_providers() -> bool:
    """Return whether a package brings a provider: its own variables (``ACME_API_KEY``) do not begin with ``ROMA_``."""
    return bool(set(declared_names("roma.providers")) - _OWN_PROVIDERS)


@cache
def own_settings() -> tuple[Setting, ...]:
    """Return ROMA's own settings, in the order of the documentation."""
    found = list(settings_of(Settings, "", PREFIX))
    for name, model in own_sections().items():
        found += settings_of(model, name, model.prefix)
    return tuple(found)


@cache
def own_sections() -> dict[str, type[SettingsSection]]:
    """Return the kinds of ROMA's own sections by their name in ``Settings``."""
    sections = {}
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, SettingsSection):
            sections[name] = info.annotation
    return sections


def plugin_sections() -> dict[str, type[SettingsSection]]:
    """Return the kinds of sections that plug-ins bring, by name: their prefix without ``ROMA_``. Imports the plug-ins.

    ROMA's own sections keep their names: a plug-in cannot take one over.
    """
    own = own_sections()
    sections: dict[str, type[SettingsSection]] = {}
    for group in GROUPS:
        for spec in load_specs(group, object).values():
            model = spec.settings if isinstance(spec, ConfiguredSpec) else None
            name = _name_in_code(model.prefix).rstrip("_") if model is not None else ""
            if model is not None and name not in own:
                sections.setdefault(name, model)
    return sections


def plugin_settings() -> tuple[Setting, ...]:
    """Return the settings that plug-ins bring; a name that ROMA has keeps its own meaning."""
    taken = {setting.env for setting in own_settings()}
    found = []
    for name, model in plugin_sections().items():
        for setting in settings_of(model, name, model.prefix):
            if setting.env not in taken:
                taken.add(setting.env)
                found.append(setting)
    return tuple(found)


def all_settings() -> tuple[Setting, ...]:
    """Return every setting, also those of plug-ins."""
    return own_settings() + plugin_settings()


def env_name(name: str) -> str:
    """Return the environment variable of the setting called ``name`` in code.

    >>> env_name("llm_model"), env_name("chunk_tokens")
    ('LLM_MODEL', 'ROMA_CHUNK_TOKENS')
    """
    for setting in own_settings():
        if setting.name == name:
            return setting.env
    raise ConfigError(_explain_unknown(name))


def _name_in_code(name: str) -> str:
    return name.lower().removeprefix(PREFIX.lower())


def _nest(values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, SettingsSection]]:
    """Sort flat values and sections into what ``Settings`` takes and the sections of plug-ins."""
    sections: dict[str, type[SettingsSection]] = dict(own_sections())
    known = {setting.name: setting for setting in own_settings()}
    names = {name: _name_in_code(name) for name in values}
    if any(name not in known and name not in sections for name in names.values()):
        sections |= plugin_sections()
        known |= {setting.name: setting for setting in plugin_settings()}
    unknown = [name for name, plain in names.items() if plain not in known and plain not in sections]
    if unknown:
        raise ConfigError("; ".join(_explain_unknown(name) for name in unknown))

    root: dict[str, object] = {}
    nested: dict[str, dict[str, object]] = {}
    for name, plain in names.items():  # in the order given: the last word counts
        value = values[name]
        if plain in sections:
            fields = dict(value) if isinstance(value, BaseModel | Mapping) else {plain: value}
            nested.setdefault(plain, {}).update(fields)
        elif known[plain].section:
            nested.setdefault(known[plain].section, {})[known[plain].field] = value
        else:
            root[known[plain].field] = value

    own = {name: fields for name, fields in nested.items() if name in own_sections()}
    of_plugins = {name: _make(sections[name], name, nested[name]) for name in nested if name not in own}
    return {**root, **own}, of_plugins


def _make(model: type[SettingsSection], name: str, fields: Mapping[str, object]) -> SettingsSection:
    try:
        return model(**fields)
    except ValidationError as error:
        raise _config_error(error, tuple(settings_of(model, "", model.prefix))) from None


def _config_error(error: ValidationError, settings: tuple[Setting, ...]) -> ConfigError:
    return ConfigError("; ".join(_explain(detail, settings) for detail in error.errors()))


def _explain(detail: Any, settings: tuple[Setting, ...]) -> str:
    """Return one wrong value as a sentence that begins with the setting's variable."""
    path = tuple(str(part) for part in detail["loc"])
    setting = next(
        (s for s in settings if path[: 1 + bool(s.section)] == tuple(filter(None, (s.section, s.field)))), None
    )
    if setting is None:
        return _explain_unknown(path[-1] if path else "settings")
    # A value is named only where it cannot be a secret, nor hold one.
    given = detail["input"]
    masked = mask_address(given) if isinstance(given, str) else given
    instead = "" if setting.is_secret or setting.holds_address else f", not {masked!r}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{setting.env}: {message[0].lower()}{message[1:]}{instead}"


def _explain_unknown(name: str) -> str:
    """Return the sentence about a name that no setting has, spelt as its kind of name is."""
    plain = _name_in_code(name)
    variables = {setting.name: setting.env for setting in all_settings()}
    nearest = difflib.get_close_matches(plain, [*variables, *own_sections(), *plugin_sections()], n=1)
    if not nearest:
        return f"{name}: no setting has this name; `roma settings` lists them."
    meant = variables.get(nearest[0], nearest[0]) if name.isupper() else nearest[0]
    return f"{name}: no setting has this name. Did you mean {meant}?"


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
