"""OpenAlex: ``openalex://W2741809807``, several ids (or DOIs) with commas, or ``openalex://search/WORDS``.

A work is one document: title, authors, venue, abstract and topics, with the rest as metadata.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.library.reference import MOST_FOUND, WorkReference, Works, plain_doi
from roma_core.connectors.net.api import ApiClient, make_unreadable_error
from roma_core.connectors.records import Entry, Record, RecordConnector, absent
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

PER_PAGE: Final = 100
_WORK: Final = re.compile(r"[Ww]\d+")


class OpenAlexConnector(RecordConnector):
    """Reads works. ``Source.options``: ``query``, ``max_pages`` (of 100 works)."""

    kind = "openalex"
    schemes = ("openalex",)
    is_confined = False

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = settings.library.openalex_url.rstrip("/")
        self._email = settings.library.contact_email
        self._client = ApiClient(settings)

    def normalise_source(self, source: Source) -> Source:
        """Return the source. Raises ``InputError`` for ids that are none."""
        Works.demand_ids(source.uri, _check_name)
        return super().normalise_source(source)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each work."""
        works = Works.of(source.uri, source.options)
        if works.query:
            async for entry in self._search(works.query, int(source.options.get("max_pages") or 0)):
                yield entry
            return
        for work in works.ids:
            record = await self._work(work)
            if record is not None:
                yield record
            else:
                error = absent(f"openalex://{work}", f"work {work} in OpenAlex")
                yield AgentFailure.of(self._agent, error)

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return one work; None when OpenAlex does not know it."""
        return await self._work(listing.uri.partition("://")[2])

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._client.close()

    async def _work(self, work: str) -> Record | None:
        try:
            answer = await self._client.get_json(f"{self._base}/works/{_check_name(work)}", self._params({}))
        except ConnectorError as error:
            if error.code == ErrorCode.CONNECTOR_NOT_FOUND:
                return None
            raise
        return _record(answer)

    async def _search(self, query: str, pages: int) -> AsyncGenerator[Entry, None]:
        """Yield the most relevant works. Of a search that finds more, nothing is ever taken for gone."""
        most = pages * PER_PAGE if pages else MOST_FOUND
        cursor, read, total = "*", 0, 0
        while cursor and read < most:
            params = {"search": query, "per-page": str(min(PER_PAGE, most - read)), "cursor": cursor}
            page = await self._client.get_json(f"{self._base}/works", self._params(params))
            works = page.get("results") if isinstance(page, Mapping) else None
            if not isinstance(works, list):
                raise make_unreadable_error(self._base)
            for work in works:
                yield _record(work)
            read += len(works)
            total = int(page.get("meta", {}).get("count") or read)
            cursor = page.get("meta", {}).get("next_cursor") or "" if works else ""
        yield ListingEnd(limit_reached=read < total)

    def _params(self, params: dict[str, str]) -> dict[str, str]:
        return params | ({"mailto": self._email} if self._email else {})


def _check_name(work: str) -> str:
    """Return the name by which OpenAlex knows a work. Raises ``InputError``."""
    if _WORK.fullmatch(work):
        return work.upper()
    doi = plain_doi(work)
    if not doi.startswith("10."):
        raise InputError(f"{work[:40]!r} is no work of OpenAlex; they look like W2741809807, or are a DOI.")
    return f"doi:{doi}"


def _record(work: Any) -> Record:
    if not isinstance(work, Mapping) or not isinstance(work.get("id"), str):
        raise make_unreadable_error("https://api.openalex.org")
    name = work["id"].rpartition("/")[2]
    place = (work.get("primary_location") or {}).get("source") or {}
    reference = WorkReference(
        title=str(work.get("display_name") or work.get("title") or ""),
        authors=[
            str((one.get("author") or {}).get("display_name"))
            for one in work.get("authorships") or ()
            if (one.get("author") or {}).get("display_name")
        ],
        date=str(work.get("publication_date") or work.get("publication_year") or ""),
        venue=str(place.get("display_name") or ""),
        doi=str(work.get("doi") or ""),
        abstract=_abstract(work.get("abstract_inverted_index") or {}),
        url=str((work.get("primary_location") or {}).get("landing_page_url") or work["id"]),
        keywords=[str(one.get("display_name")) for one in work.get("keywords") or () if one.get("display_name")],
        kind=str(work.get("type") or ""),
        more={
            "openalex_id": name,
            "language": work.get("language"),
            "is_retracted": bool(work.get("is_retracted")) or None,
            "open_access_url": (work.get("open_access") or {}).get("oa_url"),
        },
    )
    return Record(uri=f"openalex://{name}", title=reference.title, data=reference.markdown, metadata=reference.metadata)


def _abstract(index: Mapping[str, Any]) -> str:
    """Return the text of an abstract that is given as the places of each word."""
    places = [(place, word) for word, at in index.items() for place in at]
    return " ".join(word for _, word in sorted(places))
