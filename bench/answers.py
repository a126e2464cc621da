"""How good are quoted answers? The cross-encoder's best sentence bare, and ROMA's choice, on people's questions.

``python -m bench.answers [QUESTIONS]``. The passages come by BM25 and the reranker; what is measured is the choice among
them and the refusal. The first ``SEEN`` questions of each set (by hash) were seen while the thresholds were chosen:
the even ones for choosing, the odd ones as a first check. The rest were not looked at.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import beir, report
from bench.retrieval import TENANT, entry_parts
from roma_core.evals.golden import Nugget
from roma_core.evals.measures import states
from roma_core.evals.stats import wilson
from roma_core.llm.base import I_DONT_KNOW, LLMRequest, Message, complete
from roma_core.llm.extractive import ExtractiveLLM
from roma_core.llm.quotable import candidates
from roma_core.rerank import LocalReranker, mix
from roma_core.store.base import Entry
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import ScoredChunk, digest

SETS = {"squad2_dev": (100, 100), "clapnq": (70, 70)}
"""Answerable and unanswerable questions that were seen, by set."""
QUESTIONS = 100
CANDIDATES, PASSAGES = 10, 5
