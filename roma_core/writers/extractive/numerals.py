"""How tables write their numbers: "1,234.5", "1.234,5" and "1 234,5" are one number. Pure."""

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
_EUROPEAN: Final = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{3})+,\d+(?!\d)")
_DOTTED: Final = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?![\d.,])")
"""A number that dots part into thousands, or one with three decimals."""
_DECIMAL_DOT: Final = re.compile(r"(?<![\d.,])\d+\.(?:\d{1,2}|\d{4,})(?![\d.,])")
_DECIMAL_COMMA: Final = re.compile(r"(?<![\d.,])(\d+),(\d{1,2})(?![\d.,])")
_SPACED: Final = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?!\d)")
_NEGATIVE: Final = re.compile(r"^\(\s*[^A-Za-z()]*\d[^A-Za-z()]*\)$")
_DOTTED_LANGUAGES: Final = frozenset("da de el es id is it nl pt ro sl tr vi".split())
"""Languages that part thousands by dots."""


@dataclass(frozen=True)
class NumberStyle:
    """The signs between thousands and before decimals."""

    thousands: str = ","
    decimals: str = "."


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
    text = _SPACED.sub(lambda found: found[0].replace(" ", ""), text)
    text = _EUROPEAN.sub(lambda found: found[0].replace(".", "").replace(",", "."), text)
    if style.thousands == ".":
        text = _DOTTED.sub(lambda found: found[0].replace(".", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
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


def write_number(value: Decimal, style: NumberStyle) -> str:
    """Return a number in a style.

    >>> write_number(Decimal("1234.50"), NumberStyle(" ", ","))
    '1 234,5'
    """
    text = f"{value:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.translate({ord(","): style.thousands, ord("."): style.decimals})
