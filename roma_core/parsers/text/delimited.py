"""CSV and TSV: encoding and delimiter found, rows of any length, quotes and line breaks inside quotes."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from roma_core.errors import ParserError
from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, file_name
from roma_core.parsers.office import sheets
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument

DELIMITERS = ",;\t|:"
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?[ \t]*\n", re.IGNORECASE)
_TORN = re.compile(r"\s*[-+]?\d+\s*[;|\t]\s*[-+]?\d+\s*")
_SAMPLE_ROWS, _SAMPLE_CHARACTERS = 100, 1 << 18


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY`` and ``TOO_LARGE``. Each record is a row; its number counts records, as spreadsheets do."""
    builder = DocumentBuilder(raw, options, "csv", title=raw.title or file_name(raw.uri))
    text, delimiter = take_separator_line(decode(raw.data, warn=builder.warn))
    if delimiter is None:
        delimiter = find_delimiter(text)
    text, quote = settle_quotes(text, delimiter)
    cells: dict[int, dict[int, str]] = {}
    count = 0
    for number, record in enumerate(read_records(text, delimiter, quote)):
        line = {x: value for x, value in enumerate(record) if value.strip()}
        count += len(line)
        sheets.check_count(count)
        if line:
            cells[number] = line
    builder.metadata["delimiter"] = delimiter
    _write(builder, cells)
    return builder.build()


def _write(builder: DocumentBuilder, cells: dict[int, dict[int, str]]) -> None:
    """One table, whatever its rows hold; lines above its header are text."""
    grid, first = _grid(cells), 1 + min(cells, default=0)
    header = tables.header_row(grid)
    _warn_of_lengths(builder, cells, first - 1 + header)
    for number, row in enumerate(grid[:header], start=first):
        builder.paragraph(" | ".join(filter(None, row)), row=number)
    builder.table(grid[header:], row=first + header)


def _grid(cells: dict[int, dict[int, str]]) -> list[list[str]]:
    """All records from the first filled to the last."""
    width = 1 + max((max(line) for line in cells.values()), default=0)
    rows = range(min(cells, default=0), max(cells, default=-1) + 1)
    return [[cells.get(y, {}).get(x, "") for x in range(width)] for y in rows]


def _warn_of_lengths(builder: DocumentBuilder, cells: dict[int, dict[int, str]], header_row: int) -> None:
    if header_row not in cells:
        return
    header = 1 + max(cells[header_row])
    longer = sum(1 for row, line in cells.items() if row > header_row and 1 + max(line) > header)
    if longer:
        builder.warn(f"{longer} rows have more fields than the header ({header}).")


def take_separator_line(text: str) -> tuple[str, str | None]:
    """Return the text without Excel's first line ``sep=;``, and the delimiter that it names.

    >>> take_separator_line("sep=;\\na;b")
    ('a;b', ';')
    """
    match = _SEPARATOR_LINE.match(text)
    return (text[match.end() :], match[1]) if match else (text, None)


def settle_quotes(text: str, delimiter: str) -> tuple[str, str]:
    r"""Return the text with its quotes doubled where it escapes them, and the quote character of its fields.

    Both are taken from what gives records of more equal lengths; without a difference, quotes are double ones.

    >>> settle_quotes("id,text\n1,'a, b'\n2,'c'\n", ",")
    ("id,text\n1,'a, b'\n2,'c'\n", "'")
    """
    if not delimiter:
        return text, '"'
    plain = _score(_head(text), delimiter)
    if '\\"' in text:
        doubled = text.replace('\\"', '""')
        is_cleaner = _has_stray_quote(text, delimiter) and not _has_stray_quote(doubled, delimiter)
        if is_cleaner and _score(_head(doubled), delimiter) >= plain:
            return doubled, '"'
    if '"' not in text and "'" in text and _score(_head(text), delimiter, "'") > plain:
        return text, "'"
    return text, '"'


def read_records(text: str, delimiter: str, quote: str = '"') -> Iterator[list[str]]:
    """Return the fields of each record. Each field decides for itself if it is quoted: an inch mark quotes nothing.

    A quoted field begins with a quote and ends with one that a delimiter or a line's end follows; inside, quotes are
    doubled. What begins with a quote and does not end so is taken as it stands. Raises ``MALFORMED``.
    """
    if not delimiter:
        yield from ([line] for line in text.split("\n"))
        return
    if _has_stray_quote(text, delimiter):
        yield from _read_tolerantly(text, delimiter)
        return
    csv.field_size_limit(sys.maxsize)
    try:
        yield from csv.reader(
            io.StringIO(text), delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != "\t"
        )
    except csv.Error as error:
        raise ParserError("The table cannot be read as CSV; export it again from the program it came from.") from error


def _has_stray_quote(text: str, delimiter: str) -> bool:
    """Return whether some quote is neither at the beginning nor at the end of a field."""
    if '"' not in text:
        return False
    edge = re.escape(delimiter)
    bare = text.replace('""', "")
    stray = re.search(rf'(?<=[^{edge}\n ])"(?=[^{edge}\n])', bare)
    return stray is not None or bare.count('"') % 2 == 1


def _read_tolerantly(text: str, delimiter: str) -> Iterator[list[str]]:
    edge = re.escape(delimiter)
    field = re.compile(rf' *"((?:[^"]|"")*)" *(?=[{edge}\n]|\Z)|([^{edge}\n]*)')
    record: list[str] = []
    at, end = 0, len(text)
    while at <= end:
        match = field.match(text, at)
        if match is None:  # cannot be: the second half of the pattern matches nothing, too
            return
        record.append(match[2].strip(" ") if match[1] is None else match[1].replace('""', '"'))
        at = match.end()
        if at == end or text[at] == "\n":
            yield record
            record = []
            if at == end:
                return
        at += 1


def find_delimiter(text: str) -> str:
    """The delimiter by which most rows of the head have the same number of fields; "" when that number is one."""
    head = _head(text)
    scores = {delimiter: _score(head, delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best] else ""


def _head(text: str) -> str:
    """Return the first whole lines of a text, up to the sample's size."""
    head = text[:_SAMPLE_CHARACTERS]
    return head if len(text) == len(head) else head.rpartition("\n")[0] or head


def _score(head: str, delimiter: str, quote: str = '"') -> float:
    """Return the share of rows with the usual number of fields, a little more for more fields; 0 when most have one.

    A field in which another delimiter stands between two numbers (``5;2``) is torn out of one: ``1,5;2,5`` has two
    fields, not three.
    """
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(head), delimiter=delimiter, quotechar=quote)
    try:
        rows = [row for row in islice(reader, _SAMPLE_ROWS) if row]
    except csv.Error:
        return 0.0
    sizes = Counter(map(len, rows))
    usual, count = max(sizes.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
    if usual <= 1:
        return 0.0
    torn = sum(bool(_TORN.fullmatch(field)) for row in rows for field in row) / sum(map(len, rows))
    return (count / len(rows) + 0.01 * min(usual, 20)) * (1 - torn)
