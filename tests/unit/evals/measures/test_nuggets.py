"""Facts are found whatever the spelling, and only where they are stated."""

from __future__ import annotations

import pytest

from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import mentions, states


@pytest.mark.parametrize(
    ("said", "fact", "holds"),
    [
        ("It is `MLFLOW_DISABLE_TELEMETRY`.", "MLFLOW_DISABLE_TELEMETRY", True),
        ("About 10,000 rows", "10000", True),
        ("About 10000 rows", "10,000", True),
        ("python3.9 or newer", "3.9", True),
        ("version 13.9", "3.9", False),
        ("RED cars", "red", True),
        ("bored", "red", False),
        ("ﬁle size", "file size", True),
        ("not **at all** there", "not at all", True),
        ("1.5 times", "1,5", True),
        ("", "red", False),
    ],
)
def test_facts_are_found_as_whole_words_whatever_the_markup(said: str, fact: str, holds: bool) -> None:
    assert states(said, Nugget(fact=fact)) is holds


@pytest.mark.parametrize(
    "answer",
    [
        "It is false that the door is red.",
        "The door is not red.",
        "The door isn't red.",
        "The door was never red.",
        "That the door is red is false.",
        "It is not true that the door is red.",
        "No door of the house is red.",
        "Die Tür ist nicht red.",
    ],
)
def test_a_fact_that_is_denied_is_not_stated(answer: str) -> None:
    assert not states(answer, Nugget(fact="red"))
    assert states(f"{answer} The roof is red.", Nugget(fact="red")), "it is stated elsewhere"


@pytest.mark.parametrize(
    "answer",
    [
        "The door is not blue but red.",
        "No, it is red.",
        "It is not only red.",
        "It does not rust and is red.",
        "It is never red unless painted; it is red.",
        "It is not blue. It is red.",
        "It costs no more than red paint.",
    ],
)
def test_a_negation_of_something_else_denies_nothing(answer: str) -> None:
    assert states(answer, Nugget(fact="red"))


def test_a_fact_that_is_a_denial_is_stated_by_it() -> None:
    assert states("It is not supported.", Nugget(fact="not supported"))
    assert not states("It is supported.", Nugget(fact="not supported"))


@pytest.mark.parametrize(
    ("answer", "fact"), [("首都は東京ではない", "東京"), ("首都不是北京", "北京"), ("수도는 서울이 아니다", "서울")]
)
def test_denials_are_read_in_other_scripts(answer: str, fact: str) -> None:
    assert not states(answer, Nugget(fact=fact))


@pytest.mark.parametrize(
    ("answer", "fact", "holds"),
    [
        ("It cannot be delivered before 20 June.", "20 June", True),
        ("It is not later than the 5 May.", "5 May", True),
        ("They may not exceed 3 metres.", "3 metres", True),
        ("Nicht vor dem 20. Juni.", "20. Juni", True),
        ("It was not 20 June.", "20 June", False),
        ("It is not under warranty.", "warranty", False),
        ("He is no longer the chair.", "the chair", False),
        ("It is false that it comes before 20 June.", "20 June", False),
    ],
)
def test_a_negated_bound_states_its_amount(answer: str, fact: str, holds: bool) -> None:
    assert states(answer, Nugget(fact=fact)) is holds


def test_a_fact_that_is_denied_is_mentioned_all_the_same() -> None:
    assert mentions("It was not 20 June.", Nugget(fact="20 June"))
    assert not mentions("It was in May.", Nugget(fact="20 June"))
