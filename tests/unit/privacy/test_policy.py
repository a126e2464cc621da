"""The policy on personal data: which rule counts, and what a wrong one is told."""

from __future__ import annotations

import pytest

from roma_core.errors import ConfigError
from roma_core.privacy import PrivacyPolicy
from roma_core.settings import PrivacySettings, Settings
from roma_core.types.privacy import KIND_GROUPS


def policy(*rules: str) -> PrivacyPolicy:
    return PrivacyPolicy(PrivacySettings(policy=rules).rules)


def test_without_a_rule_nothing_is_looked_for() -> None:
    assert policy().is_off
    assert policy().find_modes("default", "main") == {}


def test_the_last_rule_that_fits_counts() -> None:
    modes = policy("*=flag", "email=mask", "phone=off").find_modes("default", "main")
    assert (modes["email"], modes["card"], "phone" in modes) == ("mask", "flag", False)


def test_a_rule_names_a_collection_and_a_tenant() -> None:
    rules = policy("numbers=flag", "hr/email=mask", "acme/hr/email=refuse", "acme/*/card=mask")
    assert rules.find_modes("default", "main")["email"] == "flag"
    assert rules.find_modes("default", "hr")["email"] == "mask"
    assert rules.find_modes("acme", "hr")["email"] == "refuse"
    assert rules.find_modes("acme", "main") | {"email": "flag"} == rules.find_modes("acme", "main")
    assert (rules.find_modes("acme", "main")["card"], rules.find_modes("default", "main")["card"]) == ("mask", "flag")


def test_a_group_stands_for_its_kinds() -> None:
    assert set(policy("secrets=mask").find_modes("default", "main")) == KIND_GROUPS["secrets"]


@pytest.mark.parametrize(
    ("rules", "needed"),
    [
        (("numbers=mask",), False),
        (("*=mask",), True),
        (("*=mask", "names=off"), False),
        (("*=mask", "person=off"), True),
        (("acme/*/person=mask", "names=off"), False),
        (("person=mask", "acme/*/names=off"), True),
    ],
)
def test_a_model_is_needed_where_names_are_looked_for(rules: tuple[str, ...], needed: bool) -> None:
    assert policy(*rules).needs_names is needed


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("email", "email=mask"),
        ("email=hide", "off, flag, mask, refuse"),
        ("mail=mask", "national_id"),
        ("a/b/c/email=mask", "TENANT/COLLECTION/"),
        ("/email=mask", "TENANT/COLLECTION/"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_to_write(rule: str, named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings(pii_policy=rule)
    assert refused.value.message.startswith("ROMA_PII_POLICY")
    assert named in refused.value.message


def test_a_model_without_a_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="ROMA_PII_MODELS"):
        Settings(pii_models="de_core_news_sm")
