"""Spans: nothing when off; nested, redacted and with the request id when on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.settings import Settings
from roma_core.telemetry import logs, tracing
from roma_core.types import TailorOutput


@pytest.fixture
def off() -> Iterator[None]:
    yield
    tracing.configure(Settings(tracing=False))


def test_off_costs_nothing_and_writes_nothing(off: None, tmp_path: Path) -> None:
    tracing.configure(Settings(tracing=False, workspace=tmp_path / "w"))
    with tracing.span("retrieve", n=1) as outputs:
        outputs["n"] = 2
    tracing.flush(60)
    assert not (tmp_path / "w").exists()


async def test_an_mlflow_that_is_not_there_takes_no_answer(
    off: None, whole: Any, corpus: Path, unused_tcp_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spans are lost, which is said once; nobody waits for them, and nothing fails."""
    away = {"tracing": True, "mlflow_tracking_uri": f"http://127.0.0.1:{unused_tcp_port}"}
    async with whole(**away) as (roma, _):
        logs.configure("WARNING", "json")
        await roma.ingest(corpus)
        for _ in range(3):
            assert isinstance(await roma.query("When was the rope bridge built?"), TailorOutput)
    logs.configure()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (told,) = [line for line in lines if line["agent"] == "tracing"]
    assert (told["event"], told["request_id"]) == ("tracing_away", None)
    assert "ROMA_MLFLOW_TRACKING_URI" in told["reason"]
    assert "mlflow" not in {line["agent"] for line in lines}


async def test_what_ends_is_handed_over_and_never_waited_for(
    off: None, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes connections and says nothing: the thread waits for it, and nobody else."""
    monkeypatch.setattr(tracing, "MOST_WAITING", 2)
    silent = FakeModelServer(lambda asked: Script(first_wait_s=60))
    async with silent.running() as server:
        tracing.configure(Settings(tracing=True, workspace=workspace, mlflow_tracking_uri=server.url))
        for _ in range(9):
            begun = tracing.begin("query")
            tracing.record(begun, "guarded", 0.0, 1.0, {})
            tracing.end(begun, {}, failed=False)  # returns, although the thread is held and its queue is full
        async with asyncio.timeout(60):
            while not silent.asked:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await asyncio.to_thread(tracing.flush)
    assert [asked.path for asked in silent.asked] == ["/health"], "those of an MLflow that is away are dropped"


@pytest.mark.slow
async def test_an_mlflow_that_comes_back_is_written_to(
    off: None, workspace: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(tracing, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(tracing, "LOOK_EVERY_S", 0.0)
    url = httpserver.url_for("")
    experiment = {"experiment": {"experiment_id": "7", "name": tracing.EXPERIMENT, "lifecycle_stage": "active"}}
    httpserver.expect_request("/health").respond_with_data("OK")
    httpserver.expect_request("/api/2.0/mlflow/experiments/get-by-name").respond_with_json(experiment)
    httpserver.stop()
    logs.configure("WARNING", "json")
    tracing.configure(Settings(tracing=True, workspace=workspace, mlflow_tracking_uri=url), eager=True)
    for turn in range(4):
        if turn == 2:
            httpserver.start()
        tracing.end(tracing.begin("query"), {}, failed=False)
        await asyncio.to_thread(tracing.flush)
    logs.configure()
    lines = capsys.readouterr().err.splitlines()  # an MLflow that was imported before writes some in its own shape
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["event"] for line in told if line["agent"] == "tracing"] == ["tracing_away", "tracing_back"]
    assert {"/api/2.0/mlflow/experiments/get-by-name"} < {request.path for request, _ in httpserver.log}


@pytest.mark.slow
async def test_spans_are_nested_redacted_and_carry_the_request_id(off: None, workspace: Path) -> None:
    import mlflow

    settings = Settings(tracing=True, workspace=workspace)
    tracing.configure(settings)

    async def stream() -> AsyncGenerator[int]:
        with tracing.span("query", question="mail bob@example.org"):
            with tracing.span("retrieve") as outputs:
                outputs["n"] = 3
            yield 1
            yield 2

    with logs.request("req-77"):
        async with aclosing(stream()) as events:
            assert await anext(events) == 1
        with pytest.raises(ValueError), tracing.span("broken"):
            raise ValueError("secret words")
    tracing.flush(60)
    traces = mlflow.search_traces(
        locations=[mlflow.get_experiment_by_name("roma-traces").experiment_id], return_type="list"
    )
    spans = {s.name: s for t in traces for s in t.data.spans}
    assert {"query", "retrieve", "broken"} <= set(spans)
    assert spans["retrieve"].parent_id == spans["query"].span_id
    assert spans["retrieve"].attributes["request_id"] == "req-77"
    assert spans["retrieve"].outputs == {"n": 3}
    assert "bob@example.org" not in str(spans["query"].attributes)
    assert "ERROR" in str(spans["broken"].status)
    assert "secret words" not in str([t.to_json() for t in traces])
    assert not (Path.cwd() / "mlruns").exists()
