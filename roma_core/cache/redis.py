"""Caches in a Redis that replicas share. Entries end after a time without use; Redis itself drops what has no room.

Bound it by ``maxmemory`` and ``maxmemory-policy volatile-lru``: entries have a time to live and may go, jobs of the
queue in the same Redis have none and stay.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from roma_core.cache.shelf import CacheStats
from roma_core.errors import StoreError
from roma_core.redisserver import RedisServer
from roma_core.telemetry import logs

SETTING: Final = "ROMA_CACHE_URL"
PREFIX: Final = "roma:cache"
KEPT_S: Final = 30 * 86_400
"""Seconds after its last use for which an entry is kept."""
AT_ONCE: Final = 500
_log = logs.get("cache")


class RedisEntries:
    """Hashes in Redis below one prefix. Every method but ``close`` raises ``StoreError``."""

    def __init__(self, url: str, prefix: str) -> None:
        """Raises ``ConfigError`` for what is no address."""
        self.server = RedisServer(url, setting=SETTING, use="The cache", decode_responses=False)
        self.prefix = prefix
        self._is_bound_known = False

    def name(self, *parts: str) -> str:
        """Return the name of an entry."""
        return ":".join((self.prefix, *parts))

    def find(self, *parts: str) -> Iterator[list[bytes]]:
        """Yield the names of the entries whose names begin with ``parts``, some at a time."""
        beginning = re.sub(r"([*?\[\]\\\\])", r"\\\1", self.name(*parts))
        found: list[bytes] = []
        for name in self.server.client.scan_iter(match=f"{beginning}:*", count=AT_ONCE):
            found.append(name)
            if len(found) == AT_ONCE:
                yield found
                found = []
        if found:
            yield found

    def read_all(self, names: Sequence[bytes], *fields: str) -> list[list[bytes | None]]:
        """Return fields of entries, in the order of ``names``."""
        with self.server.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hmget(name, *fields)
            return list(pipe.execute())

    def write(self, entries: Mapping[str, Mapping[str, Any]], kept_s: int) -> None:
        """Write entries by name, with their time to live."""
        with self.server.client.pipeline(transaction=False) as pipe:
            for name, fields in entries.items():
                pipe.hset(name, mapping=dict(fields))
                pipe.expire(name, kept_s)
            pipe.execute()
        self._warn_without_bound()

    def drop(self, names: Sequence[bytes | str]) -> int:
        """Remove entries; return how many there were."""
        return int(self.server.client.delete(*names)) if names else 0

    def clear(self, *parts: str) -> int:
        """Remove the entries whose names begin with ``parts``; return how many there were."""
        dropped = sum(map(self.drop, self.find(*parts)))
        self.rewrite_log()
        return dropped

    def drop_where(self, field: str, is_meant: Callable[[bytes], bool], *, counts_only: bool = False) -> int:
        """Remove, or only count, the entries whose ``field`` is meant; return how many there were."""
        count = 0
        for names in self.find():
            values = [value for (value,) in self.read_all(names, field)]
            meant = [name for name, value in zip(names, values, strict=True) if value is not None and is_meant(value)]
            count += len(meant) if counts_only else self.drop(meant)
        if count and not counts_only:
            self.rewrite_log()
        return count

    def rewrite_log(self) -> None:
        """Let the words of removed entries leave the log that Redis may keep on its disk."""
        from redis import ResponseError

        with suppress(ResponseError):  # Redis is rewriting it now, or refuses the command
            self.server.client.bgrewriteaof()

    def _warn_without_bound(self) -> None:
        """Say once when nothing bounds the cache, or when what is full refuses writes."""
        if self._is_bound_known:
            return
        self._is_bound_known = True
        memory = self.server.client.info("memory")
        policy = str(memory.get("maxmemory_policy", ""))
        if not memory.get("maxmemory") or not policy.endswith(("lru", "lfu", "ttl", "random")):
            _log.warning("cache_without_bound", wanted="maxmemory and maxmemory-policy volatile-lru", policy=policy)


class RedisShelf:
    """``CacheShelf`` in Redis. It is bounded there, by ``maxmemory``."""

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        """Raises ``ConfigError`` for what is no address."""
        self._entries = RedisEntries(url, prefix)
        self._client = self._entries.server.client

    @property
    def place(self) -> str:
        """Return ``redis``."""
        return "redis"

    def load(self, kind: str, key: str, *, notes_use: bool) -> bytes | None:
        """Return an entry, and keep it for ``KEPT_S`` from now, see ``CacheShelf``."""
        name = self._entries.name(kind, key)
        with self._entries.server.translate_errors():
            value: bytes | None = self._client.hget(name, "value")
            if value is not None and notes_use:
                self._client.expire(name, KEPT_S)
        return value

    def store(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store entries, see ``CacheShelf``."""
        now = time.time()
        entries = {self._entries.name(kind, key): {"value": value, "made": now} for key, value in values.items()}
        with self._entries.server.translate_errors():
            self._entries.write(entries, KEPT_S)

    def clear(self, kind: str | None) -> int:
        """Drop a kind, or all, see ``CacheShelf``."""
        parts = () if kind is None else (kind,)
        with self._entries.server.translate_errors():
            return self._entries.clear(*parts)

    def remove_before(self, moment: datetime, *, counts_only: bool) -> int:
        """Drop or count old entries, see ``CacheShelf``."""
        limit = moment.timestamp()
        with self._entries.server.translate_errors():
            return self._entries.drop_where("made", lambda made: float(made) < limit, counts_only=counts_only)

    def delete(self, kind: str, keys: Sequence[str]) -> int:
        """Drop entries, see ``CacheShelf``."""
        with self._entries.server.translate_errors():
            return self._entries.drop([self._entries.name(kind, key) for key in keys])

    def stats(self) -> list[CacheStats]:
        """Return the size of each kind, see ``CacheShelf``."""
        entries: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        with self._entries.server.translate_errors():
            for names in self._entries.find():
                with self._client.pipeline(transaction=False) as pipe:
                    for name in names:
                        pipe.hstrlen(name, "value")
                    lengths = pipe.execute()
                for name, length in zip(names, lengths, strict=True):
                    kind = name.decode().removeprefix(f"{self._entries.prefix}:").partition(":")[0]
                    entries[kind] += 1
                    sizes[kind] += int(length)
        return [CacheStats(kind, entries[kind], sizes[kind]) for kind in sorted(entries)]

    def recover(self, error: StoreError) -> None:
        """Do nothing: the next use connects anew."""

    def close(self) -> None:
        """Close the connections."""
        self._entries.server.close()
