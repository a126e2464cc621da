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
from sqlalchemy.exc import DisconnectionError

from roma_core import database
from roma_core.rowsecurity import (
    enter_tenant,
    isolate_tenants,
    lock_migrations,
    translate_address_errors,
)
from roma_core.workspace import identity, private_file

if TYPE_CHECKING:
    from alembic.operations import Operations

    from roma_core.types import Principal

BUSY_S = 10.0
metadata = MetaData()

sessions = Table(
    "roma_sessions",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("owner", String(200), primary_key=True),
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
    Column("owner", String(200), nullable=False),
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
        ["tenant", "owner", "session_id"],
        ["roma_sessions.tenant", "roma_sessions.owner", "roma_sessions.id"],
        ondelete="CASCADE",
    ),
    Index("roma_turns_of_user", "tenant", "owner", "session_id", "position"),
)
feedback = Table(
    "roma_feedback",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("owner", String(200), primary_key=True),
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


def _add_owners(op: Operations) -> None:
    """Give every row an owner. The console's ids begin with a token; all else belongs to the user of this machine.

    A primary key cannot be changed in SQLite, so each table is made again beside the old one.
    """
    db = op.get_bind()
    for table in ("roma_turns", "roma_feedback", "roma_sessions"):
        op.rename_table(table, f"{table}_before")
    if db.dialect.name == "postgresql":  # constraints and indexes keep their names, which the new tables need
        for table in ("roma_turns", "roma_feedback", "roma_sessions"):
            db.exec_driver_sql(f"ALTER TABLE {table}_before DROP CONSTRAINT {table}_pkey CASCADE")
    op.create_table(
        "roma_sessions",
        Column("tenant", String(200), primary_key=True),
        Column("owner", String(200), primary_key=True),
        Column("id", String(200), primary_key=True),
        Column("title", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "roma_turns",
        Column("position", Integer, primary_key=True, autoincrement=True),
        Column("tenant", String(200), nullable=False),
        Column("owner", String(200), nullable=False),
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
            ["tenant", "owner", "session_id"],
            ["roma_sessions.tenant", "roma_sessions.owner", "roma_sessions.id"],
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "roma_feedback",
        Column("tenant", String(200), primary_key=True),
        Column("owner", String(200), primary_key=True),
        Column("answer_id", String(64), primary_key=True),
        Column("session_id", String(200), primary_key=True),
        Column("rating", String(8), nullable=False),
        Column("comment", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
    )
    for table, key, columns in _COPIED:
        is_of_token = f"substr({key}, 1, 6) = 'token:' AND substr({key}, 19, 1) = ':'"
        owner = f"CASE WHEN {is_of_token} THEN substr({key}, 1, 18) ELSE 'local' END"
        db.exec_driver_sql(f"INSERT INTO {table} (owner, {columns}) SELECT {owner}, {columns} FROM {table}_before")  # noqa: S608
    for table, _, _ in reversed(_COPIED):  # what refers to another table goes before it
        op.drop_table(f"{table}_before")
    op.create_index("roma_turns_of_user", "roma_turns", ["tenant", "owner", "session_id", "position"])


def _isolate_tenants(op: Operations) -> None:
    isolate_tenants(op, _OWNED_TABLES)


_OWNED_TABLES = ("roma_sessions", "roma_turns", "roma_feedback")
_COPIED = (
    ("roma_sessions", "id", "tenant, id, title, created_at, updated_at"),
    (
        "roma_turns",
        "session_id",
        'tenant, session_id, question, standalone, answer, answer_id, answered, model, "references", created_at',
    ),
    ("roma_feedback", "session_id", "tenant, answer_id, session_id, rating, comment, created_at"),
)
"""Tables in the order in which they are copied, with the column that names the conversation, and their columns."""

SESSIONS = database.Schema(
    "sessions",
    "The database of conversations",
    (_create_tables, _add_owners, _isolate_tenants),
    consequence="conversations and feedback cannot be kept",
)
"""The steps to the tables above; a test compares them."""


def connect(url: str) -> Engine:
    """Return an engine whose tables are up to date. Several processes may ask at once.

    Raises ``ConfigError`` for an address that cannot be read and for a driver that is not installed.
    """
    with translate_address_errors():
        parsed = make_url(url)
        path = find_file(parsed)
        return _make_file_engine(parsed, path) if path is not None else _make_server_engine(parsed)


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
    connection.execute("PRAGMA secure_delete = ON")
    connection.isolation_level = "DEFERRED"  # the driver begins transactions, as SQLAlchemy expects
    return connection


def _make_server_engine(url: URL) -> Engine:
    engine = create_engine(url) if url.get_backend_name() == "sqlite" else create_engine(url, pool_pre_ping=True)
    with engine.begin() as connection:
        lock_migrations(connection)
        enter_tenant(connection, None)
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


def is_own(table: Table, who: Principal) -> Any:
    """Return the condition that selects the rows of a user: the one place where tenant and owner are applied."""
    return (table.c.tenant == who.tenant) & (table.c.owner == who.subject)


def match_session(who: Principal, session_id: str) -> tuple[Any, Any]:
    """Return the conditions that select the turns of one session."""
    return is_own(turns, who), turns.c.session_id == session_id


def select_summaries(connection: Connection, who: Principal, limit: int, prefix: str = "") -> list[dict[str, Any]]:
    """Select the sessions whose ids begin with ``prefix``, with their numbers of turns, the last used first."""
    is_of_session = (
        (turns.c.tenant == sessions.c.tenant)
        & (turns.c.owner == sessions.c.owner)
        & (turns.c.session_id == sessions.c.id)
    )
    joined = sessions.outerjoin(turns, is_of_session)
    statement = (
        select(
            sessions.c.id,
            sessions.c.title,
            sessions.c.created_at,
            sessions.c.updated_at,
            func.count(turns.c.position).label("turns"),
        )
        .select_from(joined)
        .where(is_own(sessions, who), func.substr(sessions.c.id, 1, len(prefix)) == prefix)
        .group_by(*sessions.c)
        .order_by(sessions.c.updated_at.desc(), sessions.c.id)
        .limit(limit)
    )
    return [with_utc_times(row) for row in connection.execute(statement).mappings()]


def select_feedback(connection: Connection, tenant: str, rating: str | None, limit: int) -> list[dict[str, Any]]:
    """Select the ratings of all users of a tenant with the questions they are about, the newest first."""
    is_turn = (
        (turns.c.tenant == feedback.c.tenant)
        & (turns.c.owner == feedback.c.owner)
        & (turns.c.session_id == feedback.c.session_id)
        & (turns.c.answer_id == feedback.c.answer_id)
    )
    last_turn = select(func.max(turns.c.position)).where(is_turn).correlate(feedback).scalar_subquery()
    statement = (
        select(*feedback.c, func.coalesce(turns.c.question, "").label("question"), turns.c.answered)
        .select_from(feedback.outerjoin(turns, turns.c.position == last_turn))
        .where(feedback.c.tenant == tenant)
        .order_by(feedback.c.created_at.desc(), feedback.c.answer_id, feedback.c.owner)
        .limit(limit)
    )
    if rating is not None:
        statement = statement.where(feedback.c.rating == rating)
    return [with_utc_times(row) for row in connection.execute(statement).mappings()]


def with_utc_times(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as a dict; SQLite forgets that its times are UTC."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        is_naive = isinstance(value, datetime) and value.tzinfo is None
        values[str(name)] = value.replace(tzinfo=UTC) if is_naive else value
    return values
