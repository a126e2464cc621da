"""Google Drive on loopback: the v3 wire (list, get, alt=media with ranges, export, token endpoint) with faults."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.site import Reply, Request, Site

NATIVE = "application/vnd.google-apps."
FOLDER = f"{NATIVE}folder"
EXPORTS = {
    "text/markdown": b"# Exported\n",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"PK xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": b"PK pptx",
    "image/png": b"\x89PNG",
}
Fault = Reply | Callable[[Request, asyncio.StreamWriter], Any]


@dataclass
class Entry:
    """A file, folder or shortcut (``target``) of the fake Drive."""

    id: str
    name: str = "file.txt"
    mime: str = "text/plain"
    content: bytes = b""
    parent: str = "root"
    trashed: bool = False
    target: str | None = None
    md5: str | None = None
    modified: str = "2026-11-22T10:00:00.000Z"
    exports: dict[str, bytes] = field(default_factory=lambda: dict(EXPORTS))
    drive: str = ""
    """The shared drive that it lies in."""
    permissions: list[dict[str, Any]] | None = None

    def resource(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "mimeType": self.mime,
            "modifiedTime": self.modified,
            "trashed": self.trashed,
            "webViewLink": f"https://drive.example/{self.id}",
            "capabilities": {"canDownload": True},
            "parents": [self.parent],
        }
        if self.drive:
            facts["driveId"] = self.drive
        if self.permissions is not None:
            facts["permissions"] = self.permissions
        if self.target is not None:
            facts |= {"mimeType": f"{NATIVE}shortcut", "shortcutDetails": {"targetId": self.target}}
        elif not self.mime.startswith(NATIVE):
            md5 = self.md5 or hashlib.md5(self.content).hexdigest()
            facts |= {"size": str(len(self.content)), "md5Checksum": md5}
        return facts


def error(status: int, reason: str, headers: dict[str, str] | None = None) -> Reply:
    body = {"error": {"code": status, "message": reason, "errors": [{"domain": "usageLimits", "reason": reason}]}}
    return Reply(json.dumps(body), status, headers or {}, "application/json")


class FakeDrive(Site):
    """``faults[operation]`` is used up before the honest answer; operations: list, get, media, export, token,
    changes, start. ``put`` and ``remove`` write into the logs of changes; ``oldest`` is the first place that is kept.
    """

    def __init__(self, *entries: Entry, page_size: int = 100) -> None:
        super().__init__()
        self.entries = {e.id: e for e in entries}
        self.page_size = page_size
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.calls: list[str] = []
        self.ranges: list[str] = []
        self.tokens = 0
        self.valid: set[str] = set()
        self.expires_in = 3600
        self.repeat_last_on_next_page = False
        self.empty_pages = 0
        self.log: list[tuple[str, str]] = []
        """Changes, oldest first: the log ("" or a shared drive's id) and the file's id."""
        self.oldest = 0
        self.fallback = self._answer

    def add(self, *entries: Entry) -> None:
        self.entries.update({e.id: e for e in entries})

    def put(self, *entries: Entry) -> None:
        """Make or change entries."""
        for entry in entries:
            self.entries[entry.id] = entry
            self.log.append((entry.drive, entry.id))

    def remove(self, entry_id: str) -> None:
        """Take an entry away as by its owner: nobody sees it any more."""
        self.log.append((self.entries.pop(entry_id).drive, entry_id))

    def service_account(self) -> dict[str, str]:
        return {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "k",
            "private_key": private_key(),
            "client_email": "reader@p.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.base}/token",
        }

    def user_token(self, token: str = "stale") -> dict[str, str]:
        return {
            "token": token,
            "refresh_token": "refresh-secret",
            "client_id": "client",
            "client_secret": "client-secret",
            "token_uri": f"{self.base}/token",
        }

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(request.target)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        operation, file_id = _operation(parts.path, query)
        self.calls.append(operation)
        if self.faults[operation]:
            fault = self.faults[operation].pop(0)
            if isinstance(fault, Reply):
                writer.write(fault.encode())
            else:
                await fault(request, writer)
            return
        writer.write(self.reply_to(operation, file_id, query, request).encode())

    def reply_to(self, operation: str, file_id: str, query: dict[str, str], request: Request) -> Reply:
        if operation == "token":
            self.tokens += 1
            self.valid.add(f"token-{self.tokens}")
            return _json(
                {"access_token": f"token-{self.tokens}", "expires_in": self.expires_in, "token_type": "Bearer"}
            )
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return error(401, "authError")
        if operation == "list":
            return self._list(query)
        if operation == "start":
            return _json({"startPageToken": str(len(self.log))})
        if operation == "changes":
            return self._changes(query)
        entry = self.entries.get(file_id)
        if entry is None:
            return error(404, "notFound")
        if operation == "get":
            return _json(entry.resource())
        if operation == "export":
            exported = entry.exports.get(query["mimeType"])
            return error(400, "badRequest") if exported is None else Reply(exported, media_type=query["mimeType"])
        return self.reply_with_media(entry, request)

    def _list(self, query: dict[str, str]) -> Reply:
        parent = re.search(r"'([^']+)' in parents", query.get("q", ""))
        found = [
            e
            for e in sorted(self.entries.values(), key=lambda e: e.name)
            if not e.trashed
            and (parent is None or e.parent == parent[1])
            and ("driveId" not in query or not e.drive or e.drive == query["driveId"])
        ]
        start = int(query.get("pageToken", "0").lstrip("e"))
        if self.empty_pages > 0:
            self.empty_pages -= 1
            return _json({"files": [], "nextPageToken": "e" * (self.empty_pages + 1) + str(start)})
        stop = start + min(self.page_size, int(query.get("pageSize", "100")))
        begin = max(0, start - 1) if self.repeat_last_on_next_page else start
        page: dict[str, Any] = {"files": [e.resource() for e in found[begin:stop]]}
        return _json(page | ({"nextPageToken": str(stop)} if stop < len(found) else {}))

    def _changes(self, query: dict[str, str]) -> Reply:
        start = int(query["pageToken"])
        if start < self.oldest:
            return error(400, "invalid")
        stop = min(len(self.log), start + self.page_size)
        wanted = [file_id for drive, file_id in self.log[start:stop] if drive == query.get("driveId", "")]
        changes = [
            {"fileId": file_id, "removed": False, "file": self.entries[file_id].resource()}
            if file_id in self.entries
            else {"fileId": file_id, "removed": True}
            for file_id in wanted
        ]
        is_last = stop == len(self.log)
        return _json({"changes": changes, "newStartPageToken" if is_last else "nextPageToken": str(stop)})

    def reply_with_media(self, entry: Entry, request: Request) -> Reply:
        wanted = request.headers.get("range", "")
        self.ranges.append(wanted)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        if found is None:
            return Reply(entry.content, media_type=entry.mime)
        start, stop = int(found[1]), min(int(found[2]) + 1, len(entry.content))
        if start >= len(entry.content):
            return Reply(status=416, headers={"Content-Range": f"bytes */{len(entry.content)}"})
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{len(entry.content)}"}
        return Reply(entry.content[start:stop], 206, headers, entry.mime)


def _operation(path: str, query: dict[str, str]) -> tuple[str, str]:
    if path == "/token":
        return "token", ""
    parts = [unquote(p) for p in path.split("/")]
    if parts[-1] == "files":
        return "list", ""
    if parts[-1] == "changes":
        return "changes", ""
    if parts[-1] == "startPageToken":
        return "start", ""
    if parts[-1] == "export":
        return "export", parts[-2]
    return ("media" if query.get("alt") == "media" else "get"), parts[-1]


def _json(body: dict[str, Any]) -> Reply:
    return Reply(json.dumps(body), media_type="application/json; charset=UTF-8")


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()
