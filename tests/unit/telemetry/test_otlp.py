"""Spans by OTLP: what a collector gets for a query and its model calls, and what happens when there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'doors' brings the exporter")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from roma_core.llm.base import LLMRequest, Message
from roma_core.settings import Settings
from roma_core.telemetry import logs, tracing
from roma_core.types import TailorOutput

ASK = LLMRequest(messages=(Message(role="user", content="my secret words"),), purpose="judge")


class Collector:
    """A collector on loopback: the spans that it got, and the headers that they came with."""

    def __init__(self, server: HTTPServer) -> None:
        self.spans: list[Any] = []
        self.headers: dict[str, str] = {}
        self.bodies: list[bytes] = []
        server.expect_request("/v1/traces", method="POST").respond_with_handler(self._take)
        self.url = server.url_for("").rstrip("/")

    def _take(self, request: Request) -> Response:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.bodies.append(request.data)
        message = ExportTraceServiceRequest.FromString(request.data)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return Response(b"", content_type="application/x-protobuf")

    def named(self, beginning: str) -> list[Any]:
        return [span for span in self.spans if span.name.startswith(beginning)]


def attributes_of(span: Any) -> dict[str, Any]:
    found = {}
    for item in span.attributes:
        kind = item.value.WhichOneof("value")
        value = getattr(item.value, kind)
        found[item.key] = [v.string_value for v in value.values] if kind == "array_value" else value
    return found


@pytest.fixture
def collector(httpserver: HTTPServer) -> Iterator[Collector]:
    yield Collector(httpserver)
    tracing.configure(Settings(tracing=False))


async def test_a_query_is_an_agents_span_with_stages_and_calls_inside(
    collector: Collector, whole: Any, corpus: Path
) -> None:
    async with whole(otlp_endpoint=collector.url, otlp_headers='{"X-Team": "search"}') as (roma, _):
        await roma.ingest(corpus)
        assert isinstance(await roma.query("When was the rope bridge built?"), TailorOutput)
        await asyncio.to_thread(tracing.flush, 60)
    (query,) = collector.named("invoke_agent")
    said = attributes_of(query)
    assert (said["gen_ai.operation.name"], said["gen_ai.agent.name"]) == ("invoke_agent", "roma")
    assert said["roma.outcome"] in {"answered", "unanswered"}
    assert said["roma.request_id"]
    stages = [span for span in collector.spans if span.parent_span_id == query.span_id]
    assert {"retrieved", "writing"} <= {span.name for span in stages}
    calls = collector.named("chat ")
    assert calls, [span.name for span in collector.spans]
    call, ids = attributes_of(calls[-1]), {span.span_id for span in collector.spans}
    assert calls[-1].parent_span_id in ids, "a call belongs to the stage that made it"
    assert call["gen_ai.provider.name"] == "openai"
    assert call["gen_ai.usage.input_tokens"] > 0
    assert call["gen_ai.response.finish_reasons"] == ["stop"]
    assert call["roma.purpose"] == "answer"
    assert {span.trace_id for span in collector.spans} == {query.trace_id}
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in collector.spans)
    assert collector.headers["x-team"] == "search"


async def test_a_call_outside_of_a_query_stands_alone_and_words_are_never_sent(
    collector: Collector, whole: Any
) -> None:
    async with whole(otlp_endpoint=collector.url) as (roma, _):
        tracing.configure(roma.settings)
        await roma.llm.complete(ASK)
        await asyncio.to_thread(tracing.flush, 60)
    (call,) = collector.named("chat ")
    assert call.parent_span_id == b""
    assert attributes_of(call)["roma.purpose"] == "judge"
    assert b"secret words" not in b"".join(collector.bodies)


async def test_a_collector_that_is_not_there_takes_no_answer_and_is_logged_once(
    collector: Collector, whole: Any, corpus: Path, unused_tcp_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with whole(otlp_endpoint=f"http://127.0.0.1:{unused_tcp_port}") as (roma, _):
        logs.configure("WARNING", "json")
        await roma.ingest(corpus)
        for _ in range(2):
            assert isinstance(await roma.query("When was the rope bridge built?"), TailorOutput)
        await asyncio.to_thread(tracing.flush, 60)
    logs.configure()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (said,) = [line for line in lines if line["event"] == "tracing_away"]
    assert "ROMA_OTLP_ENDPOINT" in said["reason"]
