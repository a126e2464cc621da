"""Twenty questions to a real small model: what each stage of the pipeline did, and whether anything poses as proven."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.llm_scripted import fill_store, make_document
from bench.report import write
from roma_core.app import build_roma
from roma_core.errors import AgentFailure
from roma_core.settings import Settings
from roma_core.types import PROVEN, Answered, Query, TailorOutput
from tests.scripted import CORPUS

QUESTIONS = (
    "When was the rope bridge of Quellfeld built?",
    "Who built the rope bridge of Quellfeld?",
    "How long is the rope bridge?",
    "What did the flood of March 1950 take?",
    "How many people may the rope bridge carry?",
    "Where does the river Elm rise?",
    "How long is the river Elm?",
    "When did salmon return to the Elm?",
    "How many people does the water of the Elm supply?",
    "Where did Ada Kern study engineering?",
    "How many bridges did Ada Kern design?",
    "Where are the notebooks of Ada Kern kept?",
    "When was the mill of Oster founded?",
    "Why did the mill of Oster close?",
    "How high was the wheel of the mill?",
    "What do the tides of the northern sea follow?",
    "When do spring tides come?",
    "When does the harbour of Lund close its gates?",
    "What is the capital of Mongolia?",
    "Who won the chess tournament of 1972?",
)
"""The last two have no answer in the corpus."""
NOTE = """SmolLM2-135M in llama.cpp, whose words mean little: what is measured is what ROMA makes of them. The planner
is on; every fifth question goes on with the conversation of the one before. *Proven*: verbatim or supported
by the cited passage. The last column counts answers that are said to be known although no citation is
proven or although a statement is not: it must be 0."""

Row = dict[str, Any]


async def ask_all(url: str, questions: Iterable[str] = QUESTIONS) -> list[Row]:
    """Return a row for each question, asked of a ROMA whose model is at ``url``."""
    store, embedder = await fill_store([make_document(title, title, text) for title, text in CORPUS.items()])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            workspace=Path(folder),
            embedder="fake",
            reranker="none",
            llm_provider="openai",
            llm_base_url=f"{url}/v1",
            llm_model="smollm2-135m",
            llm_max_output_tokens=48,
            llm_fallbacks="none",
            llm_first_token_s=200,
            llm_stall_timeout_s=100,
            llm_total_s=200,
            query_timeout_s=500,
            log_level="ERROR",
        )
        async with build_roma(settings, store=store, embedder=embedder) as roma:
            for number, question in enumerate(questions):
                query = Query(text=question, top_k=2, session_id=f"s{number - (number % 5 == 4)}")
                rows.append({"question": question, **describe(await roma.query(query))})
    return rows


def describe(outcome: TailorOutput | AgentFailure) -> Row:
    """Return what the stages made of one question."""
    if isinstance(outcome, AgentFailure):
        return {"write": outcome.code.value, "answered": "failed", "poses": False}
    reasons = " ".join(outcome.degraded_reasons)
    proven = [citation for citation in outcome.citations if citation.verdict in PROVEN]
    unproven = [s for s in outcome.statements if s.verdict not in PROVEN]
    return {
        "calls": outcome.usage.calls,
        "plan": "failed" if "planner" in reasons else "ok",
        "passages": len(outcome.passages),
        "write": "cut" if "cut at its longest" in reasons else "whole",
        "statements": len(outcome.statements),
        "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in outcome.verdicts.items()),
        "citations by the model": sum(c.found_by == "answer" for c in outcome.citations),
        "citations found by ROMA": sum(c.found_by == "roma" for c in outcome.citations),
        "proven": len(proven),
        "answered": outcome.answered.value,
        "degraded": outcome.degraded,
        "poses": outcome.answered is Answered.KNOWN and (not proven or bool(unproven)),
    }


def sum_up(rows: list[Row]) -> list[Row]:
    """Return one row: how often each stage did what."""
    answered = Counter(str(row["answered"]) for row in rows)
    return [
        {
            "questions": len(rows),
            "plans made": sum(row.get("plan") == "ok" for row in rows),
            "plans that failed": sum(row.get("plan") == "failed" for row in rows),
            "written whole": sum(row.get("write") == "whole" for row in rows),
            "cut at the limit": sum(row.get("write") == "cut" for row in rows),
            "failures": answered["failed"],
            "statements": sum(row.get("statements", 0) for row in rows),
            "citations by the model": sum(row.get("citations by the model", 0) for row in rows),
            "found by ROMA": sum(row.get("citations found by ROMA", 0) for row in rows),
            "proven": sum(row.get("proven", 0) for row in rows),
            "known": answered["known"],
            "partly": answered["partly"],
            "not known": answered["unknown"],
            "pose as known": sum(bool(row["poses"]) for row in rows),
        }
    ]


def write_table(rows: list[Row]) -> None:
    """Write the table of a run."""
    write("local_llm", "A real small model: what each stage did", sum_up(rows), NOTE, ["openai", "xllamacpp"])
