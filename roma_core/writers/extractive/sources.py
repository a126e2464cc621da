"""The sources of an answer: the passages that were found, their documents, and spans of these that are cited beside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from roma_core.errors import StoreError
from roma_core.telemetry import logs
from roma_core.types import Chunk, Document, ScoredChunk

MOST_DOCUMENT_CHARS = 400_000
"""Longer documents are read by their passages alone: taking them apart would cost more than an answer may."""


class DocumentLibrary(Protocol):
    """The part of a store that this writer needs."""

    async def document(self, tenant: str, document_id: str) -> Document | None:
        """Return a document, or None when the tenant has none with this id."""
        ...


async def read_documents(
    library: DocumentLibrary | None, tenant: str, passages: Sequence[ScoredChunk]
) -> tuple[Document, ...]:
    """Return the documents of the passages in their order, without those that changed since or are too long.

    Empty when the store cannot be read any more: the passages are in hand, and they are quoted.
    """
    ids = dict.fromkeys(passage.chunk.document_id for passage in passages)
    documents = {document.id: document for document in await read_by_ids(library, tenant, tuple(ids))}
    changed = {
        passage.chunk.document_id
        for passage in passages
        if (document := documents.get(passage.chunk.document_id)) is not None
        and document.text[passage.chunk.start : passage.chunk.end] != passage.chunk.text
    }
    return tuple(document for id_, document in documents.items() if id_ not in changed)


async def read_by_ids(library: DocumentLibrary | None, tenant: str, ids: Sequence[str]) -> tuple[Document, ...]:
    """Return the documents of these ids that are there and not too long; none when the store cannot be read."""
    if library is None or not ids:
        return ()
    try:
        found = await asyncio.gather(*(library.document(tenant, id_) for id_ in ids))
    except StoreError as error:
        logs.get("writer").warning("documents_unread", code=error.code.value)
        return ()
    return tuple(d for d in found if d is not None and len(d.text) <= MOST_DOCUMENT_CHARS)


class CitedSources:
    """Numbers what is cited: a passage that holds the span, else the span itself as one more passage."""

    def __init__(
        self, passages: Sequence[ScoredChunk], documents: Sequence[Document], relatives: Sequence[Document] = ()
    ) -> None:
        """``relatives`` are other editions of the documents: they answer nothing, but may say otherwise."""
        self.passages = tuple(passages)
        self.documents = tuple(documents)
        self.relatives = tuple(relatives)
        self.added: list[ScoredChunk] = []

    def add(self, passage: ScoredChunk) -> int:
        """Return the number of a passage that was found beside those of the answer."""
        everything = (*self.passages, *self.added)
        for number, known in enumerate(everything, start=1):
            if known.chunk.id == passage.chunk.id:
                return number
        rank = len(everything) + 1
        self.added.append(passage.model_copy(update={"rank": rank}))
        return rank

    def cite(self, document: Document, start: int, end: int) -> int:
        """Return the number of a passage that holds ``document.text[start:end]``, made where there is none."""
        everything = (*self.passages, *self.added)
        for number, passage in enumerate(everything, start=1):
            chunk = passage.chunk
            if chunk.document_id == document.id and chunk.start <= start and end <= chunk.end:
                return number
        rank = len(everything) + 1
        self.added.append(make_passage(document, start, end, rank))
        return rank


def make_passage(document: Document, start: int, end: int, rank: int) -> ScoredChunk:
    """Return a span of a document as a passage that was not searched for, with score 0."""
    text = document.text[start:end]
    page = document.page_at(start)
    chunk = Chunk(
        id=Chunk.id_for(document.id, start, end, text),
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        text=text,
        start=start,
        end=end,
        page=page.number if page else None,
        place=document.place(start),
        headings=document.headings_at(start),
    )
    return ScoredChunk(chunk=chunk, score=0.0, rank=rank, retriever="document")
