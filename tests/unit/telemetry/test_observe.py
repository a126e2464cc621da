"""Events become metrics, a line and spans, however the query ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import AgentFailure, ErrorCode, request_id
from roma_core.settings import Settings
from roma_core.telemetry import logs, metrics, tracing
from roma_core.telemetry.observe import count_ingest, observed
from roma_core.types import (
    CompleteEvent,
    ErrorEvent,
    IngestionReport,
    IngestItem,
    Query,
    StageEvent,
    StreamEvent,
    TailorOutput,
    TokenEvent,
)

OUTPUT = TailorOutput(answer="x", model="fake:m", degraded=True, degraded_reasons=("memory: ERR_TIMEOUT",))
EVENTS: list[StreamEvent] = [
    *(StageEvent(stage=s, elapsed_ms=1.0) for s in ("guarded", "planned", "retrieved", "reranked", "writing")),
    TokenEvent(text="x"),
    StageEvent(stage="verifying", elapsed_ms=2.0),
    CompleteEvent(output=OUTPUT),
]


async def play(events: list[StreamEvent]) -> AsyncGenerator[StreamEvent]:
    for event in events:
        await asyncio.sleep(0.002)
        yield event


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def stages() -> dict[str, float]:
    names = ("guarded", "planned", "retrieved", "reranked", "writing", "verifying")
    return {s: value("roma_stage_seconds_count", stage=s) for s in names}


async def test_a_whole_query_is_observed_once_and_passes_unchanged() -> None:
    before, done = stages(), value("roma_query_seconds_count", outcome="answered")
    writing = value("roma_stage_seconds_sum", stage="writing")
    counted = value("roma_errors_total", agent="memory", code="ERR_TIMEOUT")
    assert [e async for e in observed(play(EVENTS), Query(text="q"))] == EVENTS
    assert stages() == {s: n + 1 for s, n in before.items()}
    assert value("roma_query_seconds_count", outcome="answered") == done + 1
    assert value("roma_stage_seconds_sum", stage="writing") - writing >= 0.004, "from writing to verifying"
    assert value("roma_errors_total", agent="memory", code="ERR_TIMEOUT") == counted + 1
    assert request_id.get() is None


async def test_failures_and_leaving_are_outcomes_too() -> None:
    failed, left = (value("roma_query_seconds_count", outcome=o) for o in ("failed", "cancelled"))
    failure = AgentFailure(
        agent="guardrails", code=ErrorCode.GUARDRAIL_BLOCKED, message="", recoverable=False,
        details={"rule": "question_secret"},
    )  # fmt: skip
    async for _ in observed(play([EVENTS[0], ErrorEvent(failure=failure)]), Query(text="q")):
        pass
    async with aclosing(observed(play(EVENTS), Query(text="q"))) as events:
        await anext(events)
    assert value("roma_query_seconds_count", outcome="failed") == failed + 1
    assert value("roma_query_seconds_count", outcome="cancelled") == left + 1


async def test_the_skins_request_id_is_kept_and_one_is_made_without() -> None:
    seen: list[str | None] = []

    async def look() -> AsyncGenerator[StreamEvent]:
        seen.append(request_id.get())
        yield EVENTS[-1]

    with logs.request("mine"):
        assert [e async for e in observed(look(), Query(text="q"))]
        assert request_id.get() == "mine"
    assert [e async for e in observed(look(), Query(text="q"))]
    assert seen[0] == "mine"
    assert seen[1] not in {None, "mine"}


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
async def test_every_stage_is_a_span_with_the_request_id(workspace: Path) -> None:
    import mlflow

    tracing.configure(Settings(tracing=True, workspace=workspace))
    try:
        with logs.request("req-9"):
            assert len([e async for e in observed(play(EVENTS), Query(text="q"))]) == len(EVENTS)
        tracing.flush()
        experiment: Any = mlflow.get_experiment_by_name("roma-traces")
        (trace,) = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
    finally:
        tracing.configure(Settings(tracing=False))
    spans = {s.name: s for s in trace.data.spans}
    assert set(spans) == {"query", "guarded", "planned", "retrieved", "reranked", "writing", "verifying"}
    assert all(s.attributes["request_id"] == "req-9" for s in spans.values())
    assert all(s.parent_id == spans["query"].span_id for name, s in spans.items() if name != "query")
    assert spans["writing"].end_time_ns > spans["writing"].start_time_ns
    assert trace.info.tags["request_id"] == "req-9"
