"""arXiv: ``arxiv://1706.03762``, several ids with commas, or ``arxiv://search/cat:cs.CL AND abs:retrieval``.

A paper's identity is its id without the version, its content the PDF of the latest version (or of the one that is
named). Metadata come from arXiv's Atom interface, which is asked once in three seconds, as its terms have it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from typing import Any, Final

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.library.reference import MOST_FOUND, WorkReference, Works
from roma_core.connectors.net.api import ApiClient, make_unreadable_error
from roma_core.connectors.records import Entry, Record, RecordConnector, absent
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

GAP_S: Final = 3.0
PER_PAGE: Final = 100
_ID: Final = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(v\d+)?")
_ABS: Final = re.compile(r"arxiv\.org/abs/(.+)$")


class ArxivConnector(RecordConnector):
    """Lists papers and fetches their PDFs. ``Source.options``: ``query``, ``max_pages`` (of 100 papers)."""

    kind = "arxiv"
    schemes = ("arxiv",)
    is_confined = False

    def __init__(self, settings: Settings, *, gap_s: float = GAP_S) -> None:
        super().__init__()
        self._base = settings.library.arxiv_url.rstrip("/")
        self._client = ApiClient(settings, gap_s=gap_s)

    def normalise_source(self, source: Source) -> Source:
        """Return the source. Raises ``InputError`` for ids that are none."""
        Works.demand_ids(source.uri, _split)
        return super().normalise_source(source)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a listing of each paper."""
        works = Works.of(source.uri, source.options)
        if works.query:
            async for entry in self._search(works.query, int(source.options.get("max_pages") or 0)):
                yield entry
            return
        wanted = [_split(paper) for paper in works.ids]
        found: dict[str, Listing] = {}
        for start in range(0, len(wanted), PER_PAGE):
            some = ",".join(f"{paper}{version}" for paper, version in wanted[start : start + PER_PAGE])
            page = await self._ask({"id_list": some, "max_results": str(PER_PAGE)})
            found |= {listing.uri: listing for listing in _listings(page)}
        for paper, _ in wanted:
            listing = found.get(f"arxiv://{paper}")
            if listing is not None:
                yield listing
            else:
                yield _unknown(paper)

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return the PDF of a paper; None when arXiv does not know it."""
        paper, _ = _split(listing.uri.partition("://")[2])
        known = listing if "paper" in listing.options else await self._look_up(source, listing.uri)
        if known is None:
            return None
        try:
            answer = await self._client.get(f"{self._base}/pdf/{paper}{known.version}")
        except ConnectorError as error:
            is_absent = error.code == ErrorCode.CONNECTOR_NOT_FOUND
            if is_absent and await self._look_up(source, listing.uri) is None:
                return None
            raise
        return RawDocument(
            uri=listing.uri,
            data=answer.body,
            media_type="application/pdf",
            title=known.title,
            modified_at=known.modified_at,
            metadata=known.options["paper"],
        )

    async def _look_up(self, source: Source, uri: str) -> Listing | None:
        """Return what arXiv says of a paper, in the version that the source names; None when it knows none."""
        paper, _ = _split(uri.partition("://")[2])
        named = [_split(one) for one in Works.of(source.uri, source.options).ids]
        version = next((version for one, version in named if one == paper), "")
        page = await self._ask({"id_list": f"{paper}{version}", "max_results": "1"})
        return next((listing for listing in _listings(page) if listing.uri == uri), None)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._client.close()

    async def _search(self, query: str, pages: int) -> AsyncGenerator[Entry, None]:
        """Yield the latest papers that a search finds. Of a search that finds more, nothing is ever taken for gone."""
        most = pages * PER_PAGE if pages else MOST_FOUND
        start = total = 0
        while start < most:
            number = min(PER_PAGE, most - start)
            params = {"search_query": query, "start": str(start), "max_results": str(number)}
            page = await self._ask(params | {"sortBy": "submittedDate", "sortOrder": "descending"})
            total = int(page.feed.get("opensearch_totalresults", 0))
            listings = list(_listings(page))
            for listing in listings:
                yield listing
            start += number
            if not listings or start >= total:
                break
        yield ListingEnd(limit_reached=start < total)

    async def _ask(self, params: dict[str, str]) -> Any:
        import feedparser

        answer = await self._client.get(f"{self._base}/api/query", params)
        page = feedparser.parse(answer.body)
        if page.get("version") != "atom10":
            raise make_unreadable_error(answer.url)
        error = next((entry for entry in page.entries if "/api/errors" in entry.get("id", "")), None)
        if error is not None:
            raise ConnectorError(
                f"arXiv refuses this: {error.get('summary', '')[:200]}", ErrorCode.CONNECTOR_UNSUPPORTED
            )
        return page


def _split(paper: str) -> tuple[str, str]:
    """Return a paper's id and version ("" for the latest). Raises ``InputError``."""
    found = _ID.fullmatch(paper.strip())
    if found is None:
        raise InputError(
            f"{paper[:40]!r} is no id of arXiv; they look like 1706.03762, 1706.03762v5 or hep-th/9901001."
        )
    return found[1], found[2] or ""


def _listings(page: Any) -> Iterator[Listing]:
    for entry in page.entries:
        found = _ABS.search(entry.get("id", ""))
        if found is None or _ID.fullmatch(found[1]) is None:
            continue
        paper, version = _split(found[1])
        title = " ".join(entry.get("title", "").split())
        reference = WorkReference(
            title=title,
            authors=[author["name"] for author in entry.get("authors", ()) if author.get("name")],
            date=entry.get("published", "")[:10],
            venue=entry.get("arxiv_journal_ref", "") or "arXiv",
            doi=entry.get("arxiv_doi", ""),
            abstract=" ".join(entry.get("summary", "").split()),
            url=f"https://arxiv.org/abs/{paper}",
            keywords=[tag["term"] for tag in entry.get("tags", ()) if tag.get("term")],
            kind="preprint",
            more={"arxiv_id": paper},
        )
        paper_facts = reference.metadata | {"abstract": reference.abstract}
        yield Listing(
            uri=f"arxiv://{paper}",
            version=version or "v1",
            title=title,
            modified_at=_time(entry.get("updated", "")),
            options={"paper": paper_facts},
        )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _unknown(paper: str) -> AgentFailure:
    uri = f"arxiv://{paper}"
    return AgentFailure.of("connector.arxiv", absent(uri, f"paper {paper} on arXiv"))
