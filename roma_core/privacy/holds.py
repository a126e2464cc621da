"""Legal holds, what retention has retired, and when it was last applied: one small database of the workspace.

A hold keeps what it names from retention and from being forgotten. A retired item was removed because its time was
over; it stays out until its source changes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

from roma_core.database import Database, Schema
from roma_core.errors import InputError, NotFoundError
from roma_core.types import Noun, digest

HoldKind = Literal["tenant", "collection", "document", "user"]
HOLD_KINDS: Final[tuple[HoldKind, ...]] = get_args(HoldKind)
RETIRED: Final = "it was kept long enough (ROMA_RETENTION_RULES); it stays out until its source changes it"
"""The reason with which a retired item is skipped."""
RETENTION: Final = Schema(
    "retention",
    "The file of legal holds",
    (
        """
        CREATE TABLE holds (
            id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,
            placed_by TEXT NOT NULL, placed_at TEXT NOT NULL, released_at TEXT);
        CREATE TABLE retired (item TEXT PRIMARY KEY, retired_at TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE applied (tenant TEXT PRIMARY KEY, applied_at TEXT NOT NULL) WITHOUT ROWID;
        """,
    ),
    consequence="nothing is removed",
)


class LegalHold(Noun):
    """A hold on a tenant, a collection, a document or a user."""

    id: str
    tenant: str
    kind: HoldKind
    name: str
    reason: str
    placed_by: str
    placed_at: datetime


class RetentionLedger:
    """The holds of a workspace, and what retention has done. Makes its file when something is written.

    >>> holds = RetentionLedger(Path(".roma/retention.sqlite"))
    >>> hold = holds.place("default", "collection", "hr", reason="case 12/2026", by="local")
    >>> hold.kind, hold.name, hold.placed_by
    ('collection', 'hr', 'local')
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, RETENTION, synchronous="FULL", pragmas=("secure_delete = ON",))

    def place(self, tenant: str, kind: HoldKind, name: str, *, reason: str, by: str) -> LegalHold:
        """Hold something back from removal until the hold is released. Raises ``InputError`` without a reason."""
        if not reason.strip() or not name:
            raise InputError("A hold names what it keeps, and says why.")
        hold = LegalHold(
            id=uuid.uuid4().hex[:12],
            tenant=tenant,
            kind=kind,
            name=name,
            reason=reason.strip(),
            placed_by=by,
            placed_at=datetime.now(UTC),
        )
        row = {**hold.model_dump(mode="json"), "released_at": None}
        with self._database.transaction() as db:
            values = ", ".join(f":{column}" for column in row)
            db.execute(f"INSERT INTO holds ({', '.join(row)}) VALUES ({values})", row)  # noqa: S608
        return hold

    def release(self, hold_id: str, tenant: str) -> LegalHold:
        """End a hold, and return it. Raises ``NotFoundError``."""
        held = {hold.id: hold for hold in self.list_holds(tenant)}
        if hold_id not in held:
            raise NotFoundError(f"There is no hold {hold_id!r}; `roma retention hold` lists those that there are.")
        with self._database.transaction() as db:
            db.execute("UPDATE holds SET released_at = ? WHERE id = ?", (datetime.now(UTC).isoformat(), hold_id))
        return held[hold_id]

    def list_holds(self, tenant: str | None = None) -> list[LegalHold]:
        """Return the holds in force of a tenant, or of all, the oldest first."""
        with self._database.snapshot() as db:
            rows = db.execute(
                "SELECT * FROM holds WHERE released_at IS NULL AND (? IS NULL OR tenant = ?) ORDER BY placed_at, id",
                (tenant, tenant),
            ).fetchall()
        return [LegalHold(**{name: row[name] for name in LegalHold.model_fields}) for row in rows]

    def find(
        self, tenant: str, *, users: frozenset[str] = frozenset(), documents: Mapping[str, str] | None = None
    ) -> list[LegalHold]:
        """Return the holds on one of these users, or on one of these documents (collection by document id)."""
        collections = set((documents or {}).values())
        found: list[LegalHold] = []
        for hold in self.list_holds(tenant):
            is_meant = (
                hold.kind == "tenant"
                or (hold.kind == "user" and hold.name in users)
                or (hold.kind == "document" and hold.name in (documents or {}))
                or (hold.kind == "collection" and hold.name in collections)
            )
            if is_meant:
                found.append(hold)
        return found

    def retire(self, tenant: str, uri: str, version: str | None) -> None:
        """Note that an item was removed because its time was over."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO retired VALUES (?, ?)",
                (_name(tenant, uri, version), datetime.now(UTC).isoformat()),
            )

    def is_retired(self, tenant: str, uri: str, version: str | None) -> bool:
        """Return whether this version of an item was retired."""
        with self._database.snapshot() as db:
            found = db.execute("SELECT 1 FROM retired WHERE item = ?", (_name(tenant, uri, version),)).fetchone()
        return found is not None

    @property
    def has_retired(self) -> bool:
        """Return whether anything was ever retired."""
        with self._database.snapshot() as db:
            return db.execute("SELECT 1 FROM retired LIMIT 1").fetchone() is not None

    def note_applied(self, tenant: str) -> None:
        """Note that retention was applied to a tenant now."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO applied VALUES (?, ?)", (tenant, datetime.now(UTC).isoformat()))

    def find_applied(self, tenant: str) -> datetime | None:
        """Return when retention was last applied to a tenant; None before the first time."""
        with self._database.snapshot() as db:
            row = db.execute("SELECT applied_at FROM applied WHERE tenant = ?", (tenant,)).fetchone()
        return None if row is None else datetime.fromisoformat(row["applied_at"])

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _name(tenant: str, uri: str, version: str | None) -> str:
    """Return the hash by which an item is known: the file holds no address of what is gone."""
    return digest("retired", tenant, uri, version or "")
