"""``GET /audit``: the rows of the audit log, for those who may read it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as Parameter

from roma_core.api.query import get_principal, get_system
from roma_core.audit import Action, AuditEntry, ChainCheck

router = APIRouter(prefix="/audit", tags=["operations"])


@router.get("", summary="Who did what, the newest first")
async def query(
    request: Request,
    who: Annotated[str | None, Parameter(max_length=200, description="User, or token:ID.")] = None,
    document: Annotated[str | None, Parameter(max_length=200, description="Id of a document that was shown.")] = None,
    action: Annotated[Action | None, Parameter(description="What was done.")] = None,
    since: Annotated[datetime | None, Parameter(description="From this moment on.")] = None,
    until: Annotated[datetime | None, Parameter(description="Before this moment.")] = None,
    limit: Annotated[int, Parameter(ge=1, le=10_000, description="Most rows.")] = 1000,
) -> list[AuditEntry]:
    """Return rows of the caller's tenant. Needs `audit.read`, and is logged itself."""
    caller, roma = get_principal(request), get_system(request)
    asked = {"document": document, "of": who, "action_asked": action}
    details = {name: value for name, value in asked.items() if value is not None}
    await roma.log_action(caller, "audit.read", **details)
    found: list[AuditEntry] = await asyncio.to_thread(
        roma.audit.query,
        caller.tenant,
        who=who,
        document=document,
        action=action,
        since=_with_zone(since),
        until=_with_zone(until),
        limit=limit,
    )
    return found


@router.get("/verify", summary="Whether every row is as it was written")
async def verify(request: Request) -> ChainCheck:
    """Read the whole chain of the caller's tenant. Needs `audit.read`."""
    check: ChainCheck = await asyncio.to_thread(get_system(request).audit.verify, get_principal(request).tenant)
    return check


def _with_zone(moment: datetime | None) -> datetime | None:
    """Return a moment with a time zone; one without is UTC."""
    from datetime import UTC

    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
