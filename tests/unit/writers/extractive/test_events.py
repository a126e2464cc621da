"""What happens on a day."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import markdown
from roma_core.types import RawDocument
from roma_core.writers.extractive.recipes import state_events
from roma_core.writers.extractive.sources import CitedSources

VILLAGE = """# The year of the village

Updated 4 July 2026

- 14 February 2026: pancake race
- 4 July 2026: summer fair on the green
- 11 July 2026: clean-up of the green

The pond is drained on 30 August. The library closes early on July 11th.
"""
RELEASES = """# Releases

| Date | Service | Change |
| --- | --- | --- |
| 2026-03-02 | billing | new invoices |
| 2026-07-04 | gateway | certificates renewed |
| 2025-07-04 | belts | slower start |
"""


def ask(question: str, *texts: str) -> str:
    documents = [
        markdown.parse(RawDocument(uri=f"file:///{number}.md", data=text.encode()), ParseOptions())
        for number, text in enumerate(texts)
    ]
    answer = state_events(read_question(question), CitedSources((), documents))
    return "".join(answer.pieces) if answer is not None else ""


@pytest.mark.parametrize(
    "question", ["What happens on 4 July?", "What is planned for July 4?", "What's on on 4 July 2026?"]
)
def test_lines_and_rows_of_the_day_answer(question: str) -> None:
    answer = ask(question, VILLAGE, RELEASES)
    assert "summer fair on the green [1]" in answer
    assert "certificates renewed" in answer
    assert "pancake" not in answer and "clean-up" not in answer and "Updated" not in answer


def test_another_year_is_another_day() -> None:
    answer = ask("What happened on 4 July 2025?", VILLAGE, RELEASES)
    assert "slower start" in answer
    assert "fair" not in answer and "certificates" not in answer


def test_lines_and_sentences_are_both_found() -> None:
    answer = ask("Is there anything on 11 July?", VILLAGE)
    assert "clean-up of the green" in answer and "closes early on July 11th" in answer


@pytest.mark.parametrize(
    "question",
    [
        "What happens on 5 July?",
        "Who judges the cakes on 4 July?",
        "What happens before 4 July?",
        "What happens in July?",
        "How many people came on 4 July?",
    ],
)
def test_other_days_and_other_questions_are_left_to_the_ranker(question: str) -> None:
    assert ask(question, VILLAGE, RELEASES) == ""
