"""``reindex``: a new table of passages from the stored texts, put in the place of the one in use.

Nothing is fetched or parsed. Searches and ingests go on meanwhile; what they change is caught up with, the last of it
while writers wait. A run that was cut short goes on where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from roma_core.cache import Cache
from roma_core.chunking import CHUNKER, chunk
from roma_core.embeddings.base import Embedder
from roma_core.errors import InputError
from roma_core.ingestion.ledger import Ledger
from roma_core.ingestion.vectors import embed_passages
from roma_core.ingestion.work import make_identity
from roma_core.store.base import EmbeddedDocument
from roma_core.store.folder import StoreFolder
from roma_core.store.lexical import MODEL_TOKENIZERS, TOKENIZERS
from roma_core.store.rebuild import BuildTarget, DocumentKey, StoredDocument, TableBuild
from roma_core.types import Chunk, ReindexReport, Usage, digest

BATCH_DOCUMENTS: Final = 64
BATCH_PASSAGES: Final = 512
"""Documents that are read at once, and passages a commit, about."""
FEW_DOCUMENTS: Final = 16
"""Changed documents that are left to the time in which writers wait."""
MOST_ROUNDS: Final = 8
"""Rounds of catching up without that; an ingest that is faster than this would otherwise keep it from ending."""


@dataclass(frozen=True)
class ReindexProgress:
    """Documents that are done, of those that this round has found to be missing."""

    done: int
    total: int
    round: int


OnReindex = Callable[[ReindexProgress], None]


@dataclass
class Reindexing:
    """One reindex of all tenants of a store."""

    folder: Path | StoreFolder
    embedder: Embedder
    embedder_name: str
    """The value of ``ROMA_EMBEDDER``."""
    cache: Cache
    ledger: Ledger
    chunk_tokens: int
    cuts: bool = False
    """Cut all documents into passages again, by today's settings."""
    tokenizer: str | None = None
    """None keeps that of the table in use."""
    min_free_mb: int = 0
    partition_rows: int = 0
    """Rows of a partition of the new table, see ``ROMA_STORE_PARTITION_ROWS``."""
    on_progress: OnReindex | None = None
    _embedded: int = 0
    _reused: int = 0
    _long: int = 0
    _chunks: dict[DocumentKey, int] = field(default_factory=dict)
    _usage: Usage = field(default_factory=Usage)

    async def run(self) -> ReindexReport:
        """Make the new table and put it in place. Raises ``RomaError``; the table in use stays as it is then."""
        began = time.monotonic()
        tokenizer = self.tokenizer or await self._read_tokenizer()
        target = BuildTarget(
            fingerprint=self.embedder.fingerprint,
            dim=self.embedder.dim,
            model=self.embedder.name,
            embedder=self.embedder_name,
            tokenizer=check_tokenizer(tokenizer),
            recipe=digest(CHUNKER, str(self.chunk_tokens), self.embedder.fingerprint)[:32] if self.cuts else "",
        )
        async with self._open_build(target) as build:
            build.require_room()
            rounds = await self._catch_up(build)
            await build.prepare()
            async with build.hold_writers():
                difference = await build.compare()
                await self._bring_over(build, difference.missing, difference.gone, rounds + 1)
                collections = await build.collections()
                await build.put_in_place()
            former = build.former
        changed = await asyncio.to_thread(self._note_in_ledger, str(former.get("fingerprint", "")), collections)
        return ReindexReport(
            embedder=self.embedder_name,
            former_embedder=str(former.get("model") or ""),
            tokenizer=tokenizer,
            cuts=self.cuts,
            documents=len(collections),
            tenants=len({key.tenant for key in collections}),
            embedded=self._embedded,
            reused=self._reused,
            long_passages=self._long,
            rounds=rounds + 1,
            ledger_rows=changed,
            seconds=time.monotonic() - began,
            usage=self._usage,
        )

    def _open_build(self, target: BuildTarget) -> TableBuild:
        return TableBuild(self.folder, target, min_free_mb=self.min_free_mb, partition_rows=self.partition_rows)

    async def _read_tokenizer(self) -> str:
        from roma_core.store.rebuild import read_tokenizer

        return await read_tokenizer(self.folder)

    async def _catch_up(self, build: TableBuild) -> int:
        """Bring over what is missing until little is; return the number of rounds."""
        for number in range(1, MOST_ROUNDS + 1):
            difference = await build.compare()
            if number > 1 and len(difference.missing) + len(difference.gone) <= FEW_DOCUMENTS:
                return number - 1
            await self._bring_over(build, difference.missing, difference.gone, number)
        return MOST_ROUNDS

    async def _bring_over(
        self, build: TableBuild, missing: Sequence[DocumentKey], gone: Sequence[DocumentKey], round_number: int
    ) -> None:
        if gone:
            await build.remove(gone)
        for at in range(0, len(missing), BATCH_DOCUMENTS):
            found = await build.read(missing[at : at + BATCH_DOCUMENTS])
            for group in _group_by_tenant(found):
                made = [await self._make(build, stored) for stored in group]
                await build.write(group[0].tenant, made)
            if self.on_progress is not None:
                done = min(at + BATCH_DOCUMENTS, len(missing))
                self.on_progress(ReindexProgress(done, len(missing), round_number))

    async def _make(self, build: TableBuild, stored: StoredDocument) -> EmbeddedDocument:
        """Return a document with the passages and the vectors that it has in the new table."""
        import numpy as np

        document, former, vectors = stored.entry
        chunks: Sequence[Chunk] = former
        if self.cuts:
            chunks = await asyncio.to_thread(chunk, document, self.embedder.count_tokens, self.chunk_tokens)
        elif not build.keeps_vectors:
            self._long += await asyncio.to_thread(self._count_long, chunks)
        known: dict[str, int] = {}
        if build.keeps_vectors:
            known = {passage.indexed_text: place for place, passage in enumerate(former)}
        fresh = np.empty((len(chunks), self.embedder.dim), dtype=np.float32)
        missing: list[int] = []
        for place, passage in enumerate(chunks):
            if passage.indexed_text in known:
                fresh[place] = vectors[known[passage.indexed_text]]
            else:
                missing.append(place)
        if missing:
            texts = [chunks[place].indexed_text for place in missing]
            embedded = await embed_passages(self.embedder, self.cache, stored.tenant, texts)
            fresh[missing] = embedded.vectors
            self._usage = self._usage + embedded.usage
        self._embedded += len(missing)
        self._reused += len(chunks) - len(missing)
        self._chunks[DocumentKey(stored.tenant, document.id)] = len(chunks)
        return EmbeddedDocument(document, chunks, fresh)

    def _count_long(self, chunks: Sequence[Chunk]) -> int:
        return sum(self.embedder.count_tokens(passage.text) > self.chunk_tokens for passage in chunks)

    def _note_in_ledger(self, former: str, collections: dict[DocumentKey, str]) -> int:
        """Write down that items are made as today, so that the next ingest leaves them as they are.

        Without cutting, items that were cut by other settings than those of today stay as they are written down.
        """
        changed = 0
        by_making: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key, collection in collections.items():
            by_making[key.tenant, collection].append(key.document_id)
        for (tenant, collection), ids in by_making.items():
            after = make_identity(self.chunk_tokens, self.embedder.fingerprint, collection)
            before = None if self.cuts else make_identity(self.chunk_tokens, former, collection)
            counts = {
                id_: self._chunks[DocumentKey(tenant, id_)] for id_ in ids if DocumentKey(tenant, id_) in self._chunks
            }
            changed += self.ledger.note_making(tenant, ids, after, before=before, chunks=counts)
        return changed


def check_tokenizer(name: str) -> str:
    """Return the name of a tokenizer of the full-text index. Raises ``InputError`` for one that is none.

    >>> check_tokenizer("icu")
    'icu'
    """
    if name in TOKENIZERS or name.startswith(MODEL_TOKENIZERS):
        return name
    known = ", ".join([*TOKENIZERS, *(f"{prefix}NAME" for prefix in MODEL_TOKENIZERS)])
    raise InputError(f"{name!r} is no tokenizer; there are {known}.")


def _group_by_tenant(found: Sequence[StoredDocument]) -> Iterator[list[StoredDocument]]:
    """Yield groups of one tenant, each of about ``BATCH_PASSAGES`` passages."""
    group: list[StoredDocument] = []
    size = 0
    for stored in found:
        if group and (stored.tenant != group[0].tenant or size >= BATCH_PASSAGES):
            yield group
            group, size = [], 0
        group.append(stored)
        size += len(stored.entry.chunks)
    if group:
        yield group
