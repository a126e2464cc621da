"""``/ingest``: jobs that are accepted at once, done in the background, watched and cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from roma_core.api.access import Principal
from roma_core.api.jobs import FINAL, Job
from roma_core.api.query import principal
from roma_core.api.schemas import IDENTIFIER, Identifier, IngestBody
from roma_core.api.sse import KEEP_ALIVE_S
from roma_core.errors import AccessError, ErrorCode
from roma_core.settings import Settings

router = APIRouter(prefix="/ingest", tags=["ingest"])
LOOK_S = 0.5
"""How often a watched job is looked at; it may be run by another process."""


@router.post("", status_code=202, response_model=Job, summary="Ingest sources in the background")
async def enqueue(
    request: Request,
    response: Response,
    body: IngestBody,
    idempotency_key: Annotated[
        str | None, Header(pattern=IDENTIFIER, description="The same key gives the same job, never a second one.")
    ] = None,
) -> Job:
    """The job is on disk when this answers: it outlives the server."""
    app, who = request.app, principal(request)
    for source in body.sources:
        await asyncio.to_thread(check_source, source, who, app.state.roma.settings)
    job: Job = await asyncio.to_thread(
        app.state.jobs.add, body.sources, who.tenant, retry_failed=body.retry_failed, key=idempotency_key
    )
    app.state.worker.wake()
    response.headers["Location"] = f"/ingest/{job.id}"
    return job


@router.get("", response_model=list[Job], summary="Jobs, the newest first")
async def jobs(request: Request) -> list[Job]:
    """At most 100."""
    return list(await asyncio.to_thread(request.app.state.jobs.list, principal(request).tenant))


@router.get(
    "/{job_id}",
    response_model=Job,
    summary="How far a job is",
    responses={
        200: {"content": {"text/event-stream": {"example": 'event: job\ndata: {"id":"…","state":"running"}\n'}}}
    },
)
async def watch(
    request: Request,
    job_id: Identifier,
    accept: Annotated[str, Header(description="`text/event-stream` streams each change until the job ends.")] = "",
) -> Response:
    """One JSON document, or a stream of them."""
    tenant = principal(request).tenant
    job: Job = await asyncio.to_thread(request.app.state.jobs.get, job_id, tenant)
    if "text/event-stream" in accept:
        return StreamingResponse(_changes(request, job), media_type="text/event-stream")
    return Response(job.model_dump_json(), media_type="application/json")


async def _changes(request: Request, job: Job) -> AsyncIterator[bytes]:
    """The job at each change; the last one is final. A client that goes away ends this, never the job."""
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
            job = await asyncio.to_thread(request.app.state.jobs.get, job.id, job.tenant)
        number, idle_s = number + 1, 0.0


@router.delete("/{job_id}", response_model=Job, summary="Cancel a job")
async def cancel(request: Request, job_id: Identifier) -> Job:
    """What was ingested so far stays. A running job stops within about a second; its state then is `cancelled`."""
    job: Job = await asyncio.to_thread(request.app.state.jobs.cancel, job_id, principal(request).tenant)
    return job


def check_source(source: str, who: Principal, settings: Settings) -> None:
    """A token must not read any file of the server: paths lie in ``ROMA_INGEST_ROOTS``. Raises ``AccessError``.

    Somebody on this machine without a token may read what they can read anyhow.
    """
    remote = source.startswith(("https://", "http://", "gdrive://"))
    if remote or who.id == "local":
        return
    place = Path(source.removeprefix("file://")).resolve()
    if not any(place.is_relative_to(root.resolve()) for root in settings.ingest_roots):
        raise AccessError(
            "This path is not in ROMA_INGEST_ROOTS, the folders that may be ingested over HTTP.",
            ErrorCode.ACCESS_FORBIDDEN,
        )
