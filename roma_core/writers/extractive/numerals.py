"""How tables and texts write numbers: "1,234.5", "1.234,5" and "1 234,5" are one number. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from roma_core.citations.words import read_words
from roma_core.languages import detect_language
from roma_core.markup.tables import Table

MOST_VALUE_CHARS: Final = 40
WRITTEN_NUMBER: Final = r"\d{1,3}(?:[. ]\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?"
"""Pattern of a number in a text of a language that writes decimals behind a comma."""
_ENDS: Final = r"(?!\d|[.,]\d)"
_EUROPEAN: Final = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{3})+,\d+(?!\d)")
_DOTTED: Final = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:\.\d{{3}})+{_ENDS}")
"""A number that dots part into thousands, or one with three decimals."""
_ENGLISH: Final = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?{_ENDS}")
_DECIMAL_DOT: Final = re.compile(rf"(?<![\d.,])\d+\.(?:\d{{1,2}}|\d{{4,}}){_ENDS}")
_DECIMAL_COMMA: Final = re.compile(rf"(?<![\d.,])(\d+),(\d{{1,2}}){_ENDS}")
_ANY_DECIMAL_COMMA: Final = re.compile(rf"(?<![\d.,])(\d+),(\d+){_ENDS}")
_SPACED: Final = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?!\d)")
_NEGATIVE: Final = re.compile(r"^\(\s*[^A-Za-z()]*\d[^A-Za-z()]*\)$")
_DOTTED_LANGUAGES: Final = frozenset("da de el es id is it nl pt ro sl tr vi".split())
"""Languages that part thousands by dots."""
_SPACED_LANGUAGES: Final = frozenset("bg cs fi fr hu nb nn no pl ru sk sv uk".split())
"""Languages that part thousands by spaces, and write decimals behind a comma."""


@dataclass(frozen=True)
class NumberStyle:
    """The signs between thousands and before decimals."""

    thousands: str = ","
    decimals: str = "."


def find_language_style(language: str) -> NumberStyle:
    """Return how texts of a language write numbers; the English way for one that is not known.

    >>> find_language_style("de"), find_language_style("")
    (NumberStyle(thousands='.', decimals=','), NumberStyle(thousands=',', decimals='.'))
    """
    if language in _DOTTED_LANGUAGES:
        return NumberStyle(".", ",")
    return NumberStyle(" ", ",") if language in _SPACED_LANGUAGES else NumberStyle()


def find_style(table: Table, cells: Iterable[str]) -> NumberStyle:
    """Return how some cells of a table write their numbers.

    "1.240" is 1240 beside "0,85", or in German, and 1.24 beside "3.5".
    """
    own = list(cells)
    every = [cell for row in table.rows for cell in row.cells]
    has_comma = any(_DECIMAL_COMMA.search(cell) for cell in every)
    if any(_EUROPEAN.search(cell) for cell in own):
        return NumberStyle(".", ",")
    if any(_DOTTED.search(cell) for cell in own) and not any(_DECIMAL_DOT.search(cell) for cell in own):
        about = f"{table.about}\n{' '.join(table.header.cells)}"
        if has_comma or detect_language(about) in _DOTTED_LANGUAGES:
            return NumberStyle(".", ",")
    if any(_SPACED.search(cell) for cell in own):
        return NumberStyle(" ", "," if has_comma else ".")
    return NumberStyle(".", ",") if any(_DECIMAL_COMMA.search(cell) for cell in own) else NumberStyle()


def read_value(cell: str, style: NumberStyle = NumberStyle()) -> tuple[Decimal, str] | None:
    """Return the number or date of a cell with its unit ("date" for a date); None where the cell is no single value.

    >>> read_value("€1,234.50"), read_value("1 234,50 €"), read_value("B-2")
    ((Decimal('1234.50'), 'EUR'), (Decimal('1234.50'), 'EUR'), None)
    >>> read_value("1.240"), read_value("1.240", NumberStyle(".", ","))
    ((Decimal('1.240'), ''), (Decimal('1240'), ''))
    """
    text = cell.strip().strip("*_`")
    if not text or len(text) > MOST_VALUE_CHARS:
        return None
    text = write_plainly(text, style)
    is_negative = bool(_NEGATIVE.match(text))
    words = read_words(text.strip("()") if is_negative else text)
    values = [word for word in words if word.quantity is not None or word.date is not None]
    others = [word for word in words if word.quantity is None and word.date is None]
    if len(values) != 1 or len(others) > 1:
        return None
    if others and others[0].start < values[0].start and len(others[0].text) > 7:
        return None
    value = values[0]
    if value.date is not None:
        date = value.date
        return Decimal(date.year * 10_000 + date.month * 100 + date.day), "date"
    if value.quantity is None or (others and re.search(r"[A-Za-z]-?\d", text)):
        return None
    number = value.quantity.value
    return (-number if is_negative else number), value.quantity.unit


def write_plainly(text: str, style: NumberStyle) -> str:
    """Return a text with the signs between thousands taken out of its numbers, and a dot before their decimals.

    "1.240" is a thousand in a style with dots between thousands, and "1,240" is a number with three decimals in one
    with a comma before these.

    >>> write_plainly("1.240 Stück zu 1.234,50 €", find_language_style("de"))
    '1240 Stück zu 1234.50 €'
    >>> write_plainly("1.240 tonnes à 1 234,5 €", find_language_style("fr"))
    '1.240 tonnes à 1234.5 €'
    """
    text = _SPACED.sub(lambda found: found[0].replace(" ", ""), text)
    text = _EUROPEAN.sub(lambda found: found[0].replace(".", "").replace(",", "."), text)
    if style.thousands == ".":
        text = _DOTTED.sub(lambda found: found[0].replace(".", ""), text)
    if style.thousands == ",":
        text = _ENGLISH.sub(lambda found: found[0].replace(",", ""), text)
    decimal_comma = _ANY_DECIMAL_COMMA if style.decimals == "," else _DECIMAL_COMMA
    return decimal_comma.sub(r"\1.\2", text)


def write_number(value: Decimal, style: NumberStyle) -> str:
    """Return a number in a style.

    >>> write_number(Decimal("1234.50"), NumberStyle(" ", ","))
    '1 234,5'
    """
    text = f"{value:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.translate({ord(","): style.thousands, ord("."): style.decimals})
