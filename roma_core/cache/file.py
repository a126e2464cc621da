"""Entries of the cache in one SQLite file of the workspace, safe with several processes and threads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from roma_core.cache.shelf import CacheStats
from roma_core.database import Database, Schema, is_sound, set_aside
from roma_core.errors import ErrorCode, StoreError

DAY_S: Final = 86_400.0
MOST_BYTES: Final = 4 << 30
CACHE = Schema(
    "cache",
    "The cache",
    (
        """
        CREATE TABLE IF NOT EXISTS entries (
            kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, size INTEGER NOT NULL,
            created_at REAL NOT NULL, used_at REAL NOT NULL, PRIMARY KEY (kind, key));
        CREATE INDEX IF NOT EXISTS by_use ON entries (used_at, size);
        """,
    ),
    rebuildable=True,
    page_bytes=1024,
)


class FileShelf:
    """``CacheShelf`` in one SQLite file."""

    def __init__(self, path: Path, max_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._database = Database(path, CACHE, busy_s=10.0)
        self._puts = 0

    @property
    def place(self) -> str:
        """Return the name of the file."""
        return self._path.name

    def load(self, kind: str, key: str, *, notes_use: bool) -> bytes | None:
        """Return an entry, see ``CacheShelf``."""
        with self._database.connection() as db:
            row = db.execute("SELECT value, used_at FROM entries WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            if row is None:
                return None
            now = time.time()
            if notes_use and row[1] < now - DAY_S:
                with suppress(sqlite3.OperationalError):  # on a full disk what is there can be read all the same
                    db.execute("UPDATE entries SET used_at = ? WHERE kind = ? AND key = ?", (now, kind, key))
            return bytes(row[0])

    def store(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store entries in one transaction, see ``CacheShelf``."""
        now = time.time()
        rows = [(kind, key, value, len(value), now, now) for key, value in values.items()]
        with self._database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
            puts_before, self._puts = self._puts, self._puts + len(rows)
            is_large = sum(map(len, values.values())) * 64 > self._max_bytes
            if is_large or puts_before // 64 != self._puts // 64:
                self._shrink(db)

    def clear(self, kind: str | None) -> int:
        """Drop a kind, or all, see ``CacheShelf``."""
        with self._database.connection() as db:
            dropped = db.execute("DELETE FROM entries WHERE ? IS NULL OR kind = ?", (kind, kind)).rowcount
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return dropped

    def remove_before(self, moment: datetime, *, counts_only: bool) -> int:
        """Drop or count old entries, see ``CacheShelf``."""
        limit = moment.timestamp()
        with self._database.snapshot() as db:
            (count,) = db.execute("SELECT COUNT(*) FROM entries WHERE created_at < ?", (limit,)).fetchone()
        if count and not counts_only:
            with self._database.connection() as db:
                db.execute("PRAGMA secure_delete = ON")
                db.execute("DELETE FROM entries WHERE created_at < ?", (limit,))
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(count)

    def delete(self, kind: str, keys: Sequence[str]) -> int:
        """Drop entries, see ``CacheShelf``."""
        with self._database.connection() as db:
            db.execute("PRAGMA secure_delete = ON")
        with self._database.transaction() as db:
            dropped = 0
            for key in keys:
                dropped += db.execute("DELETE FROM entries WHERE kind = ? AND key = ?", (kind, key)).rowcount
            return dropped

    def stats(self) -> list[CacheStats]:
        """Return the size of each kind, see ``CacheShelf``."""
        with self._database.connection() as db:
            rows = db.execute("SELECT kind, COUNT(*), SUM(size) FROM entries GROUP BY kind ORDER BY kind")
            return [CacheStats(*row) for row in rows]

    def recover(self, error: StoreError) -> None:
        """Close the file; keep a damaged one for inspection and make room for a new one."""
        self._database.close()
        if error.code is ErrorCode.STORAGE_CORRUPT and self._path.is_file() and not is_sound(self._path):
            self._database.forget()
            set_aside(self._path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _shrink(self, db: sqlite3.Connection) -> None:
        """Drop the least recently used entries until nine tenths of the allowed bytes are taken."""
        (taken,) = db.execute("SELECT COALESCE(SUM(size), 0) FROM entries").fetchone()
        if taken <= self._max_bytes:
            return
        excess = taken - int(self._max_bytes * 0.9)
        for rowid, size in db.execute("SELECT rowid, size FROM entries ORDER BY used_at, rowid").fetchall():
            if excess <= 0:
                break
            db.execute("DELETE FROM entries WHERE rowid = ?", (rowid,))
            excess -= size
