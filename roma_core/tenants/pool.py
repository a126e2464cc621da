"""``TenantPool``: the systems of the tenants of one process, each over its own folder. Models are shared."""

from __future__ import annotations

import builtins
import threading
from typing import TYPE_CHECKING, Any

from roma_core.settings.tenants import INGEST_ROOTS
from roma_core.tenants.profile import check_tenant_name
from roma_core.workspace import Workspace, identity, list_tenant_folders

if TYPE_CHECKING:
    from roma_core.app import Roma

Stamp = tuple[int, ...] | None


class TenantPool:
    """Systems of other tenants beside the one of ``roma``, each made at its first use and closed with ``roma``.

    >>> system = await asyncio.to_thread(roma.tenants.open, "lab")  # doctest: +SKIP
    """

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self._systems: dict[str, tuple[Stamp, Roma]] = {}
        self._replaced: list[Roma] = []
        """Systems with settings of before: answers may still be written by them."""
        self._lock = threading.Lock()

    def open(self, tenant: str) -> Roma:
        """Return the system of a tenant, with its own settings as they are now. Blocking.

        Raises ``InputError`` for a name that no tenant can have, and ``ConfigError``.
        """
        if tenant == self._roma.settings.tenant:
            return self._roma
        check_tenant_name(tenant)
        workspace = Workspace(self._roma.settings.workspace).of_tenant(tenant)
        stamp = _read_stamp(workspace)
        with self._lock:
            held = self._systems.get(tenant)
            if held is not None and held[0] == stamp:
                return held[1]
            system = self._make(tenant)
            if held is not None:
                self._replaced.append(held[1])
            self._systems[tenant] = stamp, system
            return system

    def list(self) -> builtins.list[str]:
        """Return the tenant of ``roma``, and all that have a folder."""
        workspace = Workspace(self._roma.settings.workspace)
        home = [workspace.home_tenant] if workspace.folder.is_dir() else []
        return sorted({self._roma.settings.tenant, *home, *list_tenant_folders(workspace)})

    def list_opened(self) -> builtins.list[Roma]:
        """Return the systems that were opened, also those that were replaced."""
        with self._lock:
            return [*self._replaced, *(system for _, system in self._systems.values())]

    async def drop(self, tenant: str) -> None:
        """Close the system of a tenant that goes."""
        with self._lock:
            held = self._systems.pop(tenant, None)
        if held is not None:
            await held[1].close()

    async def close(self) -> None:
        """Close the systems, but for what they share with the one of the pool."""
        systems = self.list_opened()
        with self._lock:
            self._systems, self._replaced = {}, []
        for system in systems:
            await system.close()

    def _make(self, tenant: str) -> Roma:
        roma = self._roma
        given: dict[str, Any] = {name: roma.__dict__[name] for name in roma.given_parts}
        settings = roma.configured.replace({"tenant": tenant, INGEST_ROOTS: ()})
        return type(roma)(
            settings, host=roma, prompt_files=roma.chosen_prompts, pipeline=roma.initial_pipeline, **given
        )


def _read_stamp(workspace: Workspace) -> Stamp:
    """Return what changes with a tenant's settings and with its folder."""
    found = identity(workspace.tenant_settings)
    if found is None:
        return None
    return (*found, workspace.tenant_settings.stat().st_mtime_ns)
