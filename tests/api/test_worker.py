"""Who does the jobs: whatever goes wrong with one, or with the workspace, it goes on with the next."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roma_core.api import jobqueue as module
from roma_core.api.jobqueue import JobQueue
from roma_core.api.jobs import ClaimedJob
from roma_core.api.worker import JobWorker
from roma_core.errors import AgentFailure, ErrorCode, StoreError
from roma_core.ingestion import IngestProgress, OnProgress
from roma_core.telemetry import metrics
from roma_core.types import IngestionReport, IngestItem

REPORT = IngestionReport(run_id="r", sources=("s",), items=(IngestItem(uri="s", state="added"),))


async def _run(worker: JobWorker, until_done: Callable[[], Any]) -> None:
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60):
            while not until_done():
                assert not task.done(), "the worker ended"
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait({task})


def counted(agent: str, code: str) -> float:
    return metrics.REGISTRY.get_sample_value("roma_errors_total", {"agent": agent, "code": code}) or 0.0


async def test_worker_finishes_with_report_failure_or_cancel(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    good, bad, slow = (queue.add([n], "t") for n in ("good", "bad", "slow"))

    async def ingest(work: ClaimedJob, progress: OnProgress) -> IngestionReport:
        progress(IngestProgress(2, True, {"added": 1}, 1.0, work.sources[0]))
        if work.sources == ("bad",):
            raise StoreError("full", ErrorCode.STORAGE_FULL)
        if work.sources == ("slow",):
            queue.cancel(work.id, "t")
            await asyncio.sleep(60)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: queue.get(slow.id, "t").state == "cancelled")
    done = queue.get(good.id, "t")
    assert done.report is not None
    assert (done.state, done.report.items, done.report.run_id) == ("done", REPORT.items, "r")
    assert done.progress is not None
    assert (done.progress.counts, done.progress.listing) == ({"added": 1}, False)
    failed = queue.get(bad.id, "t")
    assert (failed.state, failed.failure and failed.failure.code) == ("failed", ErrorCode.STORAGE_FULL)
    stopped = queue.get(slow.id, "t").progress
    assert stopped is not None
    assert (stopped.uri, stopped.listed) == ("slow", 2), "how far it had come is kept"


@pytest.mark.parametrize("how", ["raised", "reported"])
async def test_a_failed_job_is_a_warning_with_code_and_reason_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    queue = JobQueue(tmp_path)
    job = queue.add(["a"], "t")
    why = StoreError("The store is away; key sk-ant-api03-abcdefghijklmnopqrstu.", details={"errno": 5})
    before = counted("ingest", "ERR_STORAGE_UNAVAILABLE")

    async def ingest(_work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        if how == "raised":
            raise why
        return IngestionReport(run_id="r", sources=(), failures=(AgentFailure.of("store", why),))

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: queue.get(job.id, "t").state == "failed")
    [line] = [r for r in caplog.records if r.levelname == "WARNING" and "ingest job failed" in r.getMessage()]
    said = line.getMessage()
    assert "ERR_STORAGE_UNAVAILABLE" in said
    assert "The store is away" in said
    assert "errno" in said
    assert job.id in said, "the job's id is its request id"
    assert "sk-ant-api03" not in said
    raised = counted("ingest", "ERR_STORAGE_UNAVAILABLE") - before
    assert raised == (1 if how == "raised" else 0), "Roma.ingest counts what its report holds"


async def test_jobs_run_side_by_side_up_to_the_limit(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    made = [queue.add([f"s{n}"], "t") for n in range(5)]
    at_work, most = 0, 0
    both = asyncio.Event()

    async def ingest(_work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        if at_work == 2:
            both.set()
        await both.wait()
        await asyncio.sleep(0.02)
        at_work -= 1
        return REPORT

    worker = JobWorker(queue, ingest, beat_s=0.01, side_by_side=2)
    await _run(worker, lambda: all(queue.get(job.id, "t").state == "done" for job in made))
    assert most == 2


async def test_every_job_at_work_goes_back_when_the_worker_stops(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    for n in range(3):
        queue.add([f"s{n}"], "t")
    started: list[str] = []

    async def ingest(work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        started.append(work.id)
        await asyncio.sleep(60)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01, side_by_side=3), lambda: len(started) == 3)
    assert queue.counts()["queued"] == 3


async def test_worker_that_stops_gives_its_job_back(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    job = queue.add(["a"], "t")
    started, stopped = [], []

    async def ingest(_work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
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
    now = [1000.0]
    queue = JobQueue(tmp_path, lambda: now[0])
    job = queue.add(["a"], "t")
    stopped = []

    async def ingest(_work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        if not stopped:
            now[0] += 10 * module.LEASE_S
            assert queue.claim("other") is not None
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(True)
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: stopped)
    assert queue.get(job.id, "t").state == "running"
    assert queue.finish(job.id, "other", module.JobOutcome.of(REPORT))


async def test_worker_outlives_a_workspace_that_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.write_text("in the way")
    queue = JobQueue(folder)
    made: list[str] = []

    async def ingest(_work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        return REPORT

    async def come_back() -> None:
        await asyncio.sleep(0.1)
        folder.unlink()
        made.append(queue.add(["a"], "t").id)

    back = asyncio.create_task(come_back())
    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: made and queue.get(made[0], "t").state == "done")
    await back


async def test_worker_outlives_a_database_that_is_locked_while_it_beats_and_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roma_core.api.storage.BUSY_S", 0.01)
    queue = JobQueue(tmp_path)
    first, second = queue.add(["first"], "t"), queue.add(["second"], "t")
    holder = sqlite3.connect(tmp_path / "service.db", isolation_level=None, check_same_thread=False)
    letting_go: list[asyncio.Task[None]] = []

    def refusals() -> float:
        return counted("jobs", "ERR_STORAGE_LOCKED")

    async def more_refusals(count: int) -> None:
        enough = refusals() + count
        while refusals() < enough:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def let_go() -> None:
        await more_refusals(1)  # the first try to finish, or the beat before it
        holder.execute("ROLLBACK")

    async def ingest(work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        if work.sources == ("first",):
            holder.execute("BEGIN IMMEDIATE")
            await more_refusals(2)  # of beats
            letting_go.append(asyncio.create_task(let_go()))
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.02), lambda: queue.get(second.id, "t").state == "done")
    await asyncio.gather(*letting_go)
    holder.close()
    done = queue.get(first.id, "t")
    assert (done.state, done.attempts) == ("done", 1), "its outcome was not lost"


async def test_an_ingest_that_is_cancelled_from_within_fails_and_the_worker_lives(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path)
    first, second = queue.add(["first"], "t"), queue.add(["second"], "t")

    async def ingest(work: ClaimedJob, _progress: OnProgress) -> IngestionReport:
        if work.sources == ("first",):
            raise asyncio.CancelledError
        return REPORT

    await _run(JobWorker(queue, ingest, beat_s=0.01), lambda: queue.get(second.id, "t").state == "done")
    assert queue.get(first.id, "t").state == "failed"
