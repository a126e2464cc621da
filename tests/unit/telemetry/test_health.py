"""Health: one report over probes that may hang, fail or cost nothing; never more than the time box."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from roma_core.errors import StoreError
from roma_core.telemetry.health import Health, Probe, Status, disk, model_server
from roma_core.types import HealthReport


def found(state: str = "ok", reason: str = "") -> Probe:
    async def probe() -> Status:
        return Status(state, reason)  # type: ignore[arg-type]

    return probe


async def offline() -> Status:
    raise StoreError("The store's folder is gone; restore it or ingest again.")


async def report(**probes: Probe) -> HealthReport:
    return await Health(probes, needed=("store",), version="1", timeout_s=5.0).report()


async def test_health_check_all_connected() -> None:
    result = await report(store=found(), llm=found(), disk=found())
    assert result.state == "ok"
    assert [(c.name, c.state) for c in result.components] == [("store", "ok"), ("llm", "ok"), ("disk", "ok")]
    assert all(c.latency_ms is not None for c in result.components)


async def test_health_check_db_offline() -> None:
    result = await report(store=offline, llm=found())
    assert result.state == "down"
    assert "folder is gone" in result.components[0].reason


async def test_health_check_llm_unreachable(unused_tcp_port: int) -> None:
    result = await report(store=found(), llm=model_server(f"http://127.0.0.1:{unused_tcp_port}/v1"))
    assert result.state == "degraded"
    assert result.components[1].state == "down"
    assert "cannot be reached" in result.components[1].reason


async def test_a_probe_that_hangs_is_cut_and_the_others_are_reported() -> None:
    async def hang() -> Status:
        await asyncio.sleep(60)
        raise AssertionError

    result = await Health({"store": found(), "llm": hang}, needed=("store",), version="1", timeout_s=0.05).report()
    assert result.components[1].state == "down"
    assert "no answer within 0.05 s" in result.components[1].reason


async def test_degraded_part_degrades_the_whole() -> None:
    assert (await report(store=found("degraded", "old index"))).state == "degraded"


async def test_report_is_cached_and_shared() -> None:
    calls = 0

    async def count() -> Status:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return Status()

    health = Health({"store": count}, needed=(), version="1", ttl_s=60)
    await asyncio.gather(*(health.report() for _ in range(20)))
    assert calls == 1
    fresh = Health({"store": count}, needed=(), version="1", ttl_s=-1)
    await fresh.report()
    await fresh.report()
    assert calls == 3


def test_one_health_serves_several_event_loops() -> None:
    health = Health({"store": found()}, needed=(), version="1", ttl_s=-1)
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
    assert (await model_server(httpserver.url_for("/v1"), "k")()).state == state
    assert len(httpserver.log) == 1


async def test_model_server_with_a_broken_address() -> None:
    assert (await model_server("http://[::bad")()).state == "down"
