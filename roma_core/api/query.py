"""``POST /query`` and ``GET /sources/{document_id}``."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse

from roma_core.answers import require_record_id
from roma_core.api.problems import make_problem, make_refusal
from roma_core.api.schemas import Identifier, QueryBody
from roma_core.api.sse import (
    ANSWER_ID,
    AnswerResponse,
    FollowResponse,
    log_client_gone,
    make_stopping_error,
    wait_until_gone,
)
from roma_core.errors import AgentFailure, ErrorCode, InputError, NotFoundError, request_id
from roma_core.excerpts import MOST_EXCERPT_CHARS, SourceText, cut_excerpt
from roma_core.types import CompleteEvent, ErrorEvent, Principal, StreamEvent, TailorOutput

if TYPE_CHECKING:
    from roma_core.app import Roma

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


def get_system(request: Request) -> Any:
    """Return the system of the caller's tenant. Raises ``ConfigError`` when its own settings cannot be read."""
    return request.app.state.roma.of_tenant(get_principal(request).tenant)


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
    idempotency_key: Annotated[
        str | None,
        Header(
            description="One question, one answer: the same key is the same answer, written to its end also when the "
            "client goes away.",
            min_length=1,
            max_length=200,
        ),
    ] = None,
) -> Response:
    """Answer from the ingested documents. Without a key the model's call stops when the client disconnects."""
    who, streams, roma = get_principal(request), request.app.state.streams, get_system(request)
    if last_event_id:
        return await _resume(request, last_event_id)
    query = body.query(who)
    if idempotency_key is not None:
        record_id = await roma.start_answer(query, key=idempotency_key, owner=who.subject)
        await roma.require_readable(record_id, who)
        if body.stream:
            return FollowResponse(roma.answers, who, record_id, 0, streams.closing)
        events = _drop_numbers(roma.answers.follow(who, record_id))
        return await answer_whole(request, events, _show_output, record_id)
    record_id = uuid.uuid4().hex
    events = roma.stream_query(query, record_id=record_id)
    if body.stream:
        is_followed = _make_watch(roma, who, record_id)
        stream = streams.start(events, who.subject, body.linger_s, stream_id=record_id, is_followed=is_followed)
        return AnswerResponse(stream)
    return await answer_whole(request, events, _show_output, record_id)


async def _resume(request: Request, last_event_id: str) -> Response:
    """Return the events behind ``last_event_id``: of a running stream of the caller, else of the answer's record."""
    who, streams, roma = get_principal(request), request.app.state.streams, get_system(request)
    found = streams.find(last_event_id, who.subject)
    if found is not None:
        stream, first = found
        if stream.done and first == len(stream.sent):
            return Response(status_code=204)  # the standard's word for a reader that need not come again
        return AnswerResponse(stream, first)
    record_id, first = require_record_id(last_event_id)
    if streams.is_of_another(record_id, who.subject):
        raise NotFoundError("This stream is no longer kept; ask again without Last-Event-ID.")
    return await follow_answer(roma, who, record_id, first, streams.closing)


async def follow_answer(roma: Roma, who: Principal, record_id: str, first: int, closing: asyncio.Event) -> Response:
    """Return the events of a recorded answer from number ``first`` on; 204 where none will come.

    Raises ``NotFoundError``, and ``InputError`` for a number that the answer has not reached.
    """
    await roma.require_readable(record_id, who)
    count, has_ended = await roma.answers.count_events(who, record_id)
    if first > count:
        raise InputError(
            f"This answer has {count} events, numbered from 0; send the id of one of them as Last-Event-ID."
        )
    if has_ended and first == count:
        return Response(status_code=204)
    return FollowResponse(roma.answers, who, record_id, first, closing)


def _make_watch(roma: Any, who: Principal, record_id: str) -> Callable[[], bool]:
    """Return the function that tells whether other clients follow an answer."""

    def is_followed() -> bool:
        live = roma.answers.find_live(who, record_id)
        return live is not None and live.is_followed

    return is_followed


async def _drop_numbers(events: AsyncGenerator[tuple[int, StreamEvent]]) -> AsyncGenerator[StreamEvent]:
    async with aclosing(events) as numbered:
        async for _, event in numbered:
            yield event


def _show_output(output: TailorOutput) -> bytes:
    return output.model_dump_json(exclude={"passages"}).encode()


async def answer_whole(
    request: Request, events: Any, show: Callable[[TailorOutput], bytes], record_id: str = ""
) -> Response:
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
    headers = {ANSWER_ID: record_id} if record_id else {}
    return Response(show(event.output), media_type="application/json", headers=headers)


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
    unmasked: Annotated[
        bool, Parameter(description="With the personal data that is masked; takes the permission `pii.read`.")
    ] = False,
) -> Response:
    """Return at most 100 000 code points of a document; continue with `offset`."""
    roma, who = get_system(request), get_principal(request)
    read = roma.unmasked if unmasked else roma.document
    found = await read(document_id, principal=who)
    if isinstance(found, AgentFailure):
        return make_problem(found)
    return JSONResponse(cut_excerpt(found, start, end, context=context, offset=offset).model_dump())
