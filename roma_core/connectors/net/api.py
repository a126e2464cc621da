"""A client of public HTTP interfaces: guarded as every connection is, at most so often, with the one retry policy."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from roma_core import __version__
from roma_core.connectors.net.guard import Netguard, Resolve, Target, system_resolve
from roma_core.connectors.web.fetcher import FetchedResponse, Fetcher, status_error
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.retry import RetryPolicy, retrying
from roma_core.settings import Settings

AGENT_NAME: Final = f"ROMA/{__version__} (research reader)"
POLICY: Final = RetryPolicy(attempts=4, base_s=0.5, longest_backoff_s=16.0, longest_retry_after_s=60.0)


class ApiClient:
    """Asks one service. ``gap_s`` is the least time between two requests, as the service's terms have it."""

    def __init__(
        self, settings: Settings, *, gap_s: float = 0.1, resolve: Resolve = system_resolve, max_mb: float | None = None
    ) -> None:
        guard = Netguard(settings.web.allowed_private_hosts, resolve)
        max_bytes = int((max_mb or settings.parsing.max_mb) * 1024 * 1024)
        self._fetcher = Fetcher(guard, timeout_s=max(settings.web.timeout_s, 60.0), max_bytes=max_bytes)
        self._gap_s = gap_s
        self._turn = asyncio.Lock()
        self._next_at = 0.0

    async def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        also: frozenset[int] = frozenset(),
    ) -> FetchedResponse:
        """Return the answer to a GET. ``headers`` go to the address's own host alone, also on redirects.

        Raises ``ConnectorError`` for every status but success and those in ``also``.
        """
        address = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}" if params else url
        own_host = urlsplit(address).hostname

        def headers_of_hop(target: Target) -> Mapping[str, str]:
            common = {"User-Agent": AGENT_NAME, "Accept": "*/*"}
            return {**common, **(headers or {})} if target.host == own_host else common

        async def once() -> FetchedResponse:
            await self._wait_turn()
            response = await self._fetcher.get(address, headers_of_hop)
            if response.status != 200 and response.status not in also:
                raise status_error(response)
            return response

        return await retrying(once, policy=POLICY)

    async def get_json(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Return the JSON that a GET answers with. Raises ``ConnectorError``, corrupt for what is no JSON."""

        async def once() -> Any:
            return decode_json(await self.get(url, params, headers))

        return await retrying(once, policy=RetryPolicy(attempts=2), retry_if=_is_corrupt)

    async def close(self) -> None:
        """Close the connections."""
        await self._fetcher.close()

    async def _wait_turn(self) -> None:
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + self._gap_s


def decode_json(response: FetchedResponse) -> Any:
    """Return the JSON of an answer. Raises ``ConnectorError`` (corrupt)."""
    try:
        return json.loads(response.body)
    except ValueError:
        raise make_unreadable_error(response.url) from None


def make_unreadable_error(url: str) -> ConnectorError:
    """Return the error for an answer with status 200 that is not what was asked for."""
    host = urlsplit(url).hostname or ""
    return ConnectorError(
        f"{host} sent an answer that cannot be read.", ErrorCode.CONNECTOR_CORRUPT, details={"host": host}
    )


def _is_corrupt(error: BaseException) -> bool:
    return isinstance(error, ConnectorError) and error.code == ErrorCode.CONNECTOR_CORRUPT
