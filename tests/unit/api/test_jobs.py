"""The lease queue: one effect for each job, whoever dies, and an ingest that can be watched and cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from roma_core.api import jobs as module
from roma_core.api.jobs import Job, JobQueue, JobWorker
from roma_core.errors import ErrorCode, NotFoundError, StoreError
from roma_core.types import IngestionReport

REPORT = IngestionReport(run_id="r", sources=("s",))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> JobQueue:
    return JobQueue(tmp_path, clock)


def test_jobs_are_claimed_in_order_and_once(queue: JobQueue) -> None:
    first, second = queue.add(["a"], "t"), queue.add(["b"], "t")
    assert [queue.claim("x").id, queue.claim("y").id] == [first.id, second.id]  # type: ignore[union-attr]
    assert queue.claim("z") is None
    assert queue.counts()["running"] == 2


def test_the_same_key_gives_the_same_job_within_a_tenant(queue: JobQueue) -> None:
    assert queue.add(["a"], "t", key="k").id == queue.add(["b"], "t", key="k").id
    assert queue.add(["a"], "u", key="k").id != queue.add(["a"], "t", key="k").id
    assert len({queue.add(["a"], "t").id for _ in range(3)}) == 3


def test_a_dead_holder_loses_its_job_and_may_not_finish_it(queue: JobQueue, clock: Clock) -> None:
    job = queue.add(["a"], "t")
    queue.claim("dead")
    clock.now += module.LEASE_S - 1
    assert queue.claim("next") is None
    assert queue.beat(job.id, "dead", {}) == "go on"
    clock.now += module.LEASE_S + 1
    again = queue.claim("next")
    assert again is not None
    assert again.attempts == 2
    assert queue.beat(job.id, "dead", {}) == "lost"
    assert not queue.finish(job.id, "dead", REPORT)
    assert queue.finish(job.id, "next", REPORT)
    assert not queue.finish(job.id, "next", REPORT)
    assert queue.get(job.id, "t").state == "done"


def test_a_job_that_kills_its_holders_is_buried(queue: JobQueue, clock: Clock) -> None:
    job = queue.add(["a"], "t")
    for _ in range(module.MOST_ATTEMPTS):
        assert queue.claim("x") is not None
        clock.now += module.LEASE_S + 1
    assert queue.claim("x") is None
    buried = queue.get(job.id, "t")
    assert buried.state == "failed"
    assert buried.failure is not None
    assert buried.failure.code is ErrorCode.INTERNAL


def test_cancelling(queue: JobQueue, clock: Clock) -> None:
    waiting, running, dead = (queue.add([n], "t") for n in "abc")
    assert queue.cancel(waiting.id, "t").state == "cancelled"
    queue.claim("x")
    assert queue.cancel(running.id, "t").state == "running"
    assert queue.beat(running.id, "x", {}) == "cancel"
    assert queue.finish(running.id, "x", None)
    assert queue.cancel(running.id, "t").state == "cancelled"
    queue.claim("x")
    queue.cancel(dead.id, "t")
    clock.now += module.LEASE_S + 1
    assert queue.claim("y") is None
    assert queue.get(dead.id, "t").state == "cancelled"
    with pytest.raises(NotFoundError):
        queue.cancel(waiting.id, "other")


def test_released_jobs_cost_no_attempt(queue: JobQueue) -> None:
    job = queue.add(["a"], "t")
    queue.claim("x")
    queue.release(job.id, "x")
    assert (queue.get(job.id, "t").state, queue.get(job.id, "t").attempts) == ("queued", 0)


def test_old_finished_jobs_are_forgotten(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    for _ in range(5):
        job = queue.add(["a"], "t")
        queue.claim("x")
        queue.finish(job.id, "x", REPORT)
    assert len(queue.list("t")) == 2


async def _run(worker: JobWorker, until_done: Any) -> None:
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(10):
            while not until_done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_worker_finishes_with_report_failure_or_cancel(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    good, bad, slow = (queue.add([n], "t") for n in ("good", "bad", "slow"))

    async def ingest(job: Job, progress: Any) -> IngestionReport:
        progress({"at": job.sources[0]})
        if job.sources == ("bad",):
            raise StoreError("full", ErrorCode.STORAGE_FULL)
        if job.sources == ("slow",):
            queue.cancel(job.id, "t")
            await asyncio.sleep(60)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: queue.get(slow.id, "t").state == "cancelled")
    assert queue.get(good.id, "t").report == REPORT
    assert queue.get(good.id, "t").progress == {"at": "good"}
    failed = queue.get(bad.id, "t")
    assert (failed.state, failed.failure and failed.failure.code) == ("failed", ErrorCode.STORAGE_FULL)


async def test_worker_that_stops_gives_its_job_back(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    job = queue.add(["a"], "t")
    started, stopped = [], []

    async def ingest(_job: Job, _progress: Any) -> IngestionReport:
        started.append(True)
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(True)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: started)
    assert stopped == [True]
    assert queue.get(job.id, "t").state == "queued"


async def test_worker_that_lost_its_lease_stops_and_writes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    queue = JobQueue(tmp_path, clock)
    job = queue.add(["a"], "t")
    stopped = []

    async def ingest(_job: Job, _progress: Any) -> IngestionReport:
        if not stopped:
            clock.now += 10 * module.LEASE_S
            assert queue.claim("other") is not None
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(True)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: stopped)
    assert queue.get(job.id, "t").state == "running"
    assert queue.finish(job.id, "other", REPORT)


async def test_worker_outlives_a_workspace_that_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.write_text("in the way")
    queue = JobQueue(folder)

    async def ingest(_job: Job, _progress: Any) -> IngestionReport:
        return REPORT

    worker = JobWorker(queue, ingest, beat_s=0.01)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.1)
    folder.unlink()
    job = queue.add(["a"], "t")
    worker.wake()
    async with asyncio.timeout(5):
        while queue.get(job.id, "t").state != "done":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})


VICTIM = """
import asyncio, sys
from pathlib import Path
from roma_core.api import jobs
from roma_core.types import IngestionReport
jobs.LEASE_S = 0.5
folder = Path(sys.argv[1])

async def ingest(job, progress):
    log = folder / "effects"
    for step in range(5):
        mark = f"{job.sources[0]}:{step}"
        if mark not in (log.read_text().split() if log.exists() else []):
            with log.open("a") as file:
                file.write(mark + "\\n")
        await asyncio.sleep(0.02)
    return IngestionReport(run_id="r", sources=job.sources)

asyncio.run(jobs.JobWorker(jobs.JobQueue(folder), ingest, beat_s=0.05).run())
"""


@pytest.mark.slow
def test_jobs_survive_kill_9_with_one_effect_each(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    wanted = [queue.add([f"job{i}"], "t").id for i in range(8)]
    deadline = time.monotonic() + 240
    kills = 0
    while queue.counts()["done"] < len(wanted):
        assert time.monotonic() < deadline, queue.counts()
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(VICTIM), str(tmp_path)])
        time.sleep(1.0 + 0.5 * kills)  # longer each time: a slow machine needs a while to begin
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 2
    effects = (tmp_path / "effects").read_text().split()
    assert sorted(effects) == sorted(f"job{i}:{s}" for i in range(8) for s in range(5))
    assert all(queue.get(job_id, "t").state == "done" for job_id in wanted)


async def test_ingest_over_http(service: Any, events_of: Any, until: Any) -> None:
    client = service.client
    service.ingestion.step_s = 0.1
    made = await client.post("/ingest", json={"sources": ["docs"]}, headers={"Idempotency-Key": "k1"})
    again = await client.post("/ingest", json={"sources": ["docs"]}, headers={"Idempotency-Key": "k1"})
    job = made.json()
    assert (made.status_code, made.headers["location"]) == (202, f"/ingest/{job['id']}")
    assert again.json()["id"] == job["id"]
    watched = await client.get(f"/ingest/{job['id']}", headers={"Accept": "text/event-stream"})
    events = events_of(watched.text)
    assert events[-1]["data"]["state"] == "done"
    assert events[-1]["data"]["report"]["items"][0]["state"] == "added"
    assert [e["event"] for e in events] == ["job"] * len(events)
    assert service.ingestion.effects == [("docs",)]
    assert [j["id"] for j in (await client.get("/ingest")).json()] == [job["id"]]
    assert 'roma_jobs{state="done"} 1.0' in (await client.get("/metrics")).text


async def test_a_running_ingest_is_cancelled(service: Any, until: Any) -> None:
    service.ingestion.step_s = 30
    client = service.client
    job = (await client.post("/ingest", json={"sources": ["docs"]})).json()["id"]
    await until(lambda: service.app.state.jobs.get(job, "default").state == "running")
    assert (await client.delete(f"/ingest/{job}")).json()["state"] == "running"
    await until(lambda: service.app.state.jobs.get(job, "default").state == "cancelled")
    assert service.ingestion.effects == []
    assert (await client.delete("/ingest/unknown")).status_code == 404


@pytest.mark.parametrize("body", [{}, {"sources": []}, {"sources": [""]}, {"sources": ["a\nb"]}, {"sources": "a"}])
async def test_wrong_ingests(service: Any, body: dict[str, Any]) -> None:
    assert (await service.client.post("/ingest", json=body)).status_code == 422
