"""Cache of costly results (parses, embeddings, model answers), by the hash of all their inputs.

One SQLite file in WAL mode in the workspace, safe with several processes and threads; values are bytes or JSON. A
cache never breaks the work it serves: an unreadable entry is a miss, and a failed write is dropped.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from roma_core.database import Database, Schema, is_sound, set_aside
from roma_core.errors import ErrorCode, StoreError
from roma_core.settings import CacheMode, StorageSettings
from roma_core.telemetry import logs, metrics

_DEFAULTS = StorageSettings()

log = logs.get("cache")

DAY_S = 86_400.0
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


@dataclass(frozen=True)
class CacheStats:
    """Size of the entries of one kind."""

    kind: str
    entries: int
    bytes: int


class Cache:
    """Values by kind and key. The key is ``types.digest`` of *every* input, code version included.

    ``mode``: ``off`` neither reads nor writes, ``read`` only reads, ``write`` does both, ``refresh`` writes and never
    reads. Above ``max_bytes`` the least recently used entries are dropped (use is recorded once a day).

    >>> cache = Cache(Path(".roma/cache.db"))
    >>> cache.put("parse", digest("v1", "file"), b"parsed")
    """

    def __init__(self, path: Path, mode: CacheMode = _DEFAULTS.cache, max_bytes: int = 4 << 30) -> None:
        self._path = path
        self._mode = mode
        self._max_bytes = max_bytes
        self._database = Database(path, CACHE, busy_s=10.0)
        self._puts = 0

    @property
    def reads(self) -> bool:
        """Return whether the mode reads."""
        return self._mode in {"read", "write"}

    @property
    def writes(self) -> bool:
        """Return whether the mode writes."""
        return self._mode in {"write", "refresh"}

    def get(self, kind: str, key: str) -> bytes | None:
        """Return the stored value, or None."""
        if not self.reads:
            return None
        try:
            with self._database.connection() as db:
                value = self._select(db, kind, key)
        except StoreError as error:
            self._give_up("read", error)
            value = None
        metrics.count_cache(kind, hit=value is not None)
        return value

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Store a value; it replaces an older one with this kind and key."""
        self.put_many(kind, {key: value})

    def put_many(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store values by key in one transaction, which writes much less than one for each."""
        if not self.writes or not values:
            return
        now = time.time()
        rows = [(kind, key, value, len(value), now, now) for key, value in values.items()]
        try:
            with self._database.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
                puts_before, self._puts = self._puts, self._puts + len(rows)
                is_large = sum(map(len, values.values())) * 64 > self._max_bytes
                if is_large or puts_before // 64 != self._puts // 64:
                    self._shrink(db)
        except StoreError as error:
            self._give_up("write", error)

    def clear(self, kind: str | None = None) -> int:
        """Drop the entries of ``kind``, or all, in every mode; return how many. Raises ``StoreError``."""
        with self._database.connection() as db:
            dropped = db.execute("DELETE FROM entries WHERE ? IS NULL OR kind = ?", (kind, kind)).rowcount
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return dropped

    def remove_before(self, moment: datetime, *, counts_only: bool = False) -> int:
        """Drop the entries that were made before ``moment``, in every mode; return how many. Raises ``StoreError``.

        ``counts_only`` drops none.
        """
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
        """Drop these entries, in every mode; return how many there were. Raises ``StoreError``."""
        with self._database.connection() as db:
            db.execute("PRAGMA secure_delete = ON")
        with self._database.transaction() as db:
            dropped = 0
            for key in keys:
                dropped += db.execute("DELETE FROM entries WHERE kind = ? AND key = ?", (kind, key)).rowcount
            return dropped

    def stats(self) -> list[CacheStats]:
        """Return the size of each kind. Raises ``StoreError``."""
        with self._database.connection() as db:
            rows = db.execute("SELECT kind, COUNT(*), SUM(size) FROM entries GROUP BY kind ORDER BY kind")
            return [CacheStats(*row) for row in rows]

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._database.close()

    def _select(self, db: sqlite3.Connection, kind: str, key: str) -> bytes | None:
        row = db.execute("SELECT value, used_at FROM entries WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        if row is None:
            return None
        now = time.time()
        if self.writes and row[1] < now - DAY_S:
            with suppress(sqlite3.OperationalError):  # on a full disk what is there can be read all the same
                db.execute("UPDATE entries SET used_at = ? WHERE kind = ? AND key = ?", (now, kind, key))
        return bytes(row[0])

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

    def _give_up(self, action: str, error: StoreError) -> None:
        log.warning("cache_failed", action=action, path=self._path.name, code=error.code.value, reason=error.message)
        self._database.close()
        if error.code is ErrorCode.STORAGE_CORRUPT:
            self._set_aside()

    def _set_aside(self) -> None:
        """Keep a damaged file for inspection and make room for a new one."""
        if self._path.is_file() and not is_sound(self._path):
            self._database.forget()
            set_aside(self._path)
