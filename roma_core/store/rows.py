"""Documents and chunks as the rows of one Arrow table, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roma_core.errors import InputError
from roma_core.facts import read_facts, split_author
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lexical import make_search_text
from roma_core.store.migrations import version_metadata
from roma_core.types import Chunk, Document, DocumentFacts, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

KEY_COLUMNS = ("key", "kind")
"""Columns by which rows are replaced. The key alone would do, but then LanceDB adds 66 kB to a commit, about which keys
it wrote, for the sake of writers without a lease."""
FACT_FIELDS = tuple(DocumentFacts.model_fields)
"""Columns of what is known of a document: author, date, type, language, source, collection."""
CHUNK_FIELDS = (
    *("id", "document_id", "uri", "title", "text", "start", "end", "page", "place", "headings", "context"),
    *FACT_FIELDS,
)
DERIVED_FIELDS = ("author_words", "place_words", "section")
"""Columns that filters alone read: names without case and accents, addresses in lower case, headings."""


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
            *(pa.field(name, pa.string()) for name in (*FACT_FIELDS, *DERIVED_FIELDS)),
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
    # A document has a vector that is never searched: one null in a column makes every search of it a third slower.
    flat = np.tile(np.eye(1, dim, dtype=np.float32), (len(vectors), 1))
    for i, vector in enumerate(vectors):
        if vector is not None:
            flat[i] = vector
    if not np.isfinite(flat).all():
        raise InputError("A vector holds a number that is not finite.")
    layout = schema(dim, {}).remove_metadata()
    position = layout.get_field_index("vector")
    table = pa.Table.from_pylist(columns, schema=layout.remove(position))
    column = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), dim)
    return table.add_column(position, layout.field("vector"), column)


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
        **fact_columns(document.uri, read_facts(document)),
    }


def _chunk_row(tenant: str, chunk: Chunk) -> dict[str, Any]:
    return {
        **chunk.model_dump(exclude={"facts"}),
        **fact_columns(chunk.uri, chunk.facts, chunk.headings),
        "key": digest("chunk", tenant, chunk.document_id, chunk.id)[:32],
        "kind": "chunk",
        "tenant": tenant,
        "search_text": make_search_text(chunk.indexed_text, chunk.facts.language),
    }


def fact_columns(uri: str, facts: DocumentFacts, headings: Sequence[str] = ()) -> dict[str, str]:
    """Return the columns that filters read."""
    return {
        **facts.model_dump(),
        "author_words": join_words(split_author(facts.author)),
        "place_words": f"{facts.source}\n{uri}".lower(),
        "section": " > ".join(headings).lower(),
    }


def join_words(words: Sequence[str]) -> str:
    """Return words with a blank on both sides of each, so that a whole word is found as a text.

    >>> join_words(["jane", "doe"])
    ' jane doe '
    """
    return f" {' '.join(words)} " if words else ""


def parse_chunk(row: dict[str, Any]) -> Chunk:
    """Return the chunk that a row holds."""
    fields = {field: row[field] for field in CHUNK_FIELDS if field != "headings" and field not in FACT_FIELDS}
    return Chunk(**fields, headings=tuple(row["headings"]), facts=parse_facts(row))


def parse_facts(row: Mapping[str, Any]) -> DocumentFacts:
    """Return the facts of a document, or of a passage, that a row holds."""
    return DocumentFacts(**{field: row[field] for field in FACT_FIELDS})
