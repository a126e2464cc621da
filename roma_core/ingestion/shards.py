"""Shards of an ingest: what goes out to a worker, what it does with it, and what comes back.

A shard holds listed items with all that the ledger knows of them. A worker runs the same ``Run`` over them as an ingest
without workers would, over a ledger and a store that only note what they are told (``ShardLedger``, ``ShardBuffer``).
It writes the rows of a shard to a file, and then, in one step, the account of the shard beside it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from roma_core.cache import Cache
from roma_core.connectors.base import Connector, Listing
from roma_core.errors import AgentFailure, ErrorCode, WorkerError
from roma_core.ingestion.ledger import Admission, Ledger, LedgerPart, LedgerRow, Outcome
from roma_core.ingestion.run import Run
from roma_core.ingestion.work import Candidate, OpenParts, Parts, SourceRun, Work
from roma_core.privacy import Originals
from roma_core.settings.sources import SecretMode
from roma_core.store.base import ChunkStore, EmbeddedDocument
from roma_core.store.inmemory import InMemoryStore
from roma_core.store.shards import write_rows
from roma_core.types import (
    DEFAULT_COLLECTION,
    EVERYTHING,
    Chunk,
    Document,
    IngestItem,
    ReadScope,
    Source,
    SourceRecord,
    Usage,
    digest,
)
from roma_core.types.base import Noun


class ShardSource(Noun):
    """A source in a shard: its record, and the source as its connector was handed it."""

    record: SourceRecord
    source: Source
    has_parts: bool
    """It claims files inside of files."""


class ShardItem(Noun):
    """A listed item with what the ledger knows of it."""

    source: int
    """Place in the shard's sources."""
    listing: Listing
    row: LedgerRow | None
    document_id: str
    is_held_elsewhere: bool


class ShardWork(Noun):
    """One item, or with a container those inside of it that are to be read."""

    items: tuple[ShardItem, ...]
    container: Listing | None = None


class IngestShard(Noun):
    """A piece of an ingest, as it goes out to a worker."""

    key: str
    tenant: str
    run_id: str
    settings: str = Field(repr=False)
    """JSON of the settings of the ingest; it may hold keys."""
    machine: str
    """The machine of the client, see ``identify_machine``."""
    identity: str
    """What decides documents, passages and vectors, see ``identify_parts``."""
    folder: str
    """Folder of the files of shards, on a disk that the workers share."""
    secrets: SecretMode
    retry: bool
    within: tuple[str, ...] | None
    sources: tuple[ShardSource, ...]
    works: tuple[ShardWork, ...]
    known_parts: tuple[tuple[int, LedgerPart], ...]
    """What the ledger knows inside of the items, each with the place of its source."""
    contents: dict[str, str]
    """``content_sha256`` of the documents that are stored, of those that the shard is about."""

    @property
    def documents(self) -> int:
        """Return the number of items."""
        return sum(len(work.items) for work in self.works)


class LedgerNote(Noun):
    """A call of the ledger that a worker noted, for the client to repeat."""

    kind: Literal["admit", "claim", "settle", "record"]
    source: str = ""
    """Id of the source of an ``admit`` or a ``claim``."""
    listings: tuple[Listing, ...] = ()
    document_ids: tuple[str, ...] = ()
    """Ids that the worker took the listed items to have."""
    uris: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class SourceNote(Noun):
    """What a shard showed of a source beside its items."""

    source: str
    listed: tuple[str, ...] = ()
    excluded: tuple[ShardItem, ...] = ()
    not_there: tuple[tuple[ShardItem, AgentFailure], ...] = ()


class FinishedShard(Noun):
    """The account of a shard that a worker has finished."""

    key: str
    file: str = ""
    """Name of the file of rows; empty when nothing is to be stored."""
    rows: int = 0
    document_ids: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Documents that are to be removed from the store."""
    newly_masked: tuple[str, ...] = ()
    unmasked: tuple[str, ...] = ()
    """Documents without masks: what was kept of an older, masked version goes after the commit."""
    ledger: tuple[LedgerNote, ...] = ()
    sources: tuple[SourceNote, ...] = ()
    items: tuple[IngestItem, ...] = ()
    """Every item that ended, also those of which nothing was to be written down."""
    usage: Usage = Usage()
    blocked: AgentFailure | None = None
    cache: tuple[tuple[str, str], ...] = ()
    """Kinds and files of entries for the client's cache, from a worker that does not share it."""
    finished_at: float = 0.0


# In a worker


class ShardLedger(Ledger):
    """A ledger that knows what its shard says, and notes what it is told."""

    def __init__(self, shard: IngestShard) -> None:
        self._records = [source.record.id for source in shard.sources]
        self._parts = [(self._records[place], part) for place, part in shard.known_parts]
        self._rows = {part.uri: part.row for _, part in self._parts if part.row is not None}
        self.notes: list[LedgerNote] = []

    def admit(
        self,
        tenant: str,
        source_id: str,
        generation: int,
        listings: Sequence[Listing],
        *,
        listed: AbstractSet[str] = frozenset(),
    ) -> list[Admission]:
        """Take in files inside of files; the client repeats it, and sees whether their ids are those."""
        admitted = []
        for listing in listings:
            row = self._rows.get(listing.uri)
            document_id = Document.id_for(listing.uri, tenant) if row is None else row.document_id
            admitted.append(Admission(row, document_id, is_held_elsewhere=False))
        ids = tuple(admission.document_id for admission in admitted)
        if listings:
            self.notes.append(LedgerNote(kind="admit", source=source_id, listings=tuple(listings), document_ids=ids))
        return admitted

    def claim(self, tenant: str, source_id: str, generation: int, uris: Sequence[str]) -> list[str]:
        """Note the claim, see ``Ledger``."""
        self.notes.append(LedgerNote(kind="claim", source=source_id, uris=tuple(uris)))
        inside = [part.uri for _, part in self._parts if part.container in uris]
        return [*uris, *inside]

    def claims_parts(self, tenant: str, source_id: str) -> bool:
        """Return whether the shard holds something that the source claims inside of a container."""
        return any(source == source_id for source, _ in self._parts)

    def parts_of(self, tenant: str, source_id: str, containers: Sequence[str]) -> list[LedgerPart]:
        """Return what the shard knows inside of these containers, see ``Ledger``."""
        return [
            LedgerPart(container, part.uri, part.row)
            for container in containers
            for source, part in self._parts
            if source == source_id and part.uri.startswith(f"{container}#")
        ]

    def settle(self, tenant: str, run_id: str, uris: Sequence[str]) -> None:
        """Note what is unchanged."""
        self.notes.append(LedgerNote(kind="settle", uris=tuple(uris)))

    def record(self, tenant: str, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Note how items ended."""
        self.notes.append(LedgerNote(kind="record", outcomes=tuple(outcomes)))


class ShardBuffer(InMemoryStore):
    """The store of a shard: it holds what is put, and reads the real one where an older version counts."""

    def __init__(self, contents: Mapping[str, str], stored: ChunkStore) -> None:
        super().__init__()
        self._contents = dict(contents)
        self._stored = stored
        self.entries: dict[str, EmbeddedDocument] = {}
        self.removed: list[str] = []

    async def contents(self, tenant: str) -> dict[str, str]:
        """Return what the real store has of the shard's documents."""
        return dict(self._contents)

    async def document(self, tenant: str, document_id: str, scope: ReadScope = EVERYTHING) -> Document | None:
        """Return the version of a document that the real store has."""
        return await self._stored.document(tenant, document_id, scope)

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the passages of the version that the real store has."""
        return await self._stored.chunks(tenant, document_id)

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        """Hold documents; they are written when the shard is done."""
        self.entries |= {entry.document.id: entry for entry in entries}

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Note what is to be removed."""
        self.removed += document_ids
        return sum(document_id in self._contents for document_id in set(document_ids))


class ShardOriginals(Originals):
    """Originals of masked documents: new ones are kept at once, and what is to be forgotten waits for the commit."""

    def __init__(self, kept: Originals) -> None:
        self._kept = kept
        self.forgotten: list[str] = []

    def put(self, tenant: str, documents: Mapping[str, Document]) -> None:
        """Keep unmasked documents, see ``Originals``."""
        self._kept.put(tenant, documents)

    def forget(self, tenant: str, document_ids: Collection[str]) -> int:
        """Note what the client removes after the commit."""
        self.forgotten += document_ids
        return 0


class BorrowedCache(Cache):
    """A cache on another machine than the client's: what it stores goes back with the shard."""

    def __init__(self, path: Path, *, mode: Any) -> None:
        super().__init__(path, mode)
        self.fresh: list[tuple[str, Mapping[str, bytes]]] = []

    def put_many(self, kind: str, values: Mapping[str, bytes]) -> None:
        """Store values here, and note them for the client."""
        super().put_many(kind, values)
        if self.writes and values:
            self.fresh.append((kind, values))


async def run_shard(shard: IngestShard, parts: Parts) -> FinishedShard:
    """Run the items of a shard to their end; write its rows and its account. ``parts`` are the worker's own.

    Raises ``WorkerError`` for a worker that would make other passages than the client, or that does not see its disk.
    """
    folder = Path(shard.folder)
    if not await asyncio.to_thread(folder.is_dir):
        raise WorkerError(
            f"The worker does not see the workspace ({folder.parent.name}/{folder.name}): put it on a disk that all "
            "share, under one path.",
            ErrorCode.WORKER_MISMATCH,
        )
    ledger, store = ShardLedger(shard), ShardBuffer(shard.contents, parts.store)
    originals = None if parts.originals is None else ShardOriginals(parts.originals)
    own = replace(parts, ledger=ledger, store=store, originals=originals)
    if identify_parts(own, shard.tenant, [source.record for source in shard.sources]) != shard.identity:
        raise WorkerError(
            f"The worker would make other passages: its model is {parts.embedder.name!r}. Install the client's models, "
            "parsers and plug-ins there; parts that were handed in as objects stay with the client.",
            ErrorCode.WORKER_MISMATCH,
        )
    run = Run(own, shard.tenant, shard.run_id, dict(shard.contents), None, shard.retry, shard.within, shard.secrets)
    sources = [_open_source(source, own.connectors) for source in shard.sources]
    works = [_as_work(run, sources, work) for work in shard.works]
    before = [_note_listed(source, works) for source in sources]
    await run.through(iterate(works))

    blocked = run.blocked
    name, count = "", 0
    if store.entries and blocked is None:
        name = f"{shard.key}-{uuid.uuid4().hex[:12]}.arrow"
        entries = list(store.entries.values())
        count = await asyncio.to_thread(write_rows, folder / name, shard.tenant, entries, own.embedder.dim)
    finished = FinishedShard(
        key=shard.key,
        file=name,
        rows=count,
        document_ids=tuple(store.entries),
        removed=tuple(store.removed),
        newly_masked=tuple(sorted(run.newly_masked)),
        unmasked=() if originals is None else tuple(originals.forgotten),
        ledger=tuple(ledger.notes),
        sources=tuple(_note_source(place, sources[place], before[place]) for place in range(len(sources))),
        items=tuple(run.items.values()),
        usage=run.usage,
        blocked=blocked,
        cache=await asyncio.to_thread(_write_cache, folder, shard.key, own.cache),
        finished_at=time.time(),
    )
    if blocked is None:
        await asyncio.to_thread(_write_account, folder, finished)
    return finished


def identify_parts(parts: Parts, tenant: str, records: Sequence[SourceRecord]) -> str:
    """Return the hash of what decides documents, passages and vectors: parsers, chunker, model and masks."""
    collections = sorted({record.options.collection or DEFAULT_COLLECTION for record in records})
    making = [parts.identify_making(tenant, collection) for collection in collections]
    return digest("parts", *making, *sorted(parts.identities), str(parts.embedder.dim))


def _open_source(source: ShardSource, connectors: Sequence[Connector]) -> SourceRun:
    connector = next((each for each in connectors if each.kind == source.record.kind), None)
    if connector is None:
        raise WorkerError(
            f"The worker has no connector {source.record.kind!r}; install the package that brings it.",
            ErrorCode.WORKER_MISMATCH,
        )
    return SourceRun(connector, source.source, source.record, None, has_parts=source.has_parts)


def _as_work(run: Run, sources: Sequence[SourceRun], work: ShardWork) -> Work:
    candidates = tuple(make_candidate(run, sources[item.source], item) for item in work.items)
    return candidates[0] if work.container is None else OpenParts(work.container, candidates)


def make_candidate(run: Run, source: SourceRun, item: ShardItem) -> Candidate:
    """Return the candidate that an item of a shard stands for."""
    return run.candidate(source, item.listing, Admission(item.row, item.document_id, item.is_held_elsewhere))


def candidates_of(work: Work) -> tuple[Candidate, ...]:
    """Return the items of a work: itself, or those inside of its container."""
    return work.parts if isinstance(work, OpenParts) else (work,)


def _note_listed(source: SourceRun, works: Iterable[Work]) -> frozenset[str]:
    """Let the source have listed the shard's items; return them."""
    for work in works:
        source.listed |= {candidate.listing.uri for candidate in candidates_of(work) if candidate.run is source}
    return frozenset(source.listed)


def _note_source(place: int, source: SourceRun, before: AbstractSet[str]) -> SourceNote:
    return SourceNote(
        source=source.record.id,
        listed=tuple(sorted(source.listed - before)),
        excluded=tuple(describe_candidate(place, candidate) for candidate in source.excluded),
        not_there=tuple((describe_candidate(place, each), failure) for each, failure in source.not_there.values()),
    )


def describe_candidate(place: int, candidate: Candidate) -> ShardItem:
    """Return a candidate as an item of a shard; ``place`` is that of its source."""
    return ShardItem(
        source=place,
        listing=candidate.listing,
        row=candidate.row,
        document_id=candidate.document_id,
        is_held_elsewhere=candidate.admission.is_held_elsewhere,
    )


async def iterate(works: Iterable[Work]) -> AsyncIterator[Work]:
    """Yield works, as a stream."""
    for work in works:
        yield work


def _write_cache(folder: Path, key: str, cache: Cache) -> tuple[tuple[str, str], ...]:
    """Write the entries that a borrowed cache has taken in; return their kinds and files."""
    if not isinstance(cache, BorrowedCache):
        return ()
    import pyarrow as pa

    fresh, cache.fresh = cache.fresh, []
    files = []
    for number, (kind, values) in enumerate(fresh):
        name = f"{key}-{uuid.uuid4().hex[:12]}-{number}.cache"
        table = pa.table({"key": list(values), "value": pa.array(list(values.values()), pa.large_binary())})
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        files.append((kind, name))
    return tuple(files)


def read_cache_entries(path: Path) -> dict[str, bytes]:
    """Return the cache entries that a worker has written to a file."""
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return dict(zip(table.column("key").to_pylist(), table.column("value").to_pylist(), strict=True))


def account_path(folder: Path, key: str) -> Path:
    """Return the file of the account of a shard."""
    return folder / f"{key}.json"


def _write_account(folder: Path, finished: FinishedShard) -> None:
    fresh = folder / f"{finished.key}-{uuid.uuid4().hex[:12]}.new"
    fresh.write_text(finished.model_dump_json(), encoding="utf-8")
    fresh.replace(account_path(folder, finished.key))
