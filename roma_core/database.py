"""``Database``: the one way to a SQLite file of the workspace, with its tables, their version and its errors.

A file is private, in WAL mode, and shared by processes and threads. Its tables are declared as a ``Schema``: the steps
that make them. A file says which it has taken, so an older one is brought up to date when it is opened, and a newer one
is refused.

To change tables, add a step at the end of the schema and a test that opens a file of the version before::

    def add_language(op: Operations) -> None:
        op.add_column("items", Column("language", String))

    LEDGER = Schema("ledger", "The ledger", (TABLES_OF_2026, add_language))

A step is SQL, or a function of Alembic's operations. A step that has landed is never changed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from roma_core import __version__
from roma_core.errors import DISK_FULL, ErrorCode, RomaError, StoreError
from roma_core.telemetry import logs
from roma_core.workspace import BACKUPS, GoneError, identity, private_file, require_present

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import Connection

    Step = str | Callable[[Operations], None]

BUSY_S = 30.0
"""How long a connection waits for another's lock before it gives up."""
NO_ROOM = 128 << 10
"""Bytes. With less than this on the disk an I/O error is for want of room: what SQLite makes first takes 32 KiB."""
CHECKPOINT_BYTES = 16 << 20
"""A log of this size is written back into its file. A page that changes often is then written back once."""
TRUST_VERSION_S = 1.0
"""A file that stays open is asked so often whether a newer ROMA has changed its tables meanwhile."""
VERSIONS = "roma_schema"
"""The table that says which steps a database has taken."""

Synchronous = Literal["NORMAL", "FULL"]
_CODES_BY_WORD = (
    (ErrorCode.STORAGE_LOCKED, ("locked", "busy", "deadlock")),
    (ErrorCode.STORAGE_FULL, ("disk is full", "no space", "disk full")),
    (ErrorCode.STORAGE_CORRUPT, ("malformed", "not a database", "corrupt")),
)
_CREATE_VERSIONS = f"""CREATE TABLE IF NOT EXISTS {VERSIONS} (
    name VARCHAR(40) NOT NULL, version INTEGER NOT NULL, roma VARCHAR(40) NOT NULL, applied_at VARCHAR(40) NOT NULL,
    PRIMARY KEY (name, version))"""
_TARGET: Final = re.compile(r"(?:TABLE|ON) (?:IF NOT EXISTS )?(\w+)")
"""The table that a statement makes, changes, or makes an index on."""
_log = logs.get("database")


@dataclass(frozen=True)
class Schema:
    """The tables of one database: version N is what its first N steps make.

    ``title`` begins the sentence of an error ("The ledger cannot be used ..."), ``consequence`` ends it. What is
    ``rebuildable`` (a cache) gets no backup before it is changed. A backup leaves out the tables ``not_copied``: what
    they hold for a while must not outlive them. A change writes whole pages of ``page_bytes``, which a file keeps from
    its beginning: small ones pay where single small rows change.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    consequence: str = ""
    rebuildable: bool = False
    not_copied: tuple[str, ...] = ()
    page_bytes: int = 4096

    @property
    def version(self) -> int:
        return len(self.steps)

    def select_tables(self, name: str, title: str, tables: Sequence[str]) -> Schema:
        """Return a schema of some of the tables alone, with as many steps; those that are functions do nothing in it.

        So what is two databases in one place and one in another has one text.
        """
        steps: list[Step] = []
        for step in self.steps:
            statements = _split(step) if isinstance(step, str) else ()
            meant = [statement for statement in statements if set(_TARGET.findall(statement)) & set(tables)]
            steps.append("".join(meant))
        return Schema(name, title, tuple(steps), consequence=self.consequence)


class SqlConnection(Protocol):
    """A transaction over a file or a server. Rows are read by number and by the name of a column."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Execute a statement with its values, a sequence for ``?`` and a mapping for ``:name``."""

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """Execute a statement once for each of the values."""


class StateDatabase(Protocol):
    """A database of ROMA's state: a file of the workspace, or tables of a server that replicas share."""

    @property
    def mark_needs_server(self) -> bool:
        """Return whether ``read_mark`` may take longer than a look at a file."""

    def transaction(self) -> AbstractContextManager[SqlConnection]:
        """A transaction that writes: committed at the end, rolled back on an error."""

    def snapshot(self) -> AbstractContextManager[SqlConnection]:
        """A transaction that reads one state."""

    def read_mark(self) -> object:
        """Return a value that changes with every transaction that writes."""

    def close(self) -> None:
        """Close the file or the connections; the next use opens them again."""


class Database:
    """One file. Raises ``StoreError`` for whatever goes wrong with it.

    By default the file is kept open as long as it is the one at its path, and threads take turns. With
    ``stays_open=False`` each transaction opens it anew, which costs about 0.1 ms, and threads do not wait for each
    other. A file that was moved away is written no more; one that takes its place is opened. One that was open and is
    gone is not made anew: it would be empty, and hide what comes back. A forked process opens its own.

    >>> notes = Database(Path("notes.sqlite"), Schema("notes", "The notes", ("CREATE TABLE notes (words TEXT)",)))
    >>> with notes.transaction() as db:
    ...     db.execute("INSERT INTO notes VALUES (?)", ("high tide",)).rowcount
    1
    """

    mark_needs_server: Final = False

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        busy_s: float = BUSY_S,
        synchronous: Synchronous = "NORMAL",
        stays_open: bool = True,
        pragmas: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.schema = schema
        self._busy_s = busy_s
        self._synchronous: Synchronous = synchronous
        self._stays_open = stays_open
        self._pragmas = pragmas
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._nothing: sqlite3.Connection | None = None
        """What is read where there is no file."""
        self._opened: tuple[int, int] | None = None
        self._alone = False
        self._pid = 0
        self._checked_at = 0.0

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit: each statement is a transaction. Rows are ``sqlite3.Row``."""
        try:
            if self._stays_open:
                with self._lock:
                    current = self._current()
                    try:
                        yield current
                    finally:
                        if self._alone:
                            self.close()
            else:
                with closing(self._connect()) as current:
                    yield current
        except (sqlite3.Error, OSError) as error:
            raise storage_error(error, self.schema, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that writes: committed at the end, rolled back on an error."""
        with self.connection() as db, transaction(db):
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads one state. It makes no file: in a missing or empty one nothing is found."""
        try:
            missing = self._opened is None and self._is_empty()
        except OSError as error:
            raise storage_error(error, self.schema, self.path) from error
        if missing:
            with self._lock:
                self._nothing = self._nothing or open_in_memory(self.schema)
                yield self._nothing
        else:
            with self.connection() as db, transaction(db, write=False):
                yield db

    def read_mark(self) -> object:
        """Return a value that changes with every write to the file, by whichever process."""
        states: list[object] = []
        for part in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            try:
                stat = part.stat()
            except OSError:
                states.append(None)
            else:
                states.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(states)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
            self._open = None

    def forget(self) -> None:
        """Close a file that was put aside on purpose: the next use makes a new one."""
        with self._lock:
            self.close()
            self._opened = None

    def _current(self) -> sqlite3.Connection:
        found = identity(self.path)  # its number is not given to another file as long as this one is open
        if found is None and self._opened is not None:
            self.close()
            raise GoneError(self.path)
        if self._open is None or self._pid != os.getpid() or found != self._opened:
            self.close()
            self._open = self._connect()
            self._opened, self._pid = identity(self.path), os.getpid()
            self._alone = is_alone(self._open)
            self._checked_at = time.monotonic()
        elif time.monotonic() - self._checked_at > TRUST_VERSION_S:
            refuse_newer(self._open, self.path, self.schema)
            self._checked_at = time.monotonic()
        return self._open

    def _connect(self) -> sqlite3.Connection:
        return connect(
            self.path, self.schema, busy_s=self._busy_s, synchronous=self._synchronous, pragmas=self._pragmas
        )

    def _is_empty(self) -> bool:
        if self.path.exists():
            return self.path.stat().st_size == 0
        require_present(self.path)
        return True


# Connections


def connect(
    path: Path,
    schema: Schema,
    *,
    busy_s: float = BUSY_S,
    synchronous: Synchronous = "NORMAL",
    pragmas: Sequence[str] = (),
    may_create: bool = True,
) -> sqlite3.Connection:
    """Return a connection in WAL mode and autocommit, usable by any thread, to a file at the version of ``schema``.

    ``may_create`` allows to make the file and its folder; without it only a file that is there is opened.
    ``synchronous="FULL"`` outlives a power cut, ``"NORMAL"`` a killed process; ``pragmas`` are further ones. Raises
    ``OSError``, ``sqlite3.Error``, and ``StoreError`` for a file of a newer ROMA; then nothing stays open.

    On a full disk there is no room for the index that connections share; then the file is opened for this one alone
    (``is_alone``). It can be read as long as no other process has it open, and others wait until it is closed.
    """
    if may_create:
        private_file(path)
    settings = (f"synchronous = {synchronous}", *pragmas)
    try:
        return _connect_once(path, schema, busy_s, settings, "NORMAL")
    except sqlite3.OperationalError as error:
        if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR_SHM"):
            raise
        return _connect_alone(path, schema, busy_s, settings)


def _connect_alone(path: Path, schema: Schema, busy_s: float, settings: Sequence[str]) -> sqlite3.Connection:
    """Take turns with others that do the same.

    Each lets go before it tries again: a connection that means to be alone keeps its shared lock while it
    waits, so two of them would wait for each other.
    """
    deadline = time.monotonic() + busy_s
    while True:
        try:
            return _connect_once(path, schema, 0.0, settings, "EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error_code(error) is not ErrorCode.STORAGE_LOCKED or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.001, 0.02))  # noqa: S311  (so that they do not meet again)


def _connect_once(
    path: Path, schema: Schema, busy_s: float, settings: Sequence[str], locking: Literal["NORMAL", "EXCLUSIVE"]
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        _existing(path), uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA locking_mode = {locking}")
        connection.execute(f"PRAGMA page_size = {schema.page_bytes}")
        use_wal(connection, busy_s)
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // schema.page_bytes}")
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
        _bring_up_to_date(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def open_in_memory(schema: Schema) -> sqlite3.Connection:
    """Return an empty database with the tables of ``schema`` that lasts as long as its connection."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    for step in schema.steps:
        _take_step(step, connection)
    return connection


def is_alone(connection: sqlite3.Connection) -> bool:
    """Return whether ``connection`` shuts everybody else out, and so must not be kept."""
    return bool(connection.execute("PRAGMA locking_mode").fetchone()[0] == "exclusive")


def is_sound(path: Path) -> bool:
    """Return whether a file is a whole database; one that cannot be opened now (a read-only disk) is not damaged."""
    try:
        with closing(sqlite3.connect(path, timeout=10.0)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except sqlite3.OperationalError as error:
        return error_code(error) is not ErrorCode.STORAGE_CORRUPT
    except sqlite3.DatabaseError:
        return False


def scrub(path: Path) -> None:
    """Write a file again without what was deleted from it, and empty its log. A file that is not there is none.

    Raises ``StoreError`` (locked) when another process reads it all the while.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(_existing(path), uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("VACUUM")
            is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        code = error_code(error, path)
        raise StoreError(f"{path.name} cannot be cleaned ({type(error).__name__}); run this again.", code) from error
    if is_busy:
        raise StoreError(f"{path.name} cannot be cleaned while it is read; run this again.", ErrorCode.STORAGE_LOCKED)


def set_aside(path: Path) -> Path:
    """Rename a damaged file that can be made again, so that a fresh one is begun; return where it is now."""
    damaged = path.with_suffix(".damaged")
    path.replace(damaged)
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    return damaged


def use_wal(connection: sqlite3.Connection, busy_s: float = BUSY_S) -> None:
    """Switch the file to its write-ahead log, waiting for those who do the same.

    SQLite honours no busy timeout here: the switch raises a shared lock to an exclusive one, and of two connections
    that try, one is refused at once (https://sqlite.org/c3ref/busy_handler.html on deadlocks).
    """
    deadline = time.monotonic() + busy_s
    pause = 0.001
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error_code(error) is not ErrorCode.STORAGE_LOCKED or time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        else:
            return


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """Commit at the end, roll back on an error. Readers never wait."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


def _existing(path: Path) -> str:
    """The URI by which SQLite opens ``path`` and never makes it."""
    return f"{path.absolute().as_uri()}?mode=rw"


# Versions


def refuse_newer(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Raise ``StoreError`` when a newer ROMA has changed the tables of an open file."""
    _refuse_newer(_stored_version(connection, schema), path.name, schema)


def require_usable(path: Path, schema: Schema) -> None:
    """Raise ``StoreError`` for a file that a newer ROMA has changed or that cannot be read; change nothing.

    A file that is missing or empty is made when it is needed, so there is nothing wrong with it.
    """
    try:
        if not path.exists():
            return
        with closing(sqlite3.connect(_existing(path), uri=True)) as connection:
            refuse_newer(connection, path, schema)
    except (sqlite3.Error, OSError) as error:
        raise storage_error(error, schema, path) from error


class SchemaVersion(NamedTuple):
    """The last step that a database has taken, and the ROMA that took it."""

    number: int
    roma: str


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Take the steps that the file lacks, all in one transaction: a killed process leaves the file as it was.

    Of several processes one takes them and the others wait. A copy of the file is made first.
    """
    stored = _stored_version(connection, schema)
    _refuse_newer(stored, path.name, schema)
    if stored.number == schema.version:
        return
    backup: Path | None = None
    with transaction(connection):
        stored = _stored_version(connection, schema)
        _refuse_newer(stored, path.name, schema)
        if stored.number == schema.version:
            return
        is_new = _has_no_table(connection)
        if not is_new and not schema.rebuildable:
            backup = back_up(path, schema, stored.number)
        connection.execute(_CREATE_VERSIONS)
        for number in range(stored.number + 1, schema.version + 1):
            _take_step(schema.steps[number - 1], connection)
            connection.execute(_note_step(schema, number))
    if not is_new:
        _log_migration(path.name, stored, schema, backup)


def bring_server_up_to_date(connection: Connection, schema: Schema) -> None:
    """Take the steps that a database server lacks, in the transaction of ``connection``, which holds a lock on them.

    The server's own tools make its backups. Raises ``StoreError`` for a database of a newer ROMA.
    """
    stored = read_server_version(connection, schema)
    _refuse_newer(stored, schema.name, schema)
    operations = _operations_over(connection)
    for number in range(stored.number + 1, schema.version + 1):
        step = schema.steps[number - 1]
        if isinstance(step, str):
            for statement in _split(step):
                connection.exec_driver_sql(statement)
        else:
            step(operations)
        connection.exec_driver_sql(_note_step(schema, number))
    if stored.number != schema.version:
        _log_migration(schema.name, stored, schema, None)


def read_server_version(connection: Connection, schema: Schema) -> SchemaVersion:
    """Return the last step that a database server has taken; makes the table that says so."""
    connection.exec_driver_sql(_CREATE_VERSIONS)
    row = connection.exec_driver_sql(_select_version(schema)).fetchone()
    return SchemaVersion(0, "") if row is None else SchemaVersion(row[0], row[1])


def back_up(path: Path, schema: Schema, version: int) -> Path:
    """Copy a database to ``backups/<name>.v<version>`` beside it, in place of an older copy of that version."""
    target = path.parent / BACKUPS / f"{path.name}.v{version}"
    unfinished = target.with_name(f"{target.name}.new")
    unfinished.unlink(missing_ok=True)
    private_file(unfinished)
    with closing(sqlite3.connect(_existing(path), uri=True)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
        for table in schema.not_copied:
            copy.execute(f'DROP TABLE IF EXISTS "{table}"')
        if schema.not_copied:
            copy.commit()
            copy.execute("VACUUM")
    unfinished.replace(target)
    return target


def _stored_version(connection: sqlite3.Connection, schema: Schema) -> SchemaVersion:
    try:
        row = connection.execute(_select_version(schema)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    return SchemaVersion(0, "") if row is None else SchemaVersion(row[0], row[1])


def _refuse_newer(stored: SchemaVersion, file: str, schema: Schema) -> None:
    if stored.number > schema.version:
        raise StoreError(
            f"{file} was changed by ROMA {stored.roma} (tables of version {stored.number}) and this is ROMA "
            f"{__version__}, which knows version {schema.version}: use ROMA {stored.roma} or newer, or put back a "
            f"copy from the folder {BACKUPS!r}.",
            ErrorCode.STORAGE_NEWER,
            details={
                "file": file,
                "version": stored.number,
                "known_version": schema.version,
                "needs_roma": stored.roma,
            },
        )


def _has_no_table(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _take_step(step: Step, connection: sqlite3.Connection) -> None:
    if isinstance(step, str):
        for statement in _split(step):
            connection.execute(statement)
        return
    step(_operations_inside(connection))


def _operations_inside(connection: sqlite3.Connection) -> Operations:
    """Return Alembic's operations inside of the transaction that ``connection`` is in."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: _InTransaction(connection), poolclass=StaticPool)
    return _operations_over(engine.connect())


def _operations_over(connection: Connection) -> Operations:
    logs.quiet_loggers("alembic")
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    return Operations(MigrationContext.configure(connection))


class _InTransaction:
    """A connection whose transaction belongs to its owner: SQLAlchemy can neither end it nor close the connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self, *_: Any) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor

    def commit(self) -> None:
        """Leave the end of the transaction to its owner."""

    rollback = close = commit


def _split(sql: str) -> Iterator[str]:
    """The statements of a script; Python's ``executescript`` would commit the transaction that they belong to."""
    statement = ""
    for part in sql.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""


def _select_version(schema: Schema) -> str:
    return f"SELECT version, roma FROM {VERSIONS} WHERE name = '{schema.name}' ORDER BY version DESC LIMIT 1"  # noqa: S608


def _note_step(schema: Schema, number: int) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"INSERT INTO {VERSIONS} VALUES ('{schema.name}', {number}, '{__version__}', '{now}')"  # noqa: S608


def _log_migration(file: str, stored: SchemaVersion, schema: Schema, backup: Path | None) -> None:
    _log.info(
        "database_migrated",
        file=file,
        from_version=stored.number,
        to_version=schema.version,
        backup=None if backup is None else f"{BACKUPS}/{backup.name}",
    )


# Errors


def storage_error(error: BaseException, schema: Schema, path: Path | None = None) -> StoreError:
    """Translate an error of a database or its file. A driver's own words are not shown: they quote values."""
    code = error_code(error, path)
    so = f", so {schema.consequence}" if schema.consequence else ""
    if isinstance(error, GoneError):
        message = f"The workspace, or its {error.path.name}, is gone{so}; put it back."
    elif code is ErrorCode.STORAGE_FULL:
        message = DISK_FULL if not so else DISK_FULL.replace(";", f"{so};")
    elif code is ErrorCode.STORAGE_LOCKED:
        message = f"{schema.title} is held by another process{so}; try again when that is done."
    elif code is ErrorCode.STORAGE_CORRUPT:
        message = f"{schema.title} is damaged{so}; put back a copy of its file."
    else:
        message = f"{schema.title} cannot be used ({type(error).__name__}){so}; {_advise(path)}."
    return StoreError(message, code, details={"error": type(error).__name__})


def error_code(error: BaseException, path: Path | None = None) -> ErrorCode:
    """Return what the driver's words mean: locked, full, corrupt, else unavailable.

    SQLite has words for a disk that fills up while it writes, but only "disk I/O error" for one that is full already:
    then the room on the disk of ``path`` decides.
    """
    if isinstance(error, RomaError):
        return error.code
    words = str(error).casefold()
    code = ErrorCode.STORAGE_UNAVAILABLE
    for candidate, signs in _CODES_BY_WORD:
        if any(sign in words for sign in signs):
            code = candidate
            break
    is_stuck = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))
    return ErrorCode.STORAGE_FULL if path is not None and is_stuck and _without_room(path) else code


def _advise(path: Path | None) -> str:
    """Return what to do about a database that cannot be used; None is that of a server."""
    if path is None:
        return "check the server that ROMA_DATABASE_URL names"
    with suppress(OSError, AttributeError):  # Windows has no statvfs
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return "its disk is read-only: mount it for writing, or copy the workspace to one that can be written"
    return "check the workspace folder"


def _without_room(path: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free < NO_ROOM
    return False
