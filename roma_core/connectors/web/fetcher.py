"""One bounded HTTP request: at most so many bytes after decompression, so much time, so many hops, each one guarded."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpcore2

from roma_core.connectors.net.egress import EgressProxies, ProxyAddress
from roma_core.connectors.net.guard import Netguard, PinnedBackend, Target
from roma_core.environment import explain_certificate, find_certificate_fault
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.retry import TRANSIENT_STATUSES, retry_after_s

MAX_HOPS: Final = 10
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
GZIP_OR_ZLIB: Final = 47  # zlib's wbits: 15 + 32 detects either header

BeforeHop = Callable[[Target], Awaitable[None]]
Headers = Mapping[str, str] | Callable[[Target], Mapping[str, str]]
"""Headers of every hop, or a function that gives those of one: a secret must not follow a redirect to another host."""


@dataclass(frozen=True)
class FetchedResponse:
    """``url`` is where the body came from after redirects; header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def status_error(response: FetchedResponse) -> ConnectorError:
    """Return the error that a response of any other status than success is."""
    status, host = response.status, urlsplit(response.url).hostname or ""
    codes = {
        401: ErrorCode.CONNECTOR_AUTH,
        407: ErrorCode.CONNECTOR_AUTH,
        403: ErrorCode.CONNECTOR_PERMISSION,
        451: ErrorCode.CONNECTOR_PERMISSION,
        404: ErrorCode.CONNECTOR_NOT_FOUND,
        410: ErrorCode.CONNECTOR_NOT_FOUND,
        429: ErrorCode.CONNECTOR_RATE_LIMIT,
    }
    code = codes.get(status)
    if code is None:
        transient = status in TRANSIENT_STATUSES or status >= 500
        code = ErrorCode.CONNECTOR_UNAVAILABLE if transient else ErrorCode.CONNECTOR_UNSUPPORTED
    return ConnectorError(
        f"{host} answered {status}.",
        code,
        retry_after_s=retry_after_s(response.headers),
        details={"status": status, "host": host},
    )


class Fetcher:
    """A connection pool behind a ``Netguard``, and another for each egress proxy that the environment names.

    Through a proxy (``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``) the guard judges every address before it is asked
    for; the proxy itself then resolves the name. Hosts that are allowed to be private are never asked through one.
    """

    def __init__(
        self,
        guard: Netguard,
        *,
        timeout_s: float,
        max_bytes: int,
        ssl_context: ssl.SSLContext | None = None,
        proxies: EgressProxies | None = None,
    ) -> None:
        self.guard = guard
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._tls = ssl_context or _system_tls()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            network_backend=PinnedBackend(guard),
            max_connections=64,
            keepalive_expiry=5.0,
        )
        self._proxies = EgressProxies.from_environment() if proxies is None else proxies
        self._proxy_pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    async def get(
        self, url: str, headers: Headers, *, before_hop: BeforeHop | None = None, max_bytes: int | None = None
    ) -> FetchedResponse:
        """Follow redirects to a response of any status. ``before_hop`` may wait or refuse; its time is not counted.

        Raises ``ConnectorError``: BLOCKED, TIMEOUT, TOO_LARGE, CORRUPT (bad encoding), NOT_FOUND (no such host) or
        UNAVAILABLE (refused or broken connection, TLS failure, endless redirects).
        """
        left_s, seen = self._timeout_s, set[str]()
        while True:
            target = self.guard.check_url(url)
            if target.url in seen or len(seen) > MAX_HOPS:
                raise ConnectorError(f"{target.host} redirects in circles.", details={"host": target.host})
            seen.add(target.url)
            if before_hop is not None:
                await before_hop(target)
            started = time.monotonic()
            sent = headers(target) if callable(headers) else headers
            response = await self._once(target, sent, left_s, max_bytes or self._max_bytes)
            left_s -= time.monotonic() - started
            location = response.headers.get("location")
            if response.status not in REDIRECTS or not location:
                return response
            url = urljoin(target.url, location.strip()).partition("#")[0]

    async def send(self, method: str, url: str, headers: Mapping[str, str], *, body: bytes = b"") -> FetchedResponse:
        """Make one request and follow no redirect: what is sent must reach nobody else. Raises as ``get`` does."""
        target = self.guard.check_url(url)
        return await self._once(target, headers, self._timeout_s, self._max_bytes, method=method, sent_body=body)

    async def close(self) -> None:
        await self._pool.aclose()
        for pool in self._proxy_pools.values():
            await pool.aclose()

    async def _pool_for(self, target: Target) -> httpcore2.AsyncConnectionPool:
        """Return the pool that reaches ``target``. Raises ``ConnectorError`` for an address that is not public."""
        proxy = self._proxy_for(target)
        if proxy is None:
            return self._pool
        await self.guard.check_resolvable(target.host, target.port)
        if proxy.url not in self._proxy_pools:
            self._proxy_pools[proxy.url] = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls,
                proxy=httpcore2.Proxy(proxy.url, auth=proxy.auth),
                max_connections=64,
                keepalive_expiry=5.0,
            )
        return self._proxy_pools[proxy.url]

    def _proxy_for(self, target: Target) -> ProxyAddress | None:
        """Return the proxy that a connection goes through; a private host that is allowed is reached without one."""
        return None if self.guard.is_allowed(target.host, target.port) else self._proxies.proxy_for(target)

    async def _once(
        self,
        target: Target,
        headers: Mapping[str, str],
        timeout_s: float,
        max_bytes: int,
        *,
        method: str = "GET",
        sent_body: bytes = b"",
    ) -> FetchedResponse:
        try:
            async with asyncio.timeout(max(timeout_s, 0.0)):
                return await self._exchange(target, headers, max_bytes, method, sent_body)
        except (TimeoutError, httpcore2.TimeoutException):
            raise ConnectorError(
                f"{target.host} did not answer in full within {self._timeout_s:g} s.",
                ErrorCode.CONNECTOR_TIMEOUT,
                details={"host": target.host},
            ) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            refused = find_certificate_fault(error)
            through = " through the proxy of HTTPS_PROXY or HTTP_PROXY" if self._proxy_for(target) else ""
            failed = f"The connection{through} failed ({type(error).__name__})."
            reason = explain_certificate(refused) if refused else failed
            raise ConnectorError(f"{target.host}: {reason}", details={"host": target.host}) from None

    async def _exchange(
        self, target: Target, headers: Mapping[str, str], max_bytes: int, method: str, sent_body: bytes
    ) -> FetchedResponse:
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path
        )
        # Only encodings whose output we can cut while it is decoded.
        sent = {"Host": target.authority, "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive", **headers}
        pool = await self._pool_for(target)
        if sent_body:
            sent["Content-Length"] = str(len(sent_body))
        async with pool.stream(method, url, headers=list(sent.items()), content=sent_body or None) as answer:
            got = _headers_of(answer.headers)
            if answer.status in REDIRECTS and got.get("location"):
                return FetchedResponse(target.url, answer.status, got, b"")
            body = await read_bounded(answer.aiter_stream(), got, max_bytes, target.host)
            return FetchedResponse(target.url, answer.status, got, body)


def _headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; of one that is sent twice, the values with a comma between them."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key == "x-robots-tag" and key in headers else text
    return headers


@cache
def _system_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def read_bounded(chunks: AsyncIterator[bytes], headers: Mapping[str, str], max_bytes: int, host: str) -> bytes:
    """The decoded body. Never holds more than ``max_bytes`` and one network chunk."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(host, max_bytes)
    decoder = _decoder(headers.get("content-encoding", "").strip().lower(), host)
    body, received = bytearray(), 0
    async for chunk in chunks:
        received += len(chunk)
        body += decoder.feed(chunk, max_bytes + 1 - len(body))
        if len(body) > max_bytes or received > max_bytes:
            raise _too_large(host, max_bytes)
    decoder.finish()
    return bytes(body)


class _Identity:
    def feed(self, chunk: bytes, limit: int) -> bytes:
        return chunk[:limit]

    def finish(self) -> None:
        """Nothing to check."""


class _Inflate:
    """gzip (also of several members), zlib, or the bare deflate that some servers send for it."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._inflate = zlib.decompressobj(GZIP_OR_ZLIB)
        self._started = False

    def feed(self, chunk: bytes, limit: int) -> bytes:
        out = bytearray()
        while chunk and len(out) < limit:
            out += self._step(chunk, limit - len(out))
            chunk = self._inflate.unused_data.lstrip(b"\0") if self._inflate.eof else b""
            if chunk:
                self._inflate = zlib.decompressobj(GZIP_OR_ZLIB)
        return bytes(out)

    def _step(self, chunk: bytes, limit: int) -> bytes:
        try:
            out = self._inflate.decompress(chunk, limit)
        except zlib.error:
            if self._started:
                raise _corrupt(self._host) from None
            out = self._bare(chunk, limit)
        self._started = True
        return out

    def _bare(self, chunk: bytes, limit: int) -> bytes:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._inflate.decompress(chunk, limit)
        except zlib.error:
            raise _corrupt(self._host) from None

    def finish(self) -> None:
        if self._started and not self._inflate.eof:
            raise _corrupt(self._host)


def _decoder(encoding: str, host: str) -> _Identity | _Inflate:
    if encoding in {"", "identity", "none"}:
        return _Identity()
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _Inflate(host)
    raise ConnectorError(
        f"{host} sent an encoding that was not asked for ({encoding[:20]}).",
        ErrorCode.CONNECTOR_CORRUPT,
        details={"host": host},
    )


def _too_large(host: str, max_bytes: int) -> ConnectorError:
    return ConnectorError(
        f"{host} sent more than {max_bytes / 1024 / 1024:g} MiB (ROMA_WEB_MAX_MB).",
        ErrorCode.CONNECTOR_TOO_LARGE,
        details={"host": host},
    )


def _corrupt(host: str) -> ConnectorError:
    return ConnectorError(
        f"{host} sent a compressed body that cannot be unpacked.",
        ErrorCode.CONNECTOR_CORRUPT,
        details={"host": host},
    )
