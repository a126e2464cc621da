"""Settings that a tenant has of its own, in a file in its folder. All others are those of the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roma_core.errors import ConfigError, suggest_name
from roma_core.settings.model import Settings, own_settings

TENANT_SECTIONS: Final = ("budgets", "retention")
"""Sections whose settings a tenant may have of its own."""
INGEST_ROOTS: Final = "ingest_roots"
"""Places that tokens may ingest. A tenant without roots of its own has none: those of another one are not its own."""


def list_tenant_settings() -> tuple[str, ...]:
    """Return the names of the settings that a tenant may have of its own.

    >>> "ingest_roots" in list_tenant_settings()
    True
    """
    of_sections = [setting.name for setting in own_settings() if setting.section in TENANT_SECTIONS]
    return (INGEST_ROOTS, *(name for name in of_sections if name != "prices_file"))


def read_tenant_settings(path: Path) -> dict[str, str]:
    """Return a tenant's own settings by name; none without a file. Raises ``ConfigError`` for a damaged one."""
    try:
        held = json.loads(path.read_text("utf-8"))["settings"]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__}); put a copy of it back.") from None
    if not isinstance(held, dict):
        raise ConfigError(f"{path} cannot be read: its settings are no names with values.")
    return {str(name): str(value) for name, value in held.items()}


def check_tenant_settings(values: Mapping[str, str]) -> dict[str, str]:
    """Return a tenant's settings by their name in code, as they were given by name or variable.

    Raises ``ConfigError`` for one that a tenant cannot have, and for a wrong value.

    >>> check_tenant_settings({"ROMA_BUDGET_TENANT_USD": "5"})
    {'budget_tenant_usd': '5'}
    """
    variables = {setting.env: setting.name for setting in own_settings()}
    named = {variables.get(name, name): value for name, value in values.items()}
    known = list_tenant_settings()
    for name in named:
        if name not in known:
            raise ConfigError(f"A tenant has no setting {name!r} of its own. {suggest_name(name, known)}")
    Settings({name: value for name, value in named.items() if value})
    return named
