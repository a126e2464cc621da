"""Syncs by schedule: sources whose time has come become ingest jobs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from roma_core.errors import AgentFailure, guarded
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from roma_core.api.jobs import IngestQueue
    from roma_core.api.worker import JobWorker
    from roma_core.app import Roma
    from roma_core.types import SourceRecord

LOOK_EVERY_S: Final = 5.0


class SyncSchedule:
    """Enqueues due sources. Several servers over one workspace make one job a sync: it has a key."""

    def __init__(self, roma: Roma, queue: IngestQueue, worker: JobWorker, look_every_s: float = LOOK_EVERY_S) -> None:
        self._roma = roma
        self._queue = queue
        self._worker = worker
        self._look_every_s = look_every_s
        self._log = logs.get("schedule")

    async def run(self) -> None:
        """Look until cancelled. What goes wrong is logged once, until it is another thing."""
        last = ""
        await self._roma.warm()
        while True:
            enqueued = await guarded("schedule", self.enqueue_due())
            message = enqueued.message if isinstance(enqueued, AgentFailure) else ""
            if message and message != last:
                self._log.warning("schedule_failed", reason=message)
            last = message
            await asyncio.sleep(self._look_every_s)

    async def enqueue_due(self) -> int:
        """Make a job of each due source; return how many there were. Raises ``StoreError`` and ``ConfigError``."""
        due: list[tuple[str, SourceRecord]] = []
        for tenant in await asyncio.to_thread(self._roma.tenants.list):
            due += await self._find_due(await asyncio.to_thread(self._roma.of_tenant, tenant))
        for tenant, record in due:
            turn = int(time.time() // (record.options.schedule_s or 1))
            key = f"sync-{record.id}-{record.generation}-{turn}"
            await asyncio.to_thread(self._queue.add, [record.uri], tenant, key=key, confined=False)
        if due:
            self._worker.wake()
        return len(due)

    async def _find_due(self, system: Roma) -> list[tuple[str, SourceRecord]]:
        """Return the due sources of a tenant's system."""
        if not await asyncio.to_thread(self._has_ledger, system):
            return []
        await system.sources.all(system.settings.tenant)  # those of roma.toml are known then
        return await system.sources.due()

    def _has_ledger(self, system: Roma) -> bool:
        """Return whether there is a ledger or a roma.toml: looking for sources must not make a workspace."""
        from roma_core.workspace import PROJECT_FILE, Workspace

        if Workspace.of(system.settings).ledger.exists():
            return True
        folder = system.settings.workspace.absolute()
        return system.host is None and folder.exists() and (folder.parent / PROJECT_FILE).exists()
