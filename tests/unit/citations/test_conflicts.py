"""Conflicts between sources and copies of them."""

from __future__ import annotations

import pytest

from roma_core.citations.conflicts import TextSignature, find_conflict, is_near_copy


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("The fee for lockers is 12 € a month.", "Lockers have a fee of 15 € a month.", "number"),
        ("The gate opens on 3 May 2025.", "The gate opens on 9 May 2025.", "date"),
        ("Boats may be moored at the pier.", "Boats may not be moored at the pier.", "polarity"),
        ("The contact for lockers is Ida Brandt.", "The contact for lockers is Omar Haddad.", "name"),
    ],
)
def test_sources_conflict_in_numbers_dates_polarity_and_names(first: str, second: str, kind: str) -> None:
    found = find_conflict(first, second)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The fee for lockers is 12 € a month.", "The fee for lockers is twelve € a month."),
        ("The gate opens at 8.", "The bakery closes at 9."),
        ("The fee is 12 €, for members 9 €.", "The fee is 12 €."),
        ("The tank holds 40 litres.", "The tank was built in 1998."),
    ],
)
def test_sources_that_agree_or_speak_of_something_else_do_not_conflict(first: str, second: str) -> None:
    assert find_conflict(first, second) is None


def test_few_shared_words_are_no_conflict_where_the_documents_have_another_subject() -> None:
    one, other = "It requires Python 3.8.", "It requires Python 3.11."
    assert find_conflict(one, other, same_subject=False) is None


def test_a_copy_keeps_numbers_names_and_denials() -> None:
    text = "The committee of Delft decided on 4 May to buy three machines for the kitchen."
    assert is_near_copy(text, text.upper().capitalize().replace("delft", "Delft").replace("may", "May"))
    assert not is_near_copy(text, text.replace("three", "four"))
    assert not is_near_copy(text, text.replace("decided", "did not decide"))


def test_signatures_find_copies_of_long_texts_whatever_their_numbers() -> None:
    text = "Minutes of the committee. " * 3 + "It decided to buy three machines for the kitchen and to close the bar."
    assert TextSignature.of(f"Copy 1. {text}").is_like(TextSignature.of(f"Copy 2. {text}"))
    assert not TextSignature.of(text).is_like(TextSignature.of("The pump moves water."))
