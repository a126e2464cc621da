"""Ingest jobs: a lease queue in SQLite that outlives ``kill -9``.

A job is run by whoever holds its lease; a worker that dies stops renewing it, and after ``LEASE_S`` another takes the
job over. Only the holder may finish a job, so each has one outcome; what an interrupted run had already written is
not written again, because the ledger of ``ingestion`` knows it. Several servers may share a workspace.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from roma_core.api.database import connection
from roma_core.errors import AgentFailure, NotFoundError, RomaError, guarded
from roma_core.telemetry import logs, metrics
from roma_core.types import IngestionReport, Noun

LEASE_S = 10.0
BEAT_S = 1.0
MOST_ATTEMPTS = 5
KEPT = 1000
"""Finished jobs beyond this many are forgotten, the oldest first."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})
_SCHEMA = """CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, sources TEXT NOT NULL,
  retry_failed INTEGER NOT NULL, key TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, owner TEXT,
  lease_until REAL, cancel INTEGER NOT NULL DEFAULT 0, progress TEXT NOT NULL DEFAULT '{}', report TEXT, failure TEXT,
  created_at TEXT NOT NULL, started_at TEXT, finished_at TEXT, UNIQUE (tenant, key));
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number)"""


class Job(Noun):
    """One ingest that was asked for. ``report`` counts every item; ``failure`` says why there is none."""

    id: str
    tenant: str
    sources: tuple[str, ...]
    state: JobState
    retry_failed: bool = False
    attempts: int = 0
    progress: dict[str, Any] = Field(default_factory=dict)
    report: IngestionReport | None = None
    failure: AgentFailure | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class JobQueue:
    """The table. Every method is one transaction; none takes longer than the disk."""

    def __init__(self, workspace: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = workspace
        self._clock = clock

    def add(self, sources: Sequence[str], tenant: str, *, retry_failed: bool = False, key: str | None = None) -> Job:
        """Enqueue. The same ``key`` of the same tenant gives the same job, however often it is sent."""
        row = (uuid.uuid4().hex, tenant, json.dumps(list(sources)), retry_failed, key, "queued", _now())
        with connection(self._folder, _SCHEMA) as db:
            db.execute(
                "INSERT INTO jobs (id, tenant, sources, retry_failed, key, state, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, key) DO NOTHING",
                row,
            )
            found = db.execute("SELECT * FROM jobs WHERE tenant = ? AND (id = ? OR key = ?)", (tenant, row[0], key))
            return _read(found.fetchone())

    def get(self, job_id: str, tenant: str) -> Job:
        """Raises ``NotFoundError``; other tenants' jobs do not exist."""
        with connection(self._folder, _SCHEMA, write=False) as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ? AND tenant = ?", (job_id, tenant)).fetchone()
        if row is None:
            raise NotFoundError("There is no such ingest job.")
        return _read(row)

    def list(self, tenant: str, limit: int = 100) -> tuple[Job, ...]:
        """The tenant's jobs, the newest first."""
        with connection(self._folder, _SCHEMA, write=False) as db:
            rows = db.execute("SELECT * FROM jobs WHERE tenant = ? ORDER BY number DESC LIMIT ?", (tenant, limit))
            return tuple(_read(row) for row in rows)

    def cancel(self, job_id: str, tenant: str) -> Job:
        """A queued job is cancelled at once, a running one at its next beat; a final one stays as it is."""
        with connection(self._folder, _SCHEMA) as db:
            db.execute(
                "UPDATE jobs SET cancel = 1, finished_at = CASE state WHEN 'queued' THEN ? ELSE finished_at END, "
                "state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END "
                "WHERE id = ? AND tenant = ? AND state IN ('queued', 'running')",
                (_now(), job_id, tenant),
            )
        return self.get(job_id, tenant)

    def claim(self, owner: str) -> Job | None:
        """The oldest job that waits or whose holder has died, now leased to ``owner``; None when there is none."""
        now = self._clock()
        with connection(self._folder, _SCHEMA) as db:
            self._bury(db, now)
            row = db.execute(
                "UPDATE jobs SET state = 'running', owner = ?, lease_until = ?, attempts = attempts + 1, "
                "started_at = COALESCE(started_at, ?) WHERE number = (SELECT number FROM jobs WHERE state = 'queued' "
                "OR (state = 'running' AND lease_until < ?) ORDER BY number LIMIT 1) RETURNING *",
                (owner, now + LEASE_S, _now(), now),
            ).fetchone()
        return _read(row) if row else None

    def beat(self, job_id: str, owner: str, progress: Mapping[str, Any]) -> Literal["go on", "cancel", "lost"]:
        """Renew the lease and tell how far the job is; the answer says what the holder must do."""
        with connection(self._folder, _SCHEMA) as db:
            row = db.execute(
                "UPDATE jobs SET lease_until = ?, progress = ? WHERE id = ? AND owner = ? AND state = 'running' "
                "RETURNING cancel",
                (self._clock() + LEASE_S, json.dumps(progress), job_id, owner),
            ).fetchone()
        if row is None:
            return "lost"
        return "cancel" if row["cancel"] else "go on"

    def finish(self, job_id: str, owner: str, outcome: IngestionReport | AgentFailure | None) -> bool:
        """Write the outcome (None: cancelled). False when the lease was lost, so that nobody finishes twice."""
        state = "cancelled" if outcome is None else "failed" if isinstance(outcome, AgentFailure) else "done"
        report = outcome.model_dump_json() if isinstance(outcome, IngestionReport) else None
        failure = outcome.model_dump_json() if isinstance(outcome, AgentFailure) else None
        with connection(self._folder, _SCHEMA) as db:
            done = db.execute(
                "UPDATE jobs SET state = ?, report = ?, failure = ?, finished_at = ?, owner = NULL, lease_until = NULL "
                "WHERE id = ? AND owner = ? AND state = 'running'",
                (state, report, failure, _now(), job_id, owner),
            )
            db.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND number <= "
                "(SELECT max(number) FROM jobs) - ?",
                (KEPT,),
            )
            return done.rowcount == 1

    def release(self, job_id: str, owner: str) -> None:
        """Give a job back unfinished, for a server that shuts down; the attempt does not count."""
        with connection(self._folder, _SCHEMA) as db:
            db.execute(
                "UPDATE jobs SET state = 'queued', owner = NULL, lease_until = NULL, attempts = attempts - 1 "
                "WHERE id = ? AND owner = ? AND state = 'running'",
                (job_id, owner),
            )

    def counts(self) -> dict[str, int]:
        """Jobs by state."""
        with connection(self._folder, _SCHEMA, write=False) as db:
            found = dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in ("queued", "running", "done", "failed", "cancelled")}

    def _bury(self, db: sqlite3.Connection, now: float) -> None:
        """Jobs whose holder died: cancelled if that was wanted, failed if they keep killing their holders."""
        dead = "state = 'running' AND lease_until < ?"
        db.execute(f"UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE cancel = 1 AND {dead}", (_now(), now))  # noqa: S608
        failure = AgentFailure.of("jobs", RomaError(f"The server died {MOST_ATTEMPTS} times at this job; see its log."))
        db.execute(
            f"UPDATE jobs SET state = 'failed', failure = ?, finished_at = ? WHERE attempts >= ? AND {dead}",  # noqa: S608
            (failure.model_dump_json(), _now(), MOST_ATTEMPTS, now),
        )


Progress = Callable[[dict[str, Any]], None]
Ingest = Callable[[Job, Progress], Awaitable[IngestionReport]]


class JobWorker:
    """Runs the jobs of a queue one after the other: the store has one writer anyhow."""

    def __init__(self, queue: JobQueue, ingest: Ingest, beat_s: float = BEAT_S) -> None:
        self._queue = queue
        self._ingest = ingest
        self._beat_s = beat_s
        self._owner = uuid.uuid4().hex
        self._wake = asyncio.Event()
        self._log = logs.get("jobs")

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; a job that is under way then goes back to the queue."""
        while True:
            job = await guarded("jobs", asyncio.to_thread(self._queue.claim, self._owner))
            if isinstance(job, Job):
                await self._work(job)
                continue
            if isinstance(job, AgentFailure):  # the workspace is away; it may come back
                metrics.count_failure(job)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._beat_s)
            self._wake.clear()

    async def _work(self, job: Job) -> None:
        with logs.request(job.id), logs.timed(self._log, "ingest job", attempt=job.attempts) as line:
            progress: dict[str, Any] = {}
            task = asyncio.ensure_future(guarded("ingest", self._ingest(job, progress.update)))
            try:
                told = await self._watch(job, task, progress)
            except asyncio.CancelledError:
                await _stopped(task)
                await asyncio.shield(asyncio.to_thread(self._queue.release, job.id, self._owner))
                raise
            line["told"] = told
            if told != "lost":
                outcome = task.result() if told == "go on" else None
                finishing = asyncio.to_thread(self._queue.finish, job.id, self._owner, outcome)
                await guarded("jobs", finishing)

    async def _watch(self, job: Job, task: asyncio.Task[Any], progress: Mapping[str, Any]) -> str:
        """Beat until the task is done or must stop."""
        while True:
            await asyncio.wait({task}, timeout=self._beat_s)
            beat = await guarded("jobs", asyncio.to_thread(self._queue.beat, job.id, self._owner, dict(progress)))
            if beat in {"cancel", "lost"}:
                if task.done() and beat == "cancel":
                    return "go on"  # it was quicker than the wish to stop it
                await _stopped(task)
                return str(beat)
            if task.done():
                return "go on"


async def _stopped(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _read(row: sqlite3.Row) -> Job:
    fields: dict[str, Any] = {name: row[name] for name in Job.model_fields}
    for name in ("sources", "progress", "report", "failure"):
        if fields[name] is not None:
            fields[name] = json.loads(fields[name])
    return Job.model_validate({**fields, "retry_failed": bool(fields["retry_failed"])})
