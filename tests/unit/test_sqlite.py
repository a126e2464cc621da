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

import pytest

from roma_core.errors import ErrorCode
from roma_core.sqlite import Database, alone, connect, error_code, transaction, use_wal
from roma_core.workspace import GoneError
from tests.fakes.disk import NO_BYTES, fill, small_disk

SCHEMA = "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY)"


def put(path: Path, key: str) -> None:
    with closing(connect(path, SCHEMA)) as db, transaction(db):
        db.execute("INSERT INTO kept VALUES (?)", (key,))


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
        "from roma_core.sqlite import connect, transaction\n"
        "for i in range(20):\n"
        f"    with closing(connect(Path(sys.argv[1]), {SCHEMA!r})) as db, transaction(db):\n"
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
        assert db.execute("SELECT key FROM kept").fetchall() == [("kept",)]


def test_a_full_disk_that_sqlite_rolled_back_itself(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "x.db", "CREATE TABLE IF NOT EXISTS big (x BLOB)")) as db:
        db.execute("PRAGMA max_page_count = 8")
        with pytest.raises(sqlite3.OperationalError) as failed, transaction(db):
            db.execute("INSERT INTO big VALUES (zeroblob(1000000))")
        assert error_code(failed.value) is ErrorCode.STORAGE_FULL
        assert not db.in_transaction


def test_a_file_of_another_kind_is_called_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError) as failed:
        connect(path)
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
        connect(tmp_path / "x.db", make=False)
    assert list(tmp_path.iterdir()) == []
    connect(tmp_path / "a ?#%41.db", SCHEMA).close()
    connect(tmp_path / "a ?#%41.db", make=False).close()


def add(database: Database, key: str) -> None:
    with database.connection() as db:
        db.execute("INSERT INTO kept VALUES (?)", (key,))


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
        with pytest.raises(GoneError):
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
    with pytest.raises(GoneError):
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
            assert alone(db)
            assert db.execute("SELECT key FROM kept").fetchall() == [("kept",)]
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
        "from roma_core.sqlite import connect, error_code\n"
        "path = Path(sys.argv[1])\n"
        "plain = sqlite3.connect(path)\n"
        "try:\n    plain.execute('SELECT key FROM kept')\n"
        "except sqlite3.OperationalError as error:\n    print(error_code(error, path))\n"
        "plain.close()\n"
        "print(connect(path).execute('SELECT key FROM kept').fetchall())\n"
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
