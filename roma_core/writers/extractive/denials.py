"""Rows of a table that lack what others have: "Which orders are not delivered?". Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from roma_core.markup.questions import Question, content_words
from roma_core.markup.tables import Table, TableRow

_DENIED: Final = re.compile(
    r"(?:\b(?:not|without|free of|(?:contain|with|ha(?:s|ve|d)) no)\b|n['’]t\b)"
    r"(?!\s+(?:more|less|fewer|greater|higher|lower|larger|smaller|longer|shorter|older|newer|younger|later|earlier"
    r"|cheaper|heavier|lighter|bigger|over|under|above|below|exceed\w*|before|after|only)\b)"
    r"(?P<scope>[^,;?]*?)(?=[,;?]|\b(?:and|but|who|that)\b|$)",
    re.IGNORECASE,
)
_UNDONE: Final = re.compile(
    r"\bun(?!der|ited\b|ified\b|iversal)(?P<scope>paid|sold|sent|sure|read|done|seen|met|fit|known|safe|used|clean|locked"
    r"|[a-z]{3,}(?:ed|en|able|ible|ing))\b",
    re.IGNORECASE,
)
"""A word that denies another one: "unpaid"."""
_EMPTY: Final = re.compile(r"\W*")
_NEGATIVE: Final = re.compile(r"\b(?:not|no|never|nicht|kein\w*|pas|non)\b", re.IGNORECASE)


@dataclass(frozen=True)
class RowsWithout:
    """The rows of a table whose cell in ``column`` is not ``state``, or is empty where ``state`` is."""

    column: int
    state: str
    rows: tuple[TableRow, ...]
    words: frozenset[str]
    """The stems of the question's words that ask for them."""


def find_denied_words(question: Question) -> frozenset[str]:
    """Return the stems of what a question denies.

    >>> from roma_core.markup.questions import read_question
    >>> sorted(find_denied_words(read_question("Which invoices have not yet been paid?")))
    ['pay', 'yet']
    >>> sorted(find_denied_words(read_question("Which invoices are unpaid?")))
    ['pay']
    >>> sorted(find_denied_words(read_question("Which units cost under 30 euros, and not more than 20?")))
    []
    """
    found = (*_DENIED.finditer(question.text), *_UNDONE.finditer(question.text))
    return frozenset().union(*(content_words(match["scope"]) for match in found))


def find_rows_without(question: Question, table: Table) -> RowsWithout | None:
    """Return the rows without the state that a question denies; None where no cell behind the first says it.

    A row whose cell is empty or denies the state itself ("not delivered") is one without it. So is one that has nothing
    in a column of that name: in "Paid", beside days of payment.
    """
    denied = find_denied_words(question)
    denying = content_words(" ".join(match[0] for match in _UNDONE.finditer(question.text)))
    for column in range(1, len(table.header.cells)):
        cells = [(row, row.cells[column] if column < len(row.cells) else "") for row in table.rows]
        state = next((state for _, cell in cells if (state := _find_state(cell, denied))), "")
        if state:
            rows = tuple(row for row, cell in cells if not _find_state(cell, denied))
            return RowsWithout(column, state, rows, denied | denying)
        words = content_words(table.header.cells[column])
        empty = tuple(row for row, cell in cells if _EMPTY.fullmatch(cell))
        if words and words <= denied and 0 < len(empty) < len(cells):
            return RowsWithout(column, "", empty, denied | denying)
    return None


def _find_state(cell: str, denied: frozenset[str]) -> str:
    """Return the item of a cell that is denied; nothing where none is, or where the cell denies it itself."""
    for item in re.split(r"[,;/]", cell):
        words = content_words(item)
        if words and words <= denied and not _NEGATIVE.search(item):
            return item.strip()
    return ""
