"""The gate in front of every zip container: refuse bombs, crowds and escapes before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from roma_core.errors import ErrorCode, ParserError

ARCHIVE_SUFFIXES = (".zip", ".docx", ".pptx", ".xlsx", ".xlsm", ".epub", ".odt", ".ods", ".jar", ".gz", ".7z", ".rar")


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits of what a container may unpack to, in bytes; ``ratio``: unpacked / packed, of one entry or of all."""

    entries: int = 20_000
    entry_bytes: int = 512 << 20
    total_bytes: int = 1 << 30
    ratio: float = 200.0
    small_bytes: int = 16 << 20
    """Entries below this may have any ratio: a sheet of zeros packs 1000:1 and does no harm."""
    nested: int = 200
    """Archives inside of the archive (attachments and embedded sheets are such; thousands of them are an attack)."""


LIMITS = ArchiveLimits()


def check_archive(data: bytes, limits: ArchiveLimits = LIMITS) -> None:
    """Read the directory of a zip file and raise ``ParserError`` unless it can be opened safely.

    ``ERR_PARSER_TOO_LARGE``: too many entries, too large, or packed too tightly. ``ERR_PARSER_MALFORMED``: no zip file,
    names that leave the folder, links, overlapping entries. Sizes are those of the directory; ``read_entry`` holds a
    lying directory to them. Time and memory are linear in the number of entries.
    """
    _check_count(data, limits)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, EOFError, UnicodeError) as error:
        raise ParserError("The file's zip container is damaged; save it again in the program it came from.") from error
    _check_sizes(entries, len(data), limits)
    for entry in entries:
        _check_entry(entry)
    _check_overlap(entries)


def open_archive(
    data: bytes, damaged: str = "The file's container is damaged; save it again in the program it came from."
) -> zipfile.ZipFile:
    """``data`` as an archive whose entries ``read_entry`` reads. Raises ``ParserError`` that says ``damaged``."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ParserError(damaged) from error


def read_entry(archive: zipfile.ZipFile, name: str, limits: ArchiveLimits = LIMITS) -> bytes:
    """Bytes of one entry, at most the size that the directory declares. Raises ``ParserError`` or ``KeyError``."""
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise ParserError(
            "An entry of the archive is encrypted; save it without a password.", ErrorCode.PARSER_ENCRYPTED
        )
    allowed = min(info.file_size, limits.entry_bytes)
    try:
        with archive.open(info) as stream:
            data = stream.read(allowed + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise ParserError("An entry of the file's zip container is damaged.", details={"entry": name[:200]}) from error
    if len(data) > allowed:
        raise _too_large("an entry is larger than the archive declares", entry=name[:200])
    return data


def _check_count(data: bytes, limits: ArchiveLimits) -> None:
    # Counted in the raw bytes first, because ZipFile builds an object for every entry.
    if data.count(b"PK\x01\x02") > limits.entries:
        raise _too_large("it holds too many entries", limit=limits.entries)


def _check_sizes(entries: list[zipfile.ZipInfo], packed: int, limits: ArchiveLimits) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        raise _too_large("it unpacks to too many bytes", bytes=total, limit=limits.total_bytes)
    if total > limits.small_bytes and total > limits.ratio * packed:
        raise _too_large("it is packed too tightly for an honest document", ratio=round(total / max(1, packed)))
    for entry in entries:
        if entry.file_size > limits.entry_bytes:
            raise _too_large("an entry is too large", bytes=entry.file_size, limit=limits.entry_bytes)
        if entry.file_size > limits.small_bytes and entry.file_size > limits.ratio * max(1, entry.compress_size):
            raise _too_large("an entry is packed too tightly for an honest document", entry=entry.filename[:200])
    if sum(entry.filename.lower().endswith(ARCHIVE_SUFFIXES) for entry in entries) > limits.nested:
        raise _too_large("it holds too many archives", limit=limits.nested)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename.replace("\\", "/")
    unsafe = name.startswith("/") or name[1:3] == ":/" or ".." in PurePosixPath(name).parts or "\x00" in entry.filename
    is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    if unsafe or is_link:
        raise ParserError("The archive holds a name that leaves its folder, or a link; it is not opened.")


def _check_overlap(entries: Iterable[zipfile.ZipInfo]) -> None:
    """Entries that share bytes are how a bomb of a few kilobytes unpacks to petabytes without nesting."""
    end = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise ParserError("Entries of the archive overlap; it is not opened.")
        end = entry.header_offset + 30 + len(entry.filename) + entry.compress_size


def _too_large(why: str, **details: object) -> ParserError:
    return ParserError(
        f"The archive is not opened: {why}. Split it, or unpack it where that is safe.",
        ErrorCode.PARSER_TOO_LARGE,
        details=details,
    )
