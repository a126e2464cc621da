"""A scripted connector for tests: what it lists and fetches stands in a dict that the test may change between runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container
from typing import Final

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.errors import AccessError, AgentFailure, ConnectorError, ErrorCode, RomaError, guarded, guarded_stream
from roma_core.types import RawDocument, Source, digest

AGENT: Final = "connector.fake"

Script = bytes | str | RomaError | RawDocument | Callable[[], bytes]
"""What fetching an item gives: its content, an error to raise, a whole document, or a function called each time."""


class FakeConnector:
    """``items`` maps URI to ``Script``; a source lists the items whose URI starts with the source's.

    ``skips`` maps URI to the reason for which it is listed but not to be fetched. ``list_error`` is raised after
    ``list_error_after`` items. ``moved`` maps a URI to the one it had before. ``fetched`` records every fetch.
    ``limit`` lists at most so many items and says so; ``silent`` URIs give no evidence that they are gone.
    """

    def __init__(
        self,
        items: dict[str, Script] | None = None,
        *,
        kind: str = "local",
        scheme: str = "fake",
        skips: dict[str, str] | None = None,
        moved: dict[str, str] | None = None,
        list_error: RomaError | None = None,
        list_error_after: int = 0,
        versioned: bool = True,
        delay_s: float = 0.0,
        limit: int | None = None,
        silent: Container[str] = (),
    ) -> None:
        self.kind = kind
        self.items: dict[str, Script] = items if items is not None else {}
        self.skips = skips if skips is not None else {}
        self.moved = moved if moved is not None else {}
        self.list_error = list_error
        self.list_error_after = list_error_after
        self.limit = limit
        self.silent = silent
        self.hidden: dict[str, set[str]] = {}
        """By source: URIs that it does not list though they are there."""
        self.fetched: list[str] = []
        self.closed = False
        self._scheme = scheme
        self._versioned = versioned
        self._delay_s = delay_s

    def accepts(self, uri: str) -> bool:
        return uri.startswith(f"{self._scheme}://")

    def normalise_source(self, source: Source) -> Source:
        if not source.uri.startswith(tuple(source.options.get("within", [source.uri]))):
            raise AccessError("This source is outside.", ErrorCode.ACCESS_FORBIDDEN)
        return source

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        return guarded_stream(AGENT, self._list(source))

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        self.normalise_source(source)
        hidden = self.hidden.get(source.uri, set())
        uris = sorted(u for u in {*self.items, *self.skips} - hidden if u.startswith(source.uri))
        if not uris and self.list_error is None:
            raise ConnectorError(f"{source.uri} holds nothing.", ErrorCode.CONNECTOR_NOT_FOUND)
        for n, uri in enumerate(uris[: self.limit]):
            if self.list_error is not None and n >= self.list_error_after:
                raise self.list_error
            await asyncio.sleep(self._delay_s)
            yield Listing(
                uri=uri, version=self._version(uri), skip=self.skips.get(uri), previous_uri=self.moved.get(uri)
            )
        if self.list_error is not None and len(uris) <= self.list_error_after:
            raise self.list_error
        if self.limit is not None and len(uris) > self.limit:
            yield ListingEnd(limit_reached=True)

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        if listing.uri in self.silent or self.list_error is not None:
            return False
        return listing.uri not in self.items

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        return await guarded(AGENT, self._fetch(listing.uri))

    async def _fetch(self, uri: str) -> RawDocument:
        self.fetched.append(uri)
        await asyncio.sleep(self._delay_s)
        script = self.items.get(uri)
        if script is None:
            raise ConnectorError(f"{uri} is gone.", ErrorCode.CONNECTOR_NOT_FOUND)
        if isinstance(script, RomaError):
            raise script
        if isinstance(script, RawDocument):
            return script
        content = script() if callable(script) else script
        return RawDocument(uri=uri, data=content.encode() if isinstance(content, str) else content)

    async def close(self) -> None:
        self.closed = True

    def _version(self, uri: str) -> str | None:
        script = self.items.get(uri)
        if not self._versioned or not isinstance(script, bytes | str):
            return None
        return digest(script)[:16]
