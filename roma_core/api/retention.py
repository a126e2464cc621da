"""Retention by the server: applied once a day to every tenant that rules name, or that has records."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from roma_core.api.erasure import remove_jobs_before
from roma_core.errors import AgentFailure, guarded
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from roma_core.app import Roma

EVERY: Final = timedelta(days=1)
LOOK_EVERY_S: Final = 600.0


class RetentionSchedule:
    """Applies retention when it is due. Several servers over one workspace take turns by when it was last applied."""

    def __init__(self, roma: Roma, look_every_s: float = LOOK_EVERY_S) -> None:
        self._roma = roma
        self._look_every_s = look_every_s
        self._log = logs.get("retention")

    async def run(self) -> None:
        """Look until cancelled."""
        await self._roma.warm()
        while True:
            applied = await guarded("retention", self.apply_due())
            if isinstance(applied, AgentFailure):
                self._log.warning("retention_failed", code=applied.code.value, reason=applied.message)
            await asyncio.sleep(self._look_every_s)

    async def apply_due(self) -> int:
        """Apply retention to each tenant for which it is due; return to how many. Raises ``StoreError``."""
        from roma_core.retention import Retention, list_tenants

        count = 0
        for tenant in await list_tenants(self._roma):
            system = await asyncio.to_thread(self._roma.of_tenant, tenant)
            if not system.settings.retention.rules:
                continue
            retention = Retention(system, remove_jobs_before(self._roma.settings))
            if await retention.is_due(tenant, EVERY):
                report = await retention.apply(tenant)
                removed = {removal.record: removal.count for removal in report.removals if removal.count}
                self._log.info("retention_applied", tenant=tenant, **removed)
                count += 1
        return count
