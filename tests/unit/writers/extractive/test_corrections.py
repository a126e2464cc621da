"""Sentences that say that another source is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roma_core.types import Document
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.corrections import find_denied
from tests.fakes.passages import make_note, make_passage

LOGITS = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"
DISAGREE = "The sources disagree"


class Ranker:
    """Scores a text by the first of its fragments that it holds, all others low."""

    name = LOGITS

    def __init__(self, *fragments: str) -> None:
        self._fragments = fragments

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        places = [next((at for at, part in enumerate(self._fragments) if part in text), None) for text in texts]
        return [-9.0 if at is None else 7.0 - 2 * at for at in places]


async def answer(question: str, ranker: Ranker, *sources: Document, read: int = 2) -> str:
    """Return the answer from the sources, of which ``read`` are passages and the rest candidates."""
    found = [make_passage(source, rank) for rank, source in enumerate(sources, start=1)]
    writer = ExtractiveWriter(ranker)
    quoted = await writer.answer(question, found[:read], sources[:read], found[read:])
    return "".join(quoted.pieces)


LOG = make_note("cellar-log", "The cellar was shut for five hours after the leak of gas.")
MAIL = make_note("about-the-cellar", "Dear Ann,\n\nthe log says five hours. It was eight: the crew left late.")
HOW_LONG = "How many hours was the cellar shut after the leak of gas?"


@pytest.mark.parametrize("read", [1, 2], ids=["candidate", "passage"])
async def test_a_report_and_the_value_that_corrects_it_stand_beside_the_source(read: int) -> None:
    text = await answer(HOW_LONG, Ranker("five hours after"), LOG, MAIL, read=read)
    assert text.startswith(DISAGREE)
    assert "shut for five hours" in text
    assert "the log says five hours. [2] It was eight" in text


async def test_the_source_that_is_corrected_stands_beside_the_best_sentence() -> None:
    text = await answer(HOW_LONG, Ranker("says five hours", "five hours after"), MAIL, LOG)
    assert text.startswith(DISAGREE)
    assert "It was eight" in text
    assert "shut for five hours" in text


@pytest.mark.parametrize(
    "mail",
    [
        "Dear Ann,\n\nthe sheet says six hours. It was eight.",
        "Dear Ann,\n\nthe log says five hours. The cellar is dry.",
        "Dear Ann,\n\nthe log says five hours. It was five.",
        "Dear Ann,\n\nthe log says five hours. It holds eight barrels.",
        "Dear Ann,\n\nfive hours are long. It was eight.",
    ],
    ids=["another value", "no value", "the same value", "another thing", "no report"],
)
async def test_a_report_that_corrects_nothing_is_no_conflict(mail: str) -> None:
    text = await answer(HOW_LONG, Ranker("five hours after"), LOG, make_note("about-the-cellar", mail))
    assert DISAGREE not in text


async def test_a_correction_of_what_was_not_asked_is_no_conflict() -> None:
    log = make_note("cellar-log", "Two people were in the cellar for five hours.")
    text = await answer("How many people were in the cellar?", Ranker("Two people"), log, MAIL)
    assert DISAGREE not in text


async def test_a_correction_of_another_year_is_no_conflict() -> None:
    question = "When does the second boat leave Aldern in 2025?"
    table = make_note("boats-in-2025", "The second boat of 2025 leaves Aldern at 12:15.")
    ranker = Ranker("of 2025 leaves")
    for year, is_conflict in (("2024", False), ("2025", True)):
        note = make_note("regatta", f"In the year {year} the second boat leaves Aldern at 11:45, not at 12:15.")
        assert (DISAGREE in await answer(question, ranker, table, note)) == is_conflict


OFFER = make_note("offer-of-reeve", "The bearings of the mill are made of soft bronze.")
MATERIAL = "Of what material are the bearings of the mill?"


@pytest.mark.parametrize(
    ("said", "is_conflict"),
    [
        ("The bearings are now of white metal, no longer of soft bronze.", True),
        ("The bearings are of white metal instead of soft bronze.", True),
        ("The bearings are of white metal, not of hard rubber.", False),
        ("The doors are of white metal, no longer of soft bronze.", False),
        ("The noise of the bearings is of the wind, not of the mill.", False),
    ],
    ids=["no longer", "instead of", "denies another thing", "speaks of another part", "denies what is asked about"],
)
async def test_a_thing_that_one_source_puts_aside_and_another_states(said: str, is_conflict: bool) -> None:
    text = await answer(MATERIAL, Ranker("made of soft", "white metal"), OFFER, make_note("note-on-the-mill", said))
    assert text.startswith(DISAGREE) == is_conflict


async def test_parts_of_one_article_are_not_corrected_by_its_title_alone() -> None:
    burning = make_note("oxygen", "Oxygen is the oxidant, not the fuel, but the source of most of the heat of burning.")
    vessel = make_note("oxygen-2", "Pipes that carry oxygen can act as the fuel in a fire.").model_copy(
        update={"title": burning.title}
    )
    text = await answer("What does oxygen give to burning?", Ranker("is the oxidant", "Pipes"), burning, vessel)
    assert "is the oxidant" in text
    assert DISAGREE not in text


REPORT = make_note("final-report", "The owners of the weir have not claimed damages.")
CLAIMED = "Did the owners of the weir claim damages?"


@pytest.mark.parametrize(
    ("said", "is_conflict"),
    [
        ("I read in the report that we have claimed no damages. We did, on 3 May.", True),
        ("I read in the report that we have claimed no damages. That is wrong.", True),
        ("I read in the report that we have claimed no damages. We did not.", False),
        ("I read in the report that we have claimed no damages. We did not know that.", False),
        ("I read in the report that we have claimed damages. We did, on 3 May.", False),
    ],
    ids=["we did", "that is wrong", "we did not", "another verb", "reports something else"],
)
async def test_a_report_that_is_rebutted_stands_beside_the_source(said: str, is_conflict: bool) -> None:
    letter = make_note("letter-on-the-weir", said)
    text = await answer(CLAIMED, Ranker("have not claimed"), REPORT, letter)
    assert text.startswith(DISAGREE) == is_conflict


async def test_a_row_is_corrected_by_a_sentence() -> None:
    log = make_note("accidents", "| date | place | injured |\n| --- | --- | --- |\n| 2024-12-02 | Ice plant | 1 |\n")
    mail = make_note("ammonia-on-monday", "Two people were injured at the ice plant, not one.")
    text = await answer("How many people were injured at the ice plant?", Ranker("Ice plant"), log, mail)
    assert text.startswith(DISAGREE)
    assert "Two people were injured" in text
    assert "| 2024-12-02 | Ice plant | 1" in text


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("It is mixed with fresh water, not with salt water.", "salt water"),
        ("Frogs are counted, not estimated.", ""),
        ("It is no longer of the kind that anybody would ever want to buy.", ""),
        ("It is of oak.", ""),
        ("Guests stay no longer on average than members.", ""),
    ],
)
def test_what_a_sentence_puts_aside(text: str, denied: str) -> None:
    assert find_denied(text) == denied


OPEN = "Is the road of Alderpass open in winter?"


async def test_a_yes_no_question_is_answered_by_opposites_whose_folder_has_the_name() -> None:
    page = make_note("about-alderpass", "The road of Alderpass is closed in winter.")
    mail = make_note("a", "The road will be open in winter this year.")
    mail = mail.model_copy(update={"uri": "file:///alder-pass/mails/road.eml", "title": "Road"})
    text = await answer(OPEN, Ranker("is closed", "will be open"), page, mail)
    assert text.startswith(DISAGREE)
    other = mail.model_copy(update={"uri": "file:///beechford/mails/road.eml"})
    assert DISAGREE not in await answer(OPEN, Ranker("is closed", "will be open"), page, other)
