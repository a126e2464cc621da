"""What the dashboards show, gathered from a workspace: figures of runs, of use, and of the corpus.

Nothing here draws or serves, and no model is loaded. A person from whom grants withhold documents is handed counts, and
words only where every document that they come from may be read.
"""

from __future__ import annotations

from roma_core.insights.corpus import CorpusFigures, read_corpus
from roma_core.insights.promotion import make_golden, open_candidate
from roma_core.insights.runs import ComparedRuns, ItemPair, ItemSide, RunBoard, compare_runs, read_runs
from roma_core.insights.topics import Topic, cluster_questions
from roma_core.insights.usage import AskedQuestion, UsageFigures, read_usage

__all__ = [
    "AskedQuestion",
    "ComparedRuns",
    "CorpusFigures",
    "ItemPair",
    "ItemSide",
    "RunBoard",
    "Topic",
    "UsageFigures",
    "cluster_questions",
    "compare_runs",
    "make_golden",
    "open_candidate",
    "read_corpus",
    "read_runs",
    "read_usage",
]
