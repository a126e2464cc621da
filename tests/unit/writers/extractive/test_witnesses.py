"""Sources beside the passages that are read, and what they say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from roma_core.agents.context import Context
from roma_core.markup.questions import read_question
from roma_core.types import Document, Query
from roma_core.writers import Draft, ExtractiveWriter
from roma_core.writers.extractive.selection import find_contradiction
from roma_core.writers.extractive.units import quotable_units
from roma_core.writers.extractive.witnesses import find_relatives
from tests.fakes.passages import make_note, make_passage

LOGITS = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"


class Ranker:
    """Scores every text alike, but for those with a fragment."""

    name = LOGITS

    def __init__(self, low: str = "") -> None:
        self._low = low

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [-9.0 if self._low and self._low in text else 6.0 for text in texts]


class Library:
    def __init__(self, *documents: Document) -> None:
        self._documents = {document.id: document for document in documents}

    async def document(self, tenant: str, document_id: str) -> Document | None:
        return self._documents.get(document_id)


async def write(question: str, read: Document, *others: Document, ranker: Ranker | None = None) -> Draft:
    """Return the draft of a question with one passage, where the others were found too."""
    context = Context.begin(Query(text=question))
    context.lookups[0].passages = tuple(make_passage(each, rank) for rank, each in enumerate((read, *others), start=1))
    context = replace(context, passages=(make_passage(read),))
    writer = ExtractiveWriter(ranker or Ranker(), library=Library(read, *others))
    pieces = [piece async for piece in writer.write(question, context.passages, context)]
    draft = pieces[-1]
    assert isinstance(draft, Draft)
    return draft


NOTICE = make_note("pump-notice", "The pump of Aldern lifts 40 litres a minute.", "2023-05-01")
LETTER = make_note("letter-on-the-pump", "Since the repair the pump of Aldern lifts 25 litres a minute.", "2025-02-01")
QUESTION = "How many litres does the pump of Aldern lift?"


async def test_a_source_that_is_not_among_the_passages_is_quoted_when_it_says_otherwise() -> None:
    draft = await write(QUESTION, NOTICE, LETTER)
    assert draft.text == (
        "The sources disagree on the number, the newest first:\n\n"
        "“letter-on-the-pump: Letter on the pump” (2025-02-01):\n\n"
        "Since the repair the pump of Aldern lifts 25 litres a minute. [2]\n\n"
        "“pump-notice: Pump notice” (2023-05-01):\n\nThe pump of Aldern lifts 40 litres a minute. [1]"
    ).replace("letter-on-the-pump: ", "").replace("pump-notice: ", "")
    assert [added.chunk.id for added in draft.added] == ["chunk-letter-on-the-pump"]
    assert draft.frame == (
        "The sources disagree on the number, the newest first:",
        "“Letter on the pump” (2025-02-01):",
        "“Pump notice” (2023-05-01):",
    )


async def test_a_source_that_says_the_same_is_not_quoted() -> None:
    same = make_note("copy", "The pump of Aldern lifts forty litres a minute.")
    draft = await write(QUESTION, NOTICE, same)
    assert draft.text == "The pump of Aldern lifts 40 litres a minute. [1]"
    assert draft.added == ()


async def test_a_source_on_another_thing_year_or_half_contradicts_nothing() -> None:
    others = (
        make_note("mill", "The pump of the mill in Brede lifts 25 litres a minute."),
        make_note("pump-7", "Pump 7 of Aldern lifts 25 litres a minute.").model_copy(update={"title": "Pump 7"}),
    )
    read = make_note("pump-3", "Pump 3 of Aldern lifts 40 litres a minute.")
    draft = await write("How many litres does pump 3 of Aldern lift?", read, *others)
    assert "disagree" not in draft.text


async def test_a_source_that_the_ranker_finds_far_off_contradicts_nothing() -> None:
    other = make_note("letter", "Since the repair the pump of Aldern gives 25 litres a minute.")
    assert "disagree" in (await write(QUESTION, NOTICE, other)).text
    assert "disagree" not in (await write(QUESTION, NOTICE, other, ranker=Ranker(low="repair"))).text


FARES = (
    "| From | Adult | Child |\n| --- | --- | --- |\n| Bexley | {} euros | 2 euros |\n| Corve | 9 euros | 4 euros |\n"
)


async def test_another_edition_of_a_table_is_shown_when_its_row_differs() -> None:
    old = make_note("fares-2024", "# Fares 2024\n\n" + FARES.format("3.40"), "2024-01-01")
    new = make_note("fares-2025", "# Fares 2025\n\n" + FARES.format("3.90"), "2025-01-01")
    draft = await write("What is the adult fare from Bexley?", new, old)
    assert draft.text.startswith("The sources disagree on the number, the newest first:")
    assert draft.text.index("3.90") < draft.text.index("3.40")
    agreed = await write("What is the adult fare from Corve?", new, old)
    assert "disagree" not in agreed.text
    named = await write("What was the adult fare from Bexley in 2025?", new, old)
    assert "disagree" not in named.text


def test_relatives_are_named_alike_but_for_their_numbers() -> None:
    read = make_passage(make_note("fares-2025", "x"))
    others = [make_passage(make_note(name, "x")) for name in ("fares-2024", "fares-2023", "menu-2024", "fares-2022")]
    assert find_relatives([read], others) == ("fares-2024", "fares-2023")
    assert find_relatives([make_passage(make_note("fares", "x"))], others) == ()


LOST = make_note(
    "ferry-years",
    "# Ferry by year\n\n| Year | Passengers | Sailings lost |\n| --- | --- | --- |\n| 2022 | 61 004 | 19 |\n"
    "| 2023 | 88 096 | 31 |\n",
    "2024-02-01",
)
ASKED_LOST = "How many ferry sailings were lost in 2023?"


async def answer_lost(said: str) -> str:
    """Return the answer from the table and a letter that are both among the passages."""
    letter = make_note("ferry-letter", said, "2024-05-01")
    passages = [make_passage(LOST), make_passage(letter, 2)]
    found = await ExtractiveWriter(Ranker()).answer(ASKED_LOST, passages, [LOST, letter])
    return "".join(found.pieces)


async def test_a_sentence_that_says_otherwise_than_a_row_is_quoted_beside_it() -> None:
    text = await answer_lost("In 2023 there were 27 lost sailings of the ferry.")
    assert text.startswith("The sources disagree on the number, the newest first:")
    assert "27 lost sailings" in text and "| 2023 | 88 096 | 31 [1] |" in text


@pytest.mark.parametrize(
    "said",
    [
        "In 2023 there were thirty-one lost sailings of the ferry.",
        "In 2023 the ferry had 4 captains and lost no sailings of the summer.",
        "In 2022 there were 27 lost sailings of the ferry.",
        "There were 27 lost sailings of the ferry.",
    ],
)
async def test_a_sentence_that_agrees_with_a_row_or_is_about_something_else_contradicts_nothing(said: str) -> None:
    assert "disagree" not in await answer_lost(said)


async def test_timetables_of_opposite_seasons_contradict_nothing() -> None:
    text = "| Sailing | Leaves Aldern |\n| --- | --- |\n| First | {} |\n| Last | 18:10 |\n"
    summer = make_note("ferry-summer-2025", "# Ferry in summer\n\n" + text.format("06:40"), "2025-01-01")
    winter = make_note("ferry-winter-2024", "# Ferry in winter\n\n" + text.format("07:20"), "2024-01-01")
    draft = await write("When does the first sailing leave Aldern?", summer, winter)
    assert "06:40" in draft.text and "disagree" not in draft.text


TANK = make_note("new-tank", "The second tank at Garrow Point holds 1 150 cubic metres and costs 2.9 million euros.")
ASKED_TANK = "What does the second tank at Garrow Point cost?"


@pytest.mark.parametrize(
    ("title", "asked", "is_told"),
    [
        ("Your questions about the tank", "What does it cost?", True),
        ("Your questions about the ferry", "What does it cost?", False),
        ("Your questions about the tank", "What does the pump cost?", False),
    ],
)
async def test_a_list_of_questions_contradicts_by_the_short_form_of_a_question(
    title: str, asked: str, is_told: bool
) -> None:
    questions = make_note("tank-questions", f"# {title}\n\n{asked}\n\nAbout 3.4 million euros.")
    found = await write(ASKED_TANK, TANK, questions.model_copy(update={"title": title}))
    assert ("disagree" in found.text) is is_told


async def test_what_another_source_reports_to_stand_in_the_best_one_is_compared() -> None:
    bylaws = make_note("harbour-bylaws", "No vessel shall exceed 4 knots inside the breakwater.")
    asked = "What speed limit do the bylaws set inside the breakwater?"
    ranker = Ranker(low="Five")
    for said, is_told in (("Five knots is what the bylaws say.", True), ("Five knots is what the wind brings.", False)):
        talk = make_note("talk", said)
        passages = [make_passage(bylaws), make_passage(talk, 2)]
        found = await ExtractiveWriter(ranker).answer(asked, passages, [bylaws, talk])
        assert ("disagree" in "".join(found.pieces)) is is_told


async def test_an_answer_of_low_confidence_is_contradicted_by_nothing_beside_the_passages() -> None:
    class Doubtful(Ranker):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            return [-3.5 for _ in texts]

    found = await write(QUESTION, NOTICE, LETTER, ranker=Doubtful())
    assert "low confidence" in found.reason and "disagree" not in found.text


MUSEUM = make_note("museum", "Open from Tuesday to Saturday; closed in January.").model_copy(
    update={"title": "Harbour museum"}
)


@pytest.mark.parametrize(
    ("title", "said", "is_told"),
    [
        ("Museum: new hours", "Since February the museum is open every day but Monday.", True),
        ("Maritime museum", "Since February the museum is open every day but Monday.", False),
        ("Town hall: new hours", "Since February the hall is open every day but Monday.", False),
    ],
)
async def test_a_shorter_name_is_the_same_thing_where_no_other_word_is_before_it(
    title: str, said: str, is_told: bool
) -> None:
    news = make_note("news", said).model_copy(update={"title": title})
    found = await write("When is the harbour museum open?", MUSEUM, news, ranker=Ranker(low="Since"))
    assert ("disagree" in found.text) is is_told


async def test_what_changed_is_stated_by_two_sources_that_do_not_disagree() -> None:
    draft = await write("By how many litres a minute did the pump of Aldern change?", NOTICE, LETTER)
    assert "disagree" not in draft.text


async def test_a_thing_that_no_source_speaks_of_is_refused() -> None:
    draft = await write("How many litres of brine does the pump of Aldern lift?", NOTICE)
    assert "no source speaks of brine" in draft.reason


@pytest.mark.parametrize(
    ("question", "text", "other"),
    [
        (
            "How many tonnes of kelp were sold in 2031?",
            "Wed: the kelp hall of 2031 gives nine tonnes.",
            "Since 2031 mulch is given away; 31 tonnes were fetched.",
        ),
        (
            "At what time did the ferry sail on the day of the races in 2031?",
            "The lock is shut from 12:30 to 16 hours for the races of 2031; the ferry sails at 11:45 instead of 12:15.",
            "From 22 May 2031 to 9 June 2032 the ferry sails twice a day, on Sundays once.",
        ),
        (
            "How much must the Mill Guild bear itself when a barge is damaged?",
            "Damage: 23,400 euros, of which the insurance pays 13,400.",
            "The Guild prefers Arden, whose price is 412,000 euros.",
        ),
    ],
)
async def test_a_value_of_another_thing_contradicts_nothing(question: str, text: str, other: str) -> None:
    notes = make_note("minutes-of-the-mill-guild-of-may", text), make_note("minutes-of-the-mill-guild-of-june", other)
    best, unit = (quotable_units([make_passage(note)])[0] for note in notes)
    around = make_passage(notes[1]).chunk
    assert find_contradiction(read_question(question), best, unit, 1.0, around) is None


@pytest.mark.parametrize(
    ("said", "disagree"),
    [
        ("Storage in the eel tank is 9 days since August.", True),
        ("Storage in the eel tank was raised to 9 days.", True),
        ("Storage near the harbour is 9 days since August.", False),
        ("Mud lies in the eel tank for 9 days.", False),
    ],
)
def test_what_is_new_of_the_same_thing_contradicts_though_it_is_worded_otherwise(said: str, disagree: bool) -> None:
    notes = make_note("rules-of-the-eel-tank", "It keeps fish for 5 days."), make_note("minutes-of-monday", said)
    best, unit = (quotable_units([make_passage(note)])[0] for note in notes)
    question = read_question("How long does the eel tank keep fish?")
    assert (find_contradiction(question, best, unit, 30.0, make_passage(notes[1]).chunk) is not None) is disagree


@pytest.mark.parametrize(("site", "disagree"), [("farrow", True), ("aldern", False)])
def test_a_list_of_questions_without_a_subject_speaks_of_the_site_that_it_is_on(site: str, disagree: bool) -> None:
    rules = make_note("guarantee", "We guarantee each instrument for three years.")
    asked = make_note("questions-we-are-asked-often", "How long is the guarantee? Five years for all we make.")
    there = asked.model_copy(update={"uri": f"https://www.{site}.example/faq.html"})
    best = quotable_units([make_passage(rules)])[0]
    unit = next(unit for unit in quotable_units([make_passage(there)]) if "Five" in unit.quote)
    question = read_question("For how long does Farrow guarantee its instruments?")
    assert (find_contradiction(question, best, unit, 30.0, make_passage(there).chunk) is not None) is disagree


def test_a_code_of_the_question_may_stand_elsewhere_in_the_passage() -> None:
    notes = (
        make_note("catalogue", "The cell of a QX-30 lasts six years."),
        make_note("test-of-the-cell", "We ran the QX-30 in a cold room. Its cell lasts four years."),
    )
    best = quotable_units([make_passage(notes[0])])[0]
    around = make_passage(notes[1]).chunk
    unit = next(unit for unit in quotable_units([make_passage(notes[1])]) if "four" in unit.quote)
    question = read_question("How long does the cell of a QX-30 last?")
    assert find_contradiction(question, best, unit, 1.0, around) is not None
    other = around.model_copy(update={"text": around.text.replace("QX-30", "QX-31")})
    assert find_contradiction(question, best, unit, 1.0, other) is None


def test_sentences_that_speak_of_the_question_by_their_titles_alone_do_not_disagree() -> None:
    notes = (
        make_note("the-mill-and-its-village", "Some four hundred people live here, most of them from summer guests."),
        make_note("day-book-of-the-mill", "First day of the summer market, forty people late."),
    )
    best, unit = (quotable_units([make_passage(note)])[0] for note in notes)
    question = read_question("How many people of the mill may be on leave at a time in summer?")
    around = make_passage(notes[1]).chunk
    assert find_contradiction(question, best, unit, 1.0, around) is None
    shorter = read_question("How many people come in summer?")
    assert find_contradiction(shorter, best, unit, 1.0, around) is not None
