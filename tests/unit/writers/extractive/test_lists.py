"""Lists: whole, in part by what the question names, and headings as lists."""

from __future__ import annotations

import pytest

from roma_core.markup.questions import read_question
from roma_core.parsers.text.markdown import structure
from roma_core.types import Document
from roma_core.writers.extractive.lists import (
    ListAnswer,
    add_up_items,
    answer_from_lists,
    find_amount,
    read_lists,
)
from roma_core.writers.extractive.recipes import list_items
from roma_core.writers.extractive.sources import CitedSources

CAMP = """# Camp rules

## Packing

Bring these things to the camp:

- sleeping bag
- torch
- rain coat, red or yellow
- two pairs of boots

## Log of 2024

- 2024-05-02: storm, two tents lost
- 2024-06-19: visit of the fire brigade
- 2024-06-28: storm, no damage

## Duties

1. Cook washes the pots.
2. Guard locks the gate.
"""


def document(text: str = CAMP, title: str = "Camp rules") -> Document:
    blocks, sections = structure(text)
    return Document(
        id="d", uri="file:///camp.md", title=title, text=text, content_sha256="", parser="x",
        blocks=tuple(blocks), sections=tuple(sorted(sections, key=lambda section: section.start)),
    )  # fmt: skip


def answer(question: str) -> ListAnswer | None:
    return answer_from_lists(read_question(question), read_lists(document()))


def items(found: ListAnswer | None) -> list[str]:
    return [found.items.text_of(index) for index in found.chosen] if found is not None else []


def test_a_list_comes_whole_with_its_lead_at_exact_offsets() -> None:
    found = answer("Which things must I bring to the camp?")
    assert found is not None
    assert found.items.lead_text == "Bring these things to the camp:"
    assert items(found) == ["sleeping bag", "torch", "rain coat, red or yellow", "two pairs of boots"]
    assert found.by == ""


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("List the duties.", "Cook washes the pots."),
        ("List all entries of the log of 2024.", "2024-05-02: storm, two tents lost"),
    ],
)
def test_a_heading_names_a_list(question: str, first: str) -> None:
    assert items(answer(question))[0] == first


def test_words_that_only_some_items_have_choose_these() -> None:
    found = answer("Which storms are in the log of 2024?")
    assert found is not None
    assert items(found) == ["2024-05-02: storm, two tents lost", "2024-06-28: storm, no damage"]
    assert (len(found.chosen), len(found.items.items), found.by) == (2, 3, "storms")


def test_headings_of_one_level_are_a_list() -> None:
    found = answer("Which sections do the camp rules have?")
    assert items(found) == ["Packing", "Log of 2024", "Duties"]


@pytest.mark.parametrize("question", ["List all planets.", "Which kinds of wine are there?"])
def test_a_list_of_something_else_does_not_answer(question: str) -> None:
    assert answer(question) is None


SHOPPING = """# Fish stew

## Ingredients

- 3 onions
- 400 ml stock
- half a lemon
- salt

## Method

1. Chop the onions for 5 minutes.
2. Add the lemon.
3. Serve at once.
"""


@pytest.mark.parametrize(
    ("question", "item"),
    [
        ("How many onions do I need?", "3 onions"),
        ("how much stock", "400 ml stock"),
        ("How much lemon do I need for the stew?", "half a lemon"),
        ("How much salt do I need?", None),
        ("How many leeks do I need?", None),
        ("How many onions do I need for the bread?", None),
    ],
)
def test_the_item_that_begins_with_an_amount_says_how_much(question: str, item: str | None) -> None:
    lists = read_lists(document(SHOPPING, title="Fish stew"))
    found = find_amount(read_question(question), lists)
    assert items(found) == ([item] if item is not None else [])


BUDGET = """# Trade fair

## Budget

- Booth rental: 9,800 EUR
- Travel and hotel: 2,150 EUR
- Printing: 750.50 EUR

## Weights

- Chair: 4.2 kg
- Table: 62 EUR

## Team

- Head: 2 people
- Total: 5 people
"""


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("What is the total budget?", "Sum of 3 items = 12,700.5 EUR, computed from these items"),
        (
            "What is the average budget of the trade fair?",
            "Average of 3 items = 4,233.5 EUR, computed from these items",
        ),
        ("What is the total budget of the party?", None),
        ("What is the total weight?", None),
        ("What is the total of the team?", None),
        ("What is the budget?", None),
        ("What is the total?", None),
    ],
)
def test_the_amounts_of_a_list_are_added_up(question: str, lead: str | None) -> None:
    found = add_up_items(read_question(question), read_lists(document(BUDGET, title="Trade fair")))
    assert (found.lead if found is not None else None) == lead


def test_a_sum_of_items_and_an_amount_are_shown_with_what_they_stand_on() -> None:
    def say(question: str) -> str:
        answer = list_items(read_question(question), CitedSources((), (document(BUDGET, title="Trade fair"),)))
        return "".join(answer.pieces) if answer is not None else ""

    assert say("What is the total budget?") == (
        "Sum of 3 items = 12,700.5 EUR, computed from these items:\n\n- Booth rental: 9,800 EUR [1]"
        "\n- Travel and hotel: 2,150 EUR [1]\n- Printing: 750.50 EUR [1]"
    )
    shopping = CitedSources((), (document(SHOPPING, title="Fish stew"),))
    amount = list_items(read_question("How many onions do I need?"), shopping)
    assert amount is not None
    assert amount.pieces == ("3 onions [1]",)
