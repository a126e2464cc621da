"""One set of files read by several backends: how much each one holds, and what is missing on either side.

Words, headings and table cells are compared as multisets. A *continuation* is a pair of words that stand next to each
other; it is torn where the other text has both words as often, but not next to each other. So a changed order of
reading shows as torn continuations, a missing paragraph as missing words.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from roma_core.errors import AgentFailure, InputError
from roma_core.parsers import tables
from roma_core.parsers.backends.base import find_backend
from roma_core.parsers.base import ParseOptions
from roma_core.settings import OWN_PARSER
from roma_core.types import Document, Noun, RawDocument

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("words", "continuations", "headings", "cells")
MOST_EXAMPLES = 12
"""Examples of what is missing that a report holds, the most frequent first."""
_WORD = re.compile(r"\w+")
_TABLE_RULE = re.compile(r"^\|(?: *-{3,} *\|)+$", re.MULTILINE)


class DocumentParser(Protocol):
    """What is needed of ``DolphinParserService``."""

    def detect(self, raw: RawDocument) -> str: ...

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure: ...


class BackendReading(Noun):
    """One file as one backend reads it. ``counts`` is empty where it failed, and ``failure`` says why."""

    backend: str
    parser: str | None = None
    failure: str | None = None
    seconds: float = 0.0
    counts: dict[str, int] = Field(default_factory=dict)


class MissingParts(Noun):
    """Things of one text that the other does not have: how many, and the most frequent of them."""

    total: int
    examples: dict[str, int] = Field(default_factory=dict)


class ReadingDifference(Noun):
    """What two readings of a file do not share, by measure (``MEASURES``)."""

    first: str
    other: str
    only_first: dict[str, MissingParts]
    only_other: dict[str, MissingParts]

    @property
    def is_same(self) -> bool:
        return not any(parts.total for parts in (*self.only_first.values(), *self.only_other.values()))


class FileComparison(Noun):
    """One file: how each backend reads it, and how the first one's reading differs from each of the others."""

    uri: str
    size_bytes: int
    readings: tuple[BackendReading, ...]
    differences: tuple[ReadingDifference, ...]

    @property
    def format(self) -> str:
        """Return the ending of the file's name, in lower case."""
        return self.uri.rpartition(".")[2].lower()


class BackendReport(Noun):
    """A folder read by several backends. In a notebook it is a table; ``to_frame`` has a row a file and backend."""

    backends: tuple[str, ...]
    files: tuple[FileComparison, ...]
    skipped: tuple[str, ...] = ()
    """Files of formats that fewer than two of the backends read."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row a file and backend: counts, seconds, and what is missing against the first backend."""
        import pandas as pd

        rows = [row for file in self.files for row in _rows_of(file)]
        return pd.DataFrame(rows)

    def totals(self) -> list[dict[str, object]]:
        """Return one row a format and backend: files read, counts, and what only one side has, summed."""
        groups: dict[tuple[str, str], list[dict[str, object]]] = {}
        for file in self.files:
            for row in _rows_of(file):
                groups.setdefault((file.format, str(row["backend"])), []).append(row)
        return [_total(rows) for _, rows in sorted(groups.items(), key=lambda item: self._order(item[0]))]

    def _order(self, key: tuple[str, str]) -> tuple[str, int]:
        return key[0], self.backends.index(key[1])

    def to_markdown(self) -> str:
        """Return the table of totals, then for each file what is missing on either side."""
        totals = self.totals()
        if not totals:
            return "No file was compared.\n"
        columns = list(totals[0])
        grid = [columns, *([_write_value(row[column]) for column in columns] for row in totals)]
        lines = [tables.to_markdown(grid), ""]
        for file in self.files:
            details = [line for difference in file.differences for line in _details(difference)]
            details += [f"  - {one.backend}: {one.failure}" for one in file.readings if one.failure]
            if details:
                lines += [f"- {file.uri}", *details]
        if self.skipped:
            lines += ["", f"{len(self.skipped)} files of formats that only one of them reads were left out."]
        return "\n".join(lines).rstrip() + "\n"

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, escape=True, na_rep="–")


async def compare_backends(
    service: DocumentParser, files: Iterable[RawDocument], backends: Sequence[str], options: ParseOptions | None = None
) -> BackendReport:
    """Read each file with each backend that reads its format, and compare; ``own`` is ROMA's parser.

    A file that cannot be read is a row of the report, never its end. Raises ``InputError`` for fewer than two backends
    and ``ConfigError`` for one that is unknown or not installed.

    Example::

        report = await compare_backends(roma.parsers, files, ["own", "pdfplumber"])
        report.to_frame()
    """
    names = tuple(dict.fromkeys(backends))
    if len(names) < 2:
        raise InputError(f"A comparison needs two backends, such as {OWN_PARSER},pdfplumber.")
    chosen = {name: find_backend(name) for name in names if name != OWN_PARSER}
    compared: list[FileComparison] = []
    skipped: list[str] = []
    for raw in files:
        media_type = service.detect(raw)
        readers = [name for name in names if name not in chosen or chosen[name].reads(media_type)]
        if len(readers) < 2:
            skipped.append(raw.uri)
        else:
            compared.append(await _compare_file(service, raw, readers, options or ParseOptions()))
    return BackendReport(backends=names, files=tuple(compared), skipped=tuple(skipped))


async def _compare_file(
    service: DocumentParser, raw: RawDocument, backends: Sequence[str], options: ParseOptions
) -> FileComparison:
    readings: list[BackendReading] = []
    documents: dict[str, Document] = {}
    for backend in backends:
        began = time.perf_counter()
        result = await service.parse(raw, options.model_copy(update={"backend": backend}))
        seconds = round(time.perf_counter() - began, 3)
        if isinstance(result, AgentFailure):
            failure = f"{result.code.value}: {result.message}"
            readings.append(BackendReading(backend=backend, failure=failure, seconds=seconds))
        else:
            documents[backend] = result
            counts = {name: counter.total() for name, counter in count_parts(result).items()}
            readings.append(BackendReading(backend=backend, parser=result.parser, seconds=seconds, counts=counts))
    return FileComparison(
        uri=raw.uri, size_bytes=raw.size, readings=tuple(readings), differences=_differences(documents, backends)
    )


def _differences(documents: dict[str, Document], backends: Sequence[str]) -> tuple[ReadingDifference, ...]:
    first = documents.get(backends[0])
    if first is None:
        return ()
    others = [name for name in backends[1:] if name in documents]
    return tuple(find_differences(first, documents[name], (backends[0], name)) for name in others)


def find_differences(
    first: Document, other: Document, names: tuple[str, str] = ("first", "other")
) -> ReadingDifference:
    """Return what only one of two readings of a file has.

    >>> own = Document(id="1", uri="a", title="A", text="High tide at noon", content_sha256="", parser="pdf/1")
    >>> rival = own.model_copy(update={"text": "High tide"})
    >>> find_differences(own, rival).only_first["words"].examples
    {'at': 1, 'noon': 1}
    """
    left, right = count_parts(first), count_parts(other)
    return ReadingDifference(
        first=names[0],
        other=names[1],
        only_first={name: _missing(name, left, right) for name in MEASURES},
        only_other={name: _missing(name, right, left) for name in MEASURES},
    )


def _missing(name: str, here: dict[str, Counter[str]], there: dict[str, Counter[str]]) -> MissingParts:
    only_here = here[name] - there[name]
    if name == "continuations":
        lost_words = here["words"] - there["words"]
        only_here = Counter(
            {
                pair: count
                for pair, count in only_here.items()
                if not any(word in lost_words for word in pair.split(" "))
            }
        )
    return MissingParts(total=only_here.total(), examples=dict(only_here.most_common(MOST_EXAMPLES)))


def count_parts(document: Document) -> dict[str, Counter[str]]:
    """Return the words, continuations, headings and cells of a document with their counts.

    Table rules, the marks of Markdown, case and the forms of letters count for nothing.
    """
    text = document.text
    words = _words(_TABLE_RULE.sub("", text))
    headings = [" ".join(_words(block.of(text))) for block in document.blocks if block.kind == "heading"]
    grids = [tables.from_markdown(block.of(text)) for block in document.blocks if block.kind == "table"]
    cells = [" ".join(_words(cell)) for grid in grids for row in grid for cell in row]
    return {
        "words": Counter(words),
        "continuations": Counter(f"{one} {two}" for one, two in pairwise(words)),
        "headings": Counter(filter(None, headings)),
        "cells": Counter(filter(None, cells)),
    }


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _rows_of(file: FileComparison) -> list[dict[str, object]]:
    differences = {difference.other: difference for difference in file.differences}
    rows: list[dict[str, object]] = []
    for reading in file.readings:
        row: dict[str, object] = {"file": file.uri, "format": file.format, "backend": reading.backend}
        row |= {name: reading.counts.get(name) for name in MEASURES if name != "continuations"}
        difference = differences.get(reading.backend)
        for name in MEASURES:
            row[f"{name} missing"] = difference.only_first[name].total if difference else None
            row[f"{name} more"] = difference.only_other[name].total if difference else None
        row |= {"seconds": reading.seconds, "failure": reading.failure}
        rows.append(row)
    return rows


def _total(rows: Sequence[dict[str, object]]) -> dict[str, object]:
    """Return the sum of the rows of one format and backend; what nobody could compare stays empty."""
    total: dict[str, object] = {"format": rows[0]["format"], "backend": rows[0]["backend"], "files": len(rows)}
    total["not read"] = sum(row["failure"] is not None for row in rows)
    for name in rows[0]:
        if name in {"file", "format", "backend", "failure"}:
            continue
        values = [value for row in rows if isinstance(value := row[name], int | float)]
        total[name] = round(sum(values), 2) if values else None
    return total


def _details(difference: ReadingDifference) -> list[str]:
    lines: list[str] = []
    for name in MEASURES:
        for side, parts in ((difference.other, difference.only_first), (difference.first, difference.only_other)):
            if parts[name].total:
                lack = "tears" if name == "continuations" else "lacks"
                lines.append(f"  - {side} {lack} {parts[name].total} {name}: {_list_examples(parts[name])}")
    return lines


def _list_examples(parts: MissingParts) -> str:
    named = [f"“{text[:60]}”" + (f" x{count}" if count > 1 else "") for text, count in parts.examples.items()]
    more = parts.total - sum(parts.examples.values())
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _write_value(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
