"""Queue of ingest jobs: leases in SQLite, or in the PostgreSQL that replicas share, that survive ``kill -9``.

The holder of a job's lease runs it; a worker that dies stops renewing it, and after ``LEASE_S`` another takes the
job over. Only the holder may finish a job, so each has one outcome; documents that an interrupted run has written are
not written again, because the ledger of ``ingestion`` knows them. Several servers may share a workspace.

``addresses`` are the sources as given, which may hold secrets (a signed URL): they are deleted when the job ends.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from roma_core.api.jobs import (
    PRIORITIES,
    ROWS,
    BeatAnswer,
    ClaimedJob,
    Job,
    JobOutcome,
    JobPriority,
    JobProgress,
    JobSummary,
    choose_job,
    name_key,
)
from roma_core.api.storage import open_jobs
from roma_core.connectors.sources import redact_uri
from roma_core.database import SqlConnection
from roma_core.errors import AccessError, AgentFailure, ErrorCode, NotFoundError, RomaError

LEASE_S = 10.0
MOST_ATTEMPTS = 5
MOST_WAITING = 100
"""Jobs of a tenant that may wait; more are refused until some have begun."""
KEPT = 1000
"""Finished jobs of a tenant beyond this many are forgotten, the oldest first."""
KEPT_REPORTS = 100
"""Finished jobs of a tenant whose rows are kept."""
SHOWN_SOURCES = 3
"""Sources of a job that a list of jobs shows."""

_PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}
_ENDED = "addresses = NULL, owner = NULL, lease_until = NULL"
_IS_FINAL = "state IN ('done', 'failed', 'cancelled')"
_FORGOTTEN = (
    f"tenant = :tenant AND {_IS_FINAL} AND (CAST(:submitter AS TEXT) IS NULL OR submitter = :submitter) "
    "AND (CAST(:before AS TEXT) IS NULL OR finished_at < :before)"
)
_LIVE = """SELECT number, tenant, state, priority, COALESCE(lease_until, 0) AS lease_until FROM ingest_jobs
  WHERE state IN ('queued', 'running')"""
_CLAIM = """UPDATE ingest_jobs SET state = 'running', owner = :owner, lease_until = :until, attempts = attempts + 1,
  started_at = COALESCE(started_at, :at) WHERE number = :number RETURNING *"""
_SUMMARY = """SELECT id, tenant, state, priority, retry_failed, attempts, progress, failure, created_at, started_at,
  finished_at, sources FROM ingest_jobs
  WHERE tenant = :tenant AND (CAST(:submitter AS TEXT) IS NULL OR submitter = :submitter)
  ORDER BY number DESC LIMIT :limit"""
_MOST_ROWS = 1 << 40
"""For a limit that is none; PostgreSQL takes no negative one."""


@dataclass(frozen=True)
class _LiveRow:
    """A job that waits or runs, as ``choose_job`` looks at it; its addresses are read when they are asked for."""

    number: int
    tenant: str
    state: str
    priority: JobPriority
    lease_until: float
    db: SqlConnection = field(repr=False)

    @cached_property
    def addresses(self) -> Sequence[str]:
        """Return the sources as given."""
        row = self.db.execute("SELECT addresses FROM ingest_jobs WHERE number = ?", (self.number,)).fetchone()
        return tuple(json.loads(row["addresses"])) if row is not None else ()


class JobQueue:
    """Table of jobs. Every method is one transaction and raises ``StoreError``."""

    def __init__(
        self, workspace: Path, clock: Callable[[], float] | None = None, *, server_url: str | None = None
    ) -> None:
        """``server_url`` is the address of a PostgreSQL; leases then run by its clock, since those of hosts differ."""
        self._database = open_jobs(workspace, server_url)
        self._clock = time.time if clock is None and server_url is None else clock

    def add(
        self,
        sources: Sequence[str],
        tenant: str,
        *,
        retry_failed: bool = False,
        key: str | None = None,
        confined: bool = True,
        submitter: str | None = None,
        priority: JobPriority = "normal",
    ) -> Job:
        """Enqueue a job. A repeated ``key`` of a ``submitter`` in a tenant returns the job that it made first.

        Raises ``AccessError`` (rate limit) when ``MOST_WAITING`` jobs of the tenant are queued.
        """
        key = name_key(key, submitter)
        with self._database.transaction() as db:
            row = None if key is None else _find_row(db, "key", key, tenant)
            if row is None:
                _make_room(db, tenant)
                asked = {"tenant": tenant, "retry_failed": int(retry_failed), "key": key, "confined": int(confined)}
                order = {"submitter": submitter, "priority": PRIORITIES[priority]}
                job_id = uuid.uuid4().hex
                _insert(db, sources, {"id": job_id, **asked, **order})
                row = _find_row(db, "id", job_id, tenant)
            return _make_job(db, row)

    def get(
        self, job_id: str, tenant: str, items_from: int = 0, items_limit: int = ROWS, *, submitter: str | None = None
    ) -> Job:
        """Return the job with a page of its report.

        ``submitter`` confines it to that user's jobs. Raises ``NotFoundError``, also for another's job.
        """
        with self._database.snapshot() as db:
            return _make_job(db, _find_job(db, job_id, tenant, submitter), items_from, items_limit)

    def list(self, tenant: str, limit: int = 100, *, submitter: str | None = None) -> tuple[JobSummary, ...]:
        """Return the tenant's jobs, the newest first, without reports and with their first sources.

        ``submitter`` confines them to that user's jobs.
        """
        with self._database.snapshot() as db:
            asked = {"tenant": tenant, "submitter": submitter, "limit": limit}
            rows = [_parse_row(row) for row in db.execute(_SUMMARY, asked)]
        return tuple(
            JobSummary(**{**row, "sources": row["sources"][:SHOWN_SOURCES], "sources_total": len(row["sources"])})
            for row in rows
        )

    def cancel(self, job_id: str, tenant: str, *, submitter: str | None = None) -> Job:
        """Cancel a queued job at once and a running one at its next beat; a final one is unchanged.

        ``submitter`` confines it to that user's jobs. Raises ``NotFoundError``.
        """
        with self._database.transaction() as db:
            _make_job(db, _find_job(db, job_id, tenant, submitter), 0, 0)
            db.execute(
                f"UPDATE ingest_jobs SET state = 'cancelled', finished_at = ?, {_ENDED} "  # noqa: S608
                "WHERE id = ? AND tenant = ? AND state = 'queued'",
                (_now(), job_id, tenant),
            )
            db.execute(
                "UPDATE ingest_jobs SET cancel = 1 WHERE id = ? AND tenant = ? AND state = 'running'", (job_id, tenant)
            )
            return _make_job(db, _find_row(db, "id", job_id, tenant))

    def claim(self, owner: str) -> ClaimedJob | None:
        """Lease a waiting job, or one whose holder has died, to ``owner``; return None when there is none.

        Jobs of a tenant come by priority and then in their order, tenants in turn. A job waits while another one of its
        tenant reads one of its addresses.
        """
        with self._database.transaction() as db:
            now = self._read_clock(db)
            _end_dead_jobs(db, now)
            chosen = choose_job(_read_live(db), _read_served(db), now)
            if chosen is None:
                return None
            given = {"owner": owner, "until": now + LEASE_S, "at": _now(), "number": chosen.number}
            row = db.execute(_CLAIM, given).fetchone()
        sources, flags = tuple(json.loads(row["addresses"])), (bool(row["confined"]), bool(row["retry_failed"]))
        return ClaimedJob(row["id"], row["tenant"], sources, *flags, row["attempts"])

    def beat(self, job_id: str, owner: str, progress: JobProgress | None) -> BeatAnswer:
        """Renew the lease and store the progress; return the instruction for the holder."""
        with self._database.transaction() as db:
            row = db.execute(
                "UPDATE ingest_jobs SET lease_until = ?, progress = ? WHERE id = ? AND owner = ? AND state = 'running' "
                "RETURNING cancel",
                (self._read_clock(db) + LEASE_S, _dump_json(progress), job_id, owner),
            ).fetchone()
        if row is None:
            return "lost"
        return "cancel" if row["cancel"] else "go on"

    def finish(self, job_id: str, owner: str, ending: JobOutcome) -> bool:
        """Store the outcome; return False when the lease was lost, so that a job is finished once."""
        told = (ending.state, _dump_json(ending.progress), _dump_json(ending.report), _dump_json(ending.failure))
        with self._database.transaction() as db:
            row = db.execute(
                f"UPDATE ingest_jobs SET state = ?, progress = ?, report = ?, failure = ?, finished_at = ?, {_ENDED} "  # noqa: S608
                "WHERE id = ? AND owner = ? AND state = 'running' RETURNING number, tenant",
                (*told, _now(), job_id, owner),
            ).fetchone()
            if row is None:
                return False
            rows = ((row["number"], n, item.model_dump_json()) for n, item in enumerate(ending.rows))
            db.executemany("INSERT INTO ingest_rows VALUES (?, ?, ?)", rows)
            _trim(db, row["tenant"])
        return True

    def release(self, job_id: str, owner: str) -> None:
        """Return an unfinished job to the queue when a server shuts down; the attempt does not count."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE ingest_jobs SET state = 'queued', owner = NULL, lease_until = NULL, attempts = attempts - 1 "
                "WHERE id = ? AND owner = ? AND state = 'running'",
                (job_id, owner),
            )

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state."""
        with self._database.snapshot() as db:
            rows = db.execute("SELECT state, count(*) FROM ingest_jobs GROUP BY state").fetchall()
        found = {row[0]: int(row[1]) for row in rows}
        return {state: found.get(state, 0) for state in ("queued", "running", "done", "failed", "cancelled")}

    def count_live(self, tenant: str) -> int:
        """Return the number of jobs of a tenant that wait or run."""
        with self._database.snapshot() as db:
            count = db.execute(f"SELECT count(*) FROM ingest_jobs WHERE tenant = ? AND NOT {_IS_FINAL}", (tenant,))  # noqa: S608
            return int(count.fetchone()[0])

    def forget_ended(
        self, tenant: str, *, submitter: str | None = None, before: datetime | None = None, counts_only: bool = False
    ) -> int:
        """Remove the jobs of a tenant that have ended, with their reports; return how many.

        ``submitter`` confines it to that user's jobs, whose name then leaves those that wait or run, too; ``before`` to
        jobs that ended before that moment.
        """
        given = {"tenant": tenant, "submitter": submitter, "before": None if before is None else before.isoformat()}
        with self._database.transaction() as db:
            (count,) = db.execute(f"SELECT count(*) FROM ingest_jobs WHERE {_FORGOTTEN}", given).fetchone()  # noqa: S608
            if counts_only:
                return int(count)
            rows = f"DELETE FROM ingest_rows WHERE job IN (SELECT number FROM ingest_jobs WHERE {_FORGOTTEN})"  # noqa: S608
            db.execute(rows, given)
            db.execute(f"DELETE FROM ingest_jobs WHERE {_FORGOTTEN}", given)  # noqa: S608
            if submitter is not None and before is None:
                blank = "UPDATE ingest_jobs SET submitter = NULL WHERE tenant = :tenant AND submitter = :submitter"
                db.execute(blank, given)
        return int(count)

    def close(self) -> None:
        """Close the file, which the next call opens again."""
        self._database.close()

    def _read_clock(self, db: SqlConnection) -> float:
        if self._clock is not None:
            return self._clock()
        return float(db.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())").fetchone()[0])


def make_crowded_error() -> AccessError:
    """Return the error for a tenant that has too many jobs waiting."""
    return AccessError(
        f"{MOST_WAITING} ingest jobs wait already; send more when some have begun, or several sources in one job.",
        ErrorCode.ACCESS_RATE_LIMIT,
        retry_after_s=60.0,
    )


def make_dead_failure() -> AgentFailure:
    """Return the failure of a job that keeps killing its holders."""
    return AgentFailure.of("jobs", RomaError(f"The server died {MOST_ATTEMPTS} times at this job; see its log."))


def _insert(db: SqlConnection, sources: Sequence[str], columns: dict[str, Any]) -> None:
    kept, given = json.dumps([redact_uri(source) for source in sources]), json.dumps(list(sources))
    row = {**columns, "sources": kept, "addresses": given, "state": "queued", "created_at": _now()}
    values = ", ".join(f":{column}" for column in row)
    number = "(SELECT COALESCE(max(number), 0) + 1 FROM ingest_jobs)"  # those that were taken over count
    db.execute(f"INSERT INTO ingest_jobs (number, {', '.join(row)}) VALUES ({number}, {values})", row)  # noqa: S608


def _find_row(db: SqlConnection, column: Literal["id", "key"], value: str, tenant: str) -> Any:
    query = f"SELECT * FROM ingest_jobs WHERE {column} = ? AND tenant = ?"  # noqa: S608
    return db.execute(query, (value, tenant)).fetchone()


def _find_job(db: SqlConnection, job_id: str, tenant: str, submitter: str | None) -> Any:
    row = _find_row(db, "id", job_id, tenant)
    return row if row is None or submitter is None or row["submitter"] == submitter else None


def _make_room(db: SqlConnection, tenant: str) -> None:
    """Refuse a job when too many are queued, and trim the history.

    It trims here too, because a job that was cancelled in the queue is never finished.
    """
    query = "SELECT count(*) FROM ingest_jobs WHERE tenant = ? AND state = 'queued'"
    if db.execute(query, (tenant,)).fetchone()[0] >= MOST_WAITING:
        raise make_crowded_error()
    _trim(db, tenant)


def _trim(db: SqlConnection, tenant: str) -> None:
    """Drop the oldest finished jobs of a tenant beyond the limits; other tenants' history stays."""
    ended = f"SELECT number FROM ingest_jobs WHERE tenant = ? AND {_IS_FINAL}"  # noqa: S608
    beyond = f"({ended} ORDER BY number DESC LIMIT {_MOST_ROWS} OFFSET ?)"
    db.execute(f"DELETE FROM ingest_rows WHERE job IN {beyond}", (tenant, min(KEPT_REPORTS, KEPT)))  # noqa: S608
    db.execute(f"DELETE FROM ingest_jobs WHERE number IN {beyond}", (tenant, KEPT))  # noqa: S608


def _end_dead_jobs(db: SqlConnection, now: float) -> None:
    """End the jobs whose holder died: cancelled if requested, failed if they keep killing their holders."""
    dead = "state = 'running' AND lease_until < ?"
    ended = f"UPDATE ingest_jobs SET finished_at = ?, {_ENDED}"  # noqa: S608
    db.execute(f"{ended}, state = 'cancelled' WHERE cancel = 1 AND {dead}", (_now(), now))
    failure = make_dead_failure()
    db.execute(
        f"{ended}, state = 'failed', failure = ? WHERE attempts >= ? AND {dead}",
        (_now(), failure.model_dump_json(), MOST_ATTEMPTS, now),
    )


def _read_live(db: SqlConnection) -> list[_LiveRow]:
    rows = db.execute(_LIVE).fetchall()
    return [
        _LiveRow(row["number"], row["tenant"], row["state"], _PRIORITY_NAMES[row["priority"]], row["lease_until"], db)
        for row in rows
    ]


def _read_served(db: SqlConnection) -> dict[str, str]:
    """Return when each tenant was served last."""
    rows = db.execute("SELECT tenant, max(started_at) FROM ingest_jobs WHERE started_at IS NOT NULL GROUP BY tenant")
    return {row[0]: row[1] for row in rows}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _dump_json(value: Any) -> str | None:
    return None if value is None else str(value.model_dump_json())


def _parse_row(row: Any) -> dict[str, Any]:
    """Return the columns of a summary, and the report, with their JSON parsed."""
    fields = {name: row[name] for name in row.keys() if name in Job.model_fields}  # noqa: SIM118
    for name in {"sources", "progress", "report", "failure"} & set(fields):
        fields[name] = None if fields[name] is None else json.loads(fields[name])
    return {
        **fields,
        "retry_failed": bool(fields["retry_failed"]),
        "priority": _PRIORITY_NAMES[int(fields["priority"])],
    }


def _make_job(db: SqlConnection, row: Any, items_from: int = 0, items_limit: int = ROWS) -> Job:
    if row is None:
        raise NotFoundError("There is no such ingest job.")
    fields = _parse_row(row)
    if fields["report"] is not None:
        number = row["number"]
        page = "SELECT item FROM ingest_rows WHERE job = ? AND position >= ? ORDER BY position LIMIT ?"
        items = [json.loads(found["item"]) for found in db.execute(page, (number, items_from, items_limit))]
        kept = db.execute("SELECT count(*) FROM ingest_rows WHERE job = ?", (number,)).fetchone()[0]
        fields["report"] |= {"items_from": items_from, "items": items, "items_kept": kept}
    return Job.model_validate({**fields, "sources_total": len(fields["sources"])})
