"""The formats that can be exported to: one declaration each, from which the command, its help and the docs follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from roma_core.exports.arrow import write_jsonl, write_parquet
from roma_core.exports.frameworks import write_deepeval, write_ragas
from roma_core.exports.records import WorkspaceReader
from roma_core.exports.retrieval import Unit, write_beir, write_trec
from roma_core.exports.tables import TABLES, ExportTable, Row

Counts = dict[str, int]
"""Number of rows of each file or table that was written."""
Kind = Literal["folder", "file", "dataset"]
WriteTable = Callable[[Path, ExportTable, AsyncIterator[Row]], Awaitable[int]]


@dataclass(frozen=True)
class ExportOptions:
    """Choices of one export: the tables, and what a line of a ranking stands for."""

    tables: tuple[str, ...]
    unit: Unit = "document"


@dataclass(frozen=True)
class ExportFormat:
    """A format. ``kind``: what is written, a folder, a file, or a dataset of MLflow.

    ``takes_tables``: it holds any tables; the others hold the rows of one run.
    """

    name: str
    reader: str
    """The library that reads it."""
    kind: Kind
    takes_tables: bool
    write: Callable[[WorkspaceReader, Path, ExportOptions], Awaitable[Counts]] | None


async def _write_tables(
    suffix: str, write: WriteTable, reader: WorkspaceReader, folder: Path, options: ExportOptions
) -> Counts:
    counts: Counts = {}
    for name in options.tables:
        table = TABLES[name]
        async with aclosing(table.rows(reader)) as rows:  # type: ignore[type-var]
            counts[f"{name}{suffix}"] = await write(folder / f"{name}{suffix}", table, rows)
    return counts


async def _write_hugging_face(reader: WorkspaceReader, folder: Path, options: ExportOptions) -> Counts:
    """Write a folder that ``datasets.load_dataset(folder, table)`` reads: Parquet files and a card."""
    (folder / "data").mkdir()
    counts = await _write_tables(".parquet", write_parquet, reader, folder / "data", options)
    configs = [
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: data/{name}.parquet\n"
        for name in options.tables
    ]
    described = [f"- `{name}`: {TABLES[name].about}; {counts[f'{name}.parquet']} rows" for name in options.tables]
    card = f"---\nconfigs:\n{''.join(configs)}---\n\n# A workspace of ROMA\n\n" + "\n".join(described) + "\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    return {f"data/{name}": count for name, count in counts.items()}


async def _write_duckdb(reader: WorkspaceReader, path: Path, options: ExportOptions) -> Counts:
    """Write a database of DuckDB with the tables: each goes through a Parquet file, a batch at a time."""
    import duckdb

    counts: Counts = {}
    with duckdb.connect(str(path)) as database:
        for name in options.tables:
            table = TABLES[name]
            between = path.with_name(f"{path.name}.{name}.parquet")
            try:
                async with aclosing(table.rows(reader)) as rows:  # type: ignore[type-var]
                    counts[name] = await write_parquet(between, table, rows)
                create = f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet(?)'  # noqa: S608  (one of TABLES)
                database.execute(create, [str(between)])
            finally:
                between.unlink(missing_ok=True)
    return counts


async def _write_trec(reader: WorkspaceReader, folder: Path, options: ExportOptions) -> Counts:
    return await write_trec(reader, folder, options.unit)


async def _write_beir(reader: WorkspaceReader, folder: Path, options: ExportOptions) -> Counts:
    return await write_beir(reader, folder, options.unit)


async def _write_ragas(reader: WorkspaceReader, path: Path, options: ExportOptions) -> Counts:
    return await write_ragas(reader, path)


async def _write_deepeval(reader: WorkspaceReader, path: Path, options: ExportOptions) -> Counts:
    return await write_deepeval(reader, path)


FORMATS: Mapping[str, ExportFormat] = {
    made.name: made
    for made in (
        ExportFormat(
            "parquet", "pyarrow, pandas, Spark", "folder", True, partial(_write_tables, ".parquet", write_parquet)
        ),
        ExportFormat("jsonl", "any language", "folder", True, partial(_write_tables, ".jsonl", write_jsonl)),
        ExportFormat("duckdb", "duckdb", "file", True, _write_duckdb),
        ExportFormat("hf", "datasets", "folder", True, _write_hugging_face),
        ExportFormat("trec", "trec_eval, ir-measures, ranx", "folder", False, _write_trec),
        ExportFormat("beir", "beir, `roma eval beir:DIR`", "folder", False, _write_beir),
        ExportFormat("ragas", "ragas", "file", False, _write_ragas),
        ExportFormat("deepeval", "deepeval", "file", False, _write_deepeval),
        ExportFormat("mlflow-dataset", "mlflow.genai.datasets", "dataset", False, None),
    )
}
"""Every format by its name."""
