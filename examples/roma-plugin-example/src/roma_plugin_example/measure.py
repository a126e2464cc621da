"""Whether an answer begins with what its sources prove."""

from __future__ import annotations

from roma_core.evals import CaseOutcome, GoldenCase, Score, measure

PROVEN = {"verbatim", "supported"}


@measure(source="this package's README", applies=lambda case: case.kind != "no_answer")
def opens_with_proof(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Return 1 when the first citation of the answer is proven, else 0."""
    if outcome.output is None or not outcome.output.citations:
        return Score(0.0, "no citation")
    verdict = outcome.output.citations[0].verdict
    return Score(float(verdict in PROVEN), f"the first citation is {verdict}")
