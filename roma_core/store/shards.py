"""Rows of a store in files of their own: workers write them, and one commit brings them all into the table.

A file is Arrow's IPC format, read in place (memory-mapped) however large it is. It has a name of its own for every
attempt, so that one of a killed worker is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from roma_core.errors import ErrorCode, StoreError
from roma_core.store.base import EmbeddedDocument
from roma_core.store.rows import parse_chunk, rows
from roma_core.types import Chunk, Document


@runtime_checkable
class ShardStore(Protocol):
    """A store that takes rows which others have made."""

    async def commit_rows(self, tenant: str, fresh: Any, removed: Sequence[str] = ()) -> None:
        """Put the rows of whole documents (an Arrow table) in place of what the tenant has of them, in one commit.

        ``removed`` are documents that go in the same commit. Raises ``StoreError`` (corrupt) for rows that are not the
        tenant's or that are there twice.
        """
        ...


def write_rows(path: Path, tenant: str, entries: Sequence[EmbeddedDocument], dim: int) -> int:
    """Write documents with their chunks as rows; return how many. Raises ``InputError`` for vectors that are none."""
    import pyarrow as pa

    table = rows(tenant, entries, dim)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return int(table.num_rows)


def read_rows(files: Mapping[Path, int], left_out: Mapping[Path, Sequence[str]] | None = None) -> Any:
    """Return the rows of files, each with as many as it must have; None without a file.

    ``left_out`` names documents of a file that do not count. Raises ``StoreError`` (corrupt) for a file that is not
    whole.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = []
    for path, expected in files.items():
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise _broken(path) from error
        if table.num_rows != expected:
            raise _broken(path)
        unwanted = (left_out or {}).get(path, ())
        if unwanted:
            kept = pc.invert(pc.is_in(table.column("document_id"), value_set=pa.array(list(unwanted))))
            table = table.filter(kept)
        tables.append(table)
    return pa.concat_tables(tables) if tables else None


def _broken(path: Path) -> StoreError:
    return StoreError(
        f"A worker's file is not whole ({path.name}); run the ingest again, which makes it again.",
        ErrorCode.STORAGE_CORRUPT,
    )


def read_entries(fresh: Any) -> list[EmbeddedDocument]:
    """Return the documents that rows hold, with their chunks and vectors."""
    import numpy as np

    documents: dict[str, Document] = {}
    passages: dict[str, list[tuple[Chunk, Any]]] = {}
    for row in fresh.to_pylist():
        if row["kind"] == "document":
            documents[row["document_id"]] = Document.model_validate_json(row["payload"])
        else:
            passages.setdefault(row["document_id"], []).append((parse_chunk(row), row["vector"]))
    entries = []
    for document_id, document in documents.items():
        held = passages.get(document_id, [])
        vectors = np.array([vector for _, vector in held], dtype=np.float32)
        entries.append(EmbeddedDocument(document, [chunk for chunk, _ in held], vectors))
    return entries


def check_rows(tenant: str, fresh: Any) -> None:
    """Raise ``StoreError`` (corrupt) for rows of another tenant, or of one key twice."""
    import pyarrow.compute as pc

    if pc.count_distinct(fresh.column("key")).as_py() != fresh.num_rows:
        raise StoreError("The workers have made a passage twice; nothing was stored.", ErrorCode.STORAGE_CORRUPT)
    if pc.unique(fresh.column("tenant")).to_pylist() not in ([], [tenant]):
        raise StoreError("The workers have made rows of another tenant; nothing was stored.", ErrorCode.STORAGE_CORRUPT)
