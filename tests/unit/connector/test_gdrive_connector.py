"""The Drive connector with Google's real client against a Drive on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.gdrive import connector as gdrive
from roma_core.connectors.gdrive import errors as gdrive_errors
from roma_core.connectors.gdrive.auth import authorize, load_credentials, token_path
from roma_core.connectors.gdrive.connector import GDriveConnector
from roma_core.errors import AgentFailure, ConfigError, ConnectorError, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.drive import FOLDER, NATIVE, Entry, FakeDrive, error
from tests.fakes.site import Reply, Request

Connect = Callable[..., GDriveConnector]


@pytest.fixture
async def drive() -> AsyncIterator[FakeDrive]:
    async with FakeDrive(Entry("root-folder", "Root", FOLDER)) as drive:
        yield drive


@pytest.fixture
def connect(drive: FakeDrive, tmp_path: Path, pauses: list[float]) -> Connect:
    def make(**settings: Any) -> GDriveConnector:
        defaults = {
            "workspace": tmp_path / "ws",
            "gdrive_api_endpoint": drive.base,
            "gdrive_credentials": json.dumps(drive.service_account()),
        }
        return GDriveConnector(Settings(**(defaults | settings)))

    return make


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between attempts, noted instead of slept."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr("roma_core.retry.sleep", note)
    return noted


async def listed(connector: GDriveConnector, uri: str) -> list[Listing | AgentFailure]:
    items = [item async for item in connector.list(Source(uri=uri, kind="gdrive"))]
    return [item for item in items if not isinstance(item, ListingEnd)]


async def uris(connector: GDriveConnector, uri: str) -> list[str]:
    items = await listed(connector, uri)
    assert not [i for i in items if isinstance(i, AgentFailure)], items
    return [i.uri.removeprefix("gdrive://file/") for i in items if isinstance(i, Listing) and i.skip is None]


async def fetch(connector: GDriveConnector, file_id: str) -> RawDocument | AgentFailure:
    uri = f"gdrive://file/{file_id}"
    return await connector.fetch(Source(uri=uri, kind="gdrive"), Listing(uri=uri))


async def failure(connector: GDriveConnector, file_id: str) -> AgentFailure:
    result = await fetch(connector, file_id)
    assert isinstance(result, AgentFailure), result
    return result


async def test_gdrive_list_files(drive: FakeDrive, connect: Connect) -> None:
    drive.page_size = 3
    drive.add(
        *(Entry(f"f{n}", f"{n}.txt", content=b"x" * n, parent="top") for n in range(7)),
        Entry("top", "Top", FOLDER),
        Entry("sub", "Sub", FOLDER, parent="top"),
        Entry("deep", "Deep", FOLDER, parent="sub"),
        Entry("leaf", "leaf.md", content=b"leaf", parent="deep"),
        Entry("gone", "gone.txt", parent="top", trashed=True),
        Entry("elsewhere", "other.txt", parent="other"),
    )
    items = await listed(connect(), "gdrive://folder/top")
    assert [i.uri for i in items if isinstance(i, Listing)] == [
        *(f"gdrive://file/f{n}" for n in range(7)),
        "gdrive://file/leaf",
    ]
    leaf = items[-1]
    assert isinstance(leaf, Listing)
    assert (leaf.title, leaf.size) == ("leaf.md", 4)
    assert leaf.version == hashlib.md5(b"leaf").hexdigest()
    assert leaf.modified_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_single_file_and_shared_drive(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("a", content=b"a"), Entry("sub", "Sub", FOLDER), Entry("b", "b.txt", content=b"b", parent="sub"))
    assert await uris(connect(), "gdrive://file/a") == ["a"]
    assert sorted(await uris(connect(), "gdrive://drive/SHARED")) == ["a", "b"]
    assert "corpora=drive" in drive.requests[-1].target and "driveId=SHARED" in drive.requests[-1].target


async def test_trashed_file_and_formats_without_text_are_skipped_with_the_reason(
    drive: FakeDrive, connect: Connect
) -> None:
    drive.add(Entry("t", trashed=True), Entry("form", "Form", f"{NATIVE}form"))
    for file_id, word in (("t", "trash"), ("form", "form")):
        (item,) = await listed(connect(), f"gdrive://file/{file_id}")
        assert isinstance(item, Listing) and item.skip is not None and word in item.skip
        assert (await failure(connect(), file_id)).code == ErrorCode.CONNECTOR_UNSUPPORTED


async def test_shortcuts_are_followed_once_and_loops_end(drive: FakeDrive, connect: Connect) -> None:
    drive.add(
        Entry("top", "Top", FOLDER),
        Entry("a", "a.txt", content=b"a", parent="top"),
        Entry("far", "far.txt", content=b"far", parent="other"),
        Entry("outside", "Outside", FOLDER, parent="other"),
        Entry("in", "in.txt", content=b"in", parent="outside"),
        Entry("s1", "z1", parent="top", target="a"),
        Entry("s2", "z2", parent="top", target="far"),
        Entry("s3", "z3", parent="top", target="far"),
        Entry("s4", "z4", parent="top", target="outside"),
        Entry("s5", "z5", parent="outside", target="top"),
        Entry("s6", "z6", parent="top", target="nothing"),
    )
    assert sorted(await uris(connect(), "gdrive://folder/top")) == ["a", "far", "in"]
    skipped = [i for i in await listed(connect(), "gdrive://folder/top") if isinstance(i, Listing) and i.skip]
    assert [i.uri for i in skipped] == ["gdrive://file/s6"]


async def test_shortcuts_of_a_shared_drive_lead_to_folders_outside_of_it(drive: FakeDrive, connect: Connect) -> None:
    drive.add(
        Entry("a", content=b"a"),
        Entry("sub", "Sub", FOLDER),
        Entry("s", "shortcut", target="outside"),
    )
    honest, inside = drive._list, {"a", "sub", "s"}  # type: ignore[attr-defined]
    drive.add(
        Entry("outside", "Outside", FOLDER, parent="elsewhere"),
        Entry("in", "in.txt", content=b"in", parent="outside"),
        Entry("deep", "Deep", FOLDER, parent="outside"),
        Entry("leaf", "leaf.txt", content=b"leaf", parent="deep"),
    )

    def of_the_drive(query: dict[str, str]) -> Any:
        if query.get("corpora") != "drive":
            return honest(query)
        every = drive.entries
        drive.entries = {key: entry for key, entry in every.items() if key in inside}
        try:
            return honest(query)
        finally:
            drive.entries = every

    drive._list = of_the_drive  # type: ignore[attr-defined]
    assert sorted(await uris(connect(), "gdrive://drive/SHARED")) == ["a", "in", "leaf"]


async def test_a_page_token_that_has_expired_begins_the_folder_again(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("top", "Top", FOLDER), *(Entry(f"f{n}", f"{n}.txt", parent="top") for n in range(5)))
    drive.page_size = 2
    connector = connect()
    first = True

    def once(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(error(400, "invalid").encode())

    honest = drive._answer

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        if first and "pageToken=" in request.target:
            first = False
            drive.calls.append("list")
            once(request, writer)
            return
        await honest(request, writer)

    drive.fallback = answer
    items = await listed(connector, "gdrive://folder/top")
    assert [type(item).__name__ for item in items] == ["Listing"] * 5
    assert len({item.uri for item in items if isinstance(item, Listing)}) == 5


async def test_a_file_that_may_not_be_downloaded_is_skipped_without_a_request(
    drive: FakeDrive, connect: Connect
) -> None:
    class Closed(Entry):
        def resource(self) -> dict[str, Any]:
            return {**super().resource(), "capabilities": {"canDownload": False}}

    drive.add(Closed("a", content=b"a"))
    (item,) = await listed(connect(), "gdrive://file/a")
    assert isinstance(item, Listing) and item.skip is not None and "download" in item.skip
    assert "media" not in drive.calls


async def test_a_gateway_before_the_token_endpoint_says_nothing_about_the_credentials(
    drive: FakeDrive, connect: Connect, tmp_path: Path, pauses: list[float]
) -> None:
    drive.add(Entry("a", content=b"a"))
    path = tmp_path / "token.json"
    path.write_text(json.dumps(drive.user_token()))
    drive.faults["get"] = [error(401, "authError")]
    drive.faults["token"] = [Reply("<html>Bad gateway</html>", 502, media_type="text/html")] * 99
    result = await failure(connect(gdrive_credentials=str(path)), "a")
    assert (result.code, result.recoverable) == (ErrorCode.CONNECTOR_UNAVAILABLE, True)


async def test_a_file_is_gone_when_drive_does_not_have_it_or_has_it_in_the_trash(
    drive: FakeDrive, connect: Connect
) -> None:
    drive.add(Entry("a", content=b"a"), Entry("t", trashed=True), Entry("b", content=b"b"))
    connector, source = connect(), Source(uri="gdrive://folder/root", kind="gdrive")
    for file_id, gone in (("a", False), ("t", True), ("never", True)):
        assert await connector.is_gone(source, Listing(uri=f"gdrive://file/{file_id}")) is gone
    drive.faults["get"] = [error(403, "insufficientPermissions")] * 99
    assert isinstance(await connector.is_gone(source, Listing(uri="gdrive://file/b")), AgentFailure)


async def test_entry_on_two_pages_is_listed_once_and_empty_pages_go_on(drive: FakeDrive, connect: Connect) -> None:
    drive.page_size, drive.repeat_last_on_next_page, drive.empty_pages = 10, True, 2
    drive.add(Entry("top", "Top", FOLDER), *(Entry(f"f{n:03}", f"{n:03}", parent="top") for n in range(95)))
    found = await uris(connect(), "gdrive://folder/top")
    assert len(found) == len(set(found)) == 95


async def test_same_page_for_ever_is_a_failure(drive: FakeDrive, connect: Connect) -> None:
    page = Reply(json.dumps({"files": [], "nextPageToken": "same"}), media_type="application/json")
    drive.faults["list"] = [page] * 9
    (item,) = await listed(connect(), "gdrive://folder/root-folder")
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.CONNECTOR_CORRUPT


async def test_half_a_listing_is_asked_for_again(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("a", content=b"a", parent="root-folder"))
    drive.faults["list"] = [
        Reply('{"files": [{"id": "a", "na', media_type="application/json"),
        Reply("[1]", media_type="application/json"),
        Reply('{"files": [], "incompleteSearch": true}', media_type="application/json"),
    ]
    assert await uris(connect(), "gdrive://folder/root-folder") == ["a"]
    assert drive.calls.count("list") == 4


async def test_folder_that_cannot_be_read_does_not_end_the_others(drive: FakeDrive, connect: Connect) -> None:
    drive.add(
        Entry("top", "Top", FOLDER),
        Entry("s1", "1", FOLDER, parent="top"),
        Entry("s2", "2", FOLDER, parent="top"),
        Entry("a", content=b"a", parent="s2"),
    )
    connector = connect()
    stream = connector.list(Source(uri="gdrive://folder/top", kind="gdrive"))
    drive.faults["list"] = [
        lambda request, writer: _pass(drive, request, writer),
        error(403, "insufficientFilePermissions"),
    ]
    items = [item async for item in stream]
    assert isinstance(items[0], AgentFailure)
    assert items[0].code == ErrorCode.CONNECTOR_PERMISSION
    assert items[0].details["uri"] == "gdrive://folder/s1"
    assert [i.uri for i in items if isinstance(i, Listing)] == ["gdrive://file/a"]


async def _pass(drive: FakeDrive, request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(drive.reply_to("list", "", {"q": "'top' in parents"}, request).encode())


CONTENT = bytes(range(256)) * 4096


async def test_gdrive_download_file(drive: FakeDrive, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdrive, "CHUNK_BYTES", 400_000)
    drive.add(Entry("big", "big.pdf", "application/pdf", CONTENT))
    raw = await fetch(connect(), "big")
    assert isinstance(raw, RawDocument)
    assert raw.data == CONTENT
    assert (raw.uri, raw.title, raw.media_type) == ("gdrive://file/big", "big.pdf", "application/pdf")
    assert drive.ranges == ["bytes=0-399999", "bytes=400000-799999", "bytes=800000-1199999"]


async def test_large_file_waits_on_disk_and_small_ones_leave_nothing(
    drive: FakeDrive, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdrive, "HELD_BYTES", 1000)
    drive.add(Entry("big", content=CONTENT), Entry("small", content=b"s"), Entry("none", content=b""))
    spool = tmp_path / "ws" / "tmp"
    for file_id, content in (("small", b"s"), ("none", b"")):
        raw = await fetch(connect(), file_id)
        assert isinstance(raw, RawDocument) and raw.data == content
        assert list(spool.iterdir()) == []
    raw = await fetch(connect(), "big")
    assert isinstance(raw, RawDocument)
    assert raw.path is not None and raw.size == len(CONTENT) and raw.data == CONTENT
    raw.discard()
    assert list(spool.iterdir()) == []


async def test_file_over_the_limit_is_refused_before_a_byte(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("big", content=CONTENT + b"x"))
    assert (await failure(connect(parser_max_mb=1), "big")).code == ErrorCode.CONNECTOR_TOO_LARGE
    assert "media" not in drive.calls


async def test_file_that_lies_about_its_size_is_cut(drive: FakeDrive, connect: Connect) -> None:
    entry = Entry("liar", content=CONTENT + CONTENT)
    drive.add(entry)
    liar = entry.resource() | {"size": "10"}
    drive.faults["get"] = [Reply(json.dumps(liar), media_type="application/json")]
    assert (await failure(connect(parser_max_mb=1), "liar")).code == ErrorCode.CONNECTOR_TOO_LARGE


async def cut(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 206 Partial\r\nContent-Length: 400000\r\nContent-Range: bytes 400000-799999/1048576\r\n\r\n"
    )
    writer.write(b"only this")


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_cut_download_goes_on_at_the_byte_it_had(
    drive: FakeDrive, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdrive, "CHUNK_BYTES", 400_000)
    drive.add(Entry("big", content=CONTENT))
    for fault in (cut, reset, error(503, "backendError")):
        seen = len(drive.ranges)

        async def first(request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(drive.reply_with_media(drive.entries["big"], request).encode())

        drive.faults["media"] = [first, fault]
        raw = await fetch(connect(), "big")
        assert isinstance(raw, RawDocument) and raw.data == CONTENT
        ranges = drive.ranges[seen:]
        assert ranges.count("bytes=0-399999") == 1  # no byte twice that was there


async def test_flipped_byte_is_refused_and_fetched_again(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("a", content=b"right"))
    headers = {"Content-Range": "bytes 0-4/5"}
    drive.faults["media"] = [Reply(b"wrong", 206, headers)]
    raw = await fetch(connect(), "a")
    assert isinstance(raw, RawDocument) and raw.data == b"right"
    drive.faults["media"] = [Reply(b"wrong", 206, headers)] * 9
    assert (await failure(connect(), "a")).code == ErrorCode.CONNECTOR_CORRUPT
    drive.faults["media"] = [Reply(b"righ", 206, {"Content-Range": "bytes 0-3/4"})] * 9
    assert (await failure(connect(), "a")).code == ErrorCode.CONNECTOR_CORRUPT


@pytest.mark.parametrize("name", ["../../etc/passwd", "/abs", "a\0b", "CON", "x" * 5000, "\u202egnp.exe", "", "a/b\\c"])
async def test_hostile_names_are_titles_and_never_paths(
    drive: FakeDrive, connect: Connect, tmp_path: Path, name: str
) -> None:
    drive.add(Entry("a", name, content=b"data", parent="root-folder"))
    connector = connect()
    (item,) = await listed(connector, "gdrive://folder/root-folder")
    assert isinstance(item, Listing)
    raw = await connector.fetch(Source(uri=item.uri, kind="gdrive"), item)
    assert isinstance(raw, RawDocument)
    assert (raw.title, raw.data, raw.uri) == (name, b"data", "gdrive://file/a")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


async def test_gdrive_export_native_formats(drive: FakeDrive, connect: Connect) -> None:
    office = "application/vnd.openxmlformats-officedocument."
    for kind, media_type, content in (
        ("document", "text/markdown", b"# Exported\n"),
        ("spreadsheet", f"{office}spreadsheetml.sheet", b"PK xlsx"),
        ("presentation", f"{office}presentationml.presentation", b"PK pptx"),
        ("drawing", "image/png", b"\x89PNG"),
    ):
        drive.add(Entry(kind, f"My {kind}", f"{NATIVE}{kind}", parent="root-folder"))
        raw = await fetch(connect(), kind)
        assert isinstance(raw, RawDocument), raw
        assert (raw.data, raw.media_type) == (content, media_type)
    items = await listed(connect(), "gdrive://folder/root-folder")
    assert {i.version for i in items if isinstance(i, Listing)} == {"2026-11-22T10:00:00.000Z"}


async def test_export_over_the_limit_is_a_failure_of_that_file(drive: FakeDrive, connect: Connect) -> None:
    drive.add(Entry("doc", "Doc", f"{NATIVE}document"), Entry("ok", content=b"ok"))
    drive.faults["export"] = [error(403, "exportSizeLimitExceeded")]
    connector = connect()
    too_large = await failure(connector, "doc")
    assert (too_large.code, too_large.recoverable) == (ErrorCode.CONNECTOR_TOO_LARGE, False)
    assert "10 MB" in too_large.message
    assert drive.calls.count("export") == 1
    assert isinstance(await fetch(connector, "ok"), RawDocument)


async def test_gdrive_token_refresh(drive: FakeDrive, connect: Connect, tmp_path: Path) -> None:
    drive.add(Entry("a", content=b"a"))
    path = tmp_path / "token.json"
    path.write_text(json.dumps(drive.user_token()))
    raw = await fetch(connect(gdrive_credentials=str(path)), "a")  # its token is stale: 401, refresh, again
    assert isinstance(raw, RawDocument)
    assert drive.tokens == 1
    saved = json.loads(path.read_text())
    assert (saved["token"], saved["refresh_token"]) == ("token-1", "refresh-secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert isinstance(await fetch(connect(gdrive_credentials=str(path)), "a"), RawDocument)
    assert drive.tokens == 1  # the saved token was used


async def test_token_that_expires_during_a_download(
    drive: FakeDrive, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdrive, "CHUNK_BYTES", 400_000)
    drive.add(Entry("big", content=CONTENT))

    async def revoke(request: Request, writer: asyncio.StreamWriter) -> None:
        drive.valid.clear()
        writer.write(error(401, "authError").encode())

    drive.faults["media"] = [
        lambda request, writer: _media(drive, request, writer),
        revoke,
    ]
    raw = await fetch(connect(), "big")
    assert isinstance(raw, RawDocument) and raw.data == CONTENT
    assert drive.tokens == 2
    assert Counter(drive.ranges).most_common(1)[0][1] == 1


async def _media(drive: FakeDrive, request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(drive.reply_with_media(drive.entries["big"], request).encode())


RATE_LIMITS = [
    error(403, "userRateLimitExceeded"),
    error(403, "rateLimitExceeded"),
    error(429, "rateLimitExceeded"),
    error(500, "internalError"),
    error(503, "backendError"),
    Reply("<html>bad gateway", 502),
]


@pytest.mark.parametrize("fault", RATE_LIMITS)
async def test_gdrive_rate_limit_backoff(drive: FakeDrive, connect: Connect, fault: Reply, pauses: list[float]) -> None:
    drive.add(Entry("a", content=b"a"), Entry("doc", "Doc", f"{NATIVE}document"))
    for operation in ("get", "media", "export"):
        drive.faults[operation] = [fault, fault]
    assert isinstance(await fetch(connect(), "a"), RawDocument)
    assert isinstance(await fetch(connect(), "doc"), RawDocument)
    assert len(pauses) == 6 and all(0 <= p <= 32 for p in pauses)


async def test_retry_after_is_kept_and_endless_limits_end(
    drive: FakeDrive, connect: Connect, pauses: list[float]
) -> None:
    drive.add(Entry("a", content=b"a"))
    drive.faults["get"] = [error(429, "rateLimitExceeded", {"Retry-After": "9"})]
    assert isinstance(await fetch(connect(), "a"), RawDocument)
    assert 9 <= pauses[0] < 13
    drive.faults["get"] = [error(429, "rateLimitExceeded")] * 99
    drive.calls.clear()
    result = await failure(connect(), "a")
    assert (result.code, result.recoverable) == (ErrorCode.CONNECTOR_RATE_LIMIT, True)
    assert drive.calls.count("get") == gdrive.POLICY.attempts


async def test_daily_limit_is_not_asked_again_and_says_until_when(drive: FakeDrive, connect: Connect) -> None:
    drive.faults["get"] = [error(403, "dailyLimitExceeded")]
    result = await failure(connect(), "a")
    assert result.code == ErrorCode.CONNECTOR_QUOTA
    assert drive.calls.count("get") == 1
    assert result.retry_after_s is not None and 0 < result.retry_after_s <= 86400
    noon = datetime(2026, 11, 22, 20, tzinfo=UTC)
    assert gdrive_errors._until_midnight(noon) == 12 * 3600


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (404, "notFound", ErrorCode.CONNECTOR_NOT_FOUND),
        (403, "insufficientFilePermissions", ErrorCode.CONNECTOR_PERMISSION),
        (403, "cannotDownloadFile", ErrorCode.CONNECTOR_PERMISSION),
        (403, "domainPolicy", ErrorCode.CONNECTOR_PERMISSION),
        (403, "accessNotConfigured", ErrorCode.CONNECTOR_AUTH),
        (403, "downloadQuotaExceeded", ErrorCode.CONNECTOR_QUOTA),
        (400, "fileNotExportable", ErrorCode.CONNECTOR_UNSUPPORTED),
        (418, "teapot", ErrorCode.CONNECTOR_UNSUPPORTED),
    ],
)
async def test_final_answers_are_asked_for_once(
    drive: FakeDrive, connect: Connect, status: int, reason: str, code: ErrorCode
) -> None:
    drive.add(Entry("a", content=b"a"))
    drive.faults["media"] = [error(status, reason)]
    result = await failure(connect(), "a")
    assert result.code == code
    assert result.details["reason"] == reason
    assert drive.calls.count("media") == 1


async def test_gdrive_auth_failure(drive: FakeDrive, connect: Connect, tmp_path: Path) -> None:
    drive.add(Entry("a", content=b"a"))
    drive.faults["get"] = [error(401, "authError")] * 99
    result = await failure(connect(), "a")
    assert (result.code, result.recoverable) == (ErrorCode.CONNECTOR_AUTH, False)
    assert drive.calls.count("get") == 2  # one refresh, one more try

    revoked = Reply(json.dumps({"error": "invalid_grant"}), 400, media_type="application/json")
    drive.faults["token"] = [revoked] * 9
    path = tmp_path / "token.json"
    path.write_text(json.dumps(drive.user_token()))
    connector = connect(gdrive_credentials=str(path))
    result = await failure(connector, "a")
    assert result.code == ErrorCode.CONNECTOR_AUTH
    assert "secret" not in result.model_dump_json()
    drive.faults.clear()
    items = await listed(connect(gdrive_credentials=None), "gdrive://folder/root-folder")
    assert isinstance(items[0], AgentFailure)
    assert items[0].code == ErrorCode.CONNECTOR_AUTH
    assert "roma auth gdrive" in items[0].message


async def test_endless_401_ends_the_listing(drive: FakeDrive, connect: Connect) -> None:
    drive.faults["list"] = [error(401, "authError")] * 99
    items = await listed(connect(), "gdrive://folder/root-folder")
    assert [i.code for i in items if isinstance(i, AgentFailure)] == [ErrorCode.CONNECTOR_AUTH]
    assert drive.calls.count("list") == 2


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "[]",
        "/no/such/file.json",
        "{}",
        '{"type": "external"}',
        '{"type": "service_account"}',
        '{"refresh_token": "SECRET"}',
    ],
)
async def test_credentials_that_cannot_be_used_say_so_without_quoting(connect: Connect, given: str) -> None:
    result = await failure(connect(gdrive_credentials=given), "a")
    assert result.code == ErrorCode.CONFIG_INVALID
    assert "SECRET" not in result.message and "08_GDRIVE_SETUP" in result.message


async def test_nobody_answers(drive: FakeDrive, connect: Connect) -> None:
    async with FakeDrive() as other:
        pass
    result = await failure(connect(gdrive_api_endpoint=other.base), "a")
    assert (result.code, result.recoverable) == (ErrorCode.CONNECTOR_UNAVAILABLE, True)


@pytest.mark.parametrize(
    "uri", ["gdrive://", "gdrive://folder/", "gdrive://other/x", "gdrive://file/a'b", "gdrive://file/../x"]
)
async def test_uri_that_names_nothing(connect: Connect, uri: str) -> None:
    (item,) = await listed(connect(), uri)
    assert isinstance(item, AgentFailure)
    assert item.code == ErrorCode.INPUT_INVALID


@pytest.mark.parametrize(("count", "each"), [(400, 1), pytest.param(10_000, 20, marks=pytest.mark.soak)])
async def test_thousands_of_files_under_random_faults(
    drive: FakeDrive, connect: Connect, count: int, each: int
) -> None:
    """All are listed, and every ``each``-th is fetched."""
    import random

    rng = random.Random(7)
    drive.page_size = count // 100
    drive.add(
        Entry("top", "Top", FOLDER), *(Entry(f"f{n}", f"{n:05}", content=b"x", parent="top") for n in range(count))
    )
    honest = drive.reply_to

    def flaky(operation: str, *rest: Any) -> Reply:
        return rng.choice(RATE_LIMITS) if operation != "token" and rng.random() < 0.05 else honest(operation, *rest)

    drive.reply_to = flaky  # type: ignore[method-assign]
    connector = connect()
    items = [i for i in await listed(connector, "gdrive://folder/top") if isinstance(i, Listing)]
    assert len(items) == count
    source = Source(uri="gdrive://folder/top", kind="gdrive")
    results = [await connector.fetch(source, item) for item in items[::each]]
    assert all(isinstance(r, RawDocument) for r in results)
    ideal = 1 + 100 + count // each
    assert len(drive.calls) - drive.calls.count("token") <= 1.2 * ideal


async def test_authorize_saves_a_private_token(
    drive: FakeDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    import urllib.request
    from urllib.parse import parse_qs, urlsplit

    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    client = {
        "client_id": "c",
        "client_secret": "s",
        "auth_uri": f"{drive.base}/auth",
        "token_uri": f"{drive.base}/token",
    }
    secrets = tmp_path / "client.json"
    secrets.write_text(json.dumps({"installed": client}))
    drive.routes["/token"] = Reply(
        json.dumps({"access_token": "t", "refresh_token": "r", "expires_in": 3600, "token_type": "Bearer"}),
        media_type="application/json",
    )

    class Consent:
        """The user's browser: agrees at once."""

        def open(self, url: str, **options: object) -> None:
            asked = parse_qs(urlsplit(url).query)
            answer = f"{asked['redirect_uri'][0]}?code=yes&state={asked['state'][0]}"
            threading.Timer(0.2, lambda: urllib.request.urlopen(answer).read()).start()

    monkeypatch.setattr("webbrowser.get", lambda name=None: Consent())
    settings = Settings(workspace=tmp_path / "ws")
    path = await asyncio.to_thread(authorize, settings, secrets)
    assert path == token_path(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["refresh_token"] == "r"
    assert load_credentials(settings).google.refresh_token == "r"


def test_authorize_wants_a_desktop_client(tmp_path: Path) -> None:
    secrets = tmp_path / "client.json"
    secrets.write_text('{"web": {}}')
    with pytest.raises(ConfigError):
        authorize(Settings(workspace=tmp_path), secrets)


def test_missing_credentials_are_an_auth_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as caught:
        load_credentials(Settings(workspace=tmp_path))
    assert caught.value.code == ErrorCode.CONNECTOR_AUTH
