"""A schema of files on a server: statements for SQLite are PostgreSQL's there, and nothing in a literal changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from roma_core.database import Database, Schema
from roma_core.errors import ConfigError, ErrorCode, StoreError
from roma_core.serverdatabase import (
    FileOfBefore,
    ServerDatabase,
    ServerRow,
    list_names,
    translate_schema,
    translate_statement,
)

FIRST = """
CREATE TABLE notes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, weight REAL, data BLOB);
CREATE TABLE IF NOT EXISTS tallies (user TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX notes_by_user ON notes (user);
"""
NOTES = Schema("notes", "The list of notes", (FIRST,), consequence="nothing is noted")
NAMES = list_names(NOTES)


@pytest.fixture
def notes(plain_url: str) -> ServerDatabase:
    return ServerDatabase(plain_url, NOTES)


def test_names_of_tables_and_indexes_are_those_of_the_steps() -> None:
    assert {"notes", "tallies", "notes_by_user"} == NAMES


@pytest.mark.parametrize(
    ("statement", "translated"),
    [
        ("SELECT * FROM notes WHERE number = ?", "SELECT * FROM roma_notes WHERE number = %s"),
        ("SELECT user FROM notes", 'SELECT "user" FROM roma_notes'),
        ('SELECT notes.user, "user" FROM notes', 'SELECT roma_notes."user", "user" FROM roma_notes'),
        ("SELECT :user_id, user_id FROM tallies", "SELECT %(user_id)s, user_id FROM roma_tallies"),
        ("SELECT 'user? of :notes''s 5 %' LIKE ?", "SELECT 'user? of :notes''s 5 %%' LIKE %s"),
        ("SELECT number % 2 FROM notes", "SELECT number %% 2 FROM roma_notes"),
        ("SELECT notes_of_user FROM other", "SELECT notes_of_user FROM other"),
    ],
)
def test_a_statement_is_translated_outside_of_literals(statement: str, translated: str) -> None:
    assert translate_statement(statement, NAMES) == translated


def test_definitions_are_translated() -> None:
    (step,) = translate_schema(NOTES).steps
    assert isinstance(step, str)
    assert "number BIGSERIAL PRIMARY KEY" in step
    assert '"user" TEXT NOT NULL, weight DOUBLE PRECISION, data BYTEA' in step
    assert "ROWID" not in step
    assert 'CREATE INDEX roma_notes_by_user ON roma_notes ("user")' in step


def test_a_row_is_read_by_number_and_name() -> None:
    row = ServerRow({"a": 0, "b": 1}, (1, "x"))
    assert (row[0], row["b"], tuple(row), len(row), row.keys()) == (1, "x", (1, "x"), 2, ["a", "b"])
    with pytest.raises(KeyError):
        row["c"]


def test_values_come_back_as_they_were_written(notes: ServerDatabase) -> None:
    with notes.transaction() as db:
        db.executemany(
            "INSERT INTO notes (user, weight, data) VALUES (?, ?, ?)",
            [("anna", 1.5, b"\x00\xff"), ("bert", None, None)],
        )
        db.executemany("INSERT INTO notes (user) VALUES (?)", [])
        changed = db.execute("UPDATE notes SET weight = :weight WHERE user = :user", {"weight": 2.5, "user": "bert"})
    assert changed.rowcount == 1
    with notes.snapshot() as db:
        found = db.execute("SELECT * FROM notes ORDER BY number")
        first = found.fetchone()
        assert first is not None and (first["user"], first["weight"], bytes(first["data"])) == (
            "anna",
            1.5,
            b"\x00\xff",
        )
        assert [row["user"] for row in found.fetchall()] == ["bert"]
        assert found.fetchone() is None
        assert [row[0] for row in db.execute("SELECT count(*) FROM notes")] == [2]


def test_a_snapshot_sees_one_state_and_writes_nothing(notes: ServerDatabase) -> None:
    with notes.snapshot() as db:
        before = db.execute("SELECT count(*) FROM notes").fetchone()
        with notes.transaction() as other:
            other.execute("INSERT INTO notes (user) VALUES ('anna')")
        assert tuple(db.execute("SELECT count(*) FROM notes").fetchone() or ()) == tuple(before or ()) == (0,)
    with pytest.raises(StoreError, match="nothing is noted"), notes.snapshot() as db:
        db.execute("INSERT INTO notes (user) VALUES ('anna')")


def test_a_mark_changes_with_every_transaction_that_is_committed(notes: ServerDatabase) -> None:
    first = notes.read_mark()
    with pytest.raises(RuntimeError), notes.transaction():
        raise RuntimeError("not committed")
    assert notes.read_mark() == first
    with notes.transaction() as db:
        db.execute("INSERT INTO notes (user) VALUES ('anna')")
    assert notes.read_mark() != first


def test_writers_take_turns_as_in_a_file(notes: ServerDatabase, plain_url: str) -> None:
    """A look and the change that follows from it are not torn apart by another server."""
    servers = [notes, ServerDatabase(plain_url, NOTES)]
    with notes.transaction() as db:
        db.execute("INSERT INTO tallies VALUES ('anna', 0)")

    def count(server: ServerDatabase) -> None:
        for _ in range(20):
            with server.transaction() as db:
                row = db.execute("SELECT count FROM tallies WHERE user = 'anna'").fetchone()
                assert row is not None
                db.execute("UPDATE tallies SET count = ? WHERE user = 'anna'", (row["count"] + 1,))

    threads = [threading.Thread(target=count, args=(server,)) for server in servers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with notes.snapshot() as db:
        assert [row["count"] for row in db.execute("SELECT count FROM tallies")] == [80]
    for server in servers:
        server.close()


def test_an_older_server_is_brought_up_to_date_and_a_newer_one_is_refused(plain_url: str) -> None:
    with ServerDatabase(plain_url, NOTES).transaction() as db:
        db.execute("INSERT INTO notes (user) VALUES ('anna')")
    later = Schema("notes", "The list of notes", (FIRST, "ALTER TABLE notes ADD COLUMN language TEXT;"))
    with ServerDatabase(plain_url, later).snapshot() as db:
        assert [row["language"] for row in db.execute("SELECT * FROM notes")] == [None]
    with pytest.raises(StoreError) as refused, ServerDatabase(plain_url, NOTES).snapshot():
        pass
    assert refused.value.code is ErrorCode.STORAGE_NEWER


def test_rows_of_a_file_are_taken_over_once(tmp_path: Path, plain_url: str) -> None:
    file = Database(tmp_path / "notes.sqlite", NOTES)
    with file.transaction() as db:
        db.execute("INSERT INTO notes (user, data) VALUES ('quaggazebu', ?)", (b"\x00",))
    before = FileOfBefore(file, ("notes", "tallies"))
    server = ServerDatabase(plain_url, NOTES, before=before)
    with server.snapshot() as db:
        assert [row["user"] for row in db.execute("SELECT * FROM notes")] == ["quaggazebu"]
    assert before.count() == 0
    assert b"quaggazebu" not in (tmp_path / "notes.sqlite").read_bytes()
    server.close()


def test_without_a_file_nothing_is_taken_over_or_made(tmp_path: Path, plain_url: str) -> None:
    before = FileOfBefore(Database(tmp_path / "notes.sqlite", NOTES), ("notes",))
    with ServerDatabase(plain_url, NOTES, before=before).snapshot() as db:
        assert db.execute("SELECT * FROM notes").fetchall() == []
    assert not (tmp_path / "notes.sqlite").exists()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="ROMA_DATABASE_URL"):
        ServerDatabase("postgresql+psycopg:roma", NOTES).read_mark()


def test_a_part_of_a_schema_has_the_steps_of_its_tables_alone() -> None:
    whole = Schema("notes", "The list of notes", (FIRST, lambda op: None, "ALTER TABLE tallies ADD COLUMN at TEXT;"))
    part = whole.select_tables("tallies", "The tallies", ("tallies",))
    assert part.version == 3
    assert [" ".join(str(step).split())[:40] for step in part.steps] == [
        "CREATE TABLE IF NOT EXISTS tallies (user",
        "",
        "ALTER TABLE tallies ADD COLUMN at TEXT;",
    ]
