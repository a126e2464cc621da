"""Measures of citations, against values worked out by hand."""

from __future__ import annotations

import pytest

from roma_core.evals.measures.citations import citation_coverage, citation_validity, cited, support
from roma_core.markup import find_frame, read_statements
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


LINE = "The sources disagree on the number, the newest first:"
FRAMED = f"{LINE}\n\nIt is red [1].\n\nNot answered by these sources: why?"


async def test_the_lines_around_quotes_need_no_citation() -> None:
    frame = find_frame(FRAMED, FRAMED.split("\n\n")[::2])
    behind = ((55, 68),)
    outcome = make_answer(FRAMED, *behind, proofs=(True,), frame=frame)
    assert [span.of(FRAMED) for span in frame] == FRAMED.split("\n\n")[::2]
    assert await take(citation_coverage, make_case(), outcome) == 1.0


@pytest.mark.parametrize("name", ["citation_coverage", "support"])
async def test_what_a_model_says_in_the_words_of_the_frame_counts(name: str) -> None:
    taken = {"citation_coverage": citation_coverage, "support": support}[name]
    assert await take(taken, make_case(), make_answer(FRAMED, (55, 68), proofs=(True,))) < 0.5
    assert await take(taken, make_case(), make_answer(LINE)) == 0.0


async def test_a_wrong_statement_behind_a_line_of_the_frame_counts() -> None:
    answer = f"{LINE} it is 9 metres long."
    outcome = make_answer(answer, frame=find_frame(answer, [LINE]))
    assert await take(support, make_case(), outcome) == 0.0
