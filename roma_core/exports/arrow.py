"""Tables as Parquet and JSON Lines, a batch of rows in memory at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from roma_core.exports.tables import Column, ExportTable, Row

BATCH_ROWS: Final = 1000
BATCH_CHARS: Final = 8 << 20
"""A batch ends when its texts are longer than this, however few rows it has."""


async def iterate_batches(rows: AsyncIterator[Row]) -> AsyncIterator[list[Row]]:
    """Yield rows in lists that fit into memory."""
    batch: list[Row] = []
    size = 0
    async for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(batch) >= BATCH_ROWS or size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def write_jsonl(path: Path, table: ExportTable, rows: AsyncIterator[Row]) -> int:
    """Write a table as JSON Lines in UTF-8; return the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        async for batch in iterate_batches(rows):
            for row in batch:
                file.write(json.dumps(row, ensure_ascii=False, default=_write_value) + "\n")
            count += len(batch)
    return count


async def write_parquet(path: Path, table: ExportTable, rows: AsyncIterator[Row]) -> int:
    """Write a table as Parquet, compressed by Zstandard; return the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = make_schema(table)
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        async for batch in iterate_batches(rows):
            plain = [{name: _fit(row.get(name), column) for name, column in table.columns.items()} for row in batch]
            writer.write_table(pa.Table.from_pylist(plain, schema=schema))
            count += len(batch)
    return count


def make_schema(table: ExportTable) -> Any:
    """Return the Arrow schema of a table."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow_type(column)) for name, column in table.columns.items()])


def _arrow_type(column: Column | Mapping[str, Column]) -> Any:
    import pyarrow as pa

    if isinstance(column, list):
        return pa.list_(_arrow_type(column[0]))
    if isinstance(column, Mapping):
        return pa.struct([pa.field(name, _arrow_type(part)) for name, part in column.items()])
    kinds = {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "json": pa.string(),
    }
    return kinds[column]


def _fit(value: Any, column: Column | Mapping[str, Column]) -> Any:
    """Return a value as its column holds it: what has no fixed form is JSON in a text."""
    if value is None:
        return None
    if isinstance(column, list):
        return [_fit(each, column[0]) for each in value]
    if isinstance(column, Mapping):
        return {name: _fit(value.get(name), part) for name, part in column.items()}
    if column == "json":
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_write_value)
    return str(value) if column == "text" else value


def _write_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
