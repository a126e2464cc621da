"""The seam to the store of documents and their chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from roma_core.errors import NotFoundError, name_some, no_document
from roma_core.types import (
    EVERYTHING,
    Chunk,
    ComponentHealth,
    Document,
    DocumentFacts,
    ReadScope,
    ScoredChunk,
    digest,
)

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

Filters = dict[str, Any]
"""Conditions by the names of ``filters.FILTERS``: ``uri_prefix``, ``after`` and ``before`` are a string, the others a
value or a list of values of which one holds. Others raise ``InputError``."""


class EmbeddedDocument(NamedTuple):
    """A document, its only chunks, and their vectors of shape (len(chunks), dim), unit rows."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: Vectors


class ChunkStore(Protocol):
    """Documents with their chunks, per tenant. Raises ``StoreError``. Safe with several processes writing."""

    async def put(self, tenant: str, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store ``document`` and make ``chunks`` its only chunks. Atomic for readers, idempotent.

        ``vectors`` has shape (len(chunks), dim), unit rows.
        """
        ...

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        """Store all entries in one commit, see ``put``; of several entries for one document the last counts."""
        ...

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Remove documents with their chunks; return how many documents there were."""
        ...

    async def document(self, tenant: str, document_id: str, scope: ReadScope = EVERYTHING) -> Document | None:
        """Return a document, or None when the tenant has none with this id in ``scope``."""
        ...

    def documents(self, tenant: str, scope: ReadScope = EVERYTHING) -> AsyncIterator[Document]:
        """Yield all documents of the tenant in ``scope``, by id."""
        ...

    async def permitted_ids(self, tenant: str, document_ids: Iterable[str], scope: ReadScope) -> frozenset[str]:
        """Return which of the documents are there and in ``scope``."""
        ...

    async def contents(self, tenant: str) -> dict[str, str]:
        """Return the ``content_sha256`` of each document of the tenant by its id."""
        ...

    async def facts(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, DocumentFacts]:
        """Return the facts of each document in ``scope`` by its id, without reading its text."""
        ...

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the chunks of a document, by start."""
        ...

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks in ``scope`` by BM25, best first, ties by chunk id. ``retriever`` is ``bm25``.

        The scope is applied before the search, so that nothing permitted is crowded out by what is not.
        """
        ...

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks in ``scope`` by cosine similarity, see ``lexical``. ``retriever`` is ``dense``."""
        ...

    async def counts(self, tenant: str, scope: ReadScope = EVERYTHING) -> tuple[int, int]:
        """Return the numbers of documents and of chunks in ``scope``."""
        ...

    async def collections(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, tuple[int, int]]:
        """Return the numbers of documents and of chunks of each collection that has a document, by name."""
        ...

    def passages(self, tenant: str) -> AsyncIterator[Chunk]:
        """Yield all chunks of the tenant, by document id and start."""
        ...

    async def index_sha256(self, tenant: str) -> str:
        """Return the hash of all chunks of the tenant as they are searched and shown.

        It names the index that an evaluation used: order, time and versions of the table do not count.
        """
        ...

    async def version(self, tenant: str) -> str:
        """Return a name of the present state of the tenant's documents: another one after each change.

        It may change without one. It is cheap, and sees what other processes have written.
        """
        ...

    async def optimize(self) -> None:
        """Compact and index. Never removes a version that a reader may hold."""
        ...

    async def maintain(self) -> None:
        """Run ``optimize`` when enough has changed that it pays. Ingestion calls it after each run."""
        ...

    async def purge(self) -> None:
        """Remove deleted rows from the disk, with every older version that holds them."""
        ...

    async def health(self) -> ComponentHealth:
        """Return the state of the store, with its counts in ``details``."""
        ...

    async def close(self) -> None:
        """Release connections and files; a later call opens them again."""
        ...


async def require_document(store: ChunkStore, tenant: str, document_id: str) -> Document:
    """Return the document with an id, or with the only id that begins so. Raises ``NotFoundError``."""
    document = await store.document(tenant, document_id)
    if document is None and document_id:
        beginning = [found.id async for found in store.documents(tenant) if found.id.startswith(document_id)]
        if len(beginning) > 1:
            raise NotFoundError(
                f"{document_id!r} begins {len(beginning)} ids: {name_some(beginning)}; give more of it."
            )
        if beginning:
            document = await store.document(tenant, beginning[0])
    if document is None:
        raise no_document(document_id)
    return document


def hash_chunks(chunks: Iterable[Chunk]) -> str:
    """Return the hash of a set of chunks, whatever their order."""
    return digest("index", *sorted(chunk.model_dump_json() for chunk in chunks))
