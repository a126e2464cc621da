"""Everyday words: read by the words of the sources, and never where a source has the asked one."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.synonyms import read_synonyms


@pytest.mark.parametrize(
    ("question", "text", "read"),
    [
        ("How many vacation days are there?", "You have 27 days of holiday.", "How many holiday days are there?"),
        ("Who is my boss?", "Managers sign the form.", "Who is my managers?"),
        ("Can I rent a car?", "Vehicles are hired out, cars too.", "Can I rent a car?"),
        ("Who drives the Car of the year?", "The vehicle is new.", "Who drives the Car of the year?"),
        ("Who paints the fence?", "The wall is new.", "Who paints the fence?"),
    ],
)
def test_a_word_that_no_source_has_is_read_as_one_of_theirs(question: str, text: str, read: str) -> None:
    assert read_synonyms(question, [text]) == read
