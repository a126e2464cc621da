"""Plain text: the encoding found, the words kept as they are."""

from __future__ import annotations

from pathlib import PurePosixPath

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.media import BOMS
from roma_core.types import Document, RawDocument


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    text = decode(raw.data).replace("\r\n", "\n").replace("\r", "\n")
    return Document(
        id=Document.id_for(raw.uri, options.tenant),
        uri=raw.uri,
        title=raw.title or PurePosixPath(raw.uri).stem,
        text=text,
        content_sha256=raw.sha256,
        parser="text",
    )


def decode(data: bytes) -> str:
    """Text by byte order mark, else UTF-8, else Windows-1252 (which reads any byte)."""
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
