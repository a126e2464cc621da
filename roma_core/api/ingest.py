"""``/ingest``: jobs that are accepted at once, done in the background, watched and cancelled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import StreamingResponse

from roma_core.api.jobs import FINAL, MOST_ROWS, ROWS, Job, JobSummary
from roma_core.api.query import get_principal, get_system
from roma_core.api.schemas import IDENTIFIER, Identifier, IngestBody
from roma_core.api.sse import KEEP_ALIVE_S, make_stopping_error
from roma_core.connectors.sources import redact_uri
from roma_core.errors import AccessError, AgentFailure, ErrorCode, guarded
from roma_core.telemetry import metrics
from roma_core.types import ErrorEvent, Principal, SourceRecord

router = APIRouter(prefix="/ingest", tags=["ingest"])
LOOK_S = 0.5
"""How often a watched job is looked at; it may be run by another process."""
MOST_WATCHED = 50
"""Streams that one caller may have open: each looks by itself."""
From = Annotated[int, Parameter(ge=0, le=2**31, description="Number of the report's first row to send, from 0.")]
Limit = Annotated[int, Parameter(ge=1, le=MOST_ROWS, description="Most rows of the report to send.")]
_EVENTS = 'event: job\ndata: {"id":"…","state":"running","progress":{"done":3,"counts":{"added":3}}}\n'


@router.post("", status_code=202, response_model=Job, summary="Ingest sources in the background")
async def enqueue(
    request: Request,
    response: Response,
    body: IngestBody,
    idempotency_key: Annotated[
        str | None, Header(pattern=IDENTIFIER, description="The same key gives the same job, never a second one.")
    ] = None,
) -> Job:
    """Store a job and return it; it survives a restart of the server.

    A source that would be refused is refused here, and again when the job is run. A token's paths and Drive addresses
    must be in `ROMA_INGEST_ROOTS`; an address must not hold a user name or password.
    """
    app, who, roma = request.app, get_principal(request), get_system(request)
    # Somebody on this machine without a token may read what they can read anyhow.
    within = None if who.signed_in_by == "local" else roma.settings.serving.ingest_roots
    await roma.check(*body.sources, within=within)
    await roma.require_collections(*body.sources, collection=body.collection, principal=who, within=within)
    if body.collection is not None:
        await roma.assign_collection(*body.sources, collection=body.collection, tenant=who.tenant, within=within)
    redacted = [redact_uri(source) for source in body.sources]
    await roma.log_action(who, "ingest", sources=redacted, collection=body.collection)
    options = {"retry_failed": body.retry_failed, "key": idempotency_key, "confined": within is not None}
    options |= {"submitter": who.subject, "priority": body.priority}
    job: Job = await asyncio.to_thread(app.state.jobs.add, body.sources, who.tenant, **options)
    app.state.worker.wake()
    response.headers["Location"] = f"/ingest/{job.id}"
    return job


@router.get("", response_model=list[JobSummary], summary="Jobs, the newest first")
async def jobs(request: Request) -> list[JobSummary]:
    """Return at most 100 jobs, with states and counts; the rows of a report are at `GET /ingest/{job_id}`."""
    who = get_principal(request)
    return list(await asyncio.to_thread(request.app.state.jobs.list, who.tenant, submitter=_find_submitter(who)))


@router.get("/sources", response_model=list[SourceRecord], summary="Sources, with how their last sync went")
async def sources(request: Request) -> list[SourceRecord]:
    """Sources that were added by name, stand in `roma.toml`, or were ingested; without headers and cookie files.

    None for a caller from whom grants withhold documents: addresses would name them.
    """
    roma, who = get_system(request), get_principal(request)
    if not (await roma.grants.find_scope(who)).is_everything:
        return []
    records: list[SourceRecord] = await roma.sources.all(who.tenant)
    hidden: dict[str, object] = {"headers": {}, "cookies": None}
    return [
        record.model_copy(update={"uri": redact_uri(record.uri), "options": record.options.model_copy(update=hidden)})
        for record in records
    ]


@router.delete("/sources", summary="Remove a source with the documents that no other one lists")
async def remove_source(
    request: Request,
    source: Annotated[str, Parameter(min_length=1, max_length=4096, description="Its address or its name.")],
) -> dict[str, object]:
    """Return how many documents went. `roma restore` brings them back for `ROMA_SOURCE_UNDO_DAYS`."""
    report = await get_system(request).sources.remove(source, get_principal(request).tenant)
    return {"run_id": report.run_id, "counts": report.counts()}


@router.get(
    "/{job_id}",
    response_model=Job,
    summary="How far a job is, and what it did",
    responses={200: {"content": {"text/event-stream": {"example": _EVENTS}}}},
)
async def watch(
    request: Request,
    job_id: Identifier,
    items_from: From = 0,
    items_limit: Limit = ROWS,
    accept: Annotated[str, Header(description="`text/event-stream` streams each change until the job ends.")] = "",
) -> Response:
    """Return one JSON document, or stream it at each change up to its final state or an `error`.

    `report.items` has a page of the rows: failed, added, updated, deleted, skipped, unchanged, each by URI.
    """
    who, queue = get_principal(request), request.app.state.jobs

    def look() -> Job:
        found: Job = queue.get(job_id, who.tenant, items_from, items_limit, submitter=_find_submitter(who))
        return found

    job = await asyncio.to_thread(look)
    if "text/event-stream" in accept:
        state = request.app.state
        events = _count_stream(state.watched, who.subject, _watch_changes(job, look, state.streams.closing))
        return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    return Response(job.model_dump_json(), media_type="application/json")


def _count_stream(open_now: Counter[str], who: str, events: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Return ``events``, counted while they are sent. Raises ``AccessError`` (rate limit) over ``MOST_WATCHED``."""
    if open_now[who] >= MOST_WATCHED:
        raise AccessError(
            f"{MOST_WATCHED} streams of jobs are open already; close some, or ask without a stream.",
            ErrorCode.ACCESS_RATE_LIMIT,
            retry_after_s=LOOK_S,
        )

    async def counted() -> AsyncGenerator[bytes]:
        open_now[who] += 1
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        finally:
            open_now[who] -= 1

    return counted()


async def _watch_changes(job: Job, look: Callable[[], Job], closing: asyncio.Event) -> AsyncGenerator[bytes]:
    """Yield the job at each change. The end of the client or of the service ends this, never the job."""
    number, idle_s = 0, 0.0
    while True:
        yield f"id: {number}\nevent: job\ndata: {job.model_dump_json()}\n\n".encode()
        seen = job
        while job == seen:
            if job.state in FINAL:
                return
            await asyncio.sleep(LOOK_S)
            idle_s += LOOK_S
            if idle_s >= KEEP_ALIVE_S:
                idle_s = 0.0
                yield b": keep-alive\n\n"
            found = await guarded("api", asyncio.to_thread(look))
            if closing.is_set():
                found = AgentFailure.of("api", make_stopping_error())
            if isinstance(found, AgentFailure):  # the job was forgotten, or the workspace is away
                metrics.count_failure(found)
                yield f"event: error\ndata: {ErrorEvent(failure=found).model_dump_json()}\n\n".encode()
                return
            job = found
        number, idle_s = number + 1, 0.0


@router.delete("/{job_id}", response_model=Job, summary="Cancel a job")
async def cancel(request: Request, job_id: Identifier) -> Job:
    """Stop a job; its documents so far stay. A running one stops within about a second, as `cancelled`."""
    who = get_principal(request)
    job: Job = await asyncio.to_thread(
        request.app.state.jobs.cancel, job_id, who.tenant, submitter=_find_submitter(who)
    )
    return job


def _find_submitter(who: Principal) -> str | None:
    """Return whose jobs a caller may see: None for all of its tenant."""
    return None if who.may("documents.read_all") else who.subject
