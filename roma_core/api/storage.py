"""The service's own tables: accounts, tokens and ingest jobs. ``roma token`` uses them while the server runs.

They are a SQLite file of the workspace. Accounts, sign-ins and tokens lie in PostgreSQL where ``ROMA_DATABASE_URL``
names one, so that replicas on several hosts know the same people.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roma_core.connectors.sources import redact_uri
from roma_core.database import Database, Schema, StateDatabase, storage_error
from roma_core.serverdatabase import FileOfBefore, ServerDatabase
from roma_core.workspace import Workspace, mark_required, private_file

if TYPE_CHECKING:
    from alembic.operations import Operations

BUSY_S = 5.0
"""Requests wait no longer for another process."""

TABLES_OF_2026 = """
CREATE TABLE IF NOT EXISTS tokens (
  id TEXT PRIMARY KEY, hash TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, tenant TEXT NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT);
CREATE TABLE IF NOT EXISTS ingest_jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, sources TEXT NOT NULL,
  addresses TEXT, confined INTEGER NOT NULL, retry_failed INTEGER NOT NULL, key TEXT, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, owner TEXT, lease_until REAL, cancel INTEGER NOT NULL DEFAULT 0, progress TEXT,
  report TEXT, failure TEXT, created_at TEXT NOT NULL, started_at TEXT, finished_at TEXT, UNIQUE (tenant, key));
CREATE INDEX IF NOT EXISTS ingest_jobs_by_state ON ingest_jobs (state, number);
CREATE INDEX IF NOT EXISTS ingest_jobs_by_tenant ON ingest_jobs (tenant, number);
CREATE INDEX IF NOT EXISTS ingest_jobs_by_start ON ingest_jobs (tenant, started_at);
CREATE TABLE IF NOT EXISTS ingest_rows (
  job INTEGER NOT NULL, position INTEGER NOT NULL, item TEXT NOT NULL, PRIMARY KEY (job, position)) WITHOUT ROWID;
"""


OWNERS = """
ALTER TABLE tokens ADD COLUMN owner TEXT;
ALTER TABLE ingest_jobs ADD COLUMN submitter TEXT;
"""
"""The users that tokens and jobs belong to; NULL for a token that stands for itself and for a job of before."""


ACCOUNTS = """
CREATE TABLE users (
  name TEXT PRIMARY KEY, tenant TEXT NOT NULL, password TEXT, roles TEXT NOT NULL, groups TEXT NOT NULL,
  created_at TEXT NOT NULL, disabled_at TEXT);
CREATE TABLE invitations (hash TEXT PRIMARY KEY, user TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE logins (
  id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, user TEXT NOT NULL, created_at TEXT NOT NULL, seen_at TEXT NOT NULL,
  ended_at TEXT, address TEXT NOT NULL);
"""


SINGLE_SIGN_ON = """
CREATE TABLE identities (
  provider TEXT NOT NULL, subject TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (provider, subject)) WITHOUT ROWID;
CREATE INDEX identities_by_user ON identities (user);
CREATE TABLE pending_sign_ins (
  state TEXT PRIMARY KEY, way TEXT NOT NULL, browser TEXT NOT NULL, nonce TEXT NOT NULL, verifier TEXT NOT NULL,
  place TEXT NOT NULL, created_at TEXT NOT NULL, person TEXT);
CREATE TABLE spent_assertions (id TEXT PRIMARY KEY, expires_at TEXT NOT NULL) WITHOUT ROWID;
ALTER TABLE logins ADD COLUMN way TEXT NOT NULL DEFAULT 'account';
ALTER TABLE logins ADD COLUMN id_token TEXT;
"""
"""Whom identity providers know, the sign-ins that have begun there, and the SAML assertions that were used."""


PRIORITIES = """
ALTER TABLE ingest_jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
"""
"""Order of a tenant's waiting jobs; a higher one goes first."""


def adopt_first_jobs(op: Operations) -> None:
    """Take over the waiting jobs of the first servers' table ``jobs``, and drop it: its history held secrets."""
    import sqlalchemy as sa

    database = op.get_bind()
    if not sa.inspect(database).has_table("jobs"):
        return
    waiting = sa.text("SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY number")
    insert = sa.text(
        "INSERT INTO ingest_jobs (id, tenant, sources, addresses, confined, retry_failed, state, created_at) "
        "VALUES (:id, :tenant, :sources, :addresses, 1, :retry_failed, 'queued', :created_at)"
    )
    for row in database.execute(waiting).mappings().all():
        addresses: list[str] = json.loads(row["sources"])
        job = {name: row[name] for name in ("id", "tenant", "retry_failed")}
        job |= {"addresses": row["sources"], "sources": json.dumps([redact_uri(address) for address in addresses])}
        job["created_at"] = datetime.now(UTC).isoformat()
        database.execute(insert, job)
    op.drop_table("jobs")


SERVICE = Schema(
    "service",
    "The service's database",
    (TABLES_OF_2026, adopt_first_jobs, OWNERS, ACCOUNTS, SINGLE_SIGN_ON, PRIORITIES),
    # The addresses of jobs hold secrets until they end; a sign-in that has begun holds its verifier.
    not_copied=("jobs", "ingest_jobs", "ingest_rows", "pending_sign_ins"),
)


ACCOUNT_TABLES: Final = (
    "tokens",
    "users",
    "invitations",
    "logins",
    "identities",
    "pending_sign_ins",
    "spent_assertions",
)
"""The tables of people that replicas share by a server."""
ACCOUNTS_ON_SERVER: Final = SERVICE.select_tables("accounts", "The database of accounts", ACCOUNT_TABLES)


JOB_TABLES: Final = ("ingest_jobs", "ingest_rows")
"""The queue of jobs, which a server holds unless it lies in Redis (``ROMA_QUEUE_URL``)."""
JOBS_ON_SERVER: Final = SERVICE.select_tables("jobs", "The queue of ingest jobs", JOB_TABLES)


def open_accounts(folder: Path, server_url: str | None = None) -> StateDatabase:
    """Return the database of accounts, sign-ins and tokens: of a workspace, or of the server at ``server_url``.

    What the workspace holds of them is taken over by a server that has none yet, and is removed in the workspace.
    """
    return (
        open_service(folder)
        if server_url is None
        else _open_server(folder, server_url, ACCOUNTS_ON_SERVER, ACCOUNT_TABLES)
    )


def open_jobs(folder: Path, server_url: str | None = None) -> StateDatabase:
    """Return the database of ingest jobs: of a workspace, or of the server at ``server_url``, see ``open_accounts``."""
    return open_service(folder) if server_url is None else _open_server(folder, server_url, JOBS_ON_SERVER, JOB_TABLES)


def has_accounts_database(folder: Path, server_url: str | None) -> bool:
    """Return whether there is a database of accounts without making one."""
    return server_url is not None or Workspace(folder).service.exists()


@cache
def _open_server(folder: Path, server_url: str, schema: Schema, tables: tuple[str, ...]) -> ServerDatabase:
    """Return ``tables`` at the server. All parts of a process share its connections."""
    return ServerDatabase(server_url, schema, before=FileOfBefore(open_service(folder), tables))


def open_service(folder: Path) -> Database:
    """Return the database of a workspace. It is opened for each transaction and outlives a power cut.

    Opening costs about 0.1 ms, holds no lock, and survives a folder that is taken away and put back.
    """
    # secure_delete: what a job's address held is gone from the file too
    return Database(
        Workspace(folder).service,
        SERVICE,
        busy_s=BUSY_S,
        synchronous="FULL",
        stays_open=False,
        pragmas=("secure_delete = ON",),
    )


def keep_file(folder: Path) -> None:
    """Create the file once, when a server begins; it is never created again. Raises ``StoreError``."""
    path = Workspace(folder).service
    try:
        private_file(path)  # it holds hashes of tokens
    except OSError as error:
        raise storage_error(error, SERVICE, path) from None
    mark_required(path)
