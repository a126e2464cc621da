"""Search of all bytes below a folder for words that must be gone, also where they are packed or wider than a byte."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|\x28\xb5\x2f\xfd")
"""Beginnings of zlib, gzip and zstd."""
MOST_UNPACKED = 8 << 20


def find_traces(folder: Path, words: Iterable[str], *, without: Iterable[str] = ()) -> dict[str, set[str]]:
    """Return the words that are found below ``folder`` by the name of the file, files named ``without`` left out."""
    wanted = list(words)
    found: dict[str, set[str]] = {}
    left_out = set(without)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(name.startswith(prefix) for prefix in left_out):
            held = {word for data in [name.encode(), *_readings(path.read_bytes())] for word in _words_in(data, wanted)}
            if held:
                found[name] = held
    return found


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
        unpacked = _unpack(data[start.start() : start.start() + MOST_UNPACKED])
        if unpacked:
            yield unpacked


def _unpack(data: bytes) -> bytes:
    """Return as much as can be unpacked; what is only alike gives nothing."""
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _unpack_zstd(data)
    wbits = 31 if data.startswith(b"\x1f\x8b") else 15
    unpacker = zlib.decompressobj(wbits)
    parts: list[bytes] = []
    try:
        for at in range(0, len(data), 4096):
            parts.append(unpacker.decompress(data[at : at + 4096], MOST_UNPACKED))
            if unpacker.eof:
                break
    except (zlib.error, gzip.BadGzipFile):
        return b"".join(parts)
    return b"".join(parts)


def _unpack_zstd(data: bytes) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return bytes(stream.read(MOST_UNPACKED))
    except OSError:
        return b""
