"""BibTeX: ``bibtex:///path/refs.bib``, each entry a document.

An entry whose ``file`` field names a file that is there (as JabRef and Zotero write it) is that file, with the entry's
metadata; another one is a text of title, authors and abstract.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from roma_core.connectors.base import Listing
from roma_core.connectors.file_records import FileRecordConnector
from roma_core.connectors.library.reference import WorkReference
from roma_core.connectors.local.connector import read
from roma_core.connectors.records import Entry, Record
from roma_core.errors import AccessError, AgentFailure, ConnectorError, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, digest

MOST_BYTES: Final = 64 * 1024 * 1024
_VENUES: Final = ("journal", "journaltitle", "booktitle", "publisher", "school", "institution")
_JABREF: Final = re.compile(r"(?<!\\):")
_VERBATIM: Final = frozenset({"file", "url", "doi", "eprint"})
"""Fields that are no LaTeX."""
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class BibtexConnector(FileRecordConnector):
    """Reads a bibliography, and the files that its entries name."""

    kind = "bibtex"
    schemes = ("bibtex",)
    noun = "BibTeX file"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._max_bytes = settings.parsing.max_mb * 1024 * 1024

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield each entry: a record, or the listing of its file. One that cannot be read is a failure."""
        for entry in await asyncio.to_thread(self._entries, source):
            yield entry

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return the document of an entry; None when the file does not have the entry."""
        return await asyncio.to_thread(self._find, source, listing.uri)

    def _find(self, source: Source, uri: str) -> Record | RawDocument | None:
        bibliography = read_bibliography(self.require(source))
        block = next((block for block in bibliography.blocks if _uri_of(source, block.key) == uri), None)
        if block is None and bibliography.broken_lines:
            raise _broken(source, bibliography.broken_lines[0])
        if block is None:
            return None
        path = self._file_of(source, block)
        if path is None:
            return _record(uri, block.reference)
        held = read(path, uri, self._max_bytes)
        facts = block.reference.metadata | {"file_name": path.name}
        media_type = mimetypes.guess_type(path.name)[0]
        return held.model_copy(update={"title": block.reference.title, "metadata": facts, "media_type": media_type})

    def _entries(self, source: Source) -> list[Entry]:
        bibliography = read_bibliography(self.require(source))
        entries: dict[str, Entry] = {}
        for block in bibliography.blocks:
            uri = _uri_of(source, block.key)
            entries.setdefault(uri, self._entry(source, uri, block))
        broken = [AgentFailure.of(self._agent, _broken(source, line)) for line in bibliography.broken_lines]
        return [*entries.values(), *broken]

    def _entry(self, source: Source, uri: str, block: BibtexEntry) -> Entry:
        path = self._file_of(source, block)
        if path is None:
            return _record(uri, block.reference)
        status = path.stat()
        facts = f"{block.reference.metadata}-{status.st_size}-{status.st_mtime_ns}"
        return Listing(
            uri=uri,
            version=digest("bibtex", block.reference.title, facts)[:32],
            title=block.reference.title,
            size=status.st_size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        )

    def _file_of(self, source: Source, block: BibtexEntry) -> Path | None:
        """Return the file that an entry names, when it is there and may be read."""
        folder = self.path_of(source.uri).parent
        for name in block.files:
            path = (folder / name).absolute()
            if not path.is_file():
                continue
            try:
                self.demand_inside(source, path)
            except AccessError:
                continue
            return path.resolve()
        return None


@dataclass(frozen=True)
class BibtexEntry:
    """An entry of a bibliography, and the paths of its files as they are written."""

    key: str
    reference: WorkReference
    files: tuple[str, ...]


@dataclass(frozen=True)
class Bibliography:
    """The entries of a file, and the lines at which those begin that cannot be read."""

    blocks: tuple[BibtexEntry, ...]
    broken_lines: tuple[int, ...]


def read_bibliography(path: Path) -> Bibliography:
    """Return what a BibTeX file holds. Raises ``ConnectorError`` for one that is too large."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import DuplicateBlockKeyBlock

    if path.stat().st_size > MOST_BYTES:
        raise ConnectorError(f"{path.name} is larger than a bibliography can be.", ErrorCode.CONNECTOR_TOO_LARGE)
    library = parse_string(_decode(path.read_bytes()))
    blocks = [_block(str(entry.key), str(entry.entry_type), _fields_of(entry)) for entry in library.entries]
    # The first entry of a key counts, as in BibTeX; a further one is no failure.
    broken = [block for block in library.failed_blocks if not isinstance(block, DuplicateBlockKeyBlock)]
    return Bibliography(tuple(blocks), tuple(int(block.start_line or 0) + 1 for block in broken))


def _decode(data: bytes) -> str:
    """Return the text of a file: UTF-8, or Windows' Western European, in which older programs write."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _fields_of(entry: Any) -> dict[str, str]:
    return {str(field.key).lower(): str(field.value) for field in entry.fields}


def _block(key: str, kind: str, fields: dict[str, str]) -> BibtexEntry:
    plain = {name: _plain(value) for name, value in fields.items() if name not in _VERBATIM}
    plain |= {name: value.strip() for name, value in fields.items() if name in _VERBATIM}
    return BibtexEntry(key, _reference(key, plain, kind), tuple(_files_in(fields.get("file", ""))))


def _broken(source: Source, line: int) -> ConnectorError:
    return ConnectorError(
        f"The entry that begins in line {line} cannot be read as BibTeX; mend it.",
        ErrorCode.CONNECTOR_CORRUPT,
        details={"uri": source.uri, "line": line},
    )


def _plain(value: str) -> str:
    """Return the text of a field: LaTeX in letters, without the braces that keep its capitals."""
    from pylatexenc.latex2text import LatexNodes2Text

    text = value.strip()
    if len(text) > 1 and (text[0], text[-1]) in {("{", "}"), ('"', '"')}:
        text = text[1:-1]
    if "\\" in text or "$" in text or "~" in text:
        text = str(LatexNodes2Text(math_mode="verbatim").latex_to_text(text))
    return " ".join(text.replace("{", "").replace("}", "").split())


def _reference(key: str, fields: dict[str, str], kind: str) -> WorkReference:
    month = fields.get("month", "")[:3].lower()
    number = month if month.isdigit() else str(_MONTHS.index(month) + 1) if month in _MONTHS else ""
    year = fields.get("year", "")
    date = fields.get("date") or (f"{year}-{number.zfill(2)}" if year and number else year)
    keywords = [word.strip() for word in re.split("[,;]", fields.get("keywords", "")) if word.strip()]
    return WorkReference(
        title=fields.get("title", "") or key,
        authors=[
            _name(name) for name in re.split(r"\s+and\s+", fields.get("author", fields.get("editor", ""))) if name
        ],
        date=date,
        venue=next((fields[name] for name in _VENUES if fields.get(name)), ""),
        doi=fields.get("doi", ""),
        abstract=fields.get("abstract", ""),
        url=fields.get("url", ""),
        keywords=keywords,
        kind=kind.lower(),
        more={"citation_key": key},
    )


def _name(name: str) -> str:
    """Return a name in the order in which it is spoken."""
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma else name.strip()


def _files_in(field: str) -> Iterator[str]:
    """Yield the paths of a ``file`` field: ``description:path:type`` or ``path``, with semicolons between several."""
    for one in re.split(r"(?<!\\);", field):
        parts = _JABREF.split(one.strip())
        path = parts[1] if len(parts) >= 3 else one.strip()
        if path:
            yield path.replace("\\:", ":").replace("\\;", ";").replace("\\\\", "/")


def _record(uri: str, reference: WorkReference) -> Record:
    return Record(uri=uri, title=reference.title, data=reference.markdown, metadata=reference.metadata)


def _uri_of(source: Source, key: str) -> str:
    return f"{source.uri}#{quote(key, safe='')}"
