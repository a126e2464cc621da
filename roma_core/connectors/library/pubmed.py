"""PubMed: ``pubmed://31452104``, several ids with commas, or ``pubmed://search/WORDS``.

An article is one document: title, authors, journal, the parts of its abstract, with MeSH terms and ids as metadata.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, Final

from lxml import etree

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.library.reference import MOST_FOUND, WorkReference, Works
from roma_core.connectors.net.api import ApiClient, make_unreadable_error
from roma_core.connectors.records import Entry, Record, RecordConnector, absent
from roma_core.errors import AgentFailure, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

PER_PAGE: Final = 100
GAP_S: Final = 0.34
"""Three requests a second are allowed without a key, ten with one."""
KEYED_GAP_S: Final = 0.1
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class PubMedConnector(RecordConnector):
    """Reads articles. ``Source.options``: ``query``, ``max_pages`` (of 100 articles)."""

    kind = "pubmed"
    schemes = ("pubmed",)
    is_confined = False

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = settings.library.pubmed_url.rstrip("/")
        key = settings.library.pubmed_key
        self._own = {"tool": "roma", "email": settings.library.contact_email or ""}
        self._own |= {"api_key": key.get_secret_value()} if key is not None else {}
        self._client = ApiClient(settings, gap_s=GAP_S if key is None else KEYED_GAP_S)

    def normalise_source(self, source: Source) -> Source:
        """Return the source. Raises ``InputError`` for ids that are none."""
        Works.demand_ids(source.uri, _check_id)
        return super().normalise_source(source)

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each article."""
        works = Works.of(source.uri, source.options)
        ids: list[str] = []
        total = 0
        if works.query:
            most = int(source.options.get("max_pages") or 0) * PER_PAGE or MOST_FOUND
            ids, total = await self._search(works.query, most)
        for work in works.ids:
            ids.append(_check_id(work))
        for start in range(0, len(ids), PER_PAGE):
            some = ids[start : start + PER_PAGE]
            records = {record.uri: record for record in await self._articles(some)}
            for article in some:
                record = records.get(f"pubmed://{article}")
                if record is not None:
                    yield record
                elif works.ids:
                    error = absent(f"pubmed://{article}", f"article {article} in PubMed")
                    yield AgentFailure.of(self._agent, error)
        yield ListingEnd(limit_reached=total > len(ids))

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return one article; None when PubMed does not know it."""
        article = _check_id(listing.uri.partition("://")[2])
        return next(iter(await self._articles([article])), None)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._client.close()

    async def _search(self, query: str, most: int) -> tuple[list[str], int]:
        """Return the ids of the articles that a search finds, and how many there are."""
        params = {"db": "pubmed", "term": query, "retmode": "json", "retmax": str(most)}
        answer = await self._client.get_json(f"{self._base}/esearch.fcgi", params | self._list_names())
        result = answer.get("esearchresult") if isinstance(answer, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(result.get("idlist"), list):
            raise make_unreadable_error(self._base)
        return [str(article) for article in result["idlist"]], int(result.get("count") or 0)

    async def _articles(self, ids: list[str]) -> list[Record]:
        params = {"db": "pubmed", "id": ",".join(ids), "retmode": "xml"}
        answer = await self._client.get(f"{self._base}/efetch.fcgi", params | self._list_names())
        parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
        try:
            root = etree.fromstring(answer.body, parser)
        except etree.XMLSyntaxError:
            raise make_unreadable_error(answer.url) from None
        if root is None or root.tag != "PubmedArticleSet":
            raise make_unreadable_error(answer.url)
        return [_record(article) for article in root.iterfind("PubmedArticle")]

    def _list_names(self) -> dict[str, str]:
        return {key: value for key, value in self._own.items() if value}


def _check_id(text: str) -> str:
    if not text.strip().isdigit():
        raise InputError(f"{text[:40]!r} is no id of PubMed; they are numbers like 31452104.")
    return text.strip()


def _record(element: Any) -> Record:
    article = _text(element.find("MedlineCitation/PMID"))
    work = element.find("MedlineCitation/Article")
    reference = WorkReference(
        title=_text(work.find("ArticleTitle")),
        authors=list(_authors(work)),
        date=_date(work.find("Journal/JournalIssue/PubDate")),
        venue=_text(work.find("Journal/Title")),
        doi=_text(element.find("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")),
        abstract="\n\n".join(_parts(work)),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{article}/",
        keywords=[
            _text(term) for term in element.iterfind("MedlineCitation/MeshHeadingList/MeshHeading/DescriptorName")
        ],
        kind="article",
        more={
            "pmid": article,
            "pmcid": _text(element.find("PubmedData/ArticleIdList/ArticleId[@IdType='pmc']")),
            "language": _text(work.find("Language")),
        },
    )
    return Record(
        uri=f"pubmed://{article}", title=reference.title, data=reference.markdown, metadata=reference.metadata
    )


def _text(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _authors(work: Any) -> Iterator[str]:
    for author in work.iterfind("AuthorList/Author"):
        name = " ".join(part for part in (_text(author.find("ForeName")), _text(author.find("LastName"))) if part)
        name = name or _text(author.find("CollectiveName"))
        if name:
            yield name


def _parts(work: Any) -> Iterator[str]:
    """Yield the parts of an abstract, each with its label."""
    for part in work.iterfind("Abstract/AbstractText"):
        label, text = part.get("Label"), _text(part)
        if text:
            yield f"**{label.capitalize()}**: {text}" if label else text


def _date(element: Any) -> str:
    if element is None:
        return ""
    year, month, day = (_text(element.find(name)) for name in ("Year", "Month", "Day"))
    if not year:
        return _text(element.find("MedlineDate"))[:4]
    number = (
        month if month.isdigit() else str(_MONTHS.index(month[:3].lower()) + 1) if month[:3].lower() in _MONTHS else ""
    )
    return "-".join(part.zfill(2) for part in (year, number, day if number else "") if part)
