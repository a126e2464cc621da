"""Files inside of files: attachments, embedded objects, messages of a mailbox, files of an archive.

Each becomes a document of its own, at the address ``container#name``, with its own format, limits and citations. The
bytes are taken out in the sandbox, as everything that opens a stranger's file is.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import media, ole
from roma_core.parsers.archives import open_archive, read_entry
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, file_name, one_line
from roma_core.parsers.office.ooxml import Package
from roma_core.types import Document, Noun, RawDocument

MAX_PARTS: Final = 5_000
"""Files that are taken out of one container."""
MAX_TOTAL_BYTES: Final = 256 << 20
"""Bytes that the files of one container may have together; those that come later are left in it."""
MAX_DEPTH: Final = 3
"""Containers in one another that are opened: an attachment of a message in an archive is at depth 2."""
_NAME_CHARS: Final = "/()+,;=@!~'"
_NATIVE: Final = "\x01Ole10Native"
"""Stream of an embedded file that no program of its own shows ([MS-OLEDS], 2.3.6)."""
_SKIPPED_FOLDERS: Final = frozenset({"__MACOSX"})


class FilePart(Noun):
    """A file inside of another. ``name`` is unique there; ``title`` is what a person calls it."""

    name: str
    title: str
    data: bytes
    media_type: str | None = None


def has_parts(document: Document) -> bool:
    """Return whether a parser found files inside of the document's file."""
    return bool(document.metadata.get("parts") or document.metadata.get("attachments"))


def part_uri(container: str, name: str) -> str:
    """Return the address of a part.

    >>> part_uri("file:///mail.eml", "plan für Mai.pdf")
    'file:///mail.eml#plan%20f%C3%BCr%20Mai.pdf'
    """
    return f"{container}#{quote(name, safe=_NAME_CHARS)}"


def extract(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return the parts of a container, packed; ``unpack`` reads them. Raises ``ParserError``."""
    read = _READERS.get(media.detect(raw))
    return _pack(_within_limits(read(raw.data, options)) if read is not None else [])


def unpack(data: bytes) -> tuple[FilePart, ...]:
    """Return the parts that ``extract`` packed."""
    (size,) = struct.unpack_from(">I", data)
    at = 4 + size
    parts: list[FilePart] = []
    for entry in json.loads(data[4:at]):
        length = entry.pop("size")
        parts.append(FilePart(**entry, data=data[at : at + length]))
        at += length
    return tuple(parts)


def as_documents(raw: RawDocument, parts: tuple[FilePart, ...]) -> tuple[RawDocument, ...]:
    """Return the parts of ``raw`` as files of their own."""
    return tuple(
        RawDocument(
            uri=part_uri(raw.uri, part.name),
            data=part.data,
            media_type=part.media_type,
            title=part.title,
            modified_at=raw.modified_at,
            metadata={"container": raw.uri, "part": part.name},
        )
        for part in parts
    )


def _pack(parts: list[FilePart]) -> bytes:
    entries = [{**part.model_dump(exclude={"data"}), "size": len(part.data)} for part in parts]
    head = json.dumps(entries).encode()
    return b"".join([struct.pack(">I", len(head)), head, *(part.data for part in parts)])


def _within_limits(parts: Iterator[FilePart]) -> list[FilePart]:
    """Return as many parts as may be taken out, with names that differ."""
    taken: list[FilePart] = []
    names: set[str] = set()
    total = 0
    for part in parts:
        if not part.data.strip():
            continue
        total += len(part.data)
        if len(taken) >= MAX_PARTS or total > MAX_TOTAL_BYTES:
            break
        name = _free_name(part.name, names)
        names.add(name)
        taken.append(part.model_copy(update={"name": name}))
    return taken


def _free_name(name: str, names: set[str]) -> str:
    path = PurePosixPath(one_line(name).replace("#", "_")[-200:] or "unnamed")
    free = str(path)
    number = 2
    while free in names:
        free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        number += 1
    return free


# Messages


def _of_mail(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    from roma_core.parsers.text import mail

    yield from _attachments(mail.iter_attachments(mail.read_message(data)))


def _attachments(found: Iterator[tuple[str, str, bytes]]) -> Iterator[FilePart]:
    for name, kind, content in found:
        yield FilePart(name=name, title=name, data=content, media_type=kind)


def _of_mailbox(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    from roma_core.parsers.text import mail

    for number, message in enumerate(mail.split_mailbox(data), start=1):
        title = mail.subject_of(message)
        yield FilePart(name=f"{number}.eml", title=title or f"Message {number}", data=message, media_type=media.EML)


def _of_outlook(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    from roma_core.parsers.text import mail

    yield from _attachments(mail.iter_outlook_attachments(data))


# Documents


def _of_pdf(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    import pypdfium2 as pdfium

    from roma_core.parsers.pdf.parser import open_pdf

    document = open_pdf(data, options.password)
    try:
        for index in range(min(document.count_attachments(), MAX_PARTS)):
            attachment = document.get_attachment(index)
            name = one_line(attachment.get_name()) or f"attachment {index + 1}"
            try:
                content = bytes(attachment.get_data())
            except pdfium.PdfiumError:
                continue
            yield FilePart(name=name, title=name, data=content)
    finally:
        document.close()


def _of_package(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    package = Package(data)
    for name in package.embedded():
        content = package.bytes_of(name)
        if content:
            own, inner = open_object(PurePosixPath(name).name, content)
            yield FilePart(name=own, title=own, data=inner)


def open_object(name: str, data: bytes) -> tuple[str, bytes]:
    """Return the name and the bytes of the file in an OLE object; what is no such object is the file itself."""
    if not data.startswith(ole.MAGIC):
        return name, data
    import olefile

    with olefile.OleFileIO(io.BytesIO(data)) as container:
        if container.exists(_NATIVE):
            return _native_file(container.openstream(_NATIVE).read(), name)
        for stream in ("CONTENTS", "Package"):
            if container.exists(stream):
                return name, container.openstream(stream).read()
    return name, data


def _native_file(data: bytes, name: str) -> tuple[str, bytes]:
    """Return the name and content of an Ole10Native stream: size, flags, label, path, reserved, path, size, data."""
    label, _, rest = data[6:].partition(b"\0")
    _, _, rest = rest.partition(b"\0")
    if len(rest) < 12:
        return name, data
    (length,) = struct.unpack_from("<I", rest, 4)
    at = 8 + length
    if at + 4 > len(rest):
        return name, data
    (size,) = struct.unpack_from("<I", rest, at)
    own = label.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return own or name, rest[at + 4 : at + 4 + size]


# Archives


def _of_zip(data: bytes, options: ParseOptions) -> Iterator[FilePart]:
    with open_archive(data) as archive:
        for name in _file_names(archive.namelist()):
            yield FilePart(name=name, title=PurePosixPath(name).name, data=read_entry(archive, name))


def _file_names(names: list[str]) -> list[str]:
    """Return the files of an archive, without folders and what systems and programs hide there."""
    kept: list[str] = []
    for name in names:
        steps = PurePosixPath(name).parts
        is_hidden = any(step.startswith(".") or step in _SKIPPED_FOLDERS for step in steps)
        if not name.endswith("/") and steps and not is_hidden:
            kept.append(name)
    return kept


def parse_zip(raw: RawDocument, options: ParseOptions) -> Document:
    """Read an archive as the list of its files; each is a document of its own when it is ingested.

    Raises ``EMPTY`` and ``MALFORMED``.
    """
    builder = DocumentBuilder(raw, options, "zip", title=raw.title or file_name(raw.uri))
    with open_archive(raw.data) as archive:
        names = _file_names(archive.namelist())
        if not names:
            raise ParserError("The archive holds no files.", ErrorCode.PARSER_EMPTY)
        builder.paragraph(f"Archive of {len(names)} file{'s' if len(names) > 1 else ''}:")
        builder.list([ListItem(f"{name} ({archive.getinfo(name).file_size} bytes)") for name in names])
    for name in names:
        builder.leave_out(name, "attachment", place="file of the archive")
    if len(names) > MAX_PARTS:
        builder.warn(f"only the first {MAX_PARTS} files of the archive are read")
    builder.metadata["parts"] = len(names)
    return builder.build()


_READERS: Final[dict[str, Callable[[bytes, ParseOptions], Iterator[FilePart]]]] = {
    media.EML: _of_mail,
    media.MBOX: _of_mailbox,
    media.MSG: _of_outlook,
    media.PDF: _of_pdf,
    media.DOCX: _of_package,
    media.PPTX: _of_package,
    media.XLSX: _of_package,
    media.ZIP: _of_zip,
}
"""Readers of the parts of a file, by its media type."""
