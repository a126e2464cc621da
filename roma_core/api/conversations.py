"""``/sessions`` and ``/feedback``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from pydantic import ConfigDict, Field

from roma_core.api.downloads import FILE_CONTENT, FormatParameter, make_download
from roma_core.api.query import get_principal, get_system
from roma_core.api.schemas import IDENTIFIER, Body, Identifier, RenameBody
from roma_core.errors import NotFoundError
from roma_core.sessions.service import Feedback, SessionSummary, Turn
from roma_core.transcripts import collect_conversation, make_file

router = APIRouter(tags=["conversations"])


class FeedbackBody(Body):
    """A rating of an answer; the last one of a session about an answer counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"answer_id": "9b1d0c", "rating": "down", "comment": "Cites the old handbook."}]
        }
    )

    answer_id: str = Field(pattern=IDENTIFIER)
    rating: Literal["up", "down"]
    comment: str = Field(default="", max_length=4000)
    session_id: str = Field(default="", pattern=r"^[A-Za-z0-9_.:-]{0,64}$")


@router.get("/sessions", summary="Conversations, the one used last first")
async def sessions(request: Request, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100) -> list[SessionSummary]:
    """Return the caller's own conversations."""
    found: list[SessionSummary] = await get_system(request).sessions.list(get_principal(request), limit)
    return found


@router.get("/sessions/{session_id}", summary="The turns of a conversation, oldest first")
async def turns(request: Request, session_id: Identifier) -> list[Turn]:
    """Return the questions and answers of a conversation. An unknown one is `ERR_NOT_FOUND`."""
    found: list[Turn] = await get_system(request).turns(session_id, get_principal(request))
    if not found:
        raise NotFoundError("There is no such session.")
    return found


@router.get(
    "/sessions/{session_id}/export",
    summary="A conversation as a file with its proof",
    response_class=Response,
    responses={200: {"description": "Markdown, DOCX, PDF or BibTeX, as a download.", "content": FILE_CONTENT}},
)
async def export(request: Request, session_id: Identifier, file_format: FormatParameter = "md") -> Response:
    """Return the questions and answers of a conversation with a footnote for each citation."""
    roma, who = get_system(request), get_principal(request)
    transcript = await collect_conversation(roma, who, session_id, str(request.base_url))
    return make_download(await asyncio.to_thread(make_file, transcript, file_format))


@router.patch("/sessions/{session_id}", status_code=204, summary="Rename a conversation")
async def rename(request: Request, session_id: Identifier, body: RenameBody) -> None:
    """Give a conversation another title. An unknown one is `ERR_NOT_FOUND`."""
    await get_system(request).sessions.rename(get_principal(request), session_id, body.title)


@router.delete("/sessions/{session_id}", status_code=204, summary="Delete a conversation with all that belongs to it")
async def delete(request: Request, session_id: Identifier) -> None:
    """Remove a conversation with its turns, ratings and records of answers. An unknown one is `ERR_NOT_FOUND`."""
    await get_system(request).delete_session(session_id, principal=get_principal(request))


@router.post("/feedback", status_code=204, summary="Say what you think of an answer")
async def feedback(request: Request, body: FeedbackBody) -> None:
    """Store the rating of an answer; a later one of the session replaces it."""
    await get_system(request).sessions.rate(get_principal(request), Feedback(**body.model_dump()))


@router.get("/feedback", summary="Your own ratings, the newest first")
async def list_feedback(
    request: Request,
    answer_id: Annotated[str | None, Parameter(pattern=IDENTIFIER)] = None,
    session_id: Annotated[str | None, Parameter(pattern=IDENTIFIER)] = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[Feedback]:
    """Return the caller's ratings, of one answer or one conversation when it is given."""
    found: list[Feedback] = await get_system(request).sessions.feedback(
        get_principal(request), answer_id, limit, session_id
    )
    return found
