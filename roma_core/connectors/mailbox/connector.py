"""Mailboxes: ``mbox:///path/archive.mbox`` or ``mbox:///path/Maildir``, each message a document.

A message's identity is its Message-ID (its hash where it has none), so moving it within the box changes nothing.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from roma_core.connectors.base import in_batches
from roma_core.connectors.file_records import FileRecordConnector
from roma_core.connectors.records import Entry, Record
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.types import Source, digest

EML: Final = "message/rfc822"


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
        head = file.read(5)
    if head and head != b"From ":
        raise ConnectorError(f"{path.name} is no mbox file.", ErrorCode.CONNECTOR_UNSUPPORTED)
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.keys():  # noqa: SIM118  (a mailbox iterates over its messages)
            yield box.get_bytes(key)
    finally:
        box.close()


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
