"""Mailboxes: ``mbox:///path/archive.mbox`` or ``mbox:///path/Maildir``, each message a document.

A message's identity is its Message-ID (its hash where it has none), so moving it within the box changes nothing.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
import re
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from roma_core.connectors.base import in_batches
from roma_core.connectors.file_records import FileRecordConnector
from roma_core.connectors.records import Entry, Record
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.types import Source, digest

EML: Final = "message/rfc822"
_NO_MBOX: Final = ErrorCode.CONNECTOR_UNSUPPORTED
_HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:|>?From ")
"""A header, or the lines ">From " that some programs put before the first one."""
_TIME: Final = re.compile(rb"\d{1,2}:\d{2}.*\d{4}|\d{4}.*\d{1,2}:\d{2}")
_TIME_OF_MBOX: Final = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}")
"""As the format has it: ``Sat Nov 28 09:00:00 2026``."""


class MailboxConnector(FileRecordConnector):
    """Reads the messages of a mailbox."""

    kind = "mbox"
    schemes = ("mbox",)
    noun = "mailbox"

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each message; one that the box holds twice is yielded once."""
        path = await asyncio.to_thread(self.require, source)
        async for record in in_batches(_records(source.uri, path), size=64):
            yield record


def _records(source_uri: str, path: Path) -> Iterator[Record]:
    seen: set[str] = set()
    for data in _messages(path):
        record = _record(source_uri, data)
        if record.uri not in seen:
            seen.add(record.uri)
            yield record


def _messages(path: Path) -> Iterator[bytes]:
    """Yield the bytes of each message. Raises ``ConnectorError`` for what is no mailbox."""
    if path.is_dir():
        if not (path / "cur").is_dir():
            raise ConnectorError(f"{path} is no Maildir.", ErrorCode.CONNECTOR_UNSUPPORTED)
        folder = mailbox.Maildir(path, create=False)
        for key in sorted(folder.keys()):
            yield folder.get_bytes(key)
        return
    with path.open("rb") as file:
        yield from split_mbox(file, path.name)


def split_mbox(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the bytes of each message of an mbox file. Raises ``ConnectorError`` for what is none.

    A line of a text may begin with "From " too. A separator is followed by a header, and has an empty line before it
    or the time of a delivery in it; either may be missing, as programs write both.

    >>> from io import BytesIO
    >>> list(split_mbox(BytesIO(b"From a Sat Nov 28 09:00:00 2026\\nSubject: x\\n\\nFrom here on.\\n"), "in.mbox"))
    [b'Subject: x\\n\\nFrom here on.\\n']
    """
    lines: list[bytes] | None = None
    is_after_empty = True
    current = file.readline()
    while current:
        following = file.readline()
        if _is_separator(current, following, is_after_empty=is_after_empty):
            if lines:
                yield _without_last_empty(lines)
            lines = []
        elif lines is not None:
            lines.append(current)
        elif current.strip(b"\xef\xbb\xbf\r\n \t"):
            raise ConnectorError(f"{name} is no mbox file: it does not begin with a line 'From '.", _NO_MBOX)
        is_after_empty = not current.strip()
        current = following
    if lines:
        yield _without_last_empty(lines)


def _is_separator(line: bytes, following: bytes, *, is_after_empty: bool) -> bool:
    if not line.removeprefix(b"\xef\xbb\xbf").startswith(b"From "):
        return False
    if _HEADER.match(following):
        return is_after_empty or _TIME.search(line) is not None
    is_without_headers = not following.strip()
    return is_without_headers and is_after_empty and _TIME_OF_MBOX.search(line) is not None


def _without_last_empty(lines: list[bytes]) -> bytes:
    """Return a message without the empty line that stands before the next separator."""
    last = lines[:-1] if len(lines) > 1 and not lines[-1].strip() else lines
    return b"".join(last)


def _record(source_uri: str, data: bytes) -> Record:
    message = email.message_from_bytes(data, policy=email.policy.default)
    name = _header(message, "message-id").strip("<>") or f"sha256:{digest('message', data.hex())[:32]}"
    sent_at = _date(_header(message, "date"))
    facts = {
        "authors": [_header(message, "from")],
        "recipients": _header(message, "to"),
        "date": sent_at.date().isoformat() if sent_at else "",
        "year": sent_at.year if sent_at else None,
        "message_id": name,
    }
    return Record(
        uri=f"{source_uri}#{quote(name, safe='@')}",
        title=_header(message, "subject") or None,
        data=data,
        media_type=EML,
        modified_at=sent_at,
        metadata={key: value for key, value in facts.items() if value not in (None, "", [""])},
    )


def _header(message: EmailMessage | email.message.Message, name: str) -> str:
    """Return a header as text; "" for one that is not there or cannot be read."""
    try:
        value = message.get(name)
    except (
        ValueError,
        IndexError,
        AttributeError,
        LookupError,
        UnicodeError,
    ):  # of the standard library, for odd headers
        return ""
    return " ".join(str(value).split()) if value is not None else ""


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
