"""The cache of whole answers: a question that was answered before costs no model call, as long as nothing has changed.

What names an answer is everything that decides it: the question with all its fields, the state of the corpus, and the
settings, models, prompts and stages. A change of any of them is another name, so no stale answer can be found; nothing
is invalidated, and nothing can be forgotten to be.
"""

from __future__ import annotations

import asyncio
import json
import time
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pydantic import ValidationError

from roma_core.answers.record import AnswerIdentity
from roma_core.database import Database, Schema
from roma_core.errors import AgentFailure, guarded
from roma_core.telemetry import logs, metrics
from roma_core.types import Query, SavedWork, TailorOutput, Usage, digest

Flight: TypeAlias = "asyncio.Future[TailorOutput | None]"
"""The answer that equal questions wait for: None when it cannot be shared, cancelled when its reader went away."""

VERSION = "1"
"""Of the name of an answer and of what is stored under it."""
METRIC = "answer"
FOLLOWER_WAIT_S = 30.0
"""Longest time that a question waits for the same one to be answered; then it is answered on its own."""
KEPT_SHARE = 0.9
"""Of the allowed bytes that are left when the least recently used answers were dropped."""
_NO_HISTORY = frozenset({"text", "history", "session_id", "show_thinking", "principal"})
_log = logs.get("answers")

ANSWER_CACHE = Schema(
    "answer_cache",
    "The cache of answers",
    (
        """
        CREATE TABLE cached_answers (
            key TEXT PRIMARY KEY, tenant TEXT NOT NULL, value TEXT NOT NULL, size_bytes INTEGER NOT NULL,
            made_at REAL NOT NULL, used_at REAL NOT NULL, hits INTEGER NOT NULL DEFAULT 0,
            saved_calls INTEGER NOT NULL DEFAULT 0, saved_tokens INTEGER NOT NULL DEFAULT 0,
            saved_usd REAL NOT NULL DEFAULT 0);
        CREATE INDEX cached_answers_by_use ON cached_answers (used_at);
        CREATE INDEX cached_answers_of_tenant ON cached_answers (tenant);
        """,
    ),
    rebuildable=True,
)


@dataclass(frozen=True)
class AnswerCacheStats:
    """Size of the cache of answers, and what its entries have saved so far."""

    entries: int = 0
    bytes: int = 0
    hits: int = 0
    saved_calls: int = 0
    saved_tokens: int = 0
    saved_usd: float = 0.0


@dataclass(frozen=True)
class KeptAnswer:
    """An answer as it is kept: ``value`` is JSON, ``made_at`` in seconds since 1970."""

    value: str
    made_at: float


class AnswerShelf(Protocol):
    """A place that keeps answers. Every method but ``close`` raises ``StoreError`` and blocks."""

    def load(self, key: str) -> KeptAnswer | None:
        """Return the answer under ``key``."""
        ...

    def note_use(self, key: str, saved: SavedWork, at: float) -> None:
        """Count a use of the answer ``at`` a time, and what it has saved."""
        ...

    def store(self, key: str, tenant: str, kept: KeptAnswer, *, ttl_s: float) -> None:
        """Store an answer; those that are older than ``ttl_s`` go, and where room is short those of little use."""
        ...

    def discard(self, key: str) -> None:
        """Drop the answer under ``key``."""
        ...

    def clear(self, tenant: str | None) -> int:
        """Drop the answers of ``tenant``, or all; return how many there were."""
        ...

    def stats(self) -> AnswerCacheStats:
        """Return the size and what was saved."""
        ...

    def close(self) -> None:
        """Close it; the next use opens it again."""
        ...


class AnswerFile:
    """``AnswerShelf`` in one SQLite file. Above ``most_mb`` the least recently used answers are dropped."""

    def __init__(self, path: Path, most_mb: float = 256) -> None:
        self._database = Database(path, ANSWER_CACHE, busy_s=5.0, pragmas=("secure_delete = ON",))
        self._most_bytes = int(most_mb * (1 << 20))

    def load(self, key: str) -> KeptAnswer | None:
        """Return the answer under ``key``, see ``AnswerShelf``."""
        with self._database.connection() as db:
            row = db.execute("SELECT value, made_at FROM cached_answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else KeptAnswer(row["value"], row["made_at"])

    def note_use(self, key: str, saved: SavedWork, at: float) -> None:
        """Count a use, see ``AnswerShelf``."""
        with self._database.connection() as db:
            db.execute(
                "UPDATE cached_answers SET used_at = ?, hits = hits + 1, saved_calls = saved_calls + ?, "
                "saved_tokens = saved_tokens + ?, saved_usd = saved_usd + ? WHERE key = ?",
                (at, saved.calls, saved.tokens, saved.cost_usd or 0.0, key),
            )

    def store(self, key: str, tenant: str, kept: KeptAnswer, *, ttl_s: float) -> None:
        """Store an answer, see ``AnswerShelf``."""
        size = len(kept.value.encode())
        with self._database.transaction() as db:
            db.execute("DELETE FROM cached_answers WHERE made_at < ?", (kept.made_at - ttl_s,))
            db.execute(
                "INSERT OR REPLACE INTO cached_answers (key, tenant, value, size_bytes, made_at, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, tenant, kept.value, size, kept.made_at, kept.made_at),
            )
            (taken,) = db.execute("SELECT SUM(size_bytes) FROM cached_answers").fetchone()
            excess = taken - int(self._most_bytes * KEPT_SHARE) if taken > self._most_bytes else 0
            rows = db.execute("SELECT key, size_bytes FROM cached_answers ORDER BY used_at, key") if excess > 0 else ()
            for row in list(rows):
                if excess <= 0:
                    break
                db.execute("DELETE FROM cached_answers WHERE key = ?", (row["key"],))
                excess -= row["size_bytes"]

    def discard(self, key: str) -> None:
        """Drop the answer under ``key``, see ``AnswerShelf``."""
        with self._database.connection() as db:
            db.execute("DELETE FROM cached_answers WHERE key = ?", (key,))

    def clear(self, tenant: str | None) -> int:
        """Drop the answers of ``tenant``, or all, see ``AnswerShelf``."""
        if not self._database.path.exists():
            return 0
        with self._database.transaction() as db:
            dropped = db.execute("DELETE FROM cached_answers WHERE ? IS NULL OR tenant = ?", (tenant, tenant)).rowcount
        with self._database.connection() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the words are in the log as well
        return dropped

    def stats(self) -> AnswerCacheStats:
        """Return the size and what was saved, see ``AnswerShelf``."""
        with self._database.snapshot() as db:
            row = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(size_bytes), 0), COALESCE(SUM(hits), 0), "
                "COALESCE(SUM(saved_calls), 0), COALESCE(SUM(saved_tokens), 0), COALESCE(SUM(saved_usd), 0) "
                "FROM cached_answers"
            ).fetchone()
        return AnswerCacheStats(*row)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class AnswerCache:
    """Answers by everything that decides them. An entry older than ``ttl_s`` is not used.

    It never breaks an answer: what cannot be read is a miss, and a failed write is logged.

    >>> cache = AnswerCache(AnswerFile(Path(".roma/answer-cache.sqlite"), most_mb=256), ttl_s=3600)
    """

    def __init__(self, shelf: AnswerShelf, *, ttl_s: float, now: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._ttl_s = ttl_s
        self._now = now
        self._flights: dict[str, Flight] = {}
        """By name of the answer: the question that is being answered now, on its own event loop."""

    def open(self, query: Query, inputs: AnswerInputs) -> AnswerReuse:
        """Return the use of the cache by one question."""
        return AnswerReuse(self, query, inputs)

    # Blocking: called in a thread

    def get(self, key: str) -> TailorOutput | None:
        """Return the answer under ``key`` with what it saves, or None. Raises ``StoreError``."""
        kept = self._shelf.load(key)
        if kept is None or self._now() - kept.made_at > self._ttl_s:
            return None
        output = _load_output(kept.value)
        if output is None:
            return None
        saved = _saved_work(output.usage, kept.made_at)
        self._shelf.note_use(key, saved, self._now())
        return _as_reused(output, saved)

    def put(self, key: str, tenant: str, output: TailorOutput) -> None:
        """Store an answer. Raises ``StoreError``."""
        self._shelf.store(key, tenant, KeptAnswer(_dump_output(output), self._now()), ttl_s=self._ttl_s)

    def discard(self, key: str) -> None:
        """Drop the answer under ``key``. Raises ``StoreError``."""
        self._shelf.discard(key)

    def clear(self, tenant: str | None = None) -> int:
        """Drop the answers of ``tenant``, or all; return how many there were. Raises ``StoreError``."""
        return self._shelf.clear(tenant)

    def stats(self) -> AnswerCacheStats:
        """Return the size of the cache and what it has saved. Raises ``StoreError``."""
        return self._shelf.stats()

    def close(self) -> None:
        """Close the shelf; the next use opens it again."""
        self._shelf.close()

    # One question at a time

    def join(self, key: str) -> Flight | None:
        """Return the answer that is being written under ``key``; None makes the caller the one who writes it."""
        flight = self._flights.get(key)
        if flight is not None and not flight.done() and flight.get_loop() is asyncio.get_running_loop():
            return flight
        self._flights[key] = asyncio.get_running_loop().create_future()
        return None

    def land(self, key: str, output: TailorOutput | None) -> None:
        """Hand the answer to those who wait for it; None lets each of them answer on its own."""
        flight = self._take_flight(key)
        if flight is not None:
            flight.set_result(output)

    def abandon(self, key: str) -> None:
        """Let one of those who wait write the answer in place of the one who went away."""
        flight = self._take_flight(key)
        if flight is not None:
            flight.cancel()

    def _take_flight(self, key: str) -> Flight | None:
        flight = self._flights.get(key)
        if flight is None or flight.get_loop() is not asyncio.get_running_loop():
            return None
        del self._flights[key]
        return None if flight.done() else flight


@dataclass(frozen=True)
class AnswerInputs:
    """What decides an answer beside its question; each is looked up when the question is asked."""

    identify: Callable[[], AnswerIdentity]
    """Settings, models, prompts and stages. Blocking."""
    find_state: Callable[[], Awaitable[str]]
    """Name of what the caller may read now: the state of the corpus and the grants. Another one after each change."""
    has_history: Callable[[], Awaitable[bool]]
    """True when the question is not the first one of its conversation."""


@dataclass
class AnswerReuse:
    """The use of the cache by one question: find an answer, or keep the one that is written.

    Of equal questions that are asked at once, the first is answered and the others wait for it.
    """

    cache: AnswerCache
    query: Query
    inputs: AnswerInputs
    key: str = field(default="", init=False)
    """Name of the answer; empty where the cache is not used: the question depends on what was said before."""
    _state: str = field(default="", init=False)
    _is_writing: bool = field(default=False, init=False)

    async def find(self) -> TailorOutput | None:
        """Return the answer from the cache, or None when it has to be written. It never raises for the cache's sake."""
        outcome = await guarded("answers", self._find())
        if isinstance(outcome, AgentFailure):
            _log.warning("answer_cache_failed", action="read", code=outcome.code.value, reason=outcome.message)
            return None
        return outcome

    async def keep(self, output: TailorOutput) -> None:
        """Store a fresh answer, unless it is degraded, or corpus or grants have changed while it was written."""
        if not self._is_writing:
            return
        if output.degraded:
            self.give_up()
            return
        kept = await guarded("answers", self._keep(output))
        if isinstance(kept, AgentFailure):
            _log.warning("answer_cache_failed", action="write", code=kept.code.value, reason=kept.message)

    def give_up(self) -> None:
        """Let those who wait for this answer write their own: there is none that could be shared."""
        self._land(None)

    def leave(self) -> None:
        """Let the next of those who wait write the answer, when the reader of this one has gone."""
        if self._is_writing:
            self._is_writing = False
            self.cache.abandon(self.key)

    async def _find(self) -> TailorOutput | None:
        if self.query.history or await self.inputs.has_history():
            return None
        self._state = await self.inputs.find_state()
        identity = await asyncio.to_thread(self.inputs.identify)
        self.key = make_key(self.query, identity, self._state)
        output = await asyncio.to_thread(self.cache.get, self.key)
        if output is None:
            output = await self._wait_for_equal()
        metrics.count_cache(METRIC, hit=output is not None)
        if output is not None:
            metrics.count_usage(output.model, output.usage)
        return output

    async def _wait_for_equal(self) -> TailorOutput | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FOLLOWER_WAIT_S
        while (flight := self.cache.join(self.key)) is not None:
            await asyncio.wait({flight}, timeout=max(deadline - loop.time(), 0))
            if not flight.done():
                return None
            if flight.cancelled():
                continue
            output = flight.result()
            return None if output is None else _as_reused(output, _saved_work(output.usage, time.time()))
        self._is_writing = True
        return None

    async def _keep(self, output: TailorOutput) -> None:
        if await self.inputs.find_state() != self._state:
            self.give_up()  # parts of it may come from before the change, others from after
            return
        self._land(output)
        await asyncio.to_thread(self.cache.put, self.key, self.query.tenant, output)
        if await self.inputs.find_state() != self._state:
            # A document may have been forgotten meanwhile, and its words must not stay.
            await asyncio.to_thread(self.cache.discard, self.key)

    def _land(self, output: TailorOutput | None) -> None:
        if self._is_writing:
            self._is_writing = False
            self.cache.land(self.key, output)


def make_key(query: Query, identity: AnswerIdentity, state: str) -> str:
    """Return the name of the answer to a question: a hash of everything that decides it.

    Every field of the question counts, also one that is added later, but for those of its conversation. ``state`` names
    what the caller may read, so it stands for the caller: callers who may read the same share answers.
    """
    fields = query.model_dump(mode="json", exclude=set(_NO_HISTORY))
    decided_by = {
        "question": normalise_question(query.text),
        "query": fields,
        "identity": identity.model_dump(mode="json"),
        "tenant": query.tenant,
        "state": state,
    }
    return digest("answer", VERSION, json.dumps(decided_by, sort_keys=True, ensure_ascii=False))


def normalise_question(text: str) -> str:
    r"""Return a question as it is compared: composed letters, and blanks between words written once.

    Case and punctuation stay, for they can be what a question is about ("US", "polish"). So do the blanks of a question
    of several lines or with marked code.

    >>> normalise_question("  Who built\tthe bridge? ")
    'Who built the bridge?'
    """
    plain = unicodedata.normalize("NFC", text).strip()
    if "\n" in plain or "`" in plain or '"' in plain:
        return plain
    return " ".join(plain.split())


def _saved_work(usage: Usage, made_at: float) -> SavedWork:
    """Return what an answer that cost ``usage`` saves when it is used again."""
    return SavedWork(
        made_at=datetime.fromtimestamp(made_at, UTC),
        calls=usage.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
    )


def _as_reused(output: TailorOutput, saved: SavedWork) -> TailorOutput:
    """Return an answer that says that it comes from the cache; it has cost nothing."""
    usage = Usage(cache_hits=1, saved_usd=saved.cost_usd)
    return output.model_copy(update={"usage": usage, "saved": saved})


def _dump_output(output: TailorOutput) -> str:
    fields: dict[str, Any] = {"output": output.model_dump(mode="json"), "considered": output.considered}
    return json.dumps(fields, ensure_ascii=False)


def _load_output(value: str) -> TailorOutput | None:
    """Return the stored answer; None for one that another version has written."""
    try:
        stored = json.loads(value)
        output = TailorOutput.model_validate(stored["output"])
        return output.model_copy(update={"considered": tuple(stored["considered"])})
    except (ValidationError, ValueError, KeyError, TypeError):
        return None
