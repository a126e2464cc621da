"""Filters inside of questions."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.store.filters import FILTERS, IN_QUESTIONS, read_filters


@pytest.mark.parametrize(
    ("text", "question", "filters"),
    [
        ('costs author:"Jane Doe" after:2024', "costs", {"author": "Jane Doe", "after": "2024"}),
        ("lang:de Was kostet eine Reise?", "Was kostet eine Reise?", {"language": "de"}),
        ("What changed before:2024-05?", "What changed", {"before": "2024-05"}),
        ("Type:PDF COLLECTION:hr leave", "leave", {"type": "PDF", "collection": "hr"}),
        ("author:doe", "doe", {"author": "doe"}),
    ],
)
def test_filters_are_taken_out_of_a_question(text: str, question: str, filters: dict[str, Any]) -> None:
    assert read_filters(text) == (question, filters)


@pytest.mark.parametrize(
    "text",
    [
        "What does lang:xyzzy mean?",
        "after: the meeting",
        "mode:fast and title:policy",
        "type:thing in the schema",
        "see https://example.org/source:x",
        "before:lunch",
        "",
    ],
)
def test_words_that_only_look_like_filters_stay(text: str) -> None:
    assert read_filters(text) == (text, {})


def test_the_first_of_two_equal_filters_counts_and_the_other_stays_a_word() -> None:
    assert read_filters("a collection:x collection:y") == ("a collection:y", {"collection": "x"})


def test_every_filter_of_a_question_is_a_filter() -> None:
    assert set(IN_QUESTIONS.values()) <= set(FILTERS)
