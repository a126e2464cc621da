"""One ingest: what each listed item goes through, and what is written down of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeGuard

from roma_core.chunking import chunk
from roma_core.connectors.base import Listing
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.ingestion.captions import base_parser
from roma_core.ingestion.decide import ItemFacts, decide_item
from roma_core.ingestion.documents import (
    add_warning,
    flag_injection,
    held_secret,
    identify_document,
    text_identity,
)
from roma_core.ingestion.fetching import fetch_item, fetch_parts, find_outermost, group_items, list_inside, not_inside
from roma_core.ingestion.ledger import Admission, LedgerRow, Outcome, StoredVersion, Tombstone
from roma_core.ingestion.outcomes import as_failed, as_unchanged, describe_end, describe_stored, make_outcome
from roma_core.ingestion.pipeline import FlowStage, flow
from roma_core.ingestion.progress import IngestProgress, OnProgress
from roma_core.ingestion.reading import DocumentReader
from roma_core.ingestion.simhash import simhash
from roma_core.ingestion.vectors import embed_key, embed_passages
from roma_core.ingestion.work import (
    AGENT,
    Candidate,
    OpenParts,
    Parts,
    Prepared,
    SourceRun,
    Work,
)
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.containers import MAX_DEPTH, has_parts
from roma_core.privacy import ScreenedDocument
from roma_core.privacy.holds import RETIRED
from roma_core.settings import SourceSettings
from roma_core.settings.sources import SecretMode
from roma_core.store.base import EmbeddedDocument
from roma_core.telemetry import logs
from roma_core.types import (
    DEFAULT_COLLECTION,
    Chunk,
    Document,
    IngestItem,
    ItemState,
    RawDocument,
    Usage,
    digest,
)
from roma_core.types.privacy import is_masked

if TYPE_CHECKING:
    from roma_core.types import Vectors

_DEFAULTS = SourceSettings()

_log = logs.get(AGENT)
FINAL = frozenset(
    {ErrorCode.PARSER_MALFORMED, ErrorCode.PARSER_ENCRYPTED, ErrorCode.PARSER_UNSUPPORTED, ErrorCode.PARSER_EMPTY}
)
"""Failures that the same bytes and the same parsers give again: such an item is not tried before one changes."""
BLOCKING = frozenset({ErrorCode.EMBEDDING_MODEL, *(code for code in ErrorCode if code.startswith("ERR_STORAGE_"))})
"""Failures that every further item would meet: the rest is not tried."""
READ_AGAIN_S = 1.0
"""Least time between two looks at all that the store holds."""
WRITE_BATCH = 512
"""Passages a commit, about: it bounds memory whatever the documents' size."""
WRITE_LINGER_S = 2.0
"""How long a commit waits for more: each costs processor time, and the next ones a little more for its fragment."""


Reading = Callable[[], Awaitable[list[Prepared] | AgentFailure]]


@dataclass
class Run:
    """State of one ingest of one tenant."""

    parts: Parts
    tenant: str
    run_id: str
    contents: dict[str, str]
    """``content_sha256`` by document id, as the store had them at the start."""
    on_progress: OnProgress | None = None
    retry: bool = False
    """Try also what ``FINAL`` failures would leave alone."""
    within: Sequence[str] | None = None
    """Places that sources are confined to."""
    secrets: SecretMode = _DEFAULTS.secrets
    """What becomes of documents that hold keys or passwords."""
    items: dict[str, IngestItem] = field(default_factory=dict)
    changed: bool = False
    listed: int = 0
    listing: bool = True
    blocked: AgentFailure | None = None
    usage: Usage = field(default_factory=Usage)
    """Of embeddings; models that describe figures report theirs as calls."""
    newly_masked: set[str] = field(default_factory=set)
    """Ids of documents that were stored before and are masked from this run on."""
    _counts: dict[ItemState, int] = field(default_factory=dict)
    _made_in: dict[str, str] = field(default_factory=dict)
    """What items are made with today, by collection."""
    _expected: dict[str, ItemState] = field(default_factory=dict)
    """States of items, by address, that the commit of all shards will give them."""
    _began: float = field(default_factory=time.monotonic)
    _read_at: float = field(default_factory=time.monotonic)

    @cached_property
    def _reader(self) -> DocumentReader:
        return DocumentReader(self.parts, self.tenant)

    @cached_property
    def _identities(self) -> frozenset[str]:
        return self.parts.identities

    async def through(self, candidates: AsyncIterator[Work]) -> None:
        """All candidates to their end."""
        workers = self.parts.workers
        await flow(
            candidates,
            FlowStage(self._prepare, width=workers * 2, room=workers * 4),
            FlowStage(self._embed, width=workers, room=workers * 4),
            FlowStage(
                self._write,
                room=workers * 4,
                batch=WRITE_BATCH,
                weight=lambda prepared: len(prepared.chunks),
                linger_s=WRITE_LINGER_S,
            ),
        )

    async def admit(self, source: SourceRun, listings: Sequence[Listing]) -> list[Work]:
        """Claim listed items for their source; return what has to be fetched, and end the others."""
        to_fetch = await self._admit(source, listings)
        waiting = {candidate.listing.uri for candidate in to_fetch}
        settled = [listing for listing in listings if listing.uri not in waiting]
        return group_items([*to_fetch, *await self._admit_known_parts(source, settled)])

    async def _admit(self, source: SourceRun, listed: Sequence[Listing]) -> list[Candidate]:
        self.listed += len(listed)
        listings = await asyncio.to_thread(self._skip_retired, listed)
        admitted = await guarded(
            AGENT,
            asyncio.to_thread(
                self.parts.ledger.admit,
                self.tenant,
                source.record.id,
                source.generation,
                list(listings),
                listed=frozenset(source.listed) if any(listing.previous_uri for listing in listings) else frozenset(),
            ),
        )
        if not isinstance(admitted, AgentFailure):
            followed = await guarded(AGENT, asyncio.to_thread(self._follow_readers, source, listings, admitted))
            admitted = followed if isinstance(followed, AgentFailure) else admitted
        if isinstance(admitted, AgentFailure):  # without a claim nothing may be written for them
            for listing in listings:
                item = IngestItem(uri=listing.uri, state="failed", reason=admitted.message, code=admitted.code.value)
                await self.report(item)
            return []
        await self._read_again(admitted)
        to_fetch: list[Candidate] = []
        unchanged: list[Candidate] = []
        settled: list[LedgerRow] = []
        ended: list[Outcome] = []
        for listing, admission in zip(listings, admitted, strict=True):
            if self._is_as_recorded(admission.row, source, listing):
                settled.append(admission.row)
                continue
            candidate = self.candidate(source, listing, admission)
            action = decide_item("listed", self.facts_of(candidate))
            row = candidate.row
            if action == "fetch":
                to_fetch.append(candidate)
            elif action == "keep":
                unchanged.append(candidate)
            elif action == "take_out":
                source.excluded.append(candidate)
            elif action == "leave_out":
                ended.append(describe_end(candidate, "skipped", listing.skip or "", None))
            elif row is not None:
                ended.append(describe_end(candidate, "failed", row.reason, row.code))
        await self._settle(settled)
        await self._end_unchanged(unchanged)
        if ended:
            await self.record(ended)
        return to_fetch

    def _skip_retired(self, listings: Sequence[Listing]) -> list[Listing]:
        """Return the listings; an item that was removed because its time was over is skipped."""
        retired = self.parts.retired
        if retired is None or not retired.has_retired:
            return list(listings)
        return [
            listing.model_copy(update={"skip": RETIRED})
            if listing.skip is None and retired.is_retired(self.tenant, listing.uri, listing.version)
            else listing
            for listing in listings
        ]

    def _is_as_recorded(self, row: LedgerRow | None, source: SourceRun, listing: Listing) -> TypeGuard[LedgerRow]:
        """Return whether the rules would keep the item, and its row would change in its state alone.

        Most items of most runs are such, so nothing else is made of them.
        """
        return (
            row is not None
            and listing.skip is None
            and listing.version is not None
            and row.version == listing.version
            and row.source == source.source.uri
            and row.made_with == self._describe_making(source)
            and row.parser in self._identities
            and row.content_sha256 == self.contents.get(row.document_id, "")
            and row.listing_json == listing.model_dump_json()
        )

    async def _settle(self, rows: Sequence[LedgerRow]) -> None:
        """End items that are as recorded; a row that calls its item unchanged already is not written again."""
        news = [row.uri for row in rows if row.state != "unchanged" or row.pinned]
        failure: AgentFailure | None = None
        if news:
            wrote = await guarded(AGENT, asyncio.to_thread(self.parts.ledger.settle, self.tenant, self.run_id, news))
            failure = wrote if isinstance(wrote, AgentFailure) else None
        unwritten = set(news) if failure is not None else frozenset()
        for row in rows:
            item = as_unchanged(row)
            await self.report(as_failed(item, failure) if failure and row.uri in unwritten else item)

    def _follow_readers(self, source: SourceRun, listings: Sequence[Listing], admitted: Sequence[Admission]) -> None:
        """Confine documents, before they are stored, to those who may read them at their source. Blocking.

        What is inside of a file has the file's readers. Raises ``StoreError`` and ``InputError``.
        """
        access = self.parts.access
        if access is None:
            return
        ids = [admission.document_id for admission in admitted]
        if source.connector.kind not in self.parts.followed:
            access.unfollow(self.tenant, ids)
            return
        outermost = {listing.uri: find_outermost(listing) for listing in listings}
        readers = {id_: outermost[listing.uri].readers for id_, listing in zip(ids, listings, strict=True)}
        for part in self.parts.ledger.parts_of(self.tenant, source.record.id, list(outermost)):
            if part.row is not None:
                readers[part.row.document_id] = outermost[part.container].readers
        access.follow(self.tenant, readers)

    async def _admit_known_parts(self, source: SourceRun, containers: Sequence[Listing]) -> list[Candidate]:
        """List what is inside of containers that stay as they are; return what of it has to be read again."""
        ledger = self.parts.ledger
        if source.has_parts is None:
            source.has_parts = await asyncio.to_thread(ledger.claims_parts, self.tenant, source.record.id)
        if not source.has_parts:
            return []
        by_uri = {container.uri: container for container in containers}
        known = await asyncio.to_thread(ledger.parts_of, self.tenant, source.record.id, list(by_uri))
        listings: list[Listing] = []
        for part in known:
            if part.uri not in source.listed:
                source.listed.add(part.uri)
                listings.append(part.row.listing if part.row else list_inside(by_uri[part.container], part.uri))
        return await self._admit(source, listings) if listings else []

    async def _read_again(self, admitted: Sequence[Admission]) -> None:
        """Read the store's contents again when another run has written what this one does not know of."""
        rows = [admission.row for admission in admitted if admission.row is not None]
        is_behind = any(
            row.content_sha256 is not None and row.content_sha256 != self.contents.get(row.document_id) for row in rows
        )
        if is_behind and time.monotonic() - self._read_at > READ_AGAIN_S:
            contents = await guarded(AGENT, self.parts.store.contents(self.tenant))
            if not isinstance(contents, AgentFailure):
                self.contents = contents
            self._read_at = time.monotonic()

    def candidate(self, source: SourceRun, listing: Listing, admission: Admission) -> Candidate:
        """Return a listed item with what is known of it."""
        row = admission.row
        is_stored = row is not None and row.content_sha256 == self.contents.get(row.document_id, "")
        attempt = digest(str(listing.version), self._all_parsers)[:32]
        return Candidate(source, listing, admission, is_stored, attempt)

    @cached_property
    def _all_parsers(self) -> str:
        seen = [self.parts.pictures.tag] if self.parts.pictures is not None else []
        return digest(*sorted(self.parts.parsers.parser_ids), *seen)

    async def fail(self, candidate: Candidate, failure: AgentFailure) -> None:
        if failure.code in BLOCKING:
            self.blocked = failure
        await guarded(AGENT, self._keep_parts(candidate))
        row = candidate.row
        if failure.code == ErrorCode.CONNECTOR_NOT_FOUND and row is not None and row.content_sha256:
            candidate.run.not_there[candidate.listing.uri] = (
                candidate,
                failure,
            )  # its state is decided after the listing
            return
        await self.end(candidate, "failed", failure.message, failure.code.value)

    async def _keep_parts(self, candidate: Candidate) -> None:
        """Claim what is inside of a container that could not be read: what is stored of it stays."""
        source, uri = candidate.run, candidate.listing.uri
        known = await asyncio.to_thread(self.parts.ledger.parts_of, self.tenant, source.record.id, [uri])
        uris = [part.uri for part in known if part.uri not in source.listed]
        if uris:
            source.listed.update(uris)
            await asyncio.to_thread(self.parts.ledger.claim, self.tenant, source.record.id, source.generation, uris)

    async def report(self, item: IngestItem) -> None:
        """Count an ended item and report the progress."""
        self._expected.pop(item.uri, None)
        self.items[item.uri] = item
        self._counts[item.state] = self._counts.get(item.state, 0) + 1
        await self._report_progress(item)

    async def expect(self, item: IngestItem) -> None:
        """Report the progress of an item that is ready and waits for the commit of its shard."""
        self._expected[item.uri] = item.state
        await self._report_progress(item)

    async def _report_progress(self, item: IngestItem) -> None:
        if self.on_progress is not None:
            told = await guarded(AGENT, self._tell(self.on_progress, item.uri))
            if isinstance(told, AgentFailure):  # a broken progress bar is no reason to lose documents
                self.on_progress = None
                _log.warning("progress is told no more", code=told.code.value, **told.details)

    async def _tell(self, on_progress: OnProgress, uri: str) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        counts = dict(self._counts)
        for state in self._expected.values():
            counts[state] = counts.get(state, 0) + 1
        done = sum(counts.values())
        on_progress(IngestProgress(self.listed, self.listing, counts, done / elapsed, uri))

    # Stages

    async def _prepare(self, work: list[Work]) -> list[Prepared]:
        """Fetch, compare, parse and cut one item, or the files inside of one."""
        [item] = work
        if isinstance(item, OpenParts):
            return await self._prepare_parts(item)
        return await self._prepare_one(item, lambda: self._fetch(item))

    async def _prepare_one(self, candidate: Candidate, read: Reading) -> list[Prepared]:
        """Return what comes of reading an item; a failure is written down."""
        made: list[Prepared] | AgentFailure = self.blocked or await self._guarded_reading(read)
        if isinstance(made, AgentFailure):
            await self.fail(candidate, made)
            return []
        return made

    async def _guarded_reading(self, read: Reading) -> list[Prepared] | AgentFailure:
        return await guarded(AGENT, read())

    async def _prepare_parts(self, open_parts: OpenParts) -> list[Prepared]:
        """Open a container once for all the files inside of it that have to be read."""
        source, container = open_parts.parts[0].run, open_parts.container
        raws: tuple[RawDocument, ...] | AgentFailure
        raws = self.blocked or await self._guarded_parts(source, container)
        if isinstance(raws, AgentFailure):
            for part in open_parts.parts:
                await self.fail(part, raws)
            return []
        return await self._read_all(open_parts.parts, {raw.uri: raw for raw in raws})

    async def _guarded_parts(self, source: SourceRun, container: Listing) -> tuple[RawDocument, ...] | AgentFailure:
        return await guarded(AGENT, fetch_parts(source.connector, source.source, container, self.parts.parsers))

    async def _read_all(self, parts: Sequence[Candidate], raws: Mapping[str, RawDocument]) -> list[Prepared]:
        """Read files that were taken out of their container."""
        made: list[Prepared] = []
        for part in parts:
            raw = raws.get(part.listing.uri)
            if raw is None:
                await self.fail(part, AgentFailure.of(AGENT, not_inside()))
            else:
                made += await self._prepare_one(part, partial(self._read, part, raw))
        return made

    async def _fetch(self, candidate: Candidate) -> list[Prepared] | AgentFailure:
        source = candidate.run
        raw = await fetch_item(source.connector, source.source, candidate.listing, self.parts.parsers)
        if isinstance(raw, AgentFailure):
            return raw
        try:
            return await self._read(candidate, raw)
        finally:
            await asyncio.to_thread(raw.discard)

    async def _read(self, candidate: Candidate, raw: RawDocument) -> list[Prepared] | AgentFailure:
        """Return an item's document, and those of the files inside of it, as far as they are new."""
        sha256 = await asyncio.to_thread(lambda: raw.sha256)
        parser = await asyncio.to_thread(self.parts.parsers.parser_id, raw)
        facts = self.facts_of(candidate, has_same_content=_has_same_content(candidate, sha256, parser))
        if decide_item("fetched", facts) == "keep":
            await self._end_unchanged([candidate])
            return await self._read_known_parts(candidate)
        parse_key = self._reader.name_parse(raw, sha256, parser)
        collection = candidate.run.record.options.collection or DEFAULT_COLLECTION
        document = await self._reader.parse(raw, parse_key, keeps=not self._hides(collection))
        if isinstance(document, AgentFailure):
            return document
        document = await self._reader.add_captions(document, raw)
        if self.parts.pictures is not None:
            document = await self.parts.pictures.add(document, raw, candidate.document_id, self.tenant)
        parts: list[Prepared] = []
        if has_parts(document):
            document, parts = await self._read_parts(candidate, raw, document)
        facts = self.facts_of(candidate, has_same_document=self._has_same_document(candidate, sha256, document))
        if decide_item("parsed", facts) == "keep":
            await self._end_unchanged([candidate])
            return parts
        secret = self._secret_of(candidate, document)
        if secret is not None:
            await self._leave_out_secret(candidate, secret)
            return parts
        merged = identify_document(candidate, raw, document, sha256)
        screened = await asyncio.to_thread(self._look_through, merged)
        if screened.refusal or screened.is_masked:
            await self._drop_unmasked(candidate, parse_key)
        if screened.refusal:
            await self._leave_out(candidate, screened.refusal)
            return parts
        flagged = flag_injection(screened.document)
        made = await asyncio.to_thread(lambda: self._cut(candidate, flagged, parse_key))
        if isinstance(made, AgentFailure):
            await self.end(candidate, "failed", made.message, made.code.value)
            return parts
        if screened.is_masked:
            made = replace(made, original=merged)
        return [made, *parts]

    async def _read_known_parts(self, candidate: Candidate) -> list[Prepared]:
        """Return what has to be read again inside of a container that is as it was."""
        made: list[Prepared] = []
        for group in group_items(await self._admit_known_parts(candidate.run, [candidate.listing])):
            made += await self._prepare([group])
        return made

    async def _read_parts(
        self, candidate: Candidate, raw: RawDocument, document: Document
    ) -> tuple[Document, list[Prepared]]:
        """Read the files inside of a file; return its document with a warning where that fails, and theirs."""
        listing = candidate.listing
        if listing.depth >= MAX_DEPTH:
            return add_warning(document, f"files inside of it are not read: they are {MAX_DEPTH} deep"), []
        found = await self.parts.parsers.parts(raw, ParseOptions(tenant=self.tenant))
        if isinstance(found, AgentFailure):
            await self._keep_parts(candidate)
            return add_warning(document, f"files inside of it are not read: {found.message}"), []
        by_uri = {part.uri: part for part in found}
        versions = await asyncio.to_thread(lambda: {part.uri: part.sha256 for part in found})
        listings = [
            Listing(
                uri=part.uri,
                version=versions[part.uri],
                title=part.title,
                size=part.size,
                modified_at=part.modified_at,
                container=listing,
            )
            for part in found
        ]
        candidate.run.listed.update(by_uri)
        to_read = await self._admit(candidate.run, listings)
        made = await self._read_all(to_read, by_uri)
        waiting = {part.listing.uri for part in to_read}
        settled = [inner for inner in listings if inner.uri not in waiting]
        for group in group_items(await self._admit_known_parts(candidate.run, settled)):
            made += await self._prepare([group])
        return document, made

    def _cut(self, candidate: Candidate, document: Document, parse_key: str | None) -> Prepared | AgentFailure:
        chunks = chunk(document, self.parts.embedder.count_tokens, self.parts.chunk_tokens)
        if not chunks:
            return AgentFailure(agent=AGENT, code=ErrorCode.PARSER_EMPTY, message="It has no text.", recoverable=False)
        stored = StoredVersion(
            version=candidate.listing.version,
            content_sha256=document.content_sha256,
            parser=document.parser,
            made_with=self._describe_making(candidate.run),
            chunks=len(chunks),
            simhash=simhash(document.text),
            text_sha256=text_identity(document),
            parse_key=parse_key,
            left_out=Counter(left_out.why for left_out in document.left_out),
        )
        return Prepared(candidate, document, chunks, stored)

    async def _embed(self, prepared: list[Prepared]) -> list[Prepared]:
        [item] = prepared
        vectors: Vectors | AgentFailure = self.blocked or await self._guarded_vectors(item.chunks)
        if isinstance(vectors, AgentFailure):
            await self.fail(item.candidate, vectors)
            return []
        return [replace(item, vectors=vectors)]

    async def _guarded_vectors(self, chunks: Sequence[Chunk]) -> Vectors | AgentFailure:
        return await guarded(AGENT, self._vectors([c.indexed_text for c in chunks]))

    async def _vectors(self, texts: Sequence[str]) -> Vectors:
        """Vectors of ``texts``; those that the cache holds cost nothing."""
        embedded = await embed_passages(self.parts.embedder, self.parts.cache, self.tenant, texts)
        self.usage = self.usage + embedded.usage
        return embedded.vectors

    async def _write(self, items: list[Prepared]) -> list[Any]:
        """Commit to the store, then to the ledger: only what both have is acknowledged."""
        done = self.blocked or await guarded(AGENT, self._commit(items))
        if isinstance(done, AgentFailure) and len(items) > 1 and done.code not in BLOCKING:
            for item in items:  # one bad document must not fail its neighbours
                await self._write([item])
        elif isinstance(done, AgentFailure):
            for item in items:
                await self.fail(item.candidate, done)
        return []

    async def _commit(self, items: list[Prepared]) -> None:
        entries = [EmbeddedDocument(i.document, i.chunks, i.vectors) for i in items if i.vectors is not None]
        if self.parts.originals is not None:
            originals = {item.document.id: item.original for item in items if item.original is not None}
            await asyncio.to_thread(self.parts.originals.put, self.tenant, originals)
            shown = [item.document.id for item in items if item.original is None]
            await asyncio.to_thread(self.parts.originals.forget, self.tenant, shown)
        await self.parts.store.put_many(self.tenant, entries)
        self.changed = True
        has_captions = self.parts.captions is not None
        outcomes = [describe_stored(item, has_captions=has_captions) for item in items]
        await asyncio.to_thread(self.parts.ledger.record, self.tenant, self.run_id, outcomes)
        for outcome in outcomes:
            await self.report(outcome.item)

    # Ends

    async def _end_unchanged(self, candidates: Sequence[Candidate]) -> None:
        """End items that stay as they are, and whose rows say something else of them."""
        outcomes: list[Outcome] = []
        for candidate in candidates:
            assert candidate.row is not None  # noqa: S101
            item = as_unchanged(candidate.row)
            outcomes.append(make_outcome(candidate, item, version=candidate.listing.version))
        if outcomes:
            await self.record(outcomes)

    async def take_out(self, candidates: Sequence[Candidate]) -> None:
        """Skip items that their source leaves out now, and remove what is stored of them."""
        removed = await guarded(
            AGENT, self.parts.store.delete(self.tenant, [candidate.document_id for candidate in candidates])
        )
        self.changed = True
        for candidate in candidates:
            if isinstance(removed, AgentFailure):
                await self.fail(candidate, removed)
            else:
                await self.end(candidate, "skipped", candidate.listing.skip or "", None, gone=True)

    async def end(
        self, candidate: Candidate, state: ItemState, reason: str, code: str | None, *, gone: bool = False
    ) -> None:
        """End an item without storing anything. ``gone``: nothing is stored of it any more."""
        await self.record([describe_end(candidate, state, reason, code, gone=gone)])

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write the rows; when not even that is possible, the report still has the items, as failed."""
        wrote = await guarded(
            AGENT, asyncio.to_thread(self.parts.ledger.record, self.tenant, self.run_id, list(outcomes))
        )
        for outcome in outcomes:
            item = outcome.item
            if isinstance(wrote, AgentFailure) and item.state != "failed":
                item = as_failed(item, wrote)
            await self.report(item)

    async def restore(self, grave: Tombstone) -> IngestItem:
        """Bring a deleted document back, with passages and vectors made again, and masked by the policy of today."""
        screened = await asyncio.to_thread(self._look_through, grave.document)
        document = screened.document
        chunks = await asyncio.to_thread(chunk, document, self.parts.embedder.count_tokens, self.parts.chunk_tokens)
        vectors = await self._guarded_vectors(chunks)
        reason = "restored by hand"
        item = IngestItem(uri=grave.uri, state="added", document_id=document.id, reason=reason, chunks=len(chunks))
        if screened.refusal:
            return item.model_copy(update={"state": "failed", "reason": screened.refusal, "chunks": 0})
        if isinstance(vectors, AgentFailure):
            return as_failed(item, vectors)
        entry = EmbeddedDocument(document, chunks, vectors)
        stored = await guarded(AGENT, self.parts.store.put_many(self.tenant, [entry]))
        if isinstance(stored, AgentFailure):
            return as_failed(item, stored)
        self.changed = True
        await asyncio.to_thread(self.parts.ledger.restore, self.tenant, self.run_id, grave, item)
        return item

    # Secrets

    def _secret_of(self, candidate: Candidate, document: Document) -> str | None:
        """Return the kind of secret that a document holds; None when it may be taken."""
        if self.secrets != "leave_out" or candidate.run.source.options.get("secrets") == "include":
            return None
        return held_secret(document.text)

    async def _leave_out_secret(self, candidate: Candidate, kind: str) -> None:
        """Skip a document that holds a key, and remove an older version of it."""
        secret = kind.replace("_", " ")
        await self._leave_out(candidate, f"it holds a secret ({secret}); take that out, or allow it for this source")

    async def _leave_out(self, candidate: Candidate, reason: str) -> None:
        """Skip an item for what its document holds, and remove an older version of it."""
        listing = candidate.listing.model_copy(update={"skip": reason})
        left_out = replace(candidate, listing=listing)
        if candidate.row is not None and candidate.row.content_sha256:
            await self.take_out([left_out])
        else:
            await self.end(left_out, "skipped", reason, None)

    # Personal data

    def _hides(self, collection: str) -> bool:
        """Return whether personal data in documents of a collection is masked or refused."""
        return self.parts.screen is not None and self.parts.screen.protects(self.tenant, collection)

    def _look_through(self, document: Document) -> ScreenedDocument:
        """Return the document with its personal data listed and masked as the policy says."""
        if self.parts.screen is None:
            return ScreenedDocument(document)
        return self.parts.screen.screen(document, self.tenant)

    async def _drop_unmasked(self, candidate: Candidate, parse_key: str) -> None:
        """Remove what caches hold of a document that is masked now: its parse, and the vectors of older passages."""
        await asyncio.to_thread(self.parts.cache.delete, "parse", [parse_key])
        row = candidate.row
        if row is None or row.content_sha256 is None:
            return
        older = await self.parts.store.document(self.tenant, candidate.document_id)
        if older is None or is_masked(older):
            return
        passages = await self.parts.store.chunks(self.tenant, candidate.document_id)
        keys = [embed_key(self.parts.embedder, passage.indexed_text) for passage in passages]
        await asyncio.to_thread(self.parts.cache.delete, "embed", keys)
        self.newly_masked.add(candidate.document_id)

    # Facts

    def facts_of(
        self, candidate: Candidate, *, has_same_content: bool = False, has_same_document: bool = False
    ) -> ItemFacts:
        """Return what is known of an item, for ``decide_item``."""
        row, listing = candidate.row, candidate.listing
        if row is None:
            return ItemFacts(is_excluded=listing.skip is not None, is_deferred=listing.deferred)
        has_version = listing.version is not None
        return ItemFacts(
            is_excluded=listing.skip is not None,
            is_deferred=listing.deferred,
            is_held_elsewhere=candidate.admission.is_held_elsewhere,
            is_recorded=row.content_sha256 is not None,
            is_stored=candidate.is_stored,
            is_made_as_today=row.made_with == self._describe_making(candidate.run) and row.parser in self._identities,
            is_known_failure=has_version and self._is_known_failure(row, candidate.attempt),
            has_same_version=has_version and row.version == listing.version,
            has_same_title=(row.title, row.readers) == (listing.title, listing.readers),
            has_same_content=has_same_content,
            has_same_document=has_same_document,
        )

    def _describe_making(self, source: SourceRun) -> str:
        """Return what decides passages and vectors of items beside their documents: the collection is stored there."""
        collection = source.record.options.collection or DEFAULT_COLLECTION
        if collection not in self._made_in:
            self._made_in[collection] = self.parts.identify_making(self.tenant, collection)
        return self._made_in[collection]

    def _is_known_failure(self, row: LedgerRow, attempt: str) -> bool:
        """Return whether this version failed before, with the same parsers, in a way that it always will."""
        return not self.retry and row.state == "failed" and row.code in FINAL and row.attempt == attempt

    def _has_same_document(self, candidate: Candidate, sha256: str, document: Document) -> bool:
        """Return whether parsing again came to what is stored, as when figures still cannot be described.

        Of a web page the words count and not the bytes, which hold tokens and times that change at every request.
        """
        row = candidate.row
        if row is None or (row.parser, row.made_with) != (document.parser, self._describe_making(candidate.run)):
            return False
        has_same_words = candidate.run.connector.kind == "web" and row.text_sha256 == text_identity(document)
        return row.content_sha256 == sha256 or has_same_words


def _has_same_content(candidate: Candidate, sha256: str, parser: str | None) -> bool:
    """Return whether the stored document was made of these bytes, by this parser."""
    row = candidate.row
    return row is not None and (row.content_sha256, base_parser(row.parser)) == (sha256, parser)
