"""Documents of the passages that a quoting writer reads."""

from __future__ import annotations

from roma_core.errors import StoreError
from roma_core.testing.stores import HARBOUR, entry
from roma_core.types import Document, ScoredChunk
from roma_core.writers.extractive.sources import read_documents


class Unreadable:
    """A library whose store has gone."""

    async def document(self, tenant: str, document_id: str) -> Document | None:
        raise StoreError("The store is gone; mount it again.")


class Library:
    """A library of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    async def document(self, tenant: str, document_id: str) -> Document | None:
        return self._document if document_id == self._document.id else None


async def find_passages(document: Document) -> list[ScoredChunk]:
    chunks = (await entry(document)).chunks
    return [ScoredChunk(chunk=chunk, score=1.0, retriever="bm25", rank=rank) for rank, chunk in enumerate(chunks, 1)]


async def test_passages_are_quoted_without_documents_when_the_store_has_gone() -> None:
    assert await read_documents(Unreadable(), "t", await find_passages(HARBOUR)) == ()


async def test_a_document_that_changed_since_it_was_found_is_left_out() -> None:
    passages = await find_passages(HARBOUR)
    assert await read_documents(Library(HARBOUR), "t", passages) == (HARBOUR,)
    changed = HARBOUR.model_copy(update={"text": HARBOUR.text.replace("1911", "1912")})
    assert await read_documents(Library(changed), "t", passages) == ()
