"""What both SDK adapters share: HTTP timeouts, one client per event loop, memory of refused parameters."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.faults import FaultTable, fault, refused_parameter

if TYPE_CHECKING:
    import httpx2

C = TypeVar("C")


class Clients(Generic[C]):
    """One SDK client for the running event loop: connection pools do not survive their loop."""

    def __init__(self, package: str, make: Callable[[Any], C]) -> None:
        self._package = package
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: C | None = None
        self.module: Any = None
        """The SDK itself, once the first client was made."""

    async def get(self) -> C:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # Importing an SDK takes a second or two, which other tasks should not have to wait for.
            self.module = await asyncio.to_thread(importlib.import_module, self._package)
            if self._client is None or self._loop is not loop:
                self._client, self._loop = self._make(self.module), loop
        return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()  # type: ignore[attr-defined]


def http_options(
    *, first_token_s: float, stall_s: float, transport: httpx2.AsyncBaseTransport | None
) -> dict[str, Any]:
    """Arguments of the SDK's HTTP client.

    The wait for headers may last as long as the first token; once they are there, a silence of ``stall_s`` (no byte
    at all: pings count as life) ends the stream. HTTPX keeps the limits of a request in one dict, which is read again
    for each chunk of the body.
    """
    import httpx2

    async def tighten(response: httpx2.Response) -> None:
        limits = response.request.extensions.get("timeout")
        if isinstance(limits, dict):
            limits["read"] = stall_s

    options: dict[str, Any] = {
        "timeout": httpx2.Timeout(first_token_s, connect=min(first_token_s, 5.0)),
        "event_hooks": {"response": [tighten]},
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=32),
    }
    if transport is not None:
        options["transport"] = transport
    return options


def transport_faults(vendor: str) -> FaultTable:
    """Errors that reach us from under the SDKs, raw."""
    import httpx2

    return (
        (httpx2.TimeoutException, lambda e: fault(vendor, ErrorCode.LLM_TIMEOUT, exception=type(e).__name__)),
        (httpx2.InvalidURL, lambda e: fault(vendor, ErrorCode.LLM_NOT_FOUND)),
        (httpx2.UnsupportedProtocol, lambda e: fault(vendor, ErrorCode.LLM_NOT_FOUND)),
        (httpx2.HTTPError, lambda e: fault(vendor, ErrorCode.LLM_UNAVAILABLE, exception=type(e).__name__)),
        (httpx2.StreamError, lambda e: fault(vendor, ErrorCode.LLM_UNAVAILABLE, exception=type(e).__name__)),
        (json.JSONDecodeError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
        (UnicodeDecodeError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
    )


def unreachable(vendor: str, error: Exception) -> LLMError:
    """A connection that failed. ``sent`` is False where it never came about, so that nothing can have been billed."""
    import httpx2

    never = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
    code = ErrorCode.LLM_TIMEOUT if isinstance(error.__cause__, httpx2.TimeoutException) else ErrorCode.LLM_UNAVAILABLE
    if not isinstance(error.__cause__ or error, never):
        return fault(vendor, code)
    return LLMError(f"{vendor} cannot be reached; check the network and LLM_BASE_URL.", code, details={"sent": False})


class Refusals:
    """Parameters that a model was found to refuse, so that each is tried once per process and not per call."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._refused: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._refused

    def learn(self, body: object) -> bool:
        """Note the parameter that ``body`` refuses; False when it names none that we could do without."""
        name = refused_parameter(body, self._names)
        if name is None or name in self._refused:
            return False
        self._refused.add(name)
        return True


def text_of(value: object, vendor: str) -> str:
    """A piece of text as sent, where null means none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise fault(vendor, ErrorCode.LLM_MALFORMED)
    return value


def at(value: Any, *path: str | int) -> Any:
    """What ``path`` leads to inside decoded JSON; None where it leads nowhere."""
    try:
        for step in path:
            value = value[step]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def count_of(usage: object, *path: str) -> int:
    """A number inside a usage object; servers leave out, or send null for, what they do not count."""
    count = at(usage, *path)
    return count if isinstance(count, int) and count > 0 else 0
