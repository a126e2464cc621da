"""Everyday words: read by the words of the sources, and never where a source has the asked one."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.synonyms import read_measure, read_roles, read_synonyms, resolve_pronoun


@pytest.mark.parametrize(
    ("question", "text", "read"),
    [
        ("How many vacation days are there?", "You have 27 days of holiday.", "How many holiday days are there?"),
        ("Who is my boss?", "Managers sign the form.", "Who is my managers?"),
        ("Can I rent a car?", "Vehicles are hired out, cars too.", "Can I rent a car?"),
        ("Who drives the Car of the year?", "The vehicle is new.", "Who drives the Car of the year?"),
        ("When does the train leave?", "It is a holiday train.", "When does the train leave?"),
        ("Who paints the fence?", "The wall is new.", "Who paints the fence?"),
    ],
)
def test_a_word_that_no_source_has_is_read_as_one_of_theirs(question: str, text: str, read: str) -> None:
    assert read_synonyms(question, [text]) == read


LEASE = 'Between Penrose Estates Ltd, Derry ("the Landlord") and Amber GmbH (the Tenant). The Tenant pays the rent.'


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("What does Amber pay?", "What does the Tenant pay?"),
        ("When may Penrose Estates end it?", "When may the Landlord end it?"),
        ("Who is Mia?", "Who is Mia?"),
        ("What does the Tenant pay?", "What does the Tenant pay?"),
    ],
)
def test_a_party_is_read_as_what_the_contract_calls_it(question: str, read: str) -> None:
    assert read_roles(question, [LEASE]) == read


def test_a_party_whose_name_the_contract_uses_keeps_it() -> None:
    assert read_roles("What does Amber pay?", [LEASE, "Amber pays for the water."]) == "What does Amber pay?"
    assert read_roles("Where is Brenk?", ["Brenk (Hills) lies in the north."]) == "Where is Brenk?"


@pytest.mark.parametrize(
    ("question", "text", "read"),
    [
        ("How heavy is the pump?", "Weight: 2.9 kg", "What is the weight of the pump?"),
        ("How loud were they?", "Noise at level 1: 34 dB", "What were the noise of they?"),
        ("How heavy is the pump?", "It is heavy. Weight: 2.9 kg", "How heavy is the pump?"),
        ("How heavy is the pump?", "It is red.", "How heavy is the pump?"),
        ("How heavy a load is allowed?", "Weight: 2.9 kg", "How heavy a load is allowed?"),
    ],
)
def test_an_adjective_is_read_as_the_noun_under_which_data_stand(question: str, text: str, read: str) -> None:
    assert read_measure(question, [text]) == read


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("Does it have a lid?", "Does Nebel 3 have a lid?"),
        ("What is its weight?", "What is Nebel 3's weight?"),
        ("Where did she study?", "Where did Nebel 3 study?"),
        ("What is her name?", "What is Nebel 3's name?"),
        ("Who knows her?", "Who knows Nebel 3?"),
        ("Is it possible to rent one?", "Is it possible to rent one?"),
        ("What time is it?", "What time is it?"),
        ("How long does it take to dry?", "How long does it take to dry?"),
        ("Where is the lid?", "Where is the lid?"),
    ],
)
def test_a_pronoun_stands_for_the_title(question: str, read: str) -> None:
    assert resolve_pronoun(question, "Nebel 3") == read


def test_a_title_without_a_word_stands_for_nothing() -> None:
    assert resolve_pronoun("Does it have a lid?", "2026-03") == "Does it have a lid?"
