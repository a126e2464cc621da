"""Claims that read a table aloud: the value must stand in the row and under the header that the claim names. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from roma_core.citations.codes import with_codes
from roma_core.citations.lexicon import APPROXIMATIONS, CONDITIONS, DENIALS, HEDGES, NEGATIONS, QUANTIFIERS
from roma_core.citations.numbers import same_quantity
from roma_core.citations.phrases import read_phrases
from roma_core.citations.words import ClaimWord, read_words
from roma_core.markup.tables import is_table_row, split_cells

_RULE = re.compile(r"[\s|:-]+\Z")
_LINKING = frozenset(
    "costs cost value amount total number price has had was is row column table measures weighs pay pays "
    "ticket leaves leave departs depart arrives opened operated operates located situated run runs site".split()
)
"""Words that a sentence has between a row's name and its value."""
_LIMITING = (NEGATIONS | DENIALS | HEDGES | QUANTIFIERS | CONDITIONS | APPROXIMATIONS) - {"each", "over", "under", "up"}


@dataclass(frozen=True)
class ReadRow:
    """A row of a table: the words of its cells, those of the header above them, and where it stands."""

    start: int
    end: int
    cells: tuple[tuple[ClaimWord, ...], ...]
    header: tuple[tuple[ClaimWord, ...], ...]

    @property
    def label(self) -> frozenset[str]:
        """Return the stems that name the row: those of its first cell, without "(65+)" behind them."""
        words = [word for word in self.cells[0] if word.is_content]
        named = [word for word in words if not word.is_number]
        return frozenset(word.stem for word in named or words)


@dataclass(frozen=True)
class RowVerdict:
    """Whether a row says a claim; ``wrong`` is a value that stands elsewhere, with the one in its place."""

    row: ReadRow
    wrong: tuple[str, str] | None = None


def read_row_claim(claim: Sequence[ClaimWord], passage: str, context: str) -> RowVerdict | None:
    """Return what the row that a claim names says of it; None where the claim names no row, or says more than one."""
    rows = read_rows(passage, context)
    keys = {word.key for word in claim}
    stems = {word.stem for word in claim}
    named = [row for row in rows if row.label and row.label <= stems]
    row = max(named, key=lambda row: len(row.label), default=None)
    if row is None or any(other is not row and not other.label <= row.label for other in named):
        return None
    if keys & _LIMITING - {word.key for cell in (*row.header, *row.cells) for word in cell}:
        return None
    heads = {word.stem for cell in row.header for word in cell}
    values = [index for index, word in enumerate(claim) if _is_value(word, row, heads)]
    if not values or any(not _is_known(word, row, heads) for i, word in enumerate(claim) if i not in values):
        return None
    borders = [0, *values, len(claim)]
    are_named_after = not _named_columns(claim[: values[0]], row)  # "9 on weekdays and 11 on weekends"
    for number, index in enumerate(values, start=1):
        before = claim[borders[number - 1] : index]
        after = claim[index + 1 : borders[number + 1]]
        sides = (after, before) if are_named_after else (before, after)
        columns = _named_columns(sides[0], row) or _named_columns(sides[1], row)
        holding = [column for column, cell in enumerate(row.cells) if column and _holds(cell, claim[index], claim)]
        if len(values) == 1:
            columns = _named_columns(claim, row)
        is_plain_word = not claim[index].is_number and holding
        if set(columns) & set(holding) or (is_plain_word and not columns):
            continue
        if not columns:
            return None
        there = " ".join(word.text for word in row.cells[columns[0]]) if columns[0] < len(row.cells) else ""
        return RowVerdict(row, (claim[index].text, there or "-"))
    return RowVerdict(row)


def _is_value(word: ClaimWord, row: ReadRow, heads: set[str]) -> bool:
    if any(word.key == other.key for other in row.cells[0]):
        return False
    if not word.is_content or word.stem in row.label or word.stem in heads:
        return False
    return word.is_number or any(word.key == other.key for cell in row.cells[1:] for other in cell)


def _is_known(word: ClaimWord, row: ReadRow, heads: set[str]) -> bool:
    return not word.is_content or word.stem in row.label or word.stem in heads or word.key in _LINKING


def _named_columns(words: Sequence[ClaimWord], row: ReadRow) -> list[int]:
    """Return the columns whose header shares the most words with ``words``; the column of the names is none."""
    stems = {word.stem for word in words}
    shares = [sum(word.stem in stems for word in cell if word.is_content) for cell in row.header]
    best = max(shares[1:], default=0)
    return [column for column, share in enumerate(shares) if column and share == best] if best else []


def _holds(cell: Sequence[ClaimWord], value: ClaimWord, claim: Sequence[ClaimWord]) -> bool:
    """Return whether a cell is the value; a cell of words must be in the claim whole."""
    if value.is_number:
        return any(_is_same_value(value, word) for word in cell if word.is_number)
    keys = {word.key for word in claim}
    return any(word.key == value.key for word in cell) and all(word.key in keys for word in cell)


def _is_same_value(claimed: ClaimWord, cell: ClaimWord) -> bool:
    if claimed.key == cell.key:
        return True
    if claimed.quantity is None or cell.quantity is None:
        return False
    if not claimed.quantity.unit or not cell.quantity.unit:
        return claimed.quantity.value == cell.quantity.value
    return same_quantity(claimed.quantity, cell.quantity)


@functools.lru_cache(maxsize=64)
def read_rows(passage: str, context: str) -> tuple[ReadRow, ...]:
    """Return the rows below a header in ``passage``; ``context`` may hold the header of a table that was cut."""
    return tuple(_read_rows(passage, context))


def _read_rows(passage: str, context: str) -> Iterator[ReadRow]:
    header: tuple[tuple[ClaimWord, ...], ...] = ()
    known = [_read_cells(line) for line in context.splitlines() if is_table_row(line) and not _RULE.match(line)]
    start = 0
    for line in passage.split("\n"):
        end = start + len(line)
        if not is_table_row(line):
            header = ()
        elif not _RULE.match(line):
            cells = _read_cells(line)
            header = header or next((cells for cells in known if len(cells) == len(_read_cells(line))), ())
            if header and len(header) == len(cells) > 1 and header != cells:
                yield ReadRow(start, end, cells, header)
            header = header or cells
        start = end + 1


def _read_cells(line: str) -> tuple[tuple[ClaimWord, ...], ...]:
    return tuple(tuple(read_phrases(with_codes(cell, read_words(cell)))) for cell in split_cells(line))
