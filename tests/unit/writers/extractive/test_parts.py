"""Answers to the parts of a question, and comparisons of what is quoted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup.questions import read_question
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.comparisons import compare_sides
from roma_core.writers.extractive.units import quotable_units
from roma_core.writers.extractive.wording import join_parts


def passage(name: str, text: str, rank: int = 1) -> ScoredChunk:
    held = Chunk(
        id=f"c-{name}", document_id=name, uri=f"file:///{name}.md", title=name, text=text, start=0, end=len(text)
    )
    return ScoredChunk(chunk=held, score=1.0 / rank, rank=rank, retriever="test")


WELL = passage("well", "Petra Vos dug the well of Aldern.\n\nThe roof is of slate.\n\nThe well is 31 metres deep.")


async def test_each_part_of_a_question_is_answered() -> None:
    answer = await ExtractiveWriter().answer("Who dug the well of Aldern, and how deep is the well?", [WELL])
    assert answer.pieces == ("Petra Vos dug the well of Aldern. [1]", "\n\n", "The well is 31 metres deep. [1]")
    assert not answer.is_partial


async def test_a_part_without_an_answer_is_named() -> None:
    answer = await ExtractiveWriter().answer("Who dug the well of Aldern, and how heavy is its bucket?", [WELL])
    assert answer.pieces[0] == "Petra Vos dug the well of Aldern. [1]"
    assert answer.pieces[-1] == "\n\nNot answered by these sources: how heavy is its bucket?"
    assert answer.is_partial
    assert answer.frame == ("Not answered by these sources: how heavy is its bucket?",)


async def test_a_question_of_which_no_part_is_answered_is_refused() -> None:
    answer = await ExtractiveWriter().answer("What colour is the bucket, and how heavy is it?", [WELL])
    assert answer.pieces[0] == I_DONT_KNOW


class Ranker:
    """Scores a text high where it and the question hold the fragments of a rule, and no other way."""

    name = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"

    def __init__(self, *rules: tuple[str, str]) -> None:
        self._rules = rules

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [7.0 if any(q in question and t in text for q, t in self._rules) else -9.0 for text in texts]


CONTRACT = passage("contract", "Nordline sails until 31 December 2029.")
DELAY = passage("delay", "Nordline pays back half of the fare for the delay.", 2)


async def test_a_pronoun_of_a_part_is_read_as_the_name_of_the_first_part() -> None:
    ranker = Ranker(("contract run", "sails until"), ("did Nordline pay back", "pays back half"))
    question = "Until when does Nordline's contract run, and how much of the fare did it pay back for the delay?"
    answer = await ExtractiveWriter(ranker).answer(question, [CONTRACT, DELAY])
    text = "".join(answer.pieces)
    assert "sails until 31 December 2029. [1]" in text
    assert "pays back half of the fare for the delay. [2]" in text
    assert not answer.is_partial


async def test_a_pronoun_of_a_part_is_read_as_what_the_first_part_found() -> None:
    ranker = Ranker(("Which lamp was chosen", "jury"), ("what does Lux 40 cost", "680"))
    found = [passage("award", "The jury chose the Lux 40."), passage("prices", "One Lux 40 is sold at 680 euros.", 2)]
    answer = await ExtractiveWriter(ranker).answer("Which lamp was chosen, and what does it cost?", found)
    assert "".join(answer.pieces) == "The jury chose the Lux 40. [1]\n\nOne Lux 40 is sold at 680 euros. [2]"
    assert not answer.is_partial


OFFER = "the Trust chose the offer of Stroom with 88 points.\n\nOne condition: the mortar is mixed with fresh water."


async def test_a_part_is_read_by_its_own_words_in_the_document_of_the_first_part() -> None:
    question = "How many points did the offer of the firm have, and what is its one condition?"
    ranker = Ranker(("points did the offer", "88 points"), ("(", "88 points"), ("what is its one condition?", "fresh"))
    answer = await ExtractiveWriter(ranker).answer(question, [passage("award", OFFER)])
    assert "fresh water. [1]" in "".join(answer.pieces)


async def test_few_words_of_a_part_are_not_answered_by_another_document() -> None:
    question = "How many points did the offer of the firm have, and what is its one condition?"
    ranker = Ranker(("points did the offer", "88 points"), ("what is its one condition?", "fresh"))
    award, other = (passage(name, text) for name, text in zip(("award", "plan"), OFFER.split("\n\n"), strict=True))
    answer = await ExtractiveWriter(ranker).answer(question, [award, other])
    assert "fresh water" not in "".join(answer.pieces)
    assert answer.is_partial


@pytest.mark.parametrize(
    ("question", "first", "second", "line"),
    [
        (
            "Which is heavier, the sledge or the cart?",
            "The sledge weighs 40 kilograms and is 2 metres long.",
            "The cart weighs 0.1 tonnes.",
            "“cart”, by these values (0.1 tonnes against 40 kilograms):",
        ),
        (
            "Which is older, the mill or the chapel?",
            "The mill was built in 1902.",
            "The chapel was built in 1877.",
            "“chapel”, by these values (1877 against 1902):",
        ),
        ("Which is longer, the rope or the chain?", "The rope is 9 metres long.", "The chain is 9 metres long.",
         "By these values both are the same (9 metres and 9 metres):"),
        ("Which is heavier, the sledge or the cart?", "The sledge weighs 40 kilograms.", "The cart is red.", ""),
        ("Which is heavier, the sledge or the cart?", "The sledge weighs 40 or 50 kilograms.",
         "The cart weighs 60 kilograms.", ""),
    ],
)  # fmt: skip
def test_two_sides_are_compared_by_their_values(question: str, first: str, second: str, line: str) -> None:
    units = quotable_units([passage("one", first), passage("two", second, 2)])
    assert compare_sides(read_question(question), units) == line


def test_a_sentence_that_answers_two_parts_is_quoted_once() -> None:
    parts = ("Who dug it?", "how deep is it (dug)?")
    answers = (("Petra Vos dug it. [1]", " It is deep. [1]"), ("Petra Vos dug it. [1]", " It is 31 metres deep. [2]"))
    assert "".join(join_parts(parts, answers)) == "Petra Vos dug it. [1] It is deep. [1]\n\nIt is 31 metres deep. [2]"
