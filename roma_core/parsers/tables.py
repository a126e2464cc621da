"""Tables: a grid of texts and its one spelling in Markdown.

A grid is a rectangle of strings; its first row is the header. Merged cells are repeated in each place that they cover,
so that every row can be read alone. Rules of the spelling (GitHub's pipe tables, made invertible):

* ``|`` is written ``\\|``; a line break inside a cell is ``<br>``, and a literal ``<br>`` is ``\\<br>``;
* a backslash is doubled only where it could be read as an escape: before ``|``, ``\\``, ``<`` or the end.

``from_markdown(to_markdown(grid)) == fill_grid(grid)`` for every grid (property test).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roma_core.errors import ErrorCode, ParserError

Rows = Sequence[Sequence[str]]
Grid = list[list[str]]

MAX_CELLS = 2_000_000
"""More cells than this are refused: merged ranges can claim billions."""
MAX_COLUMNS_SPANNED = 1_000
"""The HTML standard's cap on ``colspan``; other formats are held to the same."""

_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile(r"\\(?=[\\|<\n]|$)|\||<(?=br */?>)", re.IGNORECASE)
_CELL_END = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_UNESCAPED = re.compile(r"\\([\\|<])|<br */?>", re.IGNORECASE)
_RULE_CELL = re.compile(r"\s*:?-+:?\s*")


@dataclass(frozen=True)
class Cell:
    """A cell as the source has it: it may cover several rows and columns."""

    text: str
    rowspan: int = 1
    colspan: int = 1


def expand(rows: Iterable[Iterable[Cell]]) -> Grid:
    """Lay cells out as the HTML standard does; covered places repeat the text. Raises ``TOO_LARGE``."""
    source = [list(row) for row in rows]
    placed: dict[tuple[int, int], str] = {}
    for y, row in enumerate(source):
        x = 0
        for cell in row:
            while (y, x) in placed:
                x += 1
            width = min(max(cell.colspan, 1), MAX_COLUMNS_SPANNED)
            height = min(max(cell.rowspan, 1), len(source) - y)
            _check_size(len(placed) + width * height)
            for dy in range(height):
                for dx in range(width):
                    placed.setdefault((y + dy, x + dx), cell.text)
            x += width
    columns = 1 + max((x for _, x in placed), default=-1)
    _check_size(columns * len(source))
    return [[placed.get((y, x), "") for x in range(columns)] for y in range(len(source))]


def _check_size(cells: int) -> None:
    if cells > MAX_CELLS:
        raise ParserError(
            f"A table has more than {MAX_CELLS:,} cells; split the file or delete the unused range.",
            ErrorCode.PARSER_TOO_LARGE,
        )


def fill_grid(rows: Rows) -> Grid:
    """The rectangle that a Markdown table can hold: trimmed lines, one kind of line break, short rows filled up.

    Raises ``TOO_LARGE`` when filling up would make more than ``MAX_CELLS``.
    """
    columns = max((len(row) for row in rows), default=0)
    _check_size(sum(columns - len(row) for row in rows))  # one long row among many short ones
    return [[normal_cell(text) for text in row] + [""] * (columns - len(row)) for row in rows]


def normal_cell(text: str) -> str:
    """Return a cell's lines without blanks at their ends."""
    return "\n".join(line.strip() for line in _LINE_BREAK.split(text)).strip() if text else ""


def to_markdown(rows: Rows) -> str:
    """A pipe table whose header is the first row; "" for a grid without columns. One line a row, one for the rule."""
    grid = fill_grid(rows)
    if not grid or not grid[0]:
        return ""
    lines = [_line(row) for row in grid]
    return "\n".join([lines[0], _line(["---"] * len(grid[0])), *lines[1:]])


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escape, row)) + " |"


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda m: "\\" + m[0], text).replace("\n", "<br>") if text else ""


def _unescape(text: str) -> str:
    return _UNESCAPED.sub(lambda m: m[1] or "\n", text)


def split_row(line: str) -> list[str]:
    """The cells of one line of a pipe table."""
    body = line.strip().removeprefix("|")
    cells: list[str] = []
    start = 0
    for match in _CELL_END.finditer(body):
        cells.append(body[start : match.end() - 1])
        start = match.end()
    if body[start:].strip():
        cells.append(body[start:])
    return [normal_cell(_unescape(cell.strip())) for cell in cells]


def is_rule(line: str) -> bool:
    """True for the line of dashes under a header."""
    cells = line.strip().strip("|").split("|")
    return "-" in line and all(_RULE_CELL.fullmatch(cell) for cell in cells)


def from_markdown(text: str) -> Grid:
    """The grid of a pipe table as ``to_markdown`` or a person wrote it; the rule under the header is left out."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and is_rule(lines[1]):
        del lines[1]
    return fill_grid([split_row(line) for line in lines])


_NUMBER = re.compile(r"[^\w]*[-+(]?[\d][\d\s.,:/%()-]*[^\w]*(?:\^\w{1,3})?")


def is_number(text: str) -> bool:
    """A number, amount, percentage or date written in digits: what a header cell rarely is."""
    return _NUMBER.fullmatch(text) is not None


def header_row(rows: Rows, look: int = 20) -> int:
    """Index of the row that names the columns: 0 unless titles stand above it.

    The first of the top ``look`` rows that is filled as widely as the table is (at least two thirds of its widest
    row) and holds words rather than numbers; rows above it are titles and notes.
    """
    top = rows[:look]
    widest = max((_count_filled(row) for row in rows[: look * 5]), default=0)
    for y, row in enumerate(top):
        cells = [text for text in row if text.strip()]
        if 3 * len(cells) >= 2 * widest and 2 * sum(map(is_number, cells)) <= len(cells):
            return y if all(_count_filled(above) <= max(2, widest // 3) for above in rows[:y]) else 0
    return 0


def _count_filled(row: Sequence[str]) -> int:
    return sum(1 for text in row if text.strip())
