"""Settings come from the environment and ``.env``; a wrong one is one clear line."""

from pathlib import Path

import pytest

from roma_core.errors import ConfigError, ErrorCode
from roma_core.settings import Settings, env_name


def test_defaults_need_nothing(workspace: Path) -> None:
    settings = Settings.load()
    assert settings.llm_provider == "auto" and settings.workspace == Path(".roma")


def test_environment_and_dotenv_are_read_and_the_environment_wins(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LLM_MODEL=from-file\nROMA_CHUNK_TOKENS=99\nLLM_API_KEY=file-key\n")
    monkeypatch.setenv("LLM_MODEL", "from-env")
    settings = Settings.load()
    assert (settings.llm_model, settings.chunk_tokens) == ("from-env", 99)
    assert settings.llm_api_key is not None and settings.llm_api_key.get_secret_value() == "file-key"


def test_lists_and_rules_are_comma_separated(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_LLM_FALLBACKS", "openai:gpt-4o-mini, extractive")
    monkeypatch.setenv("ROMA_GUARDRAILS", "pii=block, injection=off")
    settings = Settings.load()
    assert settings.llm_fallbacks == ("openai:gpt-4o-mini", "extractive")
    assert settings.guardrails == {"pii": "block", "injection": "off"}


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


def test_secrets_are_notshow_value(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret")
    monkeypatch.setenv("ROMA_PORT", "x")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert "very-secret" not in caught.value.message
    monkeypatch.delenv("ROMA_PORT")
    assert "very-secret" not in repr(Settings.load())


def test_every_setting_has_a_description_and_a_name() -> None:
    for field, info in Settings.model_fields.items():
        assert info.description, field
        assert env_name(field).isupper()


def test_fallbacks_can_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMA_LLM_FALLBACKS", "none")
    assert Settings.load(_env_file=None).llm_fallbacks == ()


def test_providers_are_known_in_any_spelling_of_their_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "OpenAI")
    assert Settings.load(_env_file=None).llm_provider == "openai"


@pytest.mark.parametrize("name", ["LLM_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"])
def test_an_address_without_its_scheme_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "localhost:8000/v1")
    with pytest.raises(ConfigError, match=f"{name}: .*http://"):
        Settings.load(_env_file=None)


@pytest.mark.parametrize("address", ["ftp://host/v1", "host:8000", "http://", "http://[::bad", "http://host:99999"])
def test_an_address_that_cannot_be_asked_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigError, match="LLM_BASE_URL: "):
        Settings.load(_env_file=None, llm_base_url=address)


ADDRESSES = (
    "llm_base_url",
    "openai_base_url",
    "anthropic_base_url",
    "gdrive_api_endpoint",
    "database_url",
    "mlflow_tracking_uri",
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
    from roma_core.cli.service import show_value
    from roma_core.evals.evaluation import decisive

    settings = Settings(_env_file=None, **dict.fromkeys(ADDRESSES, address), cors_origins=(address,))
    for text in (repr(settings), str(settings), str(decisive(settings)), f"{settings.__rich_repr__}"):
        assert SECRET not in text
    for field in (*ADDRESSES, "cors_origins"):
        told = str(show_value(getattr(settings, field)))
        assert SECRET not in told
        assert "host.example" in told
    assert settings.database_url == address


def test_a_password_that_breaks_its_address_is_notshow_value() -> None:
    settings = Settings(_env_file=None, database_url=f"postgresql://joe:a/b@c?d#{SECRET}@host.example/db?x=1")
    assert "'postgresql://***@host.example/db?x=***'" in repr(settings)


def test_every_setting_that_may_hold_an_address_is_covered() -> None:
    named = {f for f in Settings.model_fields if f.endswith(("url", "uri", "endpoint"))}
    assert named == set(ADDRESSES)


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
        Settings.load(_env_file=None)
    assert SECRET not in caught.value.message
    with pytest.raises(ValueError) as raw:
        Settings(_env_file=None)
    assert SECRET not in str(raw.value)
