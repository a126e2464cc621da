"""The gate of a store's readers: old versions are removed when no reader can hold one, and readers never wait.

A reader holds a shared lock for as long as one search or read takes. Upkeep asks for the exclusive lock without waiting
and releases it at once: at that moment there is no reader, and every later one sees the latest version.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]


QUIET_WAIT_S: Final = 2.0
QUIET_LOOK_S: Final = 0.02


class ReaderGate:
    """Lock file beside a table. Without ``flock`` the gate never reports that it is quiet."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".readers.lock"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count as a reader. A folder that cannot be written (a read-only copy) has no upkeep either."""
        handle = self._open()
        try:
            if handle is not None and fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_SH)
            yield
        finally:
            if handle is not None:
                os.close(handle)

    def is_quiet(self) -> bool:
        """Return whether there is no reader at this moment."""
        if fcntl is None:
            return False
        handle = self._open()
        if handle is None:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    async def wait_until_quiet(self, *, is_urgent: bool) -> bool:
        """Wait ``QUIET_WAIT_S`` for a moment without a reader, urgent or not; return whether there was one."""
        deadline = time.monotonic() + QUIET_WAIT_S
        while not self.is_quiet():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(QUIET_LOOK_S)
        return True

    def _open(self) -> int | None:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
