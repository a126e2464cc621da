"""``IngestionService``: sources in, a report out, and nothing lost or done twice on the way."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from roma_core.cache import Cache
from roma_core.connectors.base import Connector, ListingEnd
from roma_core.connectors.sources import redact_failure, redact_uri, resolve_source
from roma_core.embeddings.base import Embedder
from roma_core.errors import AgentFailure, ConnectorError, ErrorCode, NotFoundError, guarded
from roma_core.ingestion.captions import Captions
from roma_core.ingestion.ledger import Ledger
from roma_core.ingestion.run import AGENT, Candidate, OnProgress, ParserService, Parts, Run
from roma_core.settings import Settings
from roma_core.store.base import ChunkStore
from roma_core.types import DEFAULT_TENANT, Document, IngestionReport, IngestItem, ItemState, RawDocument, Source, Usage
from roma_core.workspace import Workspace

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
) -> IngestionService:
    """The service over the workspace's ledger."""
    return IngestionService(
        Parts(
            connectors=connectors,
            parsers=parsers,
            embedder=embedder,
            store=store,
            cache=cache,
            ledger=Ledger(Workspace(settings.workspace).ledger),
            chunk_tokens=settings.chunking.tokens,
            workers=settings.parsing.workers or os.cpu_count() or 1,
            captions=captions,
        )
    )


class IngestionService:
    """Lists, fetches, parses, cuts, embeds and stores, all at the same time, with what is needed and no more.

    Every item that a source lists ends in one state: added, updated, unchanged, skipped or failed; an item that a
    complete listing no longer has is deleted.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def ingest(
        self,
        sources: Sequence[str],
        *,
        tenant: str = DEFAULT_TENANT,
        progress: OnProgress | None = None,
        retry_failed: bool = False,
        within: Sequence[str] | None = None,
    ) -> IngestionReport:
        """Bring ``sources`` into the store. ``retry_failed`` tries the items that failed before, and lists nothing.

        ``within`` confines paths and Drive addresses to these places (``Connector.checked``); None confines nothing.

        Never raises but for cancellation: what goes wrong with an item is its row, what goes wrong with a source or the
        whole is in ``failures``. A run that was cut short at any point is made good by running it again.
        """
        began = time.monotonic()
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        run, failures = None, []
        opened = await guarded(AGENT, self._open(run_id, tenant, sources))
        if isinstance(opened, AgentFailure):
            failures = [opened]
        else:
            run = Run(self._parts, tenant, run_id, opened, progress, retry_failed, within)
            pending = self._failed(run, sources, failures) if retry_failed else self._listed(run, sources, failures)
            stopped = await guarded(AGENT, run.through(pending))
            failures += [stopped] if isinstance(stopped, AgentFailure) else []
            failures += await self._finish(run)
        items = sorted(run.items.values(), key=lambda item: item.uri) if run else []
        return IngestionReport(
            run_id=run_id,
            sources=tuple(map(redact_uri, sources)),
            items=tuple(items),
            seconds=time.monotonic() - began,
            failures=tuple(map(redact_failure, failures)),
            usage=run.usage if run else Usage(),
        )

    async def ledger_items(
        self, tenant: str = DEFAULT_TENANT, *, state: ItemState | None = None, run_id: str | None = None
    ) -> list[IngestItem]:
        """What became of every item that was ever listed (or of those of one run), by URI. Raises ``StoreError``."""
        return await asyncio.to_thread(lambda: self._parts.ledger.items(tenant, state=state, run_id=run_id))

    async def runs(self, tenant: str = DEFAULT_TENANT) -> list[dict[str, str | None]]:
        """All runs, the newest first. Raises ``StoreError``."""
        return await asyncio.to_thread(self._parts.ledger.runs, tenant)

    async def original(self, document: Document, tenant: str = DEFAULT_TENANT) -> RawDocument | AgentFailure:
        """The bytes that ``document`` was made of, fetched again; a failure when the source has them no more.

        The caller owns the result and calls ``discard`` on it.
        """
        return await guarded(AGENT, self._original(document, tenant))

    async def _original(self, document: Document, tenant: str) -> RawDocument | AgentFailure:
        known = await asyncio.to_thread(self._parts.ledger.known, tenant, document.uri)
        if known is None:
            raise NotFoundError("It is not known where this document came from.")
        connector, source = await asyncio.to_thread(resolve_source, known.source, self._parts.connectors)
        raw = await connector.fetch(source, known.listing)
        if isinstance(raw, RawDocument) and await asyncio.to_thread(lambda: raw.sha256) != document.content_sha256:
            await asyncio.to_thread(raw.discard)
            raise ConnectorError("The file has changed since it was ingested.", ErrorCode.CONNECTOR_CHANGED)
        return raw

    async def close(self) -> None:
        await asyncio.to_thread(self._parts.ledger.close)

    async def _open(self, run_id: str, tenant: str, sources: Sequence[str]) -> dict[str, str]:
        """What would stop every item stops the run before it starts: no model, another model's store, no ledger."""
        await asyncio.to_thread(self._parts.embedder.count_tokens, "a model that is missing says so here")
        contents = await self._parts.store.contents(tenant)
        await asyncio.to_thread(self._parts.ledger.begin, run_id, tenant, [redact_uri(uri) for uri in sources])
        return contents

    async def _listed(self, run: Run, sources: Sequence[str], failures: list[AgentFailure]) -> AsyncIterator[Candidate]:
        """Listed items that need work. Items of a completely listed source that are gone are deleted."""
        seen: set[str] = set()
        for uri in dict.fromkeys(sources):
            found = await self._resolved(run, uri)
            if isinstance(found, AgentFailure):
                failures.append(found)
                continue
            connector, source = found
            complete = True
            async for listing in connector.list(source):
                if isinstance(listing, ListingEnd):
                    complete = complete and listing.is_complete
                elif isinstance(listing, AgentFailure):
                    failures.append(listing)
                    complete = False
                elif listing.uri not in seen:
                    seen.add(listing.uri)
                    candidate = await run.admit(connector, source, listing)
                    if candidate is not None:
                        yield candidate
            if complete:
                gone = await guarded(AGENT, self._delete_vanished(run, source.uri, seen))
                failures += [gone] if isinstance(gone, AgentFailure) else []
        run.listing = False

    async def _failed(self, run: Run, sources: Sequence[str], failures: list[AgentFailure]) -> AsyncIterator[Candidate]:
        """Items that failed before: of ``sources``, in either spelling, or of all when none is named."""
        spelt: list[str] = []
        for uri in dict.fromkeys(sources):
            named = await self._resolved(run, uri)
            if isinstance(named, AgentFailure):
                failures.append(named)
            else:
                spelt += [uri, named[1].uri]
        wanted = await asyncio.to_thread(self._parts.ledger.failed, run.tenant, spelt) if spelt or not sources else []
        for known in wanted:
            found = await self._resolved(run, known.source)
            if isinstance(found, AgentFailure):
                why = {"reason": found.message, "code": found.code.value}
                await run.report(IngestItem(uri=known.uri, state="failed", **why))
                continue
            candidate = await run.admit(*found, known.listing)
            if candidate is not None:
                yield candidate
        run.listing = False

    async def _delete_vanished(self, run: Run, source: str, seen: set[str]) -> None:
        """``seen`` are the listed items, also those whose claim could not be written."""
        ledger = self._parts.ledger
        unclaimed = await asyncio.to_thread(ledger.vanished, run.tenant, source, run.run_id)
        vanished = [found for found in unclaimed if found[0] not in seen]
        if not vanished:
            return
        await self._parts.store.delete(run.tenant, [document for _, document, _ in vanished if document is not None])
        run.changed = True
        items = [
            IngestItem(uri=uri, state="deleted", document_id=document, reason="the source no longer has it")
            for uri, document, _ in vanished
        ]
        await asyncio.to_thread(ledger.deleted, run.tenant, run.run_id, items)
        for item, (_, _, had) in zip(items, vanished, strict=True):
            if had:
                await run.report(item)

    async def _finish(self, run: Run) -> list[AgentFailure]:
        """Near-duplicates, upkeep of the store and the end of the run, each whatever became of the others."""
        steps = [self._warn_of_duplicates(run), asyncio.to_thread(self._parts.ledger.end, run.run_id)]
        if run.changed:
            steps.insert(0, self._parts.store.optimize())
        ended = [await guarded(AGENT, step) for step in steps]
        return [failure for failure in ended if isinstance(failure, AgentFailure)]

    async def _warn_of_duplicates(self, run: Run) -> None:
        for item in sorted(run.items.values(), key=lambda item: item.uri):
            if item.state in {"added", "updated"}:
                await asyncio.to_thread(self._warn, run, item)

    def _warn(self, run: Run, item: IngestItem) -> None:
        twin = self._parts.ledger.near_duplicate(run.tenant, item.uri)
        if twin is not None:
            warned = item.model_copy(update={"warnings": (*item.warnings, f"{NEAR_DUPLICATE}{twin}")})
            self._parts.ledger.warn(run.tenant, run.run_id, warned)
            run.items[item.uri] = warned

    async def _resolved(self, run: Run, uri: str) -> tuple[Connector, Source] | AgentFailure:
        """Who reads ``uri`` as what; the ledger then knows it by its one spelling."""

        def settle() -> tuple[Connector, Source]:
            connector, source = resolve_source(uri, self._parts.connectors, run.within)
            if source.uri != uri:
                self._parts.ledger.respell(run.tenant, uri, source.uri)
            return connector, source

        found = await guarded(AGENT, asyncio.to_thread(settle))
        if isinstance(found, AgentFailure):
            return found.model_copy(update={"details": {**found.details, "uri": uri}})
        return found
