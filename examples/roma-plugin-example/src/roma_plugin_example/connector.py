"""``lines://``: each line of a JSON-lines file is a document, with ``id``, ``title`` and ``text``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

from roma_core.connectors import ConnectorSpec
from roma_core.connectors.records import Entry, Record, RecordConnector
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.types import Source


class LinesConnector(RecordConnector):
    """Reads a whole file at each listing; what changed, came and went follows from that."""

    kind: ClassVar[str] = "lines"
    schemes: ClassVar[tuple[str, ...]] = ("lines",)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record a line. Raises ``ConnectorError`` for a file that is not there and a line that is no JSON."""
        path = Path(unquote(urlsplit(source.uri).path))
        try:
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        except FileNotFoundError:
            raise ConnectorError(f"There is no file {path}.", ErrorCode.CONNECTOR_NOT_FOUND) from None
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                key, title, words = str(row["id"]), str(row.get("title", "")), str(row["text"])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ConnectorError(
                    f"Line {number} of {path.name} is no object with id and text: mend it, then sync again.",
                    ErrorCode.CONNECTOR_CORRUPT,
                ) from error
            name = quote(key, safe="")
            yield Record(uri=f"{source.uri}/{name}", title=title or key, data=words.encode())


SPEC = ConnectorSpec("lines", make=lambda settings: LinesConnector(), example="lines:///data/notes.jsonl")
