"""Where a store lies: a folder of this machine, or a prefix of a bucket.

LanceDB writes its tables to either by itself. What ROMA writes beside them (the register of tables, the generation of
partitions, notes) and how writers and readers keep out of each other's way is a ``StoreFolder``, with one
implementation for each kind of place.

>>> open_folder(Path(".roma/store")).child("passages.lance").name
'passages.lance'
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from pathlib import Path
from typing import Final, NamedTuple, ParamSpec, Protocol, Self, TypeVar

from roma_core.errors import ErrorCode, RomaError, StoreError
from roma_core.settings import Settings
from roma_core.store.lease import Lease
from roma_core.store.readers import ReaderGate
from roma_core.workspace import Workspace, identity, private_folder, replace_file

Stamp = str
"""What changes whenever a small file is replaced."""
P = ParamSpec("P")
T = TypeVar("T")


class SmallFile(NamedTuple):
    """What a small file holds, and its stamp."""

    text: str
    stamp: Stamp


class VersionGate(Protocol):
    """Knows whether old versions of a table may be removed."""

    def reading(self) -> AbstractContextManager[None]:
        """Count as a reader inside the block."""
        ...

    def is_quiet(self) -> bool:
        """Return whether there is no reader at this moment, as far as this process can see."""
        ...

    async def wait_until_quiet(self, *, is_urgent: bool) -> bool:
        """Return True once no reader can hold a version before the present one, and False when readers do not pause.

        ``is_urgent`` waits as long as it takes to know.
        """
        ...


class StoreFolder(Protocol):
    """A folder with a store's tables and small files. Its calls block; over a network, make them by ``call_folder``.

    Raises ``StoreError``, and ``ConfigError`` for a place that cannot hold a store.
    """

    @property
    def is_remote(self) -> bool:
        """Whether its calls go over a network."""
        ...

    @property
    def name(self) -> str:
        """Last part of its address."""
        ...

    @property
    def place(self) -> str:
        """The folder in words of a message: no credentials, no path of the machine above it."""
        ...

    @property
    def uri(self) -> str:
        """Its address for LanceDB."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """LanceDB's ``storage_options``."""
        ...

    def child(self, name: str) -> Self:
        """Return the folder ``name`` in this one, which need not be there."""
        ...

    def prepare(self) -> None:
        """Make sure that a store can be kept here."""
        ...

    def exists(self) -> bool:
        """Return whether there is anything in it."""
        ...

    def list_folders(self) -> list[str]:
        """Return the names of the folders in it."""
        ...

    def mark(self) -> None:
        """Give a folder that was just made an identity, where the place gives it none."""
        ...

    def identify(self) -> Stamp | None:
        """Return what distinguishes it from another folder of its name, before or after; None when it is not there."""
        ...

    def read(self, file: str) -> SmallFile | None:
        """Return a small file; None when it is not there."""
        ...

    def find_stamp(self, file: str) -> Stamp | None:
        """Return the stamp of a small file; None when it is not there."""
        ...

    def replace(self, file: str, text: str) -> None:
        """Write a small file as a whole: readers see what was there, or ``text``."""
        ...

    def exchange(self, file: str, text: str, stamp: Stamp | None) -> Stamp:
        """Replace a file that still has ``stamp`` (None: is not there), and return its new one.

        Raises ``StoreError`` (locked) when another process has written it meanwhile.
        """
        ...

    def remove(self) -> None:
        """Remove all that is in it, as far as that can be done."""
        ...

    def list_files(self) -> dict[str, int]:
        """Return the bytes of all files in it and below, by their path from here with ``/``; locks and marks are none.

        Files of a table never change once they are written, but for small ones.
        """
        ...

    def fetch(self, file: str, target: Path) -> None:
        """Make ``target`` of a file, for reading: a link where the disk knows links. Raises ``FileNotFoundError``."""
        ...

    def send(self, source: Path, file: str) -> None:
        """Write the file ``file`` with what ``source`` holds."""
        ...

    def measure(self, *, in_blocks: bool = False) -> int:
        """Return the bytes of all files in it; ``in_blocks`` as a disk counts them."""
        ...

    def count_files(self, folder: str) -> int:
        """Return the number of files directly in the folder ``folder`` of it."""
        ...

    def find_free_bytes(self) -> int | None:
        """Return the room that is left; None where there is no such bound."""
        ...

    def lock(self, name: str, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Return the exclusive right called ``name``, for an ``async with``.

        Raises ``StoreError`` (locked) when another has held it for ``timeout_s``.
        """
        ...

    def make_gate(self) -> VersionGate:
        """Return the gate of the readers of its tables."""
        ...

    def explain(self, error: Exception) -> RomaError | None:
        """Return an error of LanceDB or of the place as one of ROMA's, where the place knows more than its text."""
        ...


async def call_folder(folder: StoreFolder, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call of a folder returns; one over a network runs in a thread."""
    if folder.is_remote:
        return await asyncio.to_thread(function, *args, **kwargs)
    return function(*args, **kwargs)


def stale_write(file: str) -> StoreError:
    """Return the error for a small file that another process has replaced."""
    return StoreError(
        f"Another process has written {file} of the store meanwhile; run this again.", ErrorCode.STORAGE_LOCKED
    )


class LocalFolder:
    """A folder of this machine. Locks are ``flock``, so its processes are on one machine, too."""

    is_remote: Final = False

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def place(self) -> str:
        """The folder with the one that it is in; a workspace's own name is enough in a message."""
        return str(Path(*self.path.parts[-2:]))

    @property
    def uri(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def options(self) -> Mapping[str, str]:
        """Nothing: a path needs no more."""
        return {}

    def child(self, name: str) -> LocalFolder:
        """Return the folder ``name`` in this one."""
        return LocalFolder(self.path / name)

    def prepare(self) -> None:
        """Make the folder, for its user alone."""
        private_folder(self.path)

    def exists(self) -> bool:
        """Return whether the folder is there."""
        return self.path.exists()

    def list_folders(self) -> list[str]:
        """Return the names of the folders in it, see ``StoreFolder``."""
        try:
            return sorted(entry.name for entry in os.scandir(self.path) if entry.is_dir())
        except FileNotFoundError:
            return []

    def mark(self) -> None:
        """Do nothing: the disk numbers its folders."""

    def identify(self) -> Stamp | None:
        """Return its number on the disk, see ``StoreFolder``."""
        found = identity(self.path)
        return None if found is None else f"{found[0]}:{found[1]}"

    def read(self, file: str) -> SmallFile | None:
        """Return a small file, see ``StoreFolder``."""
        try:
            with (self.path / file).open(encoding="utf-8") as stream:
                status = os.fstat(stream.fileno())
                return SmallFile(stream.read(), _stamp_of(status))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def find_stamp(self, file: str) -> Stamp | None:
        """Return the stamp of a small file, see ``StoreFolder``."""
        try:
            return _stamp_of((self.path / file).stat())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def replace(self, file: str, text: str) -> None:
        """Write a small file as a whole; after a crash there is what was there before, or ``text``."""
        replace_file(self.path / file, text)

    def exchange(self, file: str, text: str, stamp: Stamp | None) -> Stamp:
        """Replace a file that still has ``stamp``; the caller holds the lock of its writers."""
        if self.find_stamp(file) != stamp:
            raise stale_write(file)
        self.replace(file, text)
        return _stamp_of((self.path / file).stat())

    def remove(self) -> None:
        """Remove the folder; what cannot be removed stays for the next time."""
        shutil.rmtree(self.path, ignore_errors=True)

    def list_files(self) -> dict[str, int]:
        """Return the bytes of all files in it and below by their path, see ``StoreFolder``."""
        files: dict[str, int] = {}
        for path in sorted(self.path.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                files[path.relative_to(self.path).as_posix()] = path.stat().st_size
        return files

    def fetch(self, file: str, target: Path) -> None:
        """Link a file; copy a small one, which others may replace, and where the disk knows no links."""
        source = self.path / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if "/" not in file:
            shutil.copyfile(source, target)
            return
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.ENOENT}:
                raise
            shutil.copyfile(source, target)

    def send(self, source: Path, file: str) -> None:
        """Copy ``source`` to the file ``file``."""
        target = self.path / file
        private_folder(target.parent)
        shutil.copyfile(source, target)

    def measure(self, *, in_blocks: bool = False) -> int:
        """Return the bytes of all files in it, see ``StoreFolder``."""
        total = 0
        for place, _, names in os.walk(self.path):
            for name in names:
                with suppress(OSError):  # removed meanwhile
                    status = os.lstat(os.path.join(place, name))  # noqa: PTH118
                    blocks = getattr(status, "st_blocks", 0) if in_blocks else 0
                    total += blocks * 512 or status.st_size
        return total

    def count_files(self, folder: str) -> int:
        """Return the number of entries of a folder in it."""
        try:
            return len(os.listdir(self.path / folder))  # noqa: PTH208
        except OSError:
            return 0

    def find_free_bytes(self) -> int | None:
        """Return the room that is left on its disk."""
        return shutil.disk_usage(self.path).free

    def lock(self, name: str, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Return an exclusive ``flock`` on the file ``name``, see ``StoreFolder``."""
        return Lease(self.path, timeout_s, name)

    def make_gate(self) -> VersionGate:
        """Return a gate that sees the readers of all processes."""
        return ReaderGate(self.path)

    def explain(self, error: Exception) -> RomaError | None:
        """Return None: the text of an error of the disk says it all."""
        return None


def _stamp_of(status: os.stat_result) -> Stamp:
    return f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}"


def open_folder(place: Path | StoreFolder) -> StoreFolder:
    """Return the folder that a path names; one that is a ``StoreFolder`` already is returned as it is."""
    return LocalFolder(place) if isinstance(place, Path) else place


def locate_store(settings: Settings) -> StoreFolder:
    """Return where the store of the tenant of ``settings`` lies: below ``ROMA_STORE_URL``, or in the workspace.

    Below the address, the tenants' folders are those of the workspace. Raises ``ConfigError``.
    """
    return place_store(settings, Workspace.of(settings))


def place_store(settings: Settings, workspace: Workspace) -> StoreFolder:
    """Return where the store of a tenant's ``workspace`` lies, see ``locate_store``."""
    if settings.storage.store_url is None:
        return LocalFolder(workspace.store)
    from roma_core.store.bucket import BucketFolder

    folder = BucketFolder.open(settings.storage.store_url, settings.storage.store_endpoint)
    for part in workspace.store.relative_to(settings.workspace).parts:
        folder = folder.child(part)
    return folder
