"""Spans: nothing when off; nested, redacted and with the request id when on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from roma_core.settings import Settings
from roma_core.telemetry import logs, tracing


@pytest.fixture
def off() -> Iterator[None]:
    yield
    tracing.configure(Settings(tracing=False))


def test_off_costs_nothing_and_writes_nothing(off: None, tmp_path: Path) -> None:
    tracing.configure(Settings(tracing=False, workspace=tmp_path / "w"))
    with tracing.span("retrieve", n=1) as outputs:
        outputs["n"] = 2
    tracing.flush()
    assert not tracing.enabled()
    assert not (tmp_path / "w").exists()


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
    tracing.flush()
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
