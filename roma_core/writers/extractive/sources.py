"""The sources of an answer: the passages that were found, their documents, and spans of these that are cited beside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from roma_core.errors import StoreError
from roma_core.telemetry import logs
from roma_core.types import Chunk, Document, ScoredChunk, digest

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
    if library is None:
        return ()
    ids = dict.fromkeys(passage.chunk.document_id for passage in passages)
    try:
        found = await asyncio.gather(*(library.document(tenant, id_) for id_ in ids))
    except StoreError as error:
        logs.get("writer").warning("documents_unread", code=error.code.value)
        return ()
    documents = {document.id: document for document in found if document is not None}
    changed = {
        passage.chunk.document_id
        for passage in passages
        if (document := documents.get(passage.chunk.document_id)) is not None
        and document.text[passage.chunk.start : passage.chunk.end] != passage.chunk.text
    }
    return tuple(
        document
        for id_, document in documents.items()
        if id_ not in changed and len(document.text) <= MOST_DOCUMENT_CHARS
    )


class CitedSources:
    """Numbers what is cited: a passage that holds the span, else the span itself as one more passage."""

    def __init__(self, passages: Sequence[ScoredChunk], documents: Sequence[Document]) -> None:
        self.passages = tuple(passages)
        self.documents = tuple(documents)
        self.added: list[ScoredChunk] = []

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
        id=digest("chunk", document.id, str(start), str(end), text)[:32],
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
