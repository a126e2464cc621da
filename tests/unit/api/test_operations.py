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
from roma_core.telemetry import metrics
from roma_core.types import ComponentHealth, HealthReport

ROOT = Path(__file__).resolve().parents[3]


async def test_health_over_http(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = await service.client.get("/health")
    assert reply.status_code == 200, reply.text
    report = reply.json()
    assert report["state"] in {"ok", "degraded"}
    assert {"store", "llm", "embedder", "disk", "sessions"} <= {c["name"] for c in report["components"]}
    assert report == (await service.roma.health()).model_dump(mode="json")
    assert len(service.model.asked) == sum(a.path.endswith("/models") for a in service.model.asked), (
        "no model was asked"
    )

    async def down() -> HealthReport:
        part = ComponentHealth(name="store", state="down", reason="gone")
        return HealthReport(state="down", version="1", components=(part,))

    monkeypatch.setattr(service.roma, "health", down)
    assert (await service.client.get("/health")).status_code == 503


async def test_health_never_has_a_model_write(service: Any) -> None:
    """A probe may ask the model server whether it is there, and nothing that is billed."""
    assert (await service.client.get("/health")).status_code == 200
    assert {asked.path for asked in service.model.asked} <= {"/v1/models"}
    await service.client.post("/query", json={"text": "When was the rope bridge built?"})
    assert "/v1/chat/completions" in {asked.path for asked in service.model.asked}, "the server would have seen it"


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

    page = (ROOT / "docs/06_HTTP_API.md").read_text("utf-8")
    schema = create_app(Roma(Settings(workspace=workspace))).openapi()
    for path, methods in schema["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in page, (
                f"docs/06_HTTP_API.md does not describe {method.upper()} {path}"
            )


def test_every_metric_of_the_dashboard_exists_and_is_documented() -> None:
    page = (ROOT / "docs/10_OBSERVABILITY.md").read_text("utf-8")
    dashboard = json.loads((ROOT / "docs/grafana/roma.json").read_text("utf-8"))
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    used = {name for text in expressions for name in re.findall(r"\b((?:roma|process|python)_\w+)", text)}
    assert len(expressions) >= 10
    assert used <= metrics.names()
    families = {f.name for f in metrics.REGISTRY.collect() if f.name.startswith("roma_")}
    assert {f for f in families if f"`{f}" not in page} == set()


@contextmanager
def served(workspace: Path, **options: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Address and headers of a service in a thread of its own, for tests that cannot be coroutines."""
    from tests.unit.api.conftest import running

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
                max_examples=25, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
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
