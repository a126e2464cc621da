"""SQLite files as ROMA keeps them: shared by processes and threads, opened and failing in one way."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from roma_core.errors import ErrorCode

BUSY_S = 30.0
"""How long a connection waits for another's lock before it gives up."""

_WORDS = (
    (ErrorCode.STORAGE_LOCKED, ("locked", "busy", "deadlock")),
    (ErrorCode.STORAGE_FULL, ("disk is full", "no space", "disk full")),
    (ErrorCode.STORAGE_CORRUPT, ("malformed", "not a database", "corrupt")),
)


def connect(
    path: Path, schema: str = "", *, busy_s: float = BUSY_S, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
) -> sqlite3.Connection:
    """A connection in WAL mode and autocommit, usable by any thread, with the tables of ``schema`` made.

    The folder is made. ``synchronous="FULL"`` outlives a power cut, ``"NORMAL"`` a killed process. Raises ``OSError``
    and ``sqlite3.Error``; then nothing stays open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        use_wal(connection, busy_s)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def use_wal(connection: sqlite3.Connection, busy_s: float = BUSY_S) -> None:
    """Switch the file to its write-ahead log, waiting for those who do the same.

    SQLite honours no busy timeout here: the switch raises a shared lock to an exclusive one, and of two connections
    that try, one is refused at once (https://sqlite.org/c3ref/busy_handler.html on deadlocks).
    """
    deadline = time.monotonic() + busy_s
    pause = 0.001
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error_code(error) is not ErrorCode.STORAGE_LOCKED or time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        else:
            return


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """Committed at the end, rolled back on an error. Readers wait for nobody."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


def error_code(error: BaseException) -> ErrorCode:
    """What the driver's words mean: locked, full, corrupt, else unavailable."""
    cause = str(error).casefold()
    return next((code for code, words in _WORDS if any(w in cause for w in words)), ErrorCode.STORAGE_UNAVAILABLE)
