"""``/sign-in`` and ``/sign-out``: the page of a form without scripts, and the cookie that it gives.

The cookie is HttpOnly and SameSite=Lax, and counts in the console alone. Another site's page can neither send the form
nor the cookie with anything that changes something: the gate compares its origin (``access``).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from roma_core import theme
from roma_core.api.access import RateLimiter, name_cookie
from roma_core.api.accounts import ABSOLUTE, SHORTEST_PASSWORD, AccountTable
from roma_core.errors import AccessError, AgentFailure, ErrorCode, InputError, NotFoundError, guarded
from roma_core.settings import Settings
from roma_core.types import Principal, SignIn

if TYPE_CHECKING:
    from roma_core.api.sso import SingleSignOn
    from roma_core.api.sso.saml import SAMLProvider

router = APIRouter(include_in_schema=False)
TRIES_PER_MINUTE = 10
LARGEST_FORM = 16_384
_OWN_PLACE = re.compile(r"/(?:console|read|audit-log)(?:/[\w./~-]*)?")
"""Places to go on to after a sign-in: paths of ROMA's own pages, so that no link leads elsewhere."""
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_ICON = "<link rel='icon' href='data:,'>"
"""None, so that a browser asks for none: a stranger would be refused it."""
_STYLE = theme.write_css(":root") + (
    "body{font:var(--roma-text-size)/1.5 var(--roma-font);max-width:22rem;margin:12vh auto;padding:0 1rem;"
    "color:var(--roma-text);background:var(--roma-page)}label{display:block;margin:.8rem 0}"
    "input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;color:inherit;"
    "background:var(--roma-surface);border:1px solid var(--roma-muted);border-radius:var(--roma-radius)}"
    "button{font:inherit;padding:.5rem 1.2rem;border-radius:var(--roma-radius);border:0;"
    "background:var(--roma-accent);color:var(--roma-on-accent)}[role=alert]{color:var(--roma-refuted)}"
    ".way{display:block;margin:.8rem 0;padding:.5rem 1.2rem;border-radius:var(--roma-radius);"
    "border:1px solid var(--roma-muted);color:inherit;text-align:center;text-decoration:none}"
    "a{color:var(--roma-accent)}:focus-visible{outline:3px solid var(--roma-accent)}"
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
        found = await guarded("api", asyncio.to_thread(get_accounts(request).check_invitation, invitation))
        if isinstance(found, AgentFailure):
            return make_page(request, trouble=found.message, status=404)
        name = found
    return make_page(request, invitation=invitation, name=name, place=next)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check the form, begin a sign-in, and lead to the console."""
    sso: SingleSignOn = request.app.state.sso
    if not sso.takes_passwords:
        raise AccessError("Passwords do not count here (ROMA_PASSWORD_SIGN_IN): sign in at the identity provider.")
    name, password, invitation, place = _read_form(await request.body())
    wait_for_try(request, name)
    accounts = get_accounts(request)
    if invitation:
        chosen = await guarded("api", asyncio.to_thread(accounts.set_password, invitation, password))
        if isinstance(chosen, AgentFailure):
            status = 400 if chosen.code == InputError.default_code else 404
            return make_page(request, invitation=invitation, trouble=chosen.message, status=status)
        name = chosen
    elif not await asyncio.to_thread(accounts.check_password, name, password):
        await log_sign_in(request, name or "unknown", "sign_in.failed")
        trouble = "This name and password do not belong together."
        return make_page(request, name=name, place=place, trouble=trouble, status=403)
    await log_sign_in(request, name, "sign_in")
    return await finish_sign_in(request, name, place)


@router.post("/sign-out", status_code=204)
async def sign_out(request: Request) -> Response:
    """End the sign-in of this browser; the answer names the provider's address that ends the one there, if any."""
    login_id = getattr(request.state, "login_id", "")
    if not login_id:
        raise NotFoundError("This browser has not signed in with an account.")
    who: Principal = request.state.principal
    accounts = get_accounts(request)
    sso: SingleSignOn = request.app.state.sso
    address: str | None = None
    if who.signed_in_by == "oidc" and sso.oidc is not None:
        address = await sso.oidc.sign_out_url(await asyncio.to_thread(accounts.find_id_token, login_id))
    elif who.signed_in_by == "saml" and sso.saml is not None:
        address = await asyncio.to_thread(_find_saml_address, sso.saml, accounts, login_id)
    await request.app.state.roma.log_action(who, "sign_out", login=login_id)
    await asyncio.to_thread(accounts.sign_out, login_id)
    if "text/html" in request.headers.get("accept", ""):
        response: Response = _make_farewell(address)
    else:
        response = JSONResponse({"location": address}) if address else Response(status_code=204)
    response.delete_cookie(name_cookie(_settings(request)), httponly=True, samesite="lax", secure=is_secure(request))
    return response


def _find_saml_address(provider: SAMLProvider, accounts: AccountTable, login_id: str) -> str | None:
    """Return the address at the provider that ends a sign-in there."""
    return provider.sign_out_url(accounts.find_id_token(login_id))


def make_sign_out_page(trouble: str = "") -> HTMLResponse:
    """Return the page on which a sign-out by a provider ends."""
    return _make_farewell(None, trouble)


async def finish_sign_in(
    request: Request, name: str, place: str, *, way: SignIn = "account", id_token: str | None = None
) -> Response:
    """Begin a sign-in of a user, end the one that this browser had, and lead to one of ROMA's own pages."""
    accounts = get_accounts(request)
    address = read_address(request)
    secret = await asyncio.to_thread(lambda: accounts.sign_in(name, address=address, way=way, id_token=id_token))
    before = getattr(request.state, "login_id", "")
    if before:
        await asyncio.to_thread(accounts.sign_out, before)
    response = RedirectResponse(await _choose_place(accounts, name, place), status_code=303)
    response.set_cookie(
        name_cookie(_settings(request)),
        secret,
        max_age=int(ABSOLUTE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )
    return response


async def _choose_place(accounts: AccountTable, name: str, place: str) -> str:
    """Return where a user goes on to: the place it came from, if that is a page of ROMA which it may open."""
    users = {account.name: account.principal() for account in await asyncio.to_thread(accounts.list)}
    user = users.get(name)
    if user is not None and not user.may("answers.ask") and user.may("audit.read"):
        return "/audit-log"
    return place if _OWN_PLACE.fullmatch(place) else "/console"


def make_page(
    request: Request,
    *,
    invitation: str = "",
    name: str = "",
    place: str = "/console",
    trouble: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return the page with the configured ways to sign in; every value in it is escaped."""
    title = f"Choose a password, {name}" if invitation and name else "Sign in to ROMA"
    said = f'<p role="alert">{escape(trouble)}</p>' if trouble else ""
    sso: SingleSignOn = request.app.state.sso
    ways = "" if invitation else _draw_ways(sso, place)
    form = _draw_form(invitation, name, place) if sso.takes_passwords else ""
    body = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"{_ICON}<title>{escape(title)}</title><style>{_STYLE}</style><main><h1>{escape(title)}</h1>{said}{ways}{form}"
        "</main></html>"
    )
    return HTMLResponse(body, status_code=status, headers={**(headers or {}), "Content-Security-Policy": CSP})


def _make_farewell(address: str | None, trouble: str = "") -> HTMLResponse:
    """Return the page that a form without scripts leads to after a sign-out."""
    said = f'<p role="alert">{escape(trouble)}</p>' if trouble else ""
    link = f'<a class="way" href="{escape(address)}">Sign out at the provider too</a>' if address else ""
    body = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"{_ICON}<title>Signed out</title><style>{_STYLE}</style><main><h1>You are signed out</h1>{said}{link}"
        '<a class="way" href="/sign-in">Sign in</a></main></html>'
    )
    return HTMLResponse(body, headers={"Content-Security-Policy": CSP})


def _draw_ways(sso: SingleSignOn, place: str) -> str:
    links = [
        f'<a class="way" href="{way.path}?next={quote(place, safe="/")}">{escape(way.label)}</a>' for way in sso.ways
    ]
    return "".join(links)


def _draw_form(invitation: str, name: str, place: str) -> str:
    kind = "new-password" if invitation else "current-password"
    user = (
        ""
        if invitation
        else f'<label>Name<input name="name" autocomplete="username" required value="{escape(name)}"></label>'
    )
    hint = f" ({SHORTEST_PASSWORD} characters or more)" if invitation else ""
    shortest = f' minlength="{SHORTEST_PASSWORD}"' if invitation else ""
    return (
        f'<form method="post" action="/sign-in">{user}'
        f'<input type="hidden" name="invitation" value="{escape(invitation)}">'
        f'<input type="hidden" name="next" value="{escape(place)}">'
        f'<label>Password{hint}<input name="password" type="password" autocomplete="{kind}" required{shortest}></label>'
        "<button>Sign in</button></form>"
    )


def wait_for_try(request: Request, name: str = "") -> None:
    """Count a try of an address, and of a name. Raises ``AccessError`` (rate limit)."""
    limiter: RateLimiter = request.app.state.sign_in_tries
    address_wait_s = limiter.wait_s(f"address {read_address(request)}")
    wait_s = max(address_wait_s, limiter.wait_s(f"user {name}") if name else 0.0)
    if wait_s:
        raise AccessError("Too many tries; wait a little.", ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)


def is_secure(request: Request) -> bool:
    """Return whether browsers reach the service by TLS, also where a proxy ends it."""
    public_url = _settings(request).serving.public_url or ""
    return request.url.scheme == "https" or public_url.startswith("https://")


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.roma.settings
    return settings


def get_accounts(request: Request) -> AccountTable:
    """Return the accounts of the service."""
    accounts: AccountTable = request.app.state.accounts
    return accounts


async def log_sign_in(request: Request, name: str, action: str, **details: Any) -> None:
    """Log a sign-in under the tenant of its user. Raises ``StoreError``: then nobody is let in."""
    roma = request.app.state.roma
    known = {account.name: account.tenant for account in await asyncio.to_thread(get_accounts(request).list)}
    who = Principal(subject=name[:200], tenant=known.get(name, roma.settings.tenant), signed_in_by="account")
    await roma.log_action(who, action, address=read_address(request), **details)


def read_address(request: Request) -> str:
    """Return the address of a client; headers of a proxy are not trusted."""
    return request.client.host if request.client else ""


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
