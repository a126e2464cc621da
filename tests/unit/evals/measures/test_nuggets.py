"""Facts are found whatever the spelling, and only where they are stated."""

from __future__ import annotations

import pytest

from roma_core.evals.golden.dataset import Nugget
from roma_core.evals.measures.nuggets import states


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
        ("1.5 times", "1,5", False),
        ("", "red", False),
    ],
)
def test_facts_are_found_as_whole_words_whatever_the_markup(said: str, fact: str, holds: bool) -> None:
    assert states(said, Nugget(fact=fact)) is holds
