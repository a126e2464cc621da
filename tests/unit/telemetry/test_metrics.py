"""Series appear under their names, and no caller can make labels grow without bound."""

from __future__ import annotations

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.telemetry import metrics
from roma_core.types import ComponentHealth, HealthReport, IngestionReport, IngestItem, Usage


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_stage_is_observed_also_when_it_fails() -> None:
    before = value("roma_stage_seconds_count", stage="retrieved")
    with pytest.raises(ValueError), metrics.stage("retrieved"):
        raise ValueError
    metrics.observe_stage("retrieved", 0.02)
    assert value("roma_stage_seconds_count", stage="retrieved") == before + 2


def test_usage_with_and_without_a_price() -> None:
    metrics.count_usage("fake:m", Usage(calls=1, input_tokens=7, output_tokens=3, cost_usd=0.5, saved_usd=0.1))
    metrics.count_usage("fake:m", Usage(calls=2, input_tokens=1, cost_usd=None, saved_usd=None))
    assert value("roma_tokens_total", model="fake:m", direction="input") == 8
    assert value("roma_cost_usd_total", model="fake:m") == 0.5
    assert value("roma_unpriced_calls_total", model="fake:m") == 2
    assert value("roma_saved_usd_total", model="fake:m") == pytest.approx(0.1)


def test_ingest_errors_cache_guardrails_and_the_rest() -> None:
    items = (IngestItem(uri="a", state="added", chunks=4), IngestItem(uri="b", state="failed"))
    chunks = value("roma_ingest_chunks_total")
    metrics.count_ingest(IngestionReport(run_id="r", sources=("s",), items=items))
    metrics.count_failure(AgentFailure(agent="memory", code=ErrorCode.TIMEOUT, message="", recoverable=True))
    metrics.count_cache("llm", hit=True)
    metrics.count_cache("llm", hit=False)
    metrics.count_guardrail("pii", "flag")
    metrics.observe_query(1.0, "answered", degraded=True)
    metrics.observe_first_token(0.1)
    metrics.count_client_gone()
    metrics.set_jobs({"queued": 2})
    with metrics.open_stream():
        assert value("roma_streams_open") == 1
    assert value("roma_streams_open") == 0
    assert value("roma_ingest_chunks_total") == chunks + 4
    assert value("roma_errors_total", agent="memory", code="ERR_TIMEOUT") >= 1
    assert value("roma_jobs", state="queued") == 2
    assert b"roma_cache_requests_total" in metrics.render_series()


def test_health_is_a_number() -> None:
    part = ComponentHealth(name="store", state="down", latency_ms=12.0, details={"rows": 7, "ok": True, "at": "x"})
    metrics.set_health(HealthReport(state="down", version="1", components=(part,)))
    assert value("roma_health_state", component="store") == 2
    assert value("roma_health_probe_seconds", component="store") == 0.012
    assert value("roma_health_value", component="store", detail="rows") == 7
    assert {"ok", "at"}.isdisjoint(metrics._seen["detail"])


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metrics._seen, "route", set())  # filled up, they would stay so for the tests that follow
    for i in range(metrics.MAX_VALUES * 3):
        metrics.observe_http("GET", f"/evil/{i}", 404, 0.001)
    routes = {
        s.labels["route"] for f in metrics.REGISTRY.collect() for s in f.samples if s.name == "roma_http_requests_total"
    }
    assert len([route for route in routes if route.startswith("/evil/")]) <= metrics.MAX_VALUES
    assert "other" in routes


def test_names_hold_every_exposed_series() -> None:
    exposed = {
        line.split("{")[0].split(" ")[0] for line in metrics.render_series().decode().splitlines() if line[0] != "#"
    }
    assert exposed <= metrics.list_series()
