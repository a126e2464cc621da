"""Types of value that German, French and Spanish questions ask for."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.foreign_types import find_foreign_type


@pytest.mark.parametrize(
    ("question", "value_type", "stated", "missing"),
    [
        ("Was kostet der Eintritt?", "price", "Kinder: 2,50 €", "Vor dem Eintritt ist zu duschen."),
        ("Wie viel Geld verdient er?", "price", "Er bekommt 900 Euro.", "Er hat zwei Monate."),
        ("combien coûte l'entrée", "price", "C'est gratuit pour tous.", "La douche est obligatoire."),
        ("¿cuánto vale el bacalao?", "price", "Son nueve euros.", "El bacalao lleva sal."),
        ("Um wie viel Uhr öffnet sie?", "clock time", "Sie öffnet um 8 Uhr.", "Sie öffnet täglich."),
        ("à quelle heure partir", "clock time", "Départ avant 10 h.", "Départ le lundi."),
        ("¿A qué hora cierra?", "clock time", "Cierra a las 23:00.", "Cierra los lunes."),
        ("Wie lange dauert das?", "duration", "Etwa vier Wochen.", "Das ist üblich."),
        ("pour combien de temps ?", "duration", "Trois semaines.", "Sauf les livres."),
        ("¿Cuánto dura el curso?", "duration", "Son seis meses.", "El curso es bueno."),
        ("Bis wann zahle ich?", "time", "Fällig am 31. März.", "Der Beitrag ist fällig."),
        ("c'est quand ?", "time", "Le mercredi, au port.", "Au port."),
        ("¿Qué días hay yoga?", "time", "Los jueves.", "En la sala grande."),
        ("Wie viele Karten gibt es?", "number", "Zwölf Karten.", "Karten gibt es hier."),
        ("combien d'élèves ?", "number", "Douze élèves.", "Les élèves sont là."),
        ("¿Desde qué edad?", "number", "Desde los 16.", "Desde la entrada."),
    ],
)
def test_a_value_is_stated_or_missing(question: str, value_type: str, stated: str, missing: str) -> None:
    asked = find_foreign_type(question)
    assert asked is not None and asked.value_type == value_type
    assert asked.is_stated(stated) and not asked.is_stated(missing)


def test_a_question_for_no_value_has_no_type() -> None:
    assert find_foreign_type("Wer leitet die Kita?") is None
