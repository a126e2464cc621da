"""Scopes: for which year, month or number of a series a statement holds. Pure.

"How much ice was lost at stake 9?" is not answered by stake 7, and the passengers of 2021 are not those of 2023. A
statement without a scope of that kind is not excluded: it may hold for all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.citations.numbers import MONTHS, UNITS
from roma_core.citations.words import read_words
from roma_core.markup.questions import STOP_WORDS, stem_word

_ID = r"(?:\d{1,4}(?![\d.,:]*\d|[-/]\d|\s*(?:%|€|\$|£))|(?-i:[A-Z]\d{0,3}|[IVX]{1,4}))(?!\w|['’](?!s\b))"
_LABEL: Final = re.compile(
    rf"\b(?P<name>[^\W\d_]{{3,}})(?:\s+(?:no\.?|nr\.?|number|#))?[ \t]+(?P<ids>{_ID}"
    rf"(?:(?:\s*,\s*|\s*[–-]\s*|,?\s+(?:and|or|to|till|until)\s+){_ID})*)",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"(\d{1,4})\s*(?:[–-]|to|till|until)\s*(\d{1,4})")
_YEAR: Final = re.compile(
    r"(?<![\w.,:/-])(?P<year>1[5-9]\d\d|20\d\d)(?:\s?[/–-]\s?(?P<end>\d{2,4}))?(?![\w%€$£]|[.,:/-]\d)"
)
_EDITION: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MONTH_NAMES: Final = r"january|february|march|april|(?-i:May)|june|july|august|september|october|november|december"
_OPEN_YEAR: Final = re.compile(
    r"\b(?:since|until|till|before|after|from|by|as of|prior to|later than|between|up to)\W+"
    rf"(?:(?:the|early|late|mid|about|around|end|beginning|of|spring|summer|autumn|winter|\d{{1,2}}|{_MONTH_NAMES})\W+)"
    r"{0,3}(?:1[5-9]\d\d|20\d\d)\b",
    re.IGNORECASE,
)
_WHOLE_DATE: Final = re.compile(
    rf"(?<!\d)(?:19|20)\d\d[-_.](?:0\d|1[0-2])(?:[-_.][0-3]\d)?(?!\d)|\b(?:{_MONTH_NAMES})\.?\s+(?:\d{{1,2}},?\s+)?\d{{4}}\b"
    r"|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b|(?<!\d)(?:19|20)\d{6}(?!\d)",
    re.IGNORECASE,
)
_MONTH: Final = re.compile(rf"\b(?P<month>{_MONTH_NAMES})\b", re.IGNORECASE)
_CONTRASTS: Final = """
inner outer, inside outside, indoor outdoor, internal external, upper lower, top bottom, left right, front back, front
rear, north south, northern southern, east west, eastern western, high low, highest lowest, high-tide low-tide, maximum
minimum, largest smallest, biggest smallest, longest shortest, oldest youngest, oldest newest, first last, earliest
latest, adult child, adults children, men women, male female, boys girls, mother father, son daughter, brother sister,
husband wife, summer winter, spring autumn, day night, morning evening, morning afternoon, weekday weekend, weekdays
weekends, single return, arrival departure, arrives leaves, opens closes, opening closing, start end, incoming outgoing,
import export, imports exports, imported exported, revenue expense, income expenditure, profit loss, buys sells, bought
sold, lent borrowed, upstream downstream, left-hand right-hand, hot cold, wet dry, full empty, new old, new used, public
private, urban rural, domestic foreign, before after, entry exit, entrance exit, net gross, odd even, members guests,
open closed, opened closed, opens closed, reopened closed, begin end, began ended, begins ends, started ended, born
died, gained lost, gains loses, rose fell, increased decreased
"""
_ASKED_SERIES: Final = re.compile(r"\b(?:which|what)\s+((?:\w+\s+){0,2}\w+)", re.IGNORECASE)
_CLASSES: Final = tuple(
    frozenset(words.split())
    for words in (
        "red blue green yellow black white grey gray brown orange purple violet pink",
        "monday tuesday wednesday thursday friday saturday sunday",
        "mondays tuesdays wednesdays thursdays fridays saturdays sundays",
        "spring summer autumn winter",
        "daily weekly fortnightly monthly quarterly yearly annual annually",
        "small medium large",
        "first second third fourth fifth sixth seventh eighth ninth tenth",
    )
)
"""Words of which one parts a thing from the others: the blue bin is not the brown one."""
_OPPOSITES: Final = frozenset(
    frozenset(pair.split()) for pair in _CONTRASTS.replace("\n", " ").split(",") if len(pair.split()) == 2
)
"""Words that part a thing in two: what holds for one half does not hold for the other."""
_OPPOSITE_WORDS: Final = frozenset().union(*_OPPOSITES, *_CLASSES)
_PLACE: Final = re.compile(r"\b[Ii]n\s+(?:the\s+)?([A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*)")
MOST_RANGE: Final = 200
"""Numbers of a series that a range like "berths 3 to 5" stands for at most."""
_NO_LABELS: Final = STOP_WORDS | frozenset(
    """
    about above after almost around before below between beyond during exceed exceeds nearly only over page past since
    than till total under until within roughly another every equals plus minus times least most other type costs cost
    weighs measures lasts takes holds has had was were counts
    """.split()
)
"""Words before a number that name no series."""
_SERIES: Final = frozenset(
    """
    annex appendix area article batch bay berth block box building bulletin bus cabin case chapter class clause column
    cycle day district division door edition equation exhibit figure firmware flight floor form gate generation grade
    group hall issue item layer level line lot model module number option order page part phase plot point pylon
    protocol quarter release room route row schedule scenario section series site stage station step stop table tank
    task team terminal tier track trial type unit vehicle version volume ward week well wing work year zone
    """.split()
)
"""Nouns that a number behind them names one of."""
_LEADS: Final = re.compile(
    r"(?:^|[.!?:;,(|]|\b(?:at|in|on|of|for|from|near|by|under|the|this|each|every|and|or|between|with|per|beside|behind"
    r"|than|which|what|our|its|their))\s*$",
    re.IGNORECASE,
)
"""Words behind which a noun stands and no verb: "at stake 7", but not "gained 7"."""


@dataclass(frozen=True)
class Scope:
    """The years, months and numbers of series that a text names."""

    years: frozenset[int]
    months: frozenset[int]
    labels: frozenset[tuple[str, str]]
    """Series and number: ("berth", "3")."""
    is_open: bool = False
    """True where a year begins or ends a time, so that others may be in it: "since 2019"."""

    def numbers_of(self, series: str) -> set[str]:
        """Return the numbers of a series that are named."""
        return {number for name, number in self.labels if name == series}


@functools.lru_cache(maxsize=2048)
def read_scope(text: str) -> Scope:
    """Return the scope that a text names.

    >>> sorted(read_scope("Berths 3 to 5 were closed in March 2024.").labels)
    [('berth', '3'), ('berth', '4'), ('berth', '5')]
    """
    months = {MONTHS[found["month"].casefold()] for found in _MONTH.finditer(text)}
    years = set(_find_years(text))
    for word in read_words(text):
        if word.date is not None:
            years |= {word.date.year} - {0}
            months |= {word.date.month} - {0}
    return Scope(
        years=frozenset(years),
        months=frozenset(months),
        labels=frozenset(_find_labels(text)),
        is_open=_OPEN_YEAR.search(text) is not None,
    )


def find_other_scope(question: str, quote: str, surroundings: str = "") -> str:
    """Return what the question names and a quote says otherwise: "stake 9", "2021"; nothing where they fit.

    A quote that names no number of the series, or no year, is read in its ``surroundings``. There a year alone names an
    edition ("Fares 2024"); a whole date says when something was written, whatever year it is about.

    >>> find_other_scope("How much was lost at stake 9?", "At stake 7 it was 1.9 metres.")
    'stake 9'
    >>> find_other_scope("How many came in 2021?", "In 2023 there were 31.")
    '2021'
    """
    asked = read_scope(question)
    if not asked.labels and not asked.years and not asked.months:
        return ""
    said, around = read_scope(quote), read_scope(surroundings)
    for series, number in sorted(asked.labels):
        held = said.numbers_of(series) | around.numbers_of(series)
        if held and not asked.numbers_of(series) & held:
            return _find_written(question, series, number)
    years = said.years or _find_editions(surroundings)
    if asked.years and years and not asked.years & years and not said.is_open and _excludes(question, asked, years):
        return " ".join(map(str, sorted(asked.years)))
    is_other_month = asked.months and said.months and not asked.months & said.months
    if is_other_month and asked.years and not said.is_open:
        return _find_written_month(question)
    return ""


def _find_written_month(question: str) -> str:
    """Return the month of a question as it is written: by name, or as a whole date.

    >>> _find_written_month("What changed in March 2020?"), _find_written_month("What did 2020-02-27 add?")
    ('March', '2020-02-27')
    """
    by_name = _MONTH.search(question)
    if by_name is not None:
        return by_name[0]
    return next((word.text for word in read_words(question) if word.date is not None and word.date.month), "")


def names_asked_year(question: str, text: str) -> bool:
    """Return whether a text has a year of the question in it, be it in a date; True where the question names none.

    >>> names_asked_year("How many came in 1971?", "2025-06-30: Two came."), names_asked_year("Who came?", "Two came.")
    (False, True)
    """
    asked = read_scope(question)
    if not asked.years or asked.is_open:
        return True
    return any(str(year) in text for year in asked.years)


def _excludes(question: str, asked: Scope, years: frozenset[int]) -> bool:
    """Return whether the time that a question asks about leaves out all of ``years``, none of which it names."""
    opened = _OPEN_YEAR.search(question)
    if opened is None:
        return True
    word = opened[0].split()[0].casefold()
    if word in {"since", "from", "after", "later"}:
        return max(years) < min(asked.years)
    return word in {"until", "till", "before", "by", "prior", "up"} and min(years) > max(asked.years)


_CONVERSES: Final = tuple(
    (verb, re.compile(converse, re.IGNORECASE))
    for verb, converse in (
        ("bought", r"\bsold\b[^.;]*\bto\b"),
        ("buys", r"\bsells\b[^.;]*\bto\b"),
        ("sold", r"\bbought\b[^.;]*\bfrom\b"),
        ("sells", r"\bbuys\b[^.;]*\bfrom\b"),
        ("borrowed", r"\blent\b[^.;]*\bto\b"),
        ("lent", r"\bborrowed\b[^.;]*\bfrom\b"),
    )
)
"""What was done, and how a sentence says it from the other side: what was sold to the town, the town bought."""


def find_opposite(question: str, text: str) -> str:
    """Return a word of the question whose opposite a text has in its place: "outer" where only the inner one is meant.

    >>> find_opposite("What is the outer diameter?", "The inner diameter is 40 mm.")
    'outer'
    >>> find_opposite("Who bought the mill?", "The mill was sold to the town.")
    ''
    """
    asked, held = _find_halves(question), _find_halves(text)
    held |= {verb for verb, converse in _CONVERSES if converse.search(text)}
    for word in sorted(asked - held):
        opposites = {other for pair in (*_OPPOSITES, *_CLASSES) if word in pair for other in pair if other != word}
        if opposites & held and not opposites & asked:
            return word
    return ""


def have_opposites(one: str, other: str, whether: str = "") -> bool:
    """Return whether two statements speak of opposite halves of a thing: one of adults, the other of children.

    Halves that a yes/no question asks for (``whether``) are what they answer, and part nothing.

    >>> have_opposites("The adult fare is 3 euros.", "The child fare is 2 euros.")
    True
    >>> have_opposites("It is open.", "It is closed in winter.", whether="Is it open in winter?")
    False
    """
    asked = _find_halves(whether)
    answers = {word for pair in _OPPOSITES if pair & asked for word in pair}
    rest = " ".join(word for word in re.findall(r"[\w-]+", one.casefold()) if word not in answers)
    return bool(find_opposite(rest, other))


_AMOUNTS: Final = re.compile(
    r"\b(?:small|large|largest|smallest|high|low|highest|lowest)\s+(?:numbers?|amounts?|quantit\w+|proportions?|parts?|shares?)"
    r"\s+of\b",
    re.IGNORECASE,
)
"""Amounts by words: a large number of settlers is no kind of settlers."""


def _find_halves(text: str) -> set[str]:
    text = _AMOUNTS.sub(" ", text)
    return {word for word in re.findall(r"[a-z]+(?:-[a-z]+)?", text.casefold()) if word in _OPPOSITE_WORDS}


def _find_written(question: str, series: str, number: str) -> str:
    """Return a number of a series as the question writes it."""
    for found in re.finditer(rf"(\w+)(?:\s+(?:no\.?|nr\.?|number|#))?\s+{re.escape(number)}\b", question):
        if stem_word(found[1].casefold()) == series:
            return found[0]
    return f"{series} {number}"


def have_other_scopes(one: str, other: str, question: str = "") -> bool:
    """Return whether two statements name other years or other numbers of one series, so that both can be true.

    A series that the ``question`` asks for ("at which berth") is what they answer, and no scope.

    >>> have_other_scopes("At stake 7 it was 1.9 metres.", "At stake 3 it was 0.8 metres.")
    True
    """
    first = read_scope(one)
    if not first.labels and not first.years:
        return False
    second = read_scope(other)
    asked = {stem_word(word.casefold()) for found in _ASKED_SERIES.findall(question) for word in found.split()}
    for series in {name for name, _ in first.labels} - asked:
        numbers, others = first.numbers_of(series), second.numbers_of(series)
        if others and not numbers & others:
            return True
    are_closed = not first.is_open and not second.is_open
    return are_closed and bool(first.years and second.years) and not first.years & second.years


def have_other_places(one: str, other: str) -> bool:
    """Return whether two statements hold at places of other names, so that both can be true.

    >>> have_other_places("In the Philippines it is 7.5 %.", "There are 88 schools in New Zealand, 3.7 % of all.")
    True
    """
    first, second = _find_places(one), _find_places(other)
    return bool(first and second) and not first & second


def _find_places(text: str) -> set[str]:
    places = {word for found in _PLACE.findall(text) for word in found.casefold().split()}
    return places if not places & MONTHS.keys() else set()


def _find_editions(surroundings: str) -> frozenset[int]:
    """Return the years in titles and headings that are no part of a date."""
    bare = _WHOLE_DATE.sub(" ", surroundings)
    return frozenset(int(found[0]) for found in _EDITION.finditer(bare)) | frozenset(_find_years(bare))


def _find_years(text: str) -> Iterator[int]:
    for found in _YEAR.finditer(text):
        year = int(found["year"])
        yield year
        if found["end"] is None:
            continue
        end = int(found["end"]) if len(found["end"]) == 4 else year // 100 * 100 + int(found["end"])
        if year < end <= year + MOST_RANGE:
            yield from range(year + 1, end + 1)


def _find_labels(text: str) -> Iterator[tuple[str, str]]:
    for found in _LABEL.finditer(text):
        ids = re.findall(r"\d+|[A-Z]\d*|[IVX]+", found["ids"])
        if not _names_series(text, found["name"], found.start(), ids) or _is_counted(text[found.end() :], ids[-1]):
            continue
        series = stem_word(found["name"].casefold())
        yield from ((series, number) for number in ids)
        for first, last in _RANGE.findall(found["ids"]):
            if 0 < int(last) - int(first) <= MOST_RANGE:
                yield from ((series, str(number)) for number in range(int(first), int(last) + 1))


def _names_series(text: str, name: str, start: int, ids: Sequence[str]) -> bool:
    """Return whether the word before a number names a series, and does not count, date or do something."""
    folded = name.casefold()
    are_years = all(re.fullmatch(r"(?:1[5-9]|20)\d\d", number) for number in ids)
    if folded in _NO_LABELS or folded in MONTHS or folded in UNITS or are_years or ids == ["I"]:
        return False
    if folded.removesuffix("s") in _SERIES or folded in _SERIES or not ids[0].isdigit():
        return True
    is_named = name[0].isupper() and re.search(r"\w\W*$", text[:start]) is not None
    return is_named or (not folded.endswith("ed") and _LEADS.search(text[:start]) is not None)


def _is_counted(rest: str, number: str) -> bool:
    """Return whether the number before ``rest`` counts or measures what stands behind it: "exceed 12 tonnes"."""
    behind = re.match(r"[ \t]+([^\W\d_]+)", rest)
    if behind is None or not number.isdigit():
        return False
    word = behind[1].casefold()
    return word in UNITS or (_is_plural(word) and word not in _VERBS)


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in STOP_WORDS


_VERBS: Final = frozenset(
    """
    was has does is loses weighs costs stands lies leans opens closes needs shows gets holds takes works uses runs
    carries measures asks says sets reads counts becomes remains moves makes gives keeps starts ends begins flies lasts
    """.split()
)
"""Verbs behind the number of a series that look like a plural: "stake 7 stands"."""
