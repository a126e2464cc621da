"""Tables of conversations, and the statements on them. Blocking; ``service`` calls them in a thread.

Portable between SQLite and PostgreSQL. A transaction that writes writes first: SQLite then waits for its turn instead
of failing on a snapshot that has grown old.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from roma_core import database
from roma_core.errors import ConfigError, ErrorCode
from roma_core.workspace import identity, private_file

if TYPE_CHECKING:
    from alembic.operations import Operations

BUSY_S = 10.0
_MIGRATION_LOCK = 0x726F6D61
"""Key of the lock under which PostgreSQL's tables are changed: any number that others are unlikely to use."""
metadata = MetaData()

sessions = Table(
    "roma_sessions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
turns = Table(
    "roma_turns",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String(200), nullable=False),
    Column("session_id", String(200), nullable=False),
    Column("question", Text, nullable=False),
    Column("standalone", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("answer_id", String(64), nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("model", Text, nullable=False),
    Column("references", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["tenant", "session_id"], ["roma_sessions.tenant", "roma_sessions.id"], ondelete="CASCADE"),
    Index("roma_turns_of_session", "tenant", "session_id", "position"),
)
feedback = Table(
    "roma_feedback",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("answer_id", String(64), primary_key=True),
    Column("session_id", String(200), primary_key=True),
    Column("rating", String(8), nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


def _create_tables(op: Operations) -> None:
    op.create_table(
        "roma_sessions",
        Column("tenant", String(200), primary_key=True),
        Column("id", String(200), primary_key=True),
        Column("title", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "roma_turns",
        Column("position", Integer, primary_key=True, autoincrement=True),
        Column("tenant", String(200), nullable=False),
        Column("session_id", String(200), nullable=False),
        Column("question", Text, nullable=False),
        Column("standalone", Text, nullable=False),
        Column("answer", Text, nullable=False),
        Column("answer_id", String(64), nullable=False),
        Column("answered", Boolean, nullable=False),
        Column("model", Text, nullable=False),
        Column("references", JSON, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        ForeignKeyConstraint(
            ["tenant", "session_id"], ["roma_sessions.tenant", "roma_sessions.id"], ondelete="CASCADE"
        ),
        if_not_exists=True,
    )
    op.create_index("roma_turns_of_session", "roma_turns", ["tenant", "session_id", "position"], if_not_exists=True)
    op.create_table(
        "roma_feedback",
        Column("tenant", String(200), primary_key=True),
        Column("answer_id", String(64), primary_key=True),
        Column("session_id", String(200), primary_key=True),
        Column("rating", String(8), nullable=False),
        Column("comment", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )


SESSIONS = database.Schema(
    "sessions",
    "The database of conversations",
    (_create_tables,),
    consequence="conversations and feedback cannot be kept",
)
"""The steps to the tables above; a test compares them."""


def connect(url: str) -> Engine:
    """Return an engine whose tables are up to date. Several processes may ask at once.

    Raises ``ConfigError`` for an address that cannot be read and for a driver that is not installed.
    """
    try:
        parsed = make_url(url)
        path = find_file(parsed)
        return _make_file_engine(parsed, path) if path is not None else _make_server_engine(parsed)
    except ArgumentError:
        raise ConfigError("ROMA_DATABASE_URL is no SQLAlchemy URL like postgresql+psycopg://user@host/db.") from None
    except ModuleNotFoundError as missing:
        package = "roma-core[postgres]" if missing.name == "psycopg" else missing.name
        raise ConfigError(
            f"ROMA_DATABASE_URL needs a driver that is not installed: pip install '{package}'.",
            ErrorCode.DEPENDENCY_MISSING,
            details={"module": missing.name or ""},
        ) from None


def find_file(url: URL) -> Path | None:
    """Return the SQLite file that ``url`` names; None for a server."""
    name = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and name not in {"", ":memory:"} and not name.startswith("file:")
    return Path(name) if is_file else None


def _make_file_engine(url: URL, path: Path) -> Engine:
    """Make an engine over a SQLite file, and create the file.

    It is created only here: one that disappears later is not replaced by an empty file.
    """
    private_file(path)
    engine = create_engine(url, creator=partial(_connect_file, path))
    event.listen(engine, "connect", lambda _, record: record.info.update(file=identity(path)))
    event.listen(engine, "checkout", partial(_require_same_file, path))
    event.listen(engine, "checkin", _drop_when_alone)
    return engine


def _require_same_file(path: Path, connection: Any, record: Any, _proxy: Any) -> None:
    """Refuse a connection to a file that was moved away, deleted or replaced: the pool makes a new one."""
    if identity(path) != record.info["file"]:
        raise DisconnectionError
    database.refuse_newer(connection, path, SESSIONS)


def _drop_when_alone(connection: Any, record: Any) -> None:
    if connection is not None and database.is_alone(connection):
        record.invalidate()


def _connect_file(path: Path) -> sqlite3.Connection:
    connection = database.connect(path, SESSIONS, busy_s=BUSY_S, may_create=False)
    connection.row_factory = None  # SQLAlchemy makes its own rows
    connection.execute("PRAGMA foreign_keys = ON")
    connection.isolation_level = "DEFERRED"  # the driver begins transactions, as SQLAlchemy expects
    return connection


def _make_server_engine(url: URL) -> Engine:
    engine = create_engine(url) if url.get_backend_name() == "sqlite" else create_engine(url, pool_pre_ping=True)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # its IF NOT EXISTS fails when two transactions make the same table
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        database.bring_server_up_to_date(connection, SESSIONS)
    return engine


def upsert(connection: Connection, table: Table, row: Mapping[str, Any], update: tuple[str, ...]) -> None:
    """Insert, or set the columns ``update`` of the row with the same primary key."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: getattr(statement.excluded, name) for name in update},
        )
    )


def match_session(tenant: str, session_id: str) -> tuple[Any, Any]:
    """Return the conditions that select the turns of one session."""
    return turns.c.tenant == tenant, turns.c.session_id == session_id


def select_summaries(connection: Connection, tenant: str, limit: int, prefix: str = "") -> list[dict[str, Any]]:
    """Select the sessions whose ids begin with ``prefix``, with their numbers of turns, the last used first."""
    joined = sessions.outerjoin(turns, (turns.c.tenant == sessions.c.tenant) & (turns.c.session_id == sessions.c.id))
    statement = (
        select(
            sessions.c.id,
            sessions.c.title,
            sessions.c.created_at,
            sessions.c.updated_at,
            func.count(turns.c.position).label("turns"),
        )
        .select_from(joined)
        .where(sessions.c.tenant == tenant, func.substr(sessions.c.id, 1, len(prefix)) == prefix)
        .group_by(sessions.c.tenant, sessions.c.id, sessions.c.title, sessions.c.created_at, sessions.c.updated_at)
        .order_by(sessions.c.updated_at.desc(), sessions.c.id)
        .limit(limit)
    )
    return [with_utc_times(row) for row in connection.execute(statement).mappings()]


def with_utc_times(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as a dict; SQLite forgets that its times are UTC."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        is_naive = isinstance(value, datetime) and value.tzinfo is None
        values[str(name)] = value.replace(tzinfo=UTC) if is_naive else value
    return values
