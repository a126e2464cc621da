"""SQLite files as ROMA keeps them: private, shared by processes and threads, opened and failing in one way."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from roma_core.errors import ErrorCode
from roma_core.workspace import GoneError, identity, private_file

BUSY_S = 30.0
"""How long a connection waits for another's lock before it gives up."""
NO_ROOM = 128 << 10
"""Bytes. With less than this on the disk an I/O error is for want of room: what SQLite makes first takes 32 KiB."""

Synchronous = Literal["NORMAL", "FULL"]
_WORDS = (
    (ErrorCode.STORAGE_LOCKED, ("locked", "busy", "deadlock")),
    (ErrorCode.STORAGE_FULL, ("disk is full", "no space", "disk full")),
    (ErrorCode.STORAGE_CORRUPT, ("malformed", "not a database", "corrupt")),
)


def connect(
    path: Path, schema: str = "", *, busy_s: float = BUSY_S, synchronous: Synchronous = "NORMAL", make: bool = True
) -> sqlite3.Connection:
    """A connection in WAL mode and autocommit, usable by any thread, with the tables of ``schema`` made.

    ``make`` says whether the file, with its folder, may be made; if not, only one that is there is opened.
    ``synchronous="FULL"`` outlives a power cut, ``"NORMAL"`` a killed process. Raises ``OSError`` and
    ``sqlite3.Error``; then nothing stays open.

    On a full disk there is no room for the index that connections share; then the file is opened for this one alone
    (``alone``), which can be read as long as nobody else has it open, and others wait until it is closed.
    """
    if make:
        private_file(path)
    try:
        return _connected(path, schema, busy_s, synchronous, "NORMAL")
    except sqlite3.OperationalError as error:
        if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR_SHM"):
            raise
        return _connected_alone(path, schema, busy_s, synchronous)


def _connected_alone(path: Path, schema: str, busy_s: float, synchronous: Synchronous) -> sqlite3.Connection:
    """Takes turns with others that do the same. Each lets go before it tries again: a connection that means to be alone
    keeps its shared lock while it waits, so two of them would wait for each other.
    """
    deadline = time.monotonic() + busy_s
    while True:
        try:
            return _connected(path, schema, 0.0, synchronous, "EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error_code(error) is not ErrorCode.STORAGE_LOCKED or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.001, 0.02))  # noqa: S311  (so that they do not meet again)


def _connected(
    path: Path, schema: str, busy_s: float, synchronous: Synchronous, locking: Literal["NORMAL", "EXCLUSIVE"]
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        existing(path), uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA locking_mode = {locking}")
        use_wal(connection, busy_s)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def existing(path: Path) -> str:
    """The URI by which SQLite opens ``path`` and never makes it."""
    return f"{path.absolute().as_uri()}?mode=rw"


def alone(connection: sqlite3.Connection) -> bool:
    """Whether ``connection`` shuts everybody else out, and so must not be kept."""
    return bool(connection.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive")


class Database:
    """One file, kept open as long as it is the one at its path. Its users take turns: they have locks of their own.

    A file that was moved away is written no more; one that takes its place is opened. One that was open and is gone is
    not made anew (``GoneError``): it would be empty, and hide what comes back. A forked process opens its own.
    """

    def __init__(self, path: Path, schema: str, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        self._schema = schema
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._alone = False
        self._pid = 0

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The open connection. Raises ``OSError`` and ``sqlite3.Error``."""
        held = self._current()
        try:
            yield held
        finally:
            if self._alone:
                self.close()

    def close(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def forget(self) -> None:
        """The file was put aside on purpose: the next use makes a new one."""
        self.close()
        self._opened = None

    def _current(self) -> sqlite3.Connection:
        found = identity(self.path)  # its number is not given to another file as long as this one is open
        if found is None and self._opened is not None:
            self.close()
            raise GoneError(self.path)
        if self._connection is None or self._pid != os.getpid() or found != self._opened:
            self.close()
            self._connection = connect(self.path, self._schema, busy_s=self._busy_s)
            self._opened, self._pid = identity(self.path), os.getpid()
            self._alone = alone(self._connection)
        return self._connection


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


def error_code(error: BaseException, path: Path | None = None) -> ErrorCode:
    """What the driver's words mean: locked, full, corrupt, else unavailable.

    SQLite has words for a disk that fills up while it writes, but only "disk I/O error" for one that is full already:
    then the room on the disk of ``path`` decides.
    """
    cause = str(error).casefold()
    code = next((code for code, words in _WORDS if any(w in cause for w in words)), ErrorCode.STORAGE_UNAVAILABLE)
    stuck = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))
    return ErrorCode.STORAGE_FULL if path is not None and stuck and _without_room(path) else code


def _without_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < NO_ROOM
    except OSError:
        return False
