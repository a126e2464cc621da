"""The audit log in PostgreSQL, for servers on several hosts: one chain for each tenant, in three tables.

An append takes the lock of its tenant, so that all replicas share one chain. Row-level security shows each transaction
the rows of its tenant alone. Rows that files of the workspace hold from before are taken over, with their hashes.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from roma_core.audit.log import (
    ERASED,
    FIRST_HASH,
    MOST_DOCUMENTS,
    Action,
    AuditEntry,
    AuditLog,
    ChainCheck,
    ChainWalk,
    CoveredColumns,
    DeclaredRows,
    QuestionPolicy,
    dump_json,
    group_ranges,
    is_naming,
    parse_row,
    require_action,
)
from roma_core.database import Schema, bring_server_up_to_date, storage_error
from roma_core.errors import ErrorCode, StoreError
from roma_core.rowsecurity import enter_tenant, isolate_tenants, lock_migrations, translate_address_errors
from roma_core.telemetry import logs
from roma_core.types import Principal

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import Connection, Engine

TABLES: Final = ("roma_audit_entries", "roma_audit_documents", "roma_audit_heads")
_CREATE: Final = """
CREATE TABLE roma_audit_entries (
    tenant TEXT NOT NULL, number BIGINT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
    documents TEXT NOT NULL, details TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (tenant, number));
CREATE TABLE roma_audit_documents (
    tenant TEXT NOT NULL, document_id TEXT NOT NULL, number BIGINT NOT NULL,
    PRIMARY KEY (tenant, document_id, number));
CREATE INDEX roma_audit_by_user ON roma_audit_entries (tenant, who, number);
CREATE TABLE roma_audit_heads (tenant TEXT PRIMARY KEY, number BIGINT NOT NULL, hash TEXT NOT NULL);
"""
_INSERT: Final = """
WITH added AS (
    SELECT * FROM unnest(CAST(:number AS bigint[]), CAST(:at AS text[]), CAST(:who AS text[]), CAST(:action AS text[]),
                         CAST(:documents AS text[]), CAST(:details AS text[]), CAST(:hash AS text[]))
             AS row(number, at, who, action, documents, details, hash)
), entries AS (
    INSERT INTO roma_audit_entries
    SELECT :tenant, number, at, who, action, documents, details, hash FROM added
), shown AS (
    INSERT INTO roma_audit_documents
    SELECT :tenant, document.id, number
    FROM added, json_array_elements_text(CAST(documents AS json)) AS document(id)
)
INSERT INTO roma_audit_heads VALUES (:tenant, :last, :last_hash)
ON CONFLICT (tenant) DO UPDATE SET number = excluded.number, hash = excluded.hash
"""
READ_AT_ONCE: Final = 5000


def _isolate(op: Operations) -> None:
    isolate_tenants(op, TABLES)


SERVER_AUDIT: Final = Schema(
    "audit",
    "The audit log",
    (_CREATE, _isolate),
    consequence="what must be logged is not done",
)


class ServerAuditLog(AuditLog):
    """The log of all servers over one PostgreSQL. Raises ``StoreError`` when a row cannot be written.

    >>> log = ServerAuditLog("postgresql+psycopg://roma@db/roma", Path(".roma"))  # doctest: +SKIP
    """

    def __init__(
        self,
        url: str,
        workspace: Path,
        *,
        questions: QuestionPolicy = "redacted",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(workspace, questions=questions, now=now)
        self._url = url
        self._files_of_before = AuditLog(workspace)
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._adopted: set[str] = set()
        self._writing: set[str] = set()
        """Tenants to whose chain a thread is writing."""
        self._waiting: dict[str, list[_WaitingRow]] = {}

    def _append(self, who: Principal, action: Action, documents: Iterable[str], details: Mapping[str, Any]) -> int:
        """Add a row. Rows that come while others are committed are added together, by the thread of the first one."""
        row = _WaitingRow(who, action, sorted(set(documents))[:MOST_DOCUMENTS], details)
        with self._lock:
            waiting = self._waiting.setdefault(who.tenant, [])
            waiting.append(row)
            is_first = who.tenant not in self._writing
            self._writing.add(who.tenant)
        if not is_first:
            row.woken.wait()
        if not row.is_done:
            self._append_waiting(who.tenant)
        if row.error is not None:
            raise StoreError(row.error.message, row.error.code, details=row.error.details)
        return row.number

    def _append_waiting(self, tenant: str) -> None:
        """Add all rows that wait, wake their threads, and let the thread of the first that came meanwhile go on."""
        with self._lock:
            rows = self._waiting.pop(tenant)
        error: StoreError | None = StoreError(
            "The row was not written, as the work that wrote it was ended.", ErrorCode.STORAGE_UNAVAILABLE
        )
        try:
            with self._transact(tenant) as db:
                self._add(db, tenant, rows)
            error = None
        except StoreError as raised:
            error = raised
        finally:
            with self._lock:
                next_rows = self._waiting.get(tenant, [])
                if not next_rows:
                    self._writing.discard(tenant)
            for row in rows:
                row.error, row.is_done = error, True
                row.woken.set()
            if next_rows:
                next_rows[0].woken.set()

    def _add(self, db: Connection, tenant: str, rows: Sequence[_WaitingRow]) -> None:
        """Add rows and note their numbers, under the lock of the tenant."""
        number, before = self._lock_head(db, tenant)
        added: list[tuple[Any, ...]] = []
        for row in rows:
            number += 1
            content = (
                self._now().isoformat(),
                row.who.subject,
                row.action,
                dump_json(row.shown),
                dump_json(row.details),
            )
            columns = CoveredColumns(tenant, number, *content)
            before = columns.hash_after(before)
            added.append((*columns, before))
            row.number = number
        _insert_rows(db, added)

    def query(
        self,
        tenant: str,
        *,
        who: str | None = None,
        document: str | None = None,
        action: Action | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 1000,
    ) -> list[AuditEntry]:
        require_action(action)
        values: dict[str, Any] = {"tenant": tenant, "limit": limit}
        source, conditions = "roma_audit_entries AS e", ["e.tenant = :tenant"]
        if document is not None:
            source = "roma_audit_documents AS d JOIN roma_audit_entries AS e USING (tenant, number)"
            conditions = ["d.tenant = :tenant", "d.document_id = :document"]
            values["document"] = document
        wanted = {
            "who = :who": who,
            "action = :action": action,
            "at >= :since": None if since is None else since.astimezone(UTC).isoformat(),
            "at < :until": None if until is None else until.astimezone(UTC).isoformat(),
            "number < :before": before,
        }
        for condition, value in wanted.items():
            if value is not None:
                conditions.append(f"e.{condition}")
                values[condition.rpartition(":")[2]] = value
        statement = f"SELECT e.* FROM {source} WHERE {' AND '.join(conditions)} ORDER BY e.number DESC LIMIT :limit"  # noqa: S608
        with self._transact(tenant) as db:
            return [parse_row(row) for row in _select(db, statement, values)]

    def verify(self, tenant: str) -> ChainCheck:
        with self._transact(tenant) as db:
            walk = ChainWalk(tenant, _read_declared(db, tenant))
            rows = "SELECT * FROM roma_audit_entries WHERE tenant = :tenant AND number > :from_row ORDER BY number"
            walk.follow(_stream(db, rows, {"tenant": tenant, "from_row": walk.declared.removed}))
            walk.note_other_index(_find_other_index(db, tenant))
            walk.compare_head(_read_head(db, tenant))
            return walk.check

    def erase_user(self, who: Principal, *, by: Principal, erasure: str) -> int:
        with self._transact(who.tenant) as db:
            self._lock_head(db, who.tenant)
            own: list[int] = []
            blanked: list[int] = []
            statement = "SELECT number, who, details FROM roma_audit_entries WHERE tenant = :tenant"
            for row in _stream(db, statement, {"tenant": who.tenant}):
                if row["who"] == ERASED:
                    blanked.append(row["number"])
                elif row["who"] == who.subject or is_naming(json.loads(row["details"]), who.subject):
                    own.append(row["number"])
            if not own:
                return 0
            declared = {"erasure": erasure, "rows": group_ranges(sorted({*own, *blanked}))}
            self._add(db, who.tenant, [_WaitingRow(by, "erase", [], declared)])
            blank = (
                "UPDATE roma_audit_entries SET who = :erased, details = '{}' "
                "WHERE tenant = :tenant AND number = ANY(:numbers)"
            )
            _execute(db, blank, {"erased": ERASED, "tenant": who.tenant, "numbers": own})
            return len(own)

    def remove_before(self, tenant: str, moment: datetime, *, by: Principal, counts_only: bool = False) -> int:
        with self._transact(tenant) as db:
            values = {"tenant": tenant, "moment": moment.astimezone(UTC).isoformat()}
            old = "SELECT number, hash FROM roma_audit_entries WHERE tenant = :tenant AND at < :moment ORDER BY number"
            rows = _select(db, old, values)
            if not rows or counts_only:
                return len(rows)
            last = rows[-1]
            declared = {"removed_through": last["number"], "hash": last["hash"], "rows": len(rows)}
            self._add(db, tenant, [_WaitingRow(by, "retention", [], declared)])
            for table in ("roma_audit_entries", "roma_audit_documents"):
                statement = f"DELETE FROM {table} WHERE tenant = :tenant AND number <= :last"  # noqa: S608
                _execute(db, statement, {"tenant": tenant, "last": last["number"]})
            return len(rows)

    def forget_tenant(self, tenant: str) -> int:
        with self._transact(tenant) as db:
            count = len(_select(db, "SELECT 1 FROM roma_audit_entries WHERE tenant = :tenant", {"tenant": tenant}))
            for table in TABLES:
                _execute(db, f"DELETE FROM {table} WHERE tenant = :tenant", {"tenant": tenant})  # noqa: S608
        return count

    def list_tenants(self) -> set[str]:
        with self._transact(None) as db:
            found = {row["tenant"] for row in _select(db, "SELECT tenant FROM roma_audit_heads", {})}
        return found | self._files_of_before.list_tenants()

    def has_hash(self, tenant: str, head: str) -> bool:
        statement = "SELECT 1 AS one FROM roma_audit_entries WHERE tenant = :tenant AND hash = :hash LIMIT 1"
        with self._transact(tenant) as db:
            return bool(_select(db, statement, {"tenant": tenant, "hash": head}))

    def scrub(self) -> None:
        """Leave the rest to the server: its log and its free pages are its own."""

    def close(self) -> None:
        super().close()
        self._files_of_before.close()
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    # Inside

    @contextmanager
    def _transact(self, tenant: str | None) -> Iterator[Connection]:
        """Yield a transaction that sees the rows of ``tenant`` alone; of all tenants for None."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            engine = self._open_engine()
            if tenant is not None and tenant not in self._adopted:
                self._adopt(engine, tenant)
            with engine.begin() as db:
                enter_tenant(db, tenant)
                yield db
        except (SQLAlchemyError, OSError) as error:
            raise storage_error(getattr(error, "orig", None) or error, SERVER_AUDIT) from None

    def _open_engine(self) -> Engine:
        from sqlalchemy import create_engine

        with self._opening:
            if self._engine is None:
                with translate_address_errors():
                    engine = create_engine(self._url, pool_pre_ping=True)
                with engine.begin() as db:
                    lock_migrations(db)
                    enter_tenant(db, None)
                    bring_server_up_to_date(db, SERVER_AUDIT)
                self._engine = engine
            return self._engine

    def _adopt(self, engine: Engine, tenant: str) -> None:
        """Take over the rows that files of the workspace hold of a tenant; then they are removed there."""
        head_of_files = self._files_of_before.find_head(tenant)
        if head_of_files is not None:
            with engine.begin() as db:
                enter_tenant(db, tenant)
                number, _ = self._lock_head(db, tenant)
                if number == 0:
                    rows = self._files_of_before.read_rows(tenant)
                    while some := list(itertools.islice(rows, READ_AT_ONCE)):
                        _insert_rows(db, some)
                statement = "SELECT 1 AS one FROM roma_audit_entries WHERE tenant = :tenant AND hash = :hash"
                is_there = bool(_select(db, statement, {"tenant": tenant, "hash": head_of_files[1]}))
            if is_there:
                self._files_of_before.forget_tenant(tenant)
                logs.get("audit").info("audit_rows_taken_over", rows=head_of_files[0])
            else:
                logs.get("audit").warning("audit_files_beside_the_database", rows=head_of_files[0])
        self._adopted.add(tenant)

    def _lock_head(self, db: Connection, tenant: str) -> tuple[int, str]:
        """Return number and hash of the last row, and keep others from adding one until the transaction ends."""
        head = _read_head(db, tenant, locks=True)
        if head is None:  # there is no row to lock yet
            _execute(db, "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", {"name": f"roma.audit.{tenant}"})
            head = _read_head(db, tenant, locks=True)
        return head or (0, FIRST_HASH)


@dataclass
class _WaitingRow:
    """A row that waits for its turn; ``number`` or ``error`` say what became of it."""

    who: Principal
    action: Action
    shown: Sequence[str]
    details: Mapping[str, Any]
    number: int = 0
    error: StoreError | None = None
    is_done: bool = False
    woken: threading.Event = field(default_factory=threading.Event)


def _read_head(db: Connection, tenant: str, *, locks: bool = False) -> tuple[int, str] | None:
    statement = f"SELECT number, hash FROM roma_audit_heads WHERE tenant = :tenant{' FOR UPDATE' if locks else ''}"  # noqa: S608
    for row in _select(db, statement, {"tenant": tenant}):
        return int(row["number"]), str(row["hash"])
    return None


def _insert_rows(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of one tenant with their hashes, the documents that they show, and the new end of the chain."""
    if not rows:
        return
    names = ("number", "at", "who", "action", "documents", "details", "hash")
    columns = dict(zip(names, map(list, zip(*(row[1:] for row in rows), strict=True)), strict=True))
    _execute(db, _INSERT, {"tenant": rows[0][0], "last": rows[-1][1], "last_hash": rows[-1][-1], **columns})


def _read_declared(db: Connection, tenant: str) -> DeclaredRows:
    found = DeclaredRows()
    statement = (
        "SELECT number, action, details FROM roma_audit_entries "
        "WHERE tenant = :tenant AND action IN ('erase', 'retention') AND who <> :erased ORDER BY number"
    )
    for row in _select(db, statement, {"tenant": tenant, "erased": ERASED}):
        found.note(row["number"], row["action"], json.loads(row["details"]))
    return found


def _find_other_index(db: Connection, tenant: str) -> int | None:
    """Return the number of a row whose documents are indexed otherwise than it says; None when all agree."""
    statement = """
        WITH said AS (SELECT e.number, d.value AS document_id
                      FROM roma_audit_entries AS e, json_array_elements_text(CAST(e.documents AS json)) AS d(value)
                      WHERE e.tenant = :tenant),
             kept AS (SELECT number, document_id FROM roma_audit_documents WHERE tenant = :tenant)
        SELECT min(number) AS first FROM ((SELECT * FROM said EXCEPT SELECT * FROM kept)
                                          UNION ALL (SELECT * FROM kept EXCEPT SELECT * FROM said)) AS differing
        """
    for row in _select(db, statement, {"tenant": tenant}):
        return None if row["first"] is None else int(row["first"])
    return None


def _select(db: Connection, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    from sqlalchemy import text

    return [dict(row) for row in db.execute(text(statement), dict(values)).mappings()]


def _stream(db: Connection, statement: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows without holding all of them in memory."""
    from sqlalchemy import text

    whole = text(statement).execution_options(yield_per=READ_AT_ONCE)
    for row in db.execute(whole, dict(values)).mappings():
        yield dict(row)


def _execute(db: Connection, statement: str, values: Any) -> None:
    from sqlalchemy import text

    db.execute(text(statement), values)
