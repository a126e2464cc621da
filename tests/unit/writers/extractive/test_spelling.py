"""Typing errors: read by the words of the passages, and never where a word is known."""

from __future__ import annotations

import pytest

from roma_core.writers.extractive.spelling import correct_spelling, count_edits

TEXTS = ["Annual leave is 28 days.", "The reimbursement of hotels needs a receipt."]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("anual leeve days", "annual leave days"),
        ("reimbursment of hotles", "reimbursement of hotels"),
        ("annual leave", "annual leave"),
        ("reciept for the hotel", "receipt for the hotel"),
        ("giraffe", "giraffe"),
        ("ask Hotell about it", "ask Hotell about it"),
    ],
)
def test_unknown_words_are_read_as_their_neighbours(typed: str, read: str) -> None:
    assert correct_spelling(typed, TEXTS) == read


def test_edits_are_counted_up_to_a_limit() -> None:
    assert (count_edits("abc", "abc", 2), count_edits("abc", "acb", 2), count_edits("abc", "xyz", 1)) == (0, 1, 2)
