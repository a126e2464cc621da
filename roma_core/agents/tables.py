"""The tables of conversations, and the statements on them. Blocking; ``sessions`` calls them in a thread.

Portable between SQLite and PostgreSQL. A transaction that writes writes first: SQLite then waits for its turn instead
of failing on a snapshot that has grown old.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from roma_core.sqlite import use_wal

BUSY_S = 10.0
_MAKING_TABLES = 0x726F6D61
"""Key of the lock under which PostgreSQL's tables are made: any number that others are unlikely to use."""
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


def connect(url: str) -> Engine:
    """An engine with its tables made. Several processes may do so at once, hence no look before the leap."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        engine = create_engine(parsed, pool_pre_ping=True)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # its IF NOT EXISTS fails when two transactions make the same table
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_S)}")
    use_wal(connection, BUSY_S)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


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


def of_session(tenant: str, session_id: str) -> tuple[Any, Any]:
    """Conditions that pick the turns of one session."""
    return turns.c.tenant == tenant, turns.c.session_id == session_id


def summaries(connection: Connection, tenant: str, limit: int, prefix: str = "") -> list[dict[str, Any]]:
    """Sessions of the tenant whose ids begin with ``prefix``, with their numbers of turns, the one used last first."""
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
    return [in_utc(row) for row in connection.execute(statement).mappings()]


def in_utc(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as a dict; SQLite forgets that its times are UTC."""
    return {
        str(key): value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for key, value in row.items()
    }
