"""Comparisons: which of two things is heavier, older, cheaper, by the values that their quotes state. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from roma_core.citations.numbers import CURRENCIES, Quantity, convert_quantity, is_convertible
from roma_core.citations.words import ClaimWord, read_words
from roma_core.markup.compound import find_sides
from roma_core.markup.questions import Question, content_words, stem_word
from roma_core.writers.extractive.numerals import read_value
from roma_core.writers.extractive.tables import find_compared_column
from roma_core.writers.extractive.units import QuotableUnit, plain_text

_MASSES: Final = frozenset("gram kilogram milligram microgram tonne ton pound ounce stone".split())
_LENGTHS: Final = frozenset(
    "meter kilometer centimeter millimeter micrometer nanometer mile yard foot inch nautical_mile".split()
)
_TIMES: Final = frozenset("second millisecond minute hour day week month year decade century".split())
_MONEY: Final = frozenset(CURRENCIES) | {"CENT"}


@dataclass(frozen=True)
class _ComparedProperty:
    """A way to compare: words that ask for it, the units that it has (none: any), and whether less wins."""

    pattern: re.Pattern[str]
    units: frozenset[str] = frozenset()
    wants_less: bool = False
    is_date: bool = False


def _compare_by(
    words: str, units: frozenset[str] = frozenset(), *, less: bool = False, date: bool = False
) -> _ComparedProperty:
    return _ComparedProperty(re.compile(rf"\b(?:{words})\b", re.IGNORECASE), units, less, date)


_MEASURES: Final = (
    _compare_by("heavier|weighs? more", _MASSES),
    _compare_by("lighter|weighs? less", _MASSES, less=True),
    _compare_by("cheaper|less expensive|costs? less", _MONEY, less=True),
    _compare_by("dearer|costlier|more expensive|costs? more", _MONEY),
    _compare_by("older|earlier|sooner|before|first", less=True, date=True),
    _compare_by("newer|younger|later|more recent|last", date=True),
    _compare_by("longer", _LENGTHS | _TIMES),
    _compare_by("shorter", _LENGTHS | _TIMES, less=True),
    _compare_by("taller|higher|deeper|wider|broader|thicker", _LENGTHS),
    _compare_by("narrower|shallower|thinner", _LENGTHS, less=True),
    _compare_by("bigger|larger|greater|faster|stronger|warmer|hotter|louder|more"),
    _compare_by("smaller|lower|slower|weaker|colder|cooler|quieter|fewer|less", less=True),
)


def compare_sides(question: Question, chosen: Sequence[QuotableUnit]) -> str:
    """Return the line that says which side of a comparison wins by the quoted values; nothing where it is not certain.

    ``chosen`` has one unit for each side, each with exactly one value that can be compared.
    """
    sides = find_sides(question.text) if question.kind == "comparison" else None
    measure = next((m for m in _MEASURES if m.pattern.search(question.text)), None)
    if sides is None or measure is None:
        return ""
    units = [_find_unit(side, sides[1 - index], chosen) for index, side in enumerate(sides)]
    if units[0] is None or units[1] is None or units[0].document_place == units[1].document_place:
        return ""
    values = [_read_compared(question, measure, unit) for unit in units if unit is not None]
    if values[0] is None or values[1] is None:
        return ""
    (first, text), (second, other_text) = values[0], values[1]
    number, other = _scale(first, second)
    if number is None or other is None:
        return ""
    if number == other:
        return f"By these values both are the same ({text} and {other_text}):"
    wins = (number < other) if measure.wants_less else (number > other)
    name = _shorten(sides[0] if wins else sides[1])
    shown = (text, other_text) if wins else (other_text, text)
    return f"“{name}”, by these values ({shown[0]} against {shown[1]}):"


def _find_unit(side: str, other: str, chosen: Sequence[QuotableUnit]) -> QuotableUnit | None:
    """Return the only unit that speaks of one side and not of the other one."""
    own, against = content_words(_shorten(side)), content_words(_shorten(other))
    telling = own - against
    held = [(unit, content_words(unit.scored_text)) for unit in chosen]
    fitting = [unit for unit, words in held if telling <= words and not (against - own) & content_words(unit.quote)]
    return fitting[0] if len(fitting) == 1 else None


def _shorten(side: str) -> str:
    """Return a side without the words that ask before it: "Which costs more, the train" is "the train"."""
    rest = re.split(r"\b(?:is|are|was|were|has|have|had|does|do|did|costs?|weighs?)\b", side)[-1].strip()
    return re.sub(r"^(?:the|an?)\s+", "", rest or side, flags=re.IGNORECASE)


def _read_compared(question: Question, measure: _ComparedProperty, unit: QuotableUnit) -> tuple[Quantity, str] | None:
    """Return the only value of a unit that can be compared, and how it is written."""
    given = {word.key for word in read_words(question.text) if word.is_number}
    if unit.sentence.kind == "table":
        return _read_cell(question, unit)
    text = plain_text(unit.quote)
    words = read_words(text)
    values: dict[str, tuple[Quantity, str]] = {}
    for position, word in enumerate(words):
        quantity = None if word.key in given else _read_value(measure, question, words, position)
        if quantity is not None:
            values.setdefault(word.key, (quantity, _write_value(text, words, position)))
    return next(iter(values.values())) if len(values) == 1 else None


def _write_value(text: str, words: Sequence[ClaimWord], position: int) -> str:
    """Return a value as it is written, with the word that it counts where it has no unit."""
    word = words[position]
    end = word.end
    is_counted = word.quantity is not None and not word.quantity.unit and position + 1 < len(words)
    if is_counted and words[position + 1].is_content and text[end : words[position + 1].start] == " ":
        end = words[position + 1].end
    return text[word.start : end].strip(" ,;.")


def _read_value(
    measure: _ComparedProperty, question: Question, words: Sequence[ClaimWord], position: int
) -> Quantity | None:
    word = words[position]
    if measure.is_date:
        year = word.date.year if word.date is not None else 0
        if not year and re.fullmatch(r"(?:1[0-9]|20)\d\d", word.text):
            year = int(word.text)
        if not year:
            return None
        month, day = (word.date.month, word.date.day) if word.date is not None else (0, 0)
        return Quantity(Decimal(year * 10_000 + month * 100 + day))
    if word.quantity is None:
        return None
    if measure.units and word.quantity.unit not in measure.units:
        return None
    if not measure.units and not word.quantity.unit:
        behind = words[position + 1] if position + 1 < len(words) else None
        if behind is None or stem_word(behind.text.casefold()) not in question.words:
            return None
    return word.quantity


def _read_cell(question: Question, unit: QuotableUnit) -> tuple[Quantity, str] | None:
    """Return the value of the column that is asked in a row of a table."""
    header, cells = unit.surroundings[3].split("|"), unit.quote.strip("| ").split("|")
    column = find_compared_column(question, [name.strip() for name in header])
    if column is None or column >= len(cells):
        return None
    value = read_value(cells[column])
    if value is None:
        return None
    return Quantity(value[0], "" if value[1] == "date" else value[1]), cells[column].strip()


def _scale(one: Quantity, other: Quantity) -> tuple[Decimal | None, Decimal | None]:
    """Return two values on one scale; None where they have none in common."""
    if one.unit == other.unit:
        return one.value, other.value
    return (one.value, convert_quantity(other, one.unit)) if is_convertible(one, other) else (None, None)
