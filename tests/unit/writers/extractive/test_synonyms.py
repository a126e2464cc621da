"""Everyday words: read by the words of the sources, and never where a source has the asked one."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.synonyms import read_roles, read_synonyms


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
