"""Cells of tables in words, so that their values can be compared with what sentences say."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.markup.tables import read_tables
from roma_core.types import Document
from roma_core.writers.extractive.cells import find_asked_cell, say_value

TEXT = "| Year | Passengers | Sailings lost | Delay_min |\n| --- | --- | --- | --- |\n| 2023 | 88 096 | 31 | 9 |\n"
[TABLE] = read_tables(
    Document(id="d", uri="file:///d.md", title="Ferry", text=TEXT, content_sha256="d", parser="markdown/1")
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Sailings lost", "31", "31 Sailings lost"),
        ("height_m", "2.8", "2.8 m height"),
        ("Days", "4", "4 Days"),
        ("place", "Weir Ellern", "Weir Ellern"),
    ],
)
def test_a_bare_value_stands_before_what_it_measures(name: str, value: str, said: str) -> None:
    assert say_value(name, value) == said


@pytest.mark.parametrize(
    ("question", "text", "unit"),
    [
        ("How many ferry sailings were lost in 2023?", "31 Sailings lost", ""),
        ("How many minutes was the delay in 2023?", "9 min Delay", "minute"),
    ],
)
def test_the_asked_cell_is_that_of_the_column_with_words_of_the_question(question: str, text: str, unit: str) -> None:
    cell = find_asked_cell(read_question(question), TABLE, TABLE.rows[0])
    assert cell is not None
    assert (cell.text, cell.unit) == (text, unit)


def test_a_question_for_no_column_asks_for_no_cell() -> None:
    assert find_asked_cell(read_question("What happened in 2023?"), TABLE, TABLE.rows[0]) is None
