"""Feeds: ``feed+https://example.org/atom.xml``; each entry with its content is a document.

(``https://example.org/atom.xml`` reads the pages that the feed names instead.) A feed shows its latest entries alone,
so an entry that it shows no more stays. A feed that is as it was costs one request, which is answered by 304.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any, Final
from urllib.parse import quote

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.net.api import ApiClient
from roma_core.connectors.records import Entry, Record, RecordConnector
from roma_core.connectors.web.access import load_access
from roma_core.connectors.web.fetcher import FetchedResponse
from roma_core.connectors.web.page import read_page
from roma_core.connectors.web.polite import ROBOT
from roma_core.connectors.web.urls import demand_page, host_of
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, digest

STATE: Final = "feed"


class FeedConnector(RecordConnector):
    """Reads the entries of a feed. ``Source.options``: ``headers`` to sign in with."""

    kind = "feed"
    schemes = ("feed+https", "feed+http")
    is_confined = False

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._client = ApiClient(settings, max_mb=settings.web.max_mb)

    def normalise_source(self, source: Source) -> Source:
        """Return the source. Raises ``InputError`` for an address without a host."""
        demand_page(source.uri.removeprefix("feed+"))
        return super().normalise_source(source)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each entry; nothing is gone because a feed shows it no more."""
        saved = source.options.get("state", {}).get(STATE, {})
        validators = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
        conditions = {header: str(saved[name]) for name, header in validators.items() if saved.get(name)}
        answer = await self._ask(source, conditions if saved.get("listings") else {})
        if answer.status == 304:
            for listing in saved["listings"]:
                yield Listing.model_validate(listing)
            yield ListingEnd(limit_reached=True)
            return
        records = _records(source.uri, answer)
        for record in records:
            yield record
        state: dict[str, Any] = {name: answer.headers.get(name, "") for name in validators}
        state["listings"] = [record.listing.model_dump(mode="json") for record in records]
        yield ListingEnd(limit_reached=True, state={STATE: state})

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return an entry that the feed shows. Raises ``ConnectorError`` for another: it need not be gone."""
        for record in _records(source.uri, await self._ask(source, {})):
            if record.uri == listing.uri:
                return record
        raise ConnectorError("The feed does not show this entry any more.", ErrorCode.CONNECTOR_UNAVAILABLE)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._client.close()

    async def _ask(self, source: Source, conditions: Mapping[str, str]) -> FetchedResponse:
        url = source.uri.removeprefix("feed+")
        access = load_access({"headers": source.options.get("headers")}, host_of(url))
        return await self._client.get(url, None, {**access.headers, **conditions}, also=frozenset({304}))


def _records(source_uri: str, answer: FetchedResponse) -> list[Record]:
    """Return the entries of a feed. Raises ``ConnectorError`` for what is no feed."""
    import feedparser

    # The place of the content is what relative links are relative to.
    headers = {"content-type": answer.headers.get("content-type", ""), "content-location": answer.url}
    feed = feedparser.parse(answer.body, response_headers=headers)
    if not feed.get("version"):
        raise ConnectorError(
            "This address gives no feed.", ErrorCode.CONNECTOR_UNSUPPORTED, details={"uri": source_uri}
        )
    records: dict[str, Record] = {}
    for entry in feed.entries:
        record = _record(source_uri, answer.url, feed.feed, entry)
        known = records.get(record.uri)
        if known is not None and known.listing.version != record.listing.version:
            # Some feeds give one id to several entries, which are no less different for that.
            record = record.model_copy(update={"uri": f"{record.uri}#{record.listing.version}"})
        records.setdefault(record.uri, record)
    return list(records.values())


def _record(source_uri: str, feed_url: str, feed: Any, entry: Any) -> Record:
    link = entry.get("link", "")
    title = entry.get("title", "")
    contents = [part.get("value", "") for part in entry.get("content", ())] or [entry.get("summary", "")]
    body = max(contents, key=len)
    name = entry.get("id") or link or title or f"sha256:{digest('entry', body)[:32]}"
    page = read_page(f"<html><body><article>{body}</article></body></html>".encode(), link or feed_url, "", ROBOT)
    html = page.html if page.words else b""
    heading = f"<h1>{escape(title)}</h1>".encode()
    published = _time(entry.get("published_parsed") or entry.get("updated_parsed"))
    facts = {
        "url": link,
        "authors": [one["name"] for one in entry.get("authors", ()) if one.get("name")],
        "date": published.date().isoformat() if published else "",
        "year": published.year if published else None,
        "venue": feed.get("title", ""),
        "keywords": [tag["term"] for tag in entry.get("tags", ()) if tag.get("term")],
        "suspected_injection": list(page.signs),
    }
    return Record(
        uri=f"{source_uri}#{quote(name, safe='')}",
        title=title or None,
        data=b"<!DOCTYPE html><html><body>" + heading + (html or escape(body).encode()) + b"</body></html>",
        media_type="text/html; charset=utf-8",
        modified_at=_time(entry.get("updated_parsed")) or published,
        metadata={key: value for key, value in facts.items() if value not in (None, "", [])},
    )


def _time(parsed: time.struct_time | None) -> datetime | None:
    """Return a time that feedparser has read, which is in UTC."""
    if parsed is None:
        return None
    try:
        return datetime(*parsed[:6], tzinfo=UTC)
    except ValueError:
        return None
