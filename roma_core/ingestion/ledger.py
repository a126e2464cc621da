"""The ledger: what became of every item that was ever listed. SQLite in the workspace, safe with processes.

An item's row is written after the store has committed its document, so a killed run leaves at worst a document whose
row is missing or older; the next run finds that and writes both again. ``claims`` says which source lists which item:
written before anything is stored, so that no document can be left behind that no source answers for.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from roma_core.connectors.base import Listing
from roma_core.database import Database
from roma_core.ingestion.schema import LEDGER
from roma_core.ingestion.simhash import bands, near
from roma_core.ingestion.sources import SourceTable
from roma_core.types import Document, IngestItem, ItemState, digest

HISTORY_DAYS: Final = 90
"""Runs are remembered so long; the state of every item is kept for ever."""
_WILD: Final = re.compile("%2A|%3F|%5B")
"""Wildcards in the address of a glob."""
_BANDS: Final = ("band0", "band1", "band2", "band3")
_STORED: Final = (
    "version",
    "content_sha256",
    "parser",
    "made_with",
    "simhash",
    "text_sha256",
    "parse_key",
    "stored_at",
    "left_out",
    *_BANDS,
)
"""Columns that describe what is in the store; NULL when nothing is."""
_ITEM: Final = "uri, state, document_id, reason, code, chunks, warnings"
_MOST_VARIABLES: Final = 500


@dataclass(frozen=True)
class LedgerRow:
    """The ledger's knowledge of an item. ``content_sha256`` to ``made_with`` describe what is stored, None if nothing.

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
    text_sha256: str | None
    chunks: int
    warnings: tuple[str, ...]
    listing_json: str
    pinned: bool

    @cached_property
    def listing(self) -> Listing:
        """The item as it was listed last."""
        return Listing.model_validate_json(self.listing_json)

    @property
    def title(self) -> str | None:
        """The title under which it was listed last, without reading the rest."""
        title = json.loads(self.listing_json).get("title")
        return None if title is None else str(title)

    @property
    def readers(self) -> tuple[str, ...] | None:
        """Readers of the item at its source when it was listed last."""
        readers = json.loads(self.listing_json).get("readers")
        return None if readers is None else tuple(readers)


@dataclass(frozen=True)
class Admission:
    """An item as the ledger takes it in: its row if it has one, its document's id, and whether others list it."""

    row: LedgerRow | None
    document_id: str
    is_held_elsewhere: bool


@dataclass(frozen=True)
class StoredVersion:
    """The version of an item that is in the store."""

    version: str | None
    content_sha256: str
    parser: str
    made_with: str
    chunks: int
    simhash: int | None
    text_sha256: str | None = None
    parse_key: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of parts that the parser left out, by reason."""


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
    stored: StoredVersion | None = None
    gone: bool = False
    version: str | None = None


@dataclass(frozen=True)
class AbsentItem:
    """An item that a source claims and did not list. ``document_id`` None: another item holds its document.

    ``is_recorded`` is False when the run that stored it was killed before it could write its row.
    """

    uri: str
    row: LedgerRow | None
    document_id: str | None
    is_held_elsewhere: bool
    missing_generation: int | None
    missing_since: float | None
    missing_looks: int

    @property
    def is_recorded(self) -> bool:
        return self.row is not None and self.row.state != "deleted"

    @property
    def is_stored(self) -> bool:
        return self.row is None or self.row.content_sha256 is not None

    @property
    def listing(self) -> Listing:
        return Listing(uri=self.uri) if self.row is None else self.row.listing


@dataclass(frozen=True)
class LedgerPart:
    """An item inside of a container. ``row`` None: a run was killed before it could write one."""

    container: str
    uri: str
    row: LedgerRow | None


@dataclass(frozen=True)
class Tombstone:
    """A deleted document that can be restored."""

    uri: str
    document_id: str
    deleted_at: datetime
    run_id: str
    reason: str
    item: Mapping[str, Any]
    """The ledger's row as it was."""
    document: Document


class ItemFigures(NamedTuple):
    """An item as the dashboard of the corpus counts it."""

    uri: str
    state: ItemState
    document_id: str | None
    source: str
    reason: str
    code: str | None
    chunks: int
    warnings: tuple[str, ...]
    content_sha256: str | None
    """Of what is stored; None where nothing is."""
    left_out: Mapping[str, int] | None
    """Number of parts that the parser left out, by reason; None where they were not counted."""


class Ledger:
    """Blocking calls, to be made from a thread. Raises ``StoreError``. ``sources`` is the table beside it."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, LEDGER)
        self.sources = SourceTable(self._database)

    def begin(self, run_id: str, tenant: str, sources: Sequence[str]) -> None:
        """Begin a run."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO runs (run_id, tenant, sources, started_at) VALUES (?, ?, ?, ?)",
                (run_id, tenant, json.dumps(list(sources)), _now()),
            )

    def end(self, run_id: str, counts: Mapping[str, int] | None = None) -> None:
        """End a run, and forget those that are older than ``HISTORY_DAYS``."""
        oldest = (datetime.now(UTC) - timedelta(days=HISTORY_DAYS)).isoformat()
        with self._database.transaction() as db:
            db.execute(
                "UPDATE runs SET ended_at = ?, counts = ? WHERE run_id = ?",
                (_now(), json.dumps(dict(counts or {})), run_id),
            )
            db.execute("DELETE FROM history WHERE run_id IN (SELECT run_id FROM runs WHERE started_at < ?)", (oldest,))
            db.execute("DELETE FROM runs WHERE started_at < ?", (oldest,))

    def admit(
        self,
        tenant: str,
        source_id: str,
        generation: int,
        listings: Sequence[Listing],
        *,
        listed: AbstractSet[str] = frozenset(),
    ) -> list[Admission]:
        """Claim the listed items for a source, in one transaction; return what is known of each.

        ``listed`` holds what this run has listed: such an item is one of its own, whatever was there before.

        An item that moved takes its row along, marked to be done again (its document still has the old URI). A URI
        whose own id went with a moved item gets another, so no two items share a document.
        """
        with self._database.transaction() as db:
            _claim(db, tenant, source_id, generation, [listing.uri for listing in listings])
            for listing in listings:
                before = listing.previous_uri
                if before is None or before in listed:
                    continue
                if _row(db, tenant, listing.uri) is None:
                    _move(db, tenant, before, listing.uri)
            uris = [listing.uri for listing in listings]
            rows = _rows(db, tenant, uris)
            held = _held_elsewhere(db, tenant, {source_id}, uris)
            return [_admission(db, tenant, uri, rows.get(uri), uri in held) for uri in uris]

    def claim(self, tenant: str, source_id: str, generation: int, uris: Sequence[str]) -> list[str]:
        """Claim items, and those inside of them, for a source that another one has brought in already; return all."""
        inside = [row.uri for uri in uris for row in self.rows_of_parts(tenant, uri)]
        with self._database.transaction() as db:
            _claim(db, tenant, source_id, generation, [*uris, *inside])
        return [*uris, *inside]

    def parts_of(self, tenant: str, source_id: str, containers: Sequence[str]) -> list[LedgerPart]:
        """Return the items that a source claims inside of these containers, at any depth."""
        found: list[LedgerPart] = []
        with self._database.snapshot() as db:
            for container in containers:
                inside = db.execute(
                    "SELECT uri FROM claims WHERE tenant = ? AND source_id = ? AND uri > ? AND uri < ?",
                    (tenant, source_id, *_part_range(container)),
                ).fetchall()
                rows = _rows(db, tenant, [row["uri"] for row in inside])
                found += [LedgerPart(container, row["uri"], rows.get(row["uri"])) for row in inside]
        return [part for part in found if part.row is None or part.row.listing.container is not None]

    def claims_parts(self, tenant: str, source_id: str) -> bool:
        """Return whether a source claims anything inside of a container."""
        query = "SELECT 1 FROM claims WHERE tenant = ? AND source_id = ? AND instr(uri, '#') LIMIT 1"
        with self._database.snapshot() as db:
            return db.execute(query, (tenant, source_id)).fetchone() is not None

    def rows_of_parts(self, tenant: str, container: str) -> list[LedgerRow]:
        """Return what is known of the items inside of a container, at any depth."""
        query = "SELECT * FROM items WHERE tenant = ? AND uri > ? AND uri < ? ORDER BY uri"
        with self._database.snapshot() as db:
            rows = [_ledger_row(row) for row in db.execute(query, (tenant, *_part_range(container)))]
        return [row for row in rows if row.listing.container is not None]

    def rows(self, tenant: str, uris: Sequence[str]) -> dict[str, LedgerRow]:
        """Return what is known of the items, claiming nothing."""
        with self._database.snapshot() as db:
            return _rows(db, tenant, uris)

    def respell(self, tenant: str, before: str, after_id: str, after: str) -> None:
        """Give what ``before`` claims where ``after`` begins to ``after``, the same source in another spelling.

        Not all of it: a relative path that was written down as it stood means another folder somewhere else.
        """
        begin = _WILD.split(after)[0]
        with self._database.transaction() as db:
            row = db.execute("SELECT id FROM sources WHERE tenant = ? AND uri = ?", (tenant, before)).fetchone()
            if row is None:
                return
            db.execute(
                "UPDATE OR REPLACE claims SET source_id = ? WHERE tenant = ? AND source_id = ?"
                " AND substr(uri, 1, ?) = ?",
                (after_id, tenant, row["id"], len(begin), begin),
            )
            if db.execute("SELECT 1 FROM claims WHERE source_id = ?", (row["id"],)).fetchone() is None:
                db.execute("DELETE FROM sources WHERE id = ? AND declared_in = ''", (row["id"],))

    def row(self, tenant: str, uri: str) -> LedgerRow | None:
        """Return what is known of an item; None when it was never listed."""
        return self.rows(tenant, [uri]).get(uri)

    def row_of_document(self, tenant: str, document_id: str) -> LedgerRow | None:
        """Return the item that holds a document."""
        with self._database.snapshot() as db:
            found = db.execute(
                "SELECT * FROM items WHERE tenant = ? AND document_id = ?", (tenant, document_id)
            ).fetchone()
        return None if found is None else _ledger_row(found)

    def failed(self, tenant: str, sources: Sequence[str] = ()) -> list[LedgerRow]:
        """Return the items whose last state is failed, of ``sources`` or of all."""
        with self._database.snapshot() as db:
            rows = db.execute(
                "SELECT * FROM items WHERE tenant = ? AND state = 'failed' ORDER BY uri", (tenant,)
            ).fetchall()
        return [_ledger_row(row) for row in rows if not sources or row["source"] in sources]

    def record(self, tenant: str, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Write down how items ended: all of them or none."""
        with self._database.transaction() as db:
            for outcome in outcomes:
                _record(db, tenant, run_id, outcome)

    def settle(self, tenant: str, run_id: str, uris: Sequence[str]) -> None:
        """Write down that these items are unchanged; everything else of their rows holds as it is."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE items SET state = 'unchanged', reason = '', code = NULL, run_id = ?, pinned = 0"
                " WHERE tenant = ? AND uri = ?",
                [(run_id, tenant, uri) for uri in uris],
            )

    def note_making(
        self,
        tenant: str,
        document_ids: Sequence[str],
        made_with: str,
        *,
        before: str | None = None,
        chunks: Mapping[str, int] | None = None,
    ) -> int:
        """Write down what stored documents are made with now; return how many rows that changed.

        With ``before``, only rows that had this one. ``chunks`` are the numbers of passages by document.
        """
        counts = chunks or {}
        changed = 0
        with self._database.transaction() as db:
            for document_id in document_ids:
                done = db.execute(
                    "UPDATE items SET made_with = ?, chunks = COALESCE(?, chunks) WHERE tenant = ? AND document_id = ?"
                    " AND content_sha256 IS NOT NULL AND made_with IS NOT NULL AND (? IS NULL OR made_with = ?)",
                    (made_with, counts.get(document_id), tenant, document_id, before, before),
                )
                changed += done.rowcount
        return changed

    # Absence

    def take_over(self, tenant: str, source_id: str) -> frozenset[str]:
        """Give this source what lies in it of others: a wider source answers for all that it lists.

        A source lies in it when all of its items do. One that was added by name stays, with its claims; the ids of
        these are returned, since they hold nothing that the wider one has no more.
        """
        contained: set[str] = set()
        with self._database.transaction() as db:
            (own,) = db.execute("SELECT COUNT(*) FROM claims WHERE source_id = ?", (source_id,)).fetchone()
            uri = db.execute("SELECT uri FROM sources WHERE id = ?", (source_id,)).fetchone()
            narrower = db.execute(
                "SELECT claims.source_id AS id, sources.uri AS uri, sources.declared_in AS declared_in,"
                " COUNT(*) AS items, SUM(EXISTS (SELECT 1 FROM claims AS own WHERE own.tenant = claims.tenant"
                " AND own.source_id = :id AND own.uri = claims.uri)) AS shared"
                " FROM claims JOIN sources ON sources.id = claims.source_id"
                " WHERE claims.tenant = :tenant AND claims.source_id <> :id GROUP BY claims.source_id"
                " HAVING items = shared",
                {"tenant": tenant, "id": source_id},
            ).fetchall()
            for row in narrower:
                is_wider = own > row["items"] or row["uri"].startswith(uri["uri"])
                if is_wider and row["declared_in"]:
                    contained.add(row["id"])
                elif is_wider:
                    db.execute("DELETE FROM claims WHERE source_id = ?", (row["id"],))
                    db.execute("DELETE FROM sources WHERE id = ?", (row["id"],))
        return frozenset(contained)

    def absent(
        self,
        tenant: str,
        source_id: str,
        listed: AbstractSet[str] = frozenset(),
        *,
        generation: int | None = None,
        contained: frozenset[str] = frozenset(),
    ) -> list[AbsentItem]:
        """Return the items that the source claims and that are not in ``listed``.

        What a run of a later ``generation`` claimed is left to it. Sources in ``contained`` hold nothing back.
        """
        with self._database.snapshot() as db:
            claims = {
                row["uri"]: row
                for row in db.execute(
                    "SELECT * FROM claims WHERE tenant = ? AND source_id = ? ORDER BY uri", (tenant, source_id)
                )
                if row["uri"] not in listed and (generation is None or row["generation"] <= generation)
            }
            uris = list(claims)
            rows = _rows(db, tenant, uris)
            held = _held_elsewhere(db, tenant, {source_id, *contained}, uris)
            return [
                AbsentItem(
                    uri=uri,
                    row=rows.get(uri),
                    document_id=_document_of(db, tenant, uri, rows.get(uri)),
                    is_held_elsewhere=uri in held,
                    missing_generation=claim["missing_generation"],
                    missing_since=claim["missing_since"],
                    missing_looks=claim["missing_looks"],
                )
                for uri, claim in claims.items()
            ]

    def number_of_claims(self, source_id: str) -> int:
        """Return how many items a source claims."""
        with self._database.snapshot() as db:
            (number,) = db.execute("SELECT COUNT(*) FROM claims WHERE source_id = ?", (source_id,)).fetchone()
        return int(number)

    def mark_missing(
        self, tenant: str, source_id: str, generation: int, run_id: str, items: Sequence[IngestItem]
    ) -> None:
        """Note that a source did not list these items once more."""
        now = time.time()
        with self._database.transaction() as db:
            for item in items:
                db.execute(
                    "UPDATE claims SET missing_generation = COALESCE(missing_generation, ?),"
                    " missing_since = COALESCE(missing_since, ?), missing_looks = missing_looks + 1"
                    " WHERE tenant = ? AND source_id = ? AND uri = ?",
                    (generation, now, tenant, source_id, item.uri),
                )
                before = _row(db, tenant, item.uri)
                if before is not None:
                    _change_state(db, tenant, run_id, item, before)

    def release(self, tenant: str, source_id: str, uris: Sequence[str]) -> None:
        """End the claim of one source on items that another one lists."""
        with self._database.transaction() as db:
            db.executemany(
                "DELETE FROM claims WHERE tenant = ? AND source_id = ? AND uri = ?",
                [(tenant, source_id, uri) for uri in uris],
            )

    def bury(self, tenant: str, run_id: str, items: Sequence[IngestItem], documents: Mapping[str, Document]) -> None:
        """Keep the documents that are about to be deleted, by URI, so that they can be restored."""
        now = time.time()
        with self._database.transaction() as db:
            for item in items:
                row, document = _row(db, tenant, item.uri), documents.get(item.uri)
                if row is not None and document is not None:
                    packed = zlib.compress(document.model_dump_json().encode())
                    values = (tenant, item.uri, document.id, now, run_id, item.reason, json.dumps(dict(row)), packed)
                    db.execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def deleted(self, tenant: str, run_id: str, items: Sequence[IngestItem]) -> None:
        """Write down that the documents of these items have left the store."""
        nothing = ", ".join(f"{column} = NULL" for column in ("code", *_STORED))
        changes = f"state = 'deleted', reason = ?, warnings = '[]', run_id = ?, chunks = 0, pinned = 0, {nothing}"
        with self._database.transaction() as db:
            for item in items:
                db.execute("DELETE FROM claims WHERE tenant = ? AND uri = ?", (tenant, item.uri))
                values = (item.reason, run_id, tenant, item.uri)
                db.execute(f"UPDATE items SET {changes} WHERE tenant = ? AND uri = ?", values)  # noqa: S608
                _write_history(db, run_id, item)

    def tombstones(self, tenant: str, *, uris: Sequence[str] = (), run_id: str | None = None) -> list[Tombstone]:
        """Return deleted documents that can be restored: those of ``uris``, of a run, or all, the latest first."""
        with self._database.snapshot() as db:
            rows = db.execute(
                "SELECT * FROM tombstones WHERE tenant = ? ORDER BY deleted_at DESC, uri", (tenant,)
            ).fetchall()
        return [
            Tombstone(
                uri=row["uri"],
                document_id=row["document_id"],
                deleted_at=datetime.fromtimestamp(row["deleted_at"], UTC),
                run_id=row["run_id"],
                reason=row["reason"],
                item=json.loads(row["item"]),
                document=Document.model_validate_json(zlib.decompress(row["document"])),
            )
            for row in rows
            if (not uris or row["uri"] in uris) and run_id in {None, row["run_id"]}
        ]

    def restore(self, tenant: str, run_id: str, tombstone: Tombstone, item: IngestItem) -> None:
        """Put a row back as it was. It is pinned: no absence deletes it before its source lists it again."""
        row = {**tombstone.item, "state": "added", "reason": item.reason, "run_id": run_id, "pinned": 1}
        with self._database.transaction() as db:
            known = {column["name"] for column in db.execute("PRAGMA table_info(items)")}
            row = {column: value for column, value in row.items() if column in known}
            columns, values = ", ".join(row), ", ".join(f":{column}" for column in row)
            db.execute(f"INSERT OR REPLACE INTO items ({columns}) VALUES ({values})", row)  # noqa: S608
            db.execute("DELETE FROM tombstones WHERE tenant = ? AND uri = ?", (tenant, tombstone.uri))
            _write_history(db, run_id, item)

    def sweep_tombstones(self, older_than_s: float) -> int:
        """Forget what was deleted longer ago; return how many there were."""
        with self._database.transaction() as db:
            return db.execute("DELETE FROM tombstones WHERE deleted_at < ?", (time.time() - older_than_s,)).rowcount

    # Forgetting

    def items_of_source(self, tenant: str, source_id: str) -> list[str]:
        """Return the URIs that a source lists and no other one."""
        with self._database.snapshot() as db:
            rows = db.execute(
                "SELECT uri FROM claims WHERE tenant = ? AND source_id = ? ORDER BY uri", (tenant, source_id)
            ).fetchall()
            uris = [row["uri"] for row in rows]
            held = _held_elsewhere(db, tenant, {source_id}, uris)
        return [uri for uri in uris if uri not in held]

    def parse_keys(self, tenant: str, uris: Sequence[str]) -> list[str]:
        """Return the cache's keys of the parses that these items are made of."""
        with self._database.snapshot() as db:
            keys: list[str] = []
            for some in _groups(uris):
                marks = ", ".join("?" * len(some))
                query = f"SELECT parse_key FROM items WHERE tenant = ? AND uri IN ({marks})"  # noqa: S608
                keys += [row["parse_key"] for row in db.execute(query, (tenant, *some)) if row["parse_key"]]
        return keys

    def list_tenants(self) -> set[str]:
        """Return the tenants that have items."""
        with self._database.snapshot() as db:
            return {row["tenant"] for row in db.execute("SELECT DISTINCT tenant FROM items")}

    def find_stored_times(self, tenant: str) -> dict[str, datetime]:
        """Return when each stored document was stored in its present form, by its id."""
        statement = (
            "SELECT document_id, stored_at FROM items "
            "WHERE tenant = ? AND content_sha256 IS NOT NULL AND stored_at IS NOT NULL"
        )
        with self._database.snapshot() as db:
            rows = db.execute(statement, (tenant,)).fetchall()
        return {row["document_id"]: datetime.fromisoformat(row["stored_at"]) for row in rows}

    def forget(self, tenant: str, uris: Sequence[str]) -> None:
        """Remove every trace of these items: rows, claims, history, tombstones. The file keeps no copy of them."""
        with self._database.connection() as db:
            db.execute("PRAGMA secure_delete = ON")
        with self._database.transaction() as db:
            runs = "SELECT run_id FROM runs WHERE tenant = ?"
            for uri in uris:
                for table in ("items", "claims", "tombstones"):
                    db.execute(f"DELETE FROM {table} WHERE tenant = ? AND uri = ?", (tenant, uri))  # noqa: S608
                db.execute(f"DELETE FROM history WHERE uri = ? AND run_id IN ({runs})", (uri, tenant))  # noqa: S608
        with self._database.connection() as db:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # Reading

    def near_duplicate(self, tenant: str, uri: str) -> str | None:
        """Return the first URI (in order) of another stored item with almost the same text."""
        with self._database.snapshot() as db:
            own = _row(db, tenant, uri)
            if own is None or own["simhash"] is None:
                return None
            value = int(own["simhash"], 16)
            alike: set[str] = set()
            for i, band in enumerate(bands(value)):
                # Left to itself SQLite takes the primary key and reads the whole tenant.
                table = f"items INDEXED BY by_band{i}"
                query = f"SELECT uri, simhash FROM {table} WHERE tenant = ? AND band{i} = ? AND uri <> ?"  # noqa: S608
                rows = db.execute(query, (tenant, band, uri))
                alike |= {row["uri"] for row in rows if near(value, int(row["simhash"], 16))}
        return min(alike, default=None)

    def warn(self, tenant: str, run_id: str, item: IngestItem) -> None:
        """Replace the warnings of an item in its row and in the run."""
        with self._database.transaction() as db:
            warnings = json.dumps(item.warnings)
            db.execute("UPDATE items SET warnings = ? WHERE tenant = ? AND uri = ?", (warnings, tenant, item.uri))
            _write_history(db, run_id, item)

    def items(self, tenant: str, *, state: ItemState | None = None, run_id: str | None = None) -> list[IngestItem]:
        """Return the current state of every item, or what one run changed, by URI."""
        table, given = ("items", [tenant]) if run_id is None else ("history", [run_id, tenant])
        chosen = "tenant = ?"
        if run_id is not None:
            chosen = "run_id = ? AND EXISTS (SELECT 1 FROM runs WHERE runs.run_id = history.run_id AND tenant = ?)"
        if state is not None:
            chosen, given = f"{chosen} AND state = ?", [*given, state]
        with self._database.snapshot() as db:
            rows = db.execute(f"SELECT {_ITEM} FROM {table} WHERE {chosen} ORDER BY uri", given).fetchall()  # noqa: S608
        return [IngestItem(**{**dict(row), "warnings": tuple(json.loads(row["warnings"]))}) for row in rows]

    def figures(self, tenant: str) -> list[ItemFigures]:
        """Return what there is to count of every item, by URI."""
        columns = ", ".join(ItemFigures._fields)
        with self._database.snapshot() as db:
            rows = db.execute(f"SELECT {columns} FROM items WHERE tenant = ? ORDER BY uri", (tenant,)).fetchall()  # noqa: S608
        return [_make_figures(row) for row in rows]

    def runs(self, tenant: str) -> list[dict[str, str | None]]:
        """Return ``run_id, sources, started_at, ended_at, counts`` of every run, the newest first.

        Sources and counts are JSON. A killed run has no end.
        """
        with self._database.snapshot() as db:
            rows = db.execute("SELECT * FROM runs WHERE tenant = ? ORDER BY started_at DESC, run_id", (tenant,))
            return [dict(row) for row in rows]

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._database.close()


def _claim(db: sqlite3.Connection, tenant: str, source_id: str, generation: int, uris: Sequence[str]) -> None:
    """Claim items. A claim that is there stays as it is, unless its item was missing: most are, and cost no write."""
    db.executemany(
        "INSERT INTO claims (tenant, source_id, uri, generation) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET generation = excluded.generation, missing_generation = NULL,"
        " missing_since = NULL, missing_looks = 0 WHERE missing_looks > 0 OR missing_since IS NOT NULL",
        [(tenant, source_id, uri, generation) for uri in uris],
    )


def _row(db: sqlite3.Connection, tenant: str, uri: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute("SELECT * FROM items WHERE tenant = ? AND uri = ?", (tenant, uri)).fetchone()
    return found


def _rows(db: sqlite3.Connection, tenant: str, uris: Sequence[str]) -> dict[str, LedgerRow]:
    rows: dict[str, LedgerRow] = {}
    for some in _groups(uris):
        marks = ", ".join("?" * len(some))
        query = f"SELECT * FROM items WHERE tenant = ? AND uri IN ({marks})"  # noqa: S608
        rows |= {row["uri"]: _ledger_row(row) for row in db.execute(query, (tenant, *some))}
    return rows


def _held_elsewhere(db: sqlite3.Connection, tenant: str, own_ids: AbstractSet[str], uris: Sequence[str]) -> set[str]:
    """Return those that a source other than ``own_ids`` lists, and did list the last time that it looked."""
    held: set[str] = set()
    own = sorted(own_ids)
    own_marks = ", ".join("?" * len(own))
    for some in _groups(uris):
        marks = ", ".join("?" * len(some))
        query = (
            f"SELECT uri FROM claims WHERE tenant = ? AND uri IN ({marks}) AND source_id NOT IN ({own_marks})"  # noqa: S608
            " AND missing_since IS NULL"
        )
        held |= {row["uri"] for row in db.execute(query, (tenant, *some, *own))}
    return held


def _admission(
    db: sqlite3.Connection, tenant: str, uri: str, row: LedgerRow | None, is_held_elsewhere: bool
) -> Admission:
    if row is not None:
        return Admission(row, row.document_id, is_held_elsewhere)
    own = Document.id_for(uri, tenant)
    document_id = digest("document", tenant, uri, "reused")[:32] if _is_document_held(db, tenant, own) else own
    return Admission(None, document_id, is_held_elsewhere)


def _document_of(db: sqlite3.Connection, tenant: str, uri: str, row: LedgerRow | None) -> str | None:
    if row is not None:
        return row.document_id
    own = Document.id_for(uri, tenant)
    return None if _is_document_held(db, tenant, own) else own


def _is_document_held(db: sqlite3.Connection, tenant: str, document_id: str) -> bool:
    held = db.execute("SELECT 1 FROM items WHERE tenant = ? AND document_id = ?", (tenant, document_id)).fetchone()
    return held is not None


def _move(db: sqlite3.Connection, tenant: str, before: str, after: str) -> None:
    db.execute("DELETE FROM claims WHERE tenant = ? AND uri = ?", (tenant, before))
    db.execute(
        "UPDATE items SET uri = ?, version = NULL, made_with = NULL WHERE tenant = ? AND uri = ?",
        (after, tenant, before),
    )


def _record(db: sqlite3.Connection, tenant: str, run_id: str, outcome: Outcome) -> None:
    item = outcome.item
    before = _row(db, tenant, item.uri)
    row = {
        "document_id": outcome.document_id,
        "source": outcome.source,
        "listing": outcome.listing.model_dump_json(),
        "state": item.state,
        "reason": item.reason,
        "code": item.code,
        "warnings": json.dumps(item.warnings),
        "run_id": run_id,
        "attempt": outcome.attempt,
        "pinned": 0,
        **_stored_columns(outcome, before),
    }
    key = {"tenant": tenant, "uri": item.uri}
    if before is None:
        fields = {**key, **row}
        columns, values = ", ".join(fields), ", ".join(f":{column}" for column in fields)
        db.execute(f"INSERT INTO items ({columns}) VALUES ({values})", fields)  # noqa: S608
    else:
        # Columns that stay are left out: naming one writes the page of its index again.
        changes = {column: value for column, value in row.items() if before[column] != value}
        assignments = ", ".join(f"{column} = :{column}" for column in changes)
        if changes:
            db.execute(f"UPDATE items SET {assignments} WHERE tenant = :tenant AND uri = :uri", {**changes, **key})  # noqa: S608
    if _is_news(item, before):
        _write_history(db, run_id, item)


def _change_state(db: sqlite3.Connection, tenant: str, run_id: str, item: IngestItem, before: sqlite3.Row) -> None:
    """Change the state alone: what is stored stays as it is."""
    db.execute(
        "UPDATE items SET state = ?, reason = ?, run_id = ? WHERE tenant = ? AND uri = ?",
        (item.state, item.reason, run_id, tenant, item.uri),
    )
    if _is_news(item, before):
        _write_history(db, run_id, item)


def _is_news(item: IngestItem, before: sqlite3.Row | None) -> bool:
    """Return whether the history has to hear of it: what stayed as it was, and why, is in the item's row already."""
    if item.state == "unchanged":
        return False
    return before is None or (before["state"], before["reason"]) != (item.state, item.reason) or bool(item.chunks)


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
            "text_sha256": stored.text_sha256,
            "parse_key": stored.parse_key,
            "stored_at": _now(),
            "left_out": json.dumps(dict(stored.left_out), sort_keys=True),
            **dict(zip(_BANDS, marks, strict=True)),
        }
    if before is None or outcome.gone:
        return {"chunks": 0, **dict.fromkeys(_STORED)}
    kept = {column: before[column] for column in ("chunks", *_STORED)}
    return {**kept, "version": outcome.version or before["version"]}


def _write_history(db: sqlite3.Connection, run_id: str, item: IngestItem) -> None:
    warnings = json.dumps(item.warnings)
    db.execute(
        "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (run_id, item.uri, item.document_id, item.state, item.reason, item.code, item.chunks, warnings),
    )


_PLAIN: Final = tuple(
    name for name in LedgerRow.__dataclass_fields__ if name not in {"listing_json", "warnings", "pinned"}
)


def _ledger_row(row: sqlite3.Row) -> LedgerRow:
    warnings = row["warnings"]
    return LedgerRow(
        **{name: row[name] for name in _PLAIN},
        warnings=() if warnings == "[]" else tuple(json.loads(warnings)),
        listing_json=row["listing"],
        pinned=bool(row["pinned"]),
    )


def _make_figures(row: sqlite3.Row) -> ItemFigures:
    left_out = row["left_out"]
    parsed = {
        "warnings": () if row["warnings"] == "[]" else tuple(json.loads(row["warnings"])),
        "left_out": None if left_out is None else json.loads(left_out),
    }
    return ItemFigures(**{**dict(row), **parsed})


def _part_range(container: str) -> tuple[str, str]:
    """Return the bounds of the addresses ``container#...``; ``$`` is the character after ``#``."""
    return f"{container}#", f"{container}$"


def _groups(uris: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(uris), _MOST_VARIABLES):
        yield uris[start : start + _MOST_VARIABLES]


def _now() -> str:
    return datetime.now(UTC).isoformat()
