"""One way to open SQLite: many at once, each with its tables, and a failure that leaves nothing open."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import roma_core
from roma_core.database import (
    Database,
    Schema,
    connect,
    error_code,
    is_alone,
    is_sound,
    storage_error,
    transaction,
    use_wal,
)
from roma_core.errors import DISK_FULL, ErrorCode, StoreError
from tests.fakes.disk import NO_BYTES, fill, make_read_only, small_disk

SCHEMA = Schema("kept", "The test's file", ("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY)",))


def put(path: Path, key: str) -> None:
    with closing(connect(path, SCHEMA)) as db, transaction(db):
        db.execute("INSERT INTO kept (key) VALUES (?)", (key,))


def kept(path: Path) -> int:
    with closing(connect(path, SCHEMA)) as db:
        return int(db.execute("SELECT count(*) FROM kept").fetchone()[0])


def test_many_threads_may_make_a_file_at_once(tmp_path: Path) -> None:
    """The switch to WAL refuses the second of two that try, whatever the busy timeout: seen in 1 of 20 new files."""
    with ThreadPoolExecutor(12) as threads:
        for round_ in range(20):
            path = tmp_path / str(round_) / "new.db"
            list(threads.map(lambda key, path=path: put(path, str(key)), range(12)))
            assert kept(path) == 12


def test_many_processes_may_make_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    code = (
        "import sys; from pathlib import Path; from contextlib import closing\n"
        "from roma_core.database import Schema, connect, transaction\n"
        "schema = Schema('kept', 'The file', ('CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY)',))\n"
        "for i in range(20):\n"
        "    with closing(connect(Path(sys.argv[1]), schema)) as db, transaction(db):\n"
        "        db.execute('INSERT INTO kept VALUES (?)', (f'{sys.argv[2]}-{i}',))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert kept(path) == 80


def test_waiting_for_the_switch_ends(tmp_path: Path) -> None:
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError) as failed:
                use_wal(other, busy_s=0.05)
            assert error_code(failed.value) is ErrorCode.STORAGE_LOCKED
            holder.execute("COMMIT")
            use_wal(other, busy_s=5)
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_fails_is_rolled_back_and_the_connection_goes_on(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "x.db", SCHEMA)) as db:
        with pytest.raises(ZeroDivisionError), transaction(db):
            db.execute("INSERT INTO kept VALUES ('lost')")
            _ = 1 / 0
        with transaction(db):
            db.execute("INSERT INTO kept VALUES ('kept')")
        assert [*map(tuple, db.execute("SELECT key FROM kept"))] == [("kept",)]


def test_a_full_disk_that_sqlite_rolled_back_itself(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "x.db", Schema("big", "The file", ("CREATE TABLE big (x BLOB)",)))) as db:
        db.execute("PRAGMA max_page_count = 8")
        with pytest.raises(sqlite3.OperationalError) as failed, transaction(db):
            db.execute("INSERT INTO big VALUES (zeroblob(1000000))")
        assert error_code(failed.value) is ErrorCode.STORAGE_FULL
        assert not db.in_transaction


def test_a_file_of_another_kind_is_called_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError) as failed:
        connect(path, SCHEMA)
    assert error_code(failed.value) is ErrorCode.STORAGE_CORRUPT


def test_other_words_are_unavailable() -> None:
    assert error_code(sqlite3.OperationalError("unable to open database file")) is ErrorCode.STORAGE_UNAVAILABLE
    assert error_code(OSError(28, "No space left on device")) is ErrorCode.STORAGE_FULL


def test_a_file_and_what_sqlite_puts_beside_it_are_private(tmp_path: Path) -> None:
    path = tmp_path / "ws" / "x.db"
    with closing(connect(path, SCHEMA)) as db, transaction(db):
        db.execute("INSERT INTO kept VALUES ('a')")
        assert {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {
            "x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600,
        }  # fmt: skip


def test_only_what_is_there_is_opened_when_nothing_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connect(tmp_path / "x.db", SCHEMA, may_create=False)
    assert list(tmp_path.iterdir()) == []
    connect(tmp_path / "a ?#%41.db", SCHEMA).close()
    connect(tmp_path / "a ?#%41.db", SCHEMA, may_create=False).close()


def add(database: Database, key: str) -> None:
    with database.connection() as db:
        db.execute("INSERT INTO kept (key) VALUES (?)", (key,))


def keys(database: Database) -> list[str]:
    with database.connection() as db:
        return [key for (key,) in db.execute("SELECT key FROM kept ORDER BY key")]


def test_a_database_that_is_taken_away_and_put_back(tmp_path: Path) -> None:
    """Nothing is written to what was moved away, nothing is made in its place, and what comes back is used again."""
    folder, away = tmp_path / "ws", tmp_path / "away"
    database = Database(folder / "x.db", SCHEMA)
    add(database, "before")
    folder.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError, match="gone"):
            add(database, "lost")
    assert not folder.exists()
    away.rename(folder)
    add(database, "after")
    assert keys(database) == keys(Database(folder / "x.db", SCHEMA)) == ["after", "before"]


def test_a_database_that_is_deleted_is_not_begun_anew(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", SCHEMA)
    add(database, "before")
    database.close()
    (tmp_path / "x.db").unlink()
    with pytest.raises(StoreError, match="gone"):
        keys(database)
    database.forget()
    assert keys(database) == []


def test_a_database_in_whose_place_another_is_put(tmp_path: Path) -> None:
    """As when a backup is restored under a running server."""
    database = Database(tmp_path / "x.db", SCHEMA)
    add(database, "old")
    put(tmp_path / "backup.db", "restored")
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"x.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "backup.db").replace(tmp_path / "x.db")
    add(database, "new")
    assert keys(database) == keys(Database(tmp_path / "x.db", SCHEMA)) == ["new", "restored"]


def test_on_a_read_only_disk_a_database_is_not_damaged_and_says_what_is_wrong(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        path = disk / "x.db"
        put(path, "kept")
        make_read_only(disk)
        assert is_sound(path)
        database = Database(path, SCHEMA)
        read_only = pytest.raises(StoreError, match="its disk is read-only: mount it for writing")
        with read_only as caught, database.transaction() as db:
            db.execute("INSERT INTO kept VALUES ('more')")
        assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE


@pytest.mark.parametrize("clean", [True, False])
def test_a_full_disk_can_be_read_and_says_that_it_is_full(tmp_path: Path, clean: bool) -> None:
    """Without a byte left SQLite cannot make the index that connections share: "disk I/O error", whatever is asked."""
    with small_disk(tmp_path / "disk", 2) as disk:
        path = disk / "x.db"
        if clean:
            put(path, "kept")
        else:  # as a killed process leaves it: what was written is in the log alone
            with closing(connect(disk / "y.db", SCHEMA)) as db:
                db.execute("INSERT INTO kept VALUES ('kept')")
                for suffix in ("", "-wal"):
                    shutil.copy(disk / f"y.db{suffix}", disk / f"x.db{suffix}")
        ballast = fill(disk)
        with closing(connect(path, SCHEMA)) as db:
            assert is_alone(db)
            assert [*map(tuple, db.execute("SELECT key FROM kept"))] == [("kept",)]
            with pytest.raises(sqlite3.OperationalError) as failed, transaction(db):
                db.execute("INSERT INTO kept VALUES ('more')")
            assert error_code(failed.value, path) is ErrorCode.STORAGE_FULL
        database = Database(path, SCHEMA)
        assert keys(database) == keys(Database(path, SCHEMA)) == ["kept"], "nobody is shut out for long"
        ballast.unlink()
        add(database, "more")
        assert keys(database) == ["kept", "more"]


def test_a_process_without_a_byte_left_can_read(tmp_path: Path) -> None:
    """The same where nobody may mount a disk."""
    path = tmp_path / "x.db"
    put(path, "kept")
    code = (
        f"{NO_BYTES}\nimport sys, sqlite3; from pathlib import Path\n"
        "from roma_core.database import Schema, connect, error_code\n"
        "schema = Schema('kept', 'The file', ('CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY)',))\n"
        "path = Path(sys.argv[1])\n"
        "plain = sqlite3.connect(path)\n"
        "try:\n    plain.execute('SELECT key FROM kept')\n"
        "except sqlite3.OperationalError as error:\n    print(error_code(error, path))\n"
        "plain.close()\n"
        "print([*map(tuple, connect(path, schema).execute('SELECT key FROM kept'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["ERR_STORAGE_FULL", "[('kept',)]"], done.stderr


@pytest.mark.parametrize(("free", "code"), [(0, ErrorCode.STORAGE_FULL), (1 << 30, ErrorCode.STORAGE_UNAVAILABLE)])
def test_an_error_of_the_disk_is_for_want_of_room_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, code: ErrorCode
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 0, free))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert error_code(error, tmp_path / "x.db") is code
    assert error_code(error) is ErrorCode.STORAGE_UNAVAILABLE
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    assert error_code(busy, tmp_path / "x.db") is ErrorCode.STORAGE_LOCKED


# Versions


def add_language(op: Any) -> None:
    op.add_column("kept", sqlalchemy.Column("language", sqlalchemy.String, server_default="en"))


NEXT = Schema("kept", "The test's file", (*SCHEMA.steps, add_language))


def versions(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT version, roma FROM roma_schema ORDER BY version").fetchall()


def test_a_file_from_before_versions_is_brought_up_to_date_after_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE kept (key TEXT PRIMARY KEY)")
        db.execute("INSERT INTO kept VALUES ('old')")
    with Database(path, NEXT).connection() as db:
        assert [*map(tuple, db.execute("SELECT * FROM kept"))] == [("old", "en")]
    assert versions(path) == [(1, roma_core.__version__), (2, roma_core.__version__)]
    with closing(sqlite3.connect(tmp_path / "backups" / "x.db.v0")) as copy:
        assert copy.execute("SELECT * FROM kept").fetchall() == [("old",)]
    assert (tmp_path / "backups" / "x.db.v0").stat().st_mode & 0o777 == 0o600


def test_a_new_file_and_one_that_is_up_to_date_need_no_copy(tmp_path: Path) -> None:
    for _ in range(2):
        add(Database(tmp_path / "x.db", NEXT), str(_))
    assert not (tmp_path / "backups").exists()


def test_a_file_of_a_newer_roma_is_refused_by_name_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    add(Database(path, NEXT), "kept")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE roma_schema SET roma = '9.1.0' WHERE version = 2")
    with pytest.raises(StoreError, match=r"use ROMA 9\.1\.0 or newer") as caught:
        keys(Database(path, SCHEMA))
    assert (caught.value.code, caught.value.recoverable) == (ErrorCode.STORAGE_NEWER, False)
    assert caught.value.details == {"file": "x.db", "version": 2, "known_version": 1, "needs_roma": "9.1.0"}
    assert keys(Database(path, NEXT)) == ["kept"]


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def fail(op: Any) -> None:
        op.drop_table("kept")
        op.execute("SELECT * FROM kept")

    path = tmp_path / "x.db"
    put(path, "kept")
    with pytest.raises(sqlalchemy.exc.OperationalError):
        connect(path, Schema("kept", "The test's file", (*SCHEMA.steps, fail)))
    assert kept(path) == 1
    assert [number for number, _ in versions(path)] == [1]


MIGRATING = """
import os, signal, sys
from pathlib import Path
from roma_core.database import Database, Schema

def add_language(op):
    for number in range(2000):
        op.execute(f"INSERT INTO kept VALUES ('new-{number}')")
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    op.execute("ALTER TABLE kept ADD COLUMN language TEXT")

schema = Schema("kept", "The file", ("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY)", add_language))
with Database(Path(sys.argv[1]), schema).connection() as db:
    print(len(db.execute("SELECT language FROM kept").fetchall()))
"""


def test_a_process_that_is_killed_in_the_middle_of_a_step_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    put(path, "kept")
    for moment in ("0", "1500"):
        killed = subprocess.run([sys.executable, "-c", MIGRATING, str(path), moment], check=False)
        assert killed.returncode == -9
        assert kept(path) == 1, "the ROMA of before can still work with it"
    again = subprocess.run([sys.executable, "-c", MIGRATING, str(path), "-1"], capture_output=True, text=True)
    assert again.stdout.split() == ["2001"], again.stderr


def test_of_several_processes_one_takes_the_steps(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    put(path, "kept")
    command = [sys.executable, "-c", MIGRATING, str(path), "-1"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].split() for process in processes] == [["2001"]] * 3
    assert [number for number, _ in versions(path)] == [1, 2]


def test_what_may_not_be_copied_is_not_in_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    secret = Schema("kept", "The file", ("CREATE TABLE kept (key TEXT)", "CREATE TABLE secrets (word TEXT)"))
    with Database(path, secret).transaction() as db:
        db.execute("INSERT INTO secrets VALUES ('open sesame')")
        db.execute("INSERT INTO kept VALUES ('a')")
    more = Schema("kept", "The file", (*secret.steps, "CREATE TABLE more (x)"), not_copied=("secrets", "none"))
    keys(Database(path, more))
    copy = tmp_path / "backups" / "x.db.v2"
    assert b"open sesame" not in copy.read_bytes()
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT key FROM kept").fetchall() == [("a",)]


def test_statements_of_a_step_may_hold_semicolons(tmp_path: Path) -> None:
    step = "CREATE TABLE kept (key TEXT DEFAULT 'a;b'); INSERT INTO kept DEFAULT VALUES;\n"
    assert keys(Database(tmp_path / "x.db", Schema("kept", "The file", (step,)))) == ["a;b"]


def test_a_snapshot_of_nothing_makes_no_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "ws" / "x.db", SCHEMA, stays_open=False)
    with database.snapshot() as db:
        assert db.execute("SELECT * FROM kept").fetchall() == []
    assert not (tmp_path / "ws").exists()
    with database.transaction() as db:
        db.execute("INSERT INTO kept VALUES ('a')")
    with database.snapshot() as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone()[0] == 1


def test_a_full_disk_is_one_sentence_for_every_file(tmp_path: Path) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    assert storage_error(full, SCHEMA).message == DISK_FULL
    paid = Schema("paid", "The account", (), consequence="no paid call is made")
    assert (
        storage_error(full, paid).message == "The disk is full, so no paid call is made; free some room and try again."
    )


def test_a_process_that_has_the_file_open_stops_when_a_newer_roma_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roma_core.database.TRUST_VERSION_S", 0.0)
    path = tmp_path / "x.db"
    old = Database(path, SCHEMA)
    add(old, "before")
    add(Database(path, NEXT), "newer")
    with pytest.raises(StoreError) as caught:
        add(old, "lost")
    assert caught.value.code is ErrorCode.STORAGE_NEWER
    assert keys(Database(path, NEXT)) == ["before", "newer"]
