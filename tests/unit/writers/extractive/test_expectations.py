"""What a sentence gains that has all words of a question and states what it asks for."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.expectations import (
    DEFINES,
    STATES,
    affirms_denied,
    definition_bonus,
    find_statements,
    lift_statements,
)
from roma_core.writers.extractive.units import QuotableUnit, quotable_units


def unit(text: str) -> QuotableUnit:
    chunk = Chunk(id="1", document_id="d", uri="file:///a.md", title="Lease", text=text, start=0, end=len(text))
    [found] = quotable_units([ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")])
    return found


def lift(text: str, units: list[QuotableUnit], scores: list[float]) -> list[float]:
    question = read_question(text)
    return lift_statements(question, units, scores, find_statements(question, units))


@pytest.mark.parametrize(
    ("question", "text", "bonus"),
    [
        ("How much is the rent?", "The rent is 1,850 GBP a month.", STATES),
        ("How much is the rent?", "The rent is payable on the first working day of a month.", 0.0),
        ("How much is the rent of the garage?", "The rent is 1,850 GBP a month.", 0.0),
        ("Who grants exceptions?", "Exceptions are granted by the head of IT, Maren Holt.", STATES),
        ("When was the lease signed?", "The lease was signed on 8 February 2024.", STATES),
        ("When was the lease signed?", "The lease was signed by both parties.", 0.0),
        ("Why was the lease signed?", "The lease was signed on 8 February 2024.", 0.0),
        ("How many kilns are in room B-12?", "Three kilns are in the room.", 0.0),
        ("How long must a password be?", "The last ten passwords may not be used again.", 0.0),
        ("How much is it?", "It is 12 EUR.", 0.0),
        ("What do tickets cost?", "Tickets cost four pounds.", STATES),
        ("What do tickets cost?", "Tickets are sold with four pounds of potatoes.", 0.0),
        ("Who approves expenses?", "Expenses need the approval of Mara.", STATES),
        ("What is the phone number of the office?", "You reach the office at 01855 555 017.", STATES),
        ("What is the phone number of the office?", "You reach the office by bus.", 0.0),
        ("What is the dog's name?", "The dog is called Biscuit.", STATES),
        ("What is the dog's name?", "The dog belongs to Jun.", 0.0),
        ("When is the handover?", "The handover takes place in the first weeks of July.", STATES),
        ("When is the handover?", "The handover may take place late.", 0.0),
        ("Is the rent paid in advance?", "The rent is paid in advance.", STATES),
        ("Is the rent paid in cash?", "The rent is paid in advance.", 0.0),
        ("Is there rent?", "The rent is paid in advance.", 0.0),
        ("May I use a ladder?", "Ladders are allowed for tenants.", STATES),
        ("Are ladders allowed?", "Ladders lean on the wall.", 0.0),
        ("Where does the fair take place if it rains?", "The fair is on 3 July, if it rains in hall 2.", STATES),
        ("Where does the fair take place if it rains?", "The fair is on 3 July, if it rains not.", 0.0),
    ],
)
def test_a_sentence_gains_by_all_words_and_a_value(question: str, text: str, bonus: float) -> None:
    assert lift(question, [unit(text)], [0.0]) == [bonus]


def test_what_has_no_word_of_the_question_does_not_stand_above_what_has_all() -> None:
    units = [unit("Exceptions are granted for at most six months."), unit("Passwords have at least 14 characters.")]
    exception, password = lift("How long must a password be?", units, [2.5, -7.0])
    assert password == 2.5
    assert exception < password
    words = [unit("The rent of a guest is 9 EUR."), unit("The rent is 12 EUR.")]
    assert lift("What is the rent?", words, [2.5, -7.0]) == [2.5 + STATES, -7.0 + STATES]


def test_who_somebody_is_stands_before_the_role_in_brackets() -> None:
    text = "Between Brockway Estates Ltd (the landlord) and Fenwick Ceramics (the tenant)."
    assert definition_bonus(read_question("Who is the landlord?"), unit(text)) == DEFINES
    assert definition_bonus(read_question("Who is the agent?"), unit(text)) == 0.0


@pytest.mark.parametrize(
    ("text", "bonus"),
    [
        ("Captain Ina Brandt has run the ferry since 2011.", DEFINES),
        ("Ask Ina Brandt, captain of the ferry.", DEFINES),
        ("The captain has run the ferry since 2011.", 0.0),
    ],
)
def test_a_role_beside_a_name_says_who_it_is(text: str, bonus: float) -> None:
    assert definition_bonus(read_question("Who is the captain?"), unit(text)) == bonus


def test_what_states_nothing_of_the_kind_does_not_stand_above_what_does() -> None:
    units = [unit("Passwords expire after 90 days."), unit("Passwords have at least 14 characters.")]
    expiry, length = lift("How long must a password be?", units, [1.0, -7.0])
    assert (expiry, length) == (-4.0, 1.0)


@pytest.mark.parametrize(
    ("text", "stating"),
    [
        ("Ring 039833 4412 to book. Open daily at nine.", {0}),
        ("Ring 039833 4412 to book. Fax us at 039833 4413.", set()),
        ("Boats are blue. Open daily at nine.", set()),
    ],
    ids=["the only one", "one of two", "none"],
)
def test_a_bare_question_for_a_telephone_number_is_answered_by_the_only_one(text: str, stating: set[int]) -> None:
    chunk = Chunk(id="c", document_id="d", uri="file:///d.md", title="d", text=text, start=0, end=len(text))
    units = quotable_units([ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")])
    assert find_statements(read_question("What's the phone number?"), units) == stating


@pytest.mark.parametrize(
    ("text", "bonus"),
    [
        ("The first of them was the LBG or Landing Board of Graul.", DEFINES),
        ("We report to the LBG, that is the Landing Board of Graul.", DEFINES),
        ("We report to the LBG (Landing-Board Graul).", DEFINES),
        ("We report to the LBG lending books and games.", 0.0),
        ("We report to the LBG, or nobody.", 0.0),
    ],
)
def test_letters_are_defined_where_they_stand_beside_their_words(text: str, bonus: float) -> None:
    assert definition_bonus(read_question("What does LBG stand for?"), unit(text)) == bonus


@pytest.mark.parametrize(
    ("question", "text", "affirms"),
    [
        ("Who did not attend the meeting?", "Present: Ada Moor, Jun Ito.", True),
        ("Who did not attend the meeting?", "Apologies: Sam Orr.", False),
        ("Who hasn't paid?", "Sam Orr has not paid.", False),
        ("Which members have not paid?", "Ada Moor has paid.", True),
        ("Who attended the meeting?", "Present: Ada Moor, Jun Ito.", False),
    ],
)
def test_what_others_do_is_no_answer_to_who_does_not(question: str, text: str, affirms: bool) -> None:
    assert affirms_denied(read_question(question), unit(text)) is affirms


@pytest.mark.parametrize("question", ["Who did not attend?", "Who was absent?", "Who missed the meeting?"])
def test_the_line_of_minutes_that_says_who_was_absent_is_lifted(question: str) -> None:
    asked = read_question(question)
    assert definition_bonus(asked, unit("Apologies: Sam Orr.")) == DEFINES
    assert definition_bonus(asked, unit("Present: Ada Moor.")) == 0.0
    assert definition_bonus(read_question("Who attended?"), unit("Apologies: Sam Orr.")) == 0.0


async def test_who_does_not_is_refused_where_sources_say_who_does_alone() -> None:
    text = "Mara Holt and Jun Ito attended the meeting of the board."
    chunk = Chunk(id="1", document_id="d", uri="file:///a.md", title="Board", text=text, start=0, end=len(text))
    passages = [ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")]
    writer = ExtractiveWriter()
    assert not (await writer.answer("Who attended the meeting of the board?", passages)).is_refusal
    denied = await writer.answer("Who did not attend the meeting of the board?", passages)
    assert denied.is_refusal
    assert denied.remark == "no source says it of what the question denies"
