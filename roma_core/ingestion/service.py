"""``IngestionService``: sources in, a report out, and nothing lost or done twice on the way."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from roma_core.cache import Cache
from roma_core.connectors.base import Connector, Listing, ListingEnd
from roma_core.connectors.sources import redact_failure, redact_uri, resolve_source, spell_address
from roma_core.embeddings.base import Embedder
from roma_core.environment import count_cores
from roma_core.errors import (
    AgentFailure,
    ConnectorError,
    ErrorCode,
    InputError,
    NotFoundError,
    StoreError,
    guarded,
    guarded_call,
    no_document,
)
from roma_core.ingestion.absence import AbsenceReview, DeletionPolicy, delete_items
from roma_core.ingestion.captions import Captions
from roma_core.ingestion.distribution import ShardedRun, ShardPlan, sweep_shards
from roma_core.ingestion.fetching import fetch_item
from roma_core.ingestion.ledger import ItemFigures, Ledger, Tombstone
from roma_core.ingestion.pictures import PictureIndex
from roma_core.ingestion.progress import OnProgress
from roma_core.ingestion.run import Run
from roma_core.ingestion.sources import LeaseHolder, SourceLease
from roma_core.ingestion.vectors import embed_key
from roma_core.ingestion.work import AGENT, ParserService, Parts, SourceAccess, SourceRun, Work
from roma_core.privacy import DocumentScreen, Originals, RetentionLedger
from roma_core.settings import Settings, SourceSettings
from roma_core.settings.sources import SecretMode
from roma_core.store.base import ChunkStore
from roma_core.types import (
    DEFAULT_COLLECTION,
    DEFAULT_TENANT,
    Document,
    ForgetReport,
    IngestionReport,
    IngestItem,
    ItemState,
    RawDocument,
    Source,
    SourceOptions,
    SourceRecord,
    Usage,
)
from roma_core.workspace import Workspace

_DEFAULTS = SourceSettings()

ADMITTED_AT_ONCE: Final = 1024
ADMIT_AFTER_S: Final = 0.25
"""A source that lists slowly is admitted in smaller groups."""
QUOTING_CACHES: Final = ("page", "words", "llm", "quotes", "picture")
"""Kinds of cache entries that may hold words of a document and do not say which."""
NEAR_DUPLICATE = "near-duplicate of "


def build_ingestion(
    settings: Settings,
    *,
    connectors: Sequence[Connector],
    parsers: ParserService,
    embedder: Embedder,
    store: ChunkStore,
    cache: Cache,
    captions: Captions | None = None,
    pictures: PictureIndex | None = None,
    screen: DocumentScreen | None = None,
    originals: Originals | None = None,
    retired: RetentionLedger | None = None,
    access: SourceAccess | None = None,
) -> IngestionService:
    """The service over the workspace's ledger."""
    return IngestionService(
        Parts(
            connectors=connectors,
            parsers=parsers,
            embedder=embedder,
            store=store,
            cache=cache,
            ledger=Ledger(Workspace.of(settings).ledger),
            chunk_tokens=settings.chunking.tokens,
            workers=settings.parsing.workers or count_cores(),
            captions=captions,
            pictures=pictures,
            screen=screen,
            originals=originals,
            retired=retired,
            access=access,
            followed=frozenset({"gdrive"} if settings.gdrive.acl == "on" else ()),
        ),
        DeletionPolicy(
            looks=settings.sources.missing_looks,
            grace_s=settings.sources.missing_grace_h * 3600,
            share=settings.sources.missing_share,
            undo_s=settings.sources.undo_days * 24 * 3600,
        ),
        wait_s=settings.sources.wait_s,
        secrets=settings.sources.secrets,
        shards=Workspace.of(settings).shards,
    )


class ResolvedSource(NamedTuple):
    """A source with the connector that reads it and its record in the ledger."""

    connector: Connector
    source: Source
    record: SourceRecord


class IngestionService:
    """Lists, fetches, parses, cuts, embeds and stores, all at the same time, with what is needed and no more.

    Every item that a source lists ends in one state: added, updated, unchanged, skipped or failed; an item that it
    lists no more is missing, then deleted (``roma_core.ingestion.decide``). One run at a time reads a source.
    """

    def __init__(
        self,
        parts: Parts,
        policy: DeletionPolicy | None = None,
        *,
        wait_s: float = _DEFAULTS.wait_s,
        secrets: SecretMode = _DEFAULTS.secrets,
        shards: Path | None = None,
    ) -> None:
        """``shards`` is the folder of what workers have made, which holds texts until a commit takes them in."""
        self.parts = parts
        self._shards = shards
        self.policy = policy or DeletionPolicy()
        self._wait_s = wait_s
        self._secrets: SecretMode = secrets

    async def ingest(
        self,
        sources: Sequence[str],
        *,
        tenant: str = DEFAULT_TENANT,
        progress: OnProgress | None = None,
        retry_failed: bool = False,
        within: Sequence[str] | None = None,
        prune: bool = False,
        shards: ShardPlan | None = None,
    ) -> IngestionReport:
        """Bring ``sources`` into the store. ``retry_failed`` tries the items that failed before, and lists nothing.

        ``within`` confines paths and Drive addresses to these places (``Connector.normalise_source``); None confines
        nothing. ``prune`` deletes what is missing from a complete listing at once, however much it is. With ``shards``
        workers fetch, parse, cut and embed, and what they made comes into the store in one commit at the end.

        Never raises but for cancellation: what goes wrong with an item is its row, what goes wrong with a source or the
        whole is in ``failures``. A run that was cut short at any point is made good by running it again.
        """
        began = time.monotonic()
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        run: Run | None = None
        failures: list[AgentFailure] = []
        opened = await guarded(AGENT, self._open(run_id, tenant, sources))
        if isinstance(opened, AgentFailure):
            failures = [opened]
        else:
            run = Run(self.parts, tenant, run_id, {}, progress, retry_failed, within, self._secrets)
            failures = await self._run(run, sources, prune=prune, shards=shards)
            failures += await self._finish(run)
        items = sorted(run.items.values(), key=lambda item: item.uri) if run else []
        return IngestionReport(
            run_id=run_id,
            sources=tuple(map(redact_uri, sources)),
            items=tuple(items),
            seconds=time.monotonic() - began,
            failures=tuple(map(redact_failure, failures)),
            usage=run.usage if run else Usage(),
            newly_masked=tuple(sorted(run.newly_masked)) if run else (),
        )

    async def _run(
        self, run: Run, sources: Sequence[str], *, prune: bool, shards: ShardPlan | None = None
    ) -> list[AgentFailure]:
        """Read all sources, each under its lease; return what went wrong with them or with the whole."""
        failures: list[AgentFailure] = []
        named = list(dict.fromkeys(sources))
        held: list[SourceRun] = []
        try:
            resolved_sources = await self._resolve(run, named, failures)
            if run.retry:
                resolved_sources = await self._resolve_failed(run, named, resolved_sources)
            for resolved in resolved_sources:
                begun = await guarded(AGENT, self._begin(run, *resolved))
                if isinstance(begun, AgentFailure):
                    failures.append(begun)
                else:
                    held.append(begun)
            contents = await guarded(AGENT, self.parts.store.contents(run.tenant))
            if isinstance(contents, AgentFailure):
                return [*failures, contents]
            run.contents = contents
            pending = self._iterate_failed(run, held) if run.retry else self._iterate_listed(run, held)
            work = run.through(pending) if shards is None else ShardedRun(run, shards).through(pending)
            stopped = await guarded(AGENT, work)
            failures += [stopped] if isinstance(stopped, AgentFailure) else []
            for source in held:
                ended = await guarded(AGENT, self._end(run, source, prune=prune))
                failures += source.failures
                failures += [ended] if isinstance(ended, AgentFailure) else []
        finally:
            await asyncio.shield(asyncio.ensure_future(self._release(held)))
        return failures

    async def _resolve(self, run: Run, uris: Sequence[str], failures: list[AgentFailure]) -> list[ResolvedSource]:
        """Return who reads each address as which source, each source once, in an order that all runs share.

        Runs that take several leases in one order never wait for each other in a circle.
        """
        found: dict[str, ResolvedSource] = {}
        for uri in uris:
            resolved = await guarded(AGENT, asyncio.to_thread(self.resolve, run.tenant, uri, run.within))
            if isinstance(resolved, AgentFailure):
                details = {**resolved.details, "uri": uri}
                failures.append(resolved.model_copy(update={"details": details}))
            else:
                found.setdefault(resolved[2].id, resolved)
        return list(found.values()) if len(found) < 2 else [found[key] for key in sorted(found)]

    def resolve(self, tenant: str, uri: str, within: Sequence[str] | None = None) -> ResolvedSource:
        """Find or make the source at ``uri``; the ledger knows it by its one spelling."""
        uri = spell_address(uri)
        ledger = self.parts.ledger
        connector, source = resolve_source(uri, self.parts.connectors, within)
        record = ledger.sources.find_or_make(tenant, source.uri, connector.kind)
        if source.uri != uri:
            ledger.respell(tenant, uri, record.id, source.uri)
        state = ledger.sources.state(record.id)
        options = {**record.options.for_connector(), **source.options, **({"state": state} if state else {})}
        return ResolvedSource(connector, source.model_copy(update={"options": options}), record)

    def assign_collection(
        self, uris: Sequence[str], collection: str, tenant: str, within: Sequence[str] | None = None
    ) -> None:
        """Let the documents of these sources belong to ``collection``, from their next sync on.

        Raises ``InputError`` for a name that is none.
        """
        for uri in uris:
            record = self.resolve(tenant, uri, within).record
            try:
                options = SourceOptions.model_validate({**dict(record.options), "collection": collection})
            except ValidationError:
                raise InputError(
                    f"{collection[:40]!r} is no name of a collection: letters, digits, dots, dashes and underlines, "
                    "64 at most."
                ) from None
            self.parts.ledger.sources.set_options(record, options)

    def find_collections(self, uris: Sequence[str], tenant: str, within: Sequence[str] | None = None) -> set[str]:
        """Return the collections that the documents of these sources belong to."""
        records = [self.resolve(tenant, uri, within).record for uri in uris]
        return {record.options.collection or DEFAULT_COLLECTION for record in records}

    async def _begin(self, run: Run, connector: Connector, source: Source, record: SourceRecord) -> SourceRun:
        """Take the source's lease, waiting for another run that has it. Raises ``StoreError`` (locked)."""
        sources = self.parts.ledger.sources
        deadline = time.monotonic() + self._wait_s
        pause_s = 0.02
        while True:
            lease = await self._take_lease(record.id, run.run_id)
            if isinstance(lease, SourceLease):
                held = SourceRun(connector, source, record, lease)
                try:
                    held.generation = await asyncio.to_thread(sources.begin, record.id)
                except BaseException:
                    await asyncio.shield(asyncio.ensure_future(self._release([held])))
                    raise
                return held
            if time.monotonic() > deadline:
                raise StoreError(
                    f"Another run reads this source: {lease}. Run this again when that is done.",
                    ErrorCode.STORAGE_LOCKED,
                    details={"uri": record.uri, "run_id": lease.run_id},
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 1.0)

    async def _take_lease(self, record_id: str, run_id: str) -> SourceLease | LeaseHolder:
        """Ask for the lease; one that comes after the run was cancelled is given back."""
        taking = asyncio.ensure_future(asyncio.to_thread(self.parts.ledger.sources.take_lease, record_id, run_id))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            lease = await taking
            if isinstance(lease, SourceLease):
                await asyncio.to_thread(lease.release)
            raise

    async def _end(self, run: Run, source: SourceRun, *, prune: bool) -> None:
        """Decide about what the source lists no more, and write down how it went."""
        is_complete = source.is_complete
        states = Counter[ItemState](run.items[uri].state for uri in source.listed if uri in run.items)
        if not run.retry:
            states += await AbsenceReview(run, source, self.policy, is_pruning=prune).settle()
        else:
            for candidate, failure in source.not_there.values():
                await run.end(candidate, "failed", failure.message, failure.code.value)
        errors = [*source.failures, *source.end.errors]
        await asyncio.to_thread(
            self.parts.ledger.sources.end,
            source.record.id,
            source.generation,
            counts=_as_counts(states),
            is_complete=is_complete,
            failure=redact_uri(errors[0].message) if errors else "",
            state=source.end.state,
        )

    async def _release(self, held: Sequence[SourceRun]) -> None:
        for source in held:
            if source.lease is not None:
                await guarded(AGENT, asyncio.to_thread(source.lease.release))

    # Forgetting and restoring

    async def forget(
        self,
        uris: Sequence[str] = (),
        *,
        document_ids: Sequence[str] = (),
        source: str | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> ForgetReport:
        """Remove documents at once and without a way back: text, passages, ledger, caches and old versions.

        ``source`` (name, id or address) removes a source with all that no other source lists. Raises ``NotFoundError``
        for what is not known, ``StoreError`` when something could not be removed; then run it again.
        """
        ledger, store = self.parts.ledger, self.parts.store
        record = None if source is None else await asyncio.to_thread(ledger.sources.require, tenant, source)
        targets = await asyncio.to_thread(self._targets, tenant, uris, document_ids, record)
        ids = list(targets.values())
        chunks = [chunk for document_id in ids for chunk in await store.chunks(tenant, document_id)]
        parse_keys = await asyncio.to_thread(ledger.parse_keys, tenant, list(targets))
        removed = await store.delete(tenant, ids)
        await store.purge()
        if self.parts.pictures is not None:
            await asyncio.to_thread(self.parts.pictures.forget, tenant, ids)
        if self.parts.originals is not None:
            await asyncio.to_thread(self.parts.originals.forget, tenant, ids)
        if self.parts.access is not None:
            await asyncio.to_thread(self.parts.access.unfollow, tenant, ids)
        embed_keys = [embed_key(self.parts.embedder, chunk.indexed_text) for chunk in chunks]
        cached = await asyncio.to_thread(self._forget_cached, parse_keys, embed_keys, bool(targets))
        await asyncio.to_thread(ledger.forget, tenant, list(targets))
        if self._shards is not None:
            await asyncio.to_thread(sweep_shards, self._shards, 0.0)
        if record is not None:
            await asyncio.to_thread(ledger.sources.remove, record.id)
        return ForgetReport(
            uris=tuple(targets), document_ids=tuple(ids), documents=removed, passages=len(chunks), cached=cached
        )

    async def find_documents(
        self,
        uris: Sequence[str] = (),
        *,
        document_ids: Sequence[str] = (),
        source: str | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> dict[str, str]:
        """Return the documents that ``forget`` would remove: ids by address. Raises ``NotFoundError``."""
        sources = self.parts.ledger.sources
        record = None if source is None else await asyncio.to_thread(sources.require, tenant, source)
        return await asyncio.to_thread(self._targets, tenant, uris, document_ids, record)

    def list_tenants(self) -> set[str]:
        """Return the tenants that have items. Blocking."""
        return self.parts.ledger.list_tenants()

    def find_stored_times(self, tenant: str) -> dict[str, datetime]:
        """Return when each stored document was stored in its present form, by its id. Blocking."""
        return self.parts.ledger.find_stored_times(tenant)

    def find_versions(self, tenant: str, document_ids: Sequence[str]) -> list[tuple[str, str | None]]:
        """Return address and version of the items of documents. Blocking."""
        rows = [self.parts.ledger.row_of_document(tenant, id_) for id_ in document_ids]
        return [(row.uri, row.version) for row in rows if row is not None]

    def _targets(
        self, tenant: str, uris: Sequence[str], document_ids: Sequence[str], record: SourceRecord | None
    ) -> dict[str, str]:
        """Return the documents to forget by their URI."""
        ledger = self.parts.ledger
        targets: dict[str, str] = {}
        for uri in uris:
            row = ledger.row(tenant, uri) or ledger.row(tenant, self._canonical(uri))
            if row is None:
                raise NotFoundError(f"The ledger has no item {redact_uri(uri)!r}; `roma ledger` lists those there are.")
            targets[row.uri] = row.document_id
        for document_id in document_ids:
            row = ledger.row_of_document(tenant, document_id)
            if row is None:
                raise no_document(document_id)
            targets[row.uri] = document_id
        for uri in list(targets):
            targets |= {row.uri: row.document_id for row in ledger.rows_of_parts(tenant, uri)}
        if record is not None:
            own = ledger.items_of_source(tenant, record.id)
            targets |= {row.uri: row.document_id for row in ledger.rows(tenant, own).values()}
        return targets

    def _canonical(self, uri: str) -> str:
        """Return the address under which the ledger would know ``uri``, when a connector reads it."""
        resolved = guarded_call(AGENT, lambda: resolve_source(uri, self.parts.connectors))
        return uri if isinstance(resolved, AgentFailure) else resolved[1].uri

    def _forget_cached(self, parse_keys: Sequence[str], embed_keys: Sequence[str], had_any: bool) -> int:
        """Drop parses and vectors by their keys, and all pictures of pages and answers: they may quote what is gone."""
        cache = self.parts.cache
        dropped = cache.delete("parse", parse_keys) + cache.delete("embed", embed_keys)
        if had_any:
            dropped += sum(cache.clear(kind) for kind in QUOTING_CACHES)
        return dropped

    async def remove_source(self, record: SourceRecord, tenant: str = DEFAULT_TENANT) -> IngestionReport:
        """Remove a source, and the documents that no other source lists; they can be restored for a time."""
        began = time.monotonic()
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        ledger = self.parts.ledger
        await asyncio.to_thread(ledger.begin, run_id, tenant, [redact_uri(record.uri)])
        run = Run(self.parts, tenant, run_id, {})
        own = set(await asyncio.to_thread(ledger.items_of_source, tenant, record.id))
        absent = [item for item in await asyncio.to_thread(ledger.absent, tenant, record.id) if item.uri in own]
        items = [
            IngestItem(uri=a.uri, state="deleted", document_id=a.document_id, reason="its source was removed")
            for a in absent
        ]
        if items:
            await delete_items(run, absent, items, self.policy)
        for item, was in zip(items, absent, strict=True):
            if was.is_recorded:
                await run.report(item)
        await asyncio.to_thread(ledger.sources.remove, record.id)
        failures = await self._finish(run)
        return IngestionReport(
            run_id=run_id,
            sources=(redact_uri(record.uri),),
            items=tuple(sorted(run.items.values(), key=lambda item: item.uri)),
            seconds=time.monotonic() - began,
            failures=tuple(failures),
        )

    async def tombstones(self, tenant: str = DEFAULT_TENANT) -> list[Tombstone]:
        """Return deleted documents that can be restored, the latest first. Raises ``StoreError``."""
        return await asyncio.to_thread(self.parts.ledger.tombstones, tenant)

    async def restore(
        self, uris: Sequence[str] = (), *, run_id: str | None = None, tenant: str = DEFAULT_TENANT
    ) -> IngestionReport:
        """Undo deletions: of ``uris``, or of one run. What is restored stays until its source lists it again.

        Raises ``InputError`` when neither is given, ``NotFoundError`` when nothing of it can be restored.
        """
        if not uris and run_id is None:
            raise InputError("Say what to restore: addresses, or the run that deleted them.")
        began = time.monotonic()
        ledger = self.parts.ledger
        wanted = [uri for given in uris for uri in (given, self._canonical(given))]
        graves = await asyncio.to_thread(lambda: ledger.tombstones(tenant, uris=wanted, run_id=run_id))
        if not graves:
            raise NotFoundError("Nothing of that can be restored: it was not deleted, or the time for undoing is over.")
        own_run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        await asyncio.to_thread(ledger.begin, own_run, tenant, [redact_uri(grave.uri) for grave in graves])
        run = Run(self.parts, tenant, own_run, {})
        for grave in graves:
            item = await run.restore(grave)
            await run.report(item)
        failures = await self._finish(run)
        return IngestionReport(
            run_id=own_run,
            sources=tuple(redact_uri(grave.uri) for grave in graves),
            items=tuple(sorted(run.items.values(), key=lambda item: item.uri)),
            seconds=time.monotonic() - began,
            failures=tuple(failures),
        )

    # Reading

    async def ledger_items(
        self, tenant: str = DEFAULT_TENANT, *, state: ItemState | None = None, run_id: str | None = None
    ) -> list[IngestItem]:
        """Return the ledger row of every item ever listed (or of those of one run), by URI. Raises ``StoreError``."""
        return await asyncio.to_thread(lambda: self.parts.ledger.items(tenant, state=state, run_id=run_id))

    async def ledger_figures(self, tenant: str = DEFAULT_TENANT) -> list[ItemFigures]:
        """Return what there is to count of every item, by URI."""
        return await asyncio.to_thread(self.parts.ledger.figures, tenant)

    async def runs(self, tenant: str = DEFAULT_TENANT) -> list[dict[str, str | None]]:
        """All runs, the newest first. Raises ``StoreError``."""
        return await asyncio.to_thread(self.parts.ledger.runs, tenant)

    async def original(self, document: Document, tenant: str = DEFAULT_TENANT) -> RawDocument | AgentFailure:
        """The bytes that ``document`` was made of, fetched again; a failure when the source has them no more.

        The caller owns the result and calls ``discard`` on it.
        """
        return await guarded(AGENT, self._original(document, tenant))

    async def _original(self, document: Document, tenant: str) -> RawDocument | AgentFailure:
        row = await asyncio.to_thread(self.parts.ledger.row, tenant, document.uri)
        if row is None:
            raise NotFoundError("It is not known where this document came from.")
        connector, source, _ = await asyncio.to_thread(self.resolve, tenant, row.source, None)
        raw = await fetch_item(connector, source, row.listing, self.parts.parsers)
        if isinstance(raw, RawDocument) and await asyncio.to_thread(lambda: raw.sha256) != document.content_sha256:
            await asyncio.to_thread(raw.discard)
            raise ConnectorError("The file has changed since it was ingested.", ErrorCode.CONNECTOR_CHANGED)
        return raw

    async def close(self) -> None:
        await asyncio.to_thread(self.parts.ledger.close)

    async def _open(self, run_id: str, tenant: str, sources: Sequence[str]) -> None:
        """Stop the run before it starts for what would stop every item: no model, another model's store, no ledger."""
        await asyncio.to_thread(self.parts.embedder.count_tokens, "a model that is missing says so here")
        await self.parts.store.counts(tenant)
        await asyncio.to_thread(self.parts.ledger.begin, run_id, tenant, [redact_uri(uri) for uri in sources])

    async def _iterate_listed(self, run: Run, sources: Sequence[SourceRun]) -> AsyncIterator[Work]:
        """Yield listed items that need work. An item that two sources list is brought in by the first of them."""
        seen: set[str] = set()
        for source in sources:
            batch: list[Listing] = []
            shared: list[str] = []
            began = time.monotonic()
            async for value in source.connector.list(source.source):
                if isinstance(value, ListingEnd):
                    source.end = value
                elif isinstance(value, AgentFailure):
                    source.failures.append(value)
                elif value.uri in seen:
                    if value.uri not in source.listed and value.skip is None:
                        shared.append(value.uri)
                    source.listed.add(value.uri)
                else:
                    seen.add(value.uri)
                    source.listed.add(value.uri)
                    batch.append(value)
                if len(batch) >= ADMITTED_AT_ONCE or (batch and time.monotonic() - began > ADMIT_AFTER_S):
                    for candidate in await run.admit(source, batch):
                        yield candidate
                    batch, began = [], time.monotonic()
            for candidate in await run.admit(source, batch):
                yield candidate
            ledger = self.parts.ledger
            claimed = await guarded(
                AGENT, asyncio.to_thread(ledger.claim, run.tenant, source.record.id, source.generation, shared)
            )
            if isinstance(claimed, AgentFailure):
                source.failures.append(claimed)
            else:
                source.listed.update(claimed)
            source.is_listed = True
        run.listing = False

    async def _resolve_failed(
        self, run: Run, named: Sequence[str], resolved: Sequence[ResolvedSource]
    ) -> list[ResolvedSource]:
        """Return the sources whose items failed before: those that are named, in either spelling, or else all.

        The items of one that cannot be read now fail again, in the report alone.
        """
        if named and not resolved:
            return []
        spelt = [source.uri for _, source, _ in resolved]
        rows = await asyncio.to_thread(self.parts.ledger.failed, run.tenant, [*spelt, *named])
        failures: list[AgentFailure] = []
        sources = await self._resolve(run, list(dict.fromkeys(row.source for row in rows)), failures)
        for failure in failures:
            for row in rows:
                if row.source == failure.details["uri"]:
                    await run.report(IngestItem(uri=row.uri, state="failed", reason=failure.message, code=failure.code))
        return sources

    async def _iterate_failed(self, run: Run, sources: Sequence[SourceRun]) -> AsyncIterator[Work]:
        """Yield the items of these sources that failed before."""
        for source in sources:
            rows = await asyncio.to_thread(self.parts.ledger.failed, run.tenant, [source.record.uri, source.source.uri])
            listings = [row.listing for row in rows]
            source.listed.update(listing.uri for listing in listings)
            for candidate in await run.admit(source, listings):
                yield candidate
        run.listing = False

    async def _finish(self, run: Run) -> list[AgentFailure]:
        """Look for near-duplicates, keep the store in shape and end the run, each whatever became of the others."""
        ledger = self.parts.ledger
        counts = Counter(item.state for item in run.items.values())
        steps = [
            self._warn_of_duplicates(run),
            asyncio.to_thread(ledger.sweep_tombstones, self.policy.undo_s),
            asyncio.to_thread(ledger.end, run.run_id, _as_counts(counts)),
        ]
        if run.newly_masked:  # older versions of the table hold what is masked now
            steps.insert(0, self.parts.store.purge())
            steps.append(asyncio.to_thread(self._clear_quotes))
        elif run.changed:
            steps.insert(0, self.parts.store.maintain())
        ended = [await guarded(AGENT, step) for step in steps]
        return [failure for failure in ended if isinstance(failure, AgentFailure)]

    def _clear_quotes(self) -> None:
        """Drop cached replies and pictures that may quote what was masked since."""
        for kind in QUOTING_CACHES:
            self.parts.cache.clear(kind)

    async def _warn_of_duplicates(self, run: Run) -> None:
        for item in sorted(run.items.values(), key=lambda item: item.uri):
            if item.state in {"added", "updated"}:
                await asyncio.to_thread(self._warn, run, item)

    def _warn(self, run: Run, item: IngestItem) -> None:
        twin = self.parts.ledger.near_duplicate(run.tenant, item.uri)
        if twin is not None:
            warned = item.model_copy(update={"warnings": (*item.warnings, f"{NEAR_DUPLICATE}{twin}")})
            self.parts.ledger.warn(run.tenant, run.run_id, warned)
            run.items[item.uri] = warned


def _as_counts(states: Counter[ItemState]) -> dict[str, int]:
    return {str(state): number for state, number in states.items()}
