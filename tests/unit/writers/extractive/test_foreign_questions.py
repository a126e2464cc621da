"""German, French and Spanish questions to tables and lists."""

from __future__ import annotations

import pytest

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import markdown
from roma_core.types import RawDocument
from roma_core.writers.extractive.foreign_questions import find_frames, read_foreign_question
from roma_core.writers.extractive.recipes import RecipeAnswer, look_up_foreign
from roma_core.writers.extractive.sources import CitedSources

BOOTE = """# Bootsverleih am Weiher

| Boot | Plätze | Preis je Stunde (€) | Motor |
| --- | --- | --- | --- |
| Kanu Fritz | 2 | 9,50 | nein |
| Ruderboot Else | 4 | 12,00 | nein |
| Barkasse Onkel Hans | 22 | 1.085,00 | ja |

## Zum Ausleihen mitbringen

- Personalausweis
- Kaution in bar
- Schwimmwesten für Kinder
"""
CAVE = """# Carte de la cave

| Bouteille | Région | Année | Prix (€) |
| --- | --- | --- | --- |
| Clos Perdrix | Jura | 2019 | 18,50 |
| Vieux Moulin | Loire | 2015 | 9,00 |
| Sang du Loup | Rhône | 2021 | 1 240,00 |

## À fournir pour une commande

- le nom du restaurant
- une adresse de livraison
"""
HUERTA = """# Cosecha de la huerta

| Cultivo | Encargado | Peso (kg) | Precio por kilo (€) |
| --- | --- | --- | --- |
| Tomate | Blas Ruiz | 310,5 | 2,40 |
| Calabacín | Nieves Soto | 120 | 1,10 |
| Azafrán | Blas Ruiz | 0,5 | 2.950,00 |
"""


def look_up(question: str, language: str, text: str) -> RecipeAnswer | None:
    document = markdown.parse(RawDocument(uri="file:///1.md", data=text.encode()), ParseOptions())
    return look_up_foreign(question, ["", language], CitedSources((), (document,)))


def read(question: str, language: str, text: str) -> str:
    found = look_up(question, language, text)
    return "".join(found.pieces) if found is not None else ""


@pytest.mark.parametrize(
    ("question", "language", "text", "shown", "left_out"),
    [
        ("Welches Boot ist am teuersten?", "de", BOOTE, "Highest “Preis je Stunde (€)” of 3 rows", "Kanu"),
        ("Welches Boot ist das billigste?", "de", BOOTE, "| Kanu Fritz |", "Barkasse"),
        ("Welches Boot hat die meisten Plätze?", "de", BOOTE, "| Barkasse Onkel Hans |", "Else"),
        ("Wie viele Plätze haben alle Boote zusammen?", "de", BOOTE, "Sum of “Plätze” over 3 rows = 28", "= 27"),
        ("Was kostet das Ruderboot Else?", "de", BOOTE, "| Ruderboot Else | 4 | 12,00 |", "Fritz"),
        ("Welche Boote kosten mehr als 10 Euro?", "de", BOOTE, "2 of 3 rows", "Kanu"),
        ("Welche Boote haben einen Motor?", "de", BOOTE, "| Barkasse Onkel Hans |", "Else"),
        ("Was muss ich zum Ausleihen mitbringen?", "de", BOOTE, "3 of 3", "Kanu"),
        ("Quelle bouteille est la plus chère ?", "fr", CAVE, "| Sang du Loup |", "Perdrix"),
        ("Quelle est la bouteille la moins chère ?", "fr", CAVE, "| Vieux Moulin |", "Perdrix"),
        ("Quel est le prix total de la cave ?", "fr", CAVE, "over 3 rows = 1 267,5", "= 45"),
        ("Quelles bouteilles coûtent plus de 1 000 euros ?", "fr", CAVE, "1 of 3 rows", "Moulin"),
        ("Combien coûte le Clos Perdrix ?", "fr", CAVE, "| Clos Perdrix | Jura | 2019 | 18,50 ", "Moulin"),
        ("Que faut-il fournir pour une commande ?", "fr", CAVE, "2 of 2", "Jura"),
        ("¿Qué cultivo pesa más?", "es", HUERTA, "Highest “Peso (kg)” of 3 rows", "Azafrán"),
        ("¿Cuál es el cultivo más caro?", "es", HUERTA, "| Azafrán |", "Tomate"),
        ("¿Cuántos kilos pesa el calabacin?", "es", HUERTA, "| Calabacín | Nieves Soto | 120 |", "Tomate"),
        ("¿Qué cultivos pesan más de 100 kg?", "es", HUERTA, "2 of 3 rows", "Azafrán"),
        ("¿Quién es el encargado del calabacín?", "es", HUERTA, "Nieves Soto", "Blas"),
    ],
)
def test_a_table_or_list_answers_in_its_language(
    question: str, language: str, text: str, shown: str, left_out: str
) -> None:
    answer = read(question, language, text)
    assert shown in answer
    assert left_out not in answer


@pytest.mark.parametrize(
    ("question", "language", "text"),
    [
        ("Was kostet die Brotzeit am Kiosk?", "de", BOOTE),
        ("Welche Fähre ist die schnellste?", "de", BOOTE),
        ("Combien coûte la visite guidée ?", "fr", CAVE),
        ("¿Quién riega los naranjos?", "es", HUERTA),
    ],
)
def test_what_no_table_speaks_of_is_not_answered_by_one(question: str, language: str, text: str) -> None:
    assert look_up(question, language, text) is None


def test_a_code_that_no_row_has_is_not_answered_by_another() -> None:
    table = "| Teil | Preis |\n| --- | --- |\n| TX-40 | 3,00 € |\n| TX-41 | 4,00 € |\n"
    assert look_up("Was kostet das Teil TX-47?", "de", table) is None
    assert "TX-41" in read("Was kostet das Teil TX-41?", "de", table)


def test_a_language_without_frames_is_left_alone() -> None:
    assert read_foreign_question("Quanto costa la barca?", ["it", ""], BOOTE) is None


def test_a_number_is_read_as_it_is_written_in_the_language() -> None:
    asked = read_foreign_question("Welche Boote kosten mehr als 1.234,50 €?", ["de"], BOOTE)
    assert asked is not None and "more than 1234.50" in asked.text and asked.asks_several


def test_frames_are_told_with_what_they_are_in_english() -> None:
    assert find_frames("Welche Aufträge sind nicht bezahlt?", ["de"]) == [("Welche", "which"), ("nicht", "not")]
    assert find_frames("Which orders are paid?", ["en"]) == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Welche Aufträge wurden nicht geliefert?", "| A-3 |"),
        ("Wie hoch ist die Summe aller Aufträge vom Hotel Seeblick?", "Sum of “Summe (€)” over 2 rows = 19,280"),
    ],
)
def test_what_rows_are_not_and_what_they_come_to_is_told_in_german(question: str, said: str) -> None:
    text = (
        "# Aufträge\n\n| Auftrag | Kunde | Menge | Summe (€) | Status |\n|---|---|---|---|---|\n"
        "| A-1 | Hotel Seeblick | 12 | 6480 | geliefert |\n| A-2 | Kanzlei Wirth | 6 | 4140 | geliefert |\n"
        "| A-3 | Hotel Seeblick | 10 | 12800 | in Arbeit |\n"
    )
    answer = read(question, "de", text)
    assert said in answer
    assert "Kanzlei" not in answer
