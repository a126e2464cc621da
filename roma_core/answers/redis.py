"""Kept answers in a Redis that replicas share."""

from __future__ import annotations

import math
from typing import Final

from roma_core.answers.cache import AnswerCacheStats, KeptAnswer
from roma_core.cache.redis import RedisEntries
from roma_core.types import SavedWork

PREFIX: Final = "roma:answers"
_SAVED: Final = ("hits", "calls", "tokens", "usd")
"""Counters of an entry."""


class RedisAnswers:
    """``AnswerShelf`` in Redis. It is bounded there, by ``maxmemory``; what is too old goes by itself."""

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        """Raises ``ConfigError`` for what is no address."""
        self._entries = RedisEntries(url, prefix)
        self._client = self._entries.server.client

    def load(self, key: str) -> KeptAnswer | None:
        """Return the answer under ``key``, see ``AnswerShelf``."""
        with self._entries.server.translate_errors():
            value, made = self._client.hmget(self._entries.name(key), "value", "made")
        return None if value is None or made is None else KeptAnswer(value.decode(), float(made))

    def note_use(self, key: str, saved: SavedWork, at: float) -> None:
        """Count a use, see ``AnswerShelf``."""
        name = self._entries.name(key)
        with self._entries.server.translate_errors():
            left_s = self._client.ttl(name)
            if left_s <= 0:
                return  # it has gone meanwhile
            with self._client.pipeline(transaction=False) as pipe:
                for counter, value in zip(_SAVED, (1, saved.calls, saved.tokens, saved.cost_usd or 0.0), strict=True):
                    pipe.hincrbyfloat(name, counter, value)
                pipe.expire(name, left_s)  # counters of one that goes now do not stay for good
                pipe.execute()

    def store(self, key: str, tenant: str, kept: KeptAnswer, *, ttl_s: float) -> None:
        """Store an answer, see ``AnswerShelf``."""
        fields = {"value": kept.value, "made": kept.made_at, "tenant": tenant, **dict.fromkeys(_SAVED, 0)}
        with self._entries.server.translate_errors():
            self._entries.write({self._entries.name(key): fields}, max(1, math.ceil(ttl_s)))

    def discard(self, key: str) -> None:
        """Drop the answer under ``key``, see ``AnswerShelf``."""
        with self._entries.server.translate_errors():
            self._entries.drop([self._entries.name(key)])
            self._entries.rewrite_log()

    def clear(self, tenant: str | None) -> int:
        """Drop the answers of ``tenant``, or all, see ``AnswerShelf``."""
        with self._entries.server.translate_errors():
            if tenant is None:
                return self._entries.clear()
            return self._entries.drop_where("tenant", lambda owner: owner.decode() == tenant)

    def stats(self) -> AnswerCacheStats:
        """Return the size and what was saved, see ``AnswerShelf``."""
        entries = size = 0
        sums = dict.fromkeys(_SAVED, 0.0)
        with self._entries.server.translate_errors():
            for names in self._entries.find():
                for value, *counters in self._entries.read_all(names, "value", *_SAVED):
                    entries += 1
                    size += len(value or b"")
                    for counter, count in zip(_SAVED, counters, strict=True):
                        sums[counter] += float(count or 0)
        return AnswerCacheStats(entries, size, int(sums["hits"]), int(sums["calls"]), int(sums["tokens"]), sums["usd"])

    def close(self) -> None:
        """Close the connections."""
        self._entries.server.close()
