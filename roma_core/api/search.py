"""``GET /search``: passages, and what ranked them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter

from roma_core.api.problems import make_problem
from roma_core.api.query import get_principal, get_system
from roma_core.errors import AgentFailure, RomaError
from roma_core.pictures import PictureHit
from roma_core.store.filters import LONGEST_VALUE, MOST_VALUES
from roma_core.types import SearchReport

router = APIRouter(tags=["answers"])
Values = Annotated[list[Annotated[str, Parameter(max_length=LONGEST_VALUE)]], Parameter(max_length=MOST_VALUES)]


@router.get("/search/pictures", summary="Pictures by the words that stand with them, best first")
async def pictures(
    request: Request,
    q: Annotated[str, Parameter(max_length=100_000, description="What the picture shows.")],
    top_k: Annotated[int, Parameter(ge=1, le=50, description="Most pictures.")] = 10,
) -> list[PictureHit]:
    """Return pictures with their places, and the ways that found them: description, caption, text in it, ..."""
    found = await get_system(request).search_pictures(q, limit=top_k, principal=get_principal(request))
    if isinstance(found, AgentFailure):
        raise RomaError(found.message, found.code)
    return list(found)


@router.get("/search", summary="Passages for a question, best first", response_model=SearchReport)
async def search(
    request: Request,
    q: Annotated[str, Parameter(max_length=100_000, description="Question; may hold filters as in `author:doe`.")],
    top_k: Annotated[int, Parameter(ge=1, le=50, description="Most passages.")] = 10,
    explain: Annotated[bool, Parameter(description="With legs, ranks, filters, numbers and milliseconds.")] = False,
    document_id: Values = [],  # noqa: B006  (FastAPI copies it)
    uri: Values = [],  # noqa: B006
    uri_prefix: Annotated[str | None, Parameter(max_length=LONGEST_VALUE)] = None,
) -> Response:
    """Return the passages that an answer would be written from. No model writes anything."""
    given: dict[str, Any] = {"document_id": document_id, "uri": uri, "uri_prefix": uri_prefix}
    filters = {name: value for name, value in given.items() if value}
    who = get_principal(request)
    report = await get_system(request).explain_search(q, limit=top_k, filters=filters, principal=who)
    if isinstance(report, AgentFailure):
        return make_problem(report)
    shown = report if explain else report.model_copy(update={"legs": (), "numbers": {}})
    return Response(shown.model_dump_json(), media_type="application/json")
