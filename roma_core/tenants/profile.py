"""Profiles of tenants: their names, their own settings, and the file in which these stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from roma_core.errors import InputError, NotFoundError
from roma_core.settings import Settings
from roma_core.settings.tenants import check_tenant_settings, read_tenant_settings
from roma_core.types import Noun
from roma_core.workspace import (
    CORPUS_PREFIX,
    Workspace,
    list_tenant_folders,
    replace_file,
    require_tenant_name,
)


class TenantProfile(Noun):
    """A tenant with the settings that it has of its own."""

    name: str
    folder: Path
    is_home: bool = False
    """Whether its files lie in the workspace's folder itself; its settings are those of the environment."""
    settings: dict[str, str] = Field(default_factory=dict)


def check_tenant_name(tenant: str) -> None:
    """Raise ``InputError`` for a name that no tenant can have."""
    try:
        require_tenant_name(tenant)
    except ValueError as error:
        raise InputError(str(error)) from None
    if tenant.startswith(CORPUS_PREFIX):
        raise InputError(f"Names that begin with {CORPUS_PREFIX!r} are those of corpora that evaluations ingest.")


def apply_tenant_settings(settings: Settings) -> Settings:
    """Return settings with those that their tenant has of its own. Raises ``ConfigError`` for a damaged file."""
    own = read_tenant_settings(Workspace.of(settings).tenant_settings)
    return settings.replace(own) if own else settings


def create_tenant(root: Path, tenant: str, values: Mapping[str, str]) -> TenantProfile:
    """Make a tenant's folder with its own settings. Raises ``InputError`` for one that there is, and ``ConfigError``.

    >>> create_tenant(Path(".roma"), "lab", {"ROMA_INGEST_ROOTS": "/srv/lab"}).settings
    {'ingest_roots': '/srv/lab'}
    """
    check_tenant_name(tenant)
    workspace = Workspace(root)
    own = check_tenant_settings(values)
    if tenant == workspace.home_tenant or workspace.of_tenant(tenant).tenant_settings.exists():
        raise InputError(f"There is a tenant {tenant!r} already; `roma tenant set {tenant}` changes its settings.")
    return _write(workspace, tenant, own)


def set_tenant(root: Path, tenant: str, values: Mapping[str, str]) -> TenantProfile:
    """Change settings of a tenant; an empty value takes one away. Servers that run follow with their next request.

    Raises ``NotFoundError``, ``InputError`` for the home tenant, and ``ConfigError``.
    """
    workspace = Workspace(root)
    if tenant == workspace.home_tenant:
        raise InputError(f"The settings of {tenant!r} are those of the environment (ROMA_INGEST_ROOTS, ...).")
    if tenant not in list_tenant_folders(workspace):
        raise NotFoundError(f"There is no tenant {tenant!r}; `roma tenant list` shows those that there are.")
    own = {**read_tenant_settings(workspace.of_tenant(tenant).tenant_settings), **check_tenant_settings(values)}
    return _write(workspace, tenant, {name: value for name, value in own.items() if value})


def list_profiles(root: Path) -> list[TenantProfile]:
    """Return the home tenant, and all that have a folder, by name. Raises ``ConfigError`` for a damaged file."""
    workspace = Workspace(root)
    home = TenantProfile(name=workspace.home_tenant, folder=workspace.folder, is_home=True)
    others = [_read(workspace, tenant) for tenant in list_tenant_folders(workspace)]
    return sorted([home, *others], key=lambda profile: profile.name)


def _read(workspace: Workspace, tenant: str) -> TenantProfile:
    own = workspace.of_tenant(tenant)
    return TenantProfile(name=tenant, folder=own.folder, settings=read_tenant_settings(own.tenant_settings))


def _write(workspace: Workspace, tenant: str, values: Mapping[str, str]) -> TenantProfile:
    path = workspace.of_tenant(tenant).tenant_settings
    held = {"settings": dict(values), "changed_at": datetime.now(UTC).isoformat()}
    replace_file(path, json.dumps(held, indent=1) + "\n", private=True)
    return _read(workspace, tenant)
