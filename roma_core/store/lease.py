"""The writers' lock of a store: one process, one coroutine at a time."""

from __future__ import annotations

from pathlib import Path

from roma_core.errors import ErrorCode, StoreError


def refuse_lease(timeout_s: float) -> StoreError:
    """Return the error for a lock that another process has held all the time."""
    return StoreError(
        f"Another process has been writing to the store for {timeout_s:g} s; try again when it is done.",
        ErrorCode.STORAGE_LOCKED,
    )


class Lease:
    """Exclusive right to write; ``async with Lease(folder, timeout_s)`` waits for it.

    Raises ``StoreError`` (locked) after ``timeout_s``. Each has its own lock object: a shared one would let a second
    coroutine in.
    """

    def __init__(self, folder: Path, timeout_s: float, name: str = ".writer.lock") -> None:
        from filelock import AsyncFileLock

        path = folder / name
        self._lock = AsyncFileLock(str(path), timeout=timeout_s, poll_interval=0.01, run_in_executor=False)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> None:
        from filelock import Timeout

        try:
            await self._lock.acquire()
        except Timeout as error:
            raise refuse_lease(self._timeout_s) from error

    async def __aexit__(self, *_: object) -> None:
        await self._lock.release()
