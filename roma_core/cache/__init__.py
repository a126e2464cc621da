"""Cache of costly results (parses, embeddings, model answers), by the hash of all their inputs.

It lies in a file of the workspace, or in a Redis that replicas share; values are bytes or JSON. A cache never breaks
the work it serves: an unreadable entry is a miss, and a failed write is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from roma_core.cache.file import MOST_BYTES, FileShelf
from roma_core.cache.shelf import CacheShelf, CacheStats
from roma_core.errors import StoreError
from roma_core.settings import CacheMode, Settings, StorageSettings
from roma_core.telemetry import logs, metrics
from roma_core.workspace import Workspace

__all__ = ["Cache", "CacheShelf", "CacheStats", "FileShelf", "open_cache"]

_DEFAULTS = StorageSettings()
log = logs.get("cache")


class Cache:
    """Values by kind and key. The key is ``types.digest`` of *every* input, code version included.

    ``mode``: ``off`` neither reads nor writes, ``read`` only reads, ``write`` does both, ``refresh`` writes and never
    reads. In a file, above ``max_bytes``, the least recently used entries are dropped (use is recorded once a day).

    >>> from roma_core.types import digest
    >>> cache = Cache(Path(".roma/cache.db"), mode="write")
    >>> cache.put("parse", digest("v1", "file"), b"parsed")
    >>> cache.get("parse", digest("v1", "file"))
    b'parsed'
    """

    def __init__(
        self, place: Path | CacheShelf, mode: CacheMode = _DEFAULTS.cache, max_bytes: int = MOST_BYTES
    ) -> None:
        self._shelf = FileShelf(place, max_bytes) if isinstance(place, Path) else place
        self._mode = mode

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
            value = self._shelf.load(kind, key, notes_use=self.writes)
        except StoreError as error:
            self._give_up("read", error)
            value = None
        metrics.count_cache(kind, hit=value is not None)
        return value

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Store a value; it replaces an older one with this kind and key."""
        self.put_many(kind, {key: value})

    def put_many(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store values by key at once, which costs much less than one after the other."""
        if not self.writes or not values:
            return
        try:
            self._shelf.store(kind, values)
        except StoreError as error:
            self._give_up("write", error)

    def clear(self, kind: str | None = None) -> int:
        """Drop the entries of ``kind``, or all, in every mode; return how many. Raises ``StoreError``."""
        return self._shelf.clear(kind)

    def remove_before(self, moment: datetime, *, counts_only: bool = False) -> int:
        """Drop the entries that were made before ``moment``, in every mode; return how many. Raises ``StoreError``.

        ``counts_only`` drops none.
        """
        return self._shelf.remove_before(moment, counts_only=counts_only)

    def delete(self, kind: str, keys: Sequence[str]) -> int:
        """Drop these entries, in every mode; return how many there were. Raises ``StoreError``."""
        return self._shelf.delete(kind, keys)

    def stats(self) -> list[CacheStats]:
        """Return the size of each kind. Raises ``StoreError``."""
        return self._shelf.stats()

    def close(self) -> None:
        """Close the place; the next use opens it again."""
        self._shelf.close()

    def _give_up(self, action: str, error: StoreError) -> None:
        log.warning("cache_failed", action=action, path=self._shelf.place, code=error.code.value, reason=error.message)
        self._shelf.recover(error)


def open_cache(settings: Settings) -> Cache:
    """Return the cache that the settings name: a file of the workspace, or a Redis that replicas share.

    Raises ``ConfigError`` for an address that is none.
    """
    storage = settings.storage
    if storage.cache_url is None:
        return Cache(Workspace.of(settings).cache, storage.cache)
    from roma_core.cache.redis import RedisShelf

    return Cache(RedisShelf(storage.cache_url), storage.cache)
