"""Which sources are said to disagree: those that speak of the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roma_core.markup.questions import read_question
from roma_core.types import Chunk, ScoredChunk
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.selection import leave_out_further, leave_out_items, leave_out_uncounted
from roma_core.writers.extractive.units import quotable_units
from tests.fakes.passages import make_note, make_passage

SAID = ("It is a client library for Python 3.", "It is a client library for Python 2.")


def passage(title: str, text: str, rank: int) -> ScoredChunk:
    held = Chunk(
        id=title, document_id=title, uri=f"file:///{title}.md", title=title, text=text, start=0, end=len(text),
    )  # fmt: skip
    return ScoredChunk(chunk=held, score=1.0, rank=rank, retriever="test")


@pytest.mark.parametrize(
    ("titles", "disagree"),
    [
        (("plover: Features", "plover: Install"), True),
        (("plover: Features", "plover2: Features"), False),
        (("Plover3 guide", "Plover guide"), False),
        (("Plover 2024", "Plover 2025"), True),
        (("Plover guide v2", "Plover guide v3"), True),
        (("plover", "plover-slim"), False),
        (("plover-mock", "plover-cov"), False),
        (("plover_mock: Features", "plover_cov: Features"), False),
        (("plover-user-guide-2024: Guide", "plover-user-guide-2026: Guide"), True),
        (("plover-user-guide-old: Guide", "plover-user-guide-new: Guide"), True),
        (("plover-user-guide-south: Guide", "plover-user-guide-north: Guide"), False),
    ],
)
async def test_a_numbered_name_is_another_thing_than_the_bare_one(titles: tuple[str, str], disagree: bool) -> None:
    passages = [passage(title, said, rank) for rank, (title, said) in enumerate(zip(titles, SAID, strict=True), 1)]
    answer = await ExtractiveWriter().answer("Which Python is the client library for?", passages)
    assert ("sources disagree" in "".join(answer.pieces)) is disagree


@pytest.mark.parametrize(
    ("other", "disagree"),
    [
        (("heron: Features", "It is a client library for Python 2."), False),
        (("heron: Features", "The library plover is a client for Python 2."), True),
        (("plover: Install", "It is a client library for Python 2."), True),
    ],
)
async def test_what_is_said_of_another_thing_than_the_named_one_denies_nothing(
    other: tuple[str, str], disagree: bool
) -> None:
    passages = [passage("plover: Features", SAID[0], 1), passage(*other, 2)]
    answer = await ExtractiveWriter().answer("Which Python is the client library plover for?", passages)
    assert ("sources disagree" in "".join(answer.pieces)) is disagree


@pytest.mark.parametrize(
    ("other", "disagree"),
    [
        ("The Marsh Brotherhood kept quiet until the rising of 1987.", False),
        ("The Marsh Brotherhood was founded in 1931.", True),
    ],
    ids=["another event", "another year"],
)
async def test_parts_of_one_article_disagree_where_both_state_what_is_asked(other: str, disagree: bool) -> None:
    first = passage("Marsh", "The Marsh Brotherhood was founded in 1928 by Hasso Brenn.", 1)
    second = passage("Marsh", other, 2)
    chunk = second.chunk.model_copy(update={"id": "part 2", "document_id": "part 2"})
    passages = [first, second.model_copy(update={"chunk": chunk})]
    answer = await ExtractiveWriter().answer("When was the Marsh Brotherhood founded?", passages)
    assert ("sources disagree" in "".join(answer.pieces)) is disagree


class Scripted:
    """Scores a text by the first of the given fragments that it holds."""

    name = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"

    def __init__(self, known: dict[str, float]) -> None:
        self._known = known

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [next((v for k, v in self._known.items() if k in text), -9.0) for text in texts]


async def quote(question: str, text: str, known: dict[str, float]) -> str:
    return "".join((await ExtractiveWriter(Scripted(known)).answer(question, [passage("", text, 1)])).pieces)


async def test_a_pronoun_stands_for_a_name_of_its_paragraph() -> None:
    text = "A fleet awaited Loudoun near Louisbourg. He was told by the minister to attack Louisbourg first."
    answer = await quote("Who told Loudoun to attack Louisbourg?", text, {"minister": 9.0, "fleet": 7.5})
    assert "minister" in answer


async def test_a_name_of_another_paragraph_is_not_what_a_pronoun_stands_for() -> None:
    text = "A fleet awaited Loudoun.\n\nHe was told by the minister to attack first, as the winter was near."
    answer = await quote("Who told Loudoun and Abercromby to attack?", text, {"minister": 3.0, "fleet": -5.0})
    assert answer.startswith("I don't know")


LONG = (
    "The sluice of the lower pond at Brenk was rebuilt in the spring of 1931 by the brothers Ahlers, who had the mill "
    "on a lease of thirty years from the parish."
)


@pytest.mark.parametrize(
    ("question", "has_both"),
    [
        ("Who rebuilt the sluice with larch boards?", False),
        ("Who rebuilt the sluice, and with which boards of larch?", True),
    ],
)
async def test_a_further_sentence_comes_while_the_answer_is_short(question: str, has_both: bool) -> None:
    further = "Boards of larch were brought down from the hills by sledge in the winter before, and lay in the yard."
    answer = await quote(question, f"{LONG}\n\n{further}", {"sluice": 9.0, "larch": 8.0})
    assert ("larch were brought" in answer) is has_both


async def test_a_further_sentence_that_alone_states_the_value_comes_whatever_the_length() -> None:
    further = (
        "For the rebuilt sluice with its new boards, and for the wages of the carpenters from the town of Hol, "
        "900 euros were paid out of the chest of the parish."
    )
    answer = await quote(
        "How much money did the boards of the sluice cost?", f"{LONG}\n\n{further}", {"1931": 9.0, "900": 6.0}
    )
    assert "900 euros" in answer


@pytest.mark.parametrize(("thing", "is_known"), [("masts", True), ("fire insurance", False)])
async def test_a_row_on_another_thing_than_the_asked_one_needs_more_evidence(thing: str, is_known: bool) -> None:
    table = "| Item | Sum |\n| --- | --- |\n| New masts | 27 400 |\n| Staff | 312 000 |"
    answer = await quote(f"What does the budget hold for the {thing}?", f"Budget:\n\n{table}", {"masts": 2.0})
    assert answer.startswith("I don't know") is not is_known


async def test_a_value_behind_a_report_of_another_one_is_quoted_too() -> None:
    text = "The page says nine weeks for the barometer. Dispatch is at fourteen, as capsules come late."
    answer = await quote("What is the delivery time of the barometer?", text, {"nine": 9.0, "fourteen": -2.0})
    assert "fourteen" in answer
    text = "Delivery takes nine weeks for the barometer. Dispatch is at fourteen, as capsules come late."
    answer = await quote("What is the delivery time of the barometer?", text, {"nine": 9.0, "fourteen": -2.0})
    assert "fourteen" not in answer


@pytest.mark.parametrize(
    ("said", "is_known"),
    [("We guarantee each barometer for years.", True), ("Mills guarantee each barometer for years.", False)],
)
async def test_we_are_those_under_whose_name_a_page_stands(said: str, is_known: bool) -> None:
    found = passage("Guarantee page", said, 1)
    found = found.model_copy(
        update={"chunk": found.chunk.model_copy(update={"uri": "https://www.brenk.example/guarantee"})}
    )
    answer = await ExtractiveWriter(Scripted({"barometer": 0.5})).answer("Does Brenk guarantee barometers?", [found])
    assert (not answer.is_refusal) is is_known


async def test_a_name_of_its_paragraph_belongs_to_a_sentence_that_does_not_refer_back() -> None:
    text = (
        "Paris fell out with Montpellier and its Huguenots. Tension led to a siege by the royal army in 1622.\n\n"
        "Montpellier was among the towns that the edict of 1598 granted to the Huguenots."
    )
    answer = await quote("In what year did the army lay siege to Montpellier?", text, {"Tension": 9.0, "edict": 8.0})
    assert "Tension led to a siege by the royal army in 1622." in answer


@pytest.mark.parametrize(
    ("named", "is_answered"),
    [("The Orr Institute was founded by the town.", True), ("The Orr Society was founded by the town.", False)],
)
async def test_a_common_noun_stands_for_the_name_that_ends_in_it(named: str, *, is_answered: bool) -> None:
    text = f"{named} The institute will cost around 200 million euros and stand at the harbour."
    answer = await quote("How much will Orr roughly cost?", text, {"cost": 2.0})
    assert answer.startswith("The institute will cost") is is_answered


FERRY = (
    "The ferry of Ilmen was bought by the harbour office of the lower town in the spring of 1911 from two brothers, "
    "who had rowed it for thirty years."
)
WAGES = "The wages of the ferrymen were paid by the tanners of the town until the war, and in kind by the millers too."
SANK = "It sank in the storm of November 1923 beside the old harbour wall, with forty sacks of rye for the mill."


def choose_needed(question: str, text: str, scores: Sequence[float]) -> list[str]:
    units = quotable_units([passage("Ilmen", text, 1)])
    known = {unit.document_place: score for unit, score in zip(units, scores, strict=True)}
    best = max(units, key=lambda unit: known[unit.document_place])
    kept = leave_out_further(read_question(question), units, best, lambda unit: known[unit.document_place])
    return [unit.quote for unit in kept]


def test_a_long_answer_leaves_out_a_sentence_that_adds_nothing_asked() -> None:
    assert choose_needed("Who bought the ferry?", f"{FERRY} {WAGES}", [4.0, 3.0]) == [FERRY]


def test_a_long_answer_keeps_the_sentence_that_refers_back_to_the_best_one() -> None:
    assert choose_needed("When did the ferry of Ilmen sink?", f"{FERRY} {SANK}", [4.0, 1.0]) == [FERRY, SANK]


def test_a_long_answer_keeps_the_sentence_that_the_best_one_refers_back_to() -> None:
    assert choose_needed("When did the ferry of Ilmen sink?", f"{FERRY} {SANK}", [1.0, 4.0]) == [FERRY, SANK]


def test_a_long_answer_keeps_the_sentence_that_alone_states_what_is_asked() -> None:
    first = FERRY.replace(" in the spring of 1911", "")
    second = "The harbour wall fell on the seventh of May 1923, when the ferry of the brothers struck it in a storm."
    assert choose_needed("When did the wall fall?", f"{first} {second}", [4.0, 1.0]) == [first, second]


@pytest.mark.parametrize(("score", "is_kept"), [(3.0, True), (1.0, False)])
def test_of_several_things_that_are_asked_only_what_scores_near_makes_an_answer_long(
    score: float, is_kept: bool
) -> None:
    kept = choose_needed("Which owners had the ferry of Ilmen?", f"{FERRY} {WAGES}", [4.0, score])
    assert (WAGES in kept) is is_kept


def test_a_short_answer_keeps_its_sentences() -> None:
    text = "The ferry was bought in 1911. The wages were paid by the tanners."
    assert len(choose_needed("Who bought the ferry?", text, [4.0, 1.0])) == 2


SHOWS = make_passage(
    make_note(
        "what-we-show",
        "The mill shows:\n\n- Ebb and Flow, daily at five\n- Moons of Saturn, Saturdays\n- Red Dunes, never\n",
    )
)


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("when is moons of saturn", ["Moons of Saturn, Saturdays"]),
        ("Is Red Dunes shown?", ["Red Dunes, never"]),
        ("When are the shows?", ["Ebb and Flow, daily at five", "Moons of Saturn, Saturdays", "Red Dunes, never"]),
        ("What do you show?", ["Ebb and Flow, daily at five", "Moons of Saturn, Saturdays", "Red Dunes, never"]),
    ],
)
def test_a_question_about_one_item_gets_it_alone(question: str, items: list[str]) -> None:
    lead = quotable_units([SHOWS])[0]
    first, *others = leave_out_items(read_question(question), [lead, *lead.follows])
    assert first.quote == "The mill shows:"
    assert [line.quote for line in first.follows] == [unit.quote for unit in others] == items


@pytest.mark.parametrize(
    ("question", "quotes"),
    [
        ("How many members does the club have?", ["142 members, and 38 juniors"]),
        ("How many active members are there?", ["142 members, and 38 juniors"]),
        ("How many fishermen founded the club?", ["The club was founded by twelve fishermen."]),
        ("Who are the members?", ["142 members, and 38 juniors", "The club was founded by twelve fishermen."]),
        ("How many boats are there?", ["142 members, and 38 juniors", "The club was founded by twelve fishermen."]),
    ],
)
def test_what_counts_other_things_is_left_out(question: str, quotes: list[str]) -> None:
    counted, founded = "142 members, and 38 juniors", "The club was founded by twelve fishermen."
    units = quotable_units([passage("Meeting", counted, 1), passage("Handbook", founded, 2)])
    assert [unit.quote for unit in leave_out_uncounted(read_question(question), units)] == quotes
