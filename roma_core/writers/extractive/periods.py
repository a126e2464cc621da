"""The times that rows of a table are of, and the one that a question asks for: "in December", "on Tuesdays". Pure.

"2025-12", "Dec 2025" and "December 2025" are one month; "Mon–Fri" holds on Tuesdays, and "April to October" in May.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from roma_core.citations.lexicon import DAY_NAMES, WEEKDAYS
from roma_core.citations.numbers import MONTH_NAMES, MONTHS
from roma_core.citations.words import read_words
from roma_core.languages import MONTH_WORDS
from roma_core.markup.questions import Question, content_words
from roma_core.markup.tables import Table, TableRow

MOST_PERIOD_CHARS: Final = 40


@dataclass(frozen=True)
class Period:
    """A year, months (1 to 12), a day of the month and days of the week (0 is Monday); 0 and empty where not given."""

    year: int = 0
    months: frozenset[int] = frozenset()
    day: int = 0
    weekdays: frozenset[int] = frozenset()

    def holds(self, asked: Period) -> bool:
        """Return whether the rows of this time are of the asked one: as fine as that, and in nothing else.

        >>> read_period("Mon–Fri").holds(read_asked_period("When is it open on Tuesday?"))
        True
        >>> read_period("2025-12").holds(read_asked_period("Who came on 4 December 2025?"))
        False
        """
        if not asked.weekdays <= self.weekdays:
            return False
        if asked.day and asked.day != self.day and len(self.months) < 2:
            return False
        if asked.months and not (self.months and (self.months <= asked.months or asked.months <= self.months)):
            return False
        if asked.year and not self.year:
            return bool(asked.months or asked.weekdays)
        return not asked.year or asked.year == self.year

    @property
    def names(self) -> set[str]:
        """The year, the day, and the months and days of the week in full."""
        numbers = {str(number) for number in (self.year, self.day) if number}
        months = {MONTH_NAMES[month - 1] for month in self.months}
        return numbers | months | {DAY_NAMES[day] for day in self.weekdays}

    @property
    def kind(self) -> str:
        """What such a time is called: a day, a month or a year."""
        return "day" if self.day or self.weekdays else "month" if self.months else "year"

    @property
    def parts(self) -> set[str]:
        """Return which of its parts are given."""
        return {name for name in ("year", "months", "day", "weekdays") if getattr(self, name)}

    def only(self, parts: Set[str]) -> Period:
        """Return this time with no other parts than these."""
        return Period(**{name: getattr(self, name) for name in self.parts & parts})


_YEAR = r"(?P<year>(?:19|20)\d\d)"
_QUARTERS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}
_QUARTER = rf"(?:q(?P<number>[1-4])|(?P<name>{'|'.join(_QUARTERS)}|[1-4](?:st|nd|rd|th))\s+quarter)"
_WRITTEN: Final = (
    re.compile(rf"{_YEAR}[-/.](?P<month>0[1-9]|1[0-2])"),
    re.compile(rf"(?P<month>0?[1-9]|1[0-2])[/.]{_YEAR}"),
    re.compile(rf"{_QUARTER}(?:\s*(?:of\s+|[-/])?\s*{_YEAR})?", re.IGNORECASE),
    re.compile(rf"{_YEAR}\s*[-/]?\s*{_QUARTER}", re.IGNORECASE),
    re.compile(_YEAR),
)
"""Months and quarters in numbers, and years alone."""


def _read_match(found: re.Match[str]) -> Period:
    parts = found.groupdict()
    months: frozenset[int] = frozenset()
    if parts.get("month"):
        months = frozenset({int(parts["month"])})
    elif quarter := parts.get("number") or parts.get("name"):
        number = int(quarter[0]) if quarter[0].isdigit() else _QUARTERS[quarter.casefold()]
        months = frozenset(range(3 * number - 2, 3 * number + 1))
    return Period(int(parts.get("year") or 0), months)


_WRITTEN_WITHIN: Final = tuple(
    re.compile(rf"(?<![\w.,/-]){pattern.pattern}(?![\w/-]|[.,]\d)", pattern.flags) for pattern in _WRITTEN
)
"""The same within a text."""
_GROUPS: Final = {
    "weekday": range(5),
    "weekdays": range(5),
    "weekend": range(5, 7),
    "weekends": range(5, 7),
    "daily": range(7),
}
_PARTS: Final = re.compile(r"[^\W\d_]+|(?:19|20)\d\d(?!\d)|[–—&,/.-]|\S")
_JOINS: Final = frozenset(", & / . and or every each on the of in bank public holiday holidays".split())
_RANGES: Final = frozenset("– — - to till until through".split())


@functools.lru_cache(maxsize=4096)
def read_period(cell: str) -> Period | None:
    """Return the time that a cell is; None where it is none, or says more.

    >>> sorted(read_period("Nov to Feb").months), read_period("2025-12").year, read_period("Summer fair, 2025")
    ([1, 2, 11, 12], 2025, None)
    """
    text = cell.strip().strip("*_`")
    if not text or len(text) > MOST_PERIOD_CHARS:
        return None
    for pattern in _WRITTEN:
        found = pattern.fullmatch(text)
        if found is not None:
            return _read_match(found)
    words = read_words(text)
    dates = [word.date for word in words if word.date is not None]
    others = [word for word in words if word.date is None]
    if len(dates) == 1 and dates[0].day and all(_read_weekday(word.text) is not None for word in others):
        weekdays = frozenset(day for word in others if (day := _read_weekday(word.text)) is not None)
        return Period(dates[0].year, frozenset({dates[0].month} - {0}), dates[0].day, weekdays)
    return _read_names(text)


def _read_weekday(word: str) -> int | None:
    """Return the day of the week of a name, or of its first letters ("Mon", "Tues")."""
    name = word.casefold().removesuffix(".").removesuffix("s")
    return next((at for at, day in enumerate(DAY_NAMES) if len(name) >= 3 and day.startswith(name)), None)


def _read_names(text: str) -> Period | None:
    """Return the time of a cell of names: days, months, their ranges and lists, and a year."""
    months: list[int] = []
    weekdays: list[int] = []
    year, is_range = 0, False
    for part in _PARTS.findall(text.casefold()):
        month, weekday = MONTHS.get(part) or MONTH_WORDS.get(part), _read_weekday(part)
        if month is not None:
            months += _fill(months[-1] + 1, month, 12) if is_range and months else [month]
        elif part in _GROUPS:
            weekdays += _GROUPS[part]
        elif weekday is not None:
            weekdays += _fill(weekdays[-1] + 1, weekday, 7) if is_range and weekdays else [weekday]
        elif part.isdigit() and len(part) == 4 and not year:
            year = int(part)
        elif part not in _JOINS and part not in _RANGES:
            return None
        is_range = part in _RANGES
    if not months and not weekdays:
        return None
    return Period(year, frozenset(months), weekdays=frozenset(weekdays))


def _fill(first: int, last: int, size: int) -> Iterable[int]:
    """Return the numbers from the first to the last one, around the end of the year or the week."""
    least = 1 if size == 12 else 0
    steps = (last - first) % size + 1
    return [(first - least + step) % size + least for step in range(steps)]


@dataclass(frozen=True)
class PeriodRange:
    """From one time to another, both included: years, months with or without a year, dates, or days of the week."""

    first: Period
    last: Period

    def covers(self, time: Period) -> bool:
        """Return whether all of a time is within.

        >>> from_july = PeriodRange(Period(2025, frozenset({7})), Period(2026, frozenset({2})))
        >>> [from_july.covers(read_period(cell)) for cell in ("August 2025", "2026-03", "January", "2025")]
        [True, False, False, False]
        """
        if self.first.weekdays:
            return bool(time.weekdays) and time.weekdays <= set(_fill(*self._ends("weekdays"), 7))
        if self.first.year and not time.year:
            return self.first.year == self.last.year and PeriodRange(
                self.first.only(_NO_YEAR), self.last.only(_NO_YEAR)
            ).covers(time)
        if not self.first.months:
            return self.first.year <= time.year <= self.last.year
        if not time.months or (self.first.day and not time.day):
            return False
        if not self.first.year and not self.first.day:
            return time.months <= set(_fill(*self._ends("months"), 12))
        year = time.year if self.first.year else 0
        day = time.day if self.first.day else 0
        first = (self.first.year, min(self.first.months), self.first.day)
        last = (self.last.year, max(self.last.months), self.last.day)
        return all(first <= (year, month, day) <= last for month in time.months)

    def _ends(self, part: str) -> tuple[int, int]:
        return min(getattr(self.first, part)), max(getattr(self.last, part))


_NO_YEAR: Final = frozenset({"months", "day", "weekdays"})
_MONTH_NAME: Final = rf"(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b\.?"
_ANY_YEAR: Final = r"(?:19|20)\d\d(?!\d)"
_TIME: Final = (
    rf"(?:{_ANY_YEAR}-\d\d(?:-\d\d)?(?!\d)|\d{{1,2}}\s+{_MONTH_NAME}(?:\s+{_ANY_YEAR})?"
    rf"|{_MONTH_NAME}(?:\s+\d{{1,2}}(?!\d),?)?(?:\s+{_ANY_YEAR})?|q[1-4](?:\s+{_ANY_YEAR})?"
    rf"|{_ANY_YEAR}|(?:{'|'.join(DAY_NAMES)})s?)"
)
_RANGE: Final = re.compile(
    rf"\b(?:(?P<between>between)\s+|from\s+)?(?P<first>{_TIME})\s*"
    rf"(?:(?:to|until|till|through)\b|(?P<and>and\b)|[–—-])\s*(?P<last>{_TIME})(?!\w)",
    re.IGNORECASE,
)
_ASKED_QUARTER: Final = re.compile(
    rf"\b(?:(?:in|during|for|of)\s+)?(?:the\s+)?{_QUARTER}(?:\s*(?:of\s+|[-/])?\s*{_YEAR})?(?!\w)", re.IGNORECASE
)
_GOES_ON_AS_YEAR: Final = re.compile(
    r"\s*(?:$|[?.!,;:)]|(?:in|on|at|for|by|with|was|were|did|do|does|is|are|had|has|have|inclusive|and|per|of)\b)"
)
"""What may stand behind a year: 2000 metres are none."""


@functools.lru_cache(maxsize=256)
def find_asked_range(question: str) -> tuple[PeriodRange, str] | None:
    """Return the range of times that a question asks for, and the question without it; None without one.

    A year behind the last time is that of the first one, too.

    >>> asked, rest = find_asked_range("How many came from May to July 2025?")
    >>> asked.first.year, sorted(asked.last.months), rest
    (2025, [7], 'How many came?')
    """
    for found in _RANGE.finditer(question):
        if bool(found["and"]) != bool(found["between"]):
            continue  # "in May and July" are two
        first, last = read_period(found["first"]), read_period(found["last"])
        if first is None or last is None:
            continue
        first = replace(first, year=first.year or last.year)
        if first.parts != last.parts or (first.parts == {"year"} and not _GOES_ON_AS_YEAR.match(question, found.end())):
            continue
        return PeriodRange(first, last), _leave_out(question, *found.span())
    quarter = _ASKED_QUARTER.search(question)
    if quarter is None:
        return None
    period = _read_match(quarter)
    return PeriodRange(period, period), _leave_out(question, *quarter.span())


def _leave_out(question: str, start: int, end: int) -> str:
    return " ".join(re.sub(r"\s+(?=[?.!,;:]|$)", "", f"{question[:start]}{question[end:]}").split())


_MONTH: Final = re.compile(
    rf"\b(?:(?i:in|during|of|for|every|each)\s+(?P<said>(?i:{'|'.join(sorted(MONTHS, key=len, reverse=True))}))"
    rf"|(?P<written>{'|'.join(name.capitalize() for name in MONTH_NAMES if name not in {'may', 'march'})}))\b"
)
"""A month in a question. "May" and "march" are words, too, so they need a preposition."""
_WEEKDAY: Final = re.compile(rf"\b(?:{'|'.join(WEEKDAYS)})s?\b|\b(?:weekends?|weekdays)\b", re.IGNORECASE)
_BOUND: Final = re.compile(
    r"\b(?:before|after|since|until|till|from|between|by|than|to|and|or|last|next|this|valid|except|not)"
    r"(?:\s+(?:the|on|in|of|end|start|beginning))*\W*$",
    re.IGNORECASE,
)
"""What makes a time a limit, another one than it names, or one of several."""


@functools.lru_cache(maxsize=256)
def read_asked_period(question: str) -> Period | None:
    """Return the time that a question asks for; None without one, and where it is a limit or one of several.

    >>> read_asked_period("How many came in December 2025?").year, read_asked_period("How many came since 2025?")
    (2025, None)
    """
    found = list(_find_periods(question))
    if not found or any(_BOUND.search(question[:start]) for start, _ in found):
        return None
    merged = _merge([period for _, period in found])
    return merged if merged is not None and merged.parts else None


def _find_periods(question: str) -> Iterator[tuple[int, Period]]:
    """Yield where times stand in a question, and the times: those with most parts first, none within another one."""
    taken: list[tuple[int, int]] = []

    def take(start: int, end: int) -> bool:
        is_free = all(end <= first or start >= last for first, last in taken)
        taken.append((start, end))
        return is_free

    for word in read_words(question):
        if word.date is not None and take(word.start, word.end):
            date = word.date
            yield word.start, Period(date.year, frozenset({date.month} - {0}), date.day)
    for pattern in _WRITTEN_WITHIN:
        for found in pattern.finditer(question):
            if take(*found.span()):
                yield found.start(), _read_match(found)
    for found in _MONTH.finditer(question):
        name = "said" if found["said"] else "written"
        if take(*found.span(name)):
            yield found.start(), Period(months=frozenset({MONTHS[found[name].casefold()]}))
    for found in _WEEKDAY.finditer(question):
        text = found[0].casefold()
        day = _read_weekday(text)
        days = frozenset(_GROUPS[text]) if text in _GROUPS else frozenset() if day is None else frozenset({day})
        if take(*found.span()):
            yield found.start(), Period(weekdays=days)


def _merge(periods: Sequence[Period]) -> Period | None:
    """Return one time of all parts; None where a part is given twice."""
    merged = Period()
    for period in periods:
        if merged.parts & period.parts:
            return None
        merged = Period(
            merged.year or period.year,
            merged.months or period.months,
            merged.day or period.day,
            merged.weekdays or period.weekdays,
        )
    return merged


_PERIOD_COLUMN: Final = re.compile(
    r"\W*(?:years?|dates?|days?|months?|seasons?|periods?|quarters?|weeks?|when)\W*$", re.IGNORECASE
)
"""Names of columns that say when a row holds."""
LEAST_PERIODS = 0.5
"""Share of the rows whose cells must be times for a column to be one of times."""


def list_period_columns(header: Sequence[str]) -> list[int]:
    """Return the columns that may say when a row holds: the first one, and those that are called so."""
    return [column for column, name in enumerate(header) if column == 0 or _PERIOD_COLUMN.match(name)]


def find_rows_of_time(question: Question, table: Table) -> list[TableRow] | None:
    """Return the rows of the time that a question asks for; None where it asks for none, or rows have no such times.

    An empty list says that the table has other times only. A month's row answers what was so on one of its days, but
    not how much there was on it.
    """
    spanned = find_asked_range(question.text)
    if spanned is not None:
        return _find_rows_within(question, table, spanned[0])
    asked = read_asked_period(question.text)
    if asked is None:
        return None
    times = [read_time(row, table.header.cells) for row in table.rows]
    if not _are_most(times):
        return None
    parts = set().union(*(time.parts for time in times if time is not None))
    if not asked.parts & parts:
        return None
    if asked.parts - parts - {"year"}:
        if question.kind in _AMOUNTS:
            return []
        asked = asked.only(parts)
    return [row for row, time in zip(table.rows, times, strict=True) if time is not None and time.holds(asked)]


def _find_rows_within(question: Question, table: Table, asked: PeriodRange) -> list[TableRow] | None:
    """Return the rows within a range: by the column that the question names, else by the times of the rows.

    None where no column has times; none of the rows where two may be meant.
    """
    header = table.header.cells
    columns = {column: [read_period(row.cells[column]) for row in table.rows] for column in range(len(header))}
    columns = {column: times for column, times in columns.items() if _are_most(times)}
    named = [column for column in columns if question.words & content_words(header[column].replace("_", " "))]
    meant = named or [column for column in list_period_columns(header) if column in columns] or list(columns)
    if not meant:
        return None
    if len(meant) > 1:
        return []
    times = columns[meant[0]]
    return [row for row, time in zip(table.rows, times, strict=True) if time is not None and asked.covers(time)]


def _are_most(times: Sequence[Period | None]) -> bool:
    """Return whether enough cells or rows have a time for the others to be exceptions."""
    return sum(time is not None for time in times) >= max(1, LEAST_PERIODS * len(times))


_AMOUNTS: Final = frozenset({"how_many", "table_sum", "table_max", "table_filter"})
"""Kinds of questions whose answer is of just the time that is asked."""


def read_time(row: TableRow, header: Sequence[str]) -> Period | None:
    """Return the time of a row, of all its cells of times; None where it has none, or two of one kind: from, to."""
    cells = (row.cells[column] for column in list_period_columns(header) if column < len(row.cells))
    periods = [period for cell in cells if (period := read_period(cell)) is not None]
    return _merge(periods) if periods else None
