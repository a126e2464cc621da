"""The items of a run in MLflow: a trace each, with its scores as assessments, and the golden set as a dataset.

MLflow's tracing writes to one place of the process; ``tracking_to`` names it for a while and puts the old one back.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.judge.labels import Label
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
from roma_core.redaction import redact_value

CASE_TAG, RUN_TAG = "roma.case_id", "roma.run_id"
SPAN = "question"
NANOSECONDS = 1_000_000_000
_place = threading.Lock()


@contextmanager
def tracking_to(uri: str) -> Iterator[Any]:
    """Let MLflow write to ``uri`` and yield the module; the place that was set before is set again."""
    import mlflow

    with _place:
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(uri)
        try:
            yield mlflow
        finally:
            mlflow.set_tracking_uri(before)


def log_items(
    uri: str, experiment: str, run: str, report: EvalReport, began_at: float, labels: Iterable[Label] = ()
) -> dict[str, str]:
    """Log a trace for each item, linked to the MLflow run ``run``; returns the ids of the traces by case.

    A trace lasts as long as the answer took. Measures are assessments by code, grades of a judge by its model, and
    ``labels`` those of people. ``began_at`` stands in where the moment of an answer is not known.
    """
    graded: dict[str, list[Label]] = {}
    for label in labels:
        graded.setdefault(label.item.case_id, []).append(label)
    traces: dict[str, str] = {}
    with tracking_to(uri) as mlflow:
        for row in report.rows:
            seconds = report.facts.case_seconds.get(row.case_id, 0.0)
            started = report.facts.case_started.get(row.case_id, began_at)
            span = mlflow.start_span_no_context(
                SPAN,
                span_type="CHAIN",
                inputs=redact_value({"question": row.question, "persona": row.persona}),
                attributes={"state": row.state, "model": row.model},
                tags={CASE_TAG: row.case_id, RUN_TAG: report.run_id},
                metadata={"mlflow.sourceRun": run},
                experiment_id=experiment,
                start_time_ns=int(started * NANOSECONDS),
            )
            span.set_outputs(redact_value(_describe_outputs(row)))
            _complete_trace(span.trace_id, row, [*_assess(report, row), *_grade(graded.get(row.case_id, ()))])
            status = "ERROR" if row.state == "failed" else "OK"
            span.end(status=status, end_time_ns=int((started + seconds) * NANOSECONDS))
            traces[row.case_id] = span.trace_id
        mlflow.flush_trace_async_logging()
    return traces


def _complete_trace(trace_id: str, row: EvalRow, assessments: Iterable[Any]) -> None:
    """Add assessments to a trace that is not written yet: with it they are one write, not one each.

    Its columns in tables are question and answer, in place of MLflow's beginning of their JSON.
    """
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    with InMemoryTraceManager.get_instance().get_trace(trace_id) as trace:
        trace.info.request_preview = redact_value(row.question)
        trace.info.response_preview = redact_value(row.answer or row.why)
        for assessment in assessments:
            assessment.trace_id = trace_id
            trace.info.assessments.append(assessment)


def _describe_outputs(row: EvalRow) -> dict[str, Any]:
    return {
        "answer": row.answer,
        "answered": row.answered,
        "citations": [
            c.model_dump(include={"marker", "uri", "start", "end", "quote", "verdict"}) for c in row.citations
        ],
        "passages": [{"uri": p.chunk.uri, "text": p.chunk.text, "score": p.score} for p in row.passages],
    }


def _assess(report: EvalReport, row: EvalRow) -> Iterator[Any]:
    from mlflow.entities import AssessmentSource, AssessmentSourceType, Feedback

    infos: Mapping[str, MeasureInfo] = {info.name: info for info in report.measures}
    for name, value in row.scores.items():
        info = infos[name]
        by_model = bool(info.judge or info.models)
        kind = AssessmentSourceType.LLM_JUDGE if by_model else AssessmentSourceType.CODE
        source = AssessmentSource(source_type=kind, source_id=", ".join(info.models.values()) or f"roma {name}")
        reason = redact_value(row.reasons.get(name, ""))
        if value is None:
            yield Feedback(name=name, error=ValueError(row.why or reason or "unscored"), source=source)
        else:
            yield Feedback(name=name, value=value, rationale=reason or None, source=source)


def _grade(labels: Iterable[Label]) -> Iterator[Any]:
    from mlflow.entities import AssessmentSource, AssessmentSourceType, Feedback

    for label in labels:
        source = AssessmentSource(source_type=AssessmentSourceType.HUMAN, source_id=label.rater or "person")
        yield Feedback(name="grade", value=label.grade, source=source)


def log_dataset(uri: str, experiment: str, golden: Golden) -> str:
    """Keep a golden set as one of MLflow's evaluation datasets, once a version; returns its name."""
    from mlflow.genai.datasets import create_dataset, search_datasets

    name = f"{golden.name}-{golden.sha256[:12]}"
    with tracking_to(uri):
        if not search_datasets(filter_string=f"name = '{name}'", max_results=1):
            made = create_dataset(name=name, experiment_id=experiment, tags={"roma.dataset_sha256": golden.sha256})
            made.merge_records([make_record(case) for case in golden.cases])
    return name


def link_dataset(client: Any, run: str, name: str, golden: Golden) -> None:
    """Show the evaluation dataset ``name`` as the input of an MLflow run."""
    from mlflow.entities import Dataset, DatasetInput

    source = json.dumps({"name": golden.name, "sha256": golden.sha256})
    dataset = Dataset(name=name, digest=golden.sha256[:12], source_type="golden set", source=source)
    client.log_inputs(run, datasets=[DatasetInput(dataset=dataset)])


def log_answers(
    uri: str, experiment: str, name: str, golden: Golden, answers: Mapping[str, str], *, replace: bool
) -> None:
    """Keep items with the answers to them as the evaluation dataset ``name``, see ``tracking.keep_dataset``."""
    from mlflow.genai.datasets import create_dataset, delete_dataset, search_datasets

    with tracking_to(uri):
        for former in search_datasets(filter_string=f"name = '{name}'", max_results=1):
            if not replace:
                raise EvalError(
                    f"MLflow has a dataset {name!r}; name another one, or replace it with --replace.",
                    ErrorCode.EVAL_PARAMETERS,
                )
            delete_dataset(dataset_id=former.dataset_id)
        made = create_dataset(name=name, experiment_id=experiment, tags={"roma.dataset_sha256": golden.sha256})
        records = [make_record(case) for case in golden.cases]
        for record, case in zip(records, golden.cases, strict=True):
            if case.id in answers:
                record["outputs"] = redact_value({"response": answers[case.id]})
        is_complete = False
        try:
            made.merge_records(records)
            is_complete = True
        finally:
            if not is_complete:
                delete_dataset(dataset_id=made.dataset_id)


def make_record(case: GoldenCase) -> dict[str, Any]:
    """Return a case as a record of ``mlflow.genai``: inputs, and what is expected."""
    return {
        "inputs": {"question": case.question, "persona": case.persona, "case_id": case.id},
        "expectations": {
            "expected_response": case.answer,
            "expected_facts": [nugget.fact for nugget in case.nuggets],
            "kind": case.kind,
            "evidence": [piece.uri for piece in case.evidence],
        },
        "tags": {CASE_TAG: case.id},
    }
