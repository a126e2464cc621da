"""The service's own SQLite file: tokens and jobs. WAL, so that ``roma token`` works while the server runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from roma_core.errors import StoreError
from roma_core.sqlite import connect, error_code, transaction

FILE = "service.db"
_BUSY_S = 5.0


@contextmanager
def connection(folder: Path, schema: str, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection for one transaction: committed at the end, rolled back on an error.

    Opening costs about 0.1 ms, holds no lock, and survives a folder that is taken away and put back. Raises
    ``StoreError`` when the file cannot be used.
    """
    try:
        _make_private(folder / FILE)
        # an accepted job must outlive a power cut
        with closing(connect(folder / FILE, schema, busy_s=_BUSY_S, synchronous="FULL")) as db:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA secure_delete = ON")  # what a job's address held is gone from the file too
            with transaction(db, write=write):
                yield db
    except (OSError, sqlite3.Error) as error:
        raise _failed(error) from None


def _make_private(path: Path) -> None:
    """The file holds hashes of tokens, so it is never readable by others, not even while it is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def _failed(error: Exception) -> StoreError:
    message = f"The service's database cannot be used ({type(error).__name__}); check the workspace."
    return StoreError(message, error_code(error))
