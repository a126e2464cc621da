"""Measures of retrieval: how much of the evidence the passages hold, and how early.

A passage gains only for evidence that no earlier one had, so that overlapping chunks cannot raise a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.golden.evidence import Places
from roma_core.evals.measures.base import CaseOutcome, Measure, Score, measure
from roma_core.types import ScoredChunk


def has_evidence(case: GoldenCase) -> bool:
    """Return True for cases with places that support the answer."""
    return bool(case.evidence)


def gains(passages: Sequence[ScoredChunk], evidence: Sequence[Places], grades: Sequence[int]) -> list[int]:
    """Return the gain of each rank: the grades of the evidence that its passage is the first to overlap."""
    remaining = set(range(len(evidence)))
    by_rank = []
    for passage in passages:
        new = {i for i in remaining if _overlaps(passage, evidence[i])}
        remaining -= new
        by_rank.append(sum(grades[i] for i in new))
    return by_rank


def subtopic_recall(passages: Sequence[ScoredChunk], evidence: Sequence[Places], k: int) -> float:
    """Return the share of the evidence that the first ``k`` passages overlap."""
    return sum(gains(passages[:k], evidence, [1] * len(evidence))) / len(evidence)


def score_ranking(ir_measure: Any, gained: Sequence[int], missed: Sequence[int]) -> float:
    """Return an ir-measures measure of one ranking, given the gain of each rank and the grades that were not found."""
    import ir_measures

    qrels = {f"rank{i:04}": g for i, g in enumerate(gained) if g} | {f"missed{i}": g for i, g in enumerate(missed)}
    run = {f"rank{i:04}": float(-i) for i in range(len(gained))} or {"nothing": 0.0}
    return float(next(iter(ir_measures.iter_calc([ir_measure], {"q": qrels}, {"q": run}))).value)


def recall_at(k: int) -> Measure:
    """Return the measure ``R@k``: share of the evidence that the first ``k`` passages overlap."""

    def score(case: GoldenCase, outcome: CaseOutcome) -> Score:
        unlocated = _score_unlocated(case, outcome)
        return unlocated or Score(subtopic_recall(outcome.passages, outcome.evidence, k))

    source = "subtopic recall, Zhai, Cohen & Lafferty, SIGIR 2003; a subtopic is a piece of evidence"
    return measure(name=f"R@{k}", source=source, applies=has_evidence)(score)


def reciprocal_rank_at(k: int) -> Measure:
    """Return the measure ``RR@k``: 1 / rank of the first passage that overlaps evidence."""
    return _by_ir_measures("RR", k, "Voorhees, TREC-8 1999, by ir-measures")


def ndcg_at(k: int) -> Measure:
    """Return the measure ``nDCG@k``: gain of finding evidence early."""
    return _by_ir_measures("nDCG", k, "Järvelin & Kekäläinen, TOIS 2002, by ir-measures")


def _by_ir_measures(name: str, k: int, source: str) -> Measure:
    def score(case: GoldenCase, outcome: CaseOutcome) -> Score:
        if unlocated := _score_unlocated(case, outcome):
            return unlocated
        import ir_measures

        grades = [e.grade for e in case.evidence]
        gained = gains(outcome.passages, outcome.evidence, grades)
        missed = [
            grade
            for grade, places in zip(grades, outcome.evidence, strict=True)
            if not any(_overlaps(passage, places) for passage in outcome.passages)
        ]
        return Score(score_ranking(getattr(ir_measures, name) @ k, gained, missed))

    return measure(name=f"{name}@{k}", source=source, applies=has_evidence)(score)


def _score_unlocated(case: GoldenCase, outcome: CaseOutcome) -> Score | None:
    """Return the score of a case whose evidence the corpus does not hold."""
    if not outcome.evidence:
        return Score.unscored("no corpus was given to find the evidence in")
    lost = [e.uri for e, places in zip(case.evidence, outcome.evidence, strict=True) if not places]
    return Score.unscored(f"not in the corpus: {', '.join(lost)}") if lost else None


def _overlaps(passage: ScoredChunk, places: Places) -> bool:
    chunk = passage.chunk
    return any(place.holds(chunk.document_id, chunk.start, chunk.end) for place in places)
