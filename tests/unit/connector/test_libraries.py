"""Literature: what is asked, what the documents say, and what happens when a catalogue misbehaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Connector, Listing, ListingEnd
from roma_core.connectors.library import (
    ArxivConnector,
    BibtexConnector,
    OpenAlexConnector,
    PubMedConnector,
    ZoteroConnector,
)
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source
from tests.fakes.catalogues import FakeArxiv, FakeOpenAlex, FakePubMed, FakeZotero, Paper, openalex_work
from tests.fakes.site import Reply


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(workspace=folder / "ws", web_allowed_private_hosts=("127.0.0.1",), **more)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between attempts, noted instead of slept."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr("roma_core.retry.sleep", note)
    return noted


async def items(connector: Connector, uri: str, **options: Any) -> list[Listing | AgentFailure | ListingEnd]:
    source = Source(uri=uri, kind=connector.kind, options=options)
    return [item async for item in connector.list(source)]


async def documents(connector: Connector, uri: str, **options: Any) -> list[RawDocument]:
    source = Source(uri=uri, kind=connector.kind, options=options)
    raws: list[RawDocument] = []
    async for item in connector.list(source):
        if isinstance(item, Listing) and item.skip is None:
            raw = await connector.fetch(source, item)
            assert isinstance(raw, RawDocument), raw
            raws.append(raw)
    return raws


async def test_a_paper_is_its_pdf_with_the_metadata_of_arxiv(tmp_path: Path) -> None:
    async with FakeArxiv(Paper("2601.00001", "Water & Stone", pdf=b"%PDF one")) as arxiv:
        connector = ArxivConnector(settings(tmp_path, library_arxiv_url=arxiv.base), gap_s=0.0)
        (raw,) = await documents(connector, "arxiv://2601.00001")
        await connector.close()
    assert (raw.uri, raw.data, raw.title) == ("arxiv://2601.00001", b"%PDF one", "Water & Stone")
    assert raw.metadata["authors"] == ["Ada Alder", "Bo Birch"]
    assert (raw.metadata["year"], raw.metadata["doi"]) == (2026, "10.1000/2601.00001")


async def test_of_several_papers_the_unknown_one_fails_alone(tmp_path: Path) -> None:
    async with FakeArxiv(Paper("2601.00001"), Paper("hep-th/9901001")) as arxiv:
        connector = ArxivConnector(settings(tmp_path, library_arxiv_url=arxiv.base), gap_s=0.0)
        found = await items(connector, "arxiv://2601.00001,2601.99999,hep-th/9901001")
        await connector.close()
    assert [item.uri for item in found if isinstance(item, Listing)] == ["arxiv://2601.00001", "arxiv://hep-th/9901001"]
    (failure,) = [item for item in found if isinstance(item, AgentFailure)]
    assert failure.details["uri"] == "arxiv://2601.99999"


async def test_a_search_that_finds_more_than_it_reads_is_never_complete(tmp_path: Path) -> None:
    papers = [Paper(f"2601.{n:05}", f"Paper {n}") for n in range(230)]
    async with FakeArxiv(*papers) as arxiv:
        connector = ArxivConnector(settings(tmp_path, library_arxiv_url=arxiv.base), gap_s=0.0)
        found = await items(connector, "arxiv://search/Paper")
        whole = await items(connector, "arxiv://search", query="Paper", max_pages=3)
        await connector.close()
    assert isinstance(found[-1], ListingEnd) and found[-1].limit_reached
    assert len([item for item in found if isinstance(item, Listing)]) == 200
    assert isinstance(whole[-1], ListingEnd) and not whole[-1].limit_reached
    assert len([item for item in whole if isinstance(item, Listing)]) == 230


@pytest.mark.parametrize(
    "fault",
    [
        Reply(b"slow down", 503),
        Reply(b"slow down", 429, {"Retry-After": "1"}),
        Reply(b"<html>maintenance</html>", 200),
    ],
    ids=["503", "429", "a page in place of the answer"],
)
async def test_a_passing_fault_of_a_catalogue_is_asked_again(tmp_path: Path, fault: Reply) -> None:
    async with FakeOpenAlex(openalex_work(1)) as openalex:
        openalex.faults = [fault]
        connector = OpenAlexConnector(settings(tmp_path, library_openalex_url=openalex.base))
        (raw,) = await documents(connector, "openalex://W1")
        await connector.close()
    assert b"water boils" in raw.data


@pytest.mark.parametrize(
    "uri",
    ["arxiv://nonsense", "arxiv://", "openalex://../admin", "pubmed://abc", "pubmed://search", "zotero://users/x"],
)
async def test_an_address_that_means_nothing_is_refused(tmp_path: Path, uri: str) -> None:
    kinds: dict[str, Any] = {
        "arxiv": ArxivConnector,
        "openalex": OpenAlexConnector,
        "pubmed": PubMedConnector,
        "zotero": ZoteroConnector,
    }
    connector = kinds[uri.partition(":")[0]](settings(tmp_path))
    (failure,) = await items(connector, uri)
    assert isinstance(failure, AgentFailure)
    assert failure.code is ErrorCode.INPUT_INVALID
    await connector.close()


async def test_a_work_is_found_by_its_doi_and_tells_its_abstract(tmp_path: Path) -> None:
    async with FakeOpenAlex(openalex_work(5, "Boiling", "water boils and water cools")) as openalex:
        connector = OpenAlexConnector(
            settings(tmp_path, library_openalex_url=openalex.base, library_contact_email="ada@example.org")
        )
        (raw,) = await documents(connector, "openalex://10.1000/5")
        await connector.close()
        assert openalex.queries[0]["mailto"] == "ada@example.org"
    assert raw.uri == "openalex://W5"
    assert b"# Boiling\n\nAda Alder\n\nJournal of Water, 2021-05-06" in raw.data
    assert b"water boils and water cools" in raw.data
    assert raw.metadata["doi"] == "10.1000/5"


async def test_an_article_keeps_the_parts_of_its_abstract_and_words_inside_of_markup(tmp_path: Path) -> None:
    async with FakePubMed(_7="Growth") as pubmed:
        connector = PubMedConnector(
            settings(tmp_path, library_pubmed_url=pubmed.base, library_pubmed_key="key-of-mine")
        )
        (raw,) = await documents(connector, "pubmed://7")
        await connector.close()
        assert pubmed.queries[0]["api_key"] == "key-of-mine"
    text = raw.data.decode()
    assert "# Growth of E. coli" in text
    assert "**Methods**: We looked." in text
    assert raw.metadata["date"] == "2019-08"
    assert raw.metadata["authors"] == ["Ada Alder", "The Group"]


async def test_an_unchanged_library_of_zotero_costs_one_request(tmp_path: Path) -> None:
    async with FakeZotero() as zotero:
        for n in range(250):
            zotero.put(f"ITEM{n:04}", itemType="book")
        connector = ZoteroConnector(settings(tmp_path, library_zotero_url=zotero.base, library_zotero_key="zkey"))
        first = await items(connector, "zotero://users/7")
        end = first[-1]
        assert isinstance(end, ListingEnd) and end.state is not None
        zotero.queries.clear()
        again = await items(connector, "zotero://users/7", state=end.state)
        assert len(zotero.queries) == 1
        assert all(request.headers["zotero-api-key"] == "zkey" for request in zotero.requests)
        await connector.close()
    assert [item for item in again if isinstance(item, Listing)] == first[:-1]


async def test_a_stored_file_carries_the_metadata_of_its_item(tmp_path: Path) -> None:
    async with FakeZotero() as zotero:
        creators = [{"firstName": "Ada", "lastName": "Alder"}, {"name": "The Group"}]
        zotero.put("AAAAAAAA", itemType="journalArticle", title="Boiling", DOI="10.1/b", date="2020", creators=creators)
        facts = {"itemType": "attachment", "linkMode": "imported_url", "contentType": "application/pdf"}
        zotero.put("BBBBBBBB", b"%PDF", **facts, parentItem="AAAAAAAA", filename="b.pdf")
        zotero.put("CCCCCCCC", itemType="attachment", linkMode="linked_file", parentItem="AAAAAAAA")
        connector = ZoteroConnector(settings(tmp_path, library_zotero_url=zotero.base))
        (raw,) = await documents(connector, "zotero://users/7/collections/ABCD2345")
        await connector.close()
    assert (raw.title, raw.media_type) == ("Boiling", "application/pdf")
    assert (raw.metadata["doi"], raw.metadata["authors"]) == ("10.1/b", ["Ada Alder", "The Group"])


async def test_files_of_a_bibliography_are_read_within_the_folders_that_are_named(tmp_path: Path) -> None:
    inside, outside = tmp_path / "refs", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (outside / "key.txt").write_text("secret words")
    (inside / "own.txt").write_text("own words")
    (inside / "refs.bib").write_text(
        "@misc{a, title={Own}, file={own.txt}}\n@misc{b, title={Else}, file={:../secret/key.txt:TXT}}\n"
    )
    connector = BibtexConnector(settings(tmp_path))
    raws = await documents(connector, f"bibtex://{inside}/refs.bib", within=(str(inside),))
    assert [raw.data for raw in raws if b"words" in raw.data] == [b"own words"]
    assert len(raws) == 2
    free = await documents(connector, f"bibtex://{inside}/refs.bib")
    assert b"secret words" in [raw.data for raw in free]
    (refused,) = await items(connector, f"bibtex://{outside}/x.bib", within=(str(inside),))
    assert isinstance(refused, AgentFailure) and refused.code is ErrorCode.ACCESS_FORBIDDEN


async def test_a_bibliography_of_an_older_program_keeps_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "refs.bib"
    path.write_bytes("@book{k, title = {Über Möwen}, author = {Müller, Jörg}}\n".encode("cp1252"))
    (raw,) = await documents(BibtexConnector(settings(tmp_path)), f"bibtex://{path}")
    assert (raw.title, raw.metadata["authors"]) == ("Über Möwen", ["Jörg Müller"])


async def test_latex_in_fields_becomes_letters_and_names_are_in_spoken_order(tmp_path: Path) -> None:
    path = tmp_path / "refs.bib"
    path.write_text(
        '@article{k, title = {{\\"U}ber {RAG} \\& more}, author = {M{\\"u}ller, J{\\"o}rg and Ada Alder},'
        " month = mar, year = 2020, journal = {J. of Laws}, url = {https://a.example/x_y%20z}}\n"
        "@article{k, title = {again}}\n"
    )
    (raw,) = await documents(BibtexConnector(settings(tmp_path)), f"bibtex://{path}")
    assert raw.title == "Über RAG & more"
    assert raw.metadata["authors"] == ["Jörg Müller", "Ada Alder"]
    assert (raw.metadata["date"], raw.metadata["url"]) == ("2020-03", "https://a.example/x_y%20z")
