"""A workspace that was made before databases had versions: all that it holds is there for the ROMA of today.

``tests/fixtures/workspace-before-versions.tar.gz`` was made by the last revision without versions: an ingest of three
small files, a question in a session, an opinion, a token, a job, a charge, an answer of an evaluation, a web page and a
cached value.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from roma_core.api.jobqueue import JobQueue
from roma_core.api.tokens import TokenStore
from roma_core.app import build_roma
from roma_core.connectors.web.cache import WebCache
from roma_core.evals.checkpoint import SqliteCheckpoint
from roma_core.llm.control.budget import Budgets
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput
from roma_core.workspace import Workspace

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "workspace-before-versions.tar.gz"
TOKEN = "roma_30852c18212d_n-lGzEeQZ7EHiUf82JwE4jke8mQAssAJr6BI80rv9-U"
JOB = "a880c222065f4b70b3929fa7dcff4588"
ANSWER = "0ba9940fa1ae474709205e821e9396aa"
DATABASES = ("budgets", "cache", "eval_answers", "ledger", "service", "sessions", "web_pages")


@pytest.fixture
def old(tmp_path: Path) -> Workspace:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Workspace(tmp_path / ".roma")


async def test_documents_conversations_and_opinions_are_there(old: Workspace) -> None:
    settings = Settings(workspace=old.folder, embedder="fake", reranker="fake")
    async with build_roma(settings) as roma:
        items = await roma.ingestion.ledger_items("default")
        assert [(item.uri.rsplit("/", 1)[1], item.state) for item in items] == [
            ("bridge.md", "added"), ("mill.md", "added"), ("well.txt", "added"),
        ]  # fmt: skip
        assert await roma.store.counts("default") == (3, 3)
        answer = await roma.query("How deep is the well of Quellfeld?", session_id="first")
        assert isinstance(answer, TailorOutput)
        assert "31 metres" in answer.answer
        turns = await roma.sessions.turns(Principal.local(), "first")
        assert [turn.question for turn in turns] == [
            "When was the rope bridge built?", "How deep is the well of Quellfeld?",
        ]  # fmt: skip
        (opinion,) = await roma.sessions.feedback(Principal.local())
        assert (opinion.answer_id, opinion.rating, opinion.comment) == (ANSWER, "up", "right")
        assert roma.cache.get("parse", "key") == b"kept bytes"


async def test_tokens_jobs_charges_answers_and_pages_are_there(old: Workspace) -> None:
    token = TokenStore(old.folder).verify(TOKEN)
    assert token is not None
    assert (token.name, token.scopes) == ("reader", ("query",))
    queue = JobQueue(old.folder)
    assert queue.get(JOB, "default").state == "queued"
    work = queue.claim("worker")
    assert work is not None
    assert (work.id, work.sources) == (JOB, ("https://quellfeld.example/",))
    budgets = Budgets(old.budgets, tenant_usd=1.0, session_usd=1.0)
    assert budgets.spent_usd("tenant", "default") == pytest.approx(0.2)
    assert budgets.spent_usd("session", "default/first") == pytest.approx(0.2)
    assert await SqliteCheckpoint(old.eval_answers).get("key") == '{"answer": "1902"}'
    page = await WebCache(old.web_pages).get("https://quellfeld.example/")
    assert page is not None
    assert (page.body, page.etag) == (b"<p>Quellfeld</p>", '"e1"')


async def test_each_database_says_its_version_then_and_a_copy_is_kept(old: Workspace) -> None:
    await test_tokens_jobs_charges_answers_and_pages_are_there(old)
    await test_documents_conversations_and_opinions_are_there(old)
    for name in DATABASES:
        path: Path = getattr(old, name)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT name FROM roma_schema WHERE version = 1").fetchall() == [(name,)]
    copies = {path.name for path in old.folder.rglob("backups/*")}
    assert copies == {"budgets.sqlite.v0", "answers.db.v0", "ledger.sqlite.v0", "service.db.v0", "sessions.db.v0"}
