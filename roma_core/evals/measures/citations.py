"""Measures of citations: is what an answer states cited, and do the quotes stand where the citations say?"""

from __future__ import annotations

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Score, measure
from roma_core.markup import Claim, read_statements
from roma_core.types import Citation


def _stands_behind(citation: Citation, statement: Claim) -> bool:
    return citation.answer_start < statement.end and statement.start < citation.answer_end


@measure(source="citation recall of Gao et al. (ALCE), EMNLP 2023, with offset proof")
def citation_coverage(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the sentences that state something and have a proven citation."""
    stated = read_statements(outcome.answer) if outcome.answered else []
    if not stated:
        return Score.not_applicable()
    proven = [c for c, proof in zip(outcome.citations, outcome.proofs, strict=True) if proof]
    covered = [s for s in stated if any(_stands_behind(c, s) for c in proven)]
    return Score(len(covered) / len(stated))


@measure(source="share of answers with at least one proven citation")
def cited(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when an answer has a proven citation."""
    return Score(float(any(outcome.proofs))) if outcome.answered else Score.not_applicable()


@measure(source="share of citations with document.text[start:end] == quote")
def citation_validity(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the citations whose quote is at its offsets."""
    if None in outcome.proofs:
        return Score.unscored("a cited document could not be read")
    if not outcome.proofs:
        return Score.not_applicable()
    return Score(sum(map(bool, outcome.proofs)) / len(outcome.proofs))
