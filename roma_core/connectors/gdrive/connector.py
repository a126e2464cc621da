"""Google Drive: ``gdrive://folder/ID``, ``gdrive://file/ID`` and ``gdrive://drive/ID`` (a shared drive).

Identity is the file's id (``gdrive://file/ID``), so moves and renames keep it; names are titles and never paths.
The SDK's own retries are off: every call is one request, and ``roma_core.retry`` decides about the next.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.gdrive.auth import DriveCredentials, load_credentials
from roma_core.connectors.gdrive.changes import (
    FOLDER,
    NATIVE,
    SHORTCUT,
    STATE,
    SeenDrive,
    known_logs,
    log_of,
    saved_listing,
)
from roma_core.connectors.gdrive.errors import (
    as_object,
    drive_error,
    is_worth_another_try,
    make_unreadable_error,
    says_refused,
)
from roma_core.errors import AccessError, AgentFailure, ConnectorError, ErrorCode, InputError, guarded, guarded_stream
from roma_core.retry import RetryPolicy, retrying
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from roma_core.workspace import Workspace, private_folder

AGENT: Final = "connector.gdrive"
T = TypeVar("T")
Changes = list[dict[str, Any]]

PAGE_SIZE: Final = 1000
CHUNK_BYTES: Final = 8 * 1024 * 1024
HELD_BYTES: Final = 4 * 1024 * 1024
"""Downloads up to this size are held in memory, larger ones wait in their temporary file."""
HTTP_TIMEOUT_S: Final = 60.0
POLICY: Final = RetryPolicy(attempts=6, base_s=0.5, longest_backoff_s=32.0, longest_retry_after_s=120.0)
AGAIN: Final = RetryPolicy(attempts=3)
"""For whole downloads whose checksum does not match."""

_FIELDS: Final = (
    "id,name,mimeType,size,md5Checksum,modifiedTime,trashed,webViewLink,capabilities/canDownload,"
    "shortcutDetails(targetId,targetMimeType),parents,driveId,permissions(type,emailAddress,domain,deleted)"
)
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
EXPORTS: Final = {
    f"{NATIVE}document": "text/markdown",
    f"{NATIVE}spreadsheet": f"{_OFFICE}spreadsheetml.sheet",  # the CSV export holds the first sheet alone
    f"{NATIVE}presentation": f"{_OFFICE}presentationml.presentation",
    f"{NATIVE}drawing": "image/png",
}
_URI: Final = re.compile(r"gdrive://(folder|file|drive)/([A-Za-z0-9_-]{1,200})/?")


@dataclass
class _Walk:
    """State of one listing: folders still to open, every id that was met, and what is saved of it."""

    folders: deque[str] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    listing: SeenDrive = field(default_factory=SeenDrive)
    logs: set[str] = field(default_factory=set)
    """Logs that tell of changes of what was met."""
    has_failed: bool = False
    lists_whole_drive: bool = False
    """The files of every folder are listed anyhow, so only folders that a shortcut leads to have to be opened."""

    def is_new(self, file_id: str) -> bool:
        new = file_id not in self.seen
        self.seen.add(file_id)
        return new


@dataclass(frozen=True)
class _Download:
    """The SDK's request and its reader in chunks, which knows the bytes that are there."""

    request: Any
    media: Any


class GDriveConnector:
    """Google Drive files, folders and shared drives, listed and read through the official client."""

    kind = "gdrive"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._max_bytes = settings.parsing.max_mb * 1024 * 1024
        self._credentials: DriveCredentials | None = None
        self._opening = threading.Lock()
        self._local = threading.local()

    def accepts(self, uri: str) -> bool:
        return uri.startswith("gdrive://")

    def normalise_source(self, source: Source) -> Source:
        """Return the source when a confined caller may read it: only what is named, to the letter."""
        wanted = parse_uri(source.uri)
        within = source.options.get("within")
        if within is not None and wanted not in [parse_uri(place) for place in within if self.accepts(place)]:
            raise AccessError(
                "This address is not in ROMA_INGEST_ROOTS, which names the Drive addresses that may be ingested over "
                "HTTP.",
                ErrorCode.ACCESS_FORBIDDEN,
            )
        return source.model_copy(update={"uri": "gdrive://{}/{}".format(*wanted)})

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        return guarded_stream(AGENT, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        return await guarded(AGENT, self._fetch(listing))

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Ask for the file: gone when Drive does not know it, or has it in the trash."""
        meta = await guarded(AGENT, self._meta(parse_uri(listing.uri)[1]))
        if isinstance(meta, AgentFailure):
            return meta.code == ErrorCode.CONNECTOR_NOT_FOUND or meta
        return bool(meta.get("trashed"))

    async def close(self) -> None:
        self._local = threading.local()

    # Listing

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        """List from the saved listing and the changes since then; where that cannot be, list all."""
        self.normalise_source(source)
        state = source.options.get("state", {})
        seen = saved_listing(state)
        if seen is not None:
            changed = await guarded(AGENT, self._update(seen))
            if isinstance(changed, AgentFailure) and not _is_refused_token(changed):
                yield changed.model_copy(update={"details": {**changed.details, "uri": source.uri}})
                return
            if isinstance(changed, bool):
                for listing in _listings_of(seen):
                    yield listing
                yield ListingEnd(state={**state, STATE: seen.to_json()} if changed else None)
                return
        async for item in self._list_all(source, state):
            yield item

    async def _update(self, seen: SeenDrive) -> bool | None:
        """Bring a saved listing up to date. Return whether a log went on; None when all has to be listed again."""
        has_changed = False
        for log, token in list(seen.tokens.items()):
            changes, next_token = await self._changes(log, token)
            if not all(seen.apply(change) for change in changes):
                return None
            has_changed = has_changed or bool(changes) or next_token != token
            seen.tokens[log] = next_token
        return has_changed if seen.logs <= set(seen.tokens) else None

    async def _list_all(
        self, source: Source, state: dict[str, Any]
    ) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        kind, file_id = parse_uri(source.uri)
        if kind == "drive":
            root: dict[str, Any] = {"driveId": file_id}
        else:
            root = await self._meta(file_id)
            if root["mimeType"] != FOLDER:
                async for item in self._list_entry(_Walk(), root):
                    yield item
                return
        tokens: dict[str, str] = {}
        for log in sorted({log_of(root)} | known_logs(state)):
            token = await guarded(AGENT, self._start_token(log))
            if isinstance(token, str):  # without one, the next listing is a whole one again
                tokens[log] = token
        walk = _Walk(logs={log_of(root)})
        walk.listing.tokens, walk.listing.listed_at = tokens, time.time()
        async for item in self._walk(walk, source, kind, file_id):
            walk.has_failed = walk.has_failed or isinstance(item, AgentFailure)
            yield item
        if not walk.has_failed:
            yield ListingEnd(state=_state_of(walk, tokens))

    async def _walk(
        self, walk: _Walk, source: Source, kind: str, file_id: str
    ) -> AsyncGenerator[Listing | AgentFailure, None]:
        """List a folder, or a shared drive and the folders that its shortcuts lead to."""
        if kind == "drive":
            walk.lists_whole_drive, walk.listing.drive = True, file_id
            async for item in self._files(walk, source.uri, corpora="drive", driveId=file_id, q="trashed=false"):
                yield item
            walk.lists_whole_drive = False
        else:
            walk.folders.append(file_id)
            walk.seen.add(file_id)
            walk.listing.folders.add(file_id)
            walk.listing.linked.add(file_id)  # the source's own folder may lie anywhere
        async for item in self._open_folders(walk):
            yield item

    async def _changes(self, log: str, token: str) -> tuple[Changes, str]:
        """Return the changes since ``token``, oldest first, and the place from which the next ones count."""
        changes: Changes = []
        tokens = {token}
        while True:
            page = await self._call(partial(_ask_changes, log=log, token=token), as_object)
            changes += page.get("changes", ())
            if page.get("newStartPageToken"):
                return changes, str(page["newStartPageToken"])
            token = str(page.get("nextPageToken", ""))
            if not token or token in tokens:
                raise make_unreadable_error("changes without an end")
            tokens.add(token)

    async def _start_token(self, log: str) -> str:
        """Return the place in a log from which changes count now."""

        def ask(service: Any) -> Any:
            return service.changes().getStartPageToken(supportsAllDrives=True, **_of_log(log))

        answer = await self._call(ask, as_object)
        if not answer.get("startPageToken"):
            raise make_unreadable_error("no place in its log of changes")
        return str(answer["startPageToken"])

    async def _open_folders(self, walk: _Walk) -> AsyncGenerator[Listing | AgentFailure, None]:
        """List the folders of a walk, and those below them."""
        while walk.folders:
            folder = walk.folders.popleft()
            query = f"'{folder}' in parents and trashed=false"
            async for item in self._files(walk, f"gdrive://folder/{folder}", q=query):
                yield item

    async def _files(self, walk: _Walk, uri: str, **query: str) -> AsyncGenerator[Listing | AgentFailure, None]:
        """Pages of one folder or drive. A failure ends this folder only, unless nothing else could be read either."""
        token: str | None = None
        tokens: set[str] = set()
        has_begun_again = False
        while True:
            page = await guarded(AGENT, self._page(token, **query))
            if isinstance(page, AgentFailure) and token and not has_begun_again and _is_refused_token(page):
                token, has_begun_again = None, True  # it has expired; what was listed already is known by its id
                tokens.clear()
                continue
            if isinstance(page, AgentFailure):
                yield page.model_copy(update={"details": {**page.details, "uri": uri}})
                if page.code in {ErrorCode.CONNECTOR_AUTH, ErrorCode.CONNECTOR_QUOTA}:
                    walk.folders.clear()
                return
            for meta in page.get("files", ()):
                async for item in self._list_entry(walk, meta):
                    yield item
            token = page.get("nextPageToken")
            if not token:
                return
            if token in tokens:
                raise make_unreadable_error("the same page of a listing again and again")
            tokens.add(token)

    async def _list_entry(
        self, walk: _Walk, meta: dict[str, Any], *, through_shortcut: bool = False
    ) -> AsyncGenerator[Listing | AgentFailure, None]:
        """Yield the listing of an entry: nothing when it was met before (Drive repeats entries across pages)."""
        file_id, kind = meta["id"], meta["mimeType"]
        if not walk.is_new(file_id):
            return
        walk.logs.add(log_of(meta))
        if through_shortcut:
            walk.listing.linked.add(file_id)
        if kind == FOLDER:
            walk.listing.folders.add(file_id)
            if not walk.lists_whole_drive or through_shortcut:
                walk.folders.append(file_id)
        elif kind == SHORTCUT:
            async for item in self._follow(walk, meta):
                yield item
        else:
            walk.listing.files[file_id] = meta
            yield listing_of(meta)

    async def _follow(self, walk: _Walk, meta: dict[str, Any]) -> AsyncGenerator[Listing | AgentFailure, None]:
        """A shortcut leads once to what it names; its target may be listed by its own folder as well."""
        target = meta.get("shortcutDetails", {}).get("targetId", "")
        walk.listing.followed.add(meta["id"])
        if target in walk.seen:
            walk.listing.linked.add(target)
            return
        found = await guarded(AGENT, self._meta(target)) if target else None
        if isinstance(found, dict) and found["mimeType"] != SHORTCUT:
            async for item in self._list_entry(walk, found, through_shortcut=True):
                yield item
        elif isinstance(found, AgentFailure) and found.recoverable:
            yield found.model_copy(update={"details": {**found.details, "uri": uri_of(meta["id"])}})
        else:
            walk.listing.followed.discard(meta["id"])
            walk.listing.shortcuts[meta["id"]] = str(meta.get("name") or "")
            yield _broken_shortcut(meta["id"], meta.get("name"))

    async def _page(self, token: str | None, **query: str) -> dict[str, Any]:
        def ask(service: Any) -> Any:
            return service.files().list(
                **query,
                pageSize=PAGE_SIZE,
                pageToken=token,
                orderBy="name",
                supportsAllDrives=True,
                includeItemsFromAllDrives=True,
                fields=f"nextPageToken,incompleteSearch,files({_FIELDS})",
            )

        return await self._call(ask, _whole_page)

    async def _meta(self, file_id: str) -> dict[str, Any]:
        return await self._call(
            lambda service: service.files().get(fileId=file_id, supportsAllDrives=True, fields=_FIELDS), as_object
        )

    # Fetching

    async def _fetch(self, listing: Listing) -> RawDocument:
        meta = listing.options.get("drive") or await self._meta(parse_uri(listing.uri)[1])
        if reason := skip_reason(meta):
            raise ConnectorError(f"The file is not fetched: {reason}.", ErrorCode.CONNECTOR_UNSUPPORTED)
        facts = {
            "uri": uri_of(meta["id"]),
            "title": meta.get("name"),
            "modified_at": _read_time(meta),
            "metadata": {"url": meta["webViewLink"]} if meta.get("webViewLink") else {},
        }
        if export := EXPORTS.get(meta["mimeType"]):
            return RawDocument(data=await self._export(meta["id"], export), media_type=export, **facts)
        content = await self._download(meta)
        return RawDocument(media_type=meta["mimeType"], **content, **facts)

    async def _export(self, file_id: str, media_type: str) -> bytes:
        def check(answer: Any) -> bytes:
            if not isinstance(answer, bytes):
                raise make_unreadable_error("an export that is no file")
            return answer

        return await self._call(lambda s: s.files().export(fileId=file_id, mimeType=media_type), check)

    async def _download(self, meta: dict[str, Any]) -> dict[str, Any]:
        """``{"data": ...}`` or ``{"path": ...}``. Raises TOO_LARGE before a byte is loaded, CORRUPT at last."""
        size = int(meta.get("size") or 0)
        if size > self._max_bytes:
            raise ConnectorError(
                f"The file has {size / 1024 / 1024:.0f} MiB, more than ROMA_PARSER_MAX_MB allows "
                f"({self._settings.parsing.max_mb}).",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"size": size},
            )
        path = await asyncio.to_thread(_spool, Workspace.of(self._settings).temporary)
        content: dict[str, Any] = {}
        try:
            await retrying(lambda: self._download_once(meta, path), policy=AGAIN, retry_if=_is_corrupt)
            content = await asyncio.to_thread(_content, path)
            return content
        finally:
            if "path" not in content:
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _download_once(self, meta: dict[str, Any], path: Path) -> None:
        """In chunks: a cut costs its chunk only, since the download goes on at the byte that the file has."""
        with path.open("wb") as file:
            download = await asyncio.to_thread(self._begin, meta["id"], file)
            done = False
            while not done:
                done = await self._retry(lambda: self._next_chunk(download))
                if file.tell() > self._max_bytes:
                    raise ConnectorError("The file is larger than it said.", ErrorCode.CONNECTOR_TOO_LARGE)
        await asyncio.to_thread(_verify, path, meta)

    def _begin(self, file_id: str, file: BinaryIO) -> _Download:
        from googleapiclient.http import MediaIoBaseDownload

        request = self._service().files().get_media(fileId=file_id, supportsAllDrives=True)
        return _Download(request, MediaIoBaseDownload(file, request, chunksize=CHUNK_BYTES))

    def _next_chunk(self, download: _Download) -> bool:
        """Return whether the download is done."""
        download.request.http = self._http()  # the connection of this thread, not of the one that began
        return bool(self._map_errors(lambda: download.media.next_chunk(num_retries=0)[1]))

    # Calls

    async def _call(self, ask: Callable[[Any], Any], check: Callable[[Any], T]) -> T:
        """One API call, tried again as the policy says; ``check`` judges the decoded answer."""

        def once() -> T:
            return check(self._map_errors(lambda: ask(self._service()).execute(http=self._http(), num_retries=0)))

        return await self._retry(once)

    async def _retry(self, work: Callable[[], T]) -> T:
        return await retrying(lambda: asyncio.to_thread(work), policy=POLICY, retry_if=is_worth_another_try)

    def _map_errors(self, work: Callable[[], T]) -> T:
        """Run ``work``; errors of the SDK and of the wire become ``ConnectorError``."""
        import httplib2
        from google.auth.exceptions import RefreshError, TransportError
        from googleapiclient.errors import HttpError

        try:
            result = work()
        except HttpError as error:
            raise drive_error(error.resp.status, dict(error.resp), error.content) from None
        except RefreshError as error:
            if error.retryable or not says_refused(error):
                raise ConnectorError("Google gives no access token now.") from None
            raise ConnectorError(
                "Google refuses these credentials (expired or revoked); authorize again.", ErrorCode.CONNECTOR_AUTH
            ) from None
        except (TransportError, httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
            raise ConnectorError(f"The connection to Drive failed ({type(error).__name__}).") from None
        except (ValueError, TypeError):  # the SDK decodes half a JSON body to these
            raise make_unreadable_error("an answer that cannot be read") from None
        self._known_credentials().save_if_refreshed()
        return result

    def _service(self) -> Any:
        """The API client. It is not safe to share between threads, so each has its own."""
        if not hasattr(self._local, "service"):
            from googleapiclient.discovery import build

            endpoint = self._settings.gdrive.api_endpoint
            options = {"client_options": {"api_endpoint": endpoint}} if endpoint else {}
            self._local.service = build(
                "drive", "v3", http=self._http(), cache_discovery=False, static_discovery=True, **options
            )
        return self._local.service

    def _http(self) -> Any:
        """The thread's connection; a 401 makes it refresh the token once and ask again."""
        if not hasattr(self._local, "http"):
            import google_auth_httplib2
            import httplib2

            self._local.http = google_auth_httplib2.AuthorizedHttp(
                self._known_credentials().google,
                http=httplib2.Http(timeout=HTTP_TIMEOUT_S, ca_certs=os.environ.get("SSL_CERT_FILE") or None),
                max_refresh_attempts=1,
            )
        return self._local.http

    def _known_credentials(self) -> DriveCredentials:
        with self._opening:
            if self._credentials is None:
                self._credentials = load_credentials(self._settings)
            return self._credentials


def parse_uri(uri: str) -> tuple[str, str]:
    """Kind and id. Raises ``InputError`` that shows the three forms."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise InputError("A Drive source is gdrive://folder/ID, gdrive://file/ID or gdrive://drive/ID.")
    return found[1], found[2]


def uri_of(file_id: str) -> str:
    """Return the URI of a file: ``gdrive://file/ID``."""
    return f"gdrive://file/{file_id}"


def listing_of(meta: dict[str, Any]) -> Listing:
    """``version`` is the checksum, or for Google's own formats (which have none) the time of the last edit."""
    return Listing(
        uri=uri_of(meta["id"]),
        version=meta.get("md5Checksum") or meta.get("modifiedTime"),
        title=meta.get("name"),
        size=int(meta["size"]) if meta.get("size") else None,
        modified_at=_read_time(meta),
        skip=skip_reason(meta),
        options={"drive": meta},
        readers=readers_of(meta),
    )


def readers_of(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return who may read a file; None where Drive does not say, as of files that these credentials may not share.

    >>> readers_of({"permissions": [{"type": "user", "emailAddress": "a@example.org"}, {"type": "anyone"}]})
    ('anyone', 'user:a@example.org')
    """
    permissions = meta.get("permissions")
    if not isinstance(permissions, list):
        return None
    readers: set[str] = set()
    for permission in permissions:
        kind, name = permission.get("type", ""), permission.get("emailAddress") or permission.get("domain")
        if not permission.get("deleted"):
            readers.add(f"{kind}:{str(name).lower()}" if name else str(kind))
    return tuple(sorted(readers))


def skip_reason(meta: dict[str, Any]) -> str | None:
    """Return why Drive's own description of a file rules out reading it; None when it can be read."""
    kind = meta["mimeType"]
    if meta.get("trashed"):
        return "in the trash"
    if meta.get("capabilities", {}).get("canDownload") is False:
        return "its owner does not allow to download it"
    if kind.startswith(NATIVE) and kind not in EXPORTS:
        return f"a {kind.removeprefix(NATIVE)}, which Drive gives no text of"
    return None


def _listings_of(seen: SeenDrive) -> Iterator[Listing]:
    """Yield what a saved listing holds, as the listing itself did."""
    for meta in seen.files.values():
        yield listing_of(meta)
    for file_id, name in seen.shortcuts.items():
        yield _broken_shortcut(file_id, name or None)


def _broken_shortcut(file_id: str, name: str | None) -> Listing:
    return Listing(uri=uri_of(file_id), title=name, skip="a shortcut to nothing that can be read")


def _state_of(walk: _Walk, tokens: Mapping[str, str]) -> dict[str, Any]:
    """Return what is saved of a complete listing.

    Where it met files of a log whose place was not known before, only the logs are: the next listing asks for them.
    """
    if walk.logs <= set(tokens):
        return {"logs": sorted(walk.logs), STATE: walk.listing.to_json()}
    return {"logs": sorted(walk.logs)}


def _of_log(log: str) -> dict[str, str]:
    return {"driveId": log} if log else {}


def _ask_changes(service: Any, *, log: str, token: str) -> Any:
    return service.changes().list(
        pageToken=token,
        pageSize=PAGE_SIZE,
        includeRemoved=True,
        includeItemsFromAllDrives=True,
        supportsAllDrives=True,
        fields=f"nextPageToken,newStartPageToken,changes(fileId,removed,file({_FIELDS}))",
        **_of_log(log),
    )


def _whole_page(answer: Any) -> dict[str, Any]:
    page = as_object(answer)
    if page.get("incompleteSearch"):
        raise make_unreadable_error("an incomplete listing")
    return page


def _is_refused_token(failure: AgentFailure) -> bool:
    """Return whether Drive refused a page by its token: those of pages expire within hours, those of logs later."""
    return failure.details.get("status") in {400, 404, 410}


def _is_corrupt(error: BaseException) -> bool:
    return isinstance(error, ConnectorError) and error.code == ErrorCode.CONNECTOR_CORRUPT


def _spool(folder: Path) -> Path:
    private_folder(folder)
    handle, name = tempfile.mkstemp(dir=folder, prefix="gdrive-")
    os.close(handle)
    return Path(name)


def _content(path: Path) -> dict[str, Any]:
    """Return the fields of ``RawDocument`` for a download: small files as ``data``, large ones as ``path``."""
    return {"path": path} if path.stat().st_size > HELD_BYTES else {"data": path.read_bytes()}


def _verify(path: Path, meta: dict[str, Any]) -> None:
    """Raises ``ConnectorError`` (corrupt) when size or checksum are not those that Drive told."""
    expected = meta.get("md5Checksum")
    if meta.get("size") and path.stat().st_size != int(meta["size"]):
        raise make_unreadable_error("another number of bytes than the file has")
    if expected:
        with path.open("rb") as file:
            if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != expected:
                raise make_unreadable_error("bytes that do not match the file's checksum")


def _read_time(meta: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(meta["modifiedTime"])
    except (KeyError, ValueError):
        return None
