"""Questions about what other documents add: grounded in a sentence, and about the thing that was asked."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.writers.further import MOST_FURTHER, find_further_questions, split_prose

ASKED = "When was the rope bridge of Quellfeld built?"
CITED = "The rope bridge of Quellfeld was built in 1902. It spans the gorge."
ANSWER = "The rope bridge of Quellfeld was built in 1902 [1]."


def test_another_document_that_adds_to_the_asked_thing_is_asked_about(kit: Any) -> None:
    passages = [
        kit.passage(CITED, name="bridge"),
        kit.passage("The rope bridge pays for the landing stage.", rank=2, name="ferry", title="Ferry rates"),
    ]
    assert find_further_questions(ASKED, ANSWER, passages) == (
        "What does “Ferry rates” say about “rope bridge” and “landing stage”?",
    )


def test_each_document_is_asked_about_once_and_three_at_most(kit: Any) -> None:
    things = ("quarry", "quarry", "sluice", "granary", "mill")
    others = [
        kit.passage(
            f"The rope bridge leads to the {thing}. It is {rank} old.", rank=rank, name=thing, title=thing.title()
        )
        for rank, thing in enumerate(things, 2)
    ]
    questions = find_further_questions(ASKED, ANSWER, [kit.passage(CITED, name="bridge"), *others])
    assert len(questions) == MOST_FURTHER
    assert [question.split("”")[0] for question in questions] == [
        "What does “Quarry",
        "What does “Sluice",
        "What does “Granary",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# Quarry\n\n## The rope bridge and the quarry",
        "The rope bridge was built in 1902.",
        "The mill grinds the corn of the village.",
        "| The rope bridge | the quarry |",
    ],
    ids=["headings", "nothing new", "another thing", "a table"],
)
def test_headings_repetitions_and_other_things_are_no_ground_for_a_question(text: str, kit: Any) -> None:
    passages = [kit.passage(CITED, name="bridge"), kit.passage(text, rank=2, name="other")]
    assert find_further_questions(ASKED, ANSWER, passages) == ()


def test_the_cited_document_itself_is_not_asked_about_again(kit: Any) -> None:
    passages = [
        kit.passage(CITED, name="bridge"),
        kit.passage("The rope bridge leads to the quarry.", rank=2, name="bridge"),
    ]
    assert find_further_questions(ASKED, ANSWER, passages) == ()


def test_a_verb_is_no_part_of_a_thing(kit: Any) -> None:
    passages = [
        kit.passage("The valve opens at 3 bar. The manual describes the valve.", name="a"),
        kit.passage("The valve opens when the pump of the boiler stops.", rank=2, name="b", title="Boilers"),
    ]
    (question,) = find_further_questions("When does the valve open?", "At 3 bar [1].", passages)
    assert "“valve”" in question and "“pump”" in question


@pytest.mark.parametrize(
    ("asked", "cited", "other", "expected"),
    [
        (
            "Wann wurde die Hängebrücke in Quellfeld gebaut?",
            "Die Hängebrücke in Quellfeld wurde 1902 gebaut.",
            "Für die Hängebrücke zahlt man am Steinbruch einen Zoll.",
            "Was sagt „Doc“ über „Hängebrücke“ und „Steinbruch“?",
        ),
        (
            "Quand le pont de Quellfeld a-t-il été construit ?",
            "Le pont de Quellfeld a été construit en 1902.",
            "Au bout du pont se trouve la carrière, qui est fermée.",
            "Que dit « Doc » de « pont » et « carrière » ?",
        ),
    ],
    ids=["German", "French"],
)
def test_the_question_is_in_the_language_of_the_one_asked(
    asked: str, cited: str, other: str, expected: str, kit: Any
) -> None:
    passages = [kit.passage(cited, name="a"), kit.passage(other, rank=2, name="b", title="Doc")]
    assert find_further_questions(asked, f"{cited[:-1]} [1].", passages) == (expected,)


def test_a_language_without_a_grammar_gets_none(kit: Any) -> None:
    passages = [kit.passage("橋は1902年に建てられた。", name="a"), kit.passage("橋は採石場に通じる。", name="b")]
    assert find_further_questions("橋はいつ建てられましたか？", "1902年 [1]。", passages) == ()


def test_prose_is_without_headings_tables_code_and_links() -> None:
    text = "# Care\n\nThe **seal** wears. It is [new](https://x.example).\n\n| a | b |\n    code = 1\n> quoted"
    assert split_prose(text) == ["The seal wears.", "It is new."]
