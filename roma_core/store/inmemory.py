"""A store in plain Python: the fake of the store, and enough for a notebook of a few thousand passages.

BM25 is Lucene's form (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009) over lower-cased words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roma_core.errors import InputError
from roma_core.ranking import ranked
from roma_core.store.base import Entry, Filters
from roma_core.store.filters import conditions
from roma_core.types import Chunk, ComponentHealth, Document, ScoredChunk

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

K1, B = 1.2, 0.75
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Held:
    document: Document
    chunks: tuple[Chunk, ...]
    vectors: Vectors
    words: tuple[Counter[str], ...]


class InMemoryStore:
    """``ChunkStore`` that forgets everything at exit."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, _Held]] = {}

    async def put(self, tenant: str, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        if len(chunks) != len(vectors):
            raise InputError(f"{len(chunks)} chunks came with {len(vectors)} vectors.")
        words = tuple(Counter(_words(chunk.indexed_text)) for chunk in chunks)
        self._tenants.setdefault(tenant, {})[document.id] = _Held(document, tuple(chunks), vectors, words)

    async def put_many(self, tenant: str, entries: Sequence[Entry]) -> None:
        for entry in entries:
            await self.put(tenant, *entry)

    async def contents(self, tenant: str) -> dict[str, str]:
        return {held.document.id: held.document.content_sha256 for held in self._tenants.get(tenant, {}).values()}

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        held = self._tenants.get(tenant, {})
        return sum(held.pop(document_id, None) is not None for document_id in set(document_ids))

    async def document(self, tenant: str, document_id: str) -> Document | None:
        held = self._tenants.get(tenant, {}).get(document_id)
        return held.document if held else None

    async def documents(self, tenant: str) -> AsyncIterator[Document]:
        for _, held in sorted(self._tenants.get(tenant, {}).items()):
            yield held.document

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        held = self._tenants.get(tenant, {}).get(document_id)
        return sorted(held.chunks, key=lambda chunk: (chunk.start, chunk.id)) if held else []

    async def lexical(self, tenant: str, text: str, *, limit: int, filters: Filters | None = None) -> list[ScoredChunk]:
        """BM25 with the statistics of this tenant alone."""
        everything = [words for held in self._tenants.get(tenant, {}).values() for words in held.words]
        if not everything:
            conditions(filters)
            return []
        wanted = set(_words(text))
        frequency = {word: sum(word in words for words in everything) for word in wanted}
        mean_length = sum(words.total() for words in everything) / len(everything) or 1.0
        found = []
        for chunk, _, words in self._rows(tenant, filters):
            score = sum(
                _idf(len(everything), frequency[word]) * _saturated(words[word], words.total() / mean_length)
                for word in sorted(wanted & words.keys())
            )
            if score > 0:
                found.append((chunk, score, {"bm25": score}))
        return ranked(found, "bm25", limit=limit)

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None
    ) -> list[ScoredChunk]:
        found = []
        for chunk, own, _ in self._rows(tenant, filters):
            score = float(own @ vector)
            found.append((chunk, score, {"dense": score}))
        return ranked(found, "dense", limit=limit)

    async def counts(self, tenant: str) -> tuple[int, int]:
        held = self._tenants.get(tenant, {})
        return len(held), sum(len(h.chunks) for h in held.values())

    async def optimize(self) -> None:
        """Nothing to do."""

    async def health(self) -> ComponentHealth:
        return ComponentHealth(name="store", state="ok", reason="in memory", details={"durable": False})

    async def close(self) -> None:
        """Nothing to let go of; the content stays, as that of a closed table would."""

    def _rows(self, tenant: str, filters: Filters | None) -> Iterator[tuple[Chunk, Vector, Counter[str]]]:
        """The one place where tenant and filters are applied to a search."""
        wanted = conditions(filters)
        for held in self._tenants.get(tenant, {}).values():
            if wanted.match(held.document.id, held.document.uri):
                yield from zip(held.chunks, held.vectors, held.words, strict=True)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _idf(total: int, having: int) -> float:
    return math.log(1 + (total - having + 0.5) / (having + 0.5))


def _saturated(count: int, relative_length: float) -> float:
    return count / (count + K1 * (1 - B + B * relative_length))
