"""Plug-ins are found by entry points; one that is broken is a value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from roma_core.errors import ConfigError
from roma_core.plugins import BrokenPlugin, declared_names, forget_specs, load_specs

GROUP = "roma.stages"
Install = Callable[..., None]


@pytest.fixture
def install(install_plugin: Install) -> Install:
    return partial(install_plugin, GROUP)


def test_a_spec_of_another_package_is_found(install: Install) -> None:
    install("acme-stages", "acme_stages", "SPEC = 'hyde'\n", hyde="acme_stages:SPEC")
    assert load_specs(GROUP, str)["hyde"] == "hyde"


def test_names_are_listed_without_importing_the_package(install: Install) -> None:
    install("acme-stages", "acme_stages", "raise SystemError\n", hyde="acme_stages:SPEC")
    assert "hyde" in declared_names(GROUP)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import a_package_that_nobody_has\n", "'a_package_that_nobody_has' is not installed"),
        ("SPEC = 1 / 0\n", "ZeroDivisionError"),
        ("def SPEC(:\n", "SyntaxError"),
        ("OTHER = 1\n", "AttributeError"),
        ("SPEC = 7\n", "acme_broken:SPEC of acme-stages holds int, not str"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_a_value(install: Install, source: str, says: str) -> None:
    install("acme-stages", "acme_broken", source, hyde="acme_broken:SPEC")
    [broken] = load_specs(GROUP, str).broken
    assert (broken.name, broken.group) == ("hyde", GROUP)
    assert says in broken.reason and "acme-stages" in broken.reason


def test_a_broken_plugin_takes_no_other_with_it(install: Install) -> None:
    install("acme-stages", "acme_broken", "raise ValueError('secret')\n", hyde="acme_broken:SPEC")
    install("good-stages", "good_stages", "SPEC = 'good'\n", good="good_stages:SPEC")
    specs = load_specs(GROUP, str)
    assert specs["good"] == "good"
    assert [plugin.name for plugin in specs.broken] == ["hyde"]
    assert "secret" not in specs.broken[0].reason


def test_two_packages_with_one_name_are_reported(install: Install) -> None:
    install("alpha", "alpha_stages", "SPEC = 'alpha'\n", hyde="alpha_stages:SPEC")
    install("beta", "beta_stages", "SPEC = 'beta'\n", hyde="beta_stages:SPEC")
    specs = load_specs(GROUP, str)
    assert specs["hyde"] == "alpha"
    [clash] = specs.broken
    assert "alpha" in clash.reason and "beta" in clash.reason


def test_specs_are_read_once(install: Install) -> None:
    install("acme-stages", "acme_stages", "SPEC = 'hyde'\n", hyde="acme_stages:SPEC")
    assert load_specs(GROUP, str) is load_specs(GROUP, str)


def test_an_unknown_name_is_an_error_with_the_nearest(install: Install) -> None:
    install("acme-stages", "acme_stages", "SPEC = 'hyde'\n", hyde="acme_stages:SPEC")
    with pytest.raises(ConfigError, match=r"There is no stage 'hdye'\. Did you mean 'hyde'\?"):
        load_specs(GROUP, str).require("hdye")


def test_asking_for_a_broken_plugin_says_why(install: Install) -> None:
    install("acme-stages", "acme_broken", "import a_package_that_nobody_has\n", hyde="acme_broken:SPEC")
    with pytest.raises(ConfigError, match="a_package_that_nobody_has"):
        load_specs(GROUP, str).require("hyde")


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"roma\.connectors"):
        load_specs("roma.connector", BrokenPlugin)


def test_an_installation_of_another_revision_says_to_install_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.plugins.entry_points", lambda group: ())
    forget_specs()
    with pytest.raises(ConfigError, match=r"roma-core declares no roma\.connectors.*Install it again"):
        load_specs("roma.connectors", object)
    forget_specs()
