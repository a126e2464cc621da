"""Claims that read "Label: value" lines aloud."""

from __future__ import annotations

import pytest

from roma_core.citations.records import read_record_claim, read_records
from roma_core.citations.words import read_words

FLAT = "Flat: 12b. Floor: 4. Rooms: 3. Balcony: yes. Let to: Ann Lee; Languages: Dutch, German"
TWO = "Room: Oak\nSeats: 14\n\nText between.\nRoom: Elm\nSeats: 30"


def is_read(claim: str, passage: str, *known: str) -> bool:
    return read_record_claim(read_words(claim), read_words(passage), frozenset(known)) is not None


def test_entries_stand_on_lines_or_behind_each_other() -> None:
    assert [len(record) for record in read_records(read_words(TWO))] == [2, 2]
    assert [len(record) for record in read_records(read_words(FLAT))] == [6]
    assert read_records(read_words("Note: it is open. See https://a.b and 12: c.")) == []


@pytest.mark.parametrize(
    "claim",
    [
        "The flat is on floor 4 and has 3 rooms.",
        "Flat 12b has a balcony.",
        "The flat is let to Ann Lee.",
        "The languages of the flat are German.",
        "The flat is 12b.",
    ],
)
def test_a_value_is_read_behind_its_label(claim: str) -> None:
    assert is_read(claim, FLAT)


@pytest.mark.parametrize(
    "claim",
    [
        "The flat is on floor 3 and has 4 rooms.",
        "The flat has 4.",
        "The balcony is 3.",
        "The flat may have 3 rooms.",
        "The flat has 3 sunny rooms.",
        "The floor of Ann Lee is 12b.",
        "Flat 12b.  Rooms.",
    ],
)
def test_a_value_behind_another_label_is_not(claim: str) -> None:
    assert not is_read(claim, FLAT)


def test_of_two_records_the_claim_names_one() -> None:
    assert is_read("The Elm room has 30 seats.", TWO)
    assert not is_read("The Oak room has 30 seats.", TWO)
    assert not is_read("The room has 30 seats.", TWO)


def test_a_heading_may_name_what_a_record_is_about() -> None:
    assert is_read("The Dorn house has 14 seats.", "Room: Oak\nSeats: 14", "dorn", "hous")
    assert not is_read("The Dorn house has 14 seats.", "Room: Oak\nSeats: 14")
