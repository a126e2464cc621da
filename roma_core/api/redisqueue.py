"""The queue of ingest jobs in Redis, for servers on several hosts: the same promises as the one in SQLite.

Each method reads what it needs and writes it back in one transaction that only happens when nobody else has written
meanwhile (``WATCH``), so two servers never claim one job. Leases run by the clock of Redis. What waits or runs is small
and read whole; what has ended lies apart.

Redis keeps what it is told to keep: without ``appendonly yes`` a crash of its host loses the jobs of the last moments.
"""

from __future__ import annotations

import builtins
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from roma_core.api import jobqueue
from roma_core.api.jobqueue import make_crowded_error, make_dead_failure
from roma_core.api.jobs import (
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
from roma_core.connectors.sources import redact_uri
from roma_core.errors import ErrorCode, NotFoundError, StoreError
from roma_core.redisserver import RedisServer
from roma_core.types import Noun, digest

T = TypeVar("T")

PREFIX: Final = "roma:ingest"
MOST_TRIES: Final = 200


class StoredJob(Noun):
    """A job as it lies in Redis."""

    number: int
    id: str
    tenant: str
    sources: tuple[str, ...]
    """Without secrets."""
    addresses: tuple[str, ...] = ()
    """As given; empty when the job has ended."""
    confined: bool
    retry_failed: bool
    key: str | None = None
    submitter: str | None = None
    priority: JobPriority = "normal"
    state: str = "queued"
    attempts: int = 0
    owner: str | None = None
    lease_until: float = 0.0
    cancel: bool = False
    progress: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None

    def end(self, state: str, **outcome: Any) -> StoredJob:
        """Return the job as it has ended, without its addresses."""
        ended = {"state": state, "finished_at": _now(), "owner": None, "lease_until": 0.0, "addresses": ()}
        return self.model_copy(update={**ended, **outcome})


Beyond = tuple[list[StoredJob], list[str]]
"""Ended jobs that are to be forgotten, and the ids of those whose rows are."""


class RedisJobQueue:
    """``JobQueue`` in Redis. Every method is one transaction and raises ``StoreError``."""

    def __init__(self, url: str, clock: Callable[[], float] | None = None, *, prefix: str = PREFIX) -> None:
        """``prefix`` begins all keys: several services may share one Redis. Raises ``ConfigError`` for no address."""
        self._server = RedisServer(url, setting="ROMA_QUEUE_URL", use="The queue", decode_responses=True)
        self._redis = self._server.client
        self._clock = clock
        self._live, self._ended = f"{prefix}:live", f"{prefix}:ended"
        self._keys, self._served = f"{prefix}:keys", f"{prefix}:served"
        self._numbers, self._version = f"{prefix}:number", f"{prefix}:version"
        self._prefix = prefix

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
        """Enqueue a job, see ``JobQueue``."""
        key = name_key(key, submitter)
        name = "" if key is None else digest(tenant, key)

        def work(pipe: Any) -> Callable[[], Job]:
            known = pipe.hget(self._keys, name) if name else None
            if known is not None and (job := self._find(pipe, str(known), tenant, None)) is not None:
                return lambda: self._make_job(job)
            live = self._read_live(pipe)
            if sum(each.tenant == tenant and each.state == "queued" for each in live) >= jobqueue.MOST_WAITING:
                raise make_crowded_error()
            made = StoredJob(
                number=int(pipe.get(self._numbers) or 0) + 1,
                id=uuid.uuid4().hex,
                tenant=tenant,
                sources=tuple(redact_uri(source) for source in sources),
                addresses=tuple(sources),
                confined=confined,
                retry_failed=retry_failed,
                key=name or None,
                submitter=submitter,
                priority=priority,
                created_at=_now(),
            )
            pipe.multi()
            pipe.set(self._numbers, made.number)
            pipe.hset(self._live, made.id, made.model_dump_json())
            if name:
                pipe.hset(self._keys, name, made.id)
            return lambda: self._make_job(made)

        return self._transact(work)

    def get(
        self, job_id: str, tenant: str, items_from: int = 0, items_limit: int = ROWS, *, submitter: str | None = None
    ) -> Job:
        """Return the job with a page of its report, see ``JobQueue``."""
        with self._server.translate_errors():
            job = self._find(self._redis, job_id, tenant, submitter)
            if job is None:
                raise NotFoundError("There is no such ingest job.")
            return self._make_job(job, items_from, items_limit)

    def list(self, tenant: str, limit: int = 100, *, submitter: str | None = None) -> tuple[JobSummary, ...]:
        """Return the tenant's jobs, the newest first, see ``JobQueue``."""
        with self._server.translate_errors():
            jobs = [job for job in self._read_live(self._redis) if job.tenant == tenant]
            ids = self._redis.zrange(self._history(tenant), 0, -1, desc=True)
            jobs += self._read_ended(ids)
        chosen = [job for job in jobs if submitter is None or job.submitter == submitter]
        chosen.sort(key=lambda job: -job.number)
        return tuple(_summarise(job) for job in chosen[:limit])

    def cancel(self, job_id: str, tenant: str, *, submitter: str | None = None) -> Job:
        """Cancel a queued job at once and a running one at its next beat, see ``JobQueue``."""

        def work(pipe: Any) -> Callable[[], Job]:
            job = self._find(pipe, job_id, tenant, submitter)
            if job is None:
                raise NotFoundError("There is no such ingest job.")
            if job.state == "queued":
                ended = job.end("cancelled")
                beyond = self._find_beyond(pipe, tenant)
                pipe.multi()
                self._store_ended(pipe, ended, beyond)
                return lambda: self._make_job(ended)
            pipe.multi()
            if job.state == "running":
                job = job.model_copy(update={"cancel": True})
                pipe.hset(self._live, job.id, job.model_dump_json())
            return lambda: self._make_job(job)

        return self._transact(work)

    def claim(self, owner: str) -> ClaimedJob | None:
        """Lease a waiting job, or one whose holder has died, see ``JobQueue``."""

        def work(pipe: Any) -> Callable[[], ClaimedJob | None]:
            now = self._read_clock()
            live = self._read_live(pipe)
            buried = [ended for job in live if (ended := _bury(job, now)) is not None]
            gone = {job.id for job in buried}
            live = [job for job in live if job.id not in gone]
            served: dict[str, str] = pipe.hgetall(self._served)
            chosen = choose_job(live, served, now)
            beyond = {job.tenant: self._find_beyond(pipe, job.tenant) for job in buried}
            pipe.multi()
            for job in buried:
                self._store_ended(pipe, job, beyond[job.tenant])
            if chosen is None:
                return lambda: None
            leased = chosen.model_copy(
                update={
                    "state": "running",
                    "owner": owner,
                    "lease_until": now + jobqueue.LEASE_S,
                    "attempts": chosen.attempts + 1,
                    "started_at": chosen.started_at or _now(),
                }
            )
            pipe.hset(self._live, leased.id, leased.model_dump_json())
            pipe.hset(self._served, leased.tenant, max(leased.started_at or "", served.get(leased.tenant, "")))
            flags = (leased.confined, leased.retry_failed)
            return lambda: ClaimedJob(leased.id, leased.tenant, leased.addresses, *flags, leased.attempts)

        return self._transact(work)

    def beat(self, job_id: str, owner: str, progress: JobProgress | None) -> BeatAnswer:
        """Renew the lease and store the progress, see ``JobQueue``."""

        def work(pipe: Any) -> Callable[[], BeatAnswer]:
            job = self._find_held(pipe, job_id, owner)
            pipe.multi()
            if job is None:
                return lambda: "lost"
            lease = {"lease_until": self._read_clock() + jobqueue.LEASE_S, "progress": _as_json(progress)}
            pipe.hset(self._live, job.id, job.model_copy(update=lease).model_dump_json())
            return lambda: "cancel" if job.cancel else "go on"

        return self._transact(work)

    def finish(self, job_id: str, owner: str, ending: JobOutcome) -> bool:
        """Store the outcome; return False when the lease was lost, see ``JobQueue``."""

        def work(pipe: Any) -> Callable[[], bool]:
            job = self._find_held(pipe, job_id, owner)
            if job is None:
                pipe.multi()
                return lambda: False
            outcome = {name: _as_json(getattr(ending, name)) for name in ("progress", "report", "failure")}
            beyond = self._find_beyond(pipe, job.tenant)
            pipe.multi()
            self._store_ended(pipe, job.end(ending.state, **outcome), beyond)
            if ending.rows:
                pipe.rpush(self._rows(job.id), *(item.model_dump_json() for item in ending.rows))
            return lambda: True

        return self._transact(work)

    def release(self, job_id: str, owner: str) -> None:
        """Return an unfinished job to the queue, see ``JobQueue``."""

        def work(pipe: Any) -> Callable[[], None]:
            job = self._find_held(pipe, job_id, owner)
            pipe.multi()
            if job is not None:
                waiting = {"state": "queued", "owner": None, "lease_until": 0.0, "attempts": job.attempts - 1}
                pipe.hset(self._live, job.id, job.model_copy(update=waiting).model_dump_json())
            return lambda: None

        self._transact(work)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state."""
        with self._server.translate_errors():
            states = [job.state for job in self._read_live(self._redis)]
            states += [job.state for job in map(_parse, self._redis.hvals(self._ended))]
        return {state: states.count(state) for state in ("queued", "running", "done", "failed", "cancelled")}

    def count_live(self, tenant: str) -> int:
        """Return the number of jobs of a tenant that wait or run."""
        with self._server.translate_errors():
            return sum(job.tenant == tenant for job in self._read_live(self._redis))

    def forget_ended(
        self, tenant: str, *, submitter: str | None = None, before: datetime | None = None, counts_only: bool = False
    ) -> int:
        """Remove the jobs of a tenant that have ended, with their reports, see ``JobQueue``."""

        def is_meant(job: StoredJob) -> bool:
            is_old = before is None or datetime.fromisoformat(str(job.finished_at)) < before
            return is_old and submitter in {None, job.submitter}

        def work(pipe: Any) -> Callable[[], int]:
            history = pipe.zrange(self._history(tenant), 0, -1)
            texts = pipe.hmget(self._ended, history) if history else []
            meant = [job for job in map(_parse, filter(None, texts)) if is_meant(job)]
            live = [job for job in self._read_live(pipe) if job.tenant == tenant]
            if counts_only:
                return lambda: len(meant)
            pipe.multi()
            for job in meant:
                self._forget(pipe, job)
            if submitter is not None and before is None:
                for job in live:
                    if job.submitter == submitter:
                        nameless = job.model_copy(update={"submitter": None})
                        pipe.hset(self._live, job.id, nameless.model_dump_json())
            if submitter is None and before is None and not live:
                pipe.hdel(self._served, tenant)
            return lambda: len(meant)

        return self._transact(work)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    # Inside

    def _transact(self, work: Callable[[Any], Callable[[], T]]) -> T:
        """Run ``work``: it reads, calls ``multi`` and writes; what it returns makes the result after the commit."""
        from redis import WatchError

        with self._server.translate_errors():
            for _ in range(MOST_TRIES):
                with self._redis.pipeline() as pipe:
                    pipe.watch(self._version)
                    finish = work(pipe)
                    if not pipe.explicit_transaction:
                        return finish()  # nothing is to be written
                    pipe.incr(self._version)
                    try:
                        pipe.execute()
                    except WatchError:
                        continue
                return finish()
        raise StoreError("Too many servers write to the queue at once; try again.", ErrorCode.STORAGE_LOCKED)

    def _read_live(self, source: Any) -> builtins.list[StoredJob]:
        return sorted(map(_parse, source.hvals(self._live)), key=lambda job: job.number)

    def _read_ended(self, ids: Sequence[str]) -> builtins.list[StoredJob]:
        found = self._redis.hmget(self._ended, ids) if ids else []
        return [_parse(text) for text in found if text is not None]

    def _find(self, source: Any, job_id: str, tenant: str, submitter: str | None) -> StoredJob | None:
        text = source.hget(self._live, job_id) or source.hget(self._ended, job_id)
        job = None if text is None else _parse(text)
        if job is None or job.tenant != tenant or submitter not in {None, job.submitter}:
            return None
        return job

    def _find_held(self, source: Any, job_id: str, owner: str) -> StoredJob | None:
        text = source.hget(self._live, job_id)
        job = None if text is None else _parse(text)
        return job if job is not None and job.state == "running" and job.owner == owner else None

    def _find_beyond(self, source: Any, tenant: str) -> Beyond:
        """Return the ended jobs of a tenant that are to be forgotten when one more ends, and those without rows."""
        ids = source.zrange(self._history(tenant), 0, -1, desc=True)
        texts = source.hmget(self._ended, ids[jobqueue.KEPT - 1 :]) if len(ids) >= jobqueue.KEPT else []
        forgotten = [_parse(text) for text in texts if text is not None]
        return forgotten, ids[jobqueue.KEPT_REPORTS - 1 :]

    def _store_ended(self, pipe: Any, job: StoredJob, beyond: Beyond) -> None:
        forgotten, without_rows = beyond
        pipe.hdel(self._live, job.id)
        pipe.hset(self._ended, job.id, job.model_dump_json())
        pipe.zadd(self._history(job.tenant), {job.id: job.number})
        for job_id in without_rows:
            pipe.delete(self._rows(job_id))
        for old in forgotten:
            self._forget(pipe, old)

    def _forget(self, pipe: Any, job: StoredJob) -> None:
        """Remove a job that has ended, with the rows of its report."""
        pipe.delete(self._rows(job.id))
        pipe.hdel(self._ended, job.id)
        pipe.zrem(self._history(job.tenant), job.id)
        if job.key is not None:
            pipe.hdel(self._keys, job.key)

    def _make_job(self, job: StoredJob, items_from: int = 0, items_limit: int = ROWS) -> Job:
        fields = _describe(job)
        if job.report is not None:
            rows = self._rows(job.id)
            page = self._redis.lrange(rows, items_from, items_from + items_limit - 1) if items_limit else []
            items = [json.loads(row) for row in page]
            kept = self._redis.llen(rows)
            fields["report"] = {**job.report, "items_from": items_from, "items": items, "items_kept": kept}
        return Job.model_validate({**fields, "sources_total": len(job.sources)})

    def _history(self, tenant: str) -> str:
        return f"{self._prefix}:history:{tenant}"

    def _rows(self, job_id: str) -> str:
        return f"{self._prefix}:rows:{job_id}"

    def _read_clock(self) -> float:
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)


def _bury(job: StoredJob, now: float) -> StoredJob | None:
    """Return a job whose holder died as it ends: cancelled if requested, failed if it keeps killing its holders."""
    if job.state != "running" or job.lease_until >= now:
        return None
    if job.cancel:
        return job.end("cancelled")
    if job.attempts >= jobqueue.MOST_ATTEMPTS:
        return job.end("failed", failure=_as_json(make_dead_failure()))
    return None


def _describe(job: StoredJob) -> dict[str, Any]:
    held = job.model_dump()
    return {name: held[name] for name in Job.model_fields if name in held}


def _summarise(job: StoredJob) -> JobSummary:
    fields = {name: value for name, value in _describe(job).items() if name in JobSummary.model_fields}
    return JobSummary(**{**fields, "sources": job.sources[: jobqueue.SHOWN_SOURCES], "sources_total": len(job.sources)})


def _parse(text: str) -> StoredJob:
    return StoredJob.model_validate_json(text)


def _as_json(value: Any) -> Any:
    return None if value is None else value.model_dump(mode="json")


def _now() -> str:
    return datetime.now(UTC).isoformat()
