"""The service's own SQLite file: tokens and jobs. WAL, so that ``roma token`` works while the server runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from roma_core.errors import ErrorCode, StoreError
from roma_core.sqlite import connect, error_code, transaction
from roma_core.workspace import GoneError, keep, private_file, require

FILE = "service.db"
_BUSY_S = 5.0


@contextmanager
def connection(folder: Path, schema: str, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection for one transaction: committed at the end, rolled back on an error.

    Opening costs about 0.1 ms, holds no lock, and survives a folder that is taken away and put back. Readers make no
    file: where there is none they find nothing. Raises ``StoreError`` when the file cannot be used.
    """
    path = folder / FILE
    try:
        with closing(_opened(path, schema, write)) as db:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA secure_delete = ON")  # what a job's address held is gone from the file too
            with transaction(db, write=write):
                yield db
    except (OSError, sqlite3.Error) as error:
        raise _failed(error, path) from None


def keep_file(folder: Path) -> None:
    """Make the file, for a server that begins, and never again in this process. Raises ``StoreError``."""
    path = folder / FILE
    try:
        private_file(path)  # it holds hashes of tokens
    except OSError as error:
        raise _failed(error, path) from None
    keep(path)


def _opened(path: Path, schema: str, write: bool) -> sqlite3.Connection:
    if not write and not path.exists():
        require(path)
        return _nothing(schema)
    # an accepted job must outlive a power cut
    return connect(path, schema, busy_s=_BUSY_S, synchronous="FULL", make=write)


def _nothing(schema: str) -> sqlite3.Connection:
    """What a reader finds where nothing was ever written."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(schema)
    return db


def _failed(error: Exception, path: Path) -> StoreError:
    code = error_code(error, path)
    if isinstance(error, GoneError):
        return StoreError("The workspace, or its service.db, is gone; put it back.", code)
    if code is ErrorCode.STORAGE_FULL:
        return StoreError("The disk is full; free some room and try again.", code)
    return StoreError(f"The service's database cannot be used ({type(error).__name__}); check the workspace.", code)
