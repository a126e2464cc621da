"""``/console/ab``: pages of trials with their decision, for analysts."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse

from roma_core.api.query import get_principal, get_system
from roma_core.errors import AccessError
from roma_core.types import Principal
from roma_core.ui.trial_page import render_trial, render_trials

router = APIRouter(prefix="/console/ab", include_in_schema=False)


@router.get("")
async def trials(request: Request) -> Response:
    """Return the page of all trials of the caller's tenant."""
    who = _require_analyst(request)
    table = get_system(request).trials.table
    return HTMLResponse(render_trials(await asyncio.to_thread(table.list, who.tenant)))


@router.get("/{name}")
async def trial(request: Request, name: Annotated[str, PathParameter(max_length=200)]) -> Response:
    """Return the page of one trial; each look is valid."""
    who = _require_analyst(request)
    return HTMLResponse(render_trial(await get_system(request).trials.report(who.tenant, name)))


def _require_analyst(request: Request) -> Principal:
    """Return the caller, who may see costs. Raises ``AccessError``."""
    who = get_principal(request)
    if not who.may("spend.read"):
        raise AccessError("Trials are for analysts (permission `spend.read`).")
    return who
