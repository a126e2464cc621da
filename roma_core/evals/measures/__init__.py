"""Measures: functions from a case and what became of it to a score, ROMA's own and anybody's."""

from roma_core.evals.measures.base import CaseOutcome, Measurable, Measure, Score, measure
from roma_core.evals.measures.registry import default_measures, find_measure, resolve_measures

__all__ = [
    "CaseOutcome",
    "Measurable",
    "Measure",
    "Score",
    "default_measures",
    "find_measure",
    "measure",
    "resolve_measures",
]
