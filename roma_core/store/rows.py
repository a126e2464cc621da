"""Documents and chunks as the rows of one Arrow table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from roma_core.errors import InputError
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lexical import add_word_parts
from roma_core.store.migrations import version_metadata
from roma_core.types import Chunk, Document, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

CHUNK_FIELDS = ("id", "document_id", "uri", "title", "text", "start", "end", "page", "place", "headings", "context")


def schema(dim: int, made_with: dict[str, Any]) -> Any:
    """Return the Arrow schema of the table; ``made_with`` (fingerprint, dim, model) goes into its metadata."""
    import pyarrow as pa

    key_metadata = {"lance-schema:unenforced-primary-key": "true", **version_metadata()}
    key = pa.field("key", pa.string(), nullable=False, metadata=key_metadata)
    text = ("kind", "tenant", "id", "document_id", "uri", "title", "text", "place", "context", "search_text")
    return pa.schema(
        [
            key,
            *(pa.field(name, pa.string()) for name in text),
            *(pa.field(name, pa.int64()) for name in ("start", "end", "page")),
            pa.field("headings", pa.list_(pa.string())),
            pa.field("content_sha256", pa.string()),
            pa.field("payload", pa.large_string()),
            pa.field("vector", pa.list_(pa.float32(), dim)),
        ],
        metadata={"roma": json.dumps(made_with, sort_keys=True)},
    )


def rows(tenant: str, entries: Sequence[EmbeddedDocument], dim: int) -> Any:
    """Return documents and chunks as an Arrow table; the last of several entries for one document counts.

    Raises ``InputError`` when vectors are missing or not finite.
    """
    import numpy as np
    import pyarrow as pa

    columns: list[dict[str, Any]] = []
    vectors: list[Vector | None] = []
    for document, chunks, own in {entry.document.id: entry for entry in entries}.values():
        if len(chunks) != len(own):
            raise InputError(f"{len(chunks)} chunks came with {len(own)} vectors.")
        columns.append(_document_row(tenant, document))
        vectors.append(None)
        for chunk, vector in {c.id: (c, v) for c, v in zip(chunks, own, strict=True)}.values():
            columns.append(_chunk_row(tenant, chunk))
            vectors.append(vector)
    # A document has a vector that nobody looks for: one null in a column makes every search of it a third slower.
    flat = np.tile(np.eye(1, dim, dtype=np.float32), (len(vectors), 1))
    for i, vector in enumerate(vectors):
        if vector is not None:
            flat[i] = vector
    if not np.isfinite(flat).all():
        raise InputError("A vector holds a number that is not finite.")
    layout = schema(dim, {}).remove_metadata()
    table = pa.Table.from_pylist(columns, schema=layout.remove(layout.get_field_index("vector")))
    return table.append_column(layout.field("vector"), pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), dim))


def _document_row(tenant: str, document: Document) -> dict[str, Any]:
    return {
        "key": digest("document", tenant, document.id)[:32],
        "kind": "document",
        "tenant": tenant,
        "id": document.id,
        "document_id": document.id,
        "uri": document.uri,
        "title": document.title,
        "content_sha256": document.content_sha256,
        "payload": document.model_dump_json(),
    }


def _chunk_row(tenant: str, chunk: Chunk) -> dict[str, Any]:
    return {
        **chunk.model_dump(),
        "key": digest("chunk", tenant, chunk.document_id, chunk.id)[:32],
        "kind": "chunk",
        "tenant": tenant,
        "search_text": add_word_parts(chunk.indexed_text),
    }


def parse_chunk(row: dict[str, Any]) -> Chunk:
    """Return the chunk that a row holds."""
    return Chunk(
        **{field: row[field] for field in CHUNK_FIELDS if field != "headings"}, headings=tuple(row["headings"])
    )
