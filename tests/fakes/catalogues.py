"""arXiv, OpenAlex, PubMed and Zotero on loopback, each with its own wire and with faults."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from tests.fakes.site import Reply, Request, Site


class Catalogue(Site):
    """``faults`` are used up before the honest answers; ``outage`` answers everything. ``queries`` were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Reply] = []
        self.outage: Reply | None = None
        self.queries: list[dict[str, str]] = []
        self.fallback = self._answer

    def _answer(self, request: Request) -> Reply:
        parts = urlsplit(request.target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.queries.append(query)
        if self.outage is not None:
            return self.outage
        return self.faults.pop(0) if self.faults else self.answer(parts.path, query, request)

    def answer(self, path: str, query: dict[str, str], request: Request) -> Reply:
        """Answer honestly."""
        raise NotImplementedError

    def fail(self) -> None:
        """Answer 404 with a page of a gateway from now on, the most misleading of faults, and 500 to the rest."""
        self.outage = Reply(b"<html>bad gateway</html>", 500)

    def mend(self) -> None:
        """Answer honestly again."""
        self.outage = None


@dataclass
class Paper:
    """A paper of arXiv."""

    id: str
    title: str = "A paper"
    version: int = 1
    pdf: bytes = b"%PDF-1.4 paper"


class FakeArxiv(Catalogue):
    """arXiv's Atom interface and its PDFs."""

    def __init__(self, *papers: Paper) -> None:
        super().__init__()
        self.papers = {paper.id: paper for paper in papers}

    def answer(self, path: str, query: dict[str, str], request: Request) -> Reply:
        if path.startswith("/pdf/"):
            paper = self.papers.get(path.removeprefix("/pdf/").rpartition("v")[0])
            return Reply(b"no such paper", 404) if paper is None else Reply(paper.pdf, media_type="application/pdf")
        if "id_list" in query:
            wanted = [one.partition("v")[0] for one in query["id_list"].split(",")]
            found = [self.papers[one] for one in wanted if one in self.papers]
        else:
            found = [paper for paper in self.papers.values() if query["search_query"] in paper.title]
        start = int(query.get("start", 0))
        page = found[start : start + int(query["max_results"])]
        return Reply(_atom(page, len(found)), media_type="application/atom+xml")


def _atom(papers: list[Paper], total: int) -> str:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{paper.id}v{paper.version}</id><title>{escape(paper.title)}</title>"
        f"<summary>Abstract of {escape(paper.title)}.</summary><published>2026-01-02T03:04:05Z</published>"
        f"<updated>2026-02-0{paper.version}T03:04:05Z</updated><author><name>Ada Alder</name></author>"
        f"<author><name>Bo Birch</name></author><arxiv:doi>10.1000/{paper.id}</arxiv:doi>"
        '<category term="cs.CL"/></entry>'
        for paper in papers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>"
    )


class FakeOpenAlex(Catalogue):
    """OpenAlex's works."""

    def __init__(self, *works: dict[str, Any]) -> None:
        super().__init__()
        self.works = {work["id"].rpartition("/")[2]: work for work in works}

    def answer(self, path: str, query: dict[str, str], request: Request) -> Reply:
        name = path.removeprefix("/works").strip("/")
        if name:
            work = self.works.get(name) or next(
                (one for one in self.works.values() if str(one.get("doi")).endswith(name.removeprefix("doi:"))), None
            )
            return Reply(b"{}", 404) if work is None else as_json(work)
        found = [work for work in self.works.values() if query["search"] in work["display_name"]]
        start = 0 if query["cursor"] == "*" else int(query["cursor"])
        stop = start + int(query["per-page"])
        next_cursor = str(stop) if stop < len(found) else None
        return as_json({"meta": {"count": len(found), "next_cursor": next_cursor}, "results": found[start:stop]})


def openalex_work(number: int, title: str = "A work", abstract: str = "water boils") -> dict[str, Any]:
    """Return a work as OpenAlex sends it."""
    index: dict[str, list[int]] = {}
    for place, word in enumerate(abstract.split()):
        index.setdefault(word, []).append(place)
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.1000/{number}",
        "display_name": title,
        "publication_date": "2021-05-06",
        "type": "article",
        "language": "en",
        "authorships": [{"author": {"display_name": "Ada Alder"}}, {"author": {"display_name": None}}],
        "primary_location": {"source": {"display_name": "Journal of Water"}, "landing_page_url": None},
        "abstract_inverted_index": index,
        "keywords": [{"display_name": "water"}],
        "open_access": {"oa_url": None},
        "is_retracted": False,
    }


class FakePubMed(Catalogue):
    """NCBI's E-utilities."""

    def __init__(self, **articles: str) -> None:
        super().__init__()
        self.articles = dict(articles)
        """Titles by id (``_1``: names of arguments begin with no digit)."""

    def answer(self, path: str, query: dict[str, str], request: Request) -> Reply:
        if path.endswith("esearch.fcgi"):
            found = [key.lstrip("_") for key, title in self.articles.items() if query["term"] in title]
            most = int(query["retmax"])
            return as_json({"esearchresult": {"count": str(len(found)), "idlist": found[:most]}})
        articles = "".join(
            f"<PubmedArticle><MedlineCitation><PMID>{one}</PMID><Article><Journal><JournalIssue><PubDate><Year>2019"
            "</Year><Month>Aug</Month></PubDate></JournalIssue><Title>Journal of Cells</Title></Journal>"
            f"<ArticleTitle>{escape(self.articles[f'_{one}'])} of <i>E. coli</i></ArticleTitle><Abstract>"
            '<AbstractText Label="METHODS">We looked.</AbstractText><AbstractText Label="RESULTS">They grew.'
            "</AbstractText></Abstract><AuthorList><Author><LastName>Alder</LastName><ForeName>Ada</ForeName></Author>"
            "<Author><CollectiveName>The Group</CollectiveName></Author></AuthorList><Language>eng</Language></Article>"
            "</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType='doi'>10.1000/7</ArticleId></ArticleIdList>"
            "</PubmedData></PubmedArticle>"
            for one in query["id"].split(",")
            if f"_{one}" in self.articles
        )
        head = '<?xml version="1.0"?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://dtd.example/p.dtd">'
        return Reply(f"{head}<PubmedArticleSet>{articles}</PubmedArticleSet>", media_type="text/xml")


@dataclass
class FakeZotero(Catalogue):
    """A library of Zotero."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    version: int = 1

    def __post_init__(self) -> None:
        super().__init__()

    def put(self, key: str, content: bytes | None = None, **data: Any) -> None:
        """Make or change an item; ``content`` is its stored file."""
        self.version += 1
        self.items[key] = {"key": key, "version": self.version, "title": f"Title {key}", **data}
        if content is not None:
            self.files[key] = content

    def remove(self, key: str) -> None:
        """Delete an item."""
        self.version += 1
        del self.items[key]

    def answer(self, path: str, query: dict[str, str], request: Request) -> Reply:
        parts = path.strip("/").split("/")
        if parts[:2] != ["users", "7"]:
            return Reply(b"not found", 404)
        if parts[2] == "collections":
            parts = [*parts[:2], *parts[4:]]
        if parts[2] == "items" and len(parts) == 3:
            if request.headers.get("if-modified-since-version") == str(self.version):
                return Reply(status=304)
            start, limit = int(query["start"]), int(query["limit"])
            page = [{"data": item} for item in list(self.items.values())[start : start + limit]]
            counts = {"Total-Results": str(len(self.items)), "Last-Modified-Version": str(self.version)}
            return Reply(json.dumps(page), headers=counts, media_type="application/json")
        key = parts[3] if len(parts) > 3 else ""
        if key not in self.items:
            return Reply(b"not found", 404)
        if parts[-1] == "file":
            return Reply(self.files[key], media_type=self.items[key]["contentType"])
        return as_json({"data": self.items[key]})


def as_json(body: object) -> Reply:
    """Return a reply of JSON."""
    return Reply(json.dumps(body), media_type="application/json")
