"""Questions of several parts, and the look-ups that they need."""

from __future__ import annotations

import pytest

from roma_core.markup.compound import find_sides, list_lookups, name_found_subject, name_subject, split_question


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How deep is the well?", ("How deep is the well?",)),
        ("Who dug the well and the canal?", ("Who dug the well and the canal?",)),
        (
            "Who dug the well of Aldern, and what does a litre of its water cost in the summer months?",
            (
                "Who dug the well of Aldern?",
                "what does a litre of its water cost in the summer months (dug well Aldern)?",
            ),
        ),
        (
            "How deep is the well, and how long is the rope of the crane?",
            ("How deep is the well?", "how long is the rope of the crane?"),
        ),
        ("Where is the mill? And who owns it?", ("Where is the mill?", "who owns it (mill)?")),
        ("What did it cost in 2023, and what in 2024?", ("What did it cost in 2023?", "what in 2024 (cost)?")),
    ],
)
def test_parts_are_questions_that_stand_alone(question: str, parts: tuple[str, ...]) -> None:
    assert split_question(question) == parts


def test_a_comparison_has_two_sides() -> None:
    assert find_sides("Which is older, the mill or the well?") == ("the mill", "the well")
    assert find_sides("What is the difference between a well and a spring?") == ("a well", "a spring")
    assert find_sides("How old is the mill?") is None


def test_parts_and_sides_are_looked_up_beside_the_question() -> None:
    assert list_lookups("Which is older, the mill or the well?") == ("the mill older", "the well older")
    assert len(list_lookups("Who dug the well, and what did it cost?")) == 2
    assert list_lookups("How old is the mill?") == ()


@pytest.mark.parametrize(
    ("part", "first", "named"),
    [
        ("what is its range (lamp Carn Head)?", "Who made the lamp at Carn Head?", "what is Carn Head's range?"),
        ("when did it close in May (Nordline run)?", "Until when does Nordline's boat run?",
         "when did Nordline close in May?"),
        ("when did it close (boat run)?", "Until when does the boat run?", ""),
        ("when did it close (Nordline Selkie)?", "Does Nordline own the Selkie?", ""),
        ("when did Orra replace it (Nordline run)?", "Until when does Nordline's boat run?", ""),
        ("when was the boat sold (Nordline run)?", "Until when does Nordline's boat run?", ""),
    ],
    ids=["owner", "a month is no name", "no name", "two names", "a name of its own", "no pronoun"],
)  # fmt: skip
def test_the_only_name_of_the_first_part_stands_for_a_pronoun(part: str, first: str, named: str) -> None:
    assert name_subject(part, first) == named


@pytest.mark.parametrize(
    ("part", "first", "answer", "named"),
    [
        ("when was she born?", "Who dug the well?", "Petra Vos dug the well.", "when was Petra Vos born?"),
        ("where is its seat?", "Which firm bought Norwell?", "The firm Solberg Holding bought Norwell.",
         "where is Solberg Holding's seat?"),
        ("when were they born?", "Who dug the well?", "It was dug by Petra Vos and Ada Kern.", ""),
        ("what does it cost?", "Which lamp was chosen?", "In May a lamp was chosen.", ""),
        ("what does it cost?", "Which lamp was chosen?", "Nobody knows. Lamps are dear.", ""),
        ("what does the boat cost?", "Which lamp was chosen?", "It was the Lux 40.", ""),
        ("what does it cost?", "Is the Lux 40 chosen?", "Yes, the Lux 40.", ""),
    ],
    ids=["person", "owner", "two names", "a month", "no name", "no pronoun", "named before"],
)  # fmt: skip
def test_the_only_name_that_was_found_stands_for_a_pronoun(part: str, first: str, answer: str, named: str) -> None:
    assert name_found_subject(part, first, answer) == named
