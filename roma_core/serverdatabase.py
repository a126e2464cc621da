"""``ServerDatabase``: tables that are else a file of the workspace, in a PostgreSQL that replicas on many hosts share.

It offers what ``Database`` offers, so that one class of statements serves both: they are written for SQLite, in the
part of SQL that both understand, and their placeholders and names of tables are translated here. Each table is called
``roma_`` and its name. A transaction that writes waits for those of others over the same schema, as it does in SQLite.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from roma_core.database import (
    Database,
    Schema,
    SqlConnection,
    bring_server_up_to_date,
    read_server_version,
    scrub,
    storage_error,
)
from roma_core.rowsecurity import lock_migrations, translate_address_errors
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

_log = logs.get("database")
PREFIX: Final = "roma_"
MARKS: Final = "roma_state_marks"
"""Table that counts the transactions that have written, by schema."""
POOL_SIZE, MOST_CONNECTIONS = 2, 10
COPIED_ROWS: Final = 500
"""Rows of a file that are in memory at once while a server takes them over."""
_MADE: Final = re.compile(r"CREATE (?:TABLE|(?:UNIQUE )?INDEX) (?:IF NOT EXISTS )?(\w+)")
_PARTS: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\?|:[A-Za-z_]\w*|%|\w+")
"""Parts of a statement that are translated, and before them the literals and quoted names that stay as they are."""
RESERVED: Final = frozenset({"user"})
"""Names of columns that mean something else in PostgreSQL unless they are quoted."""
_TYPES: Final = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA"}


class ServerRow(Sequence[Any]):
    """A row whose values are found by number and by the name of their column, as in ``sqlite3.Row``."""

    def __init__(self, columns: Mapping[str, int], values: Sequence[Any]) -> None:
        self._columns = columns
        self._values = values

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._columns[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._columns)


class ServerRows:
    """The rows that a statement has found, and the number of those that it has changed."""

    def __init__(self, result: CursorResult[Any]) -> None:
        self.rowcount = result.rowcount
        self._rows: list[ServerRow] = []
        if result.returns_rows:
            columns = {name: number for number, name in enumerate(result.keys())}
            self._rows = [ServerRow(columns, tuple(row)) for row in result]
        self._next = iter(self._rows)

    def __iter__(self) -> Iterator[ServerRow]:
        return self._next

    def fetchone(self) -> ServerRow | None:
        """Return the next row; None after the last one."""
        return next(self._next, None)

    def fetchall(self) -> list[ServerRow]:
        """Return the rows that are left."""
        return list(self._next)


class ServerConnection:
    """A transaction that takes the statements of SQLite."""

    def __init__(self, connection: Connection, names: frozenset[str]) -> None:
        self._connection = connection
        self._names = names

    def execute(self, sql: str, parameters: Any = (), /) -> ServerRows:
        """Execute a statement with its values, a sequence for ``?`` and a mapping for ``:name``."""
        given = dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
        return ServerRows(self._connection.exec_driver_sql(translate_statement(sql, self._names), given))

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> None:
        """Execute a statement once for each of the values."""
        given = [dict(values) if isinstance(values, Mapping) else tuple(values) for values in parameters]
        if given:
            self._connection.exec_driver_sql(translate_statement(sql, self._names), given)


class FileOfBefore:
    """Tables of a workspace's file whose rows a server takes over."""

    def __init__(self, database: Database, tables: Sequence[str]) -> None:
        self._database = database
        self._tables = tables

    def count(self) -> int:
        """Return how many rows the file holds; 0 where there is none."""
        with self._database.snapshot() as file:
            return sum(file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in self._tables)  # noqa: S608

    def copy_to(self, db: SqlConnection, *, merges: bool = False) -> None:
        """Add the rows to the tables of a server; ``merges`` leaves those that it has as they are."""
        if_there = " ON CONFLICT DO NOTHING" if merges else ""
        with self._database.snapshot() as file:
            for table in self._tables:
                rows = file.execute(f"SELECT * FROM {table}")  # noqa: S608
                names = [column[0] for column in rows.description]
                columns, values = ", ".join(f'"{name}"' for name in names), ", ".join("?" for _ in names)
                while block := rows.fetchmany(COPIED_ROWS):
                    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values}){if_there}", block)  # noqa: S608

    def move_to(self, server: ServerDatabase) -> int:
        """Bring the rows to a server, and remove them here; return how many there were. It may be run again."""
        count = self.count()
        if count:
            with server.transaction() as db:
                self.copy_to(db, merges=True)
            self.remove()
            _log.info("rows_taken_over", schema=server.schema.name, rows=count)
        return count

    def remove(self) -> None:
        """Remove the rows for good."""
        with self._database.transaction() as file:
            file.execute("PRAGMA secure_delete = ON")
            for table in self._tables:
                file.execute(f"DELETE FROM {table}")  # noqa: S608
        self._database.close()
        scrub(self._database.path)


class ServerDatabase:
    """The tables of a schema in PostgreSQL. Raises ``StoreError``, and ``ConfigError`` for an address that is none.

    The rows of ``before``, a file of the workspace, are taken over when the tables are made.

    >>> accounts = ServerDatabase("postgresql+psycopg://roma@db/roma", ACCOUNTS)  # doctest: +SKIP
    """

    mark_needs_server: Final = True

    def __init__(self, url: str, schema: Schema, *, before: FileOfBefore | None = None) -> None:
        self._url = url
        self._before = before
        self.schema = schema
        self._server_schema = translate_schema(schema)
        self._names = list_names(schema)
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[ServerConnection]:
        """A transaction that writes: committed at the end, rolled back on an error."""
        with self._begin() as db:
            self._lock_out_writers(db)
            yield ServerConnection(db, self._names)
            db.exec_driver_sql(f"UPDATE {MARKS} SET number = number + 1 WHERE name = %s", (self.schema.name,))  # noqa: S608

    @contextmanager
    def snapshot(self) -> Iterator[ServerConnection]:
        """A transaction that reads one state."""
        with self._begin() as db:
            db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield ServerConnection(db, self._names)

    def read_mark(self) -> object:
        """Return a value that changes with every transaction that writes. It costs one look at the server."""
        statement = f"SELECT number FROM {MARKS} WHERE name = %s"  # noqa: S608
        with self._translate_errors(), self._open_engine().connect() as db:
            alone = db.execution_options(isolation_level="AUTOCOMMIT")
            return alone.exec_driver_sql(statement, (self.schema.name,)).scalar()

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._translate_errors(), self._open_engine().begin() as db:
            yield db

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            raise storage_error(getattr(error, "orig", None) or error, self.schema) from None

    def _open_engine(self) -> Engine:
        from sqlalchemy import create_engine

        with self._opening:
            if self._engine is None:
                more = MOST_CONNECTIONS - POOL_SIZE
                with translate_address_errors():
                    engine = create_engine(self._url, pool_pre_ping=True, pool_size=POOL_SIZE, max_overflow=more)
                with engine.begin() as db:
                    lock_migrations(db)
                    is_adopted = self._bring_up_to_date(db)
                if is_adopted and self._before is not None:
                    self._before.remove()
                self._engine = engine
            return self._engine

    def _bring_up_to_date(self, db: Connection) -> bool:
        """Make the tables that the server lacks, and return whether rows of before were taken over into them."""
        is_new = read_server_version(db, self._server_schema).number == 0
        bring_server_up_to_date(db, self._server_schema)
        db.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {MARKS} (name TEXT PRIMARY KEY, number BIGINT NOT NULL)")
        begin_count = f"INSERT INTO {MARKS} VALUES (%s, 0) ON CONFLICT (name) DO NOTHING"  # noqa: S608
        db.exec_driver_sql(begin_count, (self.schema.name,))
        count = 0 if self._before is None else self._before.count()
        if not count or self._before is None:
            return False
        if not is_new:
            _log.warning("rows_beside_the_database", schema=self.schema.name, rows=count)
            return False
        self._before.copy_to(ServerConnection(db, self._names))
        _log.info("rows_taken_over", schema=self.schema.name, rows=count)
        return True

    def _lock_out_writers(self, db: Connection) -> None:
        name = f"roma.{self.schema.name}"
        db.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


@cache
def share_server(url: str, schema: Schema) -> ServerDatabase:
    """Return the tables of a schema at a server. All parts of a process share their connections."""
    return ServerDatabase(url, schema)


def list_names(schema: Schema) -> frozenset[str]:
    """Return the names of the tables and indexes that the steps of a schema make."""
    return frozenset(name for step in schema.steps if isinstance(step, str) for name in _MADE.findall(step))


def translate_schema(schema: Schema) -> Schema:
    """Return the schema with its steps in PostgreSQL's words. Steps that are functions stay as they are."""
    names = list_names(schema)
    steps = [_translate_definition(step, names) if isinstance(step, str) else step for step in schema.steps]
    return Schema(schema.name, schema.title, tuple(steps), consequence=schema.consequence)


@lru_cache(maxsize=512)
def translate_statement(sql: str, names: frozenset[str]) -> str:
    """Return a statement for SQLite as psycopg takes it.

    >>> translate_statement("SELECT '?' FROM users WHERE name = ? AND roles <> '[]'", frozenset({"users"}))
    "SELECT '?' FROM roma_users WHERE name = %s AND roles <> '[]'"
    """

    def translate(found: re.Match[str]) -> str:
        part = found[0]
        if part[0] in "'\"":
            return part.replace("%", "%%")
        if part.startswith(":"):
            return f"%({part[1:]})s"
        return {"?": "%s", "%": "%%"}.get(part) or _translate_name(part, names)

    return _PARTS.sub(translate, sql)


def _translate_definition(step: str, names: frozenset[str]) -> str:
    """Return a step that makes or changes tables in PostgreSQL's words."""
    text = (
        step.replace("%", "%%")
        .replace("WITHOUT ROWID", "")
        .replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY")
    )
    for name, translated in _TYPES.items():
        text = re.sub(rf"\b{name}\b", translated, text)
    return re.sub(r"\w+", lambda found: _translate_name(found[0], names), text)


def _translate_name(name: str, names: frozenset[str]) -> str:
    if name in RESERVED:
        return f'"{name}"'
    return f"{PREFIX}{name}" if name in names else name
