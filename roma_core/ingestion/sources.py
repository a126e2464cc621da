"""The table of sources, and the lease that lets one run at a time read a source.

A lease has a heartbeat: one that has not beaten for ``STALE_S``, or whose process is gone, is taken over. Every run of
a source is a generation; a run whose generation is not the latest any more lost its lease, and deletes nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from roma_core.database import Database
from roma_core.errors import AgentFailure, InputError, NotFoundError, guarded_call
from roma_core.processes import identify_process
from roma_core.telemetry import logs
from roma_core.types import SourceOptions, SourceRecord, digest

BEAT_S: Final = 5.0
STALE_S: Final = 60.0
CLOCK_SKEW_S: Final = 60.0
"""Clocks of two machines may differ so much."""
_log = logs.get("sources")


def source_id(tenant: str, uri: str) -> str:
    """Return the id of a source that is made today."""
    return digest("source", tenant, uri)[:16]


class SourceTable:
    """Sources of all tenants. Blocking calls, to be made from a thread. Raises ``StoreError``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heart = LeaseHeart(database)

    def find_or_make(self, tenant: str, uri: str, kind: str) -> SourceRecord:
        """Return the source at ``uri``; one that is not known yet is made, undeclared."""
        with self._database.transaction() as db:
            row = db.execute("SELECT * FROM sources WHERE tenant = ? AND uri = ?", (tenant, uri)).fetchone()
            if row is None:
                values = (source_id(tenant, uri), tenant, uri, kind, _now())
                db.execute("INSERT INTO sources (id, tenant, uri, kind, created_at) VALUES (?, ?, ?, ?, ?)", values)
                row = db.execute("SELECT * FROM sources WHERE tenant = ? AND uri = ?", (tenant, uri)).fetchone()
            elif row["kind"] != kind:
                db.execute("UPDATE sources SET kind = ? WHERE id = ?", (kind, row["id"]))
        return record_of(row).model_copy(update={"kind": kind})

    def declare(
        self, tenant: str, uri: str, kind: str, *, name: str, options: SourceOptions, declared_in: str = "cli"
    ) -> SourceRecord:
        """Add a source by name, or give one that is there its name and settings.

        Raises ``InputError`` for a name that another source has.
        """
        made = self.find_or_make(tenant, uri, kind)
        with self._database.transaction() as db:
            taken = db.execute(
                "SELECT uri FROM sources WHERE tenant = ? AND name = ? AND name <> '' AND id <> ?",
                (tenant, name, made.id),
            ).fetchone()
            if taken is not None:
                raise InputError(f"The name {name!r} belongs to another source; choose one that is free.")
            db.execute(
                "UPDATE sources SET name = ?, options = ?, declared_in = ? WHERE id = ?",
                (name, options.model_dump_json(), declared_in, made.id),
            )
        return self.require(tenant, made.id)

    def set_options(self, record: SourceRecord, options: SourceOptions) -> SourceRecord:
        """Give a source other settings; its name and who declared it stay."""
        with self._database.transaction() as db:
            db.execute("UPDATE sources SET options = ? WHERE id = ?", (options.model_dump_json(), record.id))
        return record.model_copy(update={"options": options})

    def all(self, tenant: str) -> list[SourceRecord]:
        """Return every source with its numbers of items, by name and address."""
        with self._database.snapshot() as db:
            rows = db.execute("SELECT * FROM sources WHERE tenant = ? ORDER BY name = '', name, uri", (tenant,))
            counts = {
                row["source_id"]: (row["n"], row["missing"])
                for row in db.execute(
                    "SELECT source_id, COUNT(*) AS n, COUNT(missing_since) AS missing FROM claims WHERE tenant = ?"
                    " GROUP BY source_id",
                    (tenant,),
                )
            }
            return [_with_counts(record_of(row), counts) for row in rows.fetchall()]

    def find(self, tenant: str, label: str) -> SourceRecord | None:
        """Return the source with this name, id or address."""
        return next((r for r in self.all(tenant) if label and label in {r.name, r.id, r.uri}), None)

    def require(self, tenant: str, label: str) -> SourceRecord:
        """Return the source with this name, id or address. Raises ``NotFoundError``."""
        record = self.find(tenant, label)
        if record is None:
            raise NotFoundError(f"There is no source {label!r}; `roma source list` shows those that there are.")
        return record

    def due(self, now: datetime) -> list[tuple[str, SourceRecord]]:
        """Return the scheduled sources of all tenants whose next run is due, with their tenants."""
        with self._database.snapshot() as db:
            rows = db.execute("SELECT * FROM sources WHERE options LIKE '%schedule_s%' ORDER BY id").fetchall()
        due: list[tuple[str, SourceRecord]] = []
        for row in rows:
            record = record_of(row)
            schedule_s, last = record.options.schedule_s, record.last_started_at
            if schedule_s is None:
                continue
            elapsed_s = None if last is None else (now - last).total_seconds()
            # A start that lies ahead was written by a clock that has been set back since.
            if elapsed_s is None or elapsed_s >= schedule_s or elapsed_s < -CLOCK_SKEW_S:
                due.append((row["tenant"], record))
        return due

    def remove(self, record_id: str) -> None:
        """Forget a source and its claims; what no other source lists is for the caller to delete."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM sources WHERE id = ?", (record_id,))
            db.execute("DELETE FROM claims WHERE source_id = ?", (record_id,))
            db.execute("DELETE FROM leases WHERE source_id = ?", (record_id,))

    def state(self, record_id: str) -> dict[str, Any]:
        """Return what the connector saved at the end of the last complete listing."""
        with self._database.snapshot() as db:
            row = db.execute("SELECT state FROM sources WHERE id = ?", (record_id,)).fetchone()
        return {} if row is None else dict(json.loads(row["state"]))

    def begin(self, record_id: str) -> int:
        """Begin a run of a source; return its generation."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE sources SET generation = generation + 1, last_started_at = ? WHERE id = ?",
                (_now(), record_id),
            )
            row = db.execute("SELECT generation FROM sources WHERE id = ?", (record_id,)).fetchone()
        return 0 if row is None else int(row["generation"])

    def end(
        self,
        record_id: str,
        generation: int,
        *,
        counts: Mapping[str, int],
        is_complete: bool,
        failure: str,
        state: Mapping[str, Any] | None,
    ) -> None:
        """Write down how a run of a source went; a run that lost its lease writes nothing."""
        now = _now()
        changes: dict[str, Any] = {
            "last_ended_at": now,
            "last_counts": json.dumps(dict(counts)),
            "last_failure": failure,
        }
        if is_complete:
            changes["last_complete_at"] = now
        if state is not None:
            changes["state"] = json.dumps(dict(state))
        assignments = ", ".join(f"{column} = :{column}" for column in changes)
        with self._database.transaction() as db:
            db.execute(
                f"UPDATE sources SET {assignments} WHERE id = :id AND generation = :generation",  # noqa: S608
                {**changes, "id": record_id, "generation": generation},
            )

    # Leases

    def take_lease(self, record_id: str, run_id: str, *, stale_s: float = STALE_S) -> SourceLease | LeaseHolder:
        """Return a lease on the source, or who holds it."""
        now = time.time()
        with self._database.transaction() as db:
            row = db.execute("SELECT * FROM leases WHERE source_id = ?", (record_id,)).fetchone()
            if row is not None:
                holder = LeaseHolder.of(row)
                if holder.is_alive(now, stale_s):
                    return holder
                _log.warning("lease_taken_over", source=record_id, run=holder.run_id)
            mine = uuid.uuid4().hex
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (record_id, mine, run_id, socket.gethostname(), os.getpid(), identify_process(os.getpid()), now, now),
            )
        return SourceLease(self._heart, record_id, mine)


@dataclass(frozen=True)
class LeaseHolder:
    """The run that reads a source now."""

    run_id: str
    host: str
    pid: int
    process: str
    started_at: float
    beat_at: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> LeaseHolder:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    def is_alive(self, now: float, stale_s: float) -> bool:
        """Return False for a process that is gone, or that has not beaten for ``stale_s`` seconds."""
        if abs(now - self.beat_at) > stale_s:
            return False
        return self.host != socket.gethostname() or identify_process(self.pid) == self.process

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.started_at, UTC).strftime("%H:%M:%S")
        return f"run {self.run_id} (process {self.pid} on {self.host}, since {since} UTC)"


class SourceLease:
    """A lease that is held. One thread a table beats for all of them, so that a busy event loop loses none."""

    def __init__(self, heart: LeaseHeart, record_id: str, holder: str) -> None:
        self._heart = heart
        self.record_id = record_id
        self.holder = holder
        self.is_lost = False
        """Whether another run has taken the source over."""
        heart.add(self)

    def release(self) -> None:
        """Let the next run begin. Raises ``StoreError``."""
        self._heart.remove(self)


class LeaseHeart:
    """Beats for the leases that are held, from a thread that ends with the last of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: list[SourceLease] = []
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, lease: SourceLease) -> None:
        """Begin to beat for a lease."""
        with self._lock:
            self._held.append(lease)
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(target=self._beat, name="roma-leases", daemon=True)
                self._thread.start()

    def remove(self, lease: SourceLease) -> None:
        """Give a lease back. Raises ``StoreError``."""
        with self._lock:
            if lease in self._held:
                self._held.remove(lease)
            if not self._held:
                self._wake.set()
                self._thread = None
        with self._database.transaction() as db:
            db.execute("DELETE FROM leases WHERE source_id = ? AND holder = ?", (lease.record_id, lease.holder))

    def _beat(self) -> None:
        mine = threading.current_thread()
        while not self._wake.wait(BEAT_S):
            with self._lock:
                if self._thread is not mine:
                    return
                held = list(self._held)
            for lease in held:
                beaten = guarded_call("sources", lambda lease=lease: self._beat_once(lease))  # type: ignore[misc]
                if isinstance(beaten, AgentFailure):
                    _log.warning("lease_not_beaten", source=lease.record_id, code=beaten.code.value)
                elif not beaten:
                    lease.is_lost = True

    def _beat_once(self, lease: SourceLease) -> bool:
        with self._database.transaction() as db:
            cursor = db.execute(
                "UPDATE leases SET beat_at = ? WHERE source_id = ? AND holder = ?",
                (time.time(), lease.record_id, lease.holder),
            )
        return cursor.rowcount == 1


def record_of(row: sqlite3.Row) -> SourceRecord:
    """Return a row as a record. Settings that no ROMA of today knows are left out."""
    try:
        options = SourceOptions.model_validate_json(row["options"])
    except ValidationError:
        options = SourceOptions()
    return SourceRecord(
        id=row["id"],
        uri=row["uri"],
        kind=row["kind"],
        name=row["name"],
        declared_in=row["declared_in"],
        options=options,
        created_at=row["created_at"],
        generation=row["generation"],
        last_started_at=row["last_started_at"],
        last_ended_at=row["last_ended_at"],
        last_complete_at=row["last_complete_at"],
        last_counts=json.loads(row["last_counts"]),
        last_failure=row["last_failure"],
    )


def _with_counts(record: SourceRecord, counts: Mapping[str, tuple[int, int]]) -> SourceRecord:
    items, missing = counts.get(record.id, (0, 0))
    return record.model_copy(update={"items": items, "missing": missing})


def _now() -> str:
    return datetime.now(UTC).isoformat()
