"""WARC archives: ``warc:///path/crawl.warc.gz``; each page that was answered with success is a document.

Of an address that was fetched several times, the latest answer counts. Pages are cleaned as those of the web are.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from roma_core.connectors.base import in_batches
from roma_core.connectors.file_records import FileRecordConnector
from roma_core.connectors.records import Entry, Record
from roma_core.connectors.web.page import read_page
from roma_core.connectors.web.polite import ROBOT
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.settings import Settings
from roma_core.types import Source

HTML: Final = ("text/html", "application/xhtml+xml")


class WarcConnector(FileRecordConnector):
    """Reads the pages of an archive."""

    kind = "warc"
    schemes = ("warc",)
    noun = "WARC file"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._max_bytes = int(settings.web.max_mb * 1024 * 1024)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each address, of its latest answer."""
        path = await asyncio.to_thread(self.require, source)
        latest = await asyncio.to_thread(_latest_answers, path)
        async for record in in_batches(_records(source.uri, path, latest, self._max_bytes), size=32):
            yield record


def _latest_answers(path: Path) -> dict[str, tuple[str, int]]:
    """Return the date and the place in the file of the latest successful answer of each address."""
    latest: dict[str, tuple[str, int]] = {}
    for number, record in enumerate(_answers(path)):
        url = record.rec_headers.get_header("WARC-Target-URI")
        date = record.rec_headers.get_header("WARC-Date") or ""
        if url and date >= latest.get(url, ("", 0))[0]:
            latest[url] = (date, number)
    return latest


def _answers(path: Path) -> Iterator[Any]:
    """Yield the responses with status 200, whose bodies can be read. Raises ``ConnectorError`` (corrupt)."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        with path.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                _demand_whole_members(file)
            file.seek(0)
            for record in ArchiveIterator(file):
                headers = record.http_headers if record.rec_type == "response" else None
                if headers is not None and headers.get_statuscode() == "200":
                    yield record
                _demand_whole_record(record.raw_stream)
    except (ArchiveLoadFailed, EOFError, ValueError, OSError, zlib.error) as error:
        raise ConnectorError(
            f"{path.name} cannot be read as a WARC file ({type(error).__name__}).",
            ErrorCode.CONNECTOR_CORRUPT,
            details={"uri": path.as_uri()},
        ) from None


def _demand_whole_record(stream: Any) -> None:
    """Read what is left of a record. Raises ``EOFError`` when the file ends in it."""
    while stream.read(1 << 16):
        continue
    if getattr(stream, "limit", 0) > 0:
        raise EOFError


def _demand_whole_members(file: BinaryIO) -> None:
    """Raise ``EOFError`` for a compressed archive that was cut off: its reader would take that for the end."""
    file.seek(0)
    inflate = zlib.decompressobj(31)
    is_inside = False
    while piece := file.read(1 << 20):
        while piece:
            is_inside = True
            inflate.decompress(piece)
            piece = inflate.unused_data
            if inflate.eof:
                inflate, is_inside = zlib.decompressobj(31), False
    if is_inside:
        raise EOFError


def _records(source_uri: str, path: Path, latest: dict[str, tuple[str, int]], max_bytes: int) -> Iterator[Record]:
    for number, answer in enumerate(_answers(path)):
        url = answer.rec_headers.get_header("WARC-Target-URI")
        if not url or latest.get(url, ("", -1))[1] != number:
            continue
        body = answer.content_stream().read(max_bytes + 1)
        if len(body) <= max_bytes:
            yield _record(source_uri, url, latest[url][0], answer.http_headers.get_header("Content-Type") or "", body)


def _record(source_uri: str, url: str, date: str, media_type: str, body: bytes) -> Record:
    fetched_at = _time(date)
    facts: dict[str, Any] = {"url": url, "date": date[:10], "fetched_at": date}
    title = None
    if media_type.partition(";")[0].strip().lower() in HTML:
        page = read_page(body, url, media_type, ROBOT)
        body, media_type, title = page.html, "text/html; charset=utf-8", page.title or None
        if page.signs:
            facts["suspected_injection"] = list(page.signs)
    return Record(
        uri=f"{source_uri}#{quote(url, safe='')}",
        title=title,
        data=body,
        media_type=media_type or "application/octet-stream",
        modified_at=fetched_at,
        metadata={key: value for key, value in facts.items() if value},
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
