"""Conflicts between two sources in German, French or Spanish that answer one question with other values. Pure.

The values are those that the question asks for: a price, an hour, a day, a length of time, or how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from roma_core.citations.conflicts import Conflict, ConflictKind
from roma_core.languages import MONTH_WORDS, drop_accents
from roma_core.writers.extractive.foreign_types import ValueType, find_foreign_type
from roma_core.writers.extractive.numerals import (
    WRITTEN_NUMBER,
    NumberStyle,
    find_language_style,
    write_plainly,
)

Values = dict[str, str]
"""Values of a sentence in one spelling, with the words in which it states them."""

_MONEY: Final = re.compile(
    rf"(?P<number>{WRITTEN_NUMBER})\s?(?:€|euros?|eur|chf|franken|francs?|d[oó]lares|dollars?|\$)(?!\w)"
    rf"|(?:€|eur|chf|\$)\s?(?P<behind>{WRITTEN_NUMBER})",
    re.IGNORECASE,
)
_HOURS: Final = re.compile(
    r"(?<![\d.,:])(?P<first>\d{1,2})(?:[:.h](?P<minutes>\d\d))?(?=\s*(?:uhr|h\b|heures?\b|horas?\b)"
    r"|\s*(?:bis|à|a|[-–])\s*\d{1,2}(?:[:.h]\d\d)?\s*(?:uhr|h\b|heures?\b|horas?\b))|(?<![\d.,:])(?P<hour>\d{1,2})[:h](?P<past>\d\d)\b",
    re.IGNORECASE,
)
_DAY_OF_MONTH: Final = re.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})(?:\.|er|º)?\s+(?:de\s+)?(?P<month>{'|'.join(MONTH_WORDS)})(?!\w)", re.IGNORECASE
)
_SPANS_OF_TIME: Final[tuple[tuple[str, str], ...]] = (
    ("minute", r"minuten?|minutes?|minutos?|min"),
    ("hour", r"stunden?|heures?|horas?"),
    ("day", r"tage?n?|jours?|d[ií]as?"),
    ("week", r"wochen?|semaines?|semanas?"),
    ("month", r"monate?n?|mois|mes(?:es)?"),
    ("year", r"jahre?n?|ans?|années?|años?"),
)
_TIME_UNIT: Final = "|".join(rf"(?P<{unit}>{words})" for unit, words in _SPANS_OF_TIME)
_NUMBER_WORDS: Final[dict[str, int]] = {
    word: value
    for value, words in {
        1: "ein eine einen einem einer un une uno una",
        2: "zwei deux dos",
        3: "drei trois tres",
        4: "vier quatre cuatro",
        5: "fünf cinq cinco",
        6: "sechs six seis",
        7: "sieben sept siete",
        8: "acht huit ocho",
        9: "neun neuf nueve",
        10: "zehn dix diez",
        12: "zwölf douze doce",
        14: "vierzehn quatorze catorce",
        15: "fünfzehn quinze quince",
        20: "zwanzig vingt veinte",
        30: "dreißig trente treinta",
    }.items()
    for word in words.split()
}
_AMOUNT: Final = rf"(?P<number>{WRITTEN_NUMBER}|{'|'.join(_NUMBER_WORDS)})"
_DURATION: Final = re.compile(rf"(?<![\w.,]){_AMOUNT}\s+(?:[^\W\d]+\s+)?(?:{_TIME_UNIT})(?!\w)", re.IGNORECASE)
_COUNT: Final = re.compile(
    rf"(?<![\w.,]){_AMOUNT}\s+(?:(?:de|des|der|d['’])\s*)?(?P<thing>[^\W\d]{{3,}})", re.IGNORECASE
)
_NEW: Final = re.compile(
    r"\b(?:künftig|neue?[rnms]?|nunmehr|désormais|nouve\w+|nuev[oa]s?|ahora)\b"
    r"|\b(?:ab|seit|dès|depuis|à partir d(?:e|u|['’])|a partir de|desde)\s*(?:(?:dem|le|el|de|1er|\d{1,2}\.?)\s+){0,3}"
    rf"(?:{'|'.join(MONTH_WORDS)}|20\d\d|sofort|maintenant|hoy)\b",
    re.IGNORECASE,
)
"""What a sentence or title says that changes something."""
_LETTERS: Final = 5
"""Letters by which a counted thing is compared, whatever its ending."""


def find_foreign_conflict(question: str, first: str, second: str, languages: tuple[str, str]) -> Conflict | None:
    """Return how two sentences answer a question with other values; None where either has none or they agree.

    ``languages`` are those of the sentences, by which their numbers are read; the question's are read as those of the
    first. Values of the question are its conditions. Those of one sentence that the other one has too are no conflict,
    where it has no others.

    >>> conflict = find_foreign_conflict("Was kostet das?", "Es kostet 4 €.", "Preis: 1.200,50 €", ("de", "de"))
    >>> conflict.second
    ('1.200,50 €',)
    """
    asked = find_foreign_type(question)
    if asked is None:
        return None
    style, other_style = map(find_language_style, languages)
    for reader in _READERS[asked.value_type]:
        given = reader.read(question, style).keys()
        one, other = reader.read(first, style), reader.read(second, other_style)
        mine = {key: text for key, text in one.items() if key not in given}
        theirs = {key: text for key, text in other.items() if key not in given}
        if asked.value_type == "number":
            things = {key.partition(" ")[2] for key in mine} & {key.partition(" ")[2] for key in theirs}
            mine = {key: text for key, text in mine.items() if key.partition(" ")[2] in things}
            theirs = {key: text for key, text in theirs.items() if key.partition(" ")[2] in things}
        if mine and theirs:
            is_other = not (mine.keys() <= theirs.keys() or theirs.keys() <= mine.keys())
            return Conflict(reader.kind, tuple(mine.values()), tuple(theirs.values())) if is_other else None
    return None


def announces_change(text: str) -> bool:
    """Return whether a sentence or title says that something is new or holds from some time on.

    >>> announces_change("Ab Juni kostet es 28 Euro."), announces_change("Es kostet 20 Euro.")
    (True, False)
    """
    return _NEW.search(text) is not None


def _read_number(written: str, style: NumberStyle) -> str:
    """Return a number in one spelling: "1.234,50" is "1234.5"."""
    if (value := _NUMBER_WORDS.get(written.casefold())) is not None:
        return str(value)
    plain = write_plainly(written, style)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _read_money(text: str, style: NumberStyle) -> Values:
    return {_read_number(found["number"] or found["behind"], style): found[0] for found in _MONEY.finditer(text)}


def _read_hours(text: str, _: NumberStyle) -> Values:
    hours = {}
    for found in _HOURS.finditer(text):
        hour, minutes = found["first"] or found["hour"], found["minutes"] or found["past"] or "00"
        hours[f"{int(hour)}:{minutes}"] = found[0]
    return hours


def _read_days(text: str, _: NumberStyle) -> Values:
    found = _DAY_OF_MONTH.finditer(text)
    return {f"{MONTH_WORDS[day['month'].casefold()]}-{int(day['day'])}": day[0] for day in found}


def _read_durations(text: str, style: NumberStyle) -> Values:
    durations = {}
    for found in _DURATION.finditer(text):
        unit = next(unit for unit, _ in _SPANS_OF_TIME if found[unit])
        durations[f"{_read_number(found['number'], style)} {unit}"] = found[0]
    return durations


def _read_counts(text: str, style: NumberStyle) -> Values:
    counts = {}
    for found in _COUNT.finditer(text):
        thing = drop_accents(found["thing"].casefold())[:_LETTERS]
        counts[f"{_read_number(found['number'], style)} {thing}"] = found[0]
    return counts


@dataclass(frozen=True)
class _Reader:
    """How values of one kind are read."""

    kind: ConflictKind
    read: Callable[[str, NumberStyle], Values]


_READERS: Final[dict[ValueType, tuple[_Reader, ...]]] = {
    "price": (_Reader("number", _read_money),),
    "clock time": (_Reader("time", _read_hours),),
    "time": (_Reader("time", _read_hours), _Reader("date", _read_days)),
    "duration": (_Reader("number", _read_durations),),
    "number": (_Reader("number", _read_counts),),
}
