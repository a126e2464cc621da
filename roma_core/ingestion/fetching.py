"""Items as they are fetched: by themselves, or out of the files that hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from roma_core.connectors.base import Connector, Listing
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode
from roma_core.ingestion.work import Candidate, OpenParts, ParserService, Work
from roma_core.types import RawDocument, Source


async def fetch_item(
    connector: Connector, source: Source, listing: Listing, parsers: ParserService
) -> RawDocument | AgentFailure:
    """Return the bytes of an item; one inside of a container is taken out of that. The caller calls ``discard``."""
    if listing.container is None:
        return await connector.fetch(source, listing)
    parts = await fetch_parts(connector, source, listing.container, parsers)
    if isinstance(parts, AgentFailure):
        return parts
    found = next((part for part in parts if part.uri == listing.uri), None)
    if found is None:
        raise not_inside()
    return found


async def fetch_parts(
    connector: Connector, source: Source, container: Listing, parsers: ParserService
) -> tuple[RawDocument, ...] | AgentFailure:
    """Return the files inside of an item."""
    raw = await fetch_item(connector, source, container, parsers)
    if isinstance(raw, AgentFailure):
        return raw
    try:
        return await parsers.parts(raw)
    finally:
        await asyncio.to_thread(raw.discard)


def not_inside() -> ConnectorError:
    """Return the error of an item that its container no longer holds."""
    return ConnectorError("The file is no longer inside of its container.", ErrorCode.CONNECTOR_NOT_FOUND)


def find_outermost(listing: Listing) -> Listing:
    """Return the file that an item is inside of, at whatever depth; the item itself when it is in none."""
    while listing.container is not None:
        listing = listing.container
    return listing


def list_inside(container: Listing, uri: str) -> Listing:
    """Return the listing of an item inside of ``container``, whose address says the containers between."""
    for step in uri.removeprefix(f"{container.uri}#").split("#"):
        container = Listing(uri=f"{container.uri}#{step}", container=container)
    return container


def group_items(candidates: Sequence[Candidate]) -> list[Work]:
    """Return items that are fetched by themselves, and groups of those that one container holds."""
    alone: list[Work] = []
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        container = candidate.listing.container
        if container is None:
            alone.append(candidate)
        else:
            groups.setdefault(container.uri, []).append(candidate)
    for inside in groups.values():
        container = inside[0].listing.container
        if container is not None:
            alone.append(OpenParts(container, tuple(inside)))
    return alone
