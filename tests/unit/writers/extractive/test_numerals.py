"""How tables write numbers: thousands by dots, spaces and commas."""

from __future__ import annotations

from decimal import Decimal

import pytest

from roma_core.markup.questions import read_question
from roma_core.markup.tables import read_tables
from roma_core.writers.extractive.numerals import (
    NumberStyle,
    find_language_style,
    find_style,
    read_value,
    write_number,
    write_plainly,
)
from roma_core.writers.extractive.tables import answer_from_tables
from tests.fakes.passages import make_note

GERMAN = "# Bestand im Lager\n\n| Artikel | Menge | Preis |\n| --- | --- | --- |\n"
STOCK = f"{GERMAN}| Schrauben | 12.500 | 0,04 € |\n| Winkel | 980 | 1,20 € |\n| Haken | 1.240 | 0,85 € |\n"
WEIGHTS = "# Weights\n\n| Part | kg |\n| --- | --- |\n| Bolt | 1.240 |\n| Beam | 980 |\n| Hook | 12.5 |\n"
VISITS = "# Visites\n\n| Mois | Entrées |\n| --- | --- |\n| mai | 1 240 |\n| juin | 980 |\n| juillet | 2 510 |\n"


@pytest.mark.parametrize(
    ("text", "style"),
    [(STOCK, NumberStyle(".", ",")), (WEIGHTS, NumberStyle()), (VISITS, NumberStyle(" ", "."))],
    ids=["german", "english", "french"],
)
def test_the_style_of_a_column_is_found(text: str, style: NumberStyle) -> None:
    [table] = read_tables(make_note("note", text))
    assert find_style(table, (row.cells[1] for row in table.rows)) == style


@pytest.mark.parametrize(
    ("text", "question", "first", "lead"),
    [
        (STOCK, "Which Artikel has the highest Menge?", "Schrauben", "Highest"),
        (STOCK, "Which Artikel has the lowest Menge?", "Winkel", "Lowest"),
        (STOCK, "What is the total Menge of the Artikel?", "Schrauben", "= 14.720"),
        (WEIGHTS, "Which part has the highest kg?", "Beam", "Highest"),
        (VISITS, "What is the total of the Entrées?", "mai", "= 4 730"),
    ],
    ids=["highest", "lowest", "sum", "decimals", "spaces"],
)
def test_what_is_computed_follows_the_style(text: str, question: str, first: str, lead: str) -> None:
    answer = answer_from_tables(read_question(question), read_tables(make_note("note", text)))
    assert answer is not None
    assert answer.rows[0].cells[0] == first and lead in answer.lead


def test_numbers_are_written_as_they_are_read() -> None:
    for style in (NumberStyle(), NumberStyle(".", ","), NumberStyle(" ", ",")):
        assert read_value(write_number(Decimal("12345.5"), style), style) == (Decimal("12345.5"), "")


@pytest.mark.parametrize(
    ("language", "text", "plain"),
    [
        ("de", "1.240 Stück zu 1.234,50 €.", "1240 Stück zu 1234.50 €."),
        ("de", "am 3.5.2026 um 9.30 Uhr, 2,125 kg", "am 3.5.2026 um 9.30 Uhr, 2.125 kg"),
        ("es", "más de 1.500 euros y 3,5 kg", "más de 1500 euros y 3.5 kg"),
        ("fr", "1 240 tonnes, 2,125 kg, 1.240 m", "1240 tonnes, 2.125 kg, 1.240 m"),
        ("", "1,240 pieces at 1,234.50, 2.125 kg", "1240 pieces at 1234.50, 2.125 kg"),
    ],
)
def test_numbers_in_texts_are_read_as_their_language_writes_them(language: str, text: str, plain: str) -> None:
    assert write_plainly(text, find_language_style(language)) == plain


def test_three_decimals_behind_a_comma_stay_some_where_a_column_has_a_comma() -> None:
    assert read_value("2,125", NumberStyle(".", ",")) == (Decimal("2.125"), "")
    assert read_value("2,125") == (Decimal("2125"), "")
