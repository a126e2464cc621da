"""Search of all bytes below a folder for words that must be gone, also where they are packed or wider than a byte."""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|\x28\xb5\x2f\xfd")
"""Beginnings of zlib, gzip and zstd."""
_ZSTD = b"\x28\xb5\x2f\xfd"
MOST_UNPACKED, BLOCK = 8 << 20, 4096


def find_traces(folder: Path, words: Iterable[str], *, without: Iterable[str] = ()) -> dict[str, set[str]]:
    """Return the words that are found below ``folder`` by the name of the file, files named ``without`` left out."""
    wanted = list(words)
    found: dict[str, set[str]] = {}
    left_out = set(without)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(name.startswith(prefix) for prefix in left_out):
            readings = [name.encode(), *_readings(path.read_bytes()), *_read_values(path)]
            held = {word for data in readings for word in _words_in(data, wanted)}
            if held:
                found[name] = held
    return found


def _read_values(path: Path) -> Iterator[bytes]:
    """Yield every value of a SQLite file, unpacked: a long one is in pieces among the file's pages."""
    if not path.read_bytes().startswith(b"SQLite format 3\x00"):
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in db.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    data = value.encode(errors="surrogatepass") if isinstance(value, str) else value
                    if isinstance(data, bytes):
                        yield from _readings(data)


def _words_in(data: bytes, words: Iterable[str]) -> set[str]:
    return {word for word in words if any(spelt in data for spelt in _spellings(word))}


def _spellings(word: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        yield word.encode(encoding)
        yield word.lower().encode(encoding)


def _readings(data: bytes) -> Iterator[bytes]:
    """Yield the bytes, and what is packed anywhere in them."""
    yield data
    for start in _PACKED.finditer(data):
        unpacked = _unpack(data, start.start())
        if unpacked:
            yield unpacked


def _unpack(data: bytes, start: int) -> bytes:
    """Return as much as can be unpacked from ``start`` on; what is only alike gives nothing."""
    if data.startswith(_ZSTD, start):
        return _unpack_zstd(data[start : start + MOST_UNPACKED])
    unpacker = zlib.decompressobj(31 if data.startswith(b"\x1f\x8b", start) else 15)
    parts: list[bytes] = []
    size = 0
    for at in range(start, len(data), BLOCK):
        try:
            parts.append(unpacker.decompress(data[at : at + BLOCK], MOST_UNPACKED))
        except zlib.error:
            break
        size += len(parts[-1])
        if unpacker.eof or size > MOST_UNPACKED:
            break
    return b"".join(parts)


def _unpack_zstd(data: bytes) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return bytes(stream.read(MOST_UNPACKED))
    except OSError:
        return b""
