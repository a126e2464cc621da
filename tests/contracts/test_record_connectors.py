"""Connectors of repositories, libraries, feeds, mailboxes, archives and databases keep the contract of connectors."""

from __future__ import annotations

import io
import json
import mailbox
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from roma_core.connectors.base import Connector
from roma_core.connectors.feeds import FeedConnector
from roma_core.connectors.git import GitConnector
from roma_core.connectors.library import (
    ArxivConnector,
    BibtexConnector,
    OpenAlexConnector,
    PubMedConnector,
    ZoteroConnector,
)
from roma_core.connectors.mailbox import MailboxConnector
from roma_core.connectors.sql import SqlConnector
from roma_core.connectors.warc import WarcConnector
from roma_core.settings import Settings
from roma_core.testing import ConnectorCase, ConnectorContract
from roma_core.types import RawDocument, Source
from tests.fakes.catalogues import FakeArxiv, FakeOpenAlex, FakePubMed, FakeZotero, Paper, openalex_work
from tests.fakes.site import Reply, Request, Site

FOREIGN = "https://example.org/"
CONTENTS = (b"# one\n", b"two\n", b"three\n")


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(workspace=folder / "ws", web_allowed_private_hosts=("127.0.0.1",), web_rate_per_s=500.0, **more)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses between attempts short."""

    async def at_once(seconds: float) -> None:
        del seconds

    monkeypatch.setattr("roma_core.retry.sleep", at_once)


async def contents_of(connector: Connector, source: Source) -> tuple[bytes, ...]:
    """Return the documents that a connector makes; the contract compares them with what it fetches later."""
    contents: list[bytes] = []
    async for item in connector.list(source):
        if hasattr(item, "skip") and item.skip is None:
            raw = await connector.fetch(source, item)
            assert isinstance(raw, RawDocument), raw
            contents.append(raw.data)
    return tuple(contents)


# Git


class Repository:
    """A repository that is written to without git's own program."""

    def __init__(self, folder: Path) -> None:
        from dulwich.repo import Repo

        folder.mkdir(parents=True)
        self.folder = folder
        self.repo = Repo.init(str(folder))
        self.serial = 0

    def commit(self, **files: bytes | None) -> None:
        """Commit files by their names ("/" as "__"); None removes one."""
        worktree = self.repo.get_worktree()
        for name, data in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True) if data is None else path.write_bytes(data)
            worktree.stage([str(path.relative_to(self.folder))])
        self.serial += 1
        who = b"Ada <ada@example.org>"
        worktree.commit(message=b"c%d" % self.serial, author=who, committer=who)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    made.commit(a=CONTENTS[0], docs__b=CONTENTS[1], docs__c=CONTENTS[2])
    yield made
    made.repo.close()


class TestLocalRepository(ConnectorContract):
    @pytest.fixture
    async def case(
        self, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[ConnectorCase]:
        monkeypatch.setattr("roma_core.connectors.git.connector.TRUSTED_S", 0.0)
        connector = GitConnector(settings(tmp_path))
        away = tmp_path / "away"
        yield ConnectorCase(
            connector,
            Source(uri=f"git+file://{repository.folder}", kind="git"),
            Source(uri=f"git+file://{tmp_path}/absent", kind="git"),
            CONTENTS,
            FOREIGN,
            change=lambda: repository.commit(a=b"other\n"),
            remove=lambda: repository.commit(docs__b=None),
            fail=lambda: repository.folder.rename(away) and None,
            mend=lambda: away.rename(repository.folder) and None,
        )
        await connector.close()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class GitServer:
    """Git's smart protocol over HTTP on loopback; ``is_down`` answers 503."""

    def __init__(self, repository: Repository) -> None:
        from dulwich.server import DictBackend
        from dulwich.web import make_wsgi_chain

        self.app = make_wsgi_chain(DictBackend({b"/r.git": repository.repo, "/r.git": repository.repo}))
        self.is_down = False
        self.requests: list[str] = []
        self.server: WSGIServer = make_server("127.0.0.1", 0, self._answer, handler_class=_Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"git+http://127.0.0.1:{self.server.server_port}/r.git"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def set_down(self, is_down: bool) -> None:
        self.is_down = is_down

    def _answer(self, environment: Any, start: Any) -> Any:
        self.requests.append(environment["PATH_INFO"])
        if self.is_down:
            start("503 Down", [("Content-Type", "text/plain")])
            return [b"down"]
        return self.app(environment, start)


@pytest.fixture
def git_server(repository: Repository) -> Iterator[GitServer]:
    server = GitServer(repository)
    yield server
    server.close()


class TestRemoteRepository(ConnectorContract):
    @pytest.fixture
    async def case(
        self, git_server: GitServer, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[ConnectorCase]:
        monkeypatch.setattr("roma_core.connectors.git.connector.TRUSTED_S", 0.0)
        connector = GitConnector(settings(tmp_path))
        yield ConnectorCase(
            connector,
            Source(uri=git_server.address, kind="git"),
            Source(uri=git_server.address.replace("r.git", "absent.git"), kind="git"),
            CONTENTS,
            FOREIGN,
            change=lambda: repository.commit(a=b"other\n"),
            remove=lambda: repository.commit(docs__b=None),
            fail=lambda: git_server.set_down(True),
            mend=lambda: git_server.set_down(False),
        )
        await connector.close()

    async def test_a_known_commit_costs_a_look_at_the_branches_alone(
        self, case: ConnectorCase, git_server: GitServer
    ) -> None:
        [item async for item in case.connector.list(case.source)]
        git_server.requests.clear()
        [item async for item in case.connector.list(case.source)]
        assert len(git_server.requests) <= 2


# Files that hold records


BIB = """@article{one, title = {The {RAG} way}, author = {Alder, Ada and Birch, Bo}, year = 2020, doi = {10.1/x}}
@inproceedings{two, title = "M{\\"u}ller's law", booktitle = {Proc.}, abstract = {Everything falls.}, year = {2019}}
@misc{three, title = {Stored}, file = {:files/three.txt:TXT}}
"""


class TestBibtexConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        path, stored = tmp_path / "refs.bib", tmp_path / "files" / "three.txt"
        stored.parent.mkdir()
        stored.write_bytes(CONTENTS[2])
        path.write_text(BIB)
        connector = BibtexConnector(settings(tmp_path))
        source = Source(uri=f"bibtex://{path}", kind="bibtex")
        contents = await contents_of(connector, source)
        yield ConnectorCase(
            connector,
            source,
            Source(uri=f"bibtex://{tmp_path}/absent.bib", kind="bibtex"),
            contents,
            FOREIGN,
            change=lambda: path.write_text(BIB.replace("Everything falls", "Nothing falls")) and None,
            remove=lambda: path.write_text(BIB.partition("\n")[2]) and None,
            fail=lambda: path.write_text(BIB.partition("\n")[2] + "@book{one, title = {cut off") and None,
            mend=lambda: path.write_text(BIB) and None,
        )
        await connector.close()


def message(number: int, text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ada@example.org", "bo@example.org", f"Mail {number}"
    mail["Date"], mail["Message-ID"] = "Sat, 28 Nov 2026 09:00:00 +0000", f"<{number}@example.org>"
    mail.set_content(text)
    return mail


def write_mailbox(path: Path, *numbers: int, text: str = "words") -> None:
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    for number in numbers:
        box.add(message(number, f"{text if number == 1 else 'words'} of {number}"))
    box.flush()
    box.close()


class TestMailboxConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        path, away = tmp_path / "in.mbox", tmp_path / "away"
        write_mailbox(path, 1, 2, 3)
        connector = MailboxConnector(settings(tmp_path))
        source = Source(uri=f"mbox://{path}", kind="mbox")
        yield ConnectorCase(
            connector,
            source,
            Source(uri=f"mbox://{tmp_path}/absent.mbox", kind="mbox"),
            await contents_of(connector, source),
            FOREIGN,
            change=lambda: write_mailbox(path, 1, 2, 3, text="other words"),
            remove=lambda: write_mailbox(path, 1, 3),
            fail=lambda: path.rename(away) and None,
            mend=lambda: away.rename(path) and None,
        )
        await connector.close()


def write_archive(path: Path, *pages: tuple[str, str]) -> None:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for url, text in pages:
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/plain")], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(text.encode()), http_headers=headers)
            )


class TestWarcConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        path = tmp_path / "crawl.warc.gz"
        pages = [(f"https://example.org/{n}", data.decode()) for n, data in enumerate(CONTENTS)]
        write_archive(path, *pages)
        whole = path.read_bytes()
        connector = WarcConnector(settings(tmp_path))
        yield ConnectorCase(
            connector,
            Source(uri=f"warc://{path}", kind="warc"),
            Source(uri=f"warc://{tmp_path}/absent.warc", kind="warc"),
            CONTENTS,
            FOREIGN,
            change=lambda: write_archive(path, *pages, (pages[0][0], "other")),
            remove=lambda: write_archive(path, *pages[1:]),
            fail=lambda: path.write_bytes(whole[: len(whole) // 2]) and None,
            mend=lambda: path.write_bytes(whole) and None,
        )
        await connector.close()


class TestSqlConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        path = tmp_path / "shop.db"

        def run(*statements: str) -> None:
            with sqlite3.connect(path) as db:
                for statement in statements:
                    db.execute(statement)
            db.close()

        run(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT)",
            "INSERT INTO articles VALUES (1, 'One', 'first'), (2, 'Two', 'second'), (3, 'Three', 'third')",
        )
        urls = json.dumps({"shop": f"sqlite:///file:{path}?mode=ro&uri=true"})
        connector = SqlConnector(settings(tmp_path, sql_urls=urls))
        source = Source(uri="sql://shop/articles", kind="sql")
        yield ConnectorCase(
            connector,
            source,
            Source(uri="sql://shop/absent", kind="sql"),
            await contents_of(connector, source),
            FOREIGN,
            change=lambda: run("UPDATE articles SET body = 'other' WHERE id = 2"),
            remove=lambda: run("DELETE FROM articles WHERE id = 3"),
            fail=lambda: run("ALTER TABLE articles RENAME TO hidden"),
            mend=lambda: run("ALTER TABLE hidden RENAME TO articles"),
        )
        await connector.close()


# Services


class FakeFeed(Site):
    """A feed with validators."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = {n: f"<p>Entry {n} says a word or two.</p>" for n in (1, 2, 3)}
        self.is_down = False
        self.fallback = self._answer

    def set_down(self, is_down: bool) -> None:
        self.is_down = is_down

    def _answer(self, request: Request) -> Reply:
        if self.is_down:
            return Reply(b"down", 503)
        if request.path != "/atom.xml":
            return Reply(b"none", 404)
        entries = "".join(
            f"<entry><id>tag:example.org,{n}</id><title>Entry {n}</title><link href='{self.base}/{n}'/>"
            f"<updated>2026-11-0{n}T00:00:00Z</updated><content type='html'><![CDATA[{text}]]></content></entry>"
            for n, text in self.entries.items()
        )
        body = f"<feed xmlns='http://www.w3.org/2005/Atom'><title>News</title>{entries}</feed>"
        etag = f'"{hash(body)}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(status=304)
        return Reply(body, headers={"ETag": etag}, media_type="application/atom+xml")


class TestFeedConnector(ConnectorContract):
    is_confined = False

    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        async with FakeFeed() as feed:
            connector = FeedConnector(settings(tmp_path))
            source = Source(uri=f"feed+{feed.base}/atom.xml", kind="feed")
            yield ConnectorCase(
                connector,
                source,
                Source(uri=f"feed+{feed.base}/absent.xml", kind="feed"),
                await contents_of(connector, source),
                FOREIGN,
                change=lambda: feed.entries.update({2: "<p>Entry 2 says something else.</p>"}),
                remove=lambda: feed.entries.pop(1) and None,
                fail=lambda: feed.set_down(True),
                mend=lambda: feed.set_down(False),
            )
            await connector.close()


class TestArxivConnector(ConnectorContract):
    is_confined = False

    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        papers = [Paper(f"2601.0000{n}", f"Paper {n}", pdf=data) for n, data in enumerate(CONTENTS)]
        async with FakeArxiv(*papers) as arxiv:
            connector = ArxivConnector(settings(tmp_path, library_arxiv_url=arxiv.base), gap_s=0.0)

            def change() -> None:
                papers[0].version, papers[0].pdf = 2, b"revised"

            yield ConnectorCase(
                connector,
                Source(uri="arxiv://search/Paper", kind="arxiv"),
                Source(uri="arxiv://2601.99999", kind="arxiv"),
                CONTENTS,
                FOREIGN,
                change=change,
                remove=lambda: arxiv.papers.pop(papers[1].id) and None,
                fail=arxiv.fail,
                mend=arxiv.mend,
            )
            await connector.close()


class TestOpenAlexConnector(ConnectorContract):
    is_confined = False

    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        async with FakeOpenAlex(*(openalex_work(n, f"Work {n}") for n in (1, 2, 3))) as openalex:
            connector = OpenAlexConnector(settings(tmp_path, library_openalex_url=openalex.base))
            source = Source(uri="openalex://search/Work", kind="openalex")
            yield ConnectorCase(
                connector,
                source,
                Source(uri="openalex://W404", kind="openalex"),
                await contents_of(connector, source),
                FOREIGN,
                change=lambda: openalex.works.update(W2=openalex_work(2, "Work 2", "water freezes")),
                remove=lambda: openalex.works.pop("W3") and None,
                fail=openalex.fail,
                mend=openalex.mend,
            )
            await connector.close()


class TestPubMedConnector(ConnectorContract):
    is_confined = False

    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        async with FakePubMed(_1="Growth 1", _2="Growth 2", _3="Growth 3") as pubmed:
            connector = PubMedConnector(settings(tmp_path, library_pubmed_url=pubmed.base))
            source = Source(uri="pubmed://search/Growth", kind="pubmed")
            yield ConnectorCase(
                connector,
                source,
                Source(uri="pubmed://404", kind="pubmed"),
                await contents_of(connector, source),
                FOREIGN,
                change=lambda: pubmed.articles.update(_2="Growth 2, corrected"),
                remove=lambda: pubmed.articles.pop("_3") and None,
                fail=pubmed.fail,
                mend=pubmed.mend,
            )
            await connector.close()


class TestZoteroConnector(ConnectorContract):
    @pytest.fixture
    async def case(self, tmp_path: Path) -> AsyncIterator[ConnectorCase]:
        async with FakeZotero() as zotero:
            zotero.put("AAAAAAAA", itemType="journalArticle", abstractNote="Water boils.", DOI="10.1/a")
            zotero.put("BBBBBBBB", itemType="book", title="A book with a file")
            pdf = {"itemType": "attachment", "linkMode": "imported_file", "contentType": "application/pdf"}
            zotero.put("CCCCCCCC", b"%PDF stored", **pdf, parentItem="BBBBBBBB", filename="b.pdf")
            zotero.put("DDDDDDDD", itemType="note", note="<p>A note on water</p>", parentItem="AAAAAAAA")
            connector = ZoteroConnector(settings(tmp_path, library_zotero_url=zotero.base))
            source = Source(uri="zotero://users/7", kind="zotero")

            def change() -> None:
                zotero.put("CCCCCCCC", b"%PDF revised", **pdf, parentItem="BBBBBBBB", filename="b.pdf")

            yield ConnectorCase(
                connector,
                source,
                Source(uri="zotero://users/8", kind="zotero"),
                await contents_of(connector, source),
                FOREIGN,
                change=change,
                remove=lambda: zotero.remove("DDDDDDDD"),
                fail=zotero.fail,
                mend=zotero.mend,
            )
            await connector.close()
