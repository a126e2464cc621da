"""The service's own SQLite file: tokens and jobs. WAL, so that ``roma token`` works while the server runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roma_core.errors import ErrorCode, StoreError

FILE = "service.db"
_BUSY_S = 5.0


@contextmanager
def connection(folder: Path, schema: str, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection for one transaction: committed at the end, rolled back on an error.

    Opening costs about 0.1 ms, holds no lock, and survives a folder that is taken away and put back. Raises
    ``StoreError`` when the file cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        fresh = not path.exists()
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _failed(error) from None
    try:
        if fresh:
            path.chmod(0o600)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")  # an accepted job must outlive a power cut
        db.executescript(schema)
        db.execute("BEGIN IMMEDIATE" if write else "BEGIN")  # readers wait for nobody
        yield db
        db.execute("COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise _failed(error) from None
    finally:
        db.close()  # what was not committed is rolled back


def _failed(error: Exception) -> StoreError:
    text = str(error)
    code = ErrorCode.STORAGE_LOCKED if "locked" in text else ErrorCode.STORAGE_UNAVAILABLE
    if "full" in text:
        code = ErrorCode.STORAGE_FULL
    return StoreError(f"The service's database cannot be used ({type(error).__name__}); check the workspace.", code)
