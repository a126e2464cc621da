"""Types of values that questions ask for, and texts that state them or do not."""

from __future__ import annotations

import pytest

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.answer_types import find_asked_value, states_value


@pytest.mark.parametrize(
    ("question", "value_type"),
    [
        ("How many lorries use the tunnel?", "count"),
        ("What does a berth cost?", "money"),
        ("Which price is planned for the second edition?", "money"),
        ("How much does a ticket for children cost?", "money"),
        ("how much is the family ticket", "money"),
        ("What notice period does the lease have?", "duration"),
        ("How heavy is the bell?", "mass"),
        ("What was the temperature of the kiln?", "temperature"),
        ("What power has the pump?", "power"),
        ("How deep is the well?", "number"),
        ("How long must a password be?", "length"),
    ],
)
def test_a_question_asks_for_a_type_of_value(question: str, value_type: str) -> None:
    asked = find_asked_value(question)
    assert asked is not None
    assert asked.value_type == value_type


@pytest.mark.parametrize(
    "question",
    [
        "Why is the tunnel closed?",
        "How much is left?",
        "How much is the discount?",
        "By how much are the capsules thicker?",
        "Who pays for the berth?",
        "Which price list is valid?",
        "What colour is the bell?",
        "What controls wages in a market?",
        "How does the pump work?",
    ],
)
def test_other_questions_ask_for_no_type_of_value(question: str) -> None:
    assert find_asked_value(question) is None


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many lorries use the tunnel?", "Four lorries a day use it."),
        ("How many lorries use the tunnel?", "No lorry may use it."),
        ("How many tonnes of salt were sold?", "They sold 30 tonnes."),
        ("What does a berth cost?", "Members pay 12 euros a night."),
        ("What does a berth cost?", "For members it is free."),
        ("Which bus fares apply?", "A ride costs 12 kronor."),
        ("How much money was claimed?", "The owner claimed 6 million lire in damages."),
        ("What notice period does the lease have?", "It can be ended with three months' notice."),
        ("How heavy is the bell?", "The bell weighs 2.1 tonnes."),
        ("How much of the roof is slate?", "A third of it is slate."),
        ("What power has the pump?", "A pump of 4 kW lifts it."),
        ("How many vacation days do cooks get?", "27 days of holiday"),
        ("How many hours a week do cooks work?", "They work 36 hours a week."),
        ("How deep is the harbour?", "At low water it has 2.4 m."),
        ("How deep is the harbour?", "The harbour has 3 fathoms."),
        ("How high is the fee?", "The fee is 8 %."),
    ],
)
def test_a_text_states_a_value_of_the_type(question: str, text: str) -> None:
    asked = find_asked_value(question)
    assert asked is None or states_value(asked, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many hours a week do cooks work?", "They may work at home up to four days a week."),
        ("How many lorries use the tunnel?", "Its limit is 18 tonnes."),
        ("How many watts has the lamp?", "The lamp weighs 41 kilograms."),
        ("How many people worked on it in 2019?", "Work on it ended in 2019."),
        ("What does a berth cost?", "The berth has 16 amperes and water."),
        ("What notice period does the lease have?", "The lease is for 86 square metres."),
        ("How many moorings lie east of the pier?", "All moorings east of the pier must be empty by 1 December."),
        ("What guarantee period do they ask for?", "For each week of delay 2 000 euros are held back."),
        ("How heavy is the bell?", "The bell was cast in 1871."),
        ("What power has the pump?", "The pump runs at 35 percent at least."),
        ("How deep is the harbour?", "The harbour trust raises its rent by 8 %."),
        ("What is the width of the gate?", "The gate costs 1,240 euros."),
    ],
)
def test_a_number_of_another_type_is_no_value_of_it(question: str, text: str) -> None:
    asked = find_asked_value(question)
    assert asked is not None
    assert not states_value(asked, text)


def test_a_number_without_a_unit_counts_in_a_line_and_behind_a_word_that_wants_one() -> None:
    asked = find_asked_value("What does the roof cost?")
    assert asked is not None
    assert states_value(asked, "Roof | 340 000", is_line=True)
    assert states_value(asked, "The roof costs 340 000")
    assert not states_value(asked, "The roof has 340 slates")


async def test_a_sentence_without_the_value_that_is_asked_is_shown_as_nearest_only() -> None:
    text = "The Hollow Bridge carries vehicles of 18 tonnes each day of the year."
    held = Chunk(id="c", document_id="d", uri="file:///b.md", title="Hollow Bridge", text=text, start=0, end=len(text))
    passages = [ScoredChunk(chunk=held, score=1.0, rank=1, retriever="test")]
    answer = await ExtractiveWriter().answer("How many vehicles cross Hollow Bridge each day?", passages)
    assert answer.is_refusal
    assert answer.remark == "no source states a number for it"
    assert text in "".join(answer.pieces)
