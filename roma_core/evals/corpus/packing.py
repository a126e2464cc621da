"""Zip files whose bytes depend on nothing but their parts: stored, undated, in the order given."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from html import escape

UNIX = 3


def pack(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a zip file of the parts.

    Nothing is compressed: what a compressor writes differs from library to library, the words do not.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name)
            info.create_system = UNIX
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def xml(text: str) -> str:
    """Return text for XML, as content or in an attribute."""
    return escape(text)


def number_of(text: str) -> float | None:
    """Return the number that a cell holds; None when a number would not be shown as it is written.

    >>> number_of("4.50") is None
    True
    """
    for kind in (int, float):
        try:
            if str(kind(text)) == text:
                return float(text)
        except ValueError:
            continue
    return None
