"""Settings come from the environment and ``.env``; a wrong one is one clear line."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from roma_core.errors import ConfigError, ErrorCode
from roma_core.settings import RetrievalSettings, Settings, mask_value, own_settings


def test_defaults_need_nothing(workspace: Path) -> None:
    settings = Settings.load()
    assert settings.llm.provider == "auto" and settings.workspace == Path(".roma")


def test_environment_and_dotenv_are_read_and_the_environment_wins(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LLM_MODEL=from-file\nROMA_CHUNK_TOKENS=99\nLLM_API_KEY=file-key\n")
    monkeypatch.setenv("LLM_MODEL", "from-env")
    settings = Settings.load()
    assert (settings.llm.model, settings.chunking.tokens) == ("from-env", 99)
    assert settings.llm.api_key is not None and settings.llm.api_key.get_secret_value() == "file-key"


def test_lists_and_rules_are_comma_separated(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_LLM_FALLBACKS", "openai:gpt-4o-mini, extractive")
    monkeypatch.setenv("ROMA_GUARDRAILS", "pii=block, injection=off")
    settings = Settings.load()
    assert settings.llm.fallbacks == ("openai:gpt-4o-mini", "extractive")
    assert settings.answering.guardrails == {"pii": "block", "injection": "off"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LLM_PROVIDER", "opena", "'openai'"),
        ("ROMA_CHUNK_TOKENS", "many", "integer"),
        ("ROMA_CHUNK_TOKENS", "1", "greater than or equal to 32"),
        ("ROMA_CACHE", "yes", "'refresh'"),
        ("ROMA_GUARDRAILS", "pii=maybe", "'block'"),
        ("ROMA_PORT", "99999", "65535"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert caught.value.message.startswith(f"{name}: ") and says in caught.value.message
    assert "\n" not in caught.value.message


def test_secrets_are_not_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret")
    monkeypatch.setenv("ROMA_PORT", "x")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert "very-secret" not in caught.value.message
    monkeypatch.delenv("ROMA_PORT")
    assert "very-secret" not in repr(Settings.load())


def test_every_setting_has_a_description_and_a_name() -> None:
    for setting in own_settings():
        assert setting.description, setting.name
        assert setting.env.isupper()


def test_no_two_settings_have_one_name() -> None:
    names = [setting.name for setting in own_settings()]
    assert len(names) == len(set(names))


def test_single_values_and_sections_are_accepted(workspace: Path) -> None:
    flat = Settings.load(lexical_weight=0.0)
    mapping = Settings.load({"ROMA_LEXICAL_WEIGHT": 0.0})
    nested = Settings.load(retrieval=RetrievalSettings(lexical_weight=0.0))
    assert flat == mapping == nested
    assert flat.retrieval.lexical_weight == 0.0


def test_values_in_code_win_over_the_environment(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_LEXICAL_WEIGHT", "0.9")
    monkeypatch.setenv("ROMA_RERANK_LIMIT", "7")
    settings = Settings.load(retrieval={"lexical_weight": 0.0})
    assert (settings.retrieval.lexical_weight, settings.retrieval.rerank_limit) == (0.0, 7)


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_PORT", "9")
    assert Settings().serving.port == 8000


def test_a_copy_changes_single_values() -> None:
    settings = Settings(lexical_weight=0.1, port=9)
    changed = settings.replace(lexical_weight=0.2)
    assert (changed.retrieval.lexical_weight, changed.serving.port) == (0.2, 9)
    assert settings.retrieval.lexical_weight == 0.1


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"lexical_wieght": 0.0}, "lexical_weight"),
        ({"retrieval": {"lexical_wieght": 0.0}}, "lexical_weight"),
        ({"retreival": {}}, "retrieval"),
        ({"ROMA_LEXICAL_WIEGHT": 0.0}, "ROMA_LEXICAL_WEIGHT"),
        ({"llm_provder": "fake"}, "llm_provider"),
        ({"web_timeout": 3}, "web_timeout_s"),
    ],
)
def test_an_unknown_name_in_code_is_an_error_with_the_nearest(given: dict[str, object], meant: str) -> None:
    for make in (Settings, Settings.load, Settings().replace):
        with pytest.raises(ConfigError, match=rf"no setting has this name\. Did you mean {meant}\?"):
            make(given)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ROMA_RETREIVE_LIMIT", "ROMA_RETRIEVE_LIMIT"),
        ("roma_chunk_token", "ROMA_CHUNK_TOKENS"),
        ("ROMA_LLM_MODEL", "LLM_MODEL"),
        ("LLM_MAX_OUTPUT_TOKENS", "ROMA_LLM_MAX_OUTPUT_TOKENS"),
        ("LLM_PROVIDR", "LLM_PROVIDER"),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_an_unknown_variable_is_an_error_with_the_nearest(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str, place: str
) -> None:
    if place == "file":
        Path(".env").write_text(f"{name}=5\n")
    else:
        monkeypatch.setenv(name, "5")
    with pytest.raises(ConfigError, match=rf"^{name.upper()}: no setting has this name\. Did you mean {meant}\?$"):
        Settings.load()


@pytest.mark.parametrize(
    "name", ["LLM_USER_PATH", "OPENAI_API_TYPE", "OTHER", "ROMA_SHARED", "ROMA_TOKEN", "ROMA_TEST_POSTGRES_URL"]
)
def test_variables_of_other_programs_are_left_alone(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    Path(".env").write_text(f"{name}=y\n")
    assert Settings.load() == Settings()


def test_an_empty_variable_counts_as_unset(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_PORT", "")
    assert Settings.load().serving.port == 8000


def test_a_file_that_is_no_text_is_a_clear_error(workspace: Path) -> None:
    Path(".env").write_bytes(b"ROMA_PORT=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file", "is a file"),
        ("file/below", "lies inside of a file"),
        ("nowhere", "is a link that leads nowhere"),
        ("circle", "is a link that leads in a circle"),
    ],
)
def test_a_workspace_that_can_be_no_folder_is_refused(workspace: Path, name: str, why: str) -> None:
    Path("file").write_text("", encoding="utf-8")
    Path("nowhere").symlink_to("not-there")
    Path("circle").symlink_to("circle")
    with pytest.raises(ConfigError, match=f"The workspace {name} {why}, where a folder is needed"):
        Settings.load(workspace=name)


def test_a_link_to_a_folder_is_a_workspace(workspace: Path) -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    assert Settings.load(workspace="link").workspace == Path("link")


@pytest.mark.parametrize(
    ("text", "line"),
    [("ROMA_TENANT lab\n", 1), ("# mine\nROMA_PORT=1\nROMA_TENANT\n", 3), ('ROMA_TENANT="lab\nROMA_PORT=1\n', 1)],
)
def test_a_line_of_an_env_file_that_sets_nothing_is_named(workspace: Path, text: str, line: int) -> None:
    Path(".env").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"Line {line} of .*\.env is no setting"):
        Settings.load()


@pytest.mark.parametrize(
    "text",
    ["ROMA_TENANT=lab\r\n", "export ROMA_TENANT=lab", "ROMA_TENANT = 'lab' # mine", "\ufeffROMA_TENANT=lab\n"],
)
def test_an_env_file_is_read_as_shells_and_editors_write_it(workspace: Path, text: str) -> None:
    Path(".env").write_bytes(text.encode())
    assert Settings.load().tenant == "lab"


def test_a_name_alone_is_another_programs_or_set_by_the_environment(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker reads such a line as the variable of its own environment."""
    monkeypatch.setenv("ROMA_TENANT", "lab")
    Path(".env").write_text("POSTGRES_PASSWORD\nROMA_TENANT\n", encoding="utf-8")
    assert Settings.load().tenant == "lab"


@pytest.mark.parametrize("key", ["schl\u00fcssel", "sk-one\nsk-two"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("LLM_API_KEY", key)
    with pytest.raises(ConfigError, match=r"LLM_API_KEY: .*copy it again") as caught:
        Settings.load()
    assert key not in str(caught.value)


def test_a_key_may_end_in_a_line_feed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sk-one\n")
    key = Settings.load().llm.api_key
    assert key is not None and key.get_secret_value() == "sk-one"


def test_a_field_says_whether_it_decides_an_answer() -> None:
    deciding = Settings().deciding()
    assert {"lexical_weight", "chunk_tokens", "llm_model", "planner"} <= set(deciding)
    assert not {"port", "workspace", "tenant", "llm_api_key"} & set(deciding)


@pytest.mark.parametrize(
    "value",
    [
        {"workspace": "/elsewhere"},
        {"ingest_roots": ("/srv/docs",)},
        {"web_chromium": "/usr/bin/chromium"},
        {"prices_file": "/srv/prices.json"},
        {"llm_requests_per_minute": 3},
        {"llm_tokens_per_minute": 3},
        {"llm_max_concurrency": 3},
        {"rate_limit_per_minute": 3},
        {"web_rate_per_s": 3},
        {"budget_run_usd": 3},
        {"budget_tenant_usd": 3},
        {"llm_total_s": 3},
    ],
)
def test_no_path_rate_budget_or_deadline_decides_an_answer(value: dict[str, object]) -> None:
    assert Settings(value).deciding() == Settings().deciding()


def test_a_plugin_brings_its_own_settings(
    workspace: Path, install_plugin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from types import SimpleNamespace
from typing import ClassVar
from roma_core.settings import SettingsSection, setting

class GopherSettings(SettingsSection):
    prefix: ClassVar[str] = "ROMA_GOPHER_"
    depth: int = setting(2, "Menus that are followed.", ge=1)

SPEC = SimpleNamespace(settings=GopherSettings)
"""
    install_plugin("roma.connectors", "roma-gopher", "roma_gopher", source, gopher="roma_gopher:SPEC")
    kind = importlib.import_module("roma_gopher").GopherSettings

    monkeypatch.setenv("ROMA_GOPHER_DEPTH", "5")
    settings = Settings.load()
    assert settings.section(kind).depth == 5
    assert settings.deciding()["gopher_depth"] == 5
    assert Settings().section(kind).depth == 2
    assert Settings(gopher_depth=7).section(kind).depth == 7
    assert settings.replace(port=1).section(kind).depth == 5
    with pytest.raises(ConfigError, match="ROMA_GOPHER_DEPTH: input should be greater"):
        Settings(gopher_depth=0)
    monkeypatch.setenv("ROMA_GOPHER_DETPH", "5")
    with pytest.raises(ConfigError, match="Did you mean ROMA_GOPHER_DEPTH"):
        Settings.load()


def test_fallbacks_can_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_LLM_FALLBACKS", "none")
    assert Settings.load(env_file=None).llm.fallbacks == ()


def test_providers_are_known_in_any_spelling_of_their_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "OpenAI")
    assert Settings.load(env_file=None).llm.provider == "openai"


@pytest.mark.parametrize("name", ["LLM_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"])
def test_an_address_without_its_scheme_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "localhost:8000/v1")
    with pytest.raises(ConfigError, match=f"{name}: .*http://"):
        Settings.load(env_file=None)


@pytest.mark.parametrize("address", ["ftp://host/v1", "host:8000", "http://", "http://[::bad", "http://host:99999"])
def test_an_address_that_cannot_be_asked_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigError, match="LLM_BASE_URL: "):
        Settings.load(env_file=None, llm_base_url=address)


ADDRESSES = (
    "llm_base_url",
    "openai_base_url",
    "azure_openai_endpoint",
    "otlp_endpoint",
    "judge_base_url",
    "anthropic_base_url",
    "gdrive_api_endpoint",
    "database_url",
    "queue_url",
    "cache_url",
    "mlflow_tracking_uri",
    "library_zotero_url",
    "library_openalex_url",
    "library_pubmed_url",
    "library_arxiv_url",
    "public_url",
    "url",
    "saml_idp_slo_url",
    "saml_idp_sso_url",
    "store_endpoint",
)
SECRET = "pw-0f-joe"


@pytest.mark.parametrize(
    "address",
    [
        f"https://joe:{SECRET}@host.example:8443/db",
        f"https://{SECRET}@host.example/db",
        f"https://host.example/db?user=joe&password={SECRET}&sslmode=require",
        f"https://host.example/db?x=1;token={SECRET}#part",
    ],
)
def test_addresses_are_shown_without_their_credentials(workspace: Path, address: str) -> None:
    """Everywhere where settings are shown: the command, reprs, reports of evaluations."""
    settings = Settings(**dict.fromkeys(ADDRESSES, address), cors_origins=(address,))
    values = {setting.name: value for setting, value in settings.items()}
    for text in (repr(settings), str(settings), str(settings.deciding()), f"{settings.__rich_repr__}"):
        assert SECRET not in text
    for field in (*ADDRESSES, "cors_origins"):
        shown = str(mask_value(values[field]))
        assert SECRET not in shown
        assert "host.example" in shown
    assert settings.storage.database_url == address


def test_a_password_that_breaks_its_address_is_not_shown() -> None:
    settings = Settings(database_url=f"postgresql://joe:a/b@c?d#{SECRET}@host.example/db?x=1")
    assert "'postgresql://***@host.example/db?x=***'" in repr(settings)


def test_every_setting_that_may_hold_an_address_is_covered() -> None:
    refused = {"store_url"}  # credentials have no place in it
    assert {setting.name for setting in own_settings() if setting.holds_address} == {*ADDRESSES, *refused}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLM_BASE_URL", f"joe:{SECRET}@host/v1"),
        ("LLM_BASE_URL", SECRET),
        ("LLM_BASE_URL", f"ftp://joe:{SECRET}@host/v1"),
        ("LLM_BASE_URL", f"http://joe:{SECRET}/x@host/v1"),
        ("LLM_BASE_URL", f"http://joe:x@host:{SECRET}/v1"),
        ("LLM_BASE_URL", f"http://[{SECRET}/v1"),
        ("LLM_BASE_URL", f"http://joe:{SECRET}℀@host/v1"),
        ("ROMA_PORT", f"http://joe:{SECRET}@host/v1"),
    ],
)
def test_a_wrong_address_is_told_without_its_credentials(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: ") as caught:
        Settings.load(env_file=None)
    assert SECRET not in caught.value.message
