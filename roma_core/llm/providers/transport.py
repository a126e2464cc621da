"""The way of the SDKs to their servers: HTTP by aiohttp, a limit to silence, and the meaning of broken connections.

Both SDKs bring aiohttp as their second way to speak HTTP. For streams it costs half of the first (``docs/benchmarks``,
SSE). Import this once the SDK is imported: it loads both libraries.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies

import aiohttp
import httpx2

from roma_core.environment import explain_certificate, find_certificate_fault, find_wrong_proxy
from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.providers.faults import FaultTable, fault
from roma_core.watchdog import Watchdog

CONNECT_S = 5.0


def http_options(
    *, first_token_s: float, stall_s: float, transport: httpx2.AsyncBaseTransport | None
) -> dict[str, Any]:
    """Arguments of the SDK's HTTP client.

    A silence of ``first_token_s`` ends the wait for headers and for the first token; the adapter makes it ``stall_s``
    once that is there. ``transport`` replaces the network in tests.
    """

    async def listen(response: httpx2.Response) -> None:
        response.stream = WatchedStream(cast(httpx2.AsyncByteStream, response.stream), max(first_token_s, stall_s))

    options: dict[str, Any] = {
        # aiohttp has one limit for the wait for headers and for silence behind them; ``WatchedStream`` is stricter.
        "timeout": httpx2.Timeout(max(first_token_s, stall_s), connect=min(first_token_s, CONNECT_S)),
        "event_hooks": {"response": [listen]},
        "limits": httpx2.Limits(max_connections=0),  # aiohttp's word for no limit: the service's limiter has the say
    }
    if transport is not None:
        options["transport"] = transport
    return options


def without_credentials(url: str) -> tuple[str, dict[str, str]]:
    """``url`` as it may be requested, and the header that its ``user:password@`` stands for.

    It goes instead of the key: a gateway in front of a model server may want it (RFC 7617).
    """
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(bare), {"Authorization": f"Basic {b64encode(words.encode()).decode()}"}


class WatchedStream(httpx2.AsyncByteStream):
    """The bytes of a response. A silence of ``silence_s`` is a ``ReadTimeout``; any byte, also of a ping, is life."""

    def __init__(self, stream: httpx2.AsyncByteStream, silence_s: float) -> None:
        self._stream = stream
        self.silence_s = silence_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        time = asyncio.get_running_loop().time
        chunks = aiter(self._stream)
        with closing(Watchdog(time() + self.silence_s)) as watchdog:
            while True:
                try:
                    with watchdog:
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise httpx2.ReadTimeout("the server fell silent") from None
                yield chunk
                watchdog.move(time() + self.silence_s)

    async def aclose(self) -> None:
        await self._stream.aclose()


def transport_faults(vendor: str) -> FaultTable:
    """Errors that reach us from under the SDKs, raw."""
    return (
        (httpx2.InvalidURL, lambda e: _wrong_address(vendor)),
        (httpx2.UnsupportedProtocol, lambda e: _wrong_address(vendor)),
        (httpx2.HTTPError, lambda e: unreachable(vendor, e)),
        (httpx2.StreamError, lambda e: unreachable(vendor, e)),
        (aiohttp.ClientError, lambda e: unreachable(vendor, e)),
        (json.JSONDecodeError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
        (UnicodeDecodeError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
    )


def _wrong_address(vendor: str) -> LLMError:
    """An address that nobody can connect to: that of a proxy, or of the server."""
    return _wrong_proxy(vendor) or fault(vendor, ErrorCode.LLM_NOT_FOUND)


def _wrong_proxy(vendor: str) -> LLMError | None:
    reason = find_wrong_proxy()
    if not reason:
        return None
    return LLMError(f"{vendor} cannot be reached: {reason}", ErrorCode.LLM_UNAVAILABLE, details={"sent": False})


_LATE = (aiohttp.ServerTimeoutError, httpx2.TimeoutException)
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
)


def unreachable(vendor: str, error: BaseException) -> LLMError:
    """A connection that failed. ``sent`` is False where it never came about, so that nothing can have been billed.

    aiohttp's own error decides where there is one: the SDKs translate every broken connection to a late one.
    """
    causes = list(_causes(error))
    refused = find_certificate_fault(error)
    if refused is not None:
        details = {"sent": False, "exception": type(refused).__name__}
        return LLMError(f"{vendor}: {explain_certificate(refused)}", ErrorCode.LLM_UNAVAILABLE, details=details)
    causes = [cause for cause in causes if isinstance(cause, aiohttp.ClientError)] or causes
    if any(isinstance(cause, aiohttp.ClientResponseError) for cause in causes):
        return fault(vendor, ErrorCode.LLM_MALFORMED)
    late = any(isinstance(cause, _LATE) for cause in causes)
    code = ErrorCode.LLM_TIMEOUT if late else ErrorCode.LLM_UNAVAILABLE
    if not any(isinstance(cause, _NEVER_SENT) for cause in causes):
        return fault(vendor, code, exception=type(causes[-1]).__name__)
    wrong_proxy = _wrong_proxy(vendor)
    if wrong_proxy is not None:
        return wrong_proxy
    checked = "the network, HTTPS_PROXY" if getproxies().keys() & {"https", "http", "all"} else "the network"
    return LLMError(f"{vendor} cannot be reached; check {checked} and LLM_BASE_URL.", code, details={"sent": False})


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what led to it, the first cause last."""
    while error is not None:
        yield error
        error = error.__cause__
