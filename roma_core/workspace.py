"""Folders and files that ROMA makes: for nobody but whoever runs it, and for a server never a second time.

A server's workspace that is gone was taken away: a volume was unmounted, a folder renamed. A new one in its place would
hide that, and what is written there would be lost when the old one comes back.
"""

from __future__ import annotations

import errno
from pathlib import Path

_kept: set[Path] = set()


class GoneError(FileNotFoundError):
    """A file or a folder was there before, and is missed."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ENOENT, "was there and is gone", str(path))


def private_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it with mode 0700. One that is there keeps its mode.

    Raises ``OSError``; ``GoneError`` when it is of a workspace that was taken away.
    """
    place = folder.absolute()
    missing = [part for part in (*reversed(place.parents), place) if not part.exists()]
    if missing:
        require(place)
    for part in missing:
        part.mkdir(mode=0o700, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file with mode 0600, so that it is at no moment readable by others. One that is there stays.

    Raises ``OSError``; ``GoneError`` when it is of a workspace that was taken away.
    """
    private_folder(path.parent)
    if not path.exists():
        require(path)
        path.touch(mode=0o600, exist_ok=True)


def keep(path: Path) -> None:
    """From now on the file ``path`` is the mark of its folder: without it nothing is made there, nor the folder itself.

    A folder alone is no mark: that of a volume which was unmounted is still there, and empty.
    """
    _kept.add(path.absolute())


def identity(path: Path) -> tuple[int, int] | None:
    """Which file or folder is at ``path``: another one has another identity as long as both are there."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def require(path: Path) -> None:
    """Raises ``GoneError`` when ``path`` is, or is beside or below, a kept file that is not there."""
    for kept in tuple(_kept):
        if path.absolute().is_relative_to(kept.parent) and not kept.exists():
            raise GoneError(kept)
