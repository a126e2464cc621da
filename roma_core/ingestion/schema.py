"""Tables of the ledger, as steps that lead from the first version to that of today."""

from __future__ import annotations

from typing import Final

from roma_core.database import Schema

TABLES_OF_2026: Final = """
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

SOURCES: Final = """
CREATE TABLE sources (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, uri TEXT NOT NULL, kind TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '', declared_in TEXT NOT NULL DEFAULT '', options TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT '{}',
    last_started_at TEXT, last_ended_at TEXT, last_complete_at TEXT, last_counts TEXT NOT NULL DEFAULT '{}',
    last_failure TEXT NOT NULL DEFAULT '', UNIQUE (tenant, uri));
INSERT INTO sources (id, tenant, uri, created_at)
    SELECT lower(hex(randomblob(8))), tenant, source, strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')
    FROM (SELECT DISTINCT tenant, source FROM claims);
CREATE TABLE claims_of_sources (
    tenant TEXT NOT NULL, source_id TEXT NOT NULL, uri TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 0,
    missing_generation INTEGER, missing_since REAL, missing_looks INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, source_id, uri)) WITHOUT ROWID;
INSERT INTO claims_of_sources (tenant, source_id, uri)
    SELECT claims.tenant, sources.id, claims.uri FROM claims
    JOIN sources ON sources.tenant = claims.tenant AND sources.uri = claims.source;
DROP INDEX by_claimed;
DROP TABLE claims;
ALTER TABLE claims_of_sources RENAME TO claims;
CREATE INDEX by_claimed ON claims (tenant, uri);
CREATE TABLE leases (
    source_id TEXT PRIMARY KEY, holder TEXT NOT NULL, run_id TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
    process TEXT NOT NULL, started_at REAL NOT NULL, beat_at REAL NOT NULL);
CREATE TABLE tombstones (
    tenant TEXT NOT NULL, uri TEXT NOT NULL, document_id TEXT NOT NULL, deleted_at REAL NOT NULL, run_id TEXT NOT NULL,
    reason TEXT NOT NULL, item TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (tenant, uri));
CREATE INDEX by_deletion ON tombstones (deleted_at);
ALTER TABLE items ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN text_sha256 TEXT;
ALTER TABLE items ADD COLUMN parse_key TEXT;
ALTER TABLE runs ADD COLUMN counts TEXT;
"""
"""Items belong to a source by its id; a source has generations, an owner while it is read, and the deleted a grave."""

STORED_AT: Final = """
ALTER TABLE items ADD COLUMN stored_at TEXT;
UPDATE items SET stored_at = substr(run_id, 1, 4) || '-' || substr(run_id, 5, 2) || '-' || substr(run_id, 7, 2) || 'T'
    || substr(run_id, 10, 2) || ':' || substr(run_id, 12, 2) || ':' || substr(run_id, 14, 2) || '+00:00'
    WHERE content_sha256 IS NOT NULL AND run_id GLOB '????????T??????-*';
"""
"""Items know when their document was stored; those of before, when their row was last written, which is no earlier."""

LOSSES: Final = "ALTER TABLE items ADD COLUMN left_out TEXT"
"""Number of parts that a parser left out of a document, by reason, as JSON; NULL where it was not counted."""

LEDGER: Final = Schema("ledger", "The ledger", (TABLES_OF_2026, SOURCES, STORED_AT, LOSSES), page_bytes=1024)
