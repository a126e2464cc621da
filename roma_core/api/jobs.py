"""Ingest jobs as clients see them: progress, outcome, and the rows of their reports.

Addresses are redacted before a job is stored or shown. Only the addresses that a waiting or running job still has to
read are stored unchanged, separately, until it ends (``jobqueue``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

from pydantic import Field

from roma_core.connectors.sources import redact_failure, redact_uri
from roma_core.errors import AgentFailure
from roma_core.redaction.rules import SECRETS, redact
from roma_core.types import LOCAL_USER, IngestionReport, IngestItem, ItemState, Noun, digest

if TYPE_CHECKING:
    from roma_core.ingestion import IngestProgress

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JobPriority = Literal["low", "normal", "high"]
PRIORITIES: Final[Mapping[JobPriority, int]] = {"low": -1, "normal": 0, "high": 1}
"""Order of a tenant's own jobs; between tenants it decides nothing."""
FINAL: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})
ROWS = 100
"""Rows of a report that one answer has unless it is asked for others."""
MOST_ROWS = 1000
"""Rows that one answer can have."""
KEPT_ROWS = 10_000
"""Rows of a report that are kept, those first that need a person's attention; the ledger has all."""
KEPT_FAILURES = 100
_ORDER: Sequence[ItemState] = ("failed", "added", "updated", "deleted", "missing", "skipped", "unchanged")


class JobProgress(Noun):
    """Progress of a job."""

    listed: int = Field(description="Items met so far.")
    listing: bool = Field(description="Whether there may be more.")
    done: int = Field(description="Listed items that have ended.")
    counts: dict[ItemState, int] = Field(description="Items by the state they ended in.")
    per_s: float = Field(description="Ended items a second.")
    uri: str = Field(default="", description="The item that ended last.")

    @classmethod
    def at(cls, now: IngestProgress) -> JobProgress:
        """Return the progress of a running ingest, with its last address redacted."""
        fields = {"listed": now.listed, "listing": now.listing, "done": now.done, "per_s": now.per_s}
        return cls(**fields, counts=now.counts, uri=redact_uri(now.uri))

    @classmethod
    def after(cls, report: IngestionReport) -> JobProgress:
        """Return the progress of an ingest that has ended."""
        counts = {state: n for state in _ORDER if (n := report.counts()[state])}
        done = len(report.items) - counts.get("deleted", 0) - counts.get("missing", 0)
        per_s = done / report.seconds if report.seconds else 0.0
        return cls(listed=done, listing=False, done=done, counts=counts, per_s=per_s)


class JobReport(Noun):
    """A report of an ingest, a page of its rows at a time: failed, added, updated, deleted, skipped, unchanged."""

    run_id: str
    seconds: float
    items_total: int = Field(description="Rows of the whole report.")
    items_kept: int = Field(default=0, description="Rows that can still be asked for.")
    items_from: int = Field(default=0, description="Number of the first row in `items`.")
    items: tuple[IngestItem, ...] = ()
    failures_total: int
    failures: tuple[AgentFailure, ...] = Field(description="The first failures of whole sources.")


class JobSummary(Noun):
    """A job without its rows."""

    id: str
    tenant: str
    sources: tuple[str, ...] = Field(description="Without secrets. In a list of jobs the first three.")
    sources_total: int
    state: JobState
    priority: JobPriority = Field(default="normal", description="Its place among the tenant's own jobs.")
    retry_failed: bool = False
    attempts: int = 0
    progress: JobProgress | None = Field(default=None, description="None until the first item has ended.")
    failure: AgentFailure | None = Field(default=None, description="Why nothing worked, when the job `failed`.")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Job(JobSummary):
    """One requested ingest."""

    report: JobReport | None = Field(default=None, description="None until it has ended, or when it could not begin.")


@dataclass(frozen=True)
class ClaimedJob:
    """A job for its worker, with unredacted addresses. ``confined`` restricts them to ``ROMA_INGEST_ROOTS``."""

    id: str
    tenant: str
    sources: tuple[str, ...]
    confined: bool
    retry_failed: bool
    attempt: int


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job, as it is stored."""

    state: JobState
    progress: JobProgress | None = None
    failure: AgentFailure | None = None
    report: JobReport | None = None
    rows: Sequence[IngestItem] = ()

    @classmethod
    def of(cls, outcome: IngestionReport | AgentFailure | None, last: JobProgress | None = None) -> JobOutcome:
        """Return the outcome of an ingest; None stands for a cancelled one.

        An ingest in which nothing worked has failed, for its first reason.
        """
        if outcome is None:
            return cls("cancelled", last)
        if isinstance(outcome, AgentFailure):
            return cls("failed", last, redact_failure(outcome))
        why = outcome.first_failure if outcome.worked == "none" else None
        return cls(
            "failed" if why else "done",
            JobProgress.after(outcome),
            redact_failure(why) if why else None,
            _make_report(outcome),
            [_redact_item(item) for item in nsmallest(KEPT_ROWS, outcome.items, key=_rank)],
        )


BeatAnswer = Literal["go on", "cancel", "lost"]


def name_key(key: str | None, submitter: str | None) -> str | None:
    """Return a client's key as a queue keeps it: the same key of two users names two jobs."""
    if key is None or submitter in {None, LOCAL_USER}:
        return key
    return digest("job key", submitter or "", key)


class LiveJob(Protocol):
    """A job that waits or runs, as ``choose_job`` looks at it. ``lease_until`` is in seconds, 0 for one that waits."""

    @property
    def number(self) -> int: ...
    @property
    def tenant(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def priority(self) -> JobPriority: ...
    @property
    def lease_until(self) -> float: ...
    @property
    def addresses(self) -> Sequence[str]: ...


LiveJobT = TypeVar("LiveJobT", bound=LiveJob)


def choose_job(live: Sequence[LiveJobT], served: Mapping[str, str], now: float) -> LiveJobT | None:
    """Return the job that is to be claimed next; None when none may be.

    The tenant with the fewest jobs at work comes first, then the one that was served longest ago (``served``): none can
    fill the queue in front of the others. Among a tenant's jobs the priority decides, then their order. A job waits
    while another one of its tenant reads one of its addresses.
    """
    at_work = [job for job in live if job.state == "running" and job.lease_until >= now]
    held = {(job.tenant, address) for job in at_work for address in job.addresses}
    busy = Counter(job.tenant for job in at_work)

    def order(job: LiveJobT) -> tuple[int, str, int, int]:
        return busy[job.tenant], served.get(job.tenant, ""), -PRIORITIES[job.priority], job.number

    def is_free(job: LiveJobT) -> bool:
        return not any((job.tenant, address) in held for address in job.addresses)

    waiting = sorted((job for job in live if job.state == "queued" or job.lease_until < now), key=order)
    return next(filter(is_free, waiting), None)


class IngestQueue(Protocol):
    """A queue of ingest jobs. Blocking; each method is one transaction and raises ``StoreError``.

    ``JobQueue`` in SQLite or PostgreSQL says what each method promises; ``RedisJobQueue`` promises the same.
    """

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
    ) -> Job: ...

    def get(
        self, job_id: str, tenant: str, items_from: int = 0, items_limit: int = ROWS, *, submitter: str | None = None
    ) -> Job: ...

    def list(self, tenant: str, limit: int = 100, *, submitter: str | None = None) -> tuple[JobSummary, ...]: ...

    def cancel(self, job_id: str, tenant: str, *, submitter: str | None = None) -> Job: ...

    def claim(self, owner: str) -> ClaimedJob | None: ...

    def beat(self, job_id: str, owner: str, progress: JobProgress | None) -> BeatAnswer: ...

    def finish(self, job_id: str, owner: str, ending: JobOutcome) -> bool: ...

    def release(self, job_id: str, owner: str) -> None: ...

    def counts(self) -> dict[str, int]: ...

    def count_live(self, tenant: str) -> int: ...

    def forget_ended(
        self, tenant: str, *, submitter: str | None = None, before: datetime | None = None, counts_only: bool = False
    ) -> int: ...

    def close(self) -> None: ...


def _make_report(report: IngestionReport) -> JobReport:
    failures = tuple(redact_failure(failure) for failure in report.failures[:KEPT_FAILURES])
    return JobReport(
        run_id=report.run_id,
        seconds=report.seconds,
        items_total=len(report.items),
        failures_total=len(report.failures),
        failures=failures,
    )


def _rank(item: IngestItem) -> tuple[int, str]:
    return _ORDER.index(item.state), item.uri


def _redact_item(item: IngestItem) -> IngestItem:
    warnings = tuple(redact(warning, SECRETS) for warning in item.warnings)
    return item.model_copy(
        update={"uri": redact_uri(item.uri), "reason": redact(item.reason, SECRETS), "warnings": warnings}
    )
