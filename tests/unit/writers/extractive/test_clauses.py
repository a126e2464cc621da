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


LIST = (
    "The smiths of Orr, the tanners of Ilmen, the weavers of the lower town, the bakers of the mill street, the two "
    "ferrymen of the old harbour, the coopers, the rope makers and the salt merchants of the island owned the hall and "
    "the ground beside the river."
)


@pytest.mark.parametrize(
    "question", ["Which guilds owned the hall and the ground?", "List the owners of the hall and of the ground."]
)
async def test_a_question_after_several_things_gets_no_part_of_a_list(question: str) -> None:
    assert await quote(question, LIST, {"hall": 9.0}) == f"{LIST} [1]"


async def test_a_question_after_several_things_gets_a_clause() -> None:
    answer = await quote("Which guilds built the hall?", LONG, {"tanners": 9.0})
    assert answer == f"{LONG[: LONG.index(', which')]} … [1]"


async def test_of_a_list_the_members_around_the_answer_are_quoted() -> None:
    text = LIST.replace("owned the hall and the ground beside the river", "were guests of the feast")
    answer = await quote("Which ferrymen were guests of the feast?", text, {"ferrymen": 9.0, "bakers": -0.5})
    assert "the two ferrymen of the old harbour" in answer
    assert len(answer.replace("[1]", "").split()) <= 40


async def test_a_sentence_behind_a_note_is_a_sentence_of_its_own() -> None:
    text = (
        "It is not known who paid for the ground beside the river and for the stones of the hall that the carts of the "
        "valley brought.[citation needed] In the summer of 1902 the guild of the tanners of Ilmen built it all."
    )
    answer = await quote("Who built the hall?", text, {"tanners": 9.0})
    assert answer == "… In the summer of 1902 the guild of the tanners of Ilmen built it all. [1]"


async def test_a_part_that_scores_far_lower_than_its_sentence_is_not_quoted() -> None:
    known = {"tanners": 4.0, "lightning": 4.0, "mast": 4.0}
    assert await quote("What happened to the hall?", LONG, known) == f"{LONG} [1]"


async def test_a_part_without_words_of_the_question_that_count_is_not_quoted() -> None:
    answer = await quote("Who built the hall whose roof was burnt?", LONG, {"tanners": 9.0, "burnt": 1.5})
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


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        (
            "It is a common misconception that, in hot summers, the roof of the old hall leaks after rain.",
            "the roof of the old hall leaks after rain",
        ),
        ("It is a myth that, as the tanners tell it, the hall was built in 1902.", "the hall was built in 1902"),
        (
            "Contrary to the legend that the hall, built in 1902, was burnt by lightning, it fell down.",
            "built in 1902, was burnt by lightning",
        ),
        (
            "The mayor hopes that, with the new fee, the hall will pay for itself by 1950.",
            "the hall will pay for itself by 1950",
        ),
        (
            "According to the tanners, the hall was built in 1902, and the roof was burnt by lightning in 1931.",
            "and the roof was burnt by lightning in 1931",
        ),
        (
            "The hall is free for members, according to the oldest guild of the tanners of the town of Ilmen.",
            "The hall is free for members",
        ),
        ("Perhaps, in 1902, the hall was built by the tanners.", "the hall was built by the tanners"),
        (
            "If the steward agrees, the hall may be used by guests, and the yard is open to carts.",
            "and the yard is open to carts",
        ),
        (
            "Unless the steward says otherwise, carts may enter, and dogs may run free in the yard.",
            "and dogs may run free in the yard",
        ),
        ("No member, whatever his age, may use the hall.", "may use the hall"),
        ("Only members, and their guests, may use the hall on Sundays.", "may use the hall on Sundays"),
        ("The hall may be used by members, but only on Sundays.", "The hall may be used by members"),
        ("The hall may be used by members, except on Sundays.", "The hall may be used by members"),
        ("The hall may be used by all members, though not on Sundays.", "The hall may be used by all members"),
        ("Carts may enter the yard, or, where it is shut, the lane behind the mill.", "Carts may enter the yard"),
        ("The fee is 5 crowns, or 3 crowns for children.", "The fee is 5 crowns"),
        (
            "The guild denied that the hall, which burnt in 1931, was insured for 900 crowns.",
            "was insured for 900 crowns",
        ),
        (
            "The court rejected the view that, under the charter, the guild owns the ground.",
            "the guild owns the ground",
        ),
        ("The novel tells how, in 1902, the guild burnt the hall.", "the guild burnt the hall"),
        ("Although the hall was free until 1910, the guild charges five crowns now.", "the hall was free until 1910"),
        ("In the story, the guild burnt the hall, and the steward fled to Orr.", "and the steward fled to Orr"),
        ("The guild failed, in 1902, to build the hall.", "to build the hall"),
        (
            "He was accused of having burnt the hall, sold the ground, and fled to Orr.",
            "sold the ground, and fled to Orr",
        ),
        ("It is doubtful whether, as some think, the roof was burnt by lightning.", "the roof was burnt by lightning"),
        (
            "Neither the tanners, who built the hall, nor the smiths, who built the mill, own the ground.",
            "nor the smiths, who built the mill, own the ground",
        ),
        ("The hall is rarely used on Sundays, in summer, or at night.", "in summer, or at night"),
        (
            "It would have been built in 1902, had the town paid for the ground beside the river.",
            "It would have been built in 1902",
        ),
        ("The hall was nearly, as the steward says, burnt down in 1931.", "burnt down in 1931"),
        (
            "The hall was to be built in 1902, but the war came, and the tanners lost the ground.",
            "The hall was to be built in 1902",
        ),
        (
            "Members who live in the town may use the hall, provided that, in the year before, they paid the fee.",
            "Members who live in the town may use the hall",
        ),
        ('He wrote, "the guild burnt the hall, sold the ground, and fled to Orr".', "sold the ground, and fled to Orr"),
        ("The idea is that, in time, the guild owns the ground.", "the guild owns the ground"),
        (
            "The hall was, it is alleged, burnt by the steward in 1931, who fled.",
            "burnt by the steward in 1931, who fled",
        ),
        ("The tanners' claim, that the hall was built in 1902, is false.", "that the hall was built in 1902"),
        (
            "The tanners, so the tale goes, built the hall in 1902 without stone.",
            "built the hall in 1902 without stone",
        ),
        ("The hall would be free to all, so the mayor promised, from 1950 on.", "The hall would be free to all"),
        (
            "Unlike the mill, which was burnt by lightning in 1931, the hall stands.",
            "which was burnt by lightning in 1931",
        ),
        (
            "The steward asked if the hall, built in 1902, was free, and the guild said that it was let to the smiths.",
            "and the guild said that it was let to the smiths",
        ),
        (
            "The planned hall, with a tower of iron, was to hold 900 members, and cost 5,000 crowns.",
            "and cost 5,000 crowns",
        ),
        ("The hall holds 900 members, not counting guests of the guild.", "The hall holds 900 members"),
        ("The hall holds 900 members (though only in summer), and the mill 300.", "The hall holds 900 members"),
        ("The hall is open to members, as long as they paid, and to guests.", "The hall is open to members"),
    ],
)
def test_what_denies_limits_or_attributes_a_part_is_not_left_out(sentence: str, part: str) -> None:
    start = sentence.index(part)
    assert not is_honest(sentence, start, start + len(part))


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        (
            "The hall was built in 1902 by the tanners, and the roof was burnt by lightning in 1931, in a storm.",
            "and the roof was burnt by lightning in 1931, in a storm",
        ),
        (
            "The hall was not built by smiths; the tanners built it in 1902, and sold it.",
            "the tanners built it in 1902, and sold it",
        ),
        (
            "The towns of the valley (though Orr did not) joined the guild in 1902, the smiths joined in 1910.",
            "the smiths joined in 1910",
        ),
        (
            "The hall was built in 1902, which was the year of the flood, and has 900 seats.",
            "The hall was built in 1902",
        ),
        ("Towns that have a hall pay for it, and the guild pays for the mill.", "and the guild pays for the mill"),
        ("The hall holds 900 members, the mill holds 300 (though only in summer).", "The hall holds 900 members"),
        ("The hall holds 900 members; in winter, only the yard is open.", "The hall holds 900 members"),
        ("The hall does not only hold 900, and the mill holds 300.", "and the mill holds 300"),
    ],
)
def test_what_governs_nothing_of_a_part_may_be_left_out(sentence: str, part: str) -> None:
    start = sentence.index(part)
    assert is_honest(sentence, start, start + len(part))


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


TOWER = "On the market square of the lower town of Ilmen stands the tower of the oldest of the guilds"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (f"{TOWER}, which was built with a stronger, taller mast that the smiths of the harbour made from the iron of "
         "the old bridge and of the two wrecks.", "guilds"),
        (f"{TOWER}, whose bells (two of them) of bronze were cast by the smiths of the harbour from the iron of the "
         "old bridge and the chains of two wrecks.", "guilds"),
        (f"{TOWER}, with bells that ring at noon; in winter, the smiths of the harbour clear the snow from the square "
         "and from the steps of the old bridge for all.", "noon"),
    ],
    ids=["adjectives", "a phrase behind brackets", "a scrap"],
)  # fmt: skip
async def test_a_part_ends_where_its_phrase_does(text: str, end: str) -> None:
    answer = await quote("What stands on the market square?", text, {"tower": 9.0, "smiths": -3.0})
    assert answer.endswith(f"{end} … [1]")


async def test_a_part_begins_with_its_subject() -> None:
    text = (
        "The smiths of the old harbour of Ilmen, a guild of forty members from the lower town, cast the bell of the "
        "tower in the spring of 1911, and gave it to the town when the bridge was opened by the duke."
    )
    answer = await quote("Who cast the bell of the tower?", text, {"cast": 9.0, "forty": -0.4})
    assert answer.startswith("The smiths")


@pytest.mark.parametrize(("name", "is_kept"), [("Shimer College", False), ("Orr College", True)])
async def test_a_part_may_lack_a_word_of_a_name_but_no_whole_name(name: str, is_kept: bool) -> None:
    text = (
        f"The council, with the lower house of {name} and ten other houses of the valley and of the coast on the other "
        "side of the wide bay, let young children come to the rooms of the school; in the second year, pupils of "
        "Shimer moved to the upper hall, having passed the examinations of the council and of the board of the town."
    )
    answer = await quote(f"Where did the pupils of {name} move?", text, {"upper hall": 9.0, "lower": -0.6})
    assert (name in answer) is is_kept


async def test_a_question_for_one_subject_gets_a_part_of_a_list() -> None:
    text = (
        "The council of the valley has eased the rules of the schools of late, by raising the fees of the evening "
        "courses, by replacing drawing for third years with botany and music at the wish of a school, and by printing "
        "the rules anew in the spring of 1992."
    )
    answer = await quote(
        "What subject replaced drawing for third years?", text, {"botany": 9.0, "printing": -1.0, "evening": -1.0}
    )
    assert answer == "… by replacing drawing for third years with botany and music at the wish of a school … [1]"
