"""OLE compound files of old office programs: opened, decrypted where a password is given, and bounded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from roma_core.errors import ParserError
from roma_core.parsers.builder import one_line

MAX_STREAM_BYTES: Final = 256 << 20
CUT_WARNING: Final = "the file is damaged: a part of its text cannot be read"
_FACTS: Final = {"title": "title", "author": "author", "subject": "subject", "keywords": "keywords"}


class OleContainer:
    """An opened file: streams by their paths."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.is_cut = False
        """A stream that was read is shorter than the directory says."""

    def read(self, name: str) -> bytes:
        """Return a stream. Raises ``MALFORMED`` when the file has none of this name."""
        if not self._file.exists(name) or self._file.get_size(name) > MAX_STREAM_BYTES:
            raise ParserError("A part of the file is missing; open it in the program it came from and save it again.")
        size = self._file.get_size(name)
        data: bytes = self._file.openstream(name).read()
        self.is_cut |= len(data) < size
        return data

    def embedded(self, storage: str) -> list[str]:
        """Return the names of the objects in a storage."""
        names = {path[1] for path in self._file.listdir(streams=True, storages=True) if path[0] == storage and path[1:]}
        return sorted(names)

    def metadata(self) -> dict[str, str]:
        """Return what the file says of itself: title, author, subject, keywords."""
        facts = self._file.get_metadata()
        codec = f"cp{facts.codepage}" if facts.codepage and facts.codepage > 0 else "cp1252"
        found: dict[str, str] = {}
        for name, key in _FACTS.items():
            value = getattr(facts, name, None)
            words = one_line(_decode(value, codec)) if value else ""
            if words:
                found[key] = words
        return found


def _decode(value: bytes | str, codec: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8" if codec == "cp65001" else codec, "replace")
    except LookupError:
        return value.decode("cp1252", "replace")


@contextmanager
def open_ole(data: bytes, password: str | None = None) -> Iterator[OleContainer]:
    """Open a compound file; with a password, what it protects. Raises ``MALFORMED`` and ``ENCRYPTED``."""
    import olefile

    if password is not None:
        data = _decrypt(data, password)
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            yield OleContainer(file)
    except (OSError, KeyError, AttributeError, TypeError) as error:
        raise ParserError("The file is damaged; open it in the program it came from and save it again.") from error


def _decrypt(data: bytes, password: str) -> bytes:
    import msoffcrypto
    from msoffcrypto.exceptions import FileFormatError

    from roma_core.parsers.office.encrypted import decrypt

    try:
        is_encrypted = msoffcrypto.OfficeFile(io.BytesIO(data)).is_encrypted()
    except (FileFormatError, OSError, ValueError, KeyError):
        return data
    return decrypt(data, password) if is_encrypted else data
