"""A sheet of cells as blocks: titles, tables with their header found, notes; each with its row.

Shared by XLSX, XLS, ODS and CSV. A table's lines are consecutive rows of the sheet (blank ones too), so that the row of
any offset can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import tables
from roma_core.parsers.builder import DocumentBuilder, page_ranges

Cells = Mapping[int, Mapping[int, str]]
"""Text by row and column, both counted from 0; only what is filled."""
Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column, all included."""

MAX_MERGED = 100_000
"""Places that merged ranges of one sheet may fill; further ones keep their text in the first cell only."""
NOTE_LENGTH = 40
"""Characters from which a lone cell under a table is a note to it rather than a row of it."""


@dataclass(frozen=True)
class SheetComment:
    """A remark on a cell; row and column are counted from 0."""

    row: int
    column: int
    author: str | None
    text: str
    date: str | None = None


@dataclass
class Sheet:
    """A sheet as read from a file."""

    name: str
    cells: dict[int, dict[int, str]] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    hidden: bool = False
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    """Rows and columns that the program does not show, counted from 0."""
    comments: list[SheetComment] = field(default_factory=list)

    def put(self, row: int, column: int, text: str) -> None:
        if text.strip():
            self.cells.setdefault(row, {})[column] = text


def check_count(cells: int) -> None:
    """Raises ``TOO_LARGE`` when a workbook has more filled cells than a document can hold."""
    if cells > tables.MAX_CELLS:
        raise ParserError(
            f"The workbook has more than {tables.MAX_CELLS:,} filled cells; split it or export the part that matters.",
            ErrorCode.PARSER_TOO_LARGE,
        )


def write_sheet(builder: DocumentBuilder, sheet: Sheet) -> None:
    """A section for the sheet and a block for each of its parts."""
    title = f"{sheet.name} (hidden)" if sheet.hidden else sheet.name
    builder.open_section(sheet.name, "sheet")
    builder.heading(title, 2, section=False)
    builder.paragraph(_describe_hidden(sheet))
    write_cells(builder, sheet.cells, sheet.merges)
    for note in sheet.comments:
        place = f"{column_name(note.column)}{note.row + 1}"
        builder.comment(note.author, note.text, place=place, date=note.date)


def _describe_hidden(sheet: Sheet) -> str:
    """Return a sentence that names the filled rows and columns which are hidden; empty where none are."""
    rows = [row + 1 for row in sheet.hidden_rows if row in sheet.cells]
    filled = {column for line in sheet.cells.values() for column in line}
    columns = sorted(sheet.hidden_columns & filled)
    parts: list[str] = []
    if rows:
        parts.append(f"Hidden row{'s' if len(rows) > 1 else ''}: {page_ranges(rows)}.")
    if columns:
        names = ", ".join(map(column_name, columns))
        parts.append(f"Hidden column{'s' if len(columns) > 1 else ''}: {names}.")
    return " ".join(parts)


def column_name(column: int) -> str:
    """Return the letters of a column that is counted from 0.

    >>> column_name(27)
    'AB'
    """
    name = ""
    number = column + 1
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def write_cells(builder: DocumentBuilder, cells: Cells, merges: Iterable[Merge] = ()) -> None:
    """Write a sheet's cells as the tables, titles and notes that they form."""
    merged = list(merges)
    filled = fill_merges(cells, merged)
    titles = {(top, left) for top, left, bottom, _ in merged if top == bottom}
    for band in bands(filled):
        for part in islands(filled, band):
            _write_part(builder, filled, part, cells, titles)


def fill_merges(cells: Cells, merges: Iterable[Merge]) -> dict[int, dict[int, str]]:
    """Merged ranges repeat their text in each place."""
    filled = {row: dict(line) for row, line in cells.items()}
    left_over = MAX_MERGED
    for top, left, bottom, right in merges:
        text = cells.get(top, {}).get(left, "")
        area = (bottom - top + 1) * (right - left + 1)
        if not text or area > left_over:
            continue
        left_over -= area
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                filled.setdefault(row, {})[column] = text
    return filled


@dataclass(frozen=True)
class SheetRegion:
    """A rectangle of a sheet: rows ``top`` to ``bottom`` (included), of which ``columns`` are not blank."""

    top: int
    bottom: int
    columns: tuple[int, ...]

    def rows(self, cells: Cells) -> tables.Grid:
        empty: dict[int, str] = {}
        return [[cells.get(y, empty).get(x, "") for x in self.columns] for y in range(self.top, self.bottom + 1)]


def bands(cells: Cells) -> Iterator[list[int]]:
    """Runs of filled rows. Two blank rows part tables; one does where the columns change."""
    band: list[int] = []
    for row in sorted(cells):
        if band:
            gap = row - band[-1] - 1
            if gap >= 2 or (gap == 1 and _is_new_table(cells, band, row)):
                yield band
                band = []
        band.append(row)
    if band:
        yield band


def _is_new_table(cells: Cells, band: list[int], row: int) -> bool:
    """After one blank row: a new table has other columns, or is headed by words where the last one had numbers."""
    wide = [y for y in band if len(cells[y]) > 1]
    if not wide:
        return True
    line = cells[row]
    if len(line) == 1:  # a title, if what follows it begins with a header
        after = cells.get(row + 1, {})
        return len(after) > 1 and not any(map(tables.is_number, after.values()))
    if set(line).isdisjoint(cells[wide[-1]]):
        return True
    numeric = {x for x, text in cells[wide[-1]].items() if tables.is_number(text)}
    return bool(numeric) and not any(tables.is_number(text) for text in line.values()) and len(line) > 1


def islands(cells: Cells, band: list[int]) -> list[SheetRegion]:
    """The band as one part, or as tables that stand side by side: blank columns between them, a header on each."""
    used = sorted({x for y in band for x in cells[y]})
    groups: list[list[int]] = []
    for column in used:
        if groups and column == groups[-1][-1] + 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    parts = [_cut(cells, band, tuple(group)) for group in groups]
    if len(parts) > 1 and all(_is_table(part.rows(cells)) for part in parts):
        return parts
    return [_cut(cells, band, tuple(used))]


def _cut(cells: Cells, band: list[int], columns: tuple[int, ...]) -> SheetRegion:
    wanted = set(columns)
    rows = [y for y in band if not wanted.isdisjoint(cells[y])]
    return SheetRegion(rows[0], rows[-1], columns)


def _is_table(rows: tables.Grid) -> bool:
    """At least two by two, the first row filled with words."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    return all(text and not tables.is_number(text) for text in rows[0])


def _write_part(
    builder: DocumentBuilder, cells: Cells, part: SheetRegion, unmerged: Cells, titles: set[tuple[int, int]]
) -> None:
    """Lines of one cell above the header and long ones below the table are text; the rest is the table."""
    rows = part.rows(cells)
    width = len(part.columns)
    lone = [_lone(unmerged.get(part.top + i, {}), part.columns) for i in range(len(rows))]
    if all(lone) and (width > 1 or len(rows) <= 2):
        _write_lines(builder, part, lone, 0, len(rows))
        return
    header = tables.header_row([["" if lone[i] else text for text in row] for i, row in enumerate(rows)])
    if width > 1:
        while header < len(rows) - 1 and _is_title(part, lone, header, unmerged, titles):
            header += 1
    end = len(rows)
    while end - 1 > header + 1 and width > 2 and len(lone[end - 1]) >= NOTE_LENGTH:
        end -= 1
        while end - 1 > header and not any(rows[end - 1]):
            end -= 1
    _write_lines(builder, part, lone if width > 1 else [row[0] for row in rows], 0, header, rows)
    builder.table(rows[header:end], row=part.top + header + 1)
    _write_lines(builder, part, lone, end, len(rows), rows)


def _lone(line: Mapping[int, str], columns: tuple[int, ...]) -> str:
    """The only text of a row, "" if it has none or several."""
    texts = [line[x] for x in columns if x in line]
    return texts[0] if len(texts) == 1 else ""


def _is_title(part: SheetRegion, lone: list[str], index: int, unmerged: Cells, titles: set[tuple[int, int]]) -> bool:
    """A lone text over a wide table: merged across, or followed by a row that is filled."""
    if not lone[index]:
        return not any(unmerged.get(part.top + index, {}).get(x) for x in part.columns)
    column = next(x for x in part.columns if x in unmerged.get(part.top + index, {}))
    return (part.top + index, column) in titles or len(part.columns) > 2 or index + 1 < len(lone)


def _write_lines(
    builder: DocumentBuilder, part: SheetRegion, lone: list[str], start: int, end: int, rows: tables.Grid | None = None
) -> None:
    """Rows that are no table: a paragraph each, or a line of what is filled."""
    for i in range(start, end):
        text = lone[i] or (" | ".join(t for t in rows[i] if t) if rows else "")
        builder.paragraph(text, row=part.top + i + 1)
