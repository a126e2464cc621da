"""Cells of tables in words: a value with the name of what it measures, so that a sentence can say otherwise. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from roma_core.citations.numbers import UNITS
from roma_core.citations.words import read_words
from roma_core.markup.questions import Question, content_words
from roma_core.markup.tables import Table, TableRow

_NAME_PART: Final = re.compile(r"[^\W_]+|[€$£%°]\w?")
_BARE_NUMBER: Final = re.compile(r"[-+]?\d[\d\s.,]*")


@dataclass(frozen=True)
class AskedCell:
    """The cell that a question asks for: its value in words, the stems of its column's name, and its unit."""

    text: str
    words: frozenset[str]
    unit: str = ""


def find_asked_cell(question: Question, table: Table, row: TableRow) -> AskedCell | None:
    """Return the number of a row whose column has the most words of the question; None where two have as many."""
    names = table.header.cells
    shares = {at: len(question.words & content_words(_read_name(names[at]))) for at in range(1, len(names))}
    most = max(shares.values(), default=0)
    asked = [at for at, share in shares.items() if share == most]
    if not most or len(asked) != 1 or asked[0] >= len(row.cells):
        return None
    text = say_value(names[asked[0]], row.cells[asked[0]])
    quantities = [word.quantity for word in read_words(text) if word.quantity is not None]
    if len(quantities) != 1:
        return None
    return AskedCell(text, frozenset(content_words(_read_name(names[asked[0]]))), quantities[0].unit)


def say_value(name: str, value: str) -> str:
    """Return a value before the name of what it measures; a unit at the end of the name belongs to the value.

    >>> say_value("Sailings lost", "31"), say_value("height_m", "2.8"), say_value("Dues (EUR)", "97.00")
    ('31 Sailings lost', '2.8 m height', '97.00 EUR Dues')
    """
    words = _NAME_PART.findall(name)
    is_bare = _BARE_NUMBER.fullmatch(value.strip()) is not None
    if is_bare and len(words) > 1 and words[-1].casefold() in UNITS:
        words = [words[-1], *words[:-1]]
    return " ".join([value.strip(), *(words if is_bare else [])])


def _read_name(name: str) -> str:
    return " ".join(_NAME_PART.findall(name))
