"""The context of a query: its question, without the filters that its text holds."""

from __future__ import annotations

from typing import Any

from roma_core.agents.context import Context
from roma_core.types import Query


def test_filters_in_a_question_become_filters_of_the_query() -> None:
    context = Context.begin(Query(text="Who pays for trains? author:doe after:2024", filters={"type": "pdf"}))
    assert context.question == context.lookups[0].text == "Who pays for trains?"
    assert context.query.filters == {"author": "doe", "after": "2024", "type": "pdf"}
    assert context.query.text == "Who pays for trains? author:doe after:2024"


def test_filters_of_the_caller_outrank_those_of_the_question() -> None:
    context = Context.begin(Query(text="trains collection:board", filters={"collection": "staff"}))
    assert context.query.filters == {"collection": "staff"}


def test_candidates_are_the_passages_that_were_found_and_are_not_read(kit: Any) -> None:
    context = Context.begin(Query(text="Who pays for trains?"))
    first, second, third = (kit.passage(text) for text in ("one", "two", "three"))
    context.lookups[0].passages = (first, second)
    context.look_up("trains")
    context.lookups[1].passages = (second, third)
    context.passages = (first,)
    assert context.candidates == (second, third)
