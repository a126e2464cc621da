"""Rows of a run for the evaluation frameworks: Ragas, DeepEval and MLflow."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.report.record import EvalRow
from roma_core.evals.tracking import keep_dataset
from roma_core.exports.records import ScoredRun, WorkspaceReader
from roma_core.markup import remove_markers


async def write_ragas(reader: WorkspaceReader, path: Path) -> dict[str, int]:
    """Write a run as JSON Lines that ``ragas.EvaluationDataset.from_jsonl`` reads; return the number of samples."""
    run = reader.require_run()
    lines = [json.dumps(_make_sample(row, case), ensure_ascii=False) for row, case in _iterate_answers(reader, run)]
    _write_text(path, "".join(f"{line}\n" for line in lines))
    return {path.name: len(lines)}


def _make_sample(row: EvalRow, case: GoldenCase) -> dict[str, Any]:
    return {
        "user_input": row.question,
        "response": _plain_answer(row),
        "retrieved_contexts": [passage.chunk.text for passage in row.passages],
        "retrieved_context_ids": [passage.chunk.id for passage in row.passages],
        "reference": case.answer or None,
        "reference_contexts": [piece.anchor for piece in case.evidence if piece.anchor] or None,
        "persona_name": row.persona,
    }


async def write_deepeval(reader: WorkspaceReader, path: Path) -> dict[str, int]:
    """Write a run as JSON that ``deepeval``'s ``EvaluationDataset`` reads, as goldens and as test cases."""
    run = reader.require_run()
    cases = [_make_test_case(run, row, case) for row, case in _iterate_answers(reader, run)]
    _write_text(path, json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
    return {path.name: len(cases)}


def _make_test_case(run: ScoredRun, row: EvalRow, case: GoldenCase) -> dict[str, Any]:
    sources = list(dict.fromkeys(citation.uri for citation in row.citations))
    return {
        "name": row.case_id,
        "input": row.question,
        "actual_output": _plain_answer(row),
        "expected_output": case.answer or None,
        "context": [piece.anchor for piece in case.evidence if piece.anchor] or None,
        "retrieval_context": [passage.chunk.text for passage in row.passages],
        "source_file": case.evidence[0].uri if case.evidence else None,
        "additional_metadata": {
            "run": run.name,
            "run_id": run.report.run_id,
            "kind": row.kind,
            "persona": row.persona,
            "chunk_ids": [passage.chunk.id for passage in row.passages],
            "cited": sources,
        },
    }


async def keep_in_mlflow(reader: WorkspaceReader, name: str, *, replace: bool) -> dict[str, int]:
    """Keep a run's items and answers as one of MLflow's evaluation datasets; return its name with its records.

    Raises ``EvalError`` when there is one of that name and ``replace`` is not set.
    """
    run = reader.require_run()
    golden = run.require_golden()
    answers = {row.case_id: _plain_answer(row) for row, _ in _iterate_answers(reader, run)}
    name = name or f"{run.report.dataset}-{run.report.run_id}"
    await asyncio.to_thread(keep_dataset, reader.settings, name, golden, answers, replace=replace)
    return {name: len(golden.cases)}


def _iterate_answers(reader: WorkspaceReader, run: ScoredRun) -> Iterator[tuple[EvalRow, GoldenCase]]:
    """Yield the rows that have an answer with their items; the others are counted in a note."""
    cases = {case.id: case for case in run.require_golden().cases}
    rows = [row for row in run.report.rows if row.answer is not None]
    left_out = len(run.report.rows) - len(rows)
    if left_out:
        reader.notes.append(f"{run.name}: {left_out} items have no answer and are left out")
    for row in rows:
        yield row, cases[row.case_id]


def _plain_answer(row: EvalRow) -> str:
    """Return the answer without its markers: graders read prose."""
    plain = re.sub(r"(?<=\S) {2,}", " ", remove_markers(row.answer or ""))
    return re.sub(r" +(?=[.,;:!?])", "", plain).strip()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
