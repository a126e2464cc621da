"""Two sources that answer a German, French or Spanish question with other values."""

from __future__ import annotations

import pytest

from roma_core.languages import detect_language
from roma_core.writers.extractive.foreign_conflicts import announces_change, find_foreign_conflict


@pytest.mark.parametrize(
    ("question", "first", "second", "values"),
    [
        ("Was kostet die Fähre?", "Die Fähre kostet 3,50 €.", "Die Fähre kostet 4 Euro.", ("4 Euro",)),
        ("Wann öffnet das Bad?", "Geöffnet von 9 bis 18 Uhr.", "Es öffnet von 10 bis 17 Uhr.", ("10", "17")),
        ("Wann ist das Fest?", "Das Fest ist am 4. Juli.", "Das Fest ist am 11. Juli.", ("11. Juli",)),
        ("Wie lange dauert der Kurs?", "Er dauert drei Wochen.", "Der Kurs dauert 4 Wochen.", ("4 Wochen",)),
        ("Combien coûte le billet ?", "Le billet coûte 12 euros.", "Billet : 14,50 €", ("14,50 €",)),
        ("À quelle heure ferme le parc ?", "Il ferme à 19 h.", "Il ferme à 20 h 30.", ("20",)),
        ("Combien de jours dure le stage ?", "Le stage dure 5 jours.", "Il dure 6 jours.", ("6 jours",)),
        ("¿Cuánto cuesta la entrada?", "Cuesta 1.200 euros.", "Cuesta 1200,50 euros.", ("1200,50 euros",)),
        ("¿Cuándo es la feria?", "Es el 3 de mayo.", "Es el 4 de mayo.", ("4 de mayo",)),
        ("¿Cuántas plazas hay?", "Hay 30 plazas.", "Quedan 25 plazas libres.", ("25 plazas",)),
    ],
)
def test_another_value_of_what_is_asked_is_a_conflict(
    question: str, first: str, second: str, values: tuple[str, ...]
) -> None:
    found = find_foreign_conflict(question, first, second, (detect_language(question),) * 2)
    assert found is not None and found.second == values


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("Was kostet die Fähre?", "Die Fähre kostet 3,50 €.", "Sie kostet 3,5 Euro."),
        ("Was kostet die Fähre?", "Die Fähre kostet 3,50 €.", "Sie fährt seit 1987."),
        ("Was kostet die Fähre?", "3 €, Kinder 2 €", "Die Fähre kostet 3 €."),
        ("¿Cuántas plazas hay?", "Hay 30 plazas.", "Hay 12 mesas."),
        ("Wer leitet das Bad?", "Frau Ott, 3 €.", "Herr Ast, 4 €."),
        ("Combien coûtent 10 billets ?", "10 billets : 90 €", "Les 10 billets coûtent 90 euros."),
    ],
)
def test_the_same_value_or_one_of_something_else_is_none(question: str, first: str, second: str) -> None:
    assert find_foreign_conflict(question, first, second, (detect_language(question),) * 2) is None


@pytest.mark.parametrize(
    ("first", "second", "languages", "is_conflict"),
    [
        ("Es sind 1.240 Plätze.", "Es sind 1240 Plätze.", ("de", "de"), False),
        ("Es sind 1.240 Plätze.", "Es sind 1,24 Plätze.", ("de", "de"), True),
        ("Es wiegt 1,240 Tonnen.", "Es wiegt 1,24 Tonnen.", ("de", "de"), False),
        ("Es wiegt 1,240 Tonnen.", "Es wiegt 1240 Tonnen.", ("de", "de"), True),
        ("Il pèse 1.240 tonnes.", "Il pèse 1,24 tonnes.", ("fr", "fr"), False),
        ("Il pèse 1 240 tonnes.", "Il pèse 1.240 tonnes.", ("fr", "fr"), True),
        ("Hay 1.240 plazas.", "Hay 1 240 plazas.", ("es", "es"), False),
        ("Es sind 1.240 Tonnen.", "Il y a 1 240 tonnes.", ("de", "fr"), False),
        ("Es sind 1.240 Tonnen.", "Il y a 1.240 tonnes.", ("de", "fr"), True),
    ],
)
def test_three_digits_behind_a_sign_are_read_as_the_language_writes_them(
    first: str, second: str, languages: tuple[str, str], is_conflict: bool
) -> None:
    found = find_foreign_conflict("Wie viele sind es?", first, second, languages)
    assert (found is not None) is is_conflict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ab dem 1. Oktober kostet es mehr.", True),
        ("À partir d'octobre, l'entrée est payante.", True),
        ("Desde 2026 el plazo es otro.", True),
        ("Neue Preise", True),
        ("Ab 18 Jahren kostet es mehr.", False),
        ("Desde la torre se ve el mar.", False),
    ],
)
def test_a_change_is_announced(text: str, expected: bool) -> None:
    assert announces_change(text) is expected
