"""Measures of citations: statements that are cited, and quotes that stand where the citations say."""

from __future__ import annotations

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Score, measure
from roma_core.evals.measures.nuggets import denies
from roma_core.evals.measures.values import read_values
from roma_core.markup import Claim, read_statements, remove_markers
from roma_core.markup.tables import read_cited_words
from roma_core.types import Citation


def _read_stated(outcome: CaseOutcome) -> list[Claim]:
    """Return what an answer states; the lines that ROMA wrote around quotes are none of it."""
    return read_statements(outcome.answer, frame=outcome.frame) if outcome.answered else []


def _stands_behind(citation: Citation, statement: Claim) -> bool:
    return citation.answer_start < statement.end and statement.start < citation.answer_end


@measure(source="citation recall of Gao et al. (ALCE), EMNLP 2023, with offset proof", length_sensitive=True)
def citation_coverage(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the sentences that state something and have a proven citation."""
    stated = _read_stated(outcome)
    if not stated:
        return Score.not_applicable()
    proven = [c for c, proof in zip(outcome.citations, outcome.proofs, strict=True) if proof]
    covered = [s for s in stated if any(_stands_behind(c, s) for c in proven)]
    return Score(len(covered) / len(stated))


@measure(source="share of answers with at least one proven citation", length_sensitive=True)
def cited(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when an answer has a proven citation."""
    return Score(float(any(outcome.proofs))) if outcome.answered else Score.not_applicable()


@measure(source="share of citations with document.text[start:end] == quote", length_sensitive=True)
def citation_validity(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the citations whose quote is at its offsets."""
    if None in outcome.proofs:
        return Score.unscored("a cited document could not be read")
    if not outcome.proofs:
        return Score.not_applicable()
    return Score(sum(map(bool, outcome.proofs)) / len(outcome.proofs))


SUPPORT_OF_VERDICT = {"verbatim": 1.0, "supported": 1.0, "partial": 0.5}
"""Credit of a citation's verdict; every other one gives none."""
AGAINST: frozenset[str] = frozenset({"contradicted"})
"""Verdicts that say that the source says otherwise."""


@measure(
    source="AIS of Rashkin et al., Computational Linguistics 2023, by the verdicts of the citations",
    length_sensitive=True,
    sees=(
        "negate", "echo", "swap_numbers", "shuffle_citations", "answer_another", "change_units", "drop_negation",
        "swap_names", "hedge", "say_not_so", "add_year", "nudge_numbers", "take_value", "drop_exception", "add_item",
    ),
)  # fmt: skip
def support(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of what the answer states that its citations support. To repeat the question states nothing."""
    stated = _read_stated(outcome)
    if not stated:
        return Score.not_applicable()
    credits = [_credit(outcome, statement, case.question) for statement in stated]
    weak = [outcome.answer[s.start : s.end] for s, credit in zip(stated, credits, strict=True) if credit < 1]
    return Score(sum(credits) / len(stated), f"not fully supported: {' | '.join(weak)}" if weak else "")


def _credit(outcome: CaseOutcome, statement: Claim, question: str) -> float:
    text = outcome.answer[statement.start : statement.end]
    if _is_echo(text, question):
        return 0.0
    behind = [citation for citation in outcome.citations if _stands_behind(citation, statement)]
    if denies(text):
        behind = [citation for citation in behind if denies(read_cited_words(citation.quote))]
    return max((SUPPORT_OF_VERDICT.get(citation.verdict, 0.0) for citation in behind), default=0.0)


def _is_echo(statement: str, question: str) -> bool:
    """Return True when a statement says nothing that the question does not."""
    said = [token for token in read_values(remove_markers(statement)) if token.kind != "break"]
    asked = [token for token in read_values(question) if token.kind != "break"]
    return all(any(token.matches(other) for other in asked) for token in said)


@measure(
    source="share of statements that a citation contradicts (Huang et al., RefChecker, 2024)",
    higher=False,
    sees=("swap_numbers", "change_units", "drop_negation", "say_not_so", "nudge_numbers", "take_value"),
)
def contradicted(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of what the answer states that one of its own citations contradicts."""
    stated = _read_stated(outcome)
    if not stated:
        return Score.not_applicable()
    against = [
        statement
        for statement in stated
        if any(c.verdict in AGAINST and _stands_behind(c, statement) for c in outcome.citations)
    ]
    return Score(len(against) / len(stated))


@measure(
    source="citation precision of Gao et al. (ALCE), EMNLP 2023, by the verdicts",
    length_sensitive=True,
    sees=(
        "swap_numbers", "shuffle_citations", "change_units", "drop_negation", "swap_names", "hedge", "say_not_so",
        "add_year", "nudge_numbers", "take_value", "drop_exception", "add_item",
    ),
)  # fmt: skip
def citation_precision(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the citations that support what they stand behind."""
    if not outcome.citations or not outcome.answered:
        return Score.not_applicable()
    credits = [SUPPORT_OF_VERDICT.get(citation.verdict, 0.0) for citation in outcome.citations]
    return Score(sum(credits) / len(credits))
