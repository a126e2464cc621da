"""Scripted models through the whole pipeline: true statements are proven, false ones are not, nothing poses."""

from __future__ import annotations

import pytest

from bench import llm_scripted
from tests.scripted import CORPUS, MANNERS

QUESTIONS = (
    "When was the rope bridge of Quellfeld built?",
    "What did the flood of the river Elm in 1950 take?",
    "What bridges did the engineer Ada Kern design?",
    "Why did the mill of Oster close?",
    "How do the tides of the northern sea rise?",
)


DOCUMENTS = [llm_scripted.make_document(title, title, text) for title, text in CORPUS.items()]


@pytest.mark.parametrize("name", MANNERS)
async def test_nothing_false_is_called_proven_and_nothing_uncited_looks_like_an_answer(
    name: str,
) -> None:
    counts = await llm_scripted.count_answers(name, DOCUMENTS, QUESTIONS)
    assert counts.true + counts.false >= 3 * len(QUESTIONS)
    assert counts.proven_citations > 0
    assert (counts.false_citations, counts.false_proven, counts.posing) == (0, 0, 0)


async def test_what_an_obedient_model_writes_is_proven() -> None:
    counts = await llm_scripted.count_answers("obedient", DOCUMENTS, QUESTIONS)
    assert counts.proven == counts.true
