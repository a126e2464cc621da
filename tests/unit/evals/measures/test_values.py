"""Numbers, dates and words compare by value, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.evals.measures.values import find_fact, put_amounts_in_order, read_values


def same(one: str, other: str) -> bool:
    """The whole of ``one`` is found in ``other``."""
    fact, text = put_amounts_in_order(read_values(one)), put_amounts_in_order(read_values(other))
    return any(True for _ in find_fact(fact, text))


@pytest.mark.parametrize(
    "spellings",
    [
        ("10,000", "10000", "10 000", "10\u00a0000", "10\u202f000", "10'000", "10.000"),
        ("1.5", "1,5"),
        ("1234567.89 EUR", "1.234.567,89 Euro", "1,234,567.89 €", "€1,234,567.89"),
        ("$2.50", "2.50 dollars", "USD 2.50"),
        ("-5 °C", "−5 °C", "-5 degrees C"),
        ("50 %", "50%", "50 percent", "50 Prozent"),
        (
            "2024-03-05",
            "5 March 2024",
            "March 5, 2024",
            "5th of March 2024",
            "5. März 2024",
            "05.03.2024",
            "5 mars 2024",
        ),
        ("8", "eight", "acht"),
        ("12 minutes", "12 min"),
        ("file", "ﬁle", "FILE"),
    ],
    ids=lambda spellings: spellings[0],
)
def test_spellings_of_one_value_are_the_same(spellings: tuple[str, ...]) -> None:
    for one in spellings:
        for other in spellings:
            assert same(one, f"It says {other} here."), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "-5"), ("-5", "5"), ("50", "50 %"), ("50 %", "50"), ("3.1", "3.10"), ("3.9", "13.9"), ("3.9", "3.91"),
        ("1250 kPa", "1250 Pa"), ("2024-03-05", "6 March 2024"), ("2024-03-05", "5 March 2023"), ("C", "C++"),
        ("C", "C#"), ("C++", "C"), ("red", "bored"), ("2.0.1", "2.0.10"), ("100", "1000"), ("1.5", "15"),
    ],
)  # fmt: skip
def test_other_values_are_not(one: str, other: str) -> None:
    assert not same(one, other)


@pytest.mark.parametrize(
    ("fact", "text"),
    [("東京", "首都は東京です"), ("北京", "中国的首都是北京。"), ("서울", "수도는 서울이다"),
     ("กรุงเทพ", "เมืองหลวงคือกรุงเทพมหานคร"),
     ("Афины", "столица Афины, Греция"), ("Zürich", "in ZÜRICH")],
)  # fmt: skip
def test_words_are_found_in_scripts_without_blanks(fact: str, text: str) -> None:
    assert same(fact, text) and not same(text, fact)


@given(st.text(max_size=200))
def test_any_text_is_read_and_found_in_itself(text: str) -> None:
    tokens = [token for token in read_values(text) if token.kind != "break"]
    assert not tokens or tokens[-1].kind == "number" or any(True for _ in find_fact(tokens, tokens))


def test_a_page_of_digits_is_read_in_time() -> None:
    assert len(read_values("1," * 50_000)) > 0 and len(read_values("9" * 100_000)) == 1
