"""The corpus's web pages as one WARC file, at the addresses that they have in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

FETCHED_AT = "2025-06-30T12:00:00Z"


def write_warc(pages: Mapping[str, bytes]) -> bytes:
    """Return an archive of pages by address; the same pages give the same bytes."""
    return b"".join(_record(address, body) for address, body in pages.items())


def _record(address: str, body: bytes) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    block = http.encode() + body
    lines = [
        "WARC/1.1",
        "WARC-Type: response",
        f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, address)}>",
        f"WARC-Target-URI: {address}",
        f"WARC-Date: {FETCHED_AT}",
        "Content-Type: application/http; msgtype=response",
        f"Content-Length: {len(block)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"
