"""What a question in another language asks beside its topic, and a sentence on the topic does not say."""

from __future__ import annotations

import pytest

from roma_core.llm.base import I_DONT_KNOW
from roma_core.writers.extractive.foreign_checks import find_unmet
from roma_core.writers.extractive.spans import score_spans


def unmet(question: str, text: str, language: str) -> str:
    languages = frozenset({language})
    return find_unmet(question, languages, [text], lambda words, held: any(score_spans(words, [held], languages)))


@pytest.mark.parametrize(
    ("question", "text", "language", "said"),
    [
        ("Welches Möbel ist am schwersten?", "Auf alle Möbel geben wir Garantie.", "de", "am schwersten"),
        ("Welches Möbel ist am schwersten?", "Das schwerste Möbel ist der Schrank.", "de", ""),
        ("Welche Tonne ist die größte?", "Die Tonnen stehen ab 6 Uhr an der Straße.", "de", "größte"),
        ("Quel objet est le plus ancien ?", "L'objet est exposé.", "fr", "le plus ancien"),
        ("Quel objet est le plus ancien ?", "L'objet le plus ancien est un col.", "fr", ""),
        ("Which machine is the oldest?", "Alle Maschinen wartet Mirko Brandt.", "de", "oldest"),
        ("Welche Tische kosten weniger als 700 Euro?", "Die Lieferzeit für Tische ist lang.", "de", "weniger als"),
        ("Welche Tische kosten weniger als 700 Euro?", "Tische unter 700 Euro gibt es nicht.", "de", ""),
        ("Was wurde im Juni bestellt?", "Bei Bestellung wird angezahlt.", "de", "Juni"),
        ("Was wurde im Juni bestellt?", "Am 12.06.2026 wurde ein Tisch bestellt.", "de", ""),
        ("Was wurde im Juni bestellt?", "Von April bis Oktober wurde Holz bestellt.", "de", ""),
        ("Was kostet es im Juni?", "Es kostet 4 Euro.", "de", ""),
        ("Was verdient Mirko Brandt?", "Werkstattleiter ist Mirko Brandt.", "de", "verdient"),
        ("Was verdient Mirko Brandt?", "Mirko Brandt hat einen Verdienst von 3 Euro.", "de", ""),
        ("Was macht Mirko Brandt?", "Werkstattleiter ist Mirko Brandt.", "de", ""),
        ("Wer liefert nach Norwegen?", "Das Sägewerk liefert im November.", "de", "Norwegen"),
        ("Wer liefert nach Norwegen?", "Die Spedition Nord fährt Norwegen an.", "de", ""),
        ("Wer ist Mirko Brandt?", "Werkstattleiter ist Mirko Brandt.", "de", ""),
    ],
)
def test_what_a_question_asks_and_no_sentence_says_is_named(question: str, text: str, language: str, said: str) -> None:
    assert unmet(question, text, language) == said


async def test_a_superlative_that_no_sentence_says_is_refused() -> None:
    from tests.unit.writers.test_spans import ask

    text = "Auf alle Möbel geben wir fünf Jahre Garantie. Der Laden liegt in der Stadt."
    answer = await ask("Welches Möbel ist am schwersten?", text)
    assert answer.pieces[0] == I_DONT_KNOW
    assert "no sentence says “am schwersten”" in answer.remark
    heaviest = await ask("Welches Möbel ist am schwersten?", f"{text} Das schwerste Möbel ist der Schrank.")
    assert "Schrank" in "".join(heaviest.pieces)
