"""Worker of the ingest jobs: several side by side. They fetch and parse at once, and write in turn."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from roma_core.api.jobs import ClaimedJob, IngestQueue, JobOutcome, JobProgress
from roma_core.errors import AgentFailure, RomaError, guarded
from roma_core.telemetry import logs, metrics
from roma_core.types import IngestionReport, Principal

if TYPE_CHECKING:
    from roma_core.ingestion import IngestProgress, OnProgress

BEAT_S = 1.0
FINISH_TRIES = 10
"""Attempts to store an outcome, a beat apart, before the job is left to be done again."""

Ingest = Callable[[ClaimedJob, "OnProgress"], Awaitable[IngestionReport]]
End = Literal["ended", "cancel", "lost"]


class _ProgressHolder:
    """Progress of an ingest: set by it at each item, read at each beat."""

    def __init__(self) -> None:
        self._now: IngestProgress | None = None

    def note(self, now: IngestProgress) -> None:
        """Record the progress."""
        self._now = now

    @property
    def progress(self) -> JobProgress | None:
        """Return the last progress, redacted; None before the first item."""
        return None if self._now is None else JobProgress.at(self._now)


class JobWorker:
    """Runner of a queue's jobs. A failed job does not stop it."""

    def __init__(
        self, queue: IngestQueue, ingest: Ingest, beat_s: float | None = None, *, side_by_side: int = 1
    ) -> None:
        """``side_by_side`` is how many jobs run at once."""
        self._queue = queue
        self._ingest = ingest
        self._beat_s = BEAT_S if beat_s is None else beat_s
        self._wakes = [asyncio.Event() for _ in range(side_by_side)]
        self._log = logs.get("jobs")

    def wake(self) -> None:
        """Look for a job now."""
        for wake in self._wakes:
            wake.set()

    async def run(self) -> None:
        """Work until cancelled; running jobs then go back to the queue."""
        async with asyncio.TaskGroup() as group:
            for wake in self._wakes:
                group.create_task(self._run_jobs(wake))

    async def _run_jobs(self, wake: asyncio.Event) -> None:
        """Run one job after the other."""
        owner = uuid.uuid4().hex
        while True:
            work = await self._call_queue(self._queue.claim, owner)
            if isinstance(work, ClaimedJob):
                worked = await guarded("jobs", self._work(work, owner))
                if isinstance(worked, AgentFailure):
                    self._log_failure("a job could not be run", worked)
                continue
            # None, or the workspace is away; it may come back
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), self._beat_s)
            wake.clear()

    async def _work(self, work: ClaimedJob, owner: str) -> None:
        with logs.request(work.id), logs.log_duration(self._log, "ingest job", attempt=work.attempt) as line:
            logs.serve(Principal.local(work.tenant))
            holder = _ProgressHolder()
            task = asyncio.ensure_future(guarded("ingest", self._ingest(work, holder.note)))
            try:
                end = await self._watch(work, owner, task, holder)
            except asyncio.CancelledError:
                await _cancel_and_wait(task)
                await asyncio.shield(self._call_queue(self._queue.release, work.id, owner))
                raise
            line["state"] = end
            if end != "lost":  # else another server has the job, and its outcome
                outcome = _read_outcome(task) if end == "ended" else None
                ending = await asyncio.to_thread(JobOutcome.of, outcome, holder.progress)
                line["state"] = ending.state
                self._report_failure(ending, outcome)
                await self._finish(work, owner, ending)

    async def _watch(self, work: ClaimedJob, owner: str, task: asyncio.Task[Any], holder: _ProgressHolder) -> End:
        """Beat until the task is done or must stop. A beat that fails (workspace unavailable) changes nothing."""
        while True:
            await asyncio.wait({task}, timeout=self._beat_s)
            beat = await self._call_queue(self._queue.beat, work.id, owner, holder.progress)
            told = beat if isinstance(beat, str) else "go on"
            if told == "lost" or (told == "cancel" and not task.done()):
                await _cancel_and_wait(task)
                return "lost" if told == "lost" else "cancel"
            if task.done():
                return "ended"

    async def _finish(self, work: ClaimedJob, owner: str, ending: JobOutcome) -> None:
        for _ in range(FINISH_TRIES):
            done = await self._call_queue(self._queue.finish, work.id, owner, ending)
            if not isinstance(done, AgentFailure):
                return
            await asyncio.sleep(self._beat_s)
        self._log_failure("an outcome could not be written, so the job will be done again", done)

    async def _call_queue(self, method: Callable[..., Any], *args: Any) -> Any:
        """Call the queue in a thread; an ``AgentFailure`` is counted."""
        answer = await guarded("jobs", asyncio.to_thread(method, *args))
        if isinstance(answer, AgentFailure):
            metrics.count_failure(answer)
        return answer

    def _report_failure(self, ending: JobOutcome, outcome: IngestionReport | AgentFailure | None) -> None:
        """Log a failed job. Counts an error that left no report; ``Roma.ingest`` counted the others."""
        if isinstance(outcome, AgentFailure):
            metrics.count_failure(outcome)
        if ending.failure is not None:
            self._log_failure("ingest job failed", ending.failure)

    def _log_failure(self, event: str, failure: AgentFailure) -> None:
        said = {"message": failure.message, "details": failure.details}
        self._log.warning(event, code=failure.code.value, failed_agent=failure.agent, **said)


async def _cancel_and_wait(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _read_outcome(task: asyncio.Task[Any]) -> IngestionReport | AgentFailure:
    """Return the result of a task; one that was cancelled from within becomes a failure, not a ``CancelledError``."""
    if task.cancelled():
        return AgentFailure.of("ingest", RomaError("The ingest was cancelled from within; please report it."))
    result: IngestionReport | AgentFailure = task.result()
    return result
