"""Times of rows and of questions."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.markup.tables import Table, read_tables
from roma_core.writers.extractive.periods import Period, PeriodRange, find_asked_range, read_asked_period, read_period
from roma_core.writers.extractive.tables import answer_from_tables
from tests.fakes.passages import make_note


def make_tables(title: str, *lines: str) -> list[Table]:
    bars = " | ".join("---" for _ in lines[0].split("|"))
    text = "\n".join((f"# {title}", "", *(f"| {line} |" for line in (lines[0], bars, *lines[1:])), ""))
    note = make_note(title.replace(" ", "-").lower(), text)
    return read_tables(note)


def find_rows(question: str, tables: list[Table]) -> list[str]:
    """Return the first cells of the rows that answer."""
    answer = answer_from_tables(read_question(question), tables)
    return [row.cells[0] for row in answer.rows] if answer is not None else []


@pytest.mark.parametrize(
    ("cell", "period"),
    [
        ("2025-12", Period(2025, frozenset({12}))),
        ("12/2025", Period(2025, frozenset({12}))),
        ("Dec 2025", Period(2025, frozenset({12}))),
        ("Sept", Period(months=frozenset({9}))),
        ("Q3 2025", Period(2025, frozenset({7, 8, 9}))),
        ("2025 Q1", Period(2025, frozenset({1, 2, 3}))),
        ("1st quarter", Period(months=frozenset({1, 2, 3}))),
        ("3 December", Period(months=frozenset({12}), day=3)),
        ("Wed 3 December 2025", Period(2025, frozenset({12}), 3, frozenset({2}))),
        ("November to February", Period(months=frozenset({11, 12, 1, 2}))),
        ("Mon–Fri", Period(weekdays=frozenset(range(5)))),
        ("Fri to Mon", Period(weekdays=frozenset({4, 5, 6, 0}))),
        ("Tue, Thu & Sat", Period(weekdays=frozenset({1, 3, 5}))),
        ("Sun and bank holidays", Period(weekdays=frozenset({6}))),
        ("Bank holidays", None),
        ("Weekends", Period(weekdays=frozenset({5, 6}))),
        ("2025", Period(2025)),
        ("", None),
        ("Summer fair", None),
        ("The fair of May", None),
        ("31 2025", None),
    ],
)
def test_cells_that_are_times_are_read(cell: str, period: Period | None) -> None:
    assert read_period(cell) == period


@pytest.mark.parametrize(
    ("question", "period"),
    [
        ("How many came in December 2025?", Period(2025, frozenset({12}))),
        ("How many came on 4 December?", Period(months=frozenset({12}), day=4)),
        ("how many came in may", Period(months=frozenset({5}))),
        ("When is it open on Tuesdays?", Period(weekdays=frozenset({1}))),
        ("When is it open at weekends?", Period(weekdays=frozenset({5, 6}))),
        ("How many came in the second quarter of 2025?", Period(2025, frozenset({4, 5, 6}))),
        ("How many came in 11/2025?", Period(2025, frozenset({11}))),
        ("How many came in 2025?", Period(2025)),
        ("May I come in a group?", None),
        ("How many came since 2025?", None),
        ("How many came before 4 December?", None),
        ("How many came in 2024 and 2025?", None),
        ("Who came last Monday?", None),
        ("Who has version 2025.1?", None),
    ],
)
def test_the_time_of_a_question_is_read(question: str, period: Period | None) -> None:
    assert read_asked_period(question) == period


MONTHS = make_tables("Visits", "month | visitors", "2025-11 | 398", "2025-12 | 521", "2026-01 | 410", "2026-02 | 387")
DAYS = make_tables(
    "Tours", "Date | Visitors | Guide", "3.12.2025 | 10 | Ann", "4.12.2025 | 20 | Bo", "3.1.2026 | 9 | Cy"
)
WEEK = make_tables(
    "Hours of the mill", "Day | Opens | Guide", "Mon–Fri | 9:00 | Ann", "Sat | 10:00 | Bo", "Feasts | – | –"
)
SEASONS = make_tables("Hours of the tower", "Season | Opens", "April to October | 9:00", "Nov–Mar | 11:00")
MAYORS = make_tables("Mayors", "Year | Mayor", "2024 | Ann Bell", "2025 | Bo Carr")
SHORT = make_tables("Visits 2025", "Month | Visitors", "Jan | 10", "Feb | 20", "Dec | 70")


@pytest.mark.parametrize(
    ("question", "tables", "rows"),
    [
        ("How many visitors came in December 2025?", MONTHS, ["2025-12"]),
        ("How many visitors were there in January?", MONTHS, ["2026-01"]),
        ("How many visitors came in 2025?", MONTHS, ["2025-11", "2025-12"]),
        ("How many visitors came in December 2024?", MONTHS, []),
        ("How many visitors came on 4 December 2025?", MONTHS, []),
        ("Which month had the most visitors in 2026?", MONTHS, ["2026-01"]),
        ("Which day had the most visitors?", DAYS, ["4.12.2025"]),
        ("How many visitors came on 4 December 2025?", DAYS, ["4.12.2025"]),
        ("Who was the guide on January 3?", DAYS, ["3.1.2026"]),
        ("Who was the guide on 5 December 2025?", DAYS, []),
        ("When does the mill open on Tuesday?", WEEK, ["Mon–Fri"]),
        ("Who is the guide on Saturdays?", WEEK, ["Sat"]),
        ("When does the mill open on Sundays?", WEEK, []),
        ("When does the tower open in May?", SEASONS, ["April to October"]),
        ("When does the tower open in January?", SEASONS, ["Nov–Mar"]),
        ("Who was mayor in March 2025?", MAYORS, ["2025"]),
        ("Who was mayor in March 2023?", MAYORS, []),
        ("How many visitors came in December?", SHORT, ["Dec"]),
        ("How many visitors came in February 2025?", SHORT, ["Feb"]),
        ("How many visitors came in February 2024?", SHORT, []),
    ],
)
def test_rows_of_the_asked_time_answer_and_no_others(question: str, tables: list[Table], rows: list[str]) -> None:
    assert find_rows(question, tables) == rows


def test_a_row_with_a_beginning_and_an_end_is_not_of_its_beginning() -> None:
    terms = make_tables("Heads", "Head | Year | Date", "Ann | 2010 | 2013", "Bo | 2013 | 2019")
    assert find_rows("Who was head in 2013?", terms) != ["Bo"]


@pytest.mark.parametrize(
    ("question", "first", "last", "rest"),
    [
        (
            "How many came from July to September?",
            Period(0, frozenset({7})),
            Period(0, frozenset({9})),
            "How many came?",
        ),
        (
            "How many came between May and July 2025?",
            Period(2025, frozenset({5})),
            Period(2025, frozenset({7})),
            "How many came?",
        ),
        ("Visitors 2021-2023", Period(2021), Period(2023), "Visitors"),
        (
            "Visitors from 3 May to 9 June 2025",
            Period(2025, frozenset({5}), 3),
            Period(2025, frozenset({6}), 9),
            "Visitors",
        ),
        (
            "Who is in from Monday to Thursday?",
            Period(weekdays=frozenset({0})),
            Period(weekdays=frozenset({3})),
            "Who is in?",
        ),
        (
            "How many came in the second quarter of 2025?",
            Period(2025, frozenset({4, 5, 6})),
            Period(2025, frozenset({4, 5, 6})),
            "How many came?",
        ),
    ],
)
def test_ranges_of_a_question_are_read(question: str, first: Period, last: Period, rest: str) -> None:
    assert find_asked_range(question) == (PeriodRange(first, last), rest)


@pytest.mark.parametrize(
    "question",
    [
        "How many came in May and July?",
        "How many came from May on?",
        "Which posts are from 1900 to 2000 metres long?",
        "How long is it from Selm to Orm?",
        "How many came in May?",
    ],
)
def test_what_is_no_range_is_none(question: str) -> None:
    assert find_asked_range(question) is None


BOATS = make_tables(
    "Boats", "boat | built | last_check | seats",
    "Tern | 2019-04-11 | 2025-08-02 | 10", "Gull | 2021-02-19 | 2025-06-30 | 12", "Skua | 2023-05-06 | 2025-09-21 | 14",
)  # fmt: skip
LOANS = make_tables(
    "Loans", "Month | Loans",
    "November 2024 | 31", "December 2024 | 22", "January 2025 | 40", "February 2025 | 25", "March 2025 | 20",
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many loans from December 2024 to February 2025?", ["December 2024", "January 2025", "February 2025"]),
        ("How many loans between January and March 2025?", ["January 2025", "February 2025", "March 2025"]),
        ("How many loans in the first quarter of 2025?", ["January 2025", "February 2025", "March 2025"]),
        ("How many loans from May to July 2025?", []),
        ("In which month from January to March 2025 were most loans?", ["January 2025"]),
    ],
)
def test_a_range_is_of_all_months_within(question: str, rows: list[str]) -> None:
    assert find_rows(question, LOANS) == rows


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which boats were built from 2019 to 2021?", ["Tern", "Gull"]),
        ("Which boats were built between May 2020 and June 2023?", ["Gull", "Skua"]),
        ("How many boats had a check from 1 July 2025 to 31 August 2025?", ["Tern"]),
    ],
)
def test_a_range_is_of_the_column_that_is_named(question: str, rows: list[str]) -> None:
    assert find_rows(question, BOATS) == rows


def test_a_range_of_one_of_two_columns_is_not_guessed() -> None:
    assert find_rows("How many seats from 2019 to 2021?", BOATS) == []
