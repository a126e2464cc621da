"""The type of value that a question asks for, and whether a text states one: money, durations, counts. Pure.

A sentence about the right thing is no answer where it lacks what is asked: "How many vehicles cross the bridge?" is not
answered by its limit of 18 tonnes. Only types that can be read without doubt are checked; other questions pass.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from roma_core.citations.numbers import CURRENCIES, UNITS, is_convertible
from roma_core.citations.words import ClaimWord, read_words

ValueType = Literal["money", "duration", "mass", "temperature", "power", "voltage", "length", "number", "count"]

_UNITS: Final[dict[ValueType, frozenset[str]]] = {
    "money": CURRENCIES | {"CENT"},
    "duration": frozenset("second millisecond minute hour day week month year decade century".split()),
    "mass": frozenset("gram kilogram milligram microgram tonne ton pound ounce stone".split()),
    "temperature": frozenset("degC degF kelvin degree".split()),
    "power": frozenset("watt kilowatt megawatt gigawatt".split()),
    "voltage": frozenset({"volt"}),
}
_PHRASES: Final[dict[ValueType, re.Pattern[str]]] = {
    "money": re.compile(
        r"\b(?:free|nothing|gratis|included|no (?:charge|fee|cost)|without charge|kilo-?euros?"
        r"|(?:pounds?|pence|euros?|dollars?|cents?|francs?|crowns?|rupees?|yen|yuan)(?! of\b))\b"
        r"|\d\s?(?:(?:million|billion|thousand)\s)?(?:bahts?|dinars?|dirhams?|drachmas?|forints?|guilders?|kronas?|kron[aeo]r?"
        r"|lir[ae]s?|marks?|pesos?|rand|reais|riyals?|rou?bles?|shekels?|shillings?|won|zlot(?:y|ys|ies))\b",
        re.I,
    ),
    "duration": re.compile(
        r"\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centur(?:y|ies)|nights?|until|since|always"
        r"|forever|lifetime|summer|winter|spring|autumn|season)\b",
        re.I,
    ),
    "temperature": re.compile(r"\b(?:freezing|boiling|degrees?)\b", re.I),
    "power": re.compile(r"\d\s*(?:k|m|g)?w\b|\bhorsepower\b|\bhp\b", re.I),
    "voltage": re.compile(r"\d\s*(?:k|m)?v\b|\b(?:kilo|milli)?volts?\b", re.I),
    "length": re.compile(
        r"\b(?:characters?|letters?|digits?|words?|pages?|lines?|signs?|symbols?|minutes?|hours?|seconds?|bytes?"
        r"|(?:centi|milli|kilo)?met(?:re|er)s?|inch(?:es)?|feet|[cmk]?m)\b",
        re.I,
    ),
    "mass": re.compile(r"\bweightless\b|\bdalton", re.I),
    "number": re.compile(
        r"\b(?:half|third|quarter|all|none|no|nothing|most|both|double|twice|once|entire(?:ly)?|whole)\b", re.I
    ),
    "count": re.compile(
        r"\b(?:no|none|nobody|nothing|both|single|only|several|half|all|every|dozens?|hundreds?|thousands?|millions?"
        r"|pairs?|couple|trio|once|twice|unlimited|any number)\b",
        re.I,
    ),
}
"""Words that state a value of a type without a number."""

_DESCRIPTIONS: Final[dict[ValueType, str]] = {
    "money": "an amount of money",
    "duration": "a length of time",
    "mass": "a weight",
    "temperature": "a temperature",
    "power": "a power",
    "voltage": "a voltage",
    "length": "a length",
    "number": "a number",
    "count": "a number",
}
_CUES: Final = frozenset(
    "cost costs price prices fee fees charge charges pay pays paid rent fine weigh weighs weighed last lasts lasted "
    "take takes took temperature power voltage".split()
)
"""Words behind which a number stands for a value although its unit is left out."""
_BEGINNING: Final = r"^\W*(?:(?:and|so|but|for|at|to|by|in|over|below|above|under|up to|from|with|of|after)\s+)*"
_PATTERNS: Final[tuple[tuple[str, ValueType], ...]] = (
    (r"how many\b", "count"),
    (r"how heavy\b", "mass"),
    (r"how (?:hot|cold|warm|cool)\b", "temperature"),
    (r"how long (?:must|should|may|can|shall|do|does) .*\bbe\W*$", "length"),
    (r"how (?:deep|high|tall|wide|broad|far|thick|fast|steep|large|big|old)\b", "number"),
    (r"how much (?:\w+\s+){0,2}?(?:does|do|did|will|would|must|should) .*\b(?:cost|pay|charge)\b", "money"),
    (r"how much money\b", "money"),
    (
        r"(?<!by )how much (?:is|are|was|were) (?!(?:it|that|this|there|left|known|too|enough)\b)(?:\w[\w-]* ){0,3}"
        r"(?!(?:discount|increase|rise|reduction|decrease|share|rate|left|known|needed|allowed|included)\b)[a-z-]+\W*$",
        "money",
    ),
    (
        r"how much (?:less|more|fewer|higher|lower|larger|smaller|longer|shorter|faster|slower|heavier|lighter)\b",
        "number",
    ),
    (r"(?:what|which) (?:\w+\s+){0,2}(?:voltage)\b", "voltage"),
    (r"(?:what|which)(?:'s| is| was| are| were)?(?: the)? (?:\w+\s+){0,1}temperature\b", "temperature"),
    (r"what (?:will|does|do|did|would|must|should) .*\b(?:cost|charge|pay)\b(?! (?:attention|heed|for\b))", "money"),
    (
        r"(?:what|which)(?:'s| is| was| are| were)?(?: the)? "
        r"(?!\w*[^\Wsu]s (?:price|cost|fee|fare|rent|salarie|wage)s\b)(?:\w+\s+){0,1}"
        r"(?:price|cost|fee|fare|rent|turnover|revenue|salary|wage|toll|deposit)s?\b"
        r"(?! (?:list|tag|range|model|type))",
        "money",
    ),
    (
        r"(?:what|which)(?:'s| is| was| are| were)?(?: the)? (?:\w+\s+){0,1}"
        r"(?:notice|guarantee|warranty|trial|waiting|retention|grace) period\b",
        "duration",
    ),
    (
        r"(?:what|which)(?:'s| is| was| are| were)?(?: the| its| their)? (?:\w+\s+){0,1}"
        r"(?:depth|height|width|diameter|thickness|angle|torque|speed|percentage|proportion|share|length|capacity|distance"
        r"|altitude|radius|weight)\b",
        "number",
    ),
)
_TYPES: Final = tuple((re.compile(_BEGINNING + pattern, re.IGNORECASE), kind) for pattern, kind in _PATTERNS)
_EXTENT: Final = re.compile(
    _BEGINNING
    + r"(?:how (?:deep|tall|wide|broad|thick)|(?:what|which)(?:'s| is| was| are| were)?(?: the| its| their)? "
    r"(?:\w+\s+){0,1}(?:depth|height|width|diameter|thickness|radius))\b",
    re.IGNORECASE,
)
"""Questions for a length of a thing, which no sum of money, time or percentage is."""
_WHAT_POWER: Final = re.compile(_BEGINNING + r"(?:what|which) power (?:has|have|does|do|is|was)\b", re.IGNORECASE)


@dataclass(frozen=True)
class AskedValue:
    """The type of value that a question asks for, and the unit where it names one: "how many tonnes"."""

    value_type: ValueType
    unit: str = ""
    given: frozenset[str] = frozenset()
    """The numbers and dates of the question, which are its conditions."""
    is_share: bool = False
    """True for "how many of them", which "all" answers."""
    is_hourly: bool = False
    """True for "how many hours a week", which days do not answer."""
    is_extent: bool = False
    """True for "how deep", which no percentage answers."""

    @property
    def units(self) -> frozenset[str]:
        """The units of such a value; none where any number does."""
        return _UNITS.get(self.value_type, frozenset())


@functools.lru_cache(maxsize=256)
def find_asked_value(question: str) -> AskedValue | None:
    """Return what a question asks for; None where no type of value is certain.

    >>> find_asked_value("How many tonnes of ice were sold?").unit, find_asked_value("Why is it closed?")
    ('tonne', None)
    """
    words = " ".join(question.split())
    given = frozenset(word.key for word in read_words(words) if word.is_number)
    if _WHAT_POWER.match(words):
        return AskedValue("power", given=given)
    for pattern, value_type in _TYPES:
        if pattern.match(words):
            unit = _find_unit(words) if value_type == "count" else ""
            return AskedValue(
                value_type,
                unit,
                given,
                is_share=_OF_THEM.search(words) is not None,
                is_hourly=_HOURS_OF.search(words) is not None,
                is_extent=_EXTENT.match(words) is not None,
            )
    return None


def find_asked_units(question: str) -> frozenset[str]:
    """Return the units that an answer can have, "" for none; empty where it can have any.

    >>> sorted(find_asked_units("How many people came?")), sorted(find_asked_units("Why is it closed?"))
    ([''], [])
    """
    asked = find_asked_value(question)
    if asked is None:
        return frozenset()
    return frozenset({asked.unit}) if asked.value_type == "count" else asked.units


_MEASURED: Final = re.compile(r"\bhow (?:many|much)\s+(?:[\w-]+\s+)?of\s+(?:the\s+)?(?P<thing>[\w-]+)", re.IGNORECASE)


def find_measured_thing(question: str) -> str:
    """Return the thing of which a question asks how much there is; nothing where it asks for no part or unit of one.

    >>> find_measured_thing("How many pairs of lapwings were counted?"), find_measured_thing("How many boats came?")
    ('lapwings', '')
    """
    found = _MEASURED.search(question)
    return found["thing"] if found is not None else ""


def describe_value(asked: AskedValue | None) -> str:
    """Return the type of value in words: "an amount of money".

    >>> describe_value(AskedValue("count", "tonne"))
    'a number'
    """
    return _DESCRIPTIONS[asked.value_type] if asked is not None else "a value"


def _find_unit(question: str) -> str:
    """Return the unit of "how many tonnes" or "how many vacation days"; nothing where things are counted."""
    match = _COUNTED_THINGS.search(question)
    nouns = [word for word in match["nouns"].casefold().split() if len(word) > 2] if match is not None else []
    return next((UNITS[noun] for noun in nouns if noun in UNITS), "")


_COUNTED_THINGS: Final = re.compile(
    r"\bhow many (?P<nouns>\w+(?:\s+(?!(?:of|in|at|on|for|per|an?|the|is|are|was|were|do|does|did|can|may|must|should"
    r"|will|would|has|have|had)\b)\w+){0,2})",
    re.IGNORECASE,
)
_HOURS_OF: Final = re.compile(r"\bhow many hours (?:an?|per|each|every) \w+", re.IGNORECASE)
"""A rate of hours, which days state as little as metres do: "four days a week"."""


def states_value(asked: AskedValue, text: str, *, is_line: bool = False) -> bool:
    """Return whether a text states a value of the type that is asked, beside those of the question.

    In a line of a table or of settings (``is_line``) any number does: its unit stands elsewhere. So does a number
    behind such a word as "costs".

    >>> states_value(AskedValue("count"), "The limit is 18 tonnes."), states_value(AskedValue("count"), "Four boats.")
    (False, True)
    """
    words = read_words(text)
    numbers = [word for word in words if word.is_number and word.key not in asked.given]
    quantities = [word for word in numbers if word.quantity is not None]
    if asked.is_extent:
        quantities = [word for word in quantities if _unit(word) not in _NO_LENGTHS]
    if is_line and (quantities or any(word.key.startswith("ord:") for word in numbers)):
        return True
    if asked.value_type == "number":
        return bool(quantities) or _has_phrase(asked.value_type, text) or _has_fraction(numbers)
    if asked.value_type == "length":
        return bool(quantities) and _has_phrase("length", text)
    if asked.value_type == "count":
        return _states_count(asked, quantities, text)
    units = _UNITS[asked.value_type]
    if any(_unit(word) in units for word in quantities) or _has_phrase(asked.value_type, text):
        return True
    return _has_bare_value(asked, words)


_NO_LENGTHS: Final = _UNITS["money"] | _UNITS["duration"] | _UNITS["mass"] | {"percent"}
_OF_THEM: Final = re.compile(r"\bhow many of\b", re.IGNORECASE)
_EACH: Final = re.compile(r"\b(?:all|every)\b", re.IGNORECASE)
"""Words that count nothing by themselves: all moorings are as many as there are."""


def _has_bare_value(asked: AskedValue, words: Sequence[ClaimWord]) -> bool:
    """Return whether a number without a unit stands behind a word that wants one: "the roof costs 340 000"."""
    for before, word in itertools.pairwise(words):
        is_bare = word.quantity is not None and not _unit(word) and word.key not in asked.given
        if is_bare and before.key in _CUES:
            return True
    return False


def _states_count(asked: AskedValue, quantities: Sequence[ClaimWord], text: str) -> bool:
    if asked.is_hourly:
        return any(_unit(word) in {"hour", "minute", ""} for word in quantities)
    if asked.unit:
        return any(_may_be_in(asked.unit, word) for word in quantities) or _has_phrase("count", text)
    is_counted = any(not _unit(word) and not _is_year(word) for word in quantities)
    return is_counted or _has_phrase("count", text if asked.is_share else _EACH.sub(" ", text))


def _may_be_in(unit: str, word: ClaimWord) -> bool:
    """Return whether a quantity has no unit, or one of what is asked for: grams are tonnes, kilograms are no watts."""
    stated = word.quantity
    return stated is not None and (stated.unit in {"", unit} or is_convertible(stated, replace(stated, unit=unit)))


def _has_phrase(value_type: ValueType, text: str) -> bool:
    stated = _PER_TIME.sub(" ", text) if value_type == "duration" else text
    return _PHRASES[value_type].search(stated) is not None


_PER_TIME: Final = re.compile(
    r"\b(?:each|every|per)\s+(?:second|minute|hour|day|week|month|year|decade|night|summer|winter|spring|autumn)\b",
    re.I,
)
"""A time that something is counted by, which is no length of time: "2 000 euros for each week of delay"."""


def _has_fraction(numbers: Sequence[ClaimWord]) -> bool:
    return any(word.key.startswith("ord:") for word in numbers)


def _unit(word: ClaimWord) -> str:
    return word.quantity.unit if word.quantity is not None else ""


def _is_year(word: ClaimWord) -> bool:
    return re.fullmatch(r"(?:1[5-9]|20)\d\d", word.text) is not None
