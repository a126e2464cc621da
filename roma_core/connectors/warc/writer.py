"""Writing fetched pages into a WARC archive, one file a process. What signs in is left out."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from roma_core import __version__
from roma_core.connectors.web.fetcher import FetchedResponse
from roma_core.errors import ConfigError, ErrorCode

_NOT_KEPT: Final = frozenset(
    {"set-cookie", "content-encoding", "transfer-encoding", "content-length", "connection", "authorization", "cookie"}
)
"""Headers that sign in, and those that speak of the bytes on the wire, which are unpacked here."""


class WarcArchive:
    """An archive in ``folder``. The file is made with its first record. Blocking: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._file: BinaryIO | None = None
        self._writer: Any = None

    def write(self, response: FetchedResponse, sent: Mapping[str, str]) -> None:
        """Add a response and the request that it answers. Raises ``OSError`` and ``ConfigError``."""
        with self._turn:
            if self._writer is None:
                self._open()
            self._write("request", response.url, "GET / HTTP/1.1", sent, b"")
            self._write("response", response.url, f"{response.status} OK", response.headers, response.body)
            if self._file is not None:
                self._file.flush()

    def close(self) -> None:
        """Close the file; a further record begins another one."""
        with self._turn:
            if self._file is not None:
                self._file.close()
            self._file = self._writer = None

    def _open(self) -> None:
        try:
            from warcio.warcwriter import WARCWriter
        except ImportError:
            raise ConfigError(
                "Writing WARC archives (ROMA_WEB_WARC) needs the extra: pip install 'roma-core[sources]'.",
                ErrorCode.DEPENDENCY_MISSING,
            ) from None
        self._folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        name = f"roma-{now:%Y%m%dT%H%M%S}.{now.microsecond:06}-{os.getpid()}.warc.gz"
        self._file = (self._folder / name).open("xb")
        self._writer = WARCWriter(self._file, gzip=True)
        about = {"software": f"ROMA/{__version__}", "format": "WARC File Format 1.0"}
        self._writer.write_record(self._writer.create_warcinfo_record(name, about))

    def _write(self, kind: str, url: str, first_line: str, headers: Mapping[str, str], body: bytes) -> None:
        from warcio.statusandheaders import StatusAndHeaders

        kept = [(name, value) for name, value in headers.items() if name.lower() not in _NOT_KEPT]
        if kind == "response":
            lines = StatusAndHeaders(first_line, [*kept, ("Content-Length", str(len(body)))], protocol="HTTP/1.1")
        else:
            lines = StatusAndHeaders(first_line, kept, is_http_request=True)
        record = self._writer.create_warc_record(url, kind, payload=io.BytesIO(body), http_headers=lines)
        self._writer.write_record(record)
