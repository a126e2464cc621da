"""The seam to the store of documents and their chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from roma_core.types import Chunk, ComponentHealth, Document, ScoredChunk, digest

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

Filters = dict[str, Any]
"""``document_id`` or ``uri``: a value or a list of values; ``uri_prefix``: a string. Others raise ``InputError``."""


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
        """``put`` of all of them in one commit; of several entries for one document the last counts."""
        ...

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Remove documents with their chunks; returns how many documents there were."""
        ...

    async def document(self, tenant: str, document_id: str) -> Document | None: ...

    def documents(self, tenant: str) -> AsyncIterator[Document]:
        """All documents of the tenant by id, streamed."""
        ...

    async def contents(self, tenant: str) -> dict[str, str]:
        """``content_sha256`` of each document of the tenant by its id."""
        ...

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """The document's chunks by start."""
        ...

    async def lexical(self, tenant: str, text: str, *, limit: int, filters: Filters | None = None) -> list[ScoredChunk]:
        """Best chunks by BM25, best first; ties by chunk id. ``retriever`` is ``bm25``."""
        ...

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None
    ) -> list[ScoredChunk]:
        """Best chunks by cosine similarity, best first; ties by chunk id. ``retriever`` is ``dense``."""
        ...

    async def counts(self, tenant: str) -> tuple[int, int]:
        """Numbers of documents and of chunks."""
        ...

    async def index_sha256(self, tenant: str) -> str:
        """Hash of all chunks of the tenant as they are searched and shown: the same index has the same one.

        Order, time and versions of the table do not count. Names what an evaluation was made over.
        """
        ...

    async def optimize(self) -> None:
        """Compact and index. Never removes a version that a reader may hold."""
        ...

    async def maintain(self) -> None:
        """``optimize`` when enough has changed that it pays; called after each ingest."""
        ...

    async def purge(self) -> None:
        """Remove from the disk what was deleted, with every older version that holds it."""
        ...

    async def health(self) -> ComponentHealth: ...

    async def close(self) -> None: ...


def hash_chunks(chunks: Iterable[Chunk]) -> str:
    """Return the hash of a set of chunks, whatever their order."""
    return digest("index", *sorted(chunk.model_dump_json() for chunk in chunks))
