"""``/sign-in/oidc`` and ``/sign-in/saml``: to the provider and back, for a browser.

The answer of a provider counts once, for ten minutes, and in the browser in which the sign-in began. A SAML provider
has the browser post its answer from the provider's page, without ROMA's cookies: it is checked and kept there, and the
browser comes for it by a link of ROMA's own, with the cookie.
"""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse, RedirectResponse

from roma_core.api.accounts import ExternalIdentity, hash_secret
from roma_core.api.signin import (
    finish_sign_in,
    get_accounts,
    is_secure,
    log_sign_in,
    make_page,
    make_sign_out_page,
    read_address,
)
from roma_core.api.sso.oidc import OIDCProvider
from roma_core.api.sso.pending import LIFETIME, START_AGAIN, LogoutDemand, PendingSignIn
from roma_core.api.sso.policy import AdmissionPolicy
from roma_core.api.sso.saml import SAMLProvider
from roma_core.api.sso.service import SingleSignOn
from roma_core.errors import AccessError, AgentFailure, ErrorCode, NotFoundError, guarded
from roma_core.telemetry import logs
from roma_core.types import Principal, SignIn

router = APIRouter(include_in_schema=False)
_UNAVAILABLE = frozenset({ErrorCode.CONNECTOR_UNAVAILABLE, ErrorCode.CONNECTOR_TIMEOUT})
_log = logs.get("sign-in")

Place = Annotated[str, Parameter(alias="next", max_length=500)]


@router.get("/sign-in/oidc")
async def begin_oidc(request: Request, place: Place = "/console") -> Response:
    """Lead to the OpenID provider."""
    _wait_for_try(request)
    provider = _require_oidc(request)
    pending = await asyncio.to_thread(_sso(request).pending.begin, "oidc", place)
    address = await guarded("sign-in", provider.begin(pending))
    if isinstance(address, AgentFailure):
        return await _refuse(request, "oidc", address, place=place)
    return _lead_to_provider(request, address, pending)


@router.get("/sign-in/oidc/callback")
async def finish_oidc(request: Request) -> Response:
    """Check the provider's answer, begin a sign-in, and lead to the console."""
    _wait_for_try(request)
    provider = _require_oidc(request)
    flow = await guarded("sign-in", _complete_oidc(request, provider))
    if isinstance(flow, AgentFailure):
        return await _refuse(request, "oidc", flow)
    person, pending = flow
    return await _admit(request, person, provider.policy, pending, pending.state)


@router.post("/sign-in/oidc/logout")
async def log_out_by_back_channel(request: Request) -> Response:
    """End the sign-ins that the OpenID provider itself demands to end, without a browser."""
    _wait_for_try(request)
    provider = _require_oidc(request)
    ended = await guarded("sign-in", _end_oidc_logins(request, provider, await request.body()))
    if not isinstance(ended, AgentFailure):
        return Response(status_code=200)
    await log_sign_in(request, "unknown", "sign_in.failed", way="oidc", reason=ended.message)
    is_refused = ended.code is ErrorCode.ACCESS_FORBIDDEN
    said = ended.message if is_refused else "The demand cannot be checked now; the service's log tells why."
    _log.warning("logout_refused", way="oidc", code=ended.code.value, reason=ended.message)
    status = 400 if is_refused else 503
    return JSONResponse({"error": "invalid_request", "error_description": said}, status_code=status)


@router.get("/sign-in/saml")
async def begin_saml(request: Request, place: Place = "/console") -> Response:
    """Lead to the SAML provider."""
    _wait_for_try(request)
    provider = _require_saml(request)
    request_id, address = await asyncio.to_thread(provider.begin)
    begin = _sso(request).pending.begin
    pending = await asyncio.to_thread(lambda: begin("saml", place, state=request_id))
    return _lead_to_provider(request, address, pending)


@router.post("/sign-in/saml/acs")
async def take_assertion(request: Request) -> Response:
    """Check the answer that the provider's page posts, and lead to where the browser shows its cookie."""
    _wait_for_try(request)
    provider = _require_saml(request)
    body = await request.body()
    answered = await guarded("sign-in", asyncio.to_thread(_answer_saml, _sso(request), provider, body))
    if isinstance(answered, AgentFailure):
        return await _refuse(request, "saml", answered)
    flow, ticket = answered
    return RedirectResponse(f"/sign-in/saml/finish?{urlencode({'flow': flow, 'ticket': ticket})}", status_code=303)


@router.get("/sign-in/saml/finish")
async def finish_saml(
    request: Request,
    flow: Annotated[str, Parameter(max_length=200)] = "",
    ticket: Annotated[str, Parameter(max_length=200)] = "",
) -> Response:
    """Begin a sign-in in the browser in which it began, and lead to the console."""
    _wait_for_try(request)
    provider = _require_saml(request)
    taken = await guarded("sign-in", _take_answered(request, flow, ticket))
    if isinstance(taken, AgentFailure):
        return await _refuse(request, "saml", taken)
    person, pending = taken
    return await _admit(request, person, provider.policy, pending, flow)


@router.get("/sign-in/saml/metadata")
async def describe_saml(request: Request) -> Response:
    """Return the metadata that a SAML provider is set up with."""
    data = await asyncio.to_thread(_require_saml(request).describe)
    return Response(data, media_type="application/samlmetadata+xml")


@router.get("/sign-in/saml/slo")
async def log_out_by_provider(request: Request) -> Response:
    """End the sign-ins that the provider demands to end; or take its answer to a sign-out that began here."""
    _wait_for_try(request)
    provider, query = _require_saml(request), request.url.query
    if not provider.ends_everywhere:
        raise NotFoundError("Single logout is not set up here.")
    if "SAMLResponse" in request.query_params:
        is_confirmed = await asyncio.to_thread(provider.is_logout_confirmed, query)
        trouble = "" if is_confirmed else "The provider has not confirmed that you are signed out there, too."
        return make_sign_out_page(trouble)
    ended = await guarded("sign-in", _end_saml_logins(request, provider, query))
    if isinstance(ended, AgentFailure):
        return await _refuse(request, "saml", ended)
    return RedirectResponse(ended, status_code=303)


async def _end_logins(request: Request, way: SignIn, issuer: str, demand: LogoutDemand) -> None:
    """End the sign-ins that a demand names. Raises ``AccessError`` for a demand that was used before."""
    await asyncio.to_thread(_sso(request).pending.spend, f"logout {issuer} {demand.id}", demand.expires_at)
    end = get_accounts(request).end_provider_logins
    ended = await asyncio.to_thread(end, issuer, demand.subject, demand.sessions, way=way)
    await log_sign_in(request, "unknown", "sign_out", way=way, logins=ended)


async def _end_saml_logins(request: Request, provider: SAMLProvider, query: str) -> str:
    """End the sign-ins that a browser's demand names, and return where it goes on. Raises ``AccessError``."""
    demand = await asyncio.to_thread(provider.read_logout, query)
    await _end_logins(request, "saml", provider.issuer, demand)
    return demand.reply


async def _end_oidc_logins(request: Request, provider: OIDCProvider, body: bytes) -> None:
    """End the sign-ins that a logout token names. Raises ``AccessError`` for one that does not hold."""
    try:
        sent = parse_qs(body.decode("ascii"), max_num_fields=10).get("logout_token", [])
    except ValueError:
        sent = []
    if len(sent) != 1:
        raise AccessError("The provider's demand holds no logout token.")
    demand = await provider.read_logout(sent[0])
    await _end_logins(request, "oidc", provider.issuer, demand)


def _answer_saml(sso: SingleSignOn, provider: SAMLProvider, body: bytes) -> tuple[str, str]:
    """Return the flow that a posted answer belongs to, and the secret by which its browser comes for it."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise AccessError(START_AGAIN) from None
    response = provider.read(fields.get("SAMLResponse", [""])[0])
    checked = provider.check(response)
    sso.pending.spend(f"{checked.person.provider} {checked.assertion_id}", checked.expires_at)
    return response.request_id, sso.pending.answer("saml", response.request_id, checked.person)


async def _take_answered(request: Request, flow: str, ticket: str) -> tuple[ExternalIdentity, PendingSignIn]:
    pending = await _take_pending(request, "saml", ticket, flow)
    if pending.person is None:
        raise AccessError(START_AGAIN)
    return pending.person, pending


async def _complete_oidc(request: Request, provider: OIDCProvider) -> tuple[ExternalIdentity, PendingSignIn]:
    parameters = dict(request.query_params)
    if len(parameters) != len(request.query_params.multi_items()):
        raise AccessError(START_AGAIN)  # a parameter that comes twice may be read as either
    state = parameters.get("state", "")
    pending = await _take_pending(request, "oidc", state, state)
    return await provider.complete(parameters, pending), pending


async def _take_pending(request: Request, way: SignIn, state: str, flow: str) -> PendingSignIn:
    """Return the sign-in of ``state``; its browser has the cookie that is named by ``flow``."""
    browser = request.cookies.get(_name_cookie(request, flow), "")
    return await asyncio.to_thread(_sso(request).pending.take, way, state, browser)


async def _admit(
    request: Request, person: ExternalIdentity, policy: AdmissionPolicy, pending: PendingSignIn, flow: str
) -> Response:
    """Begin the sign-in of a person whom the provider has vouched for."""
    roma, accounts = request.app.state.roma, get_accounts(request)
    roles = policy.find_roles(person.groups)
    checked = await guarded("sign-in", asyncio.to_thread(accounts.check_admission, person, roles))
    if isinstance(checked, AgentFailure):
        return await _refuse(request, person.way, checked, name=person.name)
    name, is_new = checked
    details = {"way": person.way, "provider": person.provider, "roles": list(roles), "groups": list(person.groups)}
    if is_new:
        added = Principal(subject=name, tenant=roma.settings.tenant, signed_in_by=person.way)
        await roma.log_action(added, "account.add", user=name, **details)
    await log_sign_in(request, name, "sign_in", **details)
    admitted = await guarded(
        "sign-in", asyncio.to_thread(lambda: accounts.admit(person, roles, tenant=roma.settings.tenant))
    )
    if isinstance(admitted, AgentFailure):
        return await _refuse(request, person.way, admitted, name=name)
    response = await finish_sign_in(request, admitted, pending.place, way=person.way, id_token=person.id_token)
    response.delete_cookie(
        _name_cookie(request, flow), path="/sign-in", httponly=True, samesite="lax", secure=is_secure(request)
    )
    return response


def _lead_to_provider(request: Request, address: str, pending: PendingSignIn) -> Response:
    response = RedirectResponse(address, status_code=303)
    response.set_cookie(
        _name_cookie(request, pending.state),
        pending.browser,
        max_age=int(LIFETIME.total_seconds()),
        path="/sign-in",
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )
    return response


async def _refuse(
    request: Request, way: SignIn, failure: AgentFailure, *, name: str = "", place: str = "/console"
) -> Response:
    """Return the sign-in page with the reason; it is logged as a failed sign-in unless the provider was unavailable."""
    if failure.code in _UNAVAILABLE:
        _log.warning("provider_unavailable", way=way, reason=failure.message)
        headers = {"Retry-After": str(max(1, round(failure.retry_after_s or 5)))}
        return make_page(request, trouble=failure.message, place=place, status=503, headers=headers)
    await log_sign_in(request, name or "unknown", "sign_in.failed", way=way, reason=failure.message)
    if failure.code is ErrorCode.ACCESS_FORBIDDEN:
        return make_page(request, trouble=failure.message, status=403)
    _log.error("sign_in_not_set_up", way=way, code=failure.code.value, reason=failure.message)
    said = "Signing in this way does not work at the moment; the service's log tells its administrator why."
    return make_page(request, trouble=said, status=500)


def _wait_for_try(request: Request) -> None:
    """Count a try of an address. Raises ``AccessError`` (rate limit).

    There is nothing to guess here, and behind a proxy everybody has one address: so there are many tries.
    """
    wait_s = _sso(request).tries.wait_s(read_address(request))
    if wait_s:
        raise AccessError("Too many tries; wait a little.", ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)


def _name_cookie(request: Request, state: str) -> str:
    """Return the name of the cookie of one sign-in, so that two tabs of a browser can sign in at once."""
    prefix = "__Secure-" if is_secure(request) else ""
    return f"{prefix}roma_flow_{hash_secret(state)[:12]}"


def _sso(request: Request) -> SingleSignOn:
    sso: SingleSignOn = request.app.state.sso
    return sso


def _require_saml(request: Request) -> SAMLProvider:
    provider = _sso(request).saml
    if provider is None:
        raise NotFoundError("Sign-in by SAML is not set up here.")
    return provider


def _require_oidc(request: Request) -> OIDCProvider:
    provider = _sso(request).oidc
    if provider is None:
        raise NotFoundError("Sign-in by OpenID Connect is not set up here.")
    return provider
