"""One SQLite file a month, in which each tenant has a chain: a row's hash covers the row and the hash before it.

Rows are only ever added. Whoever changes or takes away one breaks the chain from there on, which ``verify`` finds. A
row that is taken off the end leaves no gap: keep the last hash elsewhere, as ``roma audit verify`` prints it, to see
that too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from roma_core.database import Database, Schema, scrub, storage_error
from roma_core.errors import ErrorCode, InputError, StoreError
from roma_core.redaction.rules import redact
from roma_core.telemetry import logs
from roma_core.types import Noun, Principal
from roma_core.workspace import Workspace

Action = Literal[
    "ask",
    "show",
    "search",
    "read",
    "unmask",
    "ingest",
    "forget",
    "erase",
    "retention",
    "grant",
    "revoke",
    "token.create",
    "token.revoke",
    "trial.start",
    "trial.stop",
    "account.add",
    "account.disable",
    "tenant.create",
    "tenant.set",
    "sign_in",
    "sign_in.failed",
    "sign_out",
    "audit.read",
    "gap",
]
ACTIONS: Final[Mapping[Action, str]] = {
    "ask": "a question was asked",
    "show": "an answer was shown, with the documents that it was written from",
    "search": "passages were searched and shown",
    "read": "a document, a page of it or its file was shown",
    "unmask": "a document was shown with the personal data that is masked for others",
    "ingest": "sources were handed in",
    "forget": "documents, or a user, were removed for good",
    "erase": "rows of a user were blanked; `rows` lists all that were, so that the chain can be read past them",
    "retention": "rows that were kept long enough were removed, up to the number and the hash that it gives",
    "grant": "someone was let read a collection or a document",
    "revoke": "a grant was ended",
    "token.create": "a token was made",
    "token.revoke": "a token was ended",
    "trial.start": "a trial of two variants was begun",
    "trial.stop": "a trial of two variants was ended",
    "account.add": "an account was added",
    "account.disable": "an account was disabled",
    "tenant.create": "a tenant was made",
    "tenant.set": "settings of a tenant were changed",
    "sign_in": "a user signed in",
    "sign_in.failed": "a sign-in or a token was refused",
    "sign_out": "a user signed out, or a sign-in was ended",
    "audit.read": "the log itself was searched",
    "gap": "so many questions and reads before it were not logged, since the disk was full",
}
"""What each action means, by its name."""
QuestionPolicy = Literal["full", "redacted", "hash"]
FIRST_HASH: Final = "0" * 64
"""Stands before the first row of a chain."""
MOST_DOCUMENTS = 1000
ERASED: Final = "(erased)"
"""Stands for the user in a row that was blanked."""
_MONTH = re.compile(r"(\d{4}-\d{2})\.sqlite")
_TABLES = """
CREATE TABLE entries (
    tenant TEXT NOT NULL, number INTEGER NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
    documents TEXT NOT NULL, details TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (tenant, number)) WITHOUT ROWID;
CREATE TABLE entry_documents (
    tenant TEXT NOT NULL, document_id TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (tenant, document_id, number)) WITHOUT ROWID;
CREATE INDEX entries_by_user ON entries (tenant, who, number);
CREATE TABLE heads (tenant TEXT PRIMARY KEY, number INTEGER NOT NULL, hash TEXT NOT NULL);
"""
AUDIT = Schema(
    "audit",
    "The audit log",
    (_TABLES,),
    consequence="what must be logged is not done",
)


class AuditEntry(Noun):
    """A row of the log. ``number`` counts the rows of its tenant from 1."""

    tenant: str
    number: int
    at: datetime
    who: str
    action: Action
    documents: tuple[str, ...] = ()
    """Ids of the documents that were shown or changed."""
    details: dict[str, Any] = Field(default_factory=dict)
    hash: str


class ChainCheck(Noun):
    """What ``verify`` found of a tenant's chain."""

    tenant: str
    rows: int
    head: str
    """The last hash: kept elsewhere, it shows that no row was taken off the end."""
    erased: int = 0
    """Rows that were blanked when their user was forgotten, which a later row of the chain lists."""
    removed: int = 0
    """Rows at the beginning that were removed by retention, as a later row of the chain says."""
    broken_at: int | None = None
    """Number of the first row that is not as it was written, or that follows a gap."""
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether every row is as it was written."""
        return self.broken_at is None


class AuditLog:
    """The log of a workspace, shared by processes. Raises ``StoreError`` when a row cannot be written.

    >>> log = AuditLog(Path(".roma"))
    >>> log.append(Principal.local(), "read", documents=["9b1d0c"])
    1
    """

    def __init__(
        self,
        workspace: Path,
        *,
        questions: QuestionPolicy = "redacted",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = Workspace(workspace).audit
        self._questions = questions
        self._now = now
        self._lock = threading.Lock()
        self._files: dict[str, Database] = {}
        self._unlogged: Counter[str] = Counter()

    def append_read(
        self,
        who: Principal,
        action: Action,
        *,
        documents: Iterable[str] = (),
        question: str | None = None,
        **details: Any,
    ) -> None:
        """Add a row about a question or a read, which goes on while the disk is full.

        What is not logged then is counted, and the next row that can be written is preceded by one that gives the
        count. Raises ``StoreError`` for any other failure: then nothing must be shown.
        """
        try:
            self.append(who, action, documents=documents, question=question, **details)
        except StoreError as error:
            if error.code is not ErrorCode.STORAGE_FULL:
                raise
            with self._lock:
                self._unlogged[who.tenant] += 1
            logs.get("audit").warning("audit_read_not_logged", tenant=who.tenant, who=who.subject, action=action)

    def append(
        self,
        who: Principal,
        action: Action,
        *,
        documents: Iterable[str] = (),
        question: str | None = None,
        **details: Any,
    ) -> int:
        """Add a row and return its number. Raises ``StoreError``: then what was to be logged must not be done.

        ``question`` is kept as the policy says: whole, redacted, or as its hash.
        """
        with self._lock:
            unlogged = self._unlogged.pop(who.tenant, 0)
        if unlogged:
            try:
                self._append(who, "gap", (), {"unlogged": unlogged})
            except StoreError:
                with self._lock:
                    self._unlogged[who.tenant] += unlogged
                raise
        if question is not None:
            details["question"] = self._hide(question)
        return self._append(who, action, documents, details)

    def _append(self, who: Principal, action: Action, documents: Iterable[str], details: Mapping[str, Any]) -> int:
        shown = sorted(set(documents))[:MOST_DOCUMENTS]
        written: int | None = None
        while written is None:
            now = self._now()
            content = (now.isoformat(), who.subject, action, dump_json(shown), dump_json(details))
            written = self._append_to_month(max([f"{now:%Y-%m}", *self._list_months()]), who.tenant, content, shown)
        return written

    def _append_to_month(self, month: str, tenant: str, content: tuple[str, ...], shown: Sequence[str]) -> int | None:
        """Add a row to the file of ``month``; None when another process has begun a later one meanwhile.

        The first row of a month is written under the lock of the month before, so that no row can come between.
        """
        with ExitStack() as locks:
            db = locks.enter_context(self._open(month).transaction())
            if max(self._list_months(), default=month) > month:
                return None
            head = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (tenant,)).fetchone()
            number, before = head if head is not None else self._lock_earlier_head(locks, tenant, month)
            row = CoveredColumns(tenant, number + 1, *content)
            own_hash = row.hash_after(before)
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, own_hash))
            db.executemany("INSERT INTO entry_documents VALUES (?, ?, ?)", [(tenant, id_, number + 1) for id_ in shown])
            db.execute(
                "INSERT INTO heads VALUES (?, ?, ?) "
                "ON CONFLICT (tenant) DO UPDATE SET number = excluded.number, hash = excluded.hash",
                (tenant, number + 1, own_hash),
            )
        return int(number) + 1

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
        """Return the rows that satisfy every condition, the newest first; those with numbers under ``before`` alone."""
        statement, values = _select(tenant, who, document, action, since, until, before)
        found: list[AuditEntry] = []
        for month in reversed(self._list_months()):
            if len(found) >= limit or (since is not None and month < f"{since.astimezone(UTC):%Y-%m}"):
                break
            if until is not None and month > f"{until.astimezone(UTC):%Y-%m}":
                continue
            with self._open(month).snapshot() as db:
                rows = db.execute(statement, (*values, limit - len(found))).fetchall()
            found += [parse_row(row) for row in rows]
        return found

    def verify(self, tenant: str) -> ChainCheck:
        """Read a tenant's whole chain, and return where it breaks."""
        walk = ChainWalk(tenant, self._read_declared(tenant))
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                head = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (tenant,)).fetchone()
                rows = "SELECT * FROM entries WHERE tenant = ? AND number > ? ORDER BY number"
                walk.follow(db.execute(rows, (tenant, walk.declared.removed)))
                walk.note_other_index(_list_documents(db, tenant))
            walk.compare_head(None if head is None else (head["number"], head["hash"]))
            if not walk.check.is_whole:
                break
        return walk.check

    # Erasure and retention

    def erase_user(self, who: Principal, *, by: Principal, erasure: str) -> int:
        """Blank the rows of a user, and return how many; the chain stays whole, and says which rows were blanked.

        What was done and when stays, with the documents that were shown, but no longer by whom, and no question. A row
        that lists all blanked rows is written first: should this be killed, it is run again.
        """
        if not self._list_months():
            return 0
        own: dict[str, list[int]] = {}
        blanked: set[int] = set()
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                for row in db.execute("SELECT number, who, details FROM entries WHERE tenant = ?", (who.tenant,)):
                    if row["who"] == ERASED:
                        blanked.add(row["number"])
                    elif row["who"] == who.subject or is_naming(json.loads(row["details"]), who.subject):
                        own.setdefault(month, []).append(row["number"])
        numbers = sorted({number for group in own.values() for number in group})
        if numbers:
            self._append(by, "erase", (), {"erasure": erasure, "rows": group_ranges(sorted({*numbers, *blanked}))})
        for month, group in own.items():
            with self._open(month).transaction() as db:
                db.execute("PRAGMA secure_delete = ON")
                db.executemany(
                    "UPDATE entries SET who = ?, details = '{}' WHERE tenant = ? AND number = ?",
                    [(ERASED, who.tenant, number) for number in group],
                )
        self.scrub()
        return len(numbers)

    def remove_before(self, tenant: str, moment: datetime, *, by: Principal, counts_only: bool = False) -> int:
        """Remove a tenant's rows from before ``moment``, and return how many; a row says up to where.

        ``counts_only`` removes none.
        """
        last: sqlite3.Row | None = None
        count = 0
        is_old = "tenant = ? AND at < ? ORDER BY number"
        values = (tenant, moment.astimezone(UTC).isoformat())
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                rows = db.execute(f"SELECT number, hash FROM entries WHERE {is_old}", values).fetchall()  # noqa: S608
            count += len(rows)
            last = rows[-1] if rows else last
        if last is None or counts_only:
            return count
        self._append(by, "retention", (), {"removed_through": last["number"], "hash": last["hash"], "rows": count})
        for month in self._list_months():
            with self._open(month).transaction() as db:
                db.execute("PRAGMA secure_delete = ON")
                for table in ("entries", "entry_documents"):
                    db.execute(f"DELETE FROM {table} WHERE tenant = ? AND number <= ?", (tenant, last["number"]))  # noqa: S608
        self.scrub()
        return count

    def list_tenants(self) -> set[str]:
        """Return the tenants that have rows."""
        found: set[str] = set()
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                found |= {row["tenant"] for row in db.execute("SELECT tenant FROM heads")}
        return found

    def scrub(self) -> None:
        """Write the files again without what was blanked or removed."""
        self.close()
        for month in self._list_months():
            scrub(self._folder / f"{month}.sqlite")

    def _read_declared(self, tenant: str) -> DeclaredRows:
        """Return which rows the chain itself says were blanked or removed."""
        found = DeclaredRows()
        statement = (
            "SELECT number, action, details FROM entries "
            "WHERE tenant = ? AND action IN ('erase', 'retention') AND who <> ? ORDER BY number"
        )
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                rows = db.execute(statement, (tenant, ERASED)).fetchall()
            for row in rows:
                found.note(row["number"], row["action"], json.loads(row["details"]))
        return found

    def find_head(self, tenant: str) -> tuple[int, str] | None:
        """Return number and hash of a tenant's last row; None without one."""
        for month in reversed(self._list_months()):
            with self._open(month).snapshot() as db:
                head = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (tenant,)).fetchone()
            if head is not None:
                return int(head["number"]), str(head["hash"])
        return None

    def read_rows(self, tenant: str) -> Iterator[tuple[Any, ...]]:
        """Yield a tenant's rows with their hashes as they are stored, the oldest first."""
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                rows = db.execute("SELECT * FROM entries WHERE tenant = ? ORDER BY number", (tenant,)).fetchall()
            yield from (tuple(row[name] for name in (*_COVERED, "hash")) for row in rows)

    def forget_tenant(self, tenant: str) -> int:
        """Remove a tenant's rows for good, without a row that says so; return how many."""
        count = 0
        for month in self._list_months():
            with self._open(month).transaction() as db:
                db.execute("PRAGMA secure_delete = ON")
                count += db.execute("DELETE FROM entries WHERE tenant = ?", (tenant,)).rowcount
                for table in ("entry_documents", "heads"):
                    db.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,))  # noqa: S608
        self.scrub()
        return count

    def has_hash(self, tenant: str, head: str) -> bool:
        """Return whether a row of the tenant has this hash."""
        for month in self._list_months():
            with self._open(month).snapshot() as db:
                found = db.execute("SELECT 1 FROM entries WHERE tenant = ? AND hash = ?", (tenant, head)).fetchone()
            if found is not None:
                return True
        return False

    def close(self) -> None:
        """Close the files; the next use opens them again."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _open(self, month: str) -> Database:
        with self._lock:
            if month not in self._files:
                self._files[month] = Database(self._folder / f"{month}.sqlite", AUDIT)
            return self._files[month]

    def _list_months(self) -> list[str]:
        """Return the months that have a file, oldest first."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208  (three times as fast: each row looks)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, AUDIT, self._folder) from None
        return sorted(found[1] for name in names if (found := _MONTH.fullmatch(name)))

    def _lock_earlier_head(self, locks: ExitStack, tenant: str, month: str) -> tuple[int, str]:
        """Return number and hash of a tenant's last row before ``month``, and keep others from adding one there."""
        for earlier in reversed([name for name in self._list_months() if name < month]):
            db = locks.enter_context(self._open(earlier).transaction())
            head = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (tenant,)).fetchone()
            if head is not None:
                return int(head["number"]), str(head["hash"])
        return 0, FIRST_HASH

    def _hide(self, question: str) -> str:
        if self._questions == "hash":
            return f"sha256:{hashlib.sha256(question.encode()).hexdigest()}"
        return question if self._questions == "full" else redact(question)


@dataclass
class DeclaredRows:
    """Rows that later rows of the chain say were blanked or removed."""

    erased: dict[int, int] = field(default_factory=dict)
    """Number of the row that lists it, by the number of a blanked row."""
    removed: int = 0
    head: str = FIRST_HASH
    """Hash of the last removed row."""

    def note(self, number: int, action: str, details: Mapping[str, Any]) -> None:
        """Take over what a row declares; one whose own hash is wrong breaks the chain anyway."""
        if action == "retention":
            self.removed, self.head = int(details["removed_through"]), str(details["hash"])
            return
        for first, last in details["rows"]:
            self.erased.update(dict.fromkeys(range(first, last + 1), number))


def is_naming(value: Any, subject: str) -> bool:
    """Return whether details name a user somewhere."""
    if isinstance(value, Mapping):
        return any(is_naming(member, subject) for member in value.values())
    if isinstance(value, list):
        return any(is_naming(member, subject) for member in value)
    return value in {subject, f"user {subject}"} if isinstance(value, str) else False


def group_ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Return sorted numbers as pairs of first and last.

    >>> group_ranges([1, 2, 3, 7])
    [[1, 3], [7, 7]]
    """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


class CoveredColumns(tuple[str, int, str, str, str, str, str]):
    """The columns of an entry that its hash covers."""

    __slots__ = ()

    def __new__(cls, *columns: Any) -> CoveredColumns:
        return super().__new__(cls, columns)

    def hash_after(self, before: str) -> str:
        """Return the hash of this row in a chain whose last hash is ``before``."""
        return hashlib.sha256(dump_json([before, *self]).encode()).hexdigest()


_COVERED = ("tenant", "number", "at", "who", "action", "documents", "details")


def find_fault(row: sqlite3.Row | Mapping[str, Any], number: int, before: str, *, is_erased: bool) -> str:
    """Return what is wrong with a row; empty when it is as it was written, or blanked as the chain says."""
    if row["number"] != number:
        return f"row {number} is missing"
    if is_erased:
        return ""
    written = CoveredColumns(*(row[name] for name in _COVERED)).hash_after(before)
    return "" if written == row["hash"] else "the row is not as it was written"


class ChainWalk:
    """A tenant's chain as it is read from its beginning: ``check`` is what was found so far, the first break stays."""

    def __init__(self, tenant: str, declared: DeclaredRows) -> None:
        self.declared = declared
        self.check = ChainCheck(tenant=tenant, rows=declared.removed, head=declared.head, removed=declared.removed)

    def follow(self, rows: Iterable[sqlite3.Row | Mapping[str, Any]]) -> None:
        """Read further rows, with the columns of the table of entries, up to the first that is not as written."""
        if not self.check.is_whole:
            return
        number, before, erased = self.check.rows, self.check.head, self.check.erased
        fault = ""
        for row in rows:
            is_declared = row["who"] == ERASED and self.declared.erased.get(row["number"], 0) > row["number"]
            fault = find_fault(row, number + 1, before, is_erased=is_declared)
            if fault:
                break
            erased += is_declared
            before, number = row["hash"], number + 1
        self.check = self.check.model_copy(update={"rows": number, "head": before, "erased": erased})
        if fault:
            self._break(number + 1, fault)

    def note_other_index(self, number: int | None) -> None:
        """Note the row whose documents are indexed otherwise than it says; None when all agree."""
        if number is not None:
            self._break(number, "the list of shown documents is not that of the rows")

    def compare_head(self, head: tuple[int, str] | None) -> None:
        """Compare the end of what was read with number and hash of the last row, as they were noted beside it."""
        is_later = head is not None and head[0] > self.declared.removed
        if is_later and head != (self.check.rows, self.check.head):
            self._break(self.check.rows + 1, "rows were taken off the end")

    def _break(self, number: int, reason: str) -> None:
        if self.check.is_whole:
            self.check = self.check.model_copy(update={"broken_at": number, "reason": reason})


def _list_documents(db: sqlite3.Connection, tenant: str) -> int | None:
    """Return the number of a row whose documents are indexed otherwise than it says; None when all agree."""
    differing = db.execute(
        """
        WITH said AS (SELECT entries.number AS number, json_each.value AS document_id
                      FROM entries, json_each(entries.documents) WHERE entries.tenant = ?1),
             kept AS (SELECT number, document_id FROM entry_documents WHERE tenant = ?1)
        SELECT min(number) FROM (SELECT * FROM (SELECT number, document_id FROM said EXCEPT SELECT * FROM kept)
                                 UNION ALL
                                 SELECT * FROM (SELECT * FROM kept EXCEPT SELECT number, document_id FROM said))
        """,
        (tenant,),
    ).fetchone()[0]
    return None if differing is None else int(differing)


def require_action(action: str | None) -> None:
    """Raise ``InputError`` for an action that there is not; None is no condition."""
    if action is not None and action not in ACTIONS:
        raise InputError(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.")


def _select(
    tenant: str,
    who: str | None,
    document: str | None,
    action: Action | None,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
) -> tuple[str, list[Any]]:
    require_action(action)
    source, order, conditions = "entries", "entries.number", ["entries.tenant = ?"]
    values: list[Any] = [tenant]
    if document is not None:
        # A cross join keeps its order in SQLite: from a document's few rows to theirs, never through the whole log.
        source = "entry_documents AS shown CROSS JOIN entries USING (tenant, number)"
        order = "shown.number"
        conditions += ["shown.tenant = ?", "shown.document_id = ?"]
        values += [tenant, document]
    for column, sign, wanted in (
        ("who", "=", who),
        ("action", "=", action),
        ("at", ">=", None if since is None else since.astimezone(UTC).isoformat()),
        ("at", "<", None if until is None else until.astimezone(UTC).isoformat()),
        ("number", "<", before),
    ):
        if wanted is not None:
            conditions.append(f"entries.{column} {sign} ?")
            values.append(wanted)
    statement = f"SELECT entries.* FROM {source} WHERE {' AND '.join(conditions)} ORDER BY {order} DESC LIMIT ?"  # noqa: S608
    return statement, values


def parse_row(row: sqlite3.Row | Mapping[str, Any]) -> AuditEntry:
    """Return a row of the table as an entry."""
    fields = {name: row[name] for name in ("tenant", "number", "at", "who", "action", "hash")}
    return AuditEntry(**fields, documents=tuple(json.loads(row["documents"])), details=json.loads(row["details"]))


def dump_json(value: Sequence[Any] | Mapping[str, Any]) -> str:
    """Return the one spelling of a value that hashes cover."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def iterate_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield rows as JSON lines, as they are exported."""
    for entry in entries:
        yield entry.model_dump_json()
