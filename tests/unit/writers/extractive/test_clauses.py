"""Parts of long sentences: cut at clauses, never to another meaning."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.clauses import is_honest

LOGITS = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"
LONG = (
    "The hall was built in 1902 by the guild of the tanners of Ilmen, which had bought the ground beside the river "
    "from the town council three years before, and the roof was burnt by lightning in the summer of 1931, when the "
    "tower had a mast of iron."
)


def passage(text: str) -> ScoredChunk:
    held = Chunk(id="c", document_id="d", uri="file:///d.md", title="", text=text, start=0, end=len(text))
    return ScoredChunk(chunk=held, score=1.0, rank=1, retriever="test")


class Scripted:
    """Scores a text by the fragments that it holds: the sum of theirs."""

    name = LOGITS

    def __init__(self, known: dict[str, float]) -> None:
        self._known = known

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [sum(score for fragment, score in self._known.items() if fragment in text) for text in texts]


async def quote(question: str, text: str, known: dict[str, float]) -> str:
    answer = await ExtractiveWriter(Scripted(known)).answer(question, [passage(text)])
    return "".join(answer.pieces)


async def test_of_a_long_sentence_the_part_that_answers_is_quoted() -> None:
    answer = await quote("Who built the hall?", LONG, {"tanners": 9.0})
    assert answer.startswith("The hall was built in 1902 by the guild of the tanners of Ilmen")
    assert answer.endswith(" … [1]") and "lightning" not in answer


async def test_a_part_that_does_not_begin_its_sentence_says_so() -> None:
    answer = await quote("What burnt the roof?", LONG, {"lightning": 9.0, "river": -1.0})
    assert (
        answer == "… and the roof was burnt by lightning in the summer of 1931, when the tower had a mast of iron. [1]"
    )


@pytest.mark.parametrize(
    "question", ["What kind of guild built the hall?", "Which type of guild was it that built the hall?"]
)
async def test_a_question_for_one_thing_of_a_kind_gets_a_part(question: str) -> None:
    answer = await quote(question, LONG, {"tanners": 9.0})
    assert answer.startswith("The hall was built in 1902 by the guild of the tanners of Ilmen") and answer.endswith(
        "… [1]"
    )


MILL = (
    "The mill grinds rye, wheat and spelt from the farms of the valley for everybody, and its miller keeps the stones "
    "sharp by hand (he learnt it on the coast) whereas the mill of Orr, which was bought by the town in 1988, has: a "
    "new wheel, two new stones."
)


async def test_a_part_that_begins_its_sentence_goes_before_another_that_answers_hardly_better() -> None:
    answer = await quote(
        "Who keeps the stones of the mill sharp?", MILL, {"stones sharp": 9.0, "coast": -0.5, "rye": -0.4}
    )
    assert answer == f"{MILL[: MILL.index(' (he')]} … [1]"


async def test_what_a_colon_announces_is_not_cut_off() -> None:
    answer = await quote("What has the mill of Orr?", MILL, {"1988, has": 9.0, "wheel": -1.0})
    assert answer.endswith("in 1988, has: a new wheel, two new stones. [1]")


async def test_a_short_sentence_stays_whole() -> None:
    short = "The hall was built in 1902, and the roof was burnt by lightning in 1931."
    assert await quote("What burnt the roof?", short, {"lightning": 9.0}) == f"{short} [1]"


@pytest.mark.parametrize(
    "question", ["Which guilds owned the hall and the ground?", "List the owners of the hall and of the ground."]
)
async def test_a_question_after_several_things_gets_the_whole_sentence(question: str) -> None:
    assert await quote(question, LONG, {"hall": 9.0}) == f"{LONG} [1]"


async def test_a_part_that_scores_far_lower_than_its_sentence_is_not_quoted() -> None:
    known = {"tanners": 4.0, "lightning": 4.0, "mast": 4.0}
    assert await quote("What happened to the hall?", LONG, known) == f"{LONG} [1]"


async def test_a_part_without_a_word_of_the_question_is_not_quoted() -> None:
    answer = await quote("Who built the hall whose roof was burnt?", LONG, {"tanners": 9.0})
    assert answer == f"{LONG} [1]"


async def test_a_condition_is_never_cut_off() -> None:
    text = (
        "The hall may be used by every member of the guild on any day of the week except Sunday, if the steward has "
        "been told of it two weeks before and the fee of forty crowns was paid in full at the office beside the mill."
    )
    answer = await quote("Who may use the hall?", text, {"member": 9.0})
    assert "if the steward has been told" in answer


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        ("The hall is free, if it is booked in time.", "The hall is free"),
        ("If it rains, the fee is 5 crowns, and tea is served.", "the fee is 5 crowns"),
        ("It is not true, the mayor said, that the roof leaks.", "that the roof leaks"),
    ],
)
def test_a_part_that_says_more_than_its_sentence_is_not_honest(sentence: str, part: str) -> None:
    start = sentence.index(part)
    assert not is_honest(sentence, start, start + len(part))


def test_states_that_are_countries_report_nothing() -> None:
    part = "The treaty binds all"
    assert is_honest(f"{part}, and so does the law of the member states.", 0, len(part))


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        ("The hall is free, the mayor states.", "The hall is free"),
        ("The hall is free, providing that it is booked in time.", "The hall is free"),
        ("The hall is free, providing the steward is told in time.", "The hall is free"),
    ],
    ids=["a report", "a condition", "a condition without that"],
)
def test_a_report_or_condition_behind_a_part_is_not_left_out(sentence: str, part: str) -> None:
    assert not is_honest(sentence, 0, len(part))


ZEOLITE = (
    "The other method of producing the gas for the divers of the harbour involves passing a stream of clean, dry air "
    "through one bed of a pair of sieves of the kind that is sold for boats, which absorbs the nitrogen of the air and "
    "delivers a stream that is pure."
)


@pytest.mark.parametrize(("loss", "is_cut"), [(-0.5, True), (-1.5, False)])
async def test_a_part_may_lack_a_word_of_the_question_where_it_answers_hardly_worse(loss: float, is_cut: bool) -> None:
    question = "While producing oxygen, what do the sieves absorb from the air?"
    answer = await quote(question, ZEOLITE, {"nitrogen": 9.0, "delivers": 0.1, "producing": -loss})
    assert answer.startswith("… dry air through") == is_cut
    assert "nitrogen" in answer


async def test_a_question_for_a_time_keeps_the_date_before_a_part() -> None:
    text = (
        "In 2014, the economists of the rating agency of the eastern states concluded that the gap between the richest "
        "of its citizens and all the rest of the nation had slowed its recovery from the flood and made it prone to "
        "cycles, which hurt it."
    )
    answer = await quote("When did the agency conclude that?", text, {"economists": 9.0, "2014": -1.0})
    assert answer.startswith("In 2014, the economists")


async def test_the_marks_of_a_cut_count_as_words() -> None:
    words = " ".join(["old"] * 33)
    text = f"In the spring of the year, the guild of tanners built the {words} hall, of course, for the fairs there."
    answer = await quote("Who built the hall?", text, {"tanners": 9.0, "spring": -3.0})
    assert len(answer.replace("[1]", "").split()) <= 40 or answer.startswith("In the spring")


@pytest.mark.parametrize(
    ("sentence", "part", "honest"),
    [
        (
            "Problems are rarer in the 50 states with equal pay, they found.",
            "Problems are rarer in the 50 states",
            True,
        ),
        ("It pays well, the report states, in the north.", "It pays well", False),
        ("It pays well, states the report.", "It pays well", False),
    ],
)
def test_states_that_report_and_states_that_are_countries(sentence: str, part: str, honest: bool) -> None:
    assert is_honest(sentence, 0, len(part)) == honest
