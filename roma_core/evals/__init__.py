"""Evaluation one can decide by: score a system on a golden set, compare two runs, add measures of one's own.

>>> from roma_core.evals import Score, compare, evaluate, measure  # doctest: +SKIP
>>> report = await evaluate("golden.json", roma)  # doctest: +SKIP
"""

from roma_core.evals.attribution import FailureReport, explain_failures
from roma_core.evals.corpus.build import build_corpus, corpus_sources
from roma_core.evals.demo_corpus import gather_demo_corpus, prepare_corpus, prepare_documents
from roma_core.evals.evaluation import evaluate, load_dataset
from roma_core.evals.experiments import Experiment, Variant, experiment, grid
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Nugget, load_golden
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures.base import CaseOutcome, Measure, Score, measure
from roma_core.evals.measures.mutations import find_blind_measures
from roma_core.evals.measures.registry import default_measures
from roma_core.evals.plan import StudyPlan, plan_study
from roma_core.evals.report.changes import describe_missing, render_changes
from roma_core.evals.report.comparison import Comparison, Decision, compare, compare_variants
from roma_core.evals.report.record import EvalReport, EvalRow
from roma_core.evals.runs import RunStore, open_runs
from roma_core.evals.tracking import track

__all__ = [
    "CaseOutcome",
    "Comparison",
    "Decision",
    "EvalReport",
    "EvalRow",
    "Evidence",
    "Experiment",
    "FailureReport",
    "Golden",
    "GoldenCase",
    "Judge",
    "Measure",
    "Nugget",
    "RunStore",
    "Score",
    "StudyPlan",
    "Variant",
    "build_corpus",
    "compare",
    "compare_variants",
    "corpus_sources",
    "default_measures",
    "describe_missing",
    "evaluate",
    "experiment",
    "explain_failures",
    "find_blind_measures",
    "gather_demo_corpus",
    "grid",
    "load_dataset",
    "load_golden",
    "measure",
    "open_runs",
    "plan_study",
    "prepare_corpus",
    "prepare_documents",
    "render_changes",
    "track",
]
