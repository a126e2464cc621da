"""Questions: kinds, codes, names, search syntax, and the question within a long text."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import (
    LONGEST_TOKENS,
    asks_picture,
    content_words,
    count_tokens,
    find_codes,
    find_names,
    focus_question,
    holds_code,
    holds_name,
    read_keywords,
    read_question,
)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is an SLO?", "definition"),
        ("What does RTO stand for?", "definition"),
        ("Define turbidity", "definition"),
        ("Who wrote the handbook?", "who"),
        ("Whose signature is needed?", "who"),
        ("When was the bridge built?", "when"),
        ("On which date is the party?", "when"),
        ("When the lava cools, it becomes what?", "open"),
        ("When does it open, or what?", "when"),
        ("How many people live there?", "how_many"),
        ("List all suppliers.", "list"),
        ("Which types of leave are there?", "list"),
        ("What are the steps of the review?", "list"),
        ("What is the difference between a lease and a rent?", "comparison"),
        ("Which is cheaper, the bus or the tram?", "comparison"),
        ("Is alcohol reimbursed?", "yes_no"),
        ("Can I carry over days?", "yes_no"),
        ("What is this document about?", "summary"),
        ("Summarise the minutes.", "summary"),
        ("Give me an overview of the plan", "summary"),
        ("What is the price of the hinge?", "table_lookup"),
        ("Which product is the cheapest?", "table_max"),
        ("Which city has the most inhabitants?", "table_max"),
        ("Which items cost more than 3 €?", "table_filter"),
        ("What is the total cost of all items?", "table_sum"),
        ("What is the average age?", "table_sum"),
        ("annual leave carry over", "keywords"),
        ('"annual leave" AND (carry OR rollover) -sick', "keywords"),
        ("title:policy trains*", "keywords"),
        ("Why is the sky blue?", "open"),
        ("How do I reset the badge?", "open"),
        ("When the mill burnt, who put the fire out?", "who"),
        ("When Iqbal wrote of unity, what did he want to end?", "table_lookup"),
        ("When did the mill burn, in which year?", "when"),
    ],
)
def test_the_kind_of_a_question_is_read_by_rules(question: str, kind: str) -> None:
    assert read_question(question).kind == kind


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What is a flange?", "flange"),
        ("What does “RPO” mean?", "RPO"),
        ("Summarise the travel policy", "travel policy"),
        ("What is this document about?", ""),
    ],
)
def test_the_subject_of_definitions_and_summaries_is_known(question: str, subject: str) -> None:
    assert read_question(question).subject.strip("“”") == subject


def test_search_syntax_is_taken_apart() -> None:
    query = read_keywords('title:policy "annual leave" AND (carry OR roll*) -sick NOT unpaid')
    assert (query.phrases, query.excluded, query.title) == (("annual leave",), ("sick", "unpaid"), ("policy",))
    assert query.words == "policy annual leave carry roll"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("What does error 0x80070005 mean?", ["0x80070005"]),
        ("Is PPR-9087 in version 2.4.0?", ["PPR-9087", "2.4.0"]),
        ("What is new in v2.4?", ["2.4"]),
        ("Was it on 2024-05-06, at the 3rd try, for 5 %?", []),
        ("Which year was it, 1998 or 2004?", []),
    ],
)
def test_codes_are_versions_and_part_numbers(text: str, codes: list[str]) -> None:
    assert find_codes(text) == codes


def test_a_code_is_held_by_itself_alone() -> None:
    assert holds_code("PPR-9087", "the PPR 9087 is new")
    assert not holds_code("PPR-9087", "PPR-90871 or XPPR-9087")
    assert holds_code("2.4.0", "since v2.4.0.")
    assert not holds_code("2.4.0", "12.4.0 and 2.4.0.1")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Which year did NASA trust attrs?", ["NASA"]),
        ("may I set load_dotenv or idnaError in python3?", ["load_dotenv", "idnaError", "python3"]),
        ("Who Wrote The First Edition?", []),
        ("who wrote it", []),
    ],
)
def test_names_are_what_a_question_capitalises_or_writes_like_code(question: str, named: list[str]) -> None:
    assert find_names(question) == named


def test_inflected_words_are_one_word() -> None:
    assert content_words("carried policies") == content_words("carry policy")
    assert content_words("the licence's fees") == content_words("licence fee")


def test_a_short_question_stands_as_it_is() -> None:
    assert focus_question("Where  is\nthe tent?") == "Where is the tent?"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("We moved. " * 120 + "How many days may I carry over? Thanks.", "How many days may I carry over?"),
        ("How many days may I carry over? " + "We moved house last year. " * 80, "How many days may I carry over?"),
        ("word " * 400 + "what is the limit for hotels", "what is the limit for hotels"),
        ("What is the limit for hotels given that " + "word " * 400, "What is the limit for hotels"),
        ("我在柏林工作。" * 60 + "我有多少天年假？", "我有多少天年假？"),
        ("字" * 500, "字"),
    ],
)  # fmt: skip
def test_a_long_question_is_cut_to_what_it_asks(text: str, held: str) -> None:
    focus = focus_question(text)
    assert held in focus
    assert count_tokens(focus) <= LONGEST_TOKENS
    assert focus_question(focus) == focus


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which versions does it support?", True),
        ("Which Python versions does it need?", True),
        ("Around which two projects did it begin?", True),
        ("What are the rules?", True),
        ("Which firm builds the boats?", False),
        ("What does it cost?", False),
        ("Which class is it?", False),
        ("Who wrote the letters?", False),
    ],
)
def test_a_plural_or_a_number_asks_for_several_things(question: str, several: bool) -> None:
    assert read_question(question).asks_several is several


@pytest.mark.parametrize(
    ("question", "pictured"),
    [
        ("What does the otter on the picture hold?", True),
        ("How many cars does the field hold on the map?", True),
        ("Welche Farbe hat das Boot auf dem Bild?", True),
        ("How many cars does the field hold?", False),
    ],
)
def test_a_question_may_speak_of_a_picture(question: str, pictured: bool) -> None:
    assert asks_picture(question) is pictured


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("For how long is a clock wound?", {"clock", "wound"}),
        ("How often does the long clock strike?", {"long", "clock", "strik"}),
        ("How high is it above the weir?", {"abov", "weir"}),
    ],
)
def test_the_measure_behind_how_is_no_word_that_a_source_needs(question: str, words: set[str]) -> None:
    assert read_question(question).words == words


@pytest.mark.parametrize(
    ("name", "text", "is_held"),
    [
        ("Normans", "a Norman knight", True),
        ("Moss", "Mogens rows", False),
        ("Moss", "moss of Moss", True),
        ("US", "the Ural", False),
        ("St.", "the St of Orr", True),
    ],
)
def test_a_name_is_held_in_one_number_or_the_other(name: str, text: str, *, is_held: bool) -> None:
    assert holds_name(name, text) is is_held
