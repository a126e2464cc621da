"""The directory of an OLE compound file ([MS-CFB]): what it holds at its top level, read without unpacking anything.

Bounded and tolerant: the parent process looks at files of strangers with it. A file that breaks the rules gives the
names that could be read.
"""

from __future__ import annotations

import struct

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_SIZE = 512
_ENTRY_SIZE = 128
_END = 0xFFFFFFFA
"""Sector numbers from here on are marks: free, end of chain, table sectors."""
MAX_SECTORS = 4096
"""Directory sectors that are followed; real files have a few."""


def list_streams(data: bytes) -> frozenset[str]:
    """Return the names of the streams and storages at the top level; empty when ``data`` is no compound file.

    >>> list_streams(b"PK: no compound file")
    frozenset()
    """
    if not data.startswith(MAGIC) or len(data) < _HEADER_SIZE:
        return frozenset()
    entries = _read_directory(data)
    if not entries:
        return frozenset()
    names: set[str] = set()
    waiting, seen = [entries[0][1]], set[int]()
    while waiting:
        number = waiting.pop()
        if number in seen or number >= len(entries):
            continue
        seen.add(number)
        name, _, left, right = entries[number]
        names.add(name)
        waiting += [left, right]
    return frozenset(name for name in names if name)


def _read_directory(data: bytes) -> list[tuple[str, int, int, int]]:
    """Return name, first child, left and right sibling of each entry, the root first."""
    (shift,) = struct.unpack_from("<H", data, 30)
    if shift not in {9, 12}:
        return []
    size = 1 << shift
    (sector,) = struct.unpack_from("<I", data, 48)
    table = _read_table(data, size)
    entries: list[tuple[str, int, int, int]] = []
    seen: set[int] = set()
    while sector < _END and sector not in seen and len(seen) < MAX_SECTORS:
        seen.add(sector)
        start = (sector + 1) * size
        for at in range(start, min(start + size, len(data) - _ENTRY_SIZE + 1), _ENTRY_SIZE):
            entries.append(_read_entry(data, at))
        sector = table.get(sector, _END)
    return entries


def _read_entry(data: bytes, at: int) -> tuple[str, int, int, int]:
    (length,) = struct.unpack_from("<H", data, at + 64)
    left, right, child = struct.unpack_from("<III", data, at + 68)
    name = data[at : at + min(max(length - 2, 0), 62)].decode("utf-16-le", "replace")
    return name, child, left, right


def _read_table(data: bytes, size: int) -> dict[int, int]:
    """Return the next sector of each sector, as far as the allocation table's sectors can be found."""
    sectors = list(struct.unpack_from("<109I", data, 76))
    (more,) = struct.unpack_from("<I", data, 68)
    per_sector = size // 4
    seen: set[int] = set()
    while more < _END and more not in seen and len(seen) < MAX_SECTORS:
        seen.add(more)
        start = (more + 1) * size
        if start + size > len(data):
            break
        *numbers, more = struct.unpack_from(f"<{per_sector}I", data, start)
        sectors += numbers
    table: dict[int, int] = {}
    for index, sector in enumerate(sectors):
        start = (sector + 1) * size
        if sector >= _END or start + size > len(data):
            continue
        values = struct.unpack_from(f"<{per_sector}I", data, start)
        table.update(enumerate(values, start=index * per_sector))
    return table
