"""One way to open SQLite: many at once, each with its tables, and a failure that leaves nothing open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode
from roma_core.sqlite import connect, error_code, transaction, use_wal

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
