"""Databases: ``sql://shop/articles`` reads the rows of a table, each a document.

``shop`` is a name in ``ROMA_SQL_URLS``, so neither the address nor a password of the database is ever stored. With a
``query`` in the source's settings, the path is only a label and the rows are those of the query, known by their first
column; ``?as=table`` makes the whole table or query one document.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from roma_core.connectors.base import Listing, in_batches
from roma_core.connectors.records import Entry, Record, RecordConnector, absent
from roma_core.errors import ConfigError, ConnectorError, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Select, TextClause

T = TypeVar("T")
ROWS_AT_ONCE: Final = 500
MOST_TABLE_ROWS: Final = 50_000
"""Rows of a table that is one document."""
_READS: Final = re.compile(r"\s*(select|with|values|table)\b", re.IGNORECASE)
_READERS: Final[Mapping[type, Callable[[str], Any]]] = {datetime: datetime.fromisoformat, date: date.fromisoformat}
"""Functions that read a value from its text, where the type itself does not."""
_TITLES: Final = ("title", "name", "subject", "headline", "label")
_TIMES: Final = ("updated_at", "modified_at", "updated", "modified", "changed_at", "last_modified")


@dataclass(frozen=True)
class TableAddress:
    """The database, the table and the shape that ``sql://database/schema.table?as=table`` names."""

    database: str
    table: str
    is_one_document: bool

    @classmethod
    def of(cls, uri: str) -> TableAddress:
        """Return the parts of an address. Raises ``InputError``."""
        parts = urlsplit(uri)
        wanted = parse_qs(parts.query)
        table = unquote(parts.path.strip("/"))
        shape = wanted.pop("as", ["rows"])[-1]
        if not parts.netloc or not table or "/" in table or wanted or shape not in {"rows", "table"}:
            raise InputError("A source of a database is sql://NAME/TABLE, or sql://NAME/TABLE?as=table.")
        return cls(parts.netloc.lower(), table, shape == "table")

    @property
    def uri(self) -> str:
        return f"sql://{self.database}/{quote(self.table)}" + ("?as=table" if self.is_one_document else "")


class SqlConnector(RecordConnector):
    """Reads rows. ``Source.options``: ``query``, a statement that reads. Nothing is ever written."""

    kind = "sql"
    schemes = ("sql",)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._urls = settings.databases.urls
        self._engines: dict[str, Engine] = {}

    def normalise_source(self, source: Source) -> Source:
        """Return the source in its one spelling. Raises ``InputError`` and ``AccessError``."""
        return super().normalise_source(source.model_copy(update={"uri": TableAddress.of(source.uri).uri}))

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a record of each row, or one of all."""
        address = TableAddress.of(source.uri)
        query = _query_of(source)
        if address.is_one_document:
            yield await asyncio.to_thread(self._whole, source, address, query)
            return
        async for record in in_batches(self._rows(source, address, query), size=ROWS_AT_ONCE):
            yield record

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return the record of one row; None when the table does not have it."""
        address, query = TableAddress.of(source.uri), _query_of(source)
        if address.is_one_document:
            return await asyncio.to_thread(self._whole, source, address, query)
        if query is not None:
            return await super().find(source, listing)
        return await asyncio.to_thread(self._row, source, address, listing.uri)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        for engine in self._engines.values():
            await asyncio.to_thread(engine.dispose)
        self._engines.clear()

    def _rows(self, source: Source, address: TableAddress, query: TextClause | None) -> Iterator[Record]:
        statement, keys = self._statement(source, address, query)
        engine = self._engine(address.database)
        with _ask_database(source.uri, engine.connect) as connection:
            result = _ask_database(
                source.uri, lambda: connection.execution_options(stream_results=True).execute(statement)
            )
            names = list(result.keys())
            seen: set[str] = set()
            while rows := _ask_database(source.uri, lambda: result.fetchmany(ROWS_AT_ONCE)):
                for row in rows:
                    record = _record(source.uri, address, dict(zip(names, row, strict=True)), keys or names[:1])
                    if record.uri in seen:
                        raise ConnectorError(
                            f"Two rows of the query have the same first column ({names[0]}); put a key there.",
                            ErrorCode.CONNECTOR_UNSUPPORTED,
                            details={"uri": source.uri},
                        )
                    seen.add(record.uri)
                    yield record

    def _row(self, source: Source, address: TableAddress, uri: str) -> Record | None:
        from sqlalchemy import select

        engine = self._engine(address.database)
        table = self._table(source, address)
        keys = [column.name for column in table.primary_key.columns]
        values = _key_values(uri, [column.type.python_type for column in table.primary_key.columns])
        if len(values) != len(keys):
            return None
        wanted = [table.c[name] == value for name, value in zip(keys, values, strict=True)]

        def ask(connection: Connection) -> Mapping[str, Any] | None:
            row = connection.execute(select(table).where(*wanted)).mappings().first()
            return None if row is None else dict(row)

        with _ask_database(source.uri, engine.connect) as connection:
            row = _ask_database(source.uri, lambda: ask(connection))
        return None if row is None else _record(source.uri, address, row, keys)

    def _whole(self, source: Source, address: TableAddress, query: TextClause | None) -> Record:
        statement, _ = self._statement(source, address, query)
        engine = self._engine(address.database)
        with _ask_database(source.uri, engine.connect) as connection:
            result = _ask_database(source.uri, lambda: connection.execute(statement))
            names = list(result.keys())
            rows = _ask_database(source.uri, lambda: result.fetchmany(MOST_TABLE_ROWS + 1))
        if len(rows) > MOST_TABLE_ROWS:
            raise ConnectorError(
                f"The table has more than {MOST_TABLE_ROWS:,} rows, too many for one document; read its rows.",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": source.uri},
            )
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows([_write_value(value) for value in row] for row in rows)
        return Record(
            uri=source.uri,
            title=address.table,
            data=text.getvalue().encode(),
            media_type="text/csv; charset=utf-8",
            metadata={"database": address.database, "table": address.table},
        )

    def _statement(
        self, source: Source, address: TableAddress, query: TextClause | None
    ) -> tuple[Select[Any] | TextClause, list[str]]:
        """Return the statement and the columns of the key; a query has none, so its first column is one."""
        from sqlalchemy import select

        if query is not None:
            return query, []
        table = self._table(source, address)
        keys = [column.name for column in table.primary_key.columns]
        if not keys and not address.is_one_document:
            raise ConnectorError(
                "The table has no primary key, so its rows have no identity; give the source a query whose first "
                "column is one, or read it with ?as=table.",
                ErrorCode.CONNECTOR_UNSUPPORTED,
                details={"uri": source.uri},
            )
        return select(table).order_by(*table.primary_key.columns), keys

    def _table(self, source: Source, address: TableAddress) -> Any:
        from sqlalchemy import MetaData, Table
        from sqlalchemy.exc import NoSuchTableError

        schema, _, name = address.table.rpartition(".")
        engine = self._engine(address.database)
        try:
            return _ask_database(
                source.uri, lambda: Table(name, MetaData(), schema=schema or None, autoload_with=engine)
            )
        except NoSuchTableError:
            raise absent(source.uri, f"table {address.table} in the database {address.database}") from None

    def _engine(self, name: str) -> Engine:
        """Return the engine of a database. Raises ``ConfigError`` without quoting its address."""
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError

        if name not in self._engines:
            url = self._url(name)
            try:
                self._engines[name] = create_engine(url, pool_pre_ping=True)
            except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
                raise ConfigError(
                    f"The address of the database {name!r} in ROMA_SQL_URLS cannot be used ({type(error).__name__}); "
                    "it has to be a URL of SQLAlchemy, and its driver has to be installed."
                ) from None
        return self._engines[name]

    def _url(self, name: str) -> str:
        try:
            urls = json.loads(self._urls.get_secret_value()) if self._urls is not None else {}
        except ValueError:
            raise ConfigError('ROMA_SQL_URLS has to be a JSON object: {"name": "sqlite:////path/file.db"}.') from None
        url = urls.get(name) if isinstance(urls, dict) else None
        if not isinstance(url, str):
            raise ConnectorError(f"There is no database {name!r} in ROMA_SQL_URLS.", ErrorCode.CONNECTOR_NOT_FOUND)
        return url


def _query_of(source: Source) -> TextClause | None:
    """Return the query in a source's settings. Raises ``InputError`` for a statement that does not begin to read."""
    from sqlalchemy import text

    query = source.options.get("query")
    if not query:
        return None
    if not _READS.match(query) or ";" in query.strip().rstrip(";"):
        raise InputError("The query of a source has to be one statement that reads: SELECT, WITH, VALUES or TABLE.")
    return text(query.strip().rstrip(";").replace(":", r"\:"))


def _ask_database(uri: str, work: Callable[[], T]) -> T:
    """Run a call of SQLAlchemy; its errors become ``ConnectorError``, whose words hold no value of the database."""
    from sqlalchemy.exc import DBAPIError, NoSuchTableError, OperationalError, ProgrammingError, SQLAlchemyError

    try:
        return work()
    except NoSuchTableError:
        raise
    except DBAPIError as error:
        is_passing = isinstance(error, OperationalError) or error.connection_invalidated
        code = (
            ErrorCode.CONNECTOR_UNSUPPORTED if isinstance(error, ProgrammingError) else ErrorCode.CONNECTOR_UNAVAILABLE
        )
        hint = "" if is_passing else "; check the query"
        raise ConnectorError(
            f"The database does not answer this ({type(error.orig).__name__}){hint}.", code, details={"uri": uri}
        ) from None
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise ConnectorError(f"The database cannot be read ({type(error).__name__}).", details={"uri": uri}) from None


def _record(source_uri: str, address: TableAddress, row: Mapping[str, Any], keys: Sequence[str]) -> Record:
    key = "/".join(quote(_write_value(row[name]), safe="") for name in keys)
    by_name = {name.lower(): name for name in row}
    title_column = next((by_name[name] for name in _TITLES if name in by_name), None)
    title = _write_value(row[title_column]) if title_column else f"{address.table} {key}"
    texts = {name: _write_value(value) for name, value in row.items() if value not in (None, "")}
    lines = [f"# {title}"]
    for name, text in texts.items():
        is_long = "\n" in text
        lines.append(f"## {name}\n\n{text}" if is_long else f"**{name}**: {text}")
    every_fact = {name: _choose_fact(value) for name, value in row.items()}
    facts = {name: fact for name, fact in every_fact.items() if fact is not None}
    time_column = next((by_name[name] for name in _TIMES if name in by_name), None)
    modified_at = row[time_column] if time_column else None
    return Record(
        uri=f"{source_uri}#{key}",
        title=title,
        data="\n\n".join(lines).encode() + b"\n",
        modified_at=modified_at if isinstance(modified_at, datetime) and modified_at.tzinfo else None,
        metadata={"database": address.database, "table": address.table, "row": facts},
    )


def _write_value(value: object) -> str:
    """Return a value as text; bytes are named by their number alone."""
    if value is None:
        return ""
    if isinstance(value, bytes | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _choose_fact(value: object) -> object:
    """Return a value as a fact of the metadata; None for long texts and what has no form in JSON."""
    if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else None


def _key_values(uri: str, kinds: Sequence[type]) -> list[Any]:
    """Return the values of a row's key in its address, in the types of their columns."""
    parts = [unquote(part) for part in uri.partition("#")[2].split("/")]
    values: list[Any] = []
    for part, kind in zip(parts, kinds, strict=False):
        try:
            read = _READERS.get(kind, kind)
            values.append(read(part))
        except (ValueError, TypeError):
            return []
    return values
