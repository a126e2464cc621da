"""Measures of what an answer states: facts found, answers given, answers that should not have been given."""

from __future__ import annotations

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.base import CaseOutcome, Score, measure
from roma_core.evals.measures.nuggets import missed_facts


def has_nuggets(case: GoldenCase) -> bool:
    """Return True for cases that name the facts of a complete answer."""
    return bool(case.nuggets)


def is_answerable(case: GoldenCase) -> bool:
    """Return True for cases that the corpus answers."""
    return case.kind != "no_answer"


def is_unanswerable(case: GoldenCase) -> bool:
    """Return True for cases that the corpus does not answer."""
    return case.kind == "no_answer"


@measure(source="Voorhees, TREC 2003 QA nuggets; all nuggets vital", applies=has_nuggets)
def nugget_recall(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """Share of the facts that the answer states."""
    missed = missed_facts(case, outcome.answer)
    reason = f"missed {', '.join(missed)}" if missed else ""
    return Score(1 - len(missed) / len(case.nuggets), reason)


@measure(source="share of unanswerable questions that got an answer", applies=is_unanswerable, higher=False)
def false_answers(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when a question that the corpus does not answer got an answer."""
    return Score(float(outcome.answered))


@measure(source="share of answerable questions that got an answer", applies=is_answerable)
def answered(case: GoldenCase, outcome: CaseOutcome) -> Score:
    """1 when an answerable question got an answer, right or wrong."""
    return Score(float(outcome.answered))
