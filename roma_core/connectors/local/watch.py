"""Folders of this machine, watched while something else is at work: a change that comes during a sync is not missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from roma_core.connectors.local.paths import real
from roma_core.errors import AgentFailure, guarded
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from watchfiles import Change

AGENT: Final = "connector.local"
REST_S: Final = 0.5
"""Time without a change after which a burst of changes is over."""
MOST_REST_S: Final = 5.0
"""Longest wait for a rest: what changes all the time is read all the same."""
_log = logs.get(AGENT)


class FolderWatch:
    """Notes changes below ``places``, except in ``workspace``, to which a sync itself writes.

    Where the system gives no notice (too many folders, some network shares), ``wait`` ends with its time-out.

    Example::

        async with FolderWatch([Path("papers")], Path(".roma")) as watch:
            while True:
                await sync()
                await watch.wait(timeout_s=30)
    """

    def __init__(self, places: Sequence[Path], workspace: Path) -> None:
        # The file that an editor saves is often a new one, of which its folder alone has notice.
        self._folders = sorted({real(place if place.is_dir() else place.parent) for place in places})
        self._files = {real(place) for place in places if not place.is_dir()}
        self._whole = [real(place) for place in places if place.is_dir()]
        self._workspace = real(workspace)
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FolderWatch:
        if self._folders:
            self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def wait(self, timeout_s: float) -> bool:
        """Wait until something has changed since the last call, and has come to rest. False when nothing has."""
        loop = asyncio.get_running_loop()
        if not await self._is_set_within(timeout_s):
            return False
        deadline = loop.time() + MOST_REST_S
        while loop.time() < deadline:
            self._changed.clear()
            if not await self._is_set_within(REST_S):
                return True
        self._changed.clear()
        return True

    async def _is_set_within(self, timeout_s: float) -> bool:
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        watched = await guarded(AGENT, self._watch())
        if isinstance(watched, AgentFailure):
            _log.warning("folders are not watched; changes are seen at the next look", reason=watched.message)

    async def _watch(self) -> None:
        from watchfiles import awatch

        changes = awatch(
            *self._folders,
            watch_filter=self._is_meant,
            debounce=200,
            stop_event=self._stop,
            ignore_permission_denied=True,
        )
        async for _ in changes:
            self._changed.set()

    def _is_meant(self, change: Change, name: str) -> bool:
        path = Path(name)
        if path.is_relative_to(self._workspace):
            return False
        return path in self._files or any(path.is_relative_to(folder) for folder in self._whole)
