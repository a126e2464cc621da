"""Records of answers: kept from the moment of the question, followed while they grow, shown again to the letter."""

from __future__ import annotations

from roma_core.answers.cache import AnswerCache, AnswerCacheStats, AnswerFile, AnswerInputs, AnswerReuse
from roma_core.answers.record import (
    ANSWER_STATES,
    AnswerIdentity,
    AnswerRecord,
    AnswerState,
    AnswerSummary,
    DraftSnapshot,
    LookupSnapshot,
    PromptMessage,
    StageSnapshot,
)
from roma_core.answers.service import Answers, Recorder, require_record_id
from roma_core.answers.store import AnswerFigures

__all__ = [
    "ANSWER_STATES",
    "AnswerCache",
    "AnswerCacheStats",
    "AnswerFigures",
    "AnswerFile",
    "AnswerIdentity",
    "AnswerInputs",
    "AnswerRecord",
    "AnswerReuse",
    "AnswerState",
    "AnswerSummary",
    "Answers",
    "DraftSnapshot",
    "LookupSnapshot",
    "PromptMessage",
    "Recorder",
    "StageSnapshot",
    "require_record_id",
]
