"""The words of a file as they stand in its bytes: no reading order, no structure, and nothing left out.

What a parser has lost is found by comparing its text with these. Formats that hold text as text, packed XML (Office,
OpenDocument, EPUB) and PDF are read; of others the result is empty.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
from functools import partial

from roma_core.errors import AgentFailure, guarded_call

LARGEST_ENTRY = 50 << 20
"""Bytes of one packed file that are read at most."""
_TAG = re.compile(r"<[^<>]*>")
_UNSHOWN = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def read_raw_words(data: bytes) -> str:
    """Return the words in the bytes of a file; empty when none can be read.

    >>> read_raw_words(b"<p>The door is <b>red</b>.</p>").split()
    ['The', 'door', 'is', 'red', '.']
    """
    if data[:4] == b"PK\x03\x04":
        read = guarded_call("evals", partial(_read_packed, data))
    elif data[:5] == b"%PDF-":
        read = guarded_call("evals", partial(_read_pdf, data))
    else:
        read = _read_plain(data)
    return "" if isinstance(read, AgentFailure) else read


def _read_plain(data: bytes) -> str:
    text = data.decode("utf-8", errors="replace")
    if text.count("\ufffd") > len(text) / 20:
        return ""
    return _strip_tags(text) if "<" in text else text


def _strip_tags(text: str) -> str:
    return html.unescape(_TAG.sub(" ", _UNSHOWN.sub(" ", text)))


def _read_packed(data: bytes) -> str:
    parts = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            name = entry.filename.lower()
            if name.endswith((".xml", ".xhtml", ".html", ".htm", ".opf")) and entry.file_size <= LARGEST_ENTRY:
                text = archive.read(entry).decode("utf-8", errors="replace")
                # A word may be cut by tags inside of it, so both readings are kept.
                parts += [_strip_tags(text), html.unescape(_TAG.sub("", text))]
    return "\n".join(parts)


def _read_pdf(data: bytes) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()
