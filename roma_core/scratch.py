"""Temporary folders that do not stay behind, however their process ends.

A folder is locked for as long as its process lives, and the next process removes those that nobody has locked:
neither SIGKILL nor a crash of the interpreter runs any code. The lock also keeps systemd-tmpfiles from removing the
folders of a server that runs for weeks (`man tmpfiles.d`: it skips folders that are locked with flock).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import fcntl
except ImportError:  # Windows has no flock; folders of killed processes stay there
    fcntl = None  # type: ignore[assignment]

PREFIX = "roma-scratch-"
"""Beginning of the names of all scratch folders."""
YOUNG_S = 60.0


class ScratchFolder:
    """A private folder in the folder for temporary files, until ``remove``, the end of a ``with`` or of the process.

    ``purpose`` becomes a part of its name. Raises ``OSError`` where it cannot be made.

    >>> with ScratchFolder("example") as folder:
    ...     _ = (folder.path / "notes.md").write_text("one")
    >>> folder.path.exists()
    False
    """

    def __init__(self, purpose: str) -> None:
        _remove_orphans_once(tempfile.gettempdir())
        self._folder = tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-", ignore_cleanup_errors=True)
        self._lock = _lock_folder(self.path)

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self._folder.name)

    def remove(self) -> None:
        """Remove the folder with all that is in it; a second time does nothing."""
        self._folder.cleanup()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def remove_orphans(folder: Path) -> list[Path]:
    """Remove this user's scratch folders in ``folder`` that no living process has locked; return them.

    A folder that was changed in the last ``YOUNG_S`` stays: its process may not have locked it yet.
    """
    if fcntl is None:
        return []
    removed = []
    oldest_s = time.time() - YOUNG_S
    for path in sorted(folder.glob(f"{PREFIX}*")):
        lock = _lock_folder(path)
        if lock is None:
            continue
        status = os.fstat(lock)
        if status.st_uid == os.getuid() and status.st_mtime < oldest_s:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
        os.close(lock)
    return removed


@lru_cache(maxsize=8)
def _remove_orphans_once(folder: str) -> None:
    """Look for orphans once a process and folder: what is there to find was left by earlier processes."""
    remove_orphans(Path(folder))


def _lock_folder(path: Path) -> int | None:
    """Return the descriptor that holds the lock of a folder; None when another process has it, or none can be had."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # of another user, or no folder
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked by its process, or the file system has no locks
        os.close(handle)
        return None
    return handle
