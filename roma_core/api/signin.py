"""``/sign-in`` and ``/sign-out``: the page of a form without scripts, and the cookie that it gives.

The cookie is HttpOnly and SameSite=Lax, and counts in the console alone. Another site's page can neither send the form
nor the cookie with anything that changes something: the gate compares its origin (``access``).
"""

from __future__ import annotations

import asyncio
import re
from html import escape
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse, RedirectResponse

from roma_core.api.access import COOKIE, RateLimiter
from roma_core.api.accounts import ABSOLUTE, SHORTEST_PASSWORD, AccountTable
from roma_core.errors import AccessError, AgentFailure, ErrorCode, InputError, NotFoundError, guarded
from roma_core.types import Principal

router = APIRouter(include_in_schema=False)
TRIES_PER_MINUTE = 10
LARGEST_FORM = 16_384
_OWN_PLACE = re.compile(r"/(?:console|read)(?:/[\w./~-]*)?")
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:12vh auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}label{display:block;margin:.8rem 0}input{display:block;width:100%;box-sizing:border-box;"
    "font:inherit;padding:.5rem;border:1px solid #767676;border-radius:6px}button{font:inherit;padding:.5rem 1.2rem;"
    "border-radius:6px;border:0;background:#1f4fd8;color:#fff}[role=alert]{color:#a11}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#eee}input{background:#222;color:#eee}"
    "[role=alert]{color:#f88}}"
)


@router.get("/sign-in")
async def show_form(
    request: Request,
    invitation: Annotated[str, Parameter(max_length=200)] = "",
    next: Annotated[str, Parameter(max_length=500)] = "/console",
) -> Response:
    """Return the form: for a name and a password, or with an invitation for a new password."""
    name = ""
    if invitation:
        found = await guarded("api", asyncio.to_thread(_accounts(request).check_invitation, invitation))
        if isinstance(found, AgentFailure):
            return make_page(trouble=found.message, status=404)
        name = found
    return make_page(invitation=invitation, name=name, place=next)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check the form, begin a sign-in, and lead to the console."""
    name, password, invitation, place = _read_form(await request.body())
    limiter: RateLimiter = request.app.state.sign_in_tries
    address = request.client.host if request.client else ""
    wait_s = max(limiter.wait_s(f"address {address}"), limiter.wait_s(f"user {name}") if name else 0.0)
    if wait_s:
        raise AccessError("Too many tries; wait a little.", ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)
    accounts = _accounts(request)
    if invitation:
        chosen = await guarded("api", asyncio.to_thread(accounts.set_password, invitation, password))
        if isinstance(chosen, AgentFailure):
            status = 400 if chosen.code == InputError.default_code else 404
            return make_page(invitation=invitation, trouble=chosen.message, status=status)
        name = chosen
    elif not await asyncio.to_thread(accounts.check_password, name, password):
        await _log(request, name or "unknown", "sign_in.failed", address)
        return make_page(name=name, place=place, trouble="This name and password do not belong together.", status=403)
    await _log(request, name, "sign_in", address)
    secret = await asyncio.to_thread(lambda: accounts.sign_in(name, address=address))
    response = RedirectResponse(place if _OWN_PLACE.fullmatch(place) else "/console", status_code=303)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(ABSOLUTE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/sign-out", status_code=204)
async def sign_out(request: Request) -> Response:
    """End the sign-in of this browser."""
    login_id = getattr(request.state, "login_id", "")
    if not login_id:
        raise NotFoundError("This browser has not signed in with an account.")
    who: Principal = request.state.principal
    await request.app.state.roma.log_action(who, "sign_out", login=login_id)
    await asyncio.to_thread(_accounts(request).sign_out, login_id)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def make_page(
    *, invitation: str = "", name: str = "", place: str = "/console", trouble: str = "", status: int = 200
) -> HTMLResponse:
    """Return the page with its form; every value in it is escaped."""
    kind = "new-password" if invitation else "current-password"
    title = f"Choose a password, {name}" if invitation and name else "Sign in to ROMA"
    user = (
        ""
        if invitation
        else f'<label>Name<input name="name" autocomplete="username" required value="{escape(name)}"></label>'
    )
    hint = f" ({SHORTEST_PASSWORD} characters or more)" if invitation else ""
    shortest = f' minlength="{SHORTEST_PASSWORD}"' if invitation else ""
    said = f'<p role="alert">{escape(trouble)}</p>' if trouble else ""
    body = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{said}"
        f'<form method="post" action="/sign-in">{user}'
        f'<input type="hidden" name="invitation" value="{escape(invitation)}">'
        f'<input type="hidden" name="next" value="{escape(place)}">'
        f'<label>Password{hint}<input name="password" type="password" autocomplete="{kind}" required{shortest}></label>'
        "<button>Sign in</button></form></html>"
    )
    return HTMLResponse(body, status_code=status, headers={"Content-Security-Policy": CSP})


def _read_form(body: bytes) -> tuple[str, str, str, str]:
    """Return name, password, invitation and the place to go on to. Raises ``InputError``."""
    try:
        fields = parse_qs(body[:LARGEST_FORM].decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        raise InputError("This is no form of the sign-in page.") from None
    name, password, invitation, place = (
        fields.get(field, [""])[0] for field in ("name", "password", "invitation", "next")
    )
    return name[:200], password, invitation[:200], place[:500]


def _accounts(request: Request) -> AccountTable:
    accounts: AccountTable = request.app.state.accounts
    return accounts


async def _log(request: Request, name: str, action: str, address: str) -> None:
    """Log a sign-in under the tenant of its user. Raises ``StoreError``: then nobody is let in."""
    roma = request.app.state.roma
    known = {account.name: account.tenant for account in await asyncio.to_thread(_accounts(request).list)}
    who = Principal(subject=name[:200], tenant=known.get(name, roma.settings.tenant), signed_in_by="account")
    await roma.log_action(who, action, address=address)
