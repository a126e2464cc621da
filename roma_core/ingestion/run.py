"""One ingest: what each listed item goes through, and what is written down of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from roma_core.cache import Cache
from roma_core.chunking import CHUNKER, chunk
from roma_core.connectors.base import Connector, Listing
from roma_core.embeddings.base import Embedder, charge_to
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.ingestion.captions import FIGURES, Captions, base_parser
from roma_core.ingestion.decide import ItemFacts, UpdateFacts, decide_item, explain_update
from roma_core.ingestion.ledger import Known, Ledger, Outcome, Stored
from roma_core.ingestion.pipeline import Stage, flow
from roma_core.ingestion.simhash import simhash
from roma_core.injection import signs
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.figures import undescribed
from roma_core.store.base import ChunkStore, EmbeddedDocument
from roma_core.telemetry import logs
from roma_core.types import Chunk, Document, IngestItem, ItemState, RawDocument, Source, Usage, digest

if TYPE_CHECKING:
    from roma_core.types import Vectors

AGENT = "ingestion"
_log = logs.get(AGENT)
FINAL = frozenset(
    {ErrorCode.PARSER_MALFORMED, ErrorCode.PARSER_ENCRYPTED, ErrorCode.PARSER_UNSUPPORTED, ErrorCode.PARSER_EMPTY}
)
"""Failures that the same bytes and the same parsers give again: such an item is not tried before one changes."""
BLOCKING = frozenset({ErrorCode.EMBEDDING_MODEL, *(code for code in ErrorCode if code.startswith("ERR_STORAGE_"))})
"""Failures that every further item would meet: the rest is not tried."""
WRITE_BATCH = 512
"""Passages a commit, about: it bounds memory whatever the documents' size."""
WRITE_LINGER_S = 2.0
"""How long a commit waits for more: each costs processor time, and the next ones a little more for its fragment."""


class ParserService(Protocol):
    """What ingestion needs of ``DolphinParserService``."""

    @property
    def parser_ids(self) -> frozenset[str]: ...

    def parser_id(self, raw: RawDocument) -> str | None: ...

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure: ...


@dataclass(frozen=True)
class IngestProgress:
    """Where an ingest stands. ``listed`` still grows while ``listing``; ``per_s`` is the rate of ended items."""

    listed: int
    listing: bool
    counts: dict[ItemState, int]
    per_s: float
    uri: str = ""

    @property
    def done(self) -> int:
        """Ended items, without those that were deleted (they are not listed)."""
        return sum(n for state, n in self.counts.items() if state != "deleted")


OnProgress = Callable[[IngestProgress], None]
"""Called after each ended item, from the event loop. One that raises is logged and called no more."""


@dataclass(frozen=True)
class Parts:
    """What ingestion is made of."""

    connectors: Sequence[Connector]
    parsers: ParserService
    embedder: Embedder
    store: ChunkStore
    cache: Cache
    ledger: Ledger
    chunk_tokens: int
    workers: int
    captions: Captions | None = None
    """Who describes figures; None: nobody."""

    @property
    def made_with(self) -> str:
        """What decides chunks and vectors beside the document."""
        return digest(CHUNKER, str(self.chunk_tokens), self.embedder.fingerprint)[:32]

    @property
    def identities(self) -> frozenset[str]:
        """Every parser, alone and with what is done today to documents that have figures."""
        tag = self.captions.tag if self.captions else FIGURES
        return self.parsers.parser_ids | {parser + tag for parser in self.parsers.parser_ids}


@dataclass(frozen=True)
class Candidate:
    """An item to be brought in. ``present`` is whether the store holds what the ledger says."""

    connector: Connector
    source: Source
    listing: Listing
    known: Known | None
    document_id: str
    present: bool
    attempt: str


@dataclass(frozen=True)
class Prepared:
    """An item ready for the store, but for its vectors."""

    candidate: Candidate
    document: Document
    chunks: Sequence[Chunk]
    stored: Stored
    vectors: Vectors | None = None


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
    items: dict[str, IngestItem] = field(default_factory=dict)
    changed: bool = False
    listed: int = 0
    listing: bool = True
    blocked: AgentFailure | None = None
    usage: Usage = field(default_factory=Usage)
    """Of embeddings; models that describe figures report theirs as calls."""
    _counts: dict[ItemState, int] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    @cached_property
    def _identities(self) -> frozenset[str]:
        return self.parts.identities

    async def through(self, candidates: AsyncIterator[Candidate]) -> None:
        """All candidates to their end."""
        workers = self.parts.workers
        await flow(
            candidates,
            Stage(self._prepare, width=workers * 2, room=workers * 4),
            Stage(self._embed, width=workers, room=workers * 4),
            Stage(
                self._write,
                room=workers * 4,
                batch=WRITE_BATCH,
                weight=lambda prepared: len(prepared.chunks),
                linger_s=WRITE_LINGER_S,
            ),
        )

    async def admit(self, connector: Connector, source: Source, listing: Listing) -> Candidate | None:
        """Claim a listed item; None when that already decides its state."""
        self.listed += 1
        admitted = await guarded(
            AGENT, asyncio.to_thread(self.parts.ledger.admit, self.tenant, source.uri, listing, self.run_id)
        )
        if isinstance(admitted, AgentFailure):  # without a claim nothing may be written for it
            why = {"reason": admitted.message, "code": admitted.code.value}
            await self.report(IngestItem(uri=listing.uri, state="failed", **why))
            return None
        known, document_id = admitted
        present = known is not None and known.content_sha256 == self.contents.get(known.document_id, "")
        attempt = digest(str(listing.version), *sorted(self.parts.parsers.parser_ids))[:32]
        candidate = Candidate(connector, source, listing, known, document_id, present, attempt)
        action = decide_item("listed", self._facts(candidate))
        if action == "fetch":
            return candidate
        if action == "take_out":
            await self._take_out(candidate)
        elif action == "leave_out":
            await self._end(candidate, "skipped", listing.skip or "", None)
        elif action == "keep":
            await self._unchanged(candidate)
        elif known is not None:
            await self._end(candidate, "failed", known.reason, known.code)
        return None

    async def fail(self, candidate: Candidate, failure: AgentFailure) -> None:
        if failure.code in BLOCKING:
            self.blocked = failure
        await self._end(candidate, "failed", failure.message, failure.code.value)

    async def report(self, item: IngestItem) -> None:
        """Count an ended item and tell whoever watches."""
        self.items[item.uri] = item
        self._counts[item.state] = self._counts.get(item.state, 0) + 1
        if self.on_progress is not None:
            told = await guarded(AGENT, self._tell(self.on_progress, item.uri))
            if isinstance(told, AgentFailure):  # a broken progress bar is no reason to lose documents
                self.on_progress = None
                _log.warning("progress is told no more", code=told.code.value, **told.details)

    async def _tell(self, on_progress: OnProgress, uri: str) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        done = sum(self._counts.values())
        on_progress(IngestProgress(self.listed, self.listing, dict(self._counts), done / elapsed, uri))

    # Stages

    async def _prepare(self, candidates: list[Candidate]) -> list[Prepared]:
        """Fetch, compare, parse and cut one item."""
        [candidate] = candidates
        made: Prepared | AgentFailure | None = self.blocked
        made = made or await guarded(AGENT, self._fetched(candidate))
        if isinstance(made, AgentFailure):
            await self.fail(candidate, made)
            return []
        return [made] if made is not None else []

    async def _fetched(self, candidate: Candidate) -> Prepared | AgentFailure | None:
        raw = await candidate.connector.fetch(candidate.source, candidate.listing)
        if isinstance(raw, AgentFailure):
            return raw
        try:
            sha256 = await asyncio.to_thread(lambda: raw.sha256)
            parser = await asyncio.to_thread(self.parts.parsers.parser_id, raw)
            facts = self._facts(candidate, has_same_content=_has_same_content(candidate, sha256, parser))
            if decide_item("fetched", facts) == "keep":
                await self._unchanged(candidate)
                return None
            document = await self._parsed(raw, sha256, parser)
            if isinstance(document, Document):
                document = await self._with_captions(document, raw)
        finally:
            await asyncio.to_thread(raw.discard)
        if isinstance(document, AgentFailure):
            return document
        facts = self._facts(candidate, has_same_document=self._has_same_document(candidate, sha256, document))
        if decide_item("parsed", facts) == "keep":
            await self._unchanged(candidate)
            return None
        identity = {"id": candidate.document_id, "uri": candidate.listing.uri, "content_sha256": sha256}
        merged = document.model_copy(update={**identity, "metadata": {**raw.metadata, **document.metadata}})
        return await asyncio.to_thread(lambda: self._cut(candidate, flag_injection(merged)))

    async def _parsed(self, raw: RawDocument, sha256: str, parser: str | None) -> Document | AgentFailure:
        """The document, from the cache when the same bytes were parsed before under the same name."""
        described = raw.model_dump_json(exclude={"content", "path"})
        key = digest("parse", sha256, parser or "", described, self.tenant)
        held = await asyncio.to_thread(self.parts.cache.get, "parse", key)
        if held is not None:
            return Document.model_validate_json(held)
        document = await self.parts.parsers.parse(raw, ParseOptions(tenant=self.tenant))
        if isinstance(document, Document):
            await asyncio.to_thread(self.parts.cache.put, "parse", key, document.model_dump_json().encode())
        return document

    async def _with_captions(self, document: Document, raw: RawDocument) -> Document:
        """Return the document with a caption for each figure, when captioning is on.

        The parser id records whether captions were made, so that switching them on parses the document again.
        """
        if not undescribed(document):
            return document
        if self.parts.captions is None:
            return document.model_copy(update={"parser": document.parser + FIGURES})
        return await self.parts.captions.add(document, raw, self.tenant)

    def _cut(self, candidate: Candidate, document: Document) -> Prepared | AgentFailure:
        chunks = chunk(document, self.parts.embedder.count_tokens, self.parts.chunk_tokens)
        if not chunks:
            return AgentFailure(agent=AGENT, code=ErrorCode.PARSER_EMPTY, message="It has no text.", recoverable=False)
        stored = Stored(
            version=candidate.listing.version,
            content_sha256=document.content_sha256,
            parser=document.parser,
            made_with=self.parts.made_with,
            chunks=len(chunks),
            simhash=simhash(document.text),
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
        import numpy as np

        embedder, cache = self.parts.embedder, self.parts.cache
        keys = [digest("embed", embedder.fingerprint, text) for text in texts]
        held = await asyncio.to_thread(lambda: [cache.get("embed", key) for key in keys])
        missing = [i for i, data in enumerate(held) if data is None or len(data) != embedder.dim * 4]
        with charge_to(self.tenant):
            embedded = await embedder.embed([texts[i] for i in missing])
        self.usage = self.usage + embedded.usage
        fresh = embedded.vectors
        result = np.empty((len(texts), embedder.dim), dtype=np.float32)
        for i, data in enumerate(held):
            if data is not None and len(data) == embedder.dim * 4:
                result[i] = np.frombuffer(data, dtype="<f4")
        for i, row in zip(missing, fresh, strict=True):
            result[i] = row

        def keep() -> None:
            for i, row in zip(missing, fresh, strict=True):
                cache.put("embed", keys[i], row.astype("<f4").tobytes())

        await asyncio.to_thread(keep)
        return result

    async def _write(self, items: list[Prepared]) -> list[Any]:
        """Commit to the store, then to the ledger: only what both have is acknowledged."""
        done = self.blocked or await guarded(AGENT, self._committed(items))
        if isinstance(done, AgentFailure) and len(items) > 1 and done.code not in BLOCKING:
            for item in items:  # one bad document must not fail its neighbours
                await self._write([item])
        elif isinstance(done, AgentFailure):
            for item in items:
                await self.fail(item.candidate, done)
        return []

    async def _committed(self, items: list[Prepared]) -> None:
        entries = [EmbeddedDocument(i.document, i.chunks, i.vectors) for i in items if i.vectors is not None]
        await self.parts.store.put_many(self.tenant, entries)
        self.changed = True
        outcomes = [self._stored_outcome(item) for item in items]
        await asyncio.to_thread(self.parts.ledger.record, self.tenant, self.run_id, outcomes)
        for outcome in outcomes:
            await self.report(outcome.item)

    # Ends

    def _stored_outcome(self, item: Prepared) -> Outcome:
        candidate = item.candidate
        old = candidate.known if candidate.known is not None and candidate.known.content_sha256 else None
        entry = IngestItem(
            uri=candidate.listing.uri,
            state="updated" if old else "added",
            document_id=item.document.id,
            reason=self._why(old, candidate, item),
            chunks=len(item.chunks),
            warnings=tuple(filter(None, (*item.document.warnings, item.document.summarize_left_out()))),
        )
        return Outcome(
            entry, candidate.source.uri, candidate.listing, candidate.document_id, candidate.attempt, stored=item.stored
        )

    def _why(self, old: Known | None, candidate: Candidate, item: Prepared) -> str:
        """Return the reason of an update; empty for what is new."""
        if old is None:
            return ""
        new = item.stored
        has_moved = candidate.listing.previous_uri is not None and old.version is None and old.made_with is None
        has_same_base = base_parser(old.parser) == base_parser(new.parser)
        facts = UpdateFacts(
            has_moved=has_moved,
            has_new_content=old.content_sha256 != new.content_sha256,
            has_new_captions=old.parser != new.parser and has_same_base,
            has_new_parser=old.parser != new.parser,
            has_new_title=old.listing.title != candidate.listing.title,
            has_new_making=old.made_with != new.made_with,
        )
        words = {
            "previous_uri": candidate.listing.previous_uri,
            "captions": "its figures were described anew" if self.parts.captions else "descriptions of figures are off",
            "old_parser": old.parser,
            "new_parser": new.parser,
            "old_title": old.listing.title,
        }
        return explain_update(facts, words)

    async def _unchanged(self, candidate: Candidate) -> None:
        known = candidate.known
        assert known is not None  # noqa: S101
        item = IngestItem(
            uri=known.uri,
            state="unchanged",
            document_id=known.document_id,
            chunks=known.chunks,
            warnings=known.warnings,
        )
        listing = candidate.listing
        await self._record(
            Outcome(item, candidate.source.uri, listing, known.document_id, candidate.attempt, version=listing.version)
        )

    async def _take_out(self, candidate: Candidate) -> None:
        """Skip an item and remove what is stored of it."""
        removed = await guarded(AGENT, self.parts.store.delete(self.tenant, [candidate.document_id]))
        if isinstance(removed, AgentFailure):
            await self.fail(candidate, removed)
            return
        self.changed = True
        await self._end(candidate, "skipped", candidate.listing.skip or "", None, gone=True)

    async def _end(
        self, candidate: Candidate, state: ItemState, reason: str, code: str | None, *, gone: bool = False
    ) -> None:
        listing = candidate.listing
        held = candidate.known is not None and candidate.known.content_sha256 is not None and not gone
        item = IngestItem(
            uri=listing.uri,
            state=state,
            document_id=candidate.document_id if held else None,
            reason=reason,
            code=code,
        )
        outcome = Outcome(item, candidate.source.uri, listing, candidate.document_id, candidate.attempt, gone=gone)
        await self._record(outcome)

    async def _record(self, outcome: Outcome) -> None:
        """Write the row; when not even that is possible, the report still has the item, as failed."""
        wrote = await guarded(AGENT, asyncio.to_thread(self.parts.ledger.record, self.tenant, self.run_id, [outcome]))
        item = outcome.item
        if isinstance(wrote, AgentFailure) and item.state != "failed":
            item = item.model_copy(update={"state": "failed", "reason": wrote.message, "code": wrote.code.value})
        await self.report(item)

    # Facts

    def _facts(
        self, candidate: Candidate, *, has_same_content: bool = False, has_same_document: bool = False
    ) -> ItemFacts:
        """Return what is known of an item, for ``decide_item``."""
        known, listing = candidate.known, candidate.listing
        if known is None:
            return ItemFacts(is_excluded=listing.skip is not None, is_deferred=listing.deferred)
        has_version = listing.version is not None
        return ItemFacts(
            is_excluded=listing.skip is not None,
            is_deferred=listing.deferred,
            is_recorded=known.content_sha256 is not None,
            is_stored=candidate.present,
            is_made_as_today=known.made_with == self.parts.made_with and known.parser in self._identities,
            is_known_failure=has_version and self._is_known_failure(known, candidate.attempt),
            has_same_version=has_version and known.version == listing.version,
            has_same_title=known.listing.title == listing.title,
            has_same_content=has_same_content,
            has_same_document=has_same_document,
        )

    def _is_known_failure(self, known: Known, attempt: str) -> bool:
        """Return whether this version failed before, with the same parsers, in a way that it always will."""
        return not self.retry and known.state == "failed" and known.code in FINAL and known.attempt == attempt

    def _has_same_document(self, candidate: Candidate, sha256: str, document: Document) -> bool:
        """Return whether parsing again came to what is stored, as when figures still cannot be described."""
        known = candidate.known
        if known is None:
            return False
        made = (known.content_sha256, known.parser, known.made_with)
        return made == (sha256, document.parser, self.parts.made_with)


def _has_same_content(candidate: Candidate, sha256: str, parser: str | None) -> bool:
    """Return whether the stored document was made of these bytes, by this parser."""
    known = candidate.known
    return known is not None and (known.content_sha256, base_parser(known.parser)) == (sha256, parser)


def flag_injection(document: Document) -> Document:
    """Return the document with its signs of prompt injection, in its metadata and as a warning.

    A connector may have seen some that only it could see: a page's hidden text is gone when the parser reads it.
    """
    flagged = sorted({*document.metadata.get("suspected_injection", ()), *signs(document.text)})
    if not flagged:
        return document
    warning = f"suspected prompt injection: {', '.join(flagged)}"
    metadata = {**document.metadata, "suspected_injection": flagged}
    return document.model_copy(update={"metadata": metadata, "warnings": (*document.warnings, warning)})
