"""Backups of a workspace: one archive with a manifest of hashes, made while the server runs, restored whole or not.

Databases are copied by SQLite's online backup. The files of a LanceDB table never change once they are written, so
hard links to them are a snapshot; they are made under the writers' lease, together with the copy of the ledger, so both
are of one moment: one that a killed process could have left, from which the next ingest goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from roma_core import __version__
from roma_core.errors import DISK_FULL, ErrorCode, InputError, NotFoundError, RomaError, StoreError
from roma_core.settings import Settings
from roma_core.store.folder import LocalFolder, StoreFolder, call_folder, place_store
from roma_core.store.register import list_unfinished, table_folder
from roma_core.tenants.uploads import list_uploads_of_before, list_uploads_of_others
from roma_core.workspace import STORE, TENANTS, Workspace, list_tenant_folders, private_file, private_folder

FORMAT: Final = 1
"""Of the archive. A ROMA restores this format and older ones."""
MANIFEST: Final = "manifest.json"
LARGEST_MANIFEST_BYTES: Final = 256 << 20
WRITER_LOCK: Final = ".writer.lock"
LEASE_S: Final = 120.0
SMALL_BYTES: Final = 64 << 10
"""Files of a store up to this size may be replaced by a writer; all others never change."""
FETCHED_AT_ONCE: Final = 8
BLOCK_BYTES: Final = 1 << 20
SQLITE_MAGIC: Final = b"SQLite format 3\x00"
SQLITE_BESIDE: Final = ("-wal", "-shm", "-journal")
"""Ends of the names of files that belong to a database beside them; its copy holds what they do."""
TAR_ERRORS: Final = (tarfile.TarError, EOFError, ValueError, KeyError, UnicodeError)


class ManifestFile(BaseModel):
    """A file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds: the last member of its archive, so that one that was cut short has none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    roma: str
    made_at: datetime
    files: dict[str, ManifestFile]


@dataclass(frozen=True)
class BackupReport:
    """What was backed up or restored."""

    path: str
    """The archive, or the workspace that was made of it."""
    files: int
    size_bytes: int
    made_at: str
    roma: str
    left_out: list[str] = field(default_factory=list)
    """Files and folders of the workspace that are not part of it: they can be made again, or hold a sign-in."""


@dataclass(frozen=True)
class BackupScope:
    """The content of a backup: a workspace with all of its tenants, or one tenant alone."""

    workspace: Workspace
    is_one_tenant: bool = False
    more: tuple[Path, ...] = ()
    """Folders of uploads that lie outside of the tenant's folder."""
    others: tuple[Path, ...] = ()
    """Folders of uploads in the tenant's folder that are of other tenants."""
    settings: Settings | None = None
    """Say where the stores lie; without them, in the workspace."""

    def find_store(self, own: Workspace) -> StoreFolder:
        """Return where the store of one of the workspaces lies."""
        return LocalFolder(own.store) if self.settings is None else place_store(self.settings, own)

    def list_workspaces(self) -> list[Workspace]:
        """Return where the files of each tenant lie: the folder itself first."""
        if self.is_one_tenant:
            return [self.workspace]
        tenants = list_tenant_folders(self.workspace)
        return [self.workspace, *(self.workspace.of_tenant(tenant) for tenant in tenants)]


async def back_up_workspace(
    folder: Path, archive: Path, *, settings: Settings | None = None, lease_s: float = LEASE_S
) -> BackupReport:
    """Write all that cannot be made again to ``archive``, a tar file with mode 0600, while others use the workspace.

    ``settings`` say where the passages lie when that is not the workspace. Caches, indexes of variants, temporary files
    and sign-ins of users are left out. Raises ``InputError`` for an
    archive that exists or lies inside the workspace, and ``StoreError`` for a full disk or a damaged database; then
    there is no archive.

    Example::

        report = await back_up_workspace(Path(".roma"), Path("monday.tar"))
    """
    return await _back_up(BackupScope(Workspace(folder), settings=settings), archive, lease_s)


async def back_up_tenant(
    folder: Path, tenant: str, archive: Path, *, settings: Settings | None = None, lease_s: float = LEASE_S
) -> BackupReport:
    """Write all that one tenant has to ``archive``, which ``restore_workspace`` makes a workspace of.

    Accounts, tokens and jobs are the service's, and not part of it. Raises ``NotFoundError`` for a tenant that has no
    folder, and what ``back_up_workspace`` raises.

    >>> report = await back_up_tenant(Path(".roma"), "lab", Path("lab.tar"))  # doctest: +SKIP
    """
    root = Workspace(folder)
    known = [root.home_tenant, *list_tenant_folders(root)]
    if tenant not in known:
        raise NotFoundError(f"There is no tenant {tenant!r}; `roma tenant list` shows those that there are.")
    own = root.of_tenant(tenant)
    more = await asyncio.to_thread(list_uploads_of_before, root, tenant)
    others = await asyncio.to_thread(list_uploads_of_others, root) if own == root else ()
    scope = BackupScope(own, is_one_tenant=True, more=more, others=others, settings=settings)
    return await _back_up(scope, archive, lease_s)


async def _back_up(scope: BackupScope, archive: Path, lease_s: float) -> BackupReport:
    workspace = scope.workspace
    await asyncio.to_thread(_check_archive, workspace, archive)
    private_folder(workspace.temporary)
    unfinished = archive.with_name(f"{archive.name}.unfinished")
    try:
        with _translate_errors(archive), tempfile.TemporaryDirectory(dir=workspace.temporary, prefix="backup-") as made:
            snapshot = Path(made)
            for own in scope.list_workspaces():
                place = snapshot / own.folder.relative_to(workspace.folder)
                store = scope.find_store(own)
                async with _hold_lease(store, lease_s):
                    files = await asyncio.to_thread(_list_store, store)
                    is_urgent = {file: not store.is_remote or size <= SMALL_BYTES for file, size in files.items()}
                    await asyncio.to_thread(_fetch_files, store, [f for f in files if is_urgent[f]], place / STORE)
                    if own.ledger.exists():
                        await asyncio.to_thread(_copy_database, own.ledger, place / own.ledger.name)
                await asyncio.to_thread(_fetch_files, store, [f for f in files if not is_urgent[f]], place / STORE)
            return await asyncio.to_thread(_write_archive, scope, snapshot, unfinished, archive)
    finally:
        unfinished.unlink(missing_ok=True)


def restore_workspace(archive: Path, folder: Path, *, settings: Settings | None = None) -> BackupReport:
    """Make the workspace ``folder`` of ``archive``. It appears at once, when every file has its hash, or not at all.

    Where ``settings`` have the passages on an object store, they are written there first; nothing may be there yet.

    Raises ``NotFoundError`` without an archive, ``InputError`` for a folder that holds something, and ``StoreError``:
    ERR_STORAGE_CORRUPT for a damaged archive, ERR_STORAGE_NEWER for one of a newer ROMA, ERR_STORAGE_FULL.

    Example::

        restore_workspace(Path("monday.tar"), Path(".roma"))
    """
    if not archive.is_file():
        raise NotFoundError(f"There is no backup {str(archive)!r}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"The workspace {str(folder)!r} is not empty; restore into one that does not exist.")
    private_folder(folder.absolute().parent)
    if settings is not None:
        _require_empty(place_store(settings, Workspace(folder)))
    staging = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}.restoring-"))
    try:
        with _translate_errors(archive):
            _require_room(staging, archive.stat().st_size)
            manifest = _extract(archive, staging)
            if settings is not None and settings.storage.store_url is not None:
                _send_stores(staging, folder, settings)
            if hasattr(os, "sync"):
                os.sync()
            if folder.exists():
                folder.rmdir()
            staging.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return _describe(folder, manifest, [])


# Making


def _check_archive(workspace: Workspace, archive: Path) -> None:
    if not workspace.folder.is_dir():
        raise NotFoundError(f"There is no workspace {str(workspace.folder)!r} to back up.")
    if archive.exists():
        raise InputError(f"{str(archive)!r} is there already; name another file.")
    if not archive.absolute().parent.is_dir():
        raise InputError(f"There is no folder {str(archive.absolute().parent)!r}.")
    if archive.resolve().is_relative_to(workspace.folder.resolve()):
        raise InputError("A backup inside of the workspace would be lost with it; name a file elsewhere.")


@contextlib.asynccontextmanager
async def _hold_lease(store: StoreFolder, lease_s: float) -> AsyncIterator[None]:
    """Shut writers out of the store, where there is one, for the moment of the snapshot."""
    if not await call_folder(store, store.exists):
        yield
        return
    async with store.lock(WRITER_LOCK, lease_s):
        yield


def _list_store(store: StoreFolder) -> dict[str, int]:
    """Return the bytes of the files of a store's finished tables, by their path in the store."""
    unfinished = {table_folder(store, name).name for name in list_unfinished(store)}
    return {file: size for file, size in store.list_files().items() if file.partition("/")[0] not in unfinished}


def _fetch_files(store: StoreFolder, files: Sequence[str], place: Path) -> None:
    """Make files of a store in ``place``."""
    try:
        with ThreadPoolExecutor(FETCHED_AT_ONCE, "roma-backup") as threads:
            list(threads.map(lambda file: store.fetch(file, place / file), files))
    except FileNotFoundError as error:
        raise StoreError(
            "Older versions of the store were removed while it was copied; back up again.", ErrorCode.STORAGE_LOCKED
        ) from error


def _require_empty(store: StoreFolder) -> None:
    if store.is_remote and store.list_files():
        raise InputError(f"There is a store at {store.place} already: restore to another ROMA_STORE_URL, or remove it.")


def _send_stores(staging: Path, folder: Path, settings: Settings) -> None:
    """Move the stores of a workspace that is being restored to where ``settings`` have them."""
    for place in (staging / STORE, *sorted(staging.glob(f"{TENANTS}/*/{STORE}"))):
        if not place.is_dir():
            continue
        store = place_store(settings, Workspace(folder / place.parent.relative_to(staging)))
        _require_empty(store)
        store.prepare()
        files = [path for path in place.rglob("*") if path.is_file()]
        files.sort(key=lambda path: (path.suffix in {".json", ".manifest"}, path))  # what names the others comes last
        for path in files:
            store.send(path, path.relative_to(place).as_posix())
        for name in store.list_folders():
            store.child(name).mark()
        shutil.rmtree(place)


def _copy_database(path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=30.0)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _write_archive(scope: BackupScope, snapshot: Path, unfinished: Path, archive: Path) -> BackupReport:
    files: dict[str, ManifestFile] = {}
    private_file(unfinished)
    with unfinished.open("wb") as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(path for path in snapshot.rglob("*") if path.is_file()):
            name = path.relative_to(snapshot).as_posix()
            files[name] = _add_file(tar, name, path)
        for name, path in _list_files(scope):
            if name in files:
                continue
            copy = snapshot / "copy"
            _copy_file(path, copy)
            files[name] = _add_file(tar, name, copy)
            copy.unlink()
        manifest = Manifest(format=FORMAT, roma=__version__, made_at=datetime.now(UTC), files=files)
        _add_bytes(tar, MANIFEST, manifest.model_dump_json(indent=1).encode())
        tar.close()
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(archive)
    return _describe(archive, manifest, sorted({path.name for path in _list_left_out(scope) if path.exists()}))


def _list_left_out(scope: BackupScope) -> tuple[Path, ...]:
    """Return what a backup does not hold: what can be made again, log lines, and sign-ins, which are not for copies."""
    left_out: list[Path] = []
    for own in scope.list_workspaces():
        left_out += [
            *own.rebuildable,
            own.web_cache,
            own.variants,
            own.beir,
            own.temporary,
            own.shards,
            own.backups,
            own.logs,
            own.gdrive_token,
        ]
    if scope.is_one_tenant:
        left_out += [scope.workspace.service, scope.workspace.tenants, *scope.others]
    return tuple(left_out)


def _list_files(scope: BackupScope) -> Iterator[tuple[str, Path]]:
    """Yield the files outside of the store, databases among them, with their names in the archive."""
    for folder in scope.more:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield f"uploads/before/{path.relative_to(folder.parent).as_posix()}", path
    stores = [own.store for own in scope.list_workspaces()]
    left_out = {*stores, *_list_left_out(scope)}
    for path in sorted(scope.workspace.folder.rglob("*")):
        if left_out.intersection((path, *path.parents)) or not path.is_file() or path.is_symlink():
            continue
        if path.suffix in {".lock", ".damaged"} or path.name.endswith(SQLITE_BESIDE):
            continue
        yield path.relative_to(scope.workspace.folder).as_posix(), path


def _copy_file(path: Path, copy: Path) -> None:
    """Copy a file as it is at one moment."""
    with path.open("rb") as file:
        is_database = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    if is_database:
        _copy_database(path, copy)
    else:
        shutil.copyfile(path, copy)


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> ManifestFile:
    member = tarfile.TarInfo(name)
    with path.open("rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        member.mode = 0o600
        reader = _HashingReader(file)
        tar.addfile(member, reader)
    return ManifestFile(size=member.size, sha256=reader.digest.hexdigest())


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o600
    tar.addfile(member, io.BytesIO(data))


class _HashingReader:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data: bytes = self._file.read(size)
        self.digest.update(data)
        return data


# Restoring


def _extract(archive: Path, staging: Path) -> Manifest:
    """Write the files of ``archive`` to ``staging`` and return its manifest, once every file has proven its hash."""
    found: dict[str, ManifestFile] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(archive, mode="r:") as tar:
            for member in tar:
                if manifest is not None:
                    raise _make_damaged("it goes on behind its manifest")
                if not member.isreg():
                    raise _make_damaged("it holds something else than files")
                if member.name == MANIFEST:
                    manifest = _read_manifest(tar, member)
                else:
                    found[member.name] = _extract_file(tar, member, staging)
    except TAR_ERRORS as error:
        raise _make_damaged(f"it cannot be read, {type(error).__name__}") from error
    if manifest is None:
        raise _make_damaged("it has no manifest, so it was cut short or is no backup of ROMA")
    if manifest.files != found:
        wrong = [name for name in {*manifest.files, *found} if manifest.files.get(name) != found.get(name)]
        raise _make_damaged(f"{len(wrong)} files are not as its manifest says, {min(wrong)} among them")
    return manifest


def _read_manifest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Manifest:
    stream = tar.extractfile(member)
    if stream is None or member.size > LARGEST_MANIFEST_BYTES:
        raise _make_damaged("its manifest cannot be read")
    data = stream.read()
    try:
        values: dict[str, Any] = json.loads(data)
        written = int(values["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise _make_damaged("its manifest cannot be read") from error
    if written > FORMAT or _is_newer(str(values.get("roma", ""))):
        made_by = values.get("roma", "a newer version")
        raise StoreError(
            f"This backup was made by ROMA {made_by} and this is ROMA {__version__}: restore it with ROMA {made_by} or "
            "newer.",
            ErrorCode.STORAGE_NEWER,
            details={"format": written, "known_format": FORMAT, "needs_roma": made_by},
        )
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise _make_damaged("its manifest cannot be read") from error


def _is_newer(version: str) -> bool:
    return _release(version) > _release(__version__)


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of major, minor and patch."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _extract_file(tar: tarfile.TarFile, member: tarfile.TarInfo, staging: Path) -> ManifestFile:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or not name.parts:
        raise _make_damaged(f"it holds the path {member.name!r}, which lies outside of a workspace")
    stream = tar.extractfile(member)
    place = staging.joinpath(*name.parts)
    private_folder(place.parent)
    if stream is None or place.exists():
        raise _make_damaged(f"it holds {member.name!r} twice")
    private_file(place)
    reader = _HashingReader(stream)
    size = 0
    with place.open("wb") as file:
        while block := reader.read(BLOCK_BYTES):
            size += file.write(block)
    return ManifestFile(size=size, sha256=reader.digest.hexdigest())


def _require_room(folder: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(folder).free < needed_bytes:
        raise StoreError(DISK_FULL, ErrorCode.STORAGE_FULL, details={"needed_bytes": needed_bytes})


def _make_damaged(why: str) -> StoreError:
    return StoreError(f"The backup is damaged: {why}; use another copy of it.", ErrorCode.STORAGE_CORRUPT)


def _describe(path: Path, manifest: Manifest, left_out: list[str]) -> BackupReport:
    return BackupReport(
        path=str(path),
        files=len(manifest.files),
        size_bytes=sum(file.size for file in manifest.files.values()),
        made_at=manifest.made_at.isoformat(timespec="seconds"),
        roma=manifest.roma,
        left_out=left_out,
    )


@contextmanager
def _translate_errors(archive: Path) -> Iterator[None]:
    """Turn the errors of disks and databases into those of ROMA."""
    from roma_core.database import error_code

    try:
        yield
    except RomaError:
        raise
    except (OSError, sqlite3.Error) as error:
        is_full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        code = ErrorCode.STORAGE_FULL if is_full else error_code(error, archive)
        message = f"The backup cannot be written or read ({type(error).__name__}); check the disk and run it again."
        if code is ErrorCode.STORAGE_FULL:
            message = DISK_FULL
        elif code is ErrorCode.STORAGE_CORRUPT:
            message = "A database of the workspace is damaged; see `roma doctor`, then back up again."
        raise StoreError(message, code, details={"error": type(error).__name__}) from error
