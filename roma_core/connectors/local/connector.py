"""Files, folders, globs and ``file://`` URIs of this machine.

Identity is the file's canonical absolute ``file://`` URI. Links below the source are never followed, so a source can
neither loop, nor list a file twice, nor reach outside of the folder that the user named. Everything that is left out
(ignored names, links, sockets, ROMA's own workspace) is listed once with the reason.

A source with ``options["within"]`` is confined to those places: when it is checked, listed and fetched.
"""

from __future__ import annotations

import asyncio
import difflib
import errno
import glob
import mimetypes
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from urllib.parse import quote_from_bytes

from roma_core.connectors.base import Listing, ListingEnd, in_batches
from roma_core.connectors.local.ignore import FolderRules, NameRules
from roma_core.connectors.local.paths import (
    Fence,
    compose_accents,
    find_spelling,
    is_local,
    open_without_links,
    path_of,
    real,
)
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, guarded, guarded_stream
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

AGENT: Final = "connector.local"
READ_TRIES: Final = 3
MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """Which files below ``root`` a source means; ``pattern`` holds a glob's segments, or is empty for all.

    ``private`` is a folder that is never entered on the way down. With ``reads_ignore_files``, ``.gitignore`` and
    ``.romaignore`` at or below the root count.
    """

    root: Path
    pattern: tuple[str, ...]
    rules: NameRules
    private: Path | None = None
    reads_ignore_files: bool = True
    include: tuple[str, ...] = ()
    """Patterns of which a file's name (or, with a slash, relative path) must match one; none = all."""

    def wants(self, relative: str) -> bool:
        if self.include and not any(_fits(relative, pattern) for pattern in self.include):
            return False
        return not self.pattern or _matches(relative.split("/"), self.pattern)

    def enters(self, depth: int) -> bool:
        """Return whether a folder ``depth`` levels below the root can hold anything that the glob means."""
        return not self.pattern or "**" in self.pattern or depth < len(self.pattern)


@dataclass(frozen=True)
class OpenFolder:
    """A folder on the way down: what is left of its names, and what holds for them."""

    path: Path
    prefix: str
    names: Iterator[str]
    rules: FolderRules
    identity: str
    uri: str
    """Address of the folder, to which the names are added."""


class LocalConnector:
    """Reads local files.

    ``Source.options``: ``ignore`` adds patterns to ``Settings.local_ignore``, ``include`` names the files that are
    wanted, ``secrets="include"`` takes in dot-folders and files with the names of keys, ``ignore_files=False`` does not
    read ``.gitignore`` and ``.romaignore``.
    """

    kind = "local"

    def __init__(self, settings: Settings) -> None:
        self._ignore = settings.local.ignore
        self._max_bytes = settings.parsing.max_mb * MIB
        self._workspace = settings.workspace

    def accepts(self, uri: str) -> bool:
        return is_local(uri)

    def normalise_source(self, source: Source) -> Source:
        fixed, pattern = start(source.uri, self._fence(source))
        path = fixed.joinpath(*pattern)
        if not path.is_absolute() and glob.has_magic(str(Path.cwd())):
            return source  # the folder's name would become a part of the pattern
        return source.model_copy(update={"uri": path.absolute().as_uri()})

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        return guarded_stream(AGENT, self._list(source))

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure, None]:
        selection = await asyncio.to_thread(self._select, source)
        async for item in in_batches(walk(selection)):
            yield item

    def _select(self, source: Source) -> Selection:
        options = source.options
        rules = NameRules(self._ignore + tuple(options.get("ignore", ())), options.get("secrets") != "include")
        return select(
            source.uri,
            rules,
            self._fence(source),
            include=tuple(options.get("include", ())),
            reads_ignore_files=bool(options.get("ignore_files", True)),
        )

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        return await guarded(AGENT, asyncio.to_thread(self._read, source, listing.uri))

    def _read(self, source: Source, uri: str) -> RawDocument:
        path = path_of(uri).absolute()
        self._fence(source).demand(path)
        return read(path, uri, self._max_bytes)

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Look for the file: it is gone when its folder, or the nearest one that is left, is there without it."""
        return await guarded(AGENT, asyncio.to_thread(self._is_gone, source, listing))

    def _is_gone(self, source: Source, listing: Listing) -> bool:
        path = path_of(listing.uri).absolute()
        self._fence(source).demand(path)
        return is_surely_gone(path, path_of(source.uri).absolute(), listing.options.get("folder"))

    def _fence(self, source: Source) -> Fence:
        return Fence.around(source.options.get("within"), self._workspace)

    async def close(self) -> None:
        """Nothing is held open."""


def start(uri: str, fence: Fence) -> tuple[Path, tuple[str, ...]]:
    """Return the folder in which ``uri`` begins and the glob behind it, if it is one.

    Raises ``InputError``, and ``AccessError`` outside.

    Both the whole and its part before the first wildcard must lie inside: ``roots/../*`` does not.
    """
    path = path_of(uri)
    fence.demand(real(path))
    path = find_spelling(path)
    fence.demand(real(path))
    if _exists(path) or not glob.has_magic(str(path)):
        return path, ()
    wild = next(i for i, part in enumerate(path.parts) if glob.has_magic(part))
    fixed = find_spelling(Path(*path.parts[:wild]))
    fence.demand(real(fixed))
    return fixed, path.parts[wild:]


def select(
    uri: str, rules: NameRules, fence: Fence, *, include: tuple[str, ...] = (), reads_ignore_files: bool = True
) -> Selection:
    """Return what ``uri`` means on this machine. Raises ``ConnectorError`` (not found) when there is nothing."""
    fixed, pattern = start(uri, fence)
    root = _resolve(fixed, fence)
    fence.demand(root)  # a link may have been put there since
    selection = Selection(root, pattern, rules, fence.private, reads_ignore_files, include)
    if pattern and next((i for i in walk(selection) if isinstance(i, AgentFailure) or i.skip is None), None) is None:
        message = f"No file matches {fixed.joinpath(*pattern)}."
        raise ConnectorError(message, ErrorCode.CONNECTOR_NOT_FOUND, details={"uri": uri})
    return selection


def walk(selection: Selection) -> Iterator[Listing | AgentFailure]:
    """Files of the selection, depth first, each folder in the order of its names.

    Memory holds the names of the folders on the way down, never the tree; depth costs no recursion.
    """
    if not selection.root.is_dir():
        yield _entry_at(selection.root)
        return
    stack: list[OpenFolder] = []
    path, prefix, rules = selection.root, "", FolderRules()
    while True:
        try:
            stack.append(_open_folder(selection, path, prefix, rules))
        except OSError as error:
            yield AgentFailure.of(AGENT, _os_error(path, error))
        below = yield from _until_folder(selection, stack)
        if below is None:
            return
        path, prefix, rules = below


def _open_folder(selection: Selection, path: Path, prefix: str, rules: FolderRules) -> OpenFolder:
    """Read the names of a folder. Raises ``OSError``."""
    handle = open_without_links(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        status = os.fstat(handle)
        names = sorted(os.listdir(handle))  # noqa: PTH208  (a path could have become another folder's)
    finally:
        os.close(handle)
    if selection.reads_ignore_files:
        rules = rules.inside(path, prefix, names)
    return OpenFolder(path, prefix, iter(names), rules, _identity_from(status), path.as_uri().rstrip("/"))


def _until_folder(
    selection: Selection, stack: list[OpenFolder]
) -> Generator[Listing | AgentFailure, None, tuple[Path, str, FolderRules] | None]:
    """Yield what the innermost open folder holds up to its next folder to enter; returns that one, None at the end."""
    while stack:
        folder = stack[-1]
        for name in folder.names:
            relative = f"{folder.prefix}{name}"
            item = _list_entry(selection, folder, name, relative)
            if item is ENTER:
                return folder.path / name, f"{relative}/", folder.rules
            if item is not None:
                yield item
        stack.pop()
    return None


def is_surely_gone(path: Path, root: Path, folder_identity: str | None) -> bool:
    """Return whether the file is not there and its place is: an unmounted disk takes the place away as well.

    ``folder_identity`` is that of its folder when the file was listed. A folder that is another one, or that went with
    the file, is evidence only when something else is left in the folder that is there.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return False
    else:
        return False
    folder = path.parent
    if folder_identity is not None and _identity_of(folder) == folder_identity:
        return True
    top = root.parent if path == root else root
    while not folder.is_dir():
        if folder == top or not folder.is_relative_to(top):
            return False
        folder = folder.parent
    return folder.is_relative_to(top) and _has_entries(folder)


def _identity_of(folder: Path) -> str | None:
    """Return device and inode of a folder: another disk in the same place has others."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return _identity_from(status)


def _identity_from(status: os.stat_result) -> str:
    return f"{status.st_dev}-{status.st_ino}"


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


ENTER: Final = Listing(uri="")
"""Stands for a folder to descend into."""


def _list_entry(selection: Selection, folder: OpenFolder, name: str, relative: str) -> Listing | AgentFailure | None:
    """Return the listing of one name, a failure, ``ENTER`` for a folder, None for what is not meant."""
    path = f"{folder.path}/{name}"
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None  # gone since the folder was read: not part of the source any more
    except OSError as error:
        return AgentFailure.of(AGENT, _os_error(Path(path), error))
    is_folder = stat.S_ISDIR(status.st_mode)
    uri = f"{folder.uri}/{_quote(name)}"
    if is_folder and Path(path) == selection.private:
        return Listing(uri=uri, title=_decode_name(name), skip="ROMA's own workspace")
    reason = selection.rules.reason(relative, is_folder=is_folder)
    reason = reason or folder.rules.reason(relative, is_folder=is_folder)
    if reason is not None:
        is_meant = is_folder or selection.wants(relative)
        return Listing(uri=uri, title=_decode_name(name), skip=reason) if is_meant else None
    if is_folder:
        return ENTER if selection.enters(relative.count("/") + 1) else None
    return _entry(uri, name, status, folder.identity) if selection.wants(relative) else None


def _entry_at(path: Path) -> Listing:
    """Return the listing of a file that is a source by itself."""
    return _entry(path.as_uri(), path.name, path.lstat(), _identity_of(path.parent))


def _entry(uri: str, name: str, status: os.stat_result, folder: str | None) -> Listing:
    options = {"folder": folder} if folder else {}
    reason = _unreadable_kind(status.st_mode)
    if reason is not None:
        return Listing(uri=uri, title=_decode_name(name), skip=reason, options=options)
    return Listing(
        uri=uri,
        title=_decode_name(name),
        version=_version(status),
        size=status.st_size,
        modified_at=_read_time(status),
        options=options,
    )


def _quote(name: str) -> str:
    """Return a name as ``Path.as_uri`` writes it."""
    return quote_from_bytes(os.fsencode(name))


def _unreadable_kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "a link; links below a source are not followed (ingest what it points to by its own path)"
    return "not a regular file (device, pipe or socket)"


def read(path: Path, uri: str, max_bytes: int) -> RawDocument:
    """The file's bytes as they were at one moment.

    Raises ``ConnectorError``: NOT_FOUND, PERMISSION, TOO_LARGE (before anything is read), BLOCKED (it has become a
    link), UNSUPPORTED (not a regular file), CHANGED (it was written to during each of ``READ_TRIES`` reads).
    """
    for attempt in range(READ_TRIES):
        time.sleep(0.05 * attempt)
        try:
            before, data, after = _read_once(path, uri, max_bytes)
        except OSError as error:
            raise _os_error(path, error) from None
        if _version(before) == _version(after) and len(data) == after.st_size:
            return RawDocument(
                uri=uri,
                data=data,
                media_type=mimetypes.guess_type(path.name)[0],
                title=_decode_name(path.name),
                modified_at=_read_time(after),
                metadata={"path": os.fsencode(path).decode("utf-8", "replace")},
            )
    raise ConnectorError(
        f"{_decode_name(path.name)} was written to while it was read; ingest it again when it is at rest.",
        ErrorCode.CONNECTOR_CHANGED,
        details={"uri": uri},
    )


def _read_once(path: Path, uri: str, max_bytes: int) -> tuple[os.stat_result, bytes, os.stat_result]:
    if real(path) != path:
        raise _became_link(path)
    # O_NONBLOCK: opening a pipe must not wait for its writer.
    with open(open_without_links(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
        before = os.fstat(file.fileno())
        if reason := _unreadable_kind(before.st_mode):
            raise ConnectorError(
                f"{_decode_name(path.name)} is {reason}.", ErrorCode.CONNECTOR_UNSUPPORTED, details={"uri": uri}
            )
        if before.st_size > max_bytes:
            raise ConnectorError(
                f"{_decode_name(path.name)} has {before.st_size / MIB:.0f} MiB, more than ROMA_PARSER_MAX_MB allows "
                f"({max_bytes // MIB}).",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": uri, "size": before.st_size},
            )
        return before, file.read(before.st_size + 1), os.fstat(file.fileno())


def _os_error(path: Path, error: OSError) -> OSError | ConnectorError:
    """Return the failure that an operating system's refusal means; errors of the disk itself keep their own meaning."""
    details = {"uri": path.as_uri(), "errno": error.errno}
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ConnectorError(f"{_decode_name(path.name)} is gone.", ErrorCode.CONNECTOR_NOT_FOUND, details=details)
    if error.errno == errno.ELOOP:
        return _became_link(path)
    if isinstance(error, PermissionError):
        return ConnectorError(
            f"{_decode_name(path.name)} may not be read by this user.", ErrorCode.CONNECTOR_PERMISSION, details=details
        )
    return ConnectorError(
        f"{_decode_name(path.name)} cannot be read ({os.strerror(error.errno or 0)}).",
        ErrorCode.CONNECTOR_UNAVAILABLE,
        details=details,
    )


def _became_link(path: Path) -> ConnectorError:
    told = f"{_decode_name(path.name)} has become a link and is not followed."
    return ConnectorError(told, ErrorCode.CONNECTOR_BLOCKED, details={"uri": path.as_uri()})


def _resolve(path: Path, fence: Fence) -> Path:
    try:
        return path.resolve(strict=True)
    except PermissionError as error:
        raise _os_error(path.absolute(), error) from None
    except (OSError, RuntimeError):  # absent, below a file, or a loop of links
        raise ConnectorError(
            f"{path} does not exist{_hint(path, fence)}.", ErrorCode.CONNECTOR_NOT_FOUND, details={"path": str(path)}
        ) from None


def _hint(path: Path, fence: Fence) -> str:
    """The nearest thing that does exist, for a person who mistyped; of what is outside of the fence, nothing."""
    parent = next((p for p in path.absolute().parents if _exists(p)), None)
    if parent is None or not parent.is_dir() or not os.access(parent, os.R_OK | os.X_OK):
        return ""
    if not fence.holds(real(parent)):
        return ""
    missing = path.absolute().relative_to(parent).parts[0]
    close = difflib.get_close_matches(missing, (path.name for path in parent.iterdir()), n=1)
    return f"; did you mean {parent / close[0]}?" if close else f" (in {parent} there is no {missing!r})"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _fits(relative: str, pattern: str) -> bool:
    """Return whether a name, or a relative path when the pattern holds a slash, fits a pattern."""
    name = relative if "/" in pattern else relative.rpartition("/")[2]
    return fnmatchcase(compose_accents(name), compose_accents(pattern))


def _matches(parts: list[str], pattern: tuple[str, ...]) -> bool:
    """Glob match by segments; ``**`` stands for any number of folders, also none.

    One pass over ``parts`` that keeps every place in the pattern which they may have reached, because trying one way
    after the other takes for ever with a dozen ``**``.
    """
    segments = tuple(map(compose_accents, (*pattern, "*") if pattern and pattern[-1] == "**" else pattern))
    places = _with_skips({0}, segments)
    for part in map(compose_accents, parts):
        stay = {at for at in places if at < len(segments) and segments[at] == "**"}
        step = {at + 1 for at in places - stay if at < len(segments) and fnmatchcase(part, segments[at])}
        places = _with_skips(stay | step, segments)
    return len(segments) in places


def _with_skips(places: set[int], segments: tuple[str, ...]) -> set[int]:
    """``places`` and what lies behind each ``**`` there."""
    found, new = set(places), places
    while new:
        new = {at + 1 for at in new if at < len(segments) and segments[at] == "**"} - found
        found |= new
    return found


def _version(status: os.stat_result) -> str:
    """Return size, time of change, time of change of the inode, and inode.

    The last two tell of an edit that kept size and time, as ``rsync -t`` and restored backups make.
    """
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def _read_time(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _decode_name(name: str) -> str:
    """Return the name as text, also when its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")
