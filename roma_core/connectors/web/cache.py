"""Pages as last fetched, so that a server need only say "not modified". SQLite in the workspace; bounded.

The cache is also where a listed page waits for its fetch, so memory does not grow with the site.
"""

from __future__ import annotations

import asyncio
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from roma_core.database import Database, Schema

MAX_BYTES: Final = 512 * 1024 * 1024

WEB_PAGES: Final = Schema(
    "web_pages",
    "The cache of web pages",
    (
        """
        CREATE TABLE IF NOT EXISTS page (
            url TEXT PRIMARY KEY, media_type TEXT NOT NULL, etag TEXT NOT NULL, last_modified TEXT NOT NULL,
            rendered INTEGER NOT NULL, body BLOB NOT NULL)
        """,
    ),
    rebuildable=True,
)


@dataclass(frozen=True)
class CachedPage:
    """A page under the address that it came from after redirects. ``body`` is as sent, or as drawn if ``rendered``."""

    url: str
    media_type: str
    etag: str
    last_modified: str
    rendered: bool
    body: bytes


class WebCache:
    """Pages as they were answered last, with what is needed to ask if they changed."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, WEB_PAGES, stays_open=False)

    async def get(self, url: str) -> CachedPage | None:
        return await asyncio.to_thread(self._get, url)

    async def put(self, page: CachedPage) -> None:
        await asyncio.to_thread(self._put, page)

    async def prune(self, max_bytes: int = MAX_BYTES) -> None:
        """Forget the pages that were stored longest ago, until the rest fits."""
        await asyncio.to_thread(self._prune, max_bytes)

    def _get(self, url: str) -> CachedPage | None:
        with self._database.snapshot() as db:
            row = db.execute("SELECT * FROM page WHERE url = ?", (url,)).fetchone()
        if row is None:
            return None
        url, media_type, etag, last_modified, rendered, body = row
        return CachedPage(url, media_type, etag, last_modified, bool(rendered), body)

    def _put(self, page: CachedPage) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM page WHERE url = ?", (page.url,))  # so that rowids keep the order of storing
            db.execute("INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)", astuple(page))

    def _prune(self, max_bytes: int) -> None:
        if not self._database.path.exists():
            return
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM page WHERE rowid IN (SELECT rowid FROM (SELECT rowid, sum(length(body)) OVER "
                "(ORDER BY rowid DESC) AS total FROM page) WHERE total > ?)",
                (max_bytes,),
            )
