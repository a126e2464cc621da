"""``/answers``: records of answers, their events for any number of clients, and stopping."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter

from roma_core.answers import AnswerRecord, AnswerSummary, require_record_id
from roma_core.api.downloads import FILE_CONTENT, FormatParameter, make_download
from roma_core.api.query import follow_answer, get_principal, get_system
from roma_core.api.schemas import IDENTIFIER, Identifier
from roma_core.errors import NotFoundError
from roma_core.transcripts import collect_answer, make_file

router = APIRouter(tags=["answers"])


@router.get("/answers", summary="Answers, the newest first")
async def answers(
    request: Request,
    session_id: Annotated[str | None, Parameter(pattern=IDENTIFIER, description="Of this conversation alone.")] = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[AnswerSummary]:
    """Return the caller's own answers with their states, those that are being written included."""
    found: list[AnswerSummary] = await get_system(request).answers.list(get_principal(request), session_id, limit)
    return found


@router.get("/answers/{record_id}", summary="Everything that made an answer", response_model=AnswerRecord)
async def answer(request: Request, record_id: Identifier) -> Response:
    """Return the question, settings, stages, candidates, prompt, raw words, verdicts and events of an answer."""
    record: AnswerRecord = await get_system(request).answer_record(record_id, get_principal(request))
    return Response(record.model_dump_json(), media_type="application/json")


@router.get(
    "/answers/{record_id}/events",
    summary="Follow an answer",
    responses={200: {"description": "The events, as of `POST /query`.", "content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    record_id: Identifier,
    last_event_id: Annotated[str | None, Header(description="Go on behind this event.", max_length=100)] = None,
) -> Response:
    """Send the events of an answer from its first on, or behind `Last-Event-ID`, until its last one."""
    who, roma = get_principal(request), get_system(request)
    first = 0
    if last_event_id:
        of_answer, first = require_record_id(last_event_id)
        if of_answer != record_id:
            raise NotFoundError("Last-Event-ID belongs to another answer.")
    return await follow_answer(roma, who, record_id, first, request.app.state.streams.closing)


@router.get(
    "/answers/{record_id}/export",
    summary="An answer as a file with its proof",
    response_class=Response,
    responses={200: {"description": "Markdown, DOCX, PDF or BibTeX, as a download.", "content": FILE_CONTENT}},
)
async def export(request: Request, record_id: Identifier, file_format: FormatParameter = "md") -> Response:
    """Return an answer with a footnote for each citation: quote, source, place, offsets and SHA-256."""
    roma, who = get_system(request), get_principal(request)
    transcript = await collect_answer(roma, who, record_id, str(request.base_url))
    return make_download(await asyncio.to_thread(make_file, transcript, file_format))


@router.post("/answers/{record_id}/stop", status_code=202, summary="Stop an answer that is being written")
async def stop(request: Request, record_id: Identifier) -> None:
    """Stop the model's call; an answer that has ended stays as it is."""
    await get_system(request).answers.stop(get_principal(request), record_id)
