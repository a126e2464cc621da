"""Answers kept by the hash of all that decided them, so that a killed run goes on and a repeated one asks nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from roma_core.database import Database, Schema

EVAL_ANSWERS = Schema(
    "eval_answers",
    "The file of evaluated answers",
    ("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",),
)


class Checkpoint(Protocol):
    """Small texts by key. A value that ``put`` has returned for survives ``kill -9`` of the process."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...


class SqliteCheckpoint:
    """One table in WAL mode; several processes may use the file at once."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, EVAL_ANSWERS, stays_open=False)

    async def get(self, key: str) -> str | None:
        return await asyncio.to_thread(self._get, key)

    async def put(self, key: str, value: str) -> None:
        await asyncio.to_thread(self._put, key, value)

    def forget(self, words: Sequence[str]) -> int:
        """Remove the texts that hold one of ``words``; return how many. Blocking."""
        with self._database.transaction() as db:
            db.execute("PRAGMA secure_delete = ON")
            removed = 0
            for word in words:
                removed += db.execute("DELETE FROM kept WHERE instr(value, ?) > 0", (word,)).rowcount
        return removed

    def _get(self, key: str) -> str | None:
        with self._database.snapshot() as db:
            row = db.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _put(self, key: str, value: str) -> None:
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))
