"""The audit log: one chain a tenant, rows that are found, and a change anywhere that is found too."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.audit import AuditLog
from roma_core.errors import InputError, StoreError
from roma_core.types import Principal

ANNA, BERT, OTHER = (
    Principal(subject="anna", tenant="t"),
    Principal(subject="bert", tenant="t"),
    Principal(subject="anna", tenant="other"),
)
NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


class Clock:
    def __init__(self, now: datetime = NOVEMBER, step: timedelta = timedelta(seconds=1)) -> None:
        self.now, self.step = now, step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path, now=Clock())


def test_rows_are_numbered_by_tenant_and_found_by_every_condition(log: AuditLog) -> None:
    log.append(ANNA, "show", documents=["x", "y"], question="Who?")
    log.append(BERT, "show", documents=["x"])
    log.append(OTHER, "show", documents=["x"])
    log.append(ANNA, "ingest", sources=["file:///a"])
    assert [(e.number, e.who) for e in log.query("t", document="x")] == [(2, "bert"), (1, "anna")]
    assert [e.number for e in log.query("t", who="anna")] == [3, 1]
    assert [e.details for e in log.query("t", action="ingest")] == [{"sources": ["file:///a"]}]
    assert [e.number for e in log.query("other")] == [1]
    second = log.query("t")[1].at
    assert [e.number for e in log.query("t", since=second)] == [3, 2]
    assert [e.number for e in log.query("t", until=second)] == [1]
    assert [e.number for e in log.query("t", limit=1)] == [3]
    assert log.query("t", document="nothing") == []


def test_a_chain_goes_on_in_the_file_of_the_next_month(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, now=Clock(step=timedelta(days=12)))
    for _ in range(6):
        log.append(ANNA, "ask")
    assert len(list((tmp_path / "audit").glob("*.sqlite"))) == 3
    check = log.verify("t")
    assert (check.is_whole, check.rows) == (True, 6)
    assert [entry.number for entry in log.query("t")] == [6, 5, 4, 3, 2, 1]
    assert log.query("t")[0].hash == check.head


def test_a_row_of_a_clock_that_went_back_stands_behind_those_that_are_there(tmp_path: Path) -> None:
    AuditLog(tmp_path, now=lambda: NOVEMBER + timedelta(days=3)).append(ANNA, "ask")
    AuditLog(tmp_path, now=lambda: NOVEMBER).append(ANNA, "ask")
    assert AuditLog(tmp_path).verify("t").is_whole
    assert AuditLog(tmp_path).verify("t").rows == 2


def harm_text(db: sqlite3.Connection) -> None:
    db.execute('UPDATE entries SET details = \'{"question":"Whom?"}\' WHERE number = 3')


def harm_user(db: sqlite3.Connection) -> None:
    db.execute("UPDATE entries SET who = 'eve' WHERE number = 3")


def harm_time(db: sqlite3.Connection) -> None:
    db.execute("UPDATE entries SET at = '2020-01-01T00:00:00+00:00' WHERE number = 3")


def harm_gap(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM entries WHERE number = 3")


def harm_end(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM entries WHERE number = 5")


def harm_index(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM entry_documents WHERE number = 3")


def harm_addition(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO entry_documents VALUES ('t', 'never shown', 3)")


def harm_both(db: sqlite3.Connection) -> None:
    db.execute("UPDATE entries SET documents = '[]' WHERE number = 3")
    db.execute("DELETE FROM entry_documents WHERE number = 3")


@pytest.mark.parametrize(
    "harm",
    [harm_text, harm_user, harm_time, harm_gap, harm_end, harm_index, harm_addition, harm_both],
    ids=lambda harm: harm.__name__,
)
def test_a_change_is_found(log: AuditLog, tmp_path: Path, harm: Callable[[sqlite3.Connection], None]) -> None:
    for _ in range(5):
        log.append(ANNA, "show", documents=["x"], question="Who?")
    log.close()
    assert AuditLog(tmp_path).verify("t").is_whole
    (path,) = (tmp_path / "audit").glob("*.sqlite")
    with sqlite3.connect(path) as db:
        harm(db)
    db.close()
    check = AuditLog(tmp_path).verify("t")
    assert not check.is_whole
    assert check.broken_at == (5 if harm is harm_end else 3)


def test_every_flipped_byte_of_a_row_is_found(log: AuditLog, tmp_path: Path) -> None:
    for number in range(3):
        log.append(ANNA, "show", documents=[f"document{number}"], question=f"Question {number}?")
    log.close()
    (path,) = (tmp_path / "audit").glob("*.sqlite")
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    whole = path.read_bytes()
    for words in (b"anna", b"Question 1", b"document2", b"2026-12-01", b'"question"'):
        start = whole.index(words) if words in whole else -1
        if start < 0:
            continue
        path.write_bytes(whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :])
        reader = AuditLog(tmp_path)
        try:
            is_whole = reader.verify("t").is_whole
        except StoreError:
            is_whole = False
        reader.close()
        assert not is_whole, words
    assert whole.index(b"Question 1") > 0


def test_threads_and_processes_share_one_chain(tmp_path: Path) -> None:
    logs = [AuditLog(tmp_path, now=Clock(step=timedelta(minutes=1))) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: logs[n % 4].append(ANNA, "ask", n=n), range(80)))
    check = AuditLog(tmp_path).verify("t")
    assert (check.rows, check.is_whole, check.reason) == (80, True, "")
    assert len({entry.details["n"] for entry in AuditLog(tmp_path).query("t")}) == 80


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("full", "Mail jo@example.org?"), ("redacted", "Mail [email]?"), ("hash", "sha256:")],
)
def test_a_question_is_kept_as_the_policy_says(tmp_path: Path, policy: str, kept: str) -> None:
    log = AuditLog(tmp_path, questions=policy)  # type: ignore[arg-type]
    log.append(ANNA, "ask", question="Mail jo@example.org?")
    said = log.query("t")[0].details["question"]
    assert said.startswith(kept) if policy == "hash" else ("jo@" in said) is (policy == "full")
    assert kept.split("[", maxsplit=1)[0] in said


def test_a_row_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / f"{datetime.now(UTC):%Y-%m}.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError):
        AuditLog(tmp_path).append(ANNA, "ask")


def test_an_unknown_action_is_refused(log: AuditLog) -> None:
    with pytest.raises(InputError, match="There is no action"):
        log.query("t", action="peek")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_document_is_looked_up_among_many_rows_by_its_index(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    started = time.perf_counter()
    for number in range(5000):
        log.append(ANNA, "show", documents=[f"d{number % 500}", f"e{number}"], question="Who?")
    print(f"{5000 / (time.perf_counter() - started):,.0f} rows/s")
    assert [entry.number for entry in log.query("t", document="d7")] == list(range(4508, 7, -500))
    assert log.verify("t").is_whole
