"""A slice of the replay of repeated questions: made-up questions over made-up documents, two scripted models."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from bench.llm_scripted import make_document
from bench.zipf import Question, compare_worth, draw_by_zipf, measure, write_answer
from roma_core.llm.providers.server import FakeModelServer
from roma_core.types import Document

TOWNS = ("Arlen", "Brock", "Cawdor", "Dunmere", "Eskdale", "Farrow", "Glynde", "Hexley", "Iver", "Jarrow")
THINGS = ("bridge", "mill", "tower", "harbour", "market", "chapel")
ASKED = 150


def make_collection() -> tuple[list[Document], list[Question]]:
    """Return a document for each town and a short and a long question about each thing in it."""
    documents: list[Document] = []
    questions: list[Question] = []
    for number, town in enumerate(TOWNS):
        facts: list[str] = []
        for place, thing in enumerate(THINGS):
            year = str(1500 + 37 * number + 5 * place)
            facts.append(f"The {thing} of {town} was built in {year}.")
            short = f"When was the {thing} of {town} built?"
            long = f"Tell me please in which year the people of {town} finally built the {thing} that stands there?"
            questions += [Question(f"{town}-{thing}-{len(text)}", text, town, (year,)) for text in (short, long)]
        documents.append(make_document(town, town, " ".join(facts)))
    return documents, questions


async def test_caches_and_router_save_model_cost_and_no_answer_is_stale_or_worse(tmp_path: Path) -> None:
    documents, questions = make_collection()
    calibrated, replayed = questions[::2][:40], questions[40:80]
    asked = draw_by_zipf(replayed, ASKED)
    rule = functools.partial(write_answer, questions)
    async with FakeModelServer(rule).running() as server:
        done, _ = await measure(tmp_path, server.url, documents, calibrated, asked, ways=("neither", "both"))
    plain, both = done["neither"], done["both"]
    assert both.cached == ASKED - len({each.text for each in asked})
    assert both.cost_usd <= 0.6 * plain.cost_usd
    assert plain.calls == ASKED > both.calls > 0
    assert compare_worth(both, plain, asked).mean == pytest.approx(0, abs=0.1)
