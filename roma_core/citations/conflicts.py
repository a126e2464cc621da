"""Conflicts between sources, and copies: two sentences about one thing with another number, date or name. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal, TypeVar

from roma_core.citations.lexicon import ANTONYMS, APPROXIMATIONS, DENIALS, WEEKDAYS
from roma_core.citations.numbers import Date, Quantity, convert_quantity, is_convertible, same_quantity
from roma_core.citations.words import ClaimWord, read_words

_T = TypeVar("_T")
ConflictKind = Literal["number", "date", "time", "name", "polarity"]

LEAST_SHARED = 0.6
"""Share of the content words, numbers and names left out, that two sentences about one thing have in common."""
MOST_APART = 12.0
"""Factor up to which amounts in other units can be two values of one thing."""
MOST_TIMES = 1000
"""Factor up to which two counts can be values of one thing."""
ABOUT = Decimal("0.05")
"""Share of an amount by which another one may differ from it where either is said to be about so much."""
LEAST_WORDS_APART = 4
"""Content words that both must have where nothing says that their documents are about one thing."""


@dataclass(frozen=True)
class Conflict:
    """What one sentence says and another one denies: the words that differ, of the first and of the second.

    >>> find_conflict("The limit for hotels is 90 €.", "The limit for hotels is 120 €.").kind
    'number'
    """

    kind: ConflictKind
    first: tuple[str, ...]
    second: tuple[str, ...]


def find_conflict(first: str, second: str, *, same_subject: bool = True) -> Conflict | None:
    """Return how two sentences contradict each other; None where they agree, add to each other or differ in subject.

    ``same_subject`` says that their documents are about one thing, so that fewer words need to be shared.
    """
    ones, others = read_words(first), read_words(second)
    words, other_words = _plain_words(ones), _plain_words(others)
    shared = words & other_words
    least = 1 if same_subject else LEAST_WORDS_APART
    if len(shared) < least or len(shared) < LEAST_SHARED * min(len(words), len(other_words)):
        return None
    amounts = _compare_quantities(
        _read_quantities(ones, set()), _read_quantities(others, set()), shared, are_alike=True
    )
    found = amounts or _compare_uncounted(ones, others)
    if found is not None:
        return found
    if len(shared) < 0.75 * max(len(words), len(other_words)):
        return None
    denied, other_denied = _denials(ones), _denials(others)
    if bool(denied) != bool(other_denied) and _values(ones, "number").keys() == _values(others, "number").keys():
        return Conflict("polarity", denied, other_denied)
    names, other_names = _names(ones), _names(others)
    if 1 <= len(names) <= 3 and len(names) == len(other_names) and not names.keys() & other_names.keys():
        return Conflict("name", tuple(names.values()), tuple(other_names.values()))
    return None


def find_answer_conflict(
    question: str, first: str, second: str, units: frozenset[str] = frozenset()
) -> Conflict | None:
    """Return how two sentences answer a question with other values; None where either has none of its own.

    However differently they are worded, values of one unit, of one counted thing or of one calendar are compared. The
    values that the question names are its conditions, not its answer. ``units`` are those that an answer can have.

    >>> find_answer_conflict("How many people fit in?", "Twelve hundred people fit in.", "At most 900 people.").kind
    'number'
    """
    asked = read_words(question)
    given = {word.key for word in asked if word.is_number}
    ones, others = read_words(_spell_out(first)), read_words(_spell_out(second))
    if asks_date(question):
        dates, other_dates = _read_dates(ones, given), _read_dates(others, given)
        if dates and other_dates:
            return _compare_dates(dates, other_dates)
        return _compare_clocks(question, first, second) or _compare_weekdays(ones, others)
    if (clocks := _compare_clocks(question, first, second)) is not None:
        return clocks
    if _ASKS_WHETHER.match(question):
        return _compare_denials(asked, ones, others) or _compare_opposites(asked, ones, others)
    counted = {word.stem or word.key for word in asked if word.kind == "word" and word.is_content}
    mine, theirs = _read_quantities(ones, given), _read_quantities(others, given)
    if units:
        mine = [amount for amount in mine if amount.quantity.unit in units]
        theirs = [amount for amount in theirs if amount.quantity.unit in units]
    return _compare_quantities(mine, theirs, counted)


def is_near_copy(first: str, second: str) -> bool:
    """True when two texts say the same in nearly the same words: same numbers, names and denials.

    >>> is_near_copy("The fee is 5 €.", "the fee is 5 € ."), is_near_copy("The fee is 5 €.", "The fee is 6 €.")
    (True, False)
    """
    ones, others = read_words(first), read_words(second)
    keys, other_keys = [word.key for word in ones], [word.key for word in others]
    if keys == other_keys:
        return bool(keys)
    if not keys or not other_keys or not 0.8 < len(keys) / len(other_keys) < 1.25:
        return False
    if {w.key for w in ones if w.is_number or w.key in DENIALS} != {
        w.key for w in others if w.is_number or w.key in DENIALS
    }:
        return False
    if _names(ones).keys() != _names(others).keys():
        return False
    pairs, other_pairs = set(pairwise(keys)), set(pairwise(other_keys))
    union = pairs | other_pairs
    return bool(union) and len(pairs & other_pairs) >= 0.85 * len(union)


@dataclass(frozen=True)
class TextSignature:
    """The words of a text in pairs, and its numbers: by these, copies of a long text are found."""

    pairs: frozenset[tuple[str, str]]
    numbers: frozenset[str]

    @staticmethod
    @functools.lru_cache(maxsize=1024)
    def of(text: str) -> TextSignature:
        """Return the signature of a text. The passages of one question are often those of the next."""
        keys = re.findall(r"\w+", text.casefold())
        numbers = frozenset(key for key in keys if _HAS_DIGIT.search(key))
        return TextSignature(frozenset(pairwise(keys)), numbers)

    def is_like(self, other: TextSignature) -> bool:
        """Return whether two texts have nearly the same words, whatever their numbers."""
        union = len(self.pairs | other.pairs)
        return bool(union) and len(self.pairs & other.pairs) >= LIKE * union


_HAS_DIGIT = re.compile(r"\d")
LIKE = 0.8
"""Share of their pairs of words that two texts have in common from which on one is a copy of the other."""


_ASKS_WHETHER = re.compile(
    r"^\W*(?:and |so |but )?(?:is|are|was|were|do|does|did|can|could|may|must|has|have|had|will)\b", re.IGNORECASE
)
_ASKS_AMOUNT = re.compile(
    r"\bhow (?!do\b|does\b|did\b|can\b|is\b|are\b|was\b|were\b|should\b|to\b)\w+\b|^\W*(?:\w+ ){0,2}(?:what|which)\b",
    re.IGNORECASE,
)
_ASKS_DATE = re.compile(
    r"^\W*(?:since |until |from |by |and )?when\b|\b(?:which|what) (?:date|day|month|year)\b", re.IGNORECASE
)


def agree_on_answer(question: str, first: str, second: str) -> bool:
    """Return whether two sentences have a value in common, which the question does not name, and none that differs.

    >>> agree_on_answer("At which berth does work begin?", "It begins at berth 6.", "They began at berth 6.")
    True
    """
    if find_answer_conflict(question, first, second) is not None:
        return False
    given = {word.key for word in read_words(question) if word.is_number}
    ones, others = read_words(_spell_out(first)), read_words(_spell_out(second))
    if asks_date(question):
        mine, theirs = _read_dates(ones, given), _read_dates(others, given)
        return any(_can_be_one_date(one, other) for _, one in mine for _, other in theirs)
    counted = {word.stem or word.key for word in read_words(question) if word.kind == "word" and word.is_content}
    for one in _read_quantities(ones, given):
        for other in _read_quantities(others, given):
            if _measure_one_thing(one, other, counted) and _is_same_amount(one, other):
                return True
    return False


def find_correction(first: str, second: str, units: frozenset[str] = frozenset()) -> Conflict | None:
    """Return how the second sentence corrects a number of the first one; None where it does not.

    ``units`` are those that the number can have, "" for none; by default it can have any.

    >>> find_correction("Eleven hectares burnt.", "We measured 9.4 hectares, not eleven.").second
    ('9.4',)
    """
    ones, others = read_words(_spell_out(first)), read_words(_spell_out(second))
    mine = _keep_units(_read_quantities(ones, set()), units)
    denied = {word.quantity.value for at, word in enumerate(others) if word.quantity and _is_denied(others, at)}
    wrong = [amount for amount in mine if amount.quantity.value in denied]
    right = [amount for amount in _read_quantities(others, set()) if amount.quantity.value not in denied]
    if not wrong or not right:
        return None
    return Conflict("number", tuple(amount.text for amount in wrong), tuple(amount.text for amount in right))


def correct_report(
    question: str, first: str, report: str, following: str, units: frozenset[str] = frozenset()
) -> Conflict | None:
    """Return how a source that reports the value of the first one goes on with another value; None where it does not.

    Numbers of the question are none, and ``units`` are those that the value can have, "" for none.

    >>> correct_report("For how long?", "It shut for five hours.", "The log says five hours.", "It was eight.").second
    ('eight',)
    """
    if _GOES_ON.match(following) is None:
        return None
    given = {word.key for word in read_words(question) if word.is_number}
    stated, reported, instead = (
        _read_quantities(read_words(_spell_out(text)), given) for text in (first, report, following)
    )
    for amount in _keep_units(reported, units):
        if not any(_is_same_amount(amount, other) for other in stated):
            continue
        for other in instead[:1]:
            is_alike = other.quantity.unit in {"", amount.quantity.unit} and not other.numbered
            if is_alike and other.quantity.value != amount.quantity.value:
                return Conflict("number", (amount.text,), (other.text,))
    return None


_GOES_ON: re.Pattern[str] = re.compile(
    r"\W*(?:(?:but|yet|no|in fact|actually)\b,?\s+)?(?:it|they|we|that|this|there|these|those)\b", re.IGNORECASE
)
"""How a sentence begins that says of the same thing what is so."""
_SPELT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bthree quarters of an hour\b", re.IGNORECASE), "45 minutes"),
    (re.compile(r"\b(?:a )?quarter of an hour\b", re.IGNORECASE), "15 minutes"),
    (re.compile(r"\bhalf an hour\b", re.IGNORECASE), "30 minutes"),
    (re.compile(r"\bhalf a (kilomet(?:re|er)|met(?:re|er)|mile|tonne|ton|litre|liter)\b", re.IGNORECASE), r"0.5 \1s"),
    (re.compile(r"\b(?:a|one) (third|quarter|fifth) of\b", re.IGNORECASE), r"one \1 of"),
    (re.compile(r"\ban? (second|minute|hour|day|week|month|year)\b", re.IGNORECASE), r"1 \1"),
)
"""Amounts that are written without a number, and the same with one."""


@functools.lru_cache(maxsize=4096)
def _spell_out(text: str) -> str:
    for pattern, amount in _SPELT:
        text = pattern.sub(amount, text)
    return text


def asks_value(question: str) -> bool:
    """Return whether a question asks for a number, an amount, a date, or yes or no.

    >>> asks_value("How long does it take?"), asks_value("Why does it take so long?")
    (True, False)
    """
    return any(pattern.search(question) for pattern in (_ASKS_DATE, _ASKS_AMOUNT, _ASKS_WHETHER))


def asks_date(question: str) -> bool:
    """Return whether a question asks for a date.

    >>> asks_date("When was it built?"), asks_date("How old is it?")
    (True, False)
    """
    return _ASKS_DATE.search(question) is not None


@dataclass(frozen=True)
class _Amount:
    """A quantity as it is written, with the stem of what it counts, or of what it numbers: "berth 6"."""

    text: str
    quantity: Quantity
    counted: str = ""
    numbered: str = ""
    described: frozenset[str] = frozenset()
    """Stems of the two words behind it: "27 lost sailings" are sailings."""
    key: frozenset[str] = frozenset()
    """Stems of the key of settings whose bare value it is: "oxygen_low_mg_l = 1.0"."""
    is_about: bool = False
    """It is said to be near this value: "nearly 80"."""

    @property
    def is_bare(self) -> bool:
        """Return whether it has no unit, and nothing that it counts or numbers."""
        return not (self.quantity.unit or self.counted or self.numbered or self.key)


def _read_dates(words: Sequence[ClaimWord], given: set[str]) -> list[tuple[str, Date]]:
    """Return the dates of a sentence with their text; a year alone is a date too."""
    dates: list[tuple[str, Date]] = []
    for position, word in enumerate(words):
        if word.key in given or _is_denied(words, position):
            continue
        if word.date is not None:
            dates.append((word.text, word.date))
        elif _is_year(words, position):
            dates.append((word.text, Date(int(word.text), 0, 0)))
    return dates


def _is_year(words: Sequence[ClaimWord], position: int) -> bool:
    """True for "2031", and for an earlier year behind a word of time: "founded in 1816"."""
    word = words[position]
    if word.kind != "number" or _unit(word):
        return False
    if re.fullmatch(r"(?:19|20)\d\d", word.text):
        return True
    is_behind = position > 0 and words[position - 1].key in _TIME_LEADS
    return is_behind and re.fullmatch(r"1[0-8]\d\d", word.text) is not None


def _is_denied(words: Sequence[ClaimWord], position: int) -> bool:
    """True for the sixty of "90 degrees, not 60" and of "90 degrees instead of 60"."""
    before = tuple(word.key for word in words[max(0, position - 2) : position])
    return before[-1:] != () and (before[-1] in DENIALS or before in _PUTS_ASIDE)


_TIME_LEADS = frozenset("in since by until till from before after during".split())
_COPULAS = frozenset("is are was were be been being".split())
_WITHIN_KEY = frozenset("_-.")
_BEHIND_KEY = frozenset(":=")
_ERAS = frozenset("bc bce ad ce".split())
_PUTS_ASIDE = frozenset({("instead", "of"), ("rather", "than"), ("no", "longer")})


def _unit(word: ClaimWord) -> str:
    return word.quantity.unit if word.quantity is not None else ""


def _read_quantities(words: Sequence[ClaimWord], given: set[str]) -> list[_Amount]:
    """Return the quantities of a sentence: no years, ordinals or times of day, and none that the question names."""
    amounts: list[_Amount] = []
    for position, word in enumerate(words):
        if word.quantity is None or word.key in given or _is_denied(words, position):
            continue
        if _is_year(words, position) or _is_part_of_code(words, position) or _is_part_of_clock(words, position):
            continue
        if _is_one_of(words, position) or _has_era(words, position):
            continue
        key = _find_key(words, position)
        counted = "" if key and _is_key(words, position + 1) else _find_counted(words, position)
        numbered = ""
        if counted or word.quantity.unit:
            key = []
        elif len(key) == 1 and _is_plural(key[0]):
            counted = key[0].stem or key[0].key
        elif len(key) <= 1:
            numbered = _stem_at(words, position - 1)
        described = frozenset({counted, _stem_at(words, position + 2)} - {""}) if counted else frozenset()
        named = frozenset(part.stem or part.key for part in key)
        is_about = position > 0 and words[position - 1].key in APPROXIMATIONS
        amounts.append(_Amount(word.text, word.quantity, counted, numbered, described, named, is_about))
    return amounts


def _keep_units(amounts: Sequence[_Amount], units: frozenset[str]) -> list[_Amount]:
    return [amount for amount in amounts if not units or amount.quantity.unit in units]


def _is_part_of_code(words: Sequence[ClaimWord], position: int) -> bool:
    """True for the numbers of "731-0140": a hyphen joins them, and the second begins with a zero or both are long."""
    for first in (position - 2, position):
        if first < 0 or first + 2 >= len(words):
            continue
        one, hyphen, other = words[first : first + 3]
        is_joined = hyphen.text == "-" and not hyphen.gap.strip("-") and one.text.isdigit() and other.text.isdigit()
        if is_joined and (other.text.startswith("0") or (len(one.text) >= 3 and len(other.text) >= 3)):
            return True
    return False


def _is_part_of_clock(words: Sequence[ClaimWord], position: int) -> bool:
    """True for the numbers of "12:30"."""
    pairs = ((words[at], words[at + 1]) for at in (position - 1, position) if 0 <= at < len(words) - 1)
    return any(
        minutes.gap == ":" and _CLOCK.fullmatch(f"{hour.text}:{minutes.text[:2]}") is not None
        for hour, minutes in pairs
    )


def _is_one_of(words: Sequence[ClaimWord], position: int) -> bool:
    """True for the number of "It is one of the series", which counts nothing."""
    if not 0 < position < len(words) - 1 or words[position].text.casefold() != "one":
        return False
    return words[position + 1].key == "of" and words[position - 1].key in _COPULAS


def _find_key(words: Sequence[ClaimWord], position: int) -> list[ClaimWord]:
    """Return the words of the key of settings whose value stands at a position, the last one first."""
    if words[position].gap.strip() not in _BEHIND_KEY:
        return []
    key: list[ClaimWord] = []
    for at in range(position - 1, -1, -1):
        key.append(words[at])
        if words[at].gap not in _WITHIN_KEY:
            break
    return key


def _find_counted(words: Sequence[ClaimWord], position: int) -> str:
    """Return the stem of what a number counts, be it a part of them: "three of the largest looms"."""
    at = position + 1
    if at < len(words) and words[at].key == "of":
        at = next((place for place in range(at, min(at + 3, len(words))) if words[place].is_content), at)
    return _stem_at(words, at)


def _is_key(words: Sequence[ClaimWord], position: int) -> bool:
    """True for a word that begins a key of settings: the ``retry`` of ``retry_max: 3``."""
    gap = next((word.gap.strip() for word in words[position + 1 :] if word.gap not in _WITHIN_KEY), "")
    return gap in _BEHIND_KEY


def _is_plural(word: ClaimWord) -> bool:
    text = word.text.casefold()
    return text.endswith("s") and not text.endswith("ss") and (word.stem or text) != text


def _has_era(words: Sequence[ClaimWord], position: int) -> bool:
    """True for the year of "around 300 BC"."""
    return position < len(words) - 1 and words[position + 1].key in _ERAS


def _stem_at(words: Sequence[ClaimWord], position: int) -> str:
    """Return the stem of the content word at a position; nothing where there is none."""
    if not 0 <= position < len(words):
        return ""
    word = words[position]
    return word.stem or word.key if word.kind == "word" and word.is_content else ""


def _find_unmatched(own: Sequence[_T], others: Sequence[_T], are_same: Callable[[_T, _T], bool]) -> list[_T]:
    """Return the values of one side that are none of the other side's."""
    return [value for value in own if not any(are_same(value, other) for other in others)]


def _compare_dates(mine: Sequence[tuple[str, Date]], theirs: Sequence[tuple[str, Date]]) -> Conflict | None:
    """Return the dates of each side that can be none of the other side's; None where a side has no such date."""
    only = _find_unmatched(mine, theirs, _have_one_date)
    only_theirs = _find_unmatched(theirs, mine, _have_one_date)
    if not only or not only_theirs:
        return None
    return Conflict("date", tuple(text for text, _ in only), tuple(text for text, _ in only_theirs))


def _compare_weekdays(ones: Sequence[ClaimWord], others: Sequence[ClaimWord]) -> Conflict | None:
    """Return how the days of the week differ; None where a day is named by both or only one names any."""
    mine = {word.key: word.text for word in ones if word.key in WEEKDAYS}
    theirs = {word.key: word.text for word in others if word.key in WEEKDAYS}
    if not mine or not theirs or mine.keys() & theirs.keys():
        return None
    return Conflict("date", tuple(mine.values()), tuple(theirs.values()))


_CLOCK: re.Pattern[str] = re.compile(
    r"(?<![\d:.,])([01]?\d|2[0-4])[:.]([0-5]\d)(?![\d:]|[.,]\d|\s?(?:€|\$|£|%|euros?\b))"
)


def _compare_clocks(question: str, first: str, second: str) -> Conflict | None:
    """Return how the times of day differ; None where one is the same, or only one sentence names any.

    Spans of time that have one end in common differ by the other: "from 17:00 to 23:00" and "from 18:00 to 23:00".
    """
    given = set(_CLOCK.findall(question))
    mine = {found.groups(): found[0] for found in _CLOCK.finditer(first) if found.groups() not in given}
    theirs = {found.groups(): found[0] for found in _CLOCK.finditer(second) if found.groups() not in given}
    if not mine or not theirs:
        return None
    if mine.keys() & theirs.keys():
        return _compare_spans_of_clock(first, second)
    return Conflict("time", tuple(mine.values()), tuple(theirs.values()))


_TO = re.compile(r"\s*(?:to|until|till|[-–—])\s*", re.IGNORECASE)


def _compare_spans_of_clock(first: str, second: str) -> Conflict | None:
    """Return how the only span of each sentence differs; None where they speak of other days of the week."""
    spans = [_list_spans_of_clock(text) for text in (first, second)]
    days = [{day for day in WEEKDAYS if day in text.casefold()} for text in (first, second)]
    if any(len(own) != 1 for own in spans) or spans[0].keys() == spans[1].keys() or days[0] != days[1]:
        return None
    return Conflict("time", tuple(spans[0].values()), tuple(spans[1].values()))


def _list_spans_of_clock(text: str) -> dict[tuple[object, object], str]:
    """Return the spans of time in a text by their ends, as they are written."""
    pairs = pairwise(_CLOCK.finditer(text))
    return {
        (start.groups(), end.groups()): text[start.start() : end.end()]
        for start, end in pairs
        if _TO.fullmatch(text, start.end(), end.start())
    }


def _compare_opposites(
    asked: Sequence[ClaimWord], ones: Sequence[ClaimWord], others: Sequence[ClaimWord]
) -> Conflict | None:
    """Return opposites of which one is asked about: "open" beside "closed"; None where a sentence denies its word."""
    if _denials(ones) or _denials(others):
        return None
    keys = {word.key for word in asked}
    mine, theirs = {word.key: word.text for word in ones}, {word.key: word.text for word in others}
    for key, text in mine.items():
        for other, other_text in theirs.items():
            is_asked = key in keys or other in keys
            if is_asked and frozenset((key, other)) in ANTONYMS and key not in theirs and other not in mine:
                return Conflict("polarity", (text,), (other_text,))
    return None


def _compare_denials(
    asked: Sequence[ClaimWord], ones: Sequence[ClaimWord], others: Sequence[ClaimWord]
) -> Conflict | None:
    """Return what one sentence denies and the other one says: "is not allowed" beside "is allowed in summer".

    Both have all the words that are asked, so that a longer sentence may add conditions, but speaks of the same thing.
    """
    wanted, said, other_said = _content_stems(asked), _content_stems(ones), _content_stems(others)
    if not wanted or not wanted <= said & other_said or bool(_denials(ones)) == bool(_denials(others)):
        return None
    denying, affirming = (ones, other_said) if _denials(ones) else (others, said)
    denied = [_next_content(denying, at) for at, word in enumerate(denying) if word.key in DENIALS]
    if not any(stem in affirming for stem in denied):
        return None
    return Conflict("polarity", _denials(ones), _denials(others))


def _content_stems(words: Sequence[ClaimWord]) -> set[str]:
    return {word.stem or word.key for word in words if word.kind == "word" and word.is_content}


def _next_content(words: Sequence[ClaimWord], position: int) -> str:
    """Return the stem of the first content word behind a position; nothing where none follows."""
    return next(
        (word.stem or word.key for word in words[position + 1 :] if word.kind == "word" and word.is_content), ""
    )


def _have_one_date(one: tuple[str, Date], other: tuple[str, Date]) -> bool:
    return _can_be_one_date(one[1], other[1])


def _can_be_one_date(one: Date, other: Date) -> bool:
    """True when no part that both dates give differs."""
    parts = ((one.year, other.year), (one.month, other.month), (one.day, other.day))
    return all(not mine or not theirs or mine == theirs for mine, theirs in parts)


def _compare_quantities(
    mine: Sequence[_Amount], theirs: Sequence[_Amount], asked: set[str], *, are_alike: bool = False
) -> Conflict | None:
    """Return the amounts of each side that the other one lacks, where they measure one thing; else None.

    In sentences that ``are_alike`` ("the score was 7") so do numbers that count nothing.
    """
    only = _find_unmatched(mine, theirs, _is_same_amount)
    only_theirs = _find_unmatched(theirs, mine, _is_same_amount)
    differing = [
        (one, other)
        for one in only
        for other in only_theirs
        if _measure_one_thing(one, other, asked) or (are_alike and one.is_bare and other.is_bare)
    ]
    if not differing:
        return None
    firsts = dict.fromkeys(one.text for one, _ in differing)
    seconds = dict.fromkeys(other.text for _, other in differing)
    return Conflict("number", tuple(firsts), tuple(seconds))


def _is_same_amount(one: _Amount, other: _Amount) -> bool:
    """True for equal amounts, and for one that is near to what the other one is said to be about."""
    if same_quantity(one.quantity, other.quantity) or same_quantity(other.quantity, one.quantity):
        return True
    is_about = one.is_about or other.is_about
    apart = abs(one.quantity.value - other.quantity.value)
    return is_about and one.quantity.unit == other.quantity.unit and apart <= ABOUT * abs(one.quantity.value)


def _measure_one_thing(one: _Amount, other: _Amount, asked: set[str]) -> bool:
    """True when two amounts have one unit, count or number one thing, or one of them counts what is asked.

    The bare value of a setting is of what its key names, so that has to be asked.
    """
    if one.quantity.unit or other.quantity.unit:
        return one.quantity.unit == other.quantity.unit or _are_near(one.quantity, other.quantity)
    key = one.key | other.key
    if key and not key & asked:
        return False
    if one.numbered or other.numbered:
        return one.numbered == other.numbered
    if not _are_of_one_order(one.quantity, other.quantity):
        return False
    if one.counted and (one.counted == other.counted or one.described & other.described & asked):
        return True
    return bool((key | {one.counted, other.counted}) & asked) and not (one.counted and other.counted)


def _are_of_one_order(one: Quantity, other: Quantity) -> bool:
    """True where a count can be another one's: seven areas are not the 22,680,010 people who live in them."""
    less, more = sorted((abs(one.value), abs(other.value)))
    return not less or more <= MOST_TIMES * less


def _are_near(one: Quantity, other: Quantity) -> bool:
    """True when two amounts in other units are of one order: six days of tests are not the 29 minutes of a flight."""
    if not is_convertible(one, other):
        return False
    converted = convert_quantity(other, one.unit)
    if not converted or not one.value:
        return False
    return 1 / MOST_APART <= abs(float(converted / one.value)) <= MOST_APART


def _plain_words(words: Sequence[ClaimWord]) -> set[str]:
    return {word.stem or word.key for word in words if word.kind == "word" and word.is_content and not word.is_name}


def _values(words: Sequence[ClaimWord], kind: str) -> dict[str, str]:
    return {word.key: word.text for place, word in enumerate(words) if word.kind == kind and not _has_era(words, place)}


def _compare_uncounted(ones: Sequence[ClaimWord], others: Sequence[ClaimWord]) -> Conflict | None:
    """Return how the numbers that are no amounts (ordinals, years) or the dates of two sentences differ."""
    uncounted, other_uncounted = (
        [word for at, word in enumerate(words) if word.quantity is None or _is_year(words, at)]
        for words in (ones, others)
    )
    for kind in ("number", "date"):
        mine, theirs = _values(uncounted, kind), _values(other_uncounted, kind)
        if mine and theirs and _differ(mine, theirs):
            return Conflict(kind, tuple(mine.values()), tuple(theirs.values()))
    return None


def _differ(mine: dict[str, str], theirs: dict[str, str]) -> bool:
    """True when neither side's values hold the other's, and they are of the same units."""
    one, other = set(mine), set(theirs)
    if one <= other or other <= one:
        return False
    only, only_other = one - other, other - one
    units = {key.partition(" ")[2] for key in only}
    return bool(units & {key.partition(" ")[2] for key in only_other})


def _denials(words: Sequence[ClaimWord]) -> tuple[str, ...]:
    return tuple(word.text for word in words if word.key in DENIALS)


def _names(words: Sequence[ClaimWord]) -> dict[str, str]:
    return {word.key: word.text for word in words if word.is_name and word.kind == "word"}
