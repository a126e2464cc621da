"""Trials of two variants on the questions of a service (A/B): which conversation has which, and what came of it.

A conversation is assigned by a hash of the trial and its id, so it keeps its variant across questions, processes and
restarts. Only conversations that begin during the trial are in it. Each counts once: by its first rated answer for
thumbs, by its first answer for everything else, so that observations are independent. The outcomes are compared by a
test that may be looked at at any time (``evals.stats.sequential``).
"""

from __future__ import annotations

from roma_core.trials.report import ArmSummary, TrialReport, make_report
from roma_core.trials.service import TrialService, require_changes
from roma_core.trials.table import Primary, Trial, TrialOutcome, TrialTable, name_conversation

__all__ = [
    "ArmSummary",
    "Primary",
    "Trial",
    "TrialOutcome",
    "TrialReport",
    "TrialService",
    "TrialTable",
    "make_report",
    "name_conversation",
    "require_changes",
]
