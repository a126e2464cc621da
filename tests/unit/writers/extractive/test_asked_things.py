"""The kinds of things that questions ask for, and texts that state one or none."""

from __future__ import annotations

import pytest

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.asked_things import compare_things, find_asked_thing, states_thing


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Which firm laid the pipes?", "name"),
        ("Which brass band opens the fair?", "name"),
        ("What is the name of the surveyor?", "name"),
        ("Who laid the pipes?", "person"),
        ("Of which wood is the mast?", "wood"),
        ("What is the mill's telephone number?", "phone number"),
        ("What colour is the door?", "colour"),
        ("How often is the filter changed?", "frequency"),
        ("At what time does the shop close?", "clock time"),
        ("Until when may we stay?", "time"),
        ("Since what year is it open?", "year"),
        ("Under which licence is plover published?", "licence"),
        ("What open source license does plover have?", "licence"),
    ],
)
def test_a_question_asks_for_a_kind_of_thing(question: str, kind: str) -> None:
    asked = find_asked_thing(question)
    assert asked is not None
    assert asked.kind == kind


@pytest.mark.parametrize(
    "question",
    [
        "Which licence do I need to drive the van?",
        "Why is it shut?",
        "Which of the doors is open?",
        "What does it cost?",
        "Is it new?",
    ],
)
def test_other_questions_ask_for_no_certain_kind(question: str) -> None:
    assert find_asked_thing(question) is None


@pytest.mark.parametrize(
    ("question", "stated", "missing"),
    [
        ("Which firm laid the pipes?", "The pipes were laid by Ostrom.", "The pipes are of clay and 40 years old."),
        ("Which firm makes the pipes?", "Since March Ostrom makes them.", "Since March some dealers sell pipes."),
        ("Which firm makes the pipes?", "On Monday the Ostrom works began.", "On Monday some work began."),
        ("What are the stages called?", "These stages were called expansions.", "These stages were long."),
        ("What is the bird called?", "It is known as the heron.", "It is called in spring by the warden."),
        ("Which boat won the race?", "First came the Heron.", "Forty boats start at 13 hours."),
        ("When does the valve open?", "The valve opens at nine.", "The valve opens at six bar."),
        ("When does the shop open?", "It is open from nine to five.", "It is open to nine dealers."),
        ("At what time does the shop close?", "It closes at half past five.", "It closes at five sites."),
        ("Who laid the pipes?", "Two plumbers laid them.", "It is 40 metres long and dry."),
        ("Who approved the pipes?", "Sam has approved them.", "Work has ended."),
        ("Of which wood is the mast?", "The mast is of larch.", "The mast is 9 metres high."),
        ("What colour is the door?", "It was painted dark green.", "The door is locked at night."),
        ("What is the mill's telephone number?", "Call 0481 / 55 20 11.", "The mill is open on 3 days."),
        ("How often is the filter changed?", "It is changed twice a year.", "The filter is of felt."),
        ("When does the shop close?", "It closes at noon.", "The shop sells rope."),
        ("Which licence has plover?", "plover is a 0BSD-licensed rewrite.", "Plover 7 came under a new license."),
        ("Which licence has plover?", "Released under the Heron Public License.", "See the file LICENSE for more."),
    ],
)
def test_a_text_states_the_thing_or_lacks_it(question: str, stated: str, missing: str) -> None:
    asked = find_asked_thing(question)
    assert asked is not None
    assert states_thing(asked, stated)
    assert not states_thing(asked, missing)


def test_a_clause_before_a_question_asks_for_nothing() -> None:
    asked = find_asked_thing("When the mill burnt, who put the fire out?")
    assert asked is not None and asked.kind == "person"
    assert find_asked_thing("When dating rocks, what is the date applied to?") is None


def test_a_name_of_the_question_is_no_answer_to_it() -> None:
    asked = find_asked_thing("Which firm laid the pipes of Mill Lane?")
    assert asked is not None
    assert not states_thing(asked, "The pipes in Mill Lane are of clay.")


def test_things_that_differ_are_told_apart() -> None:
    asked = find_asked_thing("What colour is the door?")
    assert asked is not None
    assert compare_things(asked, "The door is red.", "It is a blue door.") == (("red",), ("blue",))
    assert compare_things(asked, "The door is red.", "A red and blue door.") is None


async def test_a_sentence_that_names_no_firm_is_shown_as_nearest_only() -> None:
    text = "The pipes in Mill Lane were laid deep and are 40 metres long."
    held = Chunk(id="c", document_id="d", uri="file:///p.md", title="Pipes", text=text, start=0, end=len(text))
    passages = [ScoredChunk(chunk=held, score=1.0, rank=1, retriever="test")]
    answer = await ExtractiveWriter().answer("Which firm laid the pipes in Mill Lane?", passages)
    assert answer.is_refusal
    assert answer.remark == "no source states a name for it"
    assert text in "".join(answer.pieces)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (
            "Which colour was the coat of the smuggler?",
            "The coat of the smuggler was vermilion, as the widow remembered.",
        ),
        ("What colour is the hull?", "The hull is painted heliotrope below the line."),
        ("What wood is the keel made of?", "The keel was cut from greenheart in one piece."),
        ("Which metal is the bell?", "The bell is cast of pinchbeck."),
    ],
)
def test_a_thing_that_no_list_has_may_be_stated(question: str, text: str) -> None:
    asked = find_asked_thing(question)
    assert asked is not None and states_thing(asked, text)


def test_what_is_said_of_something_else_is_no_colour() -> None:
    asked = find_asked_thing("What colour is the hull?")
    assert asked is not None and not states_thing(asked, "The hull was built in May and is not open.")
