"""``POST /query`` and ``GET /sources/{document_id}``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse

from roma_core.api.access import Principal
from roma_core.api.problems import make_problem, make_refusal
from roma_core.api.schemas import Identifier, QueryBody
from roma_core.api.sse import AnswerResponse, log_client_gone, make_stopping_error, wait_until_gone
from roma_core.errors import AgentFailure, ErrorCode, request_id
from roma_core.excerpts import MOST_EXCERPT_CHARS, SourceText, cut_excerpt
from roma_core.types import CompleteEvent, ErrorEvent, TailorOutput

router = APIRouter(tags=["answers"])

_EVENTS = """id: 2f6c…:0
event: stage
data: {"type":"stage","stage":"retrieved","elapsed_ms":21.4,"detail":{"n":20}}

id: 2f6c…:1
event: token
data: {"type":"token","text":"Set "}

id: 2f6c…:9
event: complete
data: {"type":"complete","output":{"answer":"Set `MLFLOW_DISABLE_TELEMETRY` … [1]","citations":[…]}}
"""


def get_principal(request: Request) -> Principal:
    """Return the caller that the gate admitted."""
    found: Principal = request.state.principal
    return found


@router.post(
    "/query",
    response_model=TailorOutput,
    summary="Ask a question",
    responses={
        200: {
            "description": "The answer with its citations; with `stream: true` its events, the last of which is "
            "`complete` or `error`.",
            "content": {"text/event-stream": {"example": _EVENTS}},
        }
    },
)
async def ask(
    request: Request,
    body: QueryBody,
    last_event_id: Annotated[
        str | None, Header(description="Resume the stream that this event belongs to, behind it.", max_length=100)
    ] = None,
) -> Response:
    """Answer from the ingested documents. The model's call stops when the client disconnects."""
    who, streams = get_principal(request), request.app.state.streams
    if last_event_id:
        found = streams.find(last_event_id, who.id)
        if found is None:
            said = "This stream is no longer kept; ask again without Last-Event-ID."
            return make_problem(make_refusal(said, ErrorCode.NOT_FOUND))
        stream, first = found
        if stream.done and first == len(stream.sent):
            return Response(status_code=204)  # the standard's word for a reader that need not come again
        return AnswerResponse(stream, first)
    events = request.app.state.roma.stream_query(body.query(who.tenant))
    if body.stream:
        return AnswerResponse(streams.start(events, who.id, body.linger_s))
    return await answer_whole(request, events, _show_output)


def _show_output(output: TailorOutput) -> bytes:
    return output.model_dump_json(exclude={"passages"}).encode()


async def answer_whole(request: Request, events: Any, show: Callable[[TailorOutput], bytes]) -> Response:
    """Return one JSON document, made by ``show``; the work stops when the client goes away or the service ends."""
    closing, path = request.app.state.streams.closing, request.url.path
    answer = asyncio.ensure_future(_await_terminal(events))
    gone = asyncio.ensure_future(wait_until_gone(request.receive))
    ending = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({answer, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            if not gone.done():
                return make_problem(AgentFailure.of("api", make_stopping_error()), path=path)
            log_client_gone(0, request_id.get())
            return Response(status_code=499)  # the client is gone
        event = answer.result()
    finally:
        for task in (answer, gone, ending):
            task.cancel()
        await asyncio.wait({answer})
    if isinstance(event, ErrorEvent):
        return make_problem(event.failure, counted=True, path=path)
    return Response(show(event.output), media_type="application/json")


async def _await_terminal(events: Any) -> CompleteEvent | ErrorEvent:
    async with aclosing(events) as source:
        async for event in source:
            if isinstance(event, CompleteEvent | ErrorEvent):
                return event
    return ErrorEvent(failure=make_refusal("The answer ended before it was complete.", ErrorCode.LLM_TRUNCATED))


@router.get("/sources/{document_id}", response_model=SourceText, summary="The text that a citation points into")
async def source(
    request: Request,
    document_id: Identifier,
    start: Annotated[int | None, Parameter(ge=0, le=2**53, description="Begin of the cited span.")] = None,
    end: Annotated[int | None, Parameter(ge=0, le=2**53, description="End of the cited span (not included).")] = None,
    context: Annotated[
        int, Parameter(ge=0, le=MOST_EXCERPT_CHARS // 2, description="Code points around the span.")
    ] = 2000,
    offset: Annotated[int, Parameter(ge=0, le=2**53, description="Without a span: where to begin.")] = 0,
) -> Response:
    """Return at most 100 000 code points of a document; continue with `offset`."""
    found = await request.app.state.roma.document(document_id, tenant=get_principal(request).tenant)
    if isinstance(found, AgentFailure):
        return make_problem(found)
    return JSONResponse(cut_excerpt(found, start, end, context=context, offset=offset).model_dump())
