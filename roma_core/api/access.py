"""The gate in front of every route: request ids, authentication, scopes, rates, security headers, metrics.

Everything is shut unless ``OPEN`` or ``SCOPE_OF`` says otherwise: a route that is added and forgotten needs an admin.
Pure ASGI: the streaming path pays for one wrapped ``send`` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from roma_core.api.problems import MEDIA_TYPE, problem, refusal
from roma_core.api.tokens import Scope as TokenScope
from roma_core.api.tokens import TokenStore, is_loopback
from roma_core.errors import AgentFailure, ErrorCode, StoreError, guarded
from roma_core.settings import Settings
from roma_core.telemetry import logs, metrics

OPEN = frozenset({"/health", "/docs", "/openapi.json"})
"""Paths that need no token. ``/health`` shows strangers the state and no reasons."""
SCOPE_OF: Mapping[str, TokenScope] = {
    "query": "query",
    "sources": "query",
    "sessions": "query",
    "feedback": "query",
    "console": "query",
    "static": "query",
    "components": "query",
    "ingest": "ingest",
}
"""By the first part of the path; everything else needs ``admin``."""
_CONSOLE_FILES = frozenset({"static", "components"})
"""Where Panel serves the libraries that the console is made of: beside it, not below it."""
_CONSOLE = _CONSOLE_FILES | {"console"}
_UNLIMITED = _CONSOLE | {"health"}  # one page of the console loads fifty files
FAILED_LOGINS_PER_MINUTE = 10

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
# Panel compiles templates in the browser and styles elements in place; images stay at home all the same, because an
# image is how a poisoned document would carry words out.
CONSOLE_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


@dataclass(frozen=True)
class Principal:
    """Who asks: a token, or somebody on this machine while there is none."""

    id: str
    tenant: str
    scopes: frozenset[TokenScope]

    def allows(self, scope: TokenScope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


serving: ContextVar[Principal | None] = ContextVar("roma_principal", default=None)
"""Who asks for what is being served, for what is not handed the request: the console."""


class Buckets:
    """Token buckets by key: ``per_minute`` on average, as many at once. Forgets the least used beyond 10 000."""

    _MOST = 10_000

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, cost: float = 1.0) -> float:
        """0 when ``key`` may go on (and has paid), else the seconds until it may."""
        now = time.monotonic()
        level, at = self._levels.pop(key, (self._size, now))
        level = min(self._size, level + (now - at) * self._per_s)
        paid = level >= cost
        self._levels[key] = (level - cost if paid else level, now)
        if len(self._levels) > self._MOST:
            self._levels.popitem(last=False)
        return 0.0 if paid else (cost - level) / self._per_s


class Gate:
    """The middleware."""

    def __init__(self, app: ASGIApp, *, tokens: TokenStore, settings: Settings) -> None:
        self._app = app
        self._tokens = tokens
        self._tenant = settings.tenant
        self._rates = Buckets(settings.rate_limit_per_minute)
        self._failed = Buckets(FAILED_LOGINS_PER_MINUTE)
        self._log = logs.get("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        with logs.request(Headers(scope=scope).get("x-request-id")) as current:
            response = _Response(scope, send, current)
            try:
                await self._serve(scope, receive, response)
            finally:
                response.observe(self._log)

    async def _serve(self, scope: Scope, receive: Receive, response: _Response) -> None:
        try:
            found = self._admit(scope)
        except StoreError as error:
            found = AgentFailure.of("api", error)
        if isinstance(found, Principal) or found is None:
            scope.setdefault("state", {})["principal"] = found
            mark = serving.set(found)
            try:
                defect = await guarded("api", self._app(scope, receive, response.send))
            finally:
                serving.reset(mark)
            if defect is not None and not response.started:
                await problem(defect)(scope, receive, response.send)
        elif scope["type"] == "websocket":
            await receive()
            await response.send({"type": "websocket.close", "code": 1008, "reason": found.code.value})
        else:
            asked = (
                {"WWW-Authenticate": _challenge(scope["path"])} if found.code == "ERR_ACCESS_UNAUTHENTICATED" else {}
            )
            await problem(found, headers=asked)(scope, receive, response.send)

    def _admit(self, scope: Scope) -> Principal | AgentFailure | None:
        """Who may go on (None: a stranger, on an open path), or why not."""
        path, address = scope["path"], (scope.get("client") or ("", 0))[0]
        if _of_another_site(scope):
            return refusal("A page of another site may not connect to the console.", ErrorCode.ACCESS_FORBIDDEN)
        found = self._local(scope, address) if not self._tokens.configured() else self._by_token(scope, address)
        if isinstance(found, AgentFailure):
            stranger = found.code is ErrorCode.ACCESS_UNAUTHENTICATED and not _secret(scope)
            if not (stranger and path in OPEN):
                return found
        who = None if isinstance(found, AgentFailure) else found
        wanted = SCOPE_OF.get(_part(path), "admin")
        if who is not None and path not in OPEN and not who.allows(wanted):
            return refusal(f"This token lacks the scope {wanted!r}.", ErrorCode.ACCESS_FORBIDDEN, scope=wanted)
        wait_s = 0.0 if _part(path) in _UNLIMITED else self._rates.wait_s(who.id if who else address)
        if wait_s:
            return refusal("Too many requests; wait a little.", ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)
        return who

    def _local(self, scope: Scope, address: str) -> Principal | AgentFailure:
        """While there is no token this machine may do everything, and nobody else anything.

        The Host header must name this machine too: a web page whose own name was rebound to it is a stranger.
        """
        host = Headers(scope=scope).get("host", "localhost").rsplit(":", 1)[0]
        if is_loopback(address) and is_loopback(host):
            return Principal("local", self._tenant, frozenset({"admin"}))
        return refusal(
            "Without a token only this machine is served; make one with `roma token create NAME`.",
            ErrorCode.ACCESS_UNAUTHENTICATED,
        )

    def _by_token(self, scope: Scope, address: str) -> Principal | AgentFailure:
        secret = _secret(scope)
        token = self._tokens.verify(secret) if secret else None
        if token is not None:
            return Principal(f"token:{token.id}", token.tenant, frozenset(token.scopes))
        wait_s = self._failed.wait_s(address) if secret else 0.0
        if wait_s:
            said = "Too many wrong tokens from this address; wait a little."
            return refusal(said, ErrorCode.ACCESS_RATE_LIMIT, retry_after_s=wait_s)
        return refusal("Send a valid token: `Authorization: Bearer roma_...`.", ErrorCode.ACCESS_UNAUTHENTICATED)


class _Response:
    """Wraps ``send``: adds the headers, remembers status and time."""

    def __init__(self, scope: Scope, send: Send, current: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = current
        self._status = 500
        self._replaced = False
        self.started = False
        self._start = time.perf_counter()

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        self.started = True
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status == 413 and not _is_problem(message):
                # The framework cuts long bodies with a plain sentence of its own.
                said = refusal("The body is over ROMA_MAX_BODY_MB.", ErrorCode.INPUT_INVALID)
                await problem(said, 413)(self._scope, _nothing, self.send)
                self._replaced = True
                return
            headers, part = MutableHeaders(scope=message), _part(self._scope["path"])
            if part in _CONSOLE_FILES and self._status in {200, 304}:
                headers["Cache-Control"] = "private, no-cache"  # asked for anew, sent only when changed: they are 5 MB
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", CONSOLE_CSP if part in _CONSOLE else CSP)
            headers["X-Request-ID"] = self._request_id
        await self._send(message)

    def observe(self, log: FilteringBoundLogger) -> None:
        if self._scope["type"] != "http":
            return
        seconds = time.perf_counter() - self._start
        # The template, not the path: ids in labels would grow without bound and name documents.
        route = getattr(self._scope.get("route"), "path", None) or "unmatched"
        metrics.observe_http(self._scope["method"], route, self._status, seconds)
        log.info("request", method=self._scope["method"], route=route, status=self._status)


def _is_problem(message: Message) -> bool:
    return Headers(raw=message.get("headers", [])).get("content-type") == MEDIA_TYPE


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _part(path: str) -> str:
    """The first part of a path: ``console`` of ``/console/ws``."""
    return path.partition("/")[2].partition("/")[0]


def _of_another_site(scope: Scope) -> bool:
    """A websocket that some other site's page opens. Browsers ask nobody before, and send the password along."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    return scope["type"] == "websocket" and origin is not None and urlsplit(origin).netloc != headers.get("host")


def _challenge(path: str) -> str:
    """Browsers cannot send bearer tokens by themselves, so the console takes one as the password."""
    return 'Basic realm="ROMA console: any name, a token as password"' if _part(path) in _CONSOLE else "Bearer"


def _secret(scope: Scope) -> str:
    """The token that the request carries, or nothing. Basic counts in the console alone: browsers send it unasked."""
    scheme, _, value = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and _part(scope["path"]) in _CONSOLE:
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return value
    return ""
