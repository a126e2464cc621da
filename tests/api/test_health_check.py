"""Health, metrics, docs, errors nobody expected, and properties that hold for every route."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from roma_core.api.problems import STATUS
from roma_core.api.tokens import TokenStore
from roma_core.errors import ErrorCode, StoreError
from roma_core.llm.providers.server import Script
from roma_core.telemetry import logs, metrics
from tests.sizes import examples

ROOT = Path(__file__).resolve().parents[2]


async def test_health_over_http(service: Any) -> None:
    reply = await service.client.get("/health")
    assert reply.status_code == 200, reply.text
    report = reply.json()
    assert report["state"] == "ok", report
    assert {"store", "llm", "embedder", "disk", "sessions"} <= {c["name"] for c in report["components"]}
    assert report == (await service.roma.health()).model_dump(mode="json")


async def test_health_of_a_server_without_its_store_is_503(start: Any, workspace: Path) -> None:
    workspace.mkdir()
    (workspace / "store").write_text("a file where the store's folder should be")
    async with start(real_store=True) as service:
        reply = await service.client.get("/health")
        assert (reply.status_code, reply.json()["state"]) == (503, "down")
        store = next(c for c in reply.json()["components"] if c["name"] == "store")
        assert (store["state"], "where a folder is needed" in store["reason"]) == ("down", True)


async def test_health_never_has_a_model_write(service: Any) -> None:
    """A probe asks the model server whether it is there, and nothing that is billed; a report is kept for a while."""
    for _ in range(3):
        assert (await service.client.get("/health")).status_code == 200
    assert [(asked.method, asked.path) for asked in service.model.asked] == [("GET", "/v1/models")]
    await service.client.post("/query", json={"text": "When was the rope bridge built?"})
    assert service.model.asked[-1].path == "/v1/chat/completions", "the server would have seen it"


async def test_health_over_http_says_that_the_model_is_away(start: Any) -> None:
    async with start() as service:
        service.model.models = Script(status=503)
        reply = await service.client.get("/health")
    llm = next(c for c in reply.json()["components"] if c["name"] == "llm")
    assert (reply.status_code, reply.json()["state"], llm["state"]) == (200, "degraded", "degraded")
    assert llm["reason"] == "openai:gpt-4o-mini answers 503; extractive answers"


async def test_metrics_count_requests_by_template(service: Any) -> None:
    await service.client.get("/sources/nothing")
    await service.client.get("/no/such/path")
    text = (await service.client.get("/metrics")).text
    assert 'roma_http_requests_total{method="GET",route="/sources/{document_id}",status="404"}' in text
    assert 'route="unmatched"' in text
    assert "no/such" not in text


async def test_docs_work_offline_and_escape(service: Any) -> None:
    page = await service.client.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    for path in service.app.openapi()["paths"]:
        assert path in page.text
    assert "ERR_NOT_FOUND" in page.text
    assert "<code>application/problem+json</code> whose <code>failure</code>" in page.text
    assert "`" not in page.text.partition("<h2>Schemas</h2>")[0]


async def test_openapi_documents_errors_examples_and_security(service: Any) -> None:
    schema = (await service.client.get("/openapi.json")).json()
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            assert "application/problem+json" in route["responses"]["default"]["content"], (method, path)
            assert route["summary"]
            if "requestBody" in route:
                reference = route["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
                assert schema["components"]["schemas"][reference]["examples"], reference
    assert all(code.value in json.dumps(schema) for code in ErrorCode)


async def test_what_nobody_expected_is_a_problem_without_its_text(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the words of a document")

    monkeypatch.setattr(service.app.state.jobs, "list", broken)
    reply = await service.client.get("/ingest")
    assert reply.status_code == 500
    assert reply.json()["failure"]["code"] == "ERR_INTERNAL"
    assert "words of a document" not in reply.text
    assert reply.headers["x-request-id"] == reply.json()["failure"]["request_id"]
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_defect_is_logged_once_with_its_place_also_when_the_answer_streams(
    service: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stream: bool
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the words of a document")

    monkeypatch.setattr("roma_core.agents.guardrails.find", broken)
    logs.configure("WARNING", "json")
    try:
        body = {"text": "When was it built?", "stream": stream}
        reply = await service.client.post("/query", json=body, headers={"X-Request-ID": "req-8"})
    finally:
        logs.configure()
    assert "ERR_INTERNAL" in reply.text
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (told,) = [line for line in lines if line["event"] == "defect"]
    assert (told["agent"], told["request_id"]) == ("guardrails", "req-8")
    assert re.search(
        r"ZeroDivisionError\n  .*test_health_check.py:\d+ in broken\n  .*guardrails.py:\d+ in question",
        told["exception"],
    )
    assert "words of a document" not in str(lines)


async def test_a_store_that_is_away_is_503(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(service.app.state.jobs, "list", away)
    assert (await service.client.get("/ingest")).status_code == 503


@pytest.mark.parametrize("method", ["PUT", "TRACE", "DELETE"])
async def test_other_methods_are_problems(service: Any, method: str) -> None:
    reply = await service.client.request(method, "/query")
    assert reply.status_code == 405
    assert reply.headers["content-type"] == "application/problem+json"


def test_each_code_that_a_caller_can_cause_has_a_status_of_its_own() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())
    unmapped = {c for c in ErrorCode if c not in STATUS}
    assert all(
        c.value.startswith(("ERR_PARSER", "ERR_EVAL", "ERR_CONNECTOR", "ERR_CONFIG", "ERR_INTERNAL")) for c in unmapped
    )


def test_every_route_is_documented(workspace: Path) -> None:
    from roma_core.api import create_app
    from roma_core.app import Roma
    from roma_core.settings import Settings

    page = (ROOT / "docs/05_API.md").read_text("utf-8")
    schema = create_app(Roma(Settings(workspace=workspace))).openapi()
    for path, methods in schema["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in page, f"docs/05_API.md does not describe {method.upper()} {path}"


def test_every_metric_of_the_dashboard_exists_and_is_documented() -> None:
    import yaml

    page = (ROOT / "docs/10_OBSERVABILITY.md").read_text("utf-8")
    dashboard = json.loads((ROOT / "docs/grafana/roma.json").read_text("utf-8"))
    alerts = yaml.safe_load((ROOT / "docs/grafana/alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(expressions) >= 10 and len(alerts) >= 10
    expressions += [rule["expr"] for rule in alerts]
    used = {name for text in expressions for name in re.findall(r"\b((?:roma|process|python)_\w+)", text)}
    assert used <= metrics.list_series()
    families = {f.name for f in metrics.REGISTRY.collect() if f.name.startswith("roma_")}
    assert {f for f in families if f"`{f}`" not in page} == set()
    assert {rule["alert"] for rule in alerts if f"`{rule['alert']}`" not in page} == set()


def grown(before: dict[str, float]) -> dict[str, float]:
    """Samples of ``/metrics`` that are above what they were."""
    return {name: value for name, value in exported().items() if value > before.get(name, 0)}


def exported() -> dict[str, float]:
    lines = (line.rpartition(" ") for line in metrics.render_series().decode().splitlines() if line.startswith("roma_"))
    return {name: float(value) for name, _, value in lines}


async def test_every_documented_series_moves_in_the_life_of_a_server(start: Any, until: Any) -> None:
    """And its labels are those that the documentation names."""
    page = (ROOT / "docs/10_OBSERVABILITY.md").read_text("utf-8")
    rows = re.findall(r"^\| (`roma_[^|]+)\|([^|]*)\|", page, re.M)
    documented = {
        name: set(re.findall(r"`(\w+)`", labels)) for cell, labels in rows for name in re.findall(r"\w+", cell)
    }
    for gauge in (metrics._health, metrics._latency, metrics._value):
        gauge.clear()
    before, moved = exported(), set[str]()
    async with start(cache="write") as service:
        ask = {"text": "When was the rope bridge built? Ask bob@example.org."}
        for _ in range(2):  # the second answer is kept
            assert (await service.client.post("/query", json=ask)).status_code == 200
        assert (await service.client.post("/query", json={"text": "?"})).status_code == 422
        job = await service.client.post("/ingest", json={"sources": ["https://example.org/"]})
        async with service.client.stream(
            "GET", job.headers["location"], headers={"Accept": "text/event-stream"}
        ) as changes:
            assert '"state":"done"' in (await changes.aread()).decode()
        service.model._rule = lambda asked: Script(status=401)
        assert (await service.client.post("/query", json={"text": "How long is the rope bridge?"})).json()["degraded"]
        service.model._rule = lambda asked: Script("a b", end="stall", end_after_words=2)
        service.model.models = Script(status=401)
        slow = {"text": "What spans 48 metres?", "stream": True, "linger_s": 0}
        async with service.client.stream("POST", "/query", json=slow) as reply:
            async for line in reply.aiter_lines():
                if line == "event: token":
                    break
            moved |= {"roma_streams_open"} if exported()["roma_streams_open"] else set()
        await until(lambda: grown(before).get("roma_clients_gone_total"))
        service.roma.monitor._ttl_s = -1
        assert (await service.client.get("/metrics")).status_code == 200
        text = (await service.client.get("/metrics")).text
        assert 'roma_health_state{component="llm"} 1.0' in text, "a scrape looks, though nobody asks for /health"
    async with start(llm_model="whose-price-nobody-knows") as service:
        await service.client.post("/query", json={"text": "When was the rope bridge built?"})
    routed = {"router": "difficulty", "router_model": "openai:gpt-4o-mini", "router_threshold": 1.0}
    async with start(llm_model="gpt-4o", **routed) as service:
        await service.client.post("/query", json={"text": "When was the rope bridge built?"})
    for sample in grown(before):
        name, _, labels = sample.partition("{")
        family = re.sub(r"_(?:total|bucket|sum|count|created)$", "", name)
        moved.add(family)
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} <= documented[family], sample
    assert set(documented) - moved == set()


@contextmanager
def served(workspace: Path, **options: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Address and headers of a service in a thread of its own, for tests that cannot be coroutines."""
    from tests.api.conftest import running

    secret, _ = TokenStore(workspace).create("probe", ("admin",))
    ready: Future[str] = Future()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with running(workspace, **options) as service:
            ready.set_result(str(service.client.base_url).rstrip("/"))
            await over.wait()

    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield ready.result(60), {"Authorization": f"Bearer {secret}"}
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.mark.slow
def test_schemathesis_finds_no_500(workspace: Path, tmp_path: Path) -> None:
    """Generated requests, valid and not, against every route of a server with documents, a model and an ingest."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, settings

    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Harbour\n\nThe harbour was dredged in 1911.\n")
    seen: set[str] = set()
    with served(workspace, real=True, parser_workers=1, ingest_roots=(docs,)) as (url, headers):
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)
        for result in schema.get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=examples(6, whole=25), deadline=None, database=None,
                phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @schemathesis_given(operation)
            def probe(case: Any) -> None:
                reply = case.call(headers=headers)
                assert reply.status_code < 500, reply.text
                if reply.status_code >= 400:
                    assert reply.headers["content-type"] == ["application/problem+json"]

            probe()
            seen.add(operation.label)
    assert len(seen) >= 13


def schemathesis_given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())
