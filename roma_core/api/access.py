"""Gate in front of every route: request ids, authentication, scopes, rates, security headers, metrics.

Every route needs an admin unless ``OPEN`` or ``PERMISSION_OF`` says otherwise, so a new one cannot be left open by
mistake.
Pure ASGI: the pieces of a streamed answer bypass it (``scope["state"]["wire"]``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from roma_core.api.accounts import TOUCH, AccountTable, Login
from roma_core.api.problems import MEDIA_TYPE, make_problem, make_refusal
from roma_core.api.tokens import TokenSnapshot, TokenStore, find_scope, is_loopback
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.llm.control.budget import payer
from roma_core.settings import Settings
from roma_core.telemetry import logs, metrics
from roma_core.types import Permission, Principal

FROM_PROVIDER = "/sign-in/saml/acs"
"""The path to which the page of an identity provider posts its signed answer: no cookie counts there."""
OPEN = frozenset(
    {
        "/health",
        "/docs",
        "/openapi.json",
        "/sign-in",
        "/sign-in/oidc",
        "/sign-in/oidc/callback",
        "/sign-in/oidc/logout",
        "/sign-in/saml",
        FROM_PROVIDER,
        "/sign-in/saml/finish",
        "/sign-in/saml/metadata",
        "/sign-in/saml/slo",
    }
)
"""Paths that need no token. ``/health`` shows strangers the state and no reasons."""
PERMISSION_OF: Mapping[str, Permission] = {
    "query": "answers.ask",
    "sources": "answers.ask",
    "sessions": "answers.ask",
    "answers": "answers.ask",
    "search": "answers.ask",
    "feedback": "answers.ask",
    "console": "answers.ask",
    "read": "answers.ask",
    "sign-in": "answers.ask",
    "static": "answers.ask",
    "ingest": "documents.ingest",
    "v1": "answers.ask",
    "mcp": "answers.ask",
    "spend": "spend.read",
    "metrics": "metrics.read",
    "audit": "audit.read",
    "audit-log": "audit.read",
}
"""By the first part of the path; everything else needs ``service.manage``."""
_OF_EVERYONE = frozenset({"sign-out"})
"""First parts of paths that everyone who is signed in may use, whatever the roles."""
PERMISSION_OF_PAGE: Mapping[str, Permission] = {
    "/console/evals": "insights.read",
    "/console/usage": "insights.read",
    "/console/corpus": "insights.read",
    "/console/ab": "spend.read",
}
"""Pages below ``/console`` that need more than their first part says, with all that lies below them."""
SHUT = frozenset({"components"})
"""Never served: Panel's route of this name imports the module that the path names, and the console does not need it."""
_CONSOLE_FILES = frozenset({"static"})
"""Where Panel serves the libraries that the console is made of: beside it, not below it."""
_CONSOLE = _CONSOLE_FILES | {"console", "read", "audit-log", "sign-in", "sign-out"}
"""Where browsers are, which send passwords and cookies by themselves: pages of other sites may open nothing of it."""
_PAGES = frozenset({"console", "read", "audit-log"})
"""Pages to which a stranger is led back after a sign-in."""
_UNLIMITED = _CONSOLE | {"health"}  # one page of the console loads many files
_ASKING = re.compile(r"/console/api/(?:conversations/[^/]+/ask|answers/[^/]+/compare)/?")
"""Route of the console's questions, which count as those of ``/query`` do."""
_PANEL = re.compile(r"/(?:static|console/(?:sources|evals|usage|corpus))(?:/|$)")
"""Routes of Panel's pages and files."""
_PROXIED = re.compile(
    r"forwarded|x-forwarded.*|via|x-(?:real|client|cluster-client)-ip|(?:cf-connecting|true-client)-ip"
)
"""Headers of a proxy, behind which everybody comes from this machine."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d*)?")
FAILED_LOGINS_PER_MINUTE = 10
_COOKIE = "roma_sign_in"
HSTS: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
"""Header that keeps browsers to TLS where ``ROMA_PUBLIC_URL`` is https."""

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CSP = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
CONSOLE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types roma"
)
"""Of the chat and the reader: no inline script or style, and HTML only through the one policy of ``dom.js``."""
# Panel compiles templates in the browser and styles elements in place; images stay at home all the same, because an
# image is how a poisoned document would carry words out.
PANEL_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


serving: ContextVar[Principal | None] = ContextVar("roma_principal", default=None)
"""The caller that is being served, for what is not handed the request: the page of sources."""


class RateLimiter:
    """A token bucket for each key: ``per_minute`` on average, and as many at once.

    It forgets the keys that were used longest ago beyond 10 000. The library ``limits`` was measured beside it: five
    times slower, nine times the memory for 50 000 addresses, and a thread of its own.

    >>> limiter = RateLimiter(per_minute=60)
    >>> limiter.wait_s("10.0.0.1")
    0.0
    """

    _MOST = 10_000

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, cost: float = 1.0) -> float:
        """Return 0 when ``key`` may proceed (and has paid), else the seconds until it may."""
        now = time.monotonic()
        level, at = self._levels.pop(key, (self._size, now))
        level = min(self._size, level + (now - at) * self._per_s)
        has_paid = level >= cost
        self._levels[key] = (level - cost if has_paid else level, now)
        if len(self._levels) > self._MOST:
            self._levels.popitem(last=False)
        return 0.0 if has_paid else (cost - level) / self._per_s


def name_cookie(settings: Settings) -> str:
    """Return the name of the sign-in's cookie.

    Where browsers come by TLS its prefix has them take it from no other host and over no other connection.

    >>> name_cookie(Settings(public_url="https://roma.example.org"))
    '__Host-roma_sign_in'
    """
    return f"__Host-{_COOKIE}" if (settings.serving.public_url or "").startswith("https://") else _COOKIE


LogAction = Callable[..., Awaitable[None]]
"""Adds a row to the audit log: principal, action, and details by name."""


class Gate:
    """ASGI middleware that admits or refuses every request."""

    def __init__(
        self, app: ASGIApp, *, tokens: TokenStore, settings: Settings, log_action: LogAction | None = None
    ) -> None:
        self._log_action = log_action
        self._accounts = AccountTable(settings.workspace, settings.storage.server_url)
        self._app = app
        self._cookie = name_cookie(settings)
        self._headers = {**HEADERS, **(HSTS if self._cookie != _COOKIE else {})}
        self._tokens = tokens
        self._tenant = settings.tenant
        self._always = settings.serving.require_token or settings.signs_in_by_provider
        self._has_provider = settings.signs_in_by_provider
        self._origins = frozenset(settings.serving.cors_origins)
        self._rates = RateLimiter(settings.serving.rate_limit_per_minute)
        self._failed = RateLimiter(FAILED_LOGINS_PER_MINUTE)
        self._has_accounts = False
        self._log = logs.get("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit or refuse a request, count it, and pass an admitted one on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        with logs.request(Headers(scope=scope).get("x-request-id")) as current:
            response = _ResponseRecorder(scope, send, current, self._headers)
            try:
                await self._serve(scope, receive, response)
            finally:
                response.observe(self._log)

    async def _serve(self, scope: Scope, receive: Receive, response: _ResponseRecorder) -> None:
        found = await guarded("api", self._admit(scope))
        if isinstance(found, AgentFailure):
            if found.code is ErrorCode.ACCESS_UNAUTHENTICATED and _read_secret(scope):
                found = await guarded("audit", self._log_refusal(scope)) or found
            if self._has_accounts and _is_navigation(scope, found):
                place = quote(scope["path"], safe="/")
                await RedirectResponse(f"/sign-in?next={place}", 303)(scope, receive, response.send)
                return
            await _refuse(found, scope, receive, response, is_challenged=not self._has_accounts)
            return
        if scope["type"] == "websocket":
            receive = self._recheck_messages(scope, receive, response)
        state = scope.setdefault("state", {})
        state["principal"], state["wire"] = found, response.wire
        if found is not None:
            logs.serve(found)
        mark, paying = serving.set(found), payer.set(found.token_id if found is not None else "")
        try:
            defect = await guarded("api", self._app(scope, receive, response.send))
        except asyncio.CancelledError:
            # Uvicorn cancels what still runs when the time for its end is over. The task ends here, with an answer.
            if scope["type"] != "http" or response.started:
                raise
            defect = make_refusal("ROMA is being stopped; ask again in a moment.", ErrorCode.STOPPED)
        finally:
            serving.reset(mark)
            payer.reset(paying)
        if defect is not None and not response.started:
            await make_problem(defect, path=scope["path"])(scope, receive, response.send)

    async def _touch_login(self, scope: Scope) -> None:
        """Note that the sign-in of a request is in use, at most once in ``TOUCH``."""
        login: Login | None = scope.get("state", {}).get("login")
        if login is None:
            return
        scope["state"]["login_id"] = login.id
        if datetime.now(UTC) - login.seen_at >= TOUCH:
            await guarded("api", asyncio.to_thread(self._accounts.touch, login.id))

    async def _log_refusal(self, scope: Scope) -> None:
        """Log a wrong token by the address that sent it; at most as many a minute as an address may try."""
        if self._log_action is not None:
            stranger = Principal(subject="unknown", tenant=self._tenant, signed_in_by="token")
            await self._log_action(stranger, "sign_in.failed", address=_read_address(scope))

    async def _admit(self, scope: Scope) -> Principal | AgentFailure | None:
        """Return the caller who may go on (None: a stranger, on an open path), or why not."""
        path, part = scope["path"], _first_part(scope["path"])
        if part in SHUT:
            return make_refusal("Not Found", ErrorCode.NOT_FOUND)
        tokens = await guarded("api", self._tokens.snapshot())
        if isinstance(tokens, AgentFailure):
            return None if path in OPEN else tokens
        self._has_accounts = bool(tokens.accounts) or self._has_provider
        identified = self._identify(tokens, scope)
        await self._touch_login(scope)
        principal = None if isinstance(identified, AgentFailure) else identified
        if isinstance(identified, AgentFailure):
            is_stranger = identified.code is ErrorCode.ACCESS_UNAUTHENTICATED and not _read_secret(scope)
            if not (is_stranger and path in OPEN):
                return identified
        needed = find_permission(path)
        is_free = path in OPEN or part in _OF_EVERYONE
        if principal is not None and not is_free and not principal.may(needed):
            return _refuse_permission(principal, needed)
        key = principal.subject if principal else _read_address(scope)
        is_unlimited = part in _UNLIMITED and not _ASKING.fullmatch(path)
        wait_s = 0.0 if is_unlimited else self._rates.wait_s(key)
        if wait_s:
            return make_refusal("Too many requests; wait a little.", ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)
        return principal

    def _identify(self, tokens: TokenSnapshot, scope: Scope) -> Principal | AgentFailure:
        """Return the caller, independent of the path's scope."""
        headers, in_console = Headers(scope=scope), _first_part(scope["path"]) in _CONSOLE
        is_posted = scope["path"] == FROM_PROVIDER and scope["type"] == "http"
        if (in_console or scope["type"] == "websocket") and not is_posted and not self._is_own_page(headers):
            said = "Another site's page may not open this; ROMA_CORS_ORIGINS names those that may."
            return make_refusal(said, ErrorCode.ACCESS_FORBIDDEN)
        if in_console and "bokeh_session_id" in QueryParams(scope["query_string"]):
            # A client that chose another's session would share it.
            return make_refusal("The server chooses the console's session.", ErrorCode.ACCESS_FORBIDDEN)
        needs_token = tokens.configured or self._always
        return (
            self._identify_by_token(tokens, scope)
            if needs_token
            else self._identify_local(headers, _read_address(scope))
        )

    def _identify_local(self, headers: Headers, address: str) -> Principal | AgentFailure:
        """Return the local caller, while no token exists and the request comes from this machine.

        A web page counts as foreign: the Host header must name this machine, since a page's own name can be rebound to
        it, and a page of another site is visible in Origin. A request through a proxy counts as foreign, too.
        """
        here = is_loopback(address) and is_loopback(_read_host(headers)) and self._is_own_page(headers)
        if here and not any(_PROXIED.fullmatch(name) for name in headers):
            return Principal.local(self._tenant)
        return make_refusal(
            "Without a token only this machine is served, and no client behind a proxy; make one with "
            "`roma token create NAME`.",
            ErrorCode.ACCESS_UNAUTHENTICATED,
        )

    def _is_own_page(self, headers: Headers) -> bool:
        """Return whether a request is from no page, this server, or one of ``ROMA_CORS_ORIGINS``.

        Pictures and frames of another page come without Origin; Sec-Fetch-Dest names their purpose. A link does no
        harm.
        """
        host, origins = headers.get("host", "").lower(), headers.getlist("origin")
        if origins:
            return all(origin in self._origins or _parse_origin(origin) == host for origin in origins)
        site = headers.get("sec-fetch-site", "none")
        return site in {"none", "same-origin"} or headers.get("sec-fetch-dest") == "document"

    def _identify_by_token(self, tokens: TokenSnapshot, scope: Scope) -> Principal | AgentFailure:
        secret = _read_secret(scope)
        signed_in = tokens.find_login(_read_cookie(scope, self._cookie)) if not secret else None
        if signed_in is not None:
            scope.setdefault("state", {})["login"] = signed_in[0]
            return signed_in[1]
        token = tokens.verify(secret) if secret else None
        principal = tokens.identify(token) if token is not None else None
        if principal is not None:
            return principal
        wait_s = self._failed.wait_s(_read_address(scope)) if secret else 0.0
        if wait_s:
            said = "Too many wrong tokens from this address; wait a little."
            return make_refusal(said, ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)
        return make_refusal("Send a valid token: `Authorization: Bearer roma_...`.", ErrorCode.ACCESS_UNAUTHENTICATED)

    def _recheck_messages(self, scope: Scope, receive: Receive, response: _ResponseRecorder) -> Receive:
        """Return a ``receive`` that checks the caller's token again with each message.

        A console may stay open for days.
        """

        async def received() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                tokens = await guarded("api", self._tokens.snapshot())
                if isinstance(tokens, AgentFailure) or isinstance(self._identify(tokens, scope), AgentFailure):
                    await response.close()
                    return {"type": "websocket.disconnect", "code": 1008}
            return message

        return received


def find_permission(path: str) -> Permission:
    """Return the permission that a path needs.

    >>> find_permission("/console/usage/ws"), find_permission("/console")
    ('insights.read', 'answers.ask')
    """
    page = "/".join(path.split("/", 3)[:3])
    return PERMISSION_OF_PAGE.get(page) or PERMISSION_OF.get(_first_part(path), "service.manage")


def _refuse_permission(principal: Principal, needed: Permission) -> AgentFailure:
    """Return why the caller may not go on, in the words that its way of signing in uses."""
    if principal.signed_in_by != "token":
        said = f"Your roles lack the permission {needed!r}."
        return make_refusal(said, ErrorCode.ACCESS_FORBIDDEN, permission=needed)
    scope = find_scope(needed)
    said = f"This token lacks the scope {scope!r}."
    return make_refusal(said, ErrorCode.ACCESS_FORBIDDEN, scope=scope, permission=needed)


async def _refuse(
    failure: AgentFailure, scope: Scope, receive: Receive, response: _ResponseRecorder, *, is_challenged: bool = True
) -> None:
    """Send why a request is refused; ``is_challenged`` has a browser ask for a token as password."""
    if scope["type"] == "websocket":
        await receive()
        await response.close(failure.code.value)
        return
    is_stranger = failure.code is ErrorCode.ACCESS_UNAUTHENTICATED
    has_form = not is_challenged and _first_part(scope["path"]) in _CONSOLE
    asked = {"WWW-Authenticate": _make_challenge(scope["path"])} if is_stranger and not has_form else {}
    await make_problem(failure, headers=asked, path=scope["path"])(scope, receive, response.send)


class _ResponseRecorder:
    """Wrapper of ``send`` that adds the headers and records status and time."""

    def __init__(self, scope: Scope, send: Send, current: str, headers: Mapping[str, str]) -> None:
        self._scope = scope
        self._headers = headers
        self.wire = send
        """Past the layers behind the gate, none of which looks at the body: an answer is hundreds of small pieces."""
        self._request_id = current
        self._status = 500
        self._replaced = False
        self.started = False
        self._start = time.perf_counter()

    async def close(self, reason: str = "") -> None:
        """End a websocket; later messages of the application are dropped."""
        await self.send({"type": "websocket.close", "code": 1008, "reason": reason})
        self._replaced = True

    async def send(self, message: Message) -> None:
        """Send a message with the headers; a body limit of the framework becomes a problem."""
        if self._replaced:
            return
        self.started = True
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status == 413 and not _is_problem(message):
                # The framework cuts long bodies with a plain sentence of its own.
                said = make_refusal("The body is over ROMA_MAX_BODY_MB.", ErrorCode.INPUT_INVALID)
                await make_problem(said, 413, path=self._scope["path"])(self._scope, _receive_disconnect, self.send)
                self._replaced = True
                return
            headers, part = MutableHeaders(scope=message), _first_part(self._scope["path"])
            if part in _CONSOLE_FILES and self._status in {200, 304}:
                headers["Cache-Control"] = "private, no-cache"  # asked for anew, sent only when changed: they are 5 MB
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", _choose_policy(self._scope["path"], part))
            headers["X-Request-ID"] = self._request_id
        await self.wire(message)

    def observe(self, log: FilteringBoundLogger) -> None:
        """Count and log the request with its route template, status and time."""
        if self._scope["type"] != "http":
            return
        seconds = time.perf_counter() - self._start
        # The template, not the path: ids in labels would grow without bound and name documents.
        route = getattr(self._scope.get("route"), "path", None) or "unmatched"
        metrics.observe_http(self._scope["method"], route, self._status, seconds)
        log.info("request", method=self._scope["method"], route=route, status=self._status)


def _is_problem(message: Message) -> bool:
    return Headers(raw=message.get("headers", [])).get("content-type") == MEDIA_TYPE


async def _receive_disconnect() -> Message:
    return {"type": "http.disconnect"}


def _first_part(path: str) -> str:
    """Return the first part of a path, as the router sees it.

    It is ``console`` for ``/console/ws``, and empty for ``//query`` and ``*``.
    """
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _choose_policy(path: str, part: str) -> str:
    """Return the Content-Security-Policy of a path."""
    if _PANEL.match(path):
        return PANEL_CSP
    return CONSOLE_CSP if part in _CONSOLE else CSP


def _read_address(scope: Scope) -> str:
    """Return the address of the connection; headers of a proxy are not trusted."""
    return str((scope.get("client") or ("", 0))[0])


def _read_host(headers: Headers) -> str:
    """Return the name in the Host header, without its port; empty when it is no name."""
    form = _HOST.fullmatch(headers.get("host", "localhost"))
    return form[1] if form else ""


def _parse_origin(origin: str) -> str | None:
    """Return host and port of an origin, as a browser puts them into Host; None when it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _make_challenge(path: str) -> str:
    """Return the WWW-Authenticate header of a path.

    Browsers cannot send bearer tokens by themselves, so the console takes one as the password.
    """
    return 'Basic realm="ROMA console: any name, a token as password"' if _first_part(path) in _CONSOLE else "Bearer"


def _is_navigation(scope: Scope, failure: AgentFailure) -> bool:
    """Return whether a stranger opens a page of the console, which can lead to the form of sign-ins."""
    headers = Headers(scope=scope)
    is_page = scope["type"] == "http" and scope["method"] == "GET" and _first_part(scope["path"]) in _PAGES
    is_stranger = failure.code is ErrorCode.ACCESS_UNAUTHENTICATED and not _read_secret(scope)
    return is_page and is_stranger and "text/html" in headers.get("accept", "")


def _read_cookie(scope: Scope, name: str) -> str:
    """Return the secret of a sign-in's cookie, which counts in the console alone; an empty string without one."""
    if _first_part(scope["path"]) not in _CONSOLE or scope["path"] == FROM_PROVIDER:
        return ""
    cookies = SimpleCookie()
    try:
        cookies.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    found = cookies.get(name)
    return found.value if found is not None else ""


def _read_secret(scope: Scope) -> str:
    """Return the token that the request carries, or an empty string.

    Basic counts in the console alone: browsers send it unasked.
    """
    scheme, _, value = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and _first_part(scope["path"]) in _CONSOLE:
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return value
    return ""
