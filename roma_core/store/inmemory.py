"""A store in plain Python: the fake of the store, and enough for a notebook of a few thousand passages.

BM25 is Lucene's form (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009) over lower-cased words.
"""

from __future__ import annotations

import math
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roma_core.errors import InputError
from roma_core.facts import read_facts
from roma_core.languages import UNSPACED, detect_language
from roma_core.ranking import rank_chunks
from roma_core.store.base import EmbeddedDocument, Filters, hash_chunks
from roma_core.store.filters import Conditions, parse_filters
from roma_core.store.lexical import SHORTEST_FUZZY, expand_versions, is_within_one_edit, make_search_text
from roma_core.store.shards import check_rows, read_entries
from roma_core.store.words import choose_languages, widen_question
from roma_core.types import EVERYTHING, Chunk, ComponentHealth, Document, DocumentFacts, ReadScope, ScoredChunk

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

K1, B = 1.2, 0.75
_WORD = re.compile(r"\w+(?:\.\d+)*")


@dataclass(frozen=True)
class _Index:
    """Index of one tenant's chunks; a row is a chunk."""

    chunks: Sequence[Chunk]
    vectors: Sequence[Vector]
    relative_lengths: Sequence[float]
    """Number of words, where 1 is the mean of all chunks."""
    postings: dict[str, list[tuple[int, int]]]
    """The rows that hold a word, and how often."""


class InMemoryStore:
    """``ChunkStore`` in memory, without a file."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, EmbeddedDocument]] = {}
        self._indexes: dict[str, _Index] = {}
        """Made by the first search after a change."""
        self._name = uuid.uuid4().hex
        self._changes = 0

    async def put(self, tenant: str, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store a document with its chunks, see ``ChunkStore``. Raises ``InputError`` when vectors are missing."""
        if len(chunks) != len(vectors):
            raise InputError(f"{len(chunks)} chunks came with {len(vectors)} vectors.")
        self._changes += 1
        self._tenants.setdefault(tenant, {})[document.id] = EmbeddedDocument(document, tuple(chunks), vectors)
        self._indexes.pop(tenant, None)

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        """Store several documents, see ``ChunkStore``."""
        for entry in entries:
            await self.put(tenant, *entry)

    async def commit_rows(self, tenant: str, fresh: Any, removed: Sequence[str] = ()) -> None:
        """Take in documents that others have made rows of, see ``ShardStore``."""
        check_rows(tenant, fresh)
        await self.put_many(tenant, read_entries(fresh))
        await self.delete(tenant, removed)

    async def contents(self, tenant: str) -> dict[str, str]:
        """Return the content hashes by document id, see ``ChunkStore``."""
        return {held.document.id: held.document.content_sha256 for held in self._tenants.get(tenant, {}).values()}

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Remove documents, see ``ChunkStore``."""
        held = self._tenants.get(tenant, {})
        self._changes += 1
        self._indexes.pop(tenant, None)
        return sum(held.pop(document_id, None) is not None for document_id in set(document_ids))

    async def document(self, tenant: str, document_id: str, scope: ReadScope = EVERYTHING) -> Document | None:
        """Return a document or None, see ``ChunkStore``."""
        held = self._tenants.get(tenant, {}).get(document_id)
        return held.document if held and scope.permits(document_id, held.document.collection) else None

    async def documents(self, tenant: str, scope: ReadScope = EVERYTHING) -> AsyncIterator[Document]:
        """Yield the documents by id, see ``ChunkStore``."""
        for held in self._select_entries(tenant, scope):
            yield held.document

    async def facts(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, DocumentFacts]:
        """Return the facts by document id, see ``ChunkStore``."""
        return {held.document.id: read_facts(held.document) for held in self._select_entries(tenant, scope)}

    async def permitted_ids(self, tenant: str, document_ids: Iterable[str], scope: ReadScope) -> frozenset[str]:
        """Return which documents are there and permitted, see ``ChunkStore``."""
        permitted = {held.document.id for held in self._select_entries(tenant, scope)}
        return frozenset(permitted & set(document_ids))

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the chunks of a document by start, see ``ChunkStore``."""
        held = self._tenants.get(tenant, {}).get(document_id)
        return sorted(held.chunks, key=lambda chunk: (chunk.start, chunk.id)) if held else []

    async def passages(self, tenant: str) -> AsyncIterator[Chunk]:
        """Yield all chunks, see ``ChunkStore``."""
        for document_id in sorted(self._tenants.get(tenant, {})):
            for chunk in await self.chunks(tenant, document_id):
                yield chunk

    async def index_sha256(self, tenant: str) -> str:
        """Return the hash of the tenant's chunks, see ``ChunkStore``."""
        held = self._tenants.get(tenant, {}).values()
        return hash_chunks(chunk for entry in held for chunk in entry.chunks)

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by BM25, with the statistics of this tenant alone."""
        index, wanted = self._index(tenant), parse_filters(filters)
        scores: dict[int, float] = defaultdict(float)
        present = {chunk.facts.language for chunk in index.chunks}
        languages = choose_languages(detect_language(text), present)
        words = set(_split_words(widen_question(expand_versions(text), languages)))
        misspelt = [word for word in words if word not in index.postings and len(word) >= SHORTEST_FUZZY]
        words.update(word for word in index.postings for wrong in misspelt if is_within_one_edit(wrong, word))
        for word in sorted(words):
            held = index.postings.get(word, ())
            weight = _idf(len(index.chunks), len(held))
            for row, count in held:
                scores[row] += weight * _saturate_count(count, index.relative_lengths[row])
        rows = _filter_rows(index, wanted, scope, scores)
        return rank_chunks(
            ((index.chunks[row], scores[row], {"bm25": scores[row]}) for row in rows), "bm25", limit=limit
        )

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by dot product with every vector, see ``ChunkStore``."""
        index, wanted = self._index(tenant), parse_filters(filters)
        rows = _filter_rows(index, wanted, scope, range(len(index.chunks)))
        scores = {row: float(index.vectors[row] @ vector) for row in rows}
        return rank_chunks(
            ((index.chunks[row], scores[row], {"dense": scores[row]}) for row in rows), "dense", limit=limit
        )

    async def counts(self, tenant: str, scope: ReadScope = EVERYTHING) -> tuple[int, int]:
        """Return the numbers of documents and of chunks, see ``ChunkStore``."""
        held = self._select_entries(tenant, scope)
        return len(held), sum(len(entry.chunks) for entry in held)

    async def collections(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, tuple[int, int]]:
        """Return the numbers of documents and chunks of each collection, see ``ChunkStore``."""
        held = self._select_entries(tenant, scope)
        documents = Counter(entry.document.collection for entry in held)
        chunks = Counter(entry.document.collection for entry in held for _ in entry.chunks)
        return {name: (documents[name], chunks[name]) for name in sorted(documents)}

    async def version(self, tenant: str) -> str:
        """Return a name of the state, see ``ChunkStore``."""
        return f"{self._name}:{self._changes}"

    async def optimize(self) -> None:
        """Do nothing: indexes are built by the first search after a change."""

    async def maintain(self) -> None:
        """Do nothing, see ``optimize``."""

    async def purge(self) -> None:
        """Do nothing: a deleted document leaves no version behind."""

    async def health(self) -> ComponentHealth:
        """Return ``ok``; ``details["durable"]`` is False."""
        return ComponentHealth(name="store", state="ok", reason="in memory", details={"durable": False})

    async def close(self) -> None:
        """Do nothing: the content stays, like that of a closed table."""

    def _select_entries(self, tenant: str, scope: ReadScope) -> list[EmbeddedDocument]:
        """Return the tenant's documents in ``scope``, by id."""
        entries = [held for _, held in sorted(self._tenants.get(tenant, {}).items())]
        return [held for held in entries if scope.permits(held.document.id, held.document.collection)]

    def _index(self, tenant: str) -> _Index:
        """Return the tenant's index, built when it is missing. Searches of a tenant see nothing else."""
        if tenant not in self._indexes:
            self._indexes[tenant] = _build_index(self._tenants.get(tenant, {}).values())
        return self._indexes[tenant]


def _build_index(entries: Collection[EmbeddedDocument]) -> _Index:
    chunks = [chunk for entry in entries for chunk in entry.chunks]
    words = [Counter(_split_words(make_search_text(chunk.indexed_text, chunk.facts.language))) for chunk in chunks]
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, counted in enumerate(words):
        for word, count in counted.items():
            postings[word].append((row, count))
    mean_length = sum(counted.total() for counted in words) / max(1, len(words)) or 1.0
    return _Index(
        chunks,
        [vector for entry in entries for vector in entry.vectors],
        [counted.total() / mean_length for counted in words],
        dict(postings),
    )


def _filter_rows(index: _Index, wanted: Conditions, scope: ReadScope, rows: Collection[int]) -> Collection[int]:
    """Return the rows that pass the filters and are in ``scope``."""
    if wanted == Conditions() and scope.is_everything:
        return rows
    chunks = index.chunks
    in_scope = [row for row in rows if scope.permits(chunks[row].document_id, chunks[row].facts.collection)]
    return [row for row in in_scope if wanted.match(chunks[row])]


def _split_words(text: str) -> list[str]:
    """Return lower-cased words; of scripts without spaces every pair of neighbouring characters."""
    words = _WORD.findall(UNSPACED.sub(" ", text.lower()))
    runs = UNSPACED.findall(text)
    return words + [run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))]


def _idf(total: int, having: int) -> float:
    return math.log(1 + (total - having + 0.5) / (having + 0.5))


def _saturate_count(count: int, relative_length: float) -> float:
    return count / (count + K1 * (1 - B + B * relative_length))
