"""National numbers by shape, check digits and the words before them. The numbers are made up or from documentation."""

from __future__ import annotations

import pytest

from roma_core.privacy.national import find_national_numbers


def found(text: str) -> list[str]:
    return sorted({text[start:end] for start, end in find_national_numbers(text)})


@pytest.mark.parametrize(
    "number",
    [
        "RSSMRA85T10A562S",
        "12345678Z",
        "12.345.678-Z",
        "X1234567L",
        "1 85 05 78 006 084 91",
        "756.9217.0769.85",
        "131052-308T",
        "811228-9874",
        "44051401359",
        "85.07.30-033.28",
        "710319/2745",
        "111.444.777-35",
        "AB 12 34 56 C",
    ],
)
def test_a_number_of_its_own_shape_needs_no_word(number: str) -> None:
    assert found(f"| {number} |") == [number]


@pytest.mark.parametrize(
    ("cue", "number"),
    [
        ("BSN: ", "111222333"),
        ("NHS number ", "943 476 5919"),
        ("SIN ", "123 456 782"),
        ("CPF nº ", "11144477735"),
        ("Aadhaar: ", "2341 2341 2346"),
        ("NINO ", "AB123456C"),
    ],
)
def test_a_number_that_may_be_anything_needs_a_word_before_it(cue: str, number: str) -> None:
    assert found(f"{cue}{number}.") == [number]
    assert found(f"Order {number}.") == []


@pytest.mark.parametrize(
    "text",
    [
        "12345678A",
        "85.07.30-033.29",
        "3f2a85b1-44051401359-x",
        "ISBN 978-3-16-148410-0",
        "1.44051401359",
        "2024-05-14 01:35:59",
        "9f86d081884c7d659a2feaa0c55ad015",
        "sin 123 456 782",
        "",
    ],
)
def test_what_fails_its_check_or_stands_in_something_longer_is_none(text: str) -> None:
    assert found(text) == []
