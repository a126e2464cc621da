"""A watched query becomes metrics, a line and spans, however it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import AgentFailure, ErrorCode, request_id
from roma_core.settings import Settings
from roma_core.telemetry import logs, metrics, tracing
from roma_core.telemetry.observe import QueryWatch, count_ingest
from roma_core.types import IngestionReport, IngestItem, Query, TailorOutput

OUTPUT = TailorOutput(answer="x", model="fake:m", degraded=True, degraded_reasons=("memory: ERR_TIMEOUT",))
STAGES = ("guarded", "retrieved", "writing")


def play(watch: QueryWatch) -> None:
    """Have three stages, a first token and an answer."""
    for label in STAGES:
        watch.begin_stage(label)
        time.sleep(0.002)
        if label == "writing":
            watch.first_token()
        watch.end_stage({"n": 1})
    watch.complete(OUTPUT)


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def stages() -> dict[str, float]:
    return {label: value("roma_stage_seconds_count", stage=label) for label in STAGES}


def test_a_whole_query_is_observed_once() -> None:
    before, done = stages(), value("roma_query_seconds_count", outcome="answered")
    first = value("roma_first_token_seconds_count")
    writing = value("roma_stage_seconds_sum", stage="writing")
    counted = value("roma_errors_total", agent="memory", code="ERR_TIMEOUT")
    with QueryWatch(Query(text="q")) as watch:
        play(watch)
    assert stages() == {label: count + 1 for label, count in before.items()}
    assert value("roma_query_seconds_count", outcome="answered") == done + 1
    assert value("roma_first_token_seconds_count") == first + 1
    assert value("roma_stage_seconds_sum", stage="writing") - writing >= 0.002
    assert value("roma_errors_total", agent="memory", code="ERR_TIMEOUT") == counted + 1
    assert request_id.get() is None


def test_failures_and_leaving_are_outcomes_too() -> None:
    failed, left = (value("roma_query_seconds_count", outcome=o) for o in ("failed", "cancelled"))
    guarded = value("roma_stage_seconds_count", stage="guarded")
    failure = AgentFailure(
        agent="guardrails", code=ErrorCode.GUARDRAIL_BLOCKED, message="", recoverable=False,
        details={"rule": "question_secret"},
    )  # fmt: skip
    with QueryWatch(Query(text="q")) as watch:
        watch.begin_stage("guarded")
        watch.fail(failure)
    with QueryWatch(Query(text="q")):
        pass
    assert value("roma_query_seconds_count", outcome="failed") == failed + 1
    assert value("roma_query_seconds_count", outcome="cancelled") == left + 1
    assert value("roma_stage_seconds_count", stage="guarded") == guarded + 1, "also a stage that did not end"


def test_the_skins_request_id_is_kept_and_one_is_made_without() -> None:
    with logs.request("mine"):
        with QueryWatch(Query(text="q")):
            assert request_id.get() == "mine"
        assert request_id.get() == "mine"
    with QueryWatch(Query(text="q")):
        assert request_id.get() not in {None, "mine"}
    assert request_id.get() is None


def test_ingests_are_counted() -> None:
    before = value("roma_errors_total", agent="ingestion", code="ERR_PARSER_EMPTY")
    items = (
        IngestItem(uri="a", state="failed", code="ERR_PARSER_EMPTY"),
        IngestItem(uri="b", state="added", chunks=2),
    )
    failure = AgentFailure(agent="local", code=ErrorCode.CONNECTOR_NOT_FOUND, message="", recoverable=False)
    count_ingest(IngestionReport(run_id="r", sources=("s",), items=items, failures=(failure,)))
    assert value("roma_errors_total", agent="ingestion", code="ERR_PARSER_EMPTY") == before + 1
    assert value("roma_errors_total", agent="local", code="ERR_CONNECTOR_NOT_FOUND") >= 1


@pytest.mark.slow
def test_every_stage_is_a_span_with_the_request_id(workspace: Path) -> None:
    import mlflow

    tracing.configure(Settings(tracing=True, workspace=workspace))
    try:
        with logs.request("req-9"), QueryWatch(Query(text="q")) as watch:
            play(watch)
        tracing.flush()
        experiment: Any = mlflow.get_experiment_by_name("roma-traces")
        (trace,) = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
    finally:
        tracing.configure(Settings(tracing=False))
    spans = {s.name: s for s in trace.data.spans}
    assert set(spans) == {"query", *STAGES}
    assert all(s.attributes["request_id"] == "req-9" for s in spans.values())
    assert all(s.parent_id == spans["query"].span_id for name, s in spans.items() if name != "query")
    assert spans["writing"].end_time_ns > spans["writing"].start_time_ns
    assert trace.info.tags["request_id"] == "req-9"
