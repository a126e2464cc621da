"""What happens on a day: the lines, sentences and rows that state its date. Pure.

"What happens on 4 July?" shares no word with "4 July: summer fair" but the date, and none with a row of 2026-07-04, so
that a ranker scores both low.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.citations.words import read_words
from roma_core.facts import is_date_line
from roma_core.markup.questions import LIGHT_WORDS, Question, content_words, stem_word
from roma_core.markup.sentences import split_sentences
from roma_core.markup.tables import Table, TableRow, read_tables
from roma_core.types import Document
from roma_core.writers.extractive.periods import Period, read_asked_period, read_time

MOST_EVENTS: Final = 5
"""Lines and rows of one day that are quoted; of more, the question means something else."""
_FRAME: Final = LIGHT_WORDS | {
    stem_word(word)
    for word in "event events date day planned plan scheduled schedule due going special anything something".split()
}


@dataclass(frozen=True)
class DatedLine:
    """A line or sentence of a document that states a day: ``document.text[start:end]``."""

    document: Document
    start: int
    end: int


@dataclass(frozen=True)
class Events:
    """What the documents have for a day: the lines and sentences, and the rows of tables."""

    lines: tuple[DatedLine, ...]
    rows: tuple[tuple[Table, tuple[TableRow, ...]], ...]


def read_asked_day(question: Question) -> Period | None:
    """Return the day of which a question asks what happens; None where it asks for something else, or for no day.

    >>> from roma_core.markup.questions import read_question
    >>> read_asked_day(read_question("What happens on 4 July?")).day
    4
    >>> read_asked_day(read_question("Who leads the walk on 4 July?"))
    """
    if question.kind not in {"open", "table_lookup", "definition", "list", "yes_no"}:
        return None
    asked = read_asked_period(question.text)
    if asked is None or not asked.day or not asked.months:
        return None
    dates = " ".join(word.text for word in read_words(question.text) if word.date is not None)
    rest = question.words - content_words(dates) - _FRAME - asked.names
    return asked if not rest else None


def find_events(question: Question, documents: Sequence[Document]) -> Events | None:
    """Return what stands for the day that a question asks about; None where nothing does, or too much."""
    asked = read_asked_day(question)
    if asked is None:
        return None
    lines = tuple(line for document in documents for line in _find_lines(document, asked))
    rows = tuple(found for document in documents for found in _find_rows(document, asked))
    count = len(lines) + sum(len(chosen) for _, chosen in rows)
    return Events(lines, rows) if 0 < count <= MOST_EVENTS else None


def _find_lines(document: Document, asked: Period) -> Iterator[DatedLine]:
    for sentence in split_sentences(document.text):
        text = sentence.of(document.text)
        if sentence.kind in {"table", "heading", "code"} or is_date_line(text):
            continue
        if any(_is_day(period, asked) for period in _read_days(text)):
            yield DatedLine(document, sentence.start, sentence.end)


def _find_rows(document: Document, asked: Period) -> Iterator[tuple[Table, tuple[TableRow, ...]]]:
    for table in read_tables(document):
        times = ((row, read_time(row, table.header.cells)) for row in table.rows)
        chosen = tuple(row for row, time in times if time is not None and _is_day(time, asked))
        if chosen:
            yield table, chosen


def _read_days(text: str) -> Iterable[Period]:
    for word in read_words(text):
        if word.date is not None and word.date.day:
            yield Period(word.date.year, frozenset({word.date.month}), word.date.day)


def _is_day(period: Period, asked: Period) -> bool:
    is_of_year = not asked.year or not period.year or period.year == asked.year
    return is_of_year and period.day == asked.day and period.months == asked.months
