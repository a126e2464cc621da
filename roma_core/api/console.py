"""``/console`` and ``/read``: the page of the chat, its files, and what it asks for.

A browser signs in with a token as its password and sends it with every request below these paths. So the chat's routes
are here and not under ``/query``: the gate lets no page of another site use them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from pydantic import Field

from roma_core.api.access import find_permission
from roma_core.api.downloads import FormatParameter, make_download
from roma_core.api.problems import make_problem
from roma_core.api.query import get_principal, get_system
from roma_core.api.schemas import Body, Identifier, RenameBody
from roma_core.api.sse import EventResponse, StreamClient
from roma_core.errors import AgentFailure, NotFoundError
from roma_core.transcripts import SavedFile
from roma_core.ui.chat import ChatQuestion, ChatRating, ChatService, wire
from roma_core.ui.chat.assets import find_asset, read_page
from roma_core.ui.chat.service import read_place
from roma_core.ui.chat.uploads import require_right, view_job

pages = APIRouter(include_in_schema=False)
"""The page and its files, which are served at once."""
router = APIRouter(prefix="/console/api", include_in_schema=False)
"""Routes of the page's own requests."""

Choice = Annotated[str, Field(max_length=200)]


class ComparisonBody(Body):
    """What an answer is to be compared with."""

    changes: dict[Choice, Choice] = Field(min_length=1, max_length=10)


def returns(shape: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the shape of a response for the console's OpenAPI document, from which the page's types are made."""
    return {status: {"model": shape}}


Offset = Annotated[int | None, Parameter(ge=0, le=2**53)]


def get_chat(request: Request) -> ChatService:
    """Return the chat of the caller."""
    who = get_principal(request)
    return ChatService(get_system(request), who)


Chat = Annotated[ChatService, Depends(get_chat)]


@pages.get("/console")
@pages.get("/console/c/{conversation}")
@pages.get("/read/{document}")
async def page(request: Request) -> Response:
    """Return the page; what it shows depends on its address."""
    return Response(read_page(), media_type="text/html")


@pages.get("/console/")
async def without_slash() -> Response:
    """Lead to the console's own address."""
    return RedirectResponse("/console")


@pages.get("/console/assets/{name:path}")
async def asset(request: Request, name: str) -> Response:
    """Return a file that the page is made of; 304 when the browser has it."""
    found = find_asset(name)
    if found is None:
        raise NotFoundError("There is no such file.")
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.media_type, headers=headers)


@router.get("/state", responses=returns(wire.StateView))
async def state(request: Request, chat: Chat) -> Response:
    """Return the workspace as a new conversation shows it, and the other pages that the caller may open."""
    return JSONResponse({**await chat.state(), "pages": list_pages(request)})


def list_pages(request: Request) -> list[dict[str, str]]:
    """Return the pages beside the chat that are served and that the caller may open, each with its name."""
    pages: Mapping[str, str] = getattr(request.app.state, "pages", {})
    who = get_principal(request)
    return [{"path": path, "name": name} for path, name in pages.items() if who.may(find_permission(path))]


@router.get("/conversations", responses=returns(list[wire.ConversationItem]))
async def conversations(chat: Chat) -> Response:
    """Return the caller's conversations."""
    return JSONResponse(await chat.conversations())


@router.get("/conversations/{conversation}", responses=returns(wire.ConversationView))
async def conversation(
    chat: Chat, conversation: Identifier, most: Annotated[int, Parameter(ge=1, le=1000)] = 20
) -> Response:
    """Return the last turns of a conversation."""
    return JSONResponse(await chat.conversation(conversation, most))


@router.patch("/conversations/{conversation}", status_code=204)
async def rename(chat: Chat, conversation: Identifier, body: RenameBody) -> None:
    """Give a conversation another title."""
    await chat.rename(conversation, body.title)


@router.delete("/conversations/{conversation}", status_code=204)
async def delete(chat: Chat, conversation: Identifier) -> None:
    """Remove a conversation."""
    await chat.delete(conversation)


@router.post("/conversations/{conversation}/ask", status_code=202, responses=returns(wire.StartedAnswer, 202))
async def ask(
    chat: Chat,
    conversation: Identifier,
    body: ChatQuestion,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
) -> Response:
    """Begin an answer; the same key is the same answer."""
    return JSONResponse(await chat.ask(conversation, body, idempotency_key), status_code=202)


@router.post("/answers/{record_id}/compare", responses=returns(wire.ComparisonView))
async def compare(chat: Chat, record_id: Identifier, body: ComparisonBody) -> Response:
    """Return an answer beside what another model, prompt or reader makes of it."""
    return JSONResponse(await chat.compare(record_id, body.changes))


@router.get("/suggestions", responses=returns(list[str]))
async def suggestions(chat: Chat, text: Annotated[str, Parameter(max_length=200)]) -> Response:
    """Return questions with the typed words."""
    return JSONResponse(await chat.suggestions(text))


@router.get("/related", responses=returns(list[str]))
async def related(chat: Chat, text: Annotated[str, Parameter(max_length=2000)]) -> Response:
    """Return questions near to one that was asked."""
    return JSONResponse(await chat.related(text))


@router.put("/uploads/{name}", status_code=202, responses=returns(wire.StartedAnswer, 202))
async def upload(request: Request, chat: Chat, name: str) -> Response:
    """Keep a file and have it ingested; the answer names the upload."""
    app, who = request.app, get_principal(request)
    path = await chat.keep_upload(name, request.stream())
    # The file lies in the workspace and not in ROMA_INGEST_ROOTS; its name was chosen here.
    job = await asyncio.to_thread(app.state.jobs.add, [str(path)], who.tenant, submitter=who.subject, confined=False)
    app.state.worker.wake()
    return JSONResponse({"id": job.id}, status_code=202)


@router.get("/uploads/{job_id}", responses=returns(wire.UploadView))
async def upload_state(request: Request, job_id: Identifier) -> Response:
    """Return how far an upload is, and in the end the ledger's word on it."""
    who = get_principal(request)
    require_right(who)
    jobs = request.app.state.jobs
    job = await asyncio.to_thread(jobs.get, job_id, who.tenant, submitter=who.subject)
    return JSONResponse(view_job(job))


@router.put("/conversations/{conversation}/ratings/{answer_id}", status_code=204)
async def rate(chat: Chat, conversation: Identifier, answer_id: Identifier, body: ChatRating) -> None:
    """Keep an opinion of an answer."""
    await chat.rate(conversation, answer_id, body)


@router.get("/answers/{record_id}/updates", responses=returns(wire.StageUpdate | wire.WordsUpdate | wire.EndUpdate))
async def updates(request: Request, chat: Chat, record_id: Identifier) -> Response:
    """Send what the page shows of an answer until its end; with ``Last-Event-ID``, what came behind that update."""
    place = request.headers.get("last-event-id", "")
    read_place(place)
    await chat.require_own(record_id)
    return UpdateResponse(chat.follow_from(record_id, place), request.app.state.streams.closing)


@router.post("/answers/{record_id}/stop", status_code=202)
async def stop(chat: Chat, record_id: Identifier) -> None:
    """Stop an answer that is being written."""
    await chat.stop(record_id)


@router.get("/documents/{document_id}", responses=returns(wire.DocumentView))
async def document(
    chat: Chat,
    document_id: Identifier,
    start: Offset = None,
    end: Offset = None,
    offset: Annotated[int, Parameter(ge=0, le=2**53)] = 0,
) -> Response:
    """Return a document as it reads around a span, with the span marked."""
    return JSONResponse(await chat.source(document_id, start, end, offset))


@router.get("/documents/{document_id}/pages/{number}.png")
async def page_image(chat: Chat, document_id: Identifier, number: int) -> Response:
    """Return the picture of a page."""
    drawn = await chat.page_image(document_id, number)
    if isinstance(drawn, AgentFailure):
        return make_problem(drawn)
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.get("/documents/{document_id}/pages/{number}", responses=returns(wire.MarksView))
async def page_marks(
    chat: Chat, document_id: Identifier, number: int, start: Offset = None, end: Offset = None
) -> Response:
    """Return the boxes of the cited words on a page."""
    return JSONResponse(await chat.page(document_id, number, start, end))


@router.get("/documents/{document_id}/original")
async def original(chat: Chat, document_id: Identifier) -> Response:
    """Return the file that a document was made of: as a download, never as a page of this site."""
    found = await chat.original(document_id)
    if isinstance(found, AgentFailure):
        return make_problem(found)
    name, data = found
    return make_download(SavedFile(name, "application/octet-stream", data))


@router.get("/conversations/{conversation}/export")
async def export(
    request: Request, chat: Chat, conversation: Identifier, file_format: FormatParameter = "md"
) -> Response:
    """Return a conversation as a file with its proof."""
    return make_download(await chat.export(conversation, file_format, str(request.base_url)))


@router.get("/answers/{record_id}/export")
async def export_answer(
    request: Request, chat: Chat, record_id: Identifier, file_format: FormatParameter = "md"
) -> Response:
    """Return an answer as a file with its proof."""
    return make_download(await chat.export_answer(record_id, file_format, str(request.base_url)))


class UpdateResponse(EventResponse):
    """Response that sends the updates of an answer."""

    def __init__(self, updates: AsyncGenerator[tuple[str, dict[str, Any]]], closing: asyncio.Event) -> None:
        super().__init__(closing)
        self._updates = updates

    async def send_events(self, reader: StreamClient) -> None:
        """Send the updates as events without a name; the id of one is the place to go on from."""
        async with aclosing(self._updates) as updates:
            async for place, update in updates:
                line = f"id: {place}\n" if place else ""
                await reader.take(f"{line}data: {json.dumps(update, ensure_ascii=False)}\n\n".encode())


def describe_console() -> dict[str, Any]:
    """Return the OpenAPI document of the page's own requests.

    >>> "StateView" in describe_console()["components"]["schemas"]
    True
    """
    app = FastAPI(title="ROMA's console", version="1", openapi_url=None)
    described = APIRouter()
    for route in router.routes:
        if isinstance(route, APIRoute):
            described.add_api_route(
                route.path,
                route.endpoint,
                methods=list(route.methods or ()),
                status_code=route.status_code,
                responses=route.responses,
                response_class=Response,
            )
    app.include_router(described)
    return app.openapi()
