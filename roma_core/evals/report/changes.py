"""The items that changed most between two runs, one by one: answers, facts, citations, passages, and the stage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from roma_core import display
from roma_core.errors import count_noun
from roma_core.evals.attribution import FailureReport
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.measures.nuggets import states
from roma_core.evals.report.comparison import Comparison, MeasureComparison, ScorePair
from roma_core.evals.report.record import EvalReport, EvalRow
from roma_core.markup import remove_markers

LONGEST_PASSAGE = 300
MOST_NEEDED = 100_000


def render_changes(
    golden: Golden,
    a: EvalReport,
    b: EvalReport,
    comparison: Comparison,
    failures: Sequence[FailureReport] = (),
) -> display.Html:
    """Return the changed cases of a comparison with all that a person needs to see why.

    ``failures`` are those of A and of B, where they are known: the stage that lost an item stands beside its answer.
    """
    cases = {case.id: case for case in golden.cases}
    rows = [{row.case_id: row for row in report.rows} for report in (a, b)]
    stages = [{f.case_id: f"{f.fault.value}: {f.why}" for f in report.attributions} for report in failures]
    parts = [
        render_change(
            cases.get(pair.case_id),
            pair,
            [by_id.get(pair.case_id) for by_id in rows],
            [by_id.get(pair.case_id, "") for by_id in stages] or ["", ""],
        )
        for pair in comparison.changed_cases
    ]
    if not parts:
        return display.paragraph(f"No case changed in {comparison.primary}.")
    return display.box(display.heading(f"The {len(parts)} cases that changed most in {comparison.primary}"), *parts)


def render_change(
    case: GoldenCase | None, pair: ScorePair, rows: Sequence[EvalRow | None], stages: Sequence[str]
) -> display.Html:
    """Return one case in both runs, side by side."""
    facts = [nugget.fact for nugget in case.nuggets] if case else []
    head = f"{pair.case_id}: {pair.question}"
    table = [
        ("Score", pair.a, pair.b),
        ("Answer", pair.answer_a, pair.answer_b),
        ("Why", pair.reason_a, pair.reason_b),
        *([("Stage", *stages)] if any(stages) else []),
        *[(f"Fact: {fact}", *(_show_fact(case, fact, row) for row in rows)) for fact in facts],
        ("Citations", *(_show_citations(row) for row in rows)),
        ("Passages", *(_show_passages(row) for row in rows)),
    ]
    return display.box(display.heading(head), display.table(("", "A", "B"), table))


def _show_fact(case: GoldenCase | None, fact: str, row: EvalRow | None) -> str:
    nugget = next((n for n in case.nuggets if n.fact == fact), None) if case else None
    if nugget is None or row is None:
        return "–"
    return "stated" if states(remove_markers(row.answer or ""), nugget) else "missed"


def _show_citations(row: EvalRow | None) -> str:
    if row is None:
        return ""
    return "\n".join(f"[{c.marker}] {c.verdict}: {c.title} “{_cut(c.quote)}”" for c in row.citations)


def _show_passages(row: EvalRow | None) -> str:
    if row is None:
        return ""
    return "\n".join(f"{p.rank}. {p.chunk.title}: {_cut(p.chunk.text)}" for p in row.passages)


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST_PASSAGE else f"{plain[:LONGEST_PASSAGE]} …"


def describe_missing(comparison: Comparison) -> str:
    """Return what is missing to decide, in a sentence; empty for a comparison that is decided.

    >>> describe_missing(comparison)  # doctest: +SKIP
    'A difference of +0.050 would be found four times in five with about 240 questions about other documents (now 60).'
    """
    decided = comparison.of(comparison.primary)
    difference = decided.difference
    if decided.decision.value == "same":
        widest = max(abs(difference.low), abs(difference.high))
        return (
            f"No case differs in {comparison.primary}, so there is nothing to decide by; {difference.n} questions do "
            f"not exclude differences of up to {widest:.3f}."
        )
    if decided.decision.value != "inconclusive":
        return ""
    if not difference.mean:
        return "The two differ by nothing on average; more questions would only narrow the interval."
    needed = count_needed(decided)
    if needed is None:
        documents = count_noun(difference.clusters, "document")
        return (
            f"{documents} cannot decide anything (least p {difference.smallest_p:.3f}): "
            "add questions about other documents."
        )
    return (
        f"A difference of {difference.mean:+.3f} would be found four times in five with about {needed} questions about "
        f"other documents (now {difference.n})."
    )


def count_needed(decided: MeasureComparison) -> int | None:
    """Return how many questions would find the observed difference four times in five; None when it cannot be told."""
    difference = decided.difference
    if not math.isfinite(difference.detectable) or not difference.mean:
        return None
    needed = difference.n * (difference.detectable / difference.mean) ** 2
    return min(MOST_NEEDED, max(difference.n, math.ceil(needed)))
