"""The ledger: what became of every item that was ever listed. SQLite (WAL) in the workspace, safe with processes.

An item's row is written after the store has committed its document, so a killed run leaves at worst a document whose
row is missing or older; the next run finds that and writes both again. ``claims`` says which source lists which item:
written before anything is stored, so that no document can be left behind that no source answers for.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from roma_core.connectors.base import Listing
from roma_core.database import Database, Schema
from roma_core.ingestion.simhash import bands, near
from roma_core.types import Document, IngestItem, ItemState, digest

TABLES_OF_2026 = """
CREATE TABLE IF NOT EXISTS items (
    tenant TEXT NOT NULL, uri TEXT NOT NULL, document_id TEXT NOT NULL, source TEXT NOT NULL, listing TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, code TEXT, warnings TEXT NOT NULL, run_id TEXT NOT NULL,
    attempt TEXT NOT NULL, version TEXT, content_sha256 TEXT, parser TEXT, made_with TEXT, chunks INTEGER NOT NULL,
    simhash TEXT, band0 INTEGER, band1 INTEGER, band2 INTEGER, band3 INTEGER, PRIMARY KEY (tenant, uri)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_document ON items (tenant, document_id);
CREATE INDEX IF NOT EXISTS by_state ON items (tenant, state);
CREATE INDEX IF NOT EXISTS by_band0 ON items (tenant, band0) WHERE band0 IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_band1 ON items (tenant, band1) WHERE band1 IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_band2 ON items (tenant, band2) WHERE band2 IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_band3 ON items (tenant, band3) WHERE band3 IS NOT NULL;
CREATE TABLE IF NOT EXISTS claims (
    tenant TEXT NOT NULL, source TEXT NOT NULL, uri TEXT NOT NULL, run_id TEXT NOT NULL,
    PRIMARY KEY (tenant, source, uri)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_claimed ON claims (tenant, uri);
CREATE TABLE IF NOT EXISTS history (
    run_id TEXT NOT NULL, uri TEXT NOT NULL, document_id TEXT, state TEXT NOT NULL, reason TEXT NOT NULL, code TEXT,
    chunks INTEGER NOT NULL, warnings TEXT NOT NULL, PRIMARY KEY (run_id, uri)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, sources TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT);
"""
LEDGER = Schema("ledger", "The ledger", (TABLES_OF_2026,))
_WILD = re.compile("%2A|%3F|%5B")
"""Wildcards in the address of a glob."""
_BANDS = ("band0", "band1", "band2", "band3")
_STORED = ("version", "content_sha256", "parser", "made_with", "simhash", *_BANDS)
"""Columns that describe what is in the store; NULL when nothing is."""
_ITEM = "uri, state, document_id, reason, code, chunks, warnings"


@dataclass(frozen=True)
class Known:
    """What the ledger knows of an item. ``content_sha256`` to ``made_with`` describe what is stored, None if nothing.

    ``attempt`` is what the last failure was met with (the content's version and all parsers), so that a file that no
    parser reads is not tried again for nothing.
    """

    uri: str
    document_id: str
    source: str
    state: ItemState
    reason: str
    code: str | None
    attempt: str
    version: str | None
    content_sha256: str | None
    parser: str | None
    made_with: str | None
    chunks: int
    warnings: tuple[str, ...]
    listing: Listing


@dataclass(frozen=True)
class Stored:
    """What has been put into the store for an item."""

    version: str | None
    content_sha256: str
    parser: str
    made_with: str
    chunks: int
    simhash: int | None


@dataclass(frozen=True)
class Outcome:
    """One item's end in a run. ``stored`` None leaves what is known of the store as it is; ``gone`` forgets it.

    ``version`` is a newer one under which the source has what is stored.
    """

    item: IngestItem
    source: str
    listing: Listing
    document_id: str
    attempt: str = ""
    stored: Stored | None = None
    gone: bool = False
    version: str | None = None


class Ledger:
    """Blocking calls, to be made from a thread. Raises ``StoreError``."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, LEDGER)

    def begin(self, run_id: str, tenant: str, sources: Sequence[str]) -> None:
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, NULL)", (run_id, tenant, json.dumps(list(sources)), _now())
            )

    def end(self, run_id: str) -> None:
        with self._database.transaction() as db:
            db.execute("UPDATE runs SET ended_at = ? WHERE run_id = ?", (_now(), run_id))

    def admit(self, tenant: str, source: str, listing: Listing, run_id: str) -> tuple[Known | None, str]:
        """``source`` lists an item in this run: claims it, and returns what is known of it and its document id.

        An item that moved takes its row along, marked to be done again (its document still has the old URI). A URI
        whose own id went with a moved item gets another, so no two items share a document.
        """
        uri = listing.uri
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (tenant, source, uri, run_id))
            row = _row(db, tenant, uri)
            before = listing.previous_uri
            if row is None and before is not None and not _listed(db, tenant, before, run_id):
                _move(db, tenant, before, uri)
                row = _row(db, tenant, uri)
            if row is not None:
                return _known(row), str(row["document_id"])
            own = Document.id_for(uri, tenant)
            return None, digest("document", tenant, uri, "reused")[:32] if _holder(db, tenant, own) else own

    def respell(self, tenant: str, before: str, after: str) -> None:
        """What ``before`` claims where ``after`` begins belongs to ``after``, the same source in another spelling.

        Not all of it: a relative path that was written down as it stood means another folder somewhere else.
        """
        begin = _WILD.split(after)[0]
        with self._database.transaction() as db:
            db.execute(
                "UPDATE OR REPLACE claims SET source = ? WHERE tenant = ? AND source = ? AND substr(uri, 1, ?) = ?",
                (after, tenant, before, len(begin), begin),
            )

    def known(self, tenant: str, uri: str) -> Known | None:
        """What is known of an item; None when it was never listed."""
        with self._database.transaction() as db:
            row = _row(db, tenant, uri)
        return None if row is None else _known(row)

    def failed(self, tenant: str, sources: Sequence[str] = ()) -> list[Known]:
        """Items whose last state is failed, of ``sources`` or of all."""
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT * FROM items WHERE tenant = ? AND state = 'failed' ORDER BY uri", (tenant,)
            ).fetchall()
        return [_known(row) for row in rows if not sources or row["source"] in sources]

    def record(self, tenant: str, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """All of them or none."""
        with self._database.transaction() as db:
            for outcome in outcomes:
                _record(db, tenant, run_id, outcome)

    def vanished(self, tenant: str, source: str, run_id: str) -> list[tuple[str, str | None, bool]]:
        """Items that ``source`` listed before, not in this run, and that no other source lists: URI, id of the document
        to delete (None when another item holds it), and whether the ledger has them (else their run was killed).

        Only to be asked after a complete listing.
        """
        past = "FROM claims WHERE tenant = ? AND source = ? AND run_id <> ?"
        others = "SELECT 1 FROM claims WHERE tenant = ? AND uri = ? AND source <> ?"
        found: list[tuple[str, str | None, bool]] = []
        with self._database.transaction() as db:
            for uri in [row["uri"] for row in db.execute(f"SELECT uri {past} ORDER BY uri", (tenant, source, run_id))]:
                row = _row(db, tenant, uri)
                if db.execute(others, (tenant, uri, source)).fetchone():
                    db.execute("DELETE FROM claims WHERE tenant = ? AND source = ? AND uri = ?", (tenant, source, uri))
                elif row is not None:
                    found.append((uri, str(row["document_id"]), row["state"] != "deleted"))
                else:
                    own = Document.id_for(uri, tenant)
                    found.append((uri, None if _holder(db, tenant, own) else own, False))
        return found

    def deleted(self, tenant: str, run_id: str, items: Sequence[IngestItem]) -> None:
        """The documents of these vanished items have left the store."""
        with self._database.transaction() as db:
            for item in items:
                db.execute("DELETE FROM claims WHERE tenant = ? AND uri = ?", (tenant, item.uri))
                nothing = ", ".join(f"{column} = NULL" for column in ("code", *_STORED))
                now = f"state = 'deleted', reason = ?, warnings = '[]', run_id = ?, chunks = 0, {nothing}"
                given = (item.reason, run_id, tenant, item.uri)
                db.execute(f"UPDATE items SET {now} WHERE tenant = ? AND uri = ?", given)  # noqa: S608
                _write_history(db, run_id, item)

    def near_duplicate(self, tenant: str, uri: str) -> str | None:
        """The first URI (in order) of another stored item with almost the same text."""
        with self._database.transaction() as db:
            own = _row(db, tenant, uri)
            if own is None or own["simhash"] is None:
                return None
            value = int(own["simhash"], 16)
            found: set[str] = set()
            for i, band in enumerate(bands(value)):
                # Left to itself SQLite takes the primary key and reads the whole tenant.
                table = f"items INDEXED BY by_band{i}"
                query = f"SELECT uri, simhash FROM {table} WHERE tenant = ? AND band{i} = ? AND uri <> ?"  # noqa: S608
                rows = db.execute(query, (tenant, band, uri))
                found |= {row["uri"] for row in rows if near(value, int(row["simhash"], 16))}
        return min(found, default=None)

    def warn(self, tenant: str, run_id: str, item: IngestItem) -> None:
        """Replace the warnings of an item in its row and in the run."""
        with self._database.transaction() as db:
            warnings = json.dumps(item.warnings)
            db.execute("UPDATE items SET warnings = ? WHERE tenant = ? AND uri = ?", (warnings, tenant, item.uri))
            _write_history(db, run_id, item)

    def items(self, tenant: str, *, state: ItemState | None = None, run_id: str | None = None) -> list[IngestItem]:
        """Current state of every item, or the states of one run, by URI."""
        table, given = ("items", [tenant]) if run_id is None else ("history", [run_id, tenant])
        chosen = "tenant = ?"
        if run_id is not None:
            chosen = "run_id = ? AND EXISTS (SELECT 1 FROM runs WHERE runs.run_id = history.run_id AND tenant = ?)"
        if state is not None:
            chosen, given = f"{chosen} AND state = ?", [*given, state]
        with self._database.transaction() as db:
            rows = db.execute(f"SELECT {_ITEM} FROM {table} WHERE {chosen} ORDER BY uri", given).fetchall()  # noqa: S608
        return [IngestItem(**{**dict(row), "warnings": tuple(json.loads(row["warnings"]))}) for row in rows]

    def runs(self, tenant: str) -> list[dict[str, str | None]]:
        """``run_id, sources (JSON), started_at, ended_at`` of every run, the newest first; killed runs have no end."""
        with self._database.transaction() as db:
            rows = db.execute("SELECT * FROM runs WHERE tenant = ? ORDER BY started_at DESC, run_id", (tenant,))
            return [dict(row) for row in rows]

    def close(self) -> None:
        self._database.close()


def _row(db: sqlite3.Connection, tenant: str, uri: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute("SELECT * FROM items WHERE tenant = ? AND uri = ?", (tenant, uri)).fetchone()
    return found


def _holder(db: sqlite3.Connection, tenant: str, document_id: str) -> bool:
    held = db.execute("SELECT 1 FROM items WHERE tenant = ? AND document_id = ?", (tenant, document_id)).fetchone()
    return held is not None


def _listed(db: sqlite3.Connection, tenant: str, uri: str, run_id: str) -> bool:
    """Whether this run has listed ``uri`` already: then it is an item of its own, whatever was there before."""
    claim = "SELECT 1 FROM claims WHERE tenant = ? AND uri = ? AND run_id = ?"
    return db.execute(claim, (tenant, uri, run_id)).fetchone() is not None


def _move(db: sqlite3.Connection, tenant: str, before: str, after: str) -> None:
    db.execute("DELETE FROM claims WHERE tenant = ? AND uri = ?", (tenant, before))
    db.execute(
        "UPDATE items SET uri = ?, version = NULL, made_with = NULL WHERE tenant = ? AND uri = ?",
        (after, tenant, before),
    )


def _record(db: sqlite3.Connection, tenant: str, run_id: str, outcome: Outcome) -> None:
    item = outcome.item
    row = {
        "tenant": tenant,
        "uri": item.uri,
        "document_id": outcome.document_id,
        "source": outcome.source,
        "listing": outcome.listing.model_dump_json(),
        "state": item.state,
        "reason": item.reason,
        "code": item.code,
        "warnings": json.dumps(item.warnings),
        "run_id": run_id,
        "attempt": outcome.attempt,
        **_stored_columns(outcome, _row(db, tenant, item.uri)),
    }
    columns = ", ".join(row)
    values = ", ".join(f":{column}" for column in row)
    db.execute(f"INSERT OR REPLACE INTO items ({columns}) VALUES ({values})", row)  # noqa: S608
    _write_history(db, run_id, item)


def _stored_columns(outcome: Outcome, before: sqlite3.Row | None) -> dict[str, str | int | None]:
    stored = outcome.stored
    if stored is not None:
        marks = bands(stored.simhash) if stored.simhash is not None else [None] * len(_BANDS)
        return {
            "version": stored.version,
            "content_sha256": stored.content_sha256,
            "parser": stored.parser,
            "made_with": stored.made_with,
            "chunks": stored.chunks,
            "simhash": None if stored.simhash is None else f"{stored.simhash:016x}",
            **dict(zip(_BANDS, marks, strict=True)),
        }
    if before is None or outcome.gone:
        return {"chunks": 0}
    kept = {column: before[column] for column in ("chunks", *_STORED)}
    return {**kept, "version": outcome.version or before["version"]}


def _write_history(db: sqlite3.Connection, run_id: str, item: IngestItem) -> None:
    warnings = json.dumps(item.warnings)
    db.execute(
        "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (run_id, item.uri, item.document_id, item.state, item.reason, item.code, item.chunks, warnings),
    )


def _known(row: sqlite3.Row) -> Known:
    plain = {name: row[name] for name in Known.__dataclass_fields__ if name not in {"listing", "warnings"}}
    warnings = tuple(json.loads(row["warnings"]))
    return Known(**plain, warnings=warnings, listing=Listing.model_validate_json(row["listing"]))


def _now() -> str:
    return datetime.now(UTC).isoformat()
