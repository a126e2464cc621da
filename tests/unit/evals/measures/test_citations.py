"""Measures of citations, against values worked out by hand."""

from __future__ import annotations

import pytest

from roma_core.evals.measures.citations import citation_coverage, citation_validity, cited
from roma_core.markup import read_statements
from tests.fakes.evals import FAILED, UNSCORED, make_answer, make_case, take

ANSWER = "Red it is [1]. Blue as well. Green [2]."
BEHIND = ((0, 9), (29, 34))


async def test_coverage_is_the_share_of_statements_with_a_proven_citation() -> None:
    assert [ANSWER[s.start : s.end] for s in read_statements(ANSWER)] == [
        "Red it is [1].",
        "Blue as well.",
        "Green [2].",
    ]
    for proofs, expected in (((True, True), 2 / 3), ((True, False), 1 / 3), ((True, None), 1 / 3)):
        outcome = make_answer(ANSWER, *BEHIND, proofs=proofs)
        assert await take(citation_coverage, make_case(), outcome) == pytest.approx(expected)


async def test_coverage_does_not_apply_to_abstentions_and_empty_answers() -> None:
    assert await take(citation_coverage, make_case(), make_answer("I don't know.", answered=False)) == "not_applicable"
    assert await take(citation_coverage, make_case(), make_answer("# Heading\n\n[1]")) == "not_applicable"
    assert await take(citation_coverage, make_case(), FAILED) == UNSCORED


async def test_validity_is_the_share_of_quotes_at_their_offsets() -> None:
    proven = make_answer(ANSWER, *BEHIND, proofs=(True, False))
    assert await take(citation_validity, make_case(), proven) == 0.5
    assert await take(citation_validity, make_case(), make_answer(ANSWER)) == "not_applicable"
    assert await take(citation_validity, make_case(), make_answer(ANSWER, (0, 9), proofs=(None,))) == UNSCORED
    assert await take(citation_validity, make_case(), FAILED) == UNSCORED


async def test_cited_needs_one_proven_citation() -> None:
    assert await take(cited, make_case(), make_answer(ANSWER, (0, 9), proofs=(True,))) == 1.0
    assert await take(cited, make_case(), make_answer(ANSWER, (0, 9), proofs=(False,))) == 0.0
    assert await take(cited, make_case(), make_answer("?", answered=False)) == "not_applicable"
    assert await take(cited, make_case(), FAILED) == UNSCORED
