"""The audit log in PostgreSQL keeps the promises of the one in files: one chain a tenant, whichever server appends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from roma_core.app import build_roma
from roma_core.audit import AuditLog
from roma_core.audit.server import ServerAuditLog
from roma_core.errors import ErrorCode, InputError, StoreError
from roma_core.rowsecurity import enter_tenant
from roma_core.settings import Settings
from roma_core.types import Principal, TailorOutput

ANNA, BERT = Principal(subject="anna", tenant="one"), Principal(subject="bert", tenant="two")
LOCAL = Principal(subject="local", tenant="one")
FIRST = datetime(2026, 10, 30, 12, tzinfo=UTC)


def make_clock(step: timedelta = timedelta(hours=12)) -> Callable[[], datetime]:
    """Return a clock that goes on by a step at each look, from one month into the next."""
    looks = iter(range(1_000_000))
    return lambda: FIRST + next(looks) * step


@pytest.fixture
def log(plain_url: str, tmp_path: Path) -> Iterator[ServerAuditLog]:
    made = ServerAuditLog(plain_url, tmp_path / "ws", now=make_clock())
    yield made
    made.close()


def write_some(log: AuditLog) -> None:
    for number in range(6):
        log.append(ANNA, "ask", documents=[f"d{number}", "d0"], question="Was it anna@example.org?", n=number)
    log.append(BERT, "read", documents=["d9"])


def change(url: str, statement: str, tenant: str = "one") -> None:
    """Change the tables behind ROMA's back."""
    engine = create_engine(url)
    with engine.begin() as db:
        enter_tenant(db, tenant)
        assert db.execute(text(statement)).rowcount > 0
    engine.dispose()


def test_rows_and_hashes_are_those_of_the_log_in_files(log: ServerAuditLog, tmp_path: Path) -> None:
    files = AuditLog(tmp_path / "files", now=make_clock())
    for each in (files, log):
        write_some(each)
    assert log.query("one") == files.query("one") and log.query("two") == files.query("two")
    assert log.verify("one") == files.verify("one")
    assert log.list_tenants() == {"one", "two"}
    assert not (tmp_path / "ws").exists(), "nothing is written into the workspace"


def test_rows_are_found_by_every_condition(log: ServerAuditLog) -> None:
    write_some(log)
    log.append(LOCAL, "ingest", sources=["papers"])
    numbers = {
        "document": [row.number for row in log.query("one", document="d3")],
        "who": [row.number for row in log.query("one", who="local")],
        "action": [row.number for row in log.query("one", action="ask", limit=2)],
        "since": [row.number for row in log.query("one", since=FIRST + timedelta(hours=48))],
        "until": [row.number for row in log.query("one", until=FIRST + timedelta(hours=24))],
        "before": [row.number for row in log.query("one", document="d0", before=3)],
    }
    assert numbers == {
        "document": [4],
        "who": [7],
        "action": [6, 5],
        "since": [7, 6, 5],
        "until": [2, 1],
        "before": [2, 1],
    }
    assert log.query("two", document="d3") == []
    with pytest.raises(InputError):
        log.query("one", action="dance")  # type: ignore[arg-type]


def test_servers_share_one_chain(plain_url: str, tmp_path: Path) -> None:
    servers = [ServerAuditLog(plain_url, tmp_path / "ws") for _ in range(2)]

    def append(server: ServerAuditLog, who: Principal) -> None:
        for number in range(15):
            server.append(who, "ask", n=number)

    threads = [threading.Thread(target=append, args=(server, who)) for server in servers for who in (ANNA, ANNA, BERT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checks = {tenant: servers[0].verify(tenant) for tenant in ("one", "two")}
    assert {tenant: (check.rows, check.is_whole) for tenant, check in checks.items()} == {
        "one": (60, True),
        "two": (30, True),
    }
    assert servers[1].has_hash("one", checks["one"].head) and not servers[1].has_hash("two", checks["one"].head)
    for server in servers:
        server.close()


@contextmanager
def chain_held(url: str) -> Iterator[Connection]:
    """Hold the chain of the tenant one as a server does that is about to add a row."""
    engine = create_engine(url)
    with engine.begin() as db:
        enter_tenant(db, "one")
        db.execute(text("SELECT 1 FROM roma_audit_heads WHERE tenant = 'one' FOR UPDATE")).one()
        yield db
    engine.dispose()


class Appenders:
    """Threads that add a row each; ``numbers`` and ``errors`` are what came of them."""

    def __init__(self, log: AuditLog, count: int) -> None:
        self._log = log
        self.numbers: list[int] = []
        self.errors: list[StoreError] = []
        self._appending = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._append, args=(n,)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _append(self, number: int) -> None:
        try:
            self.numbers.append(self._log.append(ANNA, "read", documents=self._list_documents(number)))
        except StoreError as error:
            self.errors.append(error)

    def _list_documents(self, number: int) -> Iterator[str]:
        """Yield a document, and say then that the log has taken the row in."""
        yield f"d{number}"
        self._appending.release()

    def wait_until_all_append(self) -> None:
        for _ in self._threads:
            assert self._appending.acquire(timeout=60), "a row was not taken in"

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_rows_that_wait_for_each_other_are_committed_together(log: ServerAuditLog, plain_url: str) -> None:
    log.append(ANNA, "read", documents=["d"])
    with chain_held(plain_url):
        appenders = Appenders(log, 12)
        appenders.wait_until_all_append()
    appenders.join()
    assert sorted(appenders.numbers) == list(range(2, 14))
    assert log.verify("one").is_whole and log.verify("one").rows == 13
    engine = create_engine(plain_url)
    with engine.begin() as db:
        enter_tenant(db, "one")
        commits = db.execute(text("SELECT count(DISTINCT CAST(xmin AS text)) FROM roma_audit_entries")).scalar()
    engine.dispose()
    assert 3 <= commits < 13


def test_rows_that_cannot_be_committed_are_reported_to_each_thread(log: ServerAuditLog, plain_url: str) -> None:
    log.append(ANNA, "read", documents=["d"])
    with chain_held(plain_url) as db:
        appenders = Appenders(log, 6)
        appenders.wait_until_all_append()
        db.execute(text("ALTER TABLE roma_audit_documents RENAME TO elsewhere"))
    appenders.join()
    assert (len(appenders.errors), appenders.numbers) == (6, [])
    assert {error.code for error in appenders.errors} == {ErrorCode.STORAGE_UNAVAILABLE}
    engine = create_engine(plain_url)
    with engine.begin() as db:
        db.execute(text("ALTER TABLE elsewhere RENAME TO roma_audit_documents"))
    engine.dispose()
    assert log.append(ANNA, "read", documents=["d"]) == 2
    assert log.verify("one").is_whole


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE roma_audit_entries SET who = 'carl' WHERE number = 3", 3),
        ("UPDATE roma_audit_entries SET at = '2026-10-30T12:00:01+00:00' WHERE number = 1", 1),
        ("UPDATE roma_audit_entries SET action = 'read' WHERE number = 6", 6),
        ("UPDATE roma_audit_entries SET details = '{}' WHERE number = 2", 2),
        ("UPDATE roma_audit_entries SET documents = '[]' WHERE number = 4", 4),
        ("UPDATE roma_audit_entries SET hash = repeat('0', 64) WHERE number = 5", 5),
        ("DELETE FROM roma_audit_entries WHERE number = 2", 2),
        ("DELETE FROM roma_audit_entries WHERE number = 6", 6),
        ("DELETE FROM roma_audit_documents WHERE document_id = 'd5'", 6),
        ("UPDATE roma_audit_documents SET document_id = 'd7' WHERE document_id = 'd2'", 3),
    ],
)
def test_a_change_is_found(log: ServerAuditLog, plain_url: str, statement: str, row: int) -> None:
    write_some(log)
    change(plain_url, statement)
    check = log.verify("one")
    assert (check.is_whole, check.broken_at) == (False, row)
    assert log.verify("two").is_whole


def test_no_transaction_sees_the_rows_of_another_tenant(log: ServerAuditLog, plain_url: str) -> None:
    write_some(log)
    engine = create_engine(plain_url)
    for table in ("roma_audit_entries", "roma_audit_documents", "roma_audit_heads"):
        with engine.begin() as db:
            statement = text(f"SELECT DISTINCT tenant FROM {table}")
            assert list(db.execute(statement)) == []
            enter_tenant(db, "two")
            assert [tuple(row) for row in db.execute(statement)] == [("two",)]
    engine.dispose()


def test_a_user_is_blanked_and_old_rows_go_and_the_chain_is_whole(log: ServerAuditLog, plain_url: str) -> None:
    write_some(log)
    log.append(LOCAL, "grant", grantee="user anna")
    assert log.erase_user(ANNA, by=LOCAL, erasure="e1") == 7
    assert log.erase_user(ANNA, by=LOCAL, erasure="e2") == 0
    check = log.verify("one")
    assert (check.is_whole, check.erased) == (True, 7)
    assert "anna" not in str([row.model_dump() for row in log.query("one")])
    moment = FIRST + timedelta(hours=36)
    assert log.remove_before("one", moment, by=LOCAL, counts_only=True) == 3
    assert log.remove_before("one", moment, by=LOCAL) == 3
    check = log.verify("one")
    assert (check.is_whole, check.removed) == (True, 3)
    assert min(row.number for row in log.query("one")) == 4
    assert log.forget_tenant("one") > 0
    assert log.query("one") == [] and log.verify("two").rows == 1


def test_rows_of_files_are_taken_over_and_the_chain_goes_on(plain_url: str, tmp_path: Path) -> None:
    files = AuditLog(tmp_path, now=make_clock())
    write_some(files)
    before = {tenant: (files.query(tenant), files.verify(tenant).head) for tenant in ("one", "two")}
    files.close()
    for _ in range(2):  # the second process finds them taken over
        log = ServerAuditLog(plain_url, tmp_path, now=make_clock())
        assert log.append(ANNA, "ask") in {7, 8}
        log.close()
    log = ServerAuditLog(plain_url, tmp_path)
    assert log.list_tenants() == {"one", "two"}
    assert log.query("one")[2:] == before["one"][0]
    assert log.query("two") == before["two"][0]
    assert log.verify("one").is_whole and log.has_hash("one", before["one"][1])
    log.close()
    assert AuditLog(tmp_path).query("one") == AuditLog(tmp_path).query("two") == []


async def test_what_is_asked_is_logged_there_and_nothing_is_answered_without_it(plain_url: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"embedder": "fake", "reranker": "none", "audit": "all", "database_url": plain_url}
    (tmp_path / "bridge.md").write_text("# The bridge\n\nThe bridge spans 120 metres over the river.\n")
    async with build_roma(Settings(workspace=tmp_path / "ws", parser_workers=1, **given)) as roma:
        await roma.ingest(tmp_path / "bridge.md")
        answer = await roma.query("What does the bridge span?", principal=Principal(subject="anna"))
        assert isinstance(answer, TailorOutput)
        rows = [(row.who, row.action) for row in roma.audit.query("default")]
        assert ("anna", "ask") in rows and ("anna", "show") in rows
        assert not (tmp_path / "ws" / "audit").exists()
        certificate = await roma.forget_user("anna")
        assert {place.place: place.removed for place in certificate.places}["audit log (rows blanked)"] > 0
        assert roma.audit.verify("default").is_whole


def test_a_server_that_is_unavailable_is_an_error(tmp_path: Path, unused_tcp_port: int) -> None:
    pytest.importorskip("psycopg")
    log = ServerAuditLog(f"postgresql+psycopg://roma@127.0.0.1:{unused_tcp_port}/roma", tmp_path)
    with pytest.raises(StoreError) as caught:
        log.append(ANNA, "ask")
    assert "what must be logged is not done" in caught.value.message
    with pytest.raises(StoreError):
        log.verify("one")
