"""The client of an ingest on workers: shards go out, rows come back in files, and one commit takes all of them in.

What a worker noted is repeated on the real ledger, after the one commit to the real store. The accounts of finished
shards are the manifest: a run that was killed finds those of before, and only the other shards go out again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from roma_core.connectors.base import Listing
from roma_core.errors import AgentFailure, ConfigError, ErrorCode, guarded
from roma_core.executor.base import Executor, Shard, ShardResult
from roma_core.ingestion.ledger import LedgerPart, LedgerRow, Outcome
from roma_core.ingestion.run import BLOCKING, Run
from roma_core.ingestion.shards import (
    FinishedShard,
    IngestShard,
    LedgerNote,
    ShardSource,
    ShardWork,
    account_path,
    candidates_of,
    describe_candidate,
    identify_parts,
    iterate,
    make_candidate,
    read_cache_entries,
)
from roma_core.ingestion.work import AGENT, OpenParts, SourceRun, Work
from roma_core.store.shards import ShardStore, read_rows
from roma_core.telemetry import logs
from roma_core.types import IngestItem, digest
from roma_core.workspace import private_folder

ITEMS: Final = 8
"""Items of a shard, about: an item whose address hashes to a multiple of it ends its shard."""
MOST_ITEMS: Final = 24
MOST_BYTES: Final = 32 << 20
UNVERSIONED_S: Final = 3600.0
"""Time for which a finished shard stands in for items whose source names no versions."""
SWEPT_AFTER_S: Final = 24 * 3600.0
"""Time after which files of shards that no commit has taken in are removed."""
RECORDED_AT_ONCE: Final = 500
STOPPING: Final = BLOCKING | {ErrorCode.WORKER_MISMATCH, ErrorCode.CONFIG_INVALID, ErrorCode.DEPENDENCY_MISSING}
"""Failures of a shard that every further one would meet."""
_log = logs.get(AGENT)


@dataclass(frozen=True)
class ShardPlan:
    """How an ingest is run on workers."""

    executor: Executor
    target: str
    """The workers' function: it takes an ``IngestShard`` and returns a ``FinishedShard``, both as JSON."""
    folder: Path
    settings: str = field(repr=False)
    machine: str


@dataclass
class _Pending:
    """A shard that is out, with the works that it is made of."""

    shard: IngestShard
    works: list[Work]


@dataclass
class ShardedRun:
    """The client's side of an ingest on workers."""

    run: Run
    plan: ShardPlan
    finished: list[FinishedShard] = field(default_factory=list)
    reused: int = 0
    """Shards that a run of before had finished."""
    _out: dict[str, _Pending] = field(default_factory=dict)
    _again: asyncio.Queue[list[Work] | None] = field(default_factory=asyncio.Queue)
    _is_listed: bool = False
    _sources: dict[str, SourceRun] = field(default_factory=dict)
    _rows: dict[str, LedgerRow | None] = field(default_factory=dict)
    _waiting: dict[str, Outcome] = field(default_factory=dict)
    """Outcomes that need the commit, by address."""
    _redone: list[Work] = field(default_factory=list)

    async def through(self, pending: AsyncIterator[Work]) -> None:
        """Bring all items to their end. Raises ``WorkerError`` when there is no worker."""
        store = self.run.parts.store
        if not isinstance(store, ShardStore):
            raise ConfigError("This store takes in no rows of workers; ingest without --on.")
        folder = self.plan.folder
        await asyncio.to_thread(private_folder, folder)
        await asyncio.to_thread(sweep_shards, folder)
        executor = self.plan.executor
        try:
            await executor.map(self.plan.target, self._hand_out(pending))
            async for result in executor.gather():
                await self._take_in(result)
        except BaseException:
            await executor.cancel()
            raise
        await self._commit(store)
        if self._redone:
            await self.run.through(iterate(self._redone))

    # Handing out

    async def _hand_out(self, pending: AsyncIterator[Work]) -> AsyncIterator[Shard]:
        """Yield the shards that are not finished yet, and at the end those that have to be tried in parts."""
        async for works in cut_works(pending):
            shard = await self._prepare(works)
            if shard is not None:
                yield shard
        self._is_listed = True
        self._end_when_done()
        while (works_again := await self._again.get()) is not None:
            shard = await self._prepare(works_again)
            if shard is not None:
                yield shard
            self._end_when_done()

    def _end_when_done(self) -> None:
        if self._is_listed and not self._out and self._again.empty():
            self._again.put_nowait(None)

    async def _prepare(self, works: list[Work]) -> Shard | None:
        """Return a shard to hand out; None when it is done already, or when nothing is to be tried any more."""
        if self.run.blocked is not None:
            await self._fail(works, self.run.blocked)
            return None
        shard = await self._make_shard(works)
        known = await asyncio.to_thread(self._find_finished, shard)
        if known is not None:
            self.reused += 1
            await self._apply(_Pending(shard, works), known)
            return None
        self._out[shard.key] = _Pending(shard, works)
        return Shard(shard.key, shard.model_dump_json().encode())

    async def _make_shard(self, works: list[Work]) -> IngestShard:
        run, plan = self.run, self.plan
        runs: list[SourceRun] = []
        shard_works: list[ShardWork] = []
        for work in works:
            items = []
            for candidate in candidates_of(work):
                if candidate.run not in runs:
                    runs.append(candidate.run)
                self._sources[candidate.run.record.id] = candidate.run
                self._rows[candidate.listing.uri] = candidate.row
                items.append(describe_candidate(runs.index(candidate.run), candidate))
            container = work.container if isinstance(work, OpenParts) else None
            shard_works.append(ShardWork(items=tuple(items), container=container))
        known_parts = await asyncio.to_thread(self._find_parts, runs, shard_works)
        for _, part in known_parts:
            self._rows[part.uri] = part.row
        ids = {item.document_id for work in shard_works for item in work.items}
        ids |= {part.row.document_id for _, part in known_parts if part.row is not None}
        self._refuse_exposure(runs)
        shard = IngestShard(
            key="",
            tenant=run.tenant,
            run_id=run.run_id,
            settings=plan.settings,
            machine=plan.machine,
            identity=identify_parts(run.parts, run.tenant, [each.record for each in runs]),
            folder=str(plan.folder.absolute()),
            secrets=run.secrets,
            retry=run.retry,
            within=None if run.within is None else tuple(map(str, run.within)),
            sources=tuple(
                ShardSource(record=each.record, source=each.source, has_parts=bool(each.has_parts)) for each in runs
            ),
            works=tuple(shard_works),
            known_parts=tuple(known_parts),
            contents={document_id: run.contents[document_id] for document_id in sorted(ids & run.contents.keys())},
        )
        return shard.model_copy(update={"key": name_shard(shard)})

    def _refuse_exposure(self, runs: Iterable[SourceRun]) -> None:
        """Refuse to send a source's own headers or cookies where anybody on the network could read them."""
        if self.plan.executor.is_private:
            return
        exposed = [each.record.label for each in runs if {"headers", "cookies"} & each.source.options.keys()]
        if exposed:
            raise ConfigError(
                f"{exposed[0]} has headers or cookies of its own, and {self.plan.executor.address} is not encrypted: "
                "use a scheduler with TLS (tls://), or a cluster of one's own (--on dask)."
            )

    def _find_parts(self, runs: Sequence[SourceRun], works: Sequence[ShardWork]) -> list[tuple[int, LedgerPart]]:
        ledger, tenant = self.run.parts.ledger, self.run.tenant
        found: list[tuple[int, LedgerPart]] = []
        for place, source in enumerate(runs):
            if source.has_parts is None:
                source.has_parts = ledger.claims_parts(tenant, source.record.id)
            if not source.has_parts:
                continue
            uris = [item.listing.uri for work in works for item in work.items if item.source == place]
            found += [(place, part) for part in ledger.parts_of(tenant, source.record.id, uris)]
        return found

    def _find_finished(self, shard: IngestShard) -> FinishedShard | None:
        """Return the account of a shard that was finished before, when it still holds."""
        account = account_path(self.plan.folder, shard.key)
        try:
            finished = FinishedShard.model_validate_json(account.read_bytes())
        except (OSError, ValidationError):
            return None
        has_versions = all(item.listing.version is not None for work in shard.works for item in work.items)
        is_fresh = has_versions or time.time() - finished.finished_at < UNVERSIONED_S
        has_failed = any(item.state == "failed" for item in finished.items)  # it may not fail again
        files = [finished.file, *(name for _, name in finished.cache)]
        is_whole = all((self.plan.folder / name).is_file() for name in files if name)
        return finished if is_fresh and is_whole and not has_failed else None

    # Taking in

    async def _take_in(self, result: ShardResult) -> None:
        pending = self._out.pop(result.key)
        failure = result.failure
        finished: FinishedShard | None = None
        if failure is None:
            finished = FinishedShard.model_validate_json(result.payload)
            failure = finished.blocked
        if failure is not None and failure.code in STOPPING:
            self.run.blocked = failure
            await self._fail(pending.works, failure)
        elif failure is not None:
            await self._try_parts(pending.works, failure)
        elif finished is not None:
            await self._apply(pending, finished)
        self._end_when_done()

    async def _try_parts(self, works: list[Work], failure: AgentFailure) -> None:
        """Hand out a shard that failed in halves, until the one item that makes it fail is alone."""
        halves = split_works(works)
        if not halves:
            _log.warning("item_given_up", code=failure.code.value)
            await self._fail(works, failure)
        for half in halves:
            self._again.put_nowait(half)

    async def _fail(self, works: Iterable[Work], failure: AgentFailure) -> None:
        for work in works:
            for candidate in candidates_of(work):
                await self.run.fail(candidate, failure)

    async def _apply(self, pending: _Pending, finished: FinishedShard) -> None:
        """Repeat on the ledger what a worker noted, but for what needs the commit."""
        if not await self._repeat_admissions(finished):
            self._redone += pending.works  # ids of files inside of it are others than the worker took them to be
            return
        self.run.usage = self.run.usage + finished.usage
        self.run.newly_masked |= set(finished.newly_masked)
        await self._take_over_cache(finished)
        for note in finished.sources:
            source = self._sources[note.source]
            source.listed |= set(note.listed)
            source.excluded += [make_candidate(self.run, source, item) for item in note.excluded]
            for item, failure in note.not_there:
                source.not_there[item.listing.uri] = (make_candidate(self.run, source, item), failure)
        written: set[str] = set()
        for ledger_note in finished.ledger:
            await self._repeat(ledger_note)
            written |= {outcome.item.uri for outcome in ledger_note.outcomes}
        for ended in finished.items:
            if ended.uri not in written:
                await self.run.report(ended)
        self.finished.append(finished)

    async def _repeat_admissions(self, finished: FinishedShard) -> bool:
        """Admit the files inside of files; return whether their ids are those that the worker took."""
        for note in finished.ledger:
            if note.kind != "admit":
                continue
            if any(map(self._is_retired, note.listings)):
                return False
            source = self._sources[note.source]
            admitted = await asyncio.to_thread(
                self.run.parts.ledger.admit, self.run.tenant, note.source, source.generation, list(note.listings)
            )
            known = [self._rows.get(listing.uri) for listing in note.listings]
            if tuple(each.document_id for each in admitted) != note.document_ids or known != [a.row for a in admitted]:
                return False
        return True

    def _is_retired(self, listing: Listing) -> bool:
        """Return whether an item was removed because its time was over, which a worker elsewhere cannot know."""
        retired = self.run.parts.retired
        if retired is None or not retired.has_retired or listing.skip is not None:
            return False
        return retired.is_retired(self.run.tenant, listing.uri, listing.version)

    async def _repeat(self, note: LedgerNote) -> None:
        ledger, run = self.run.parts.ledger, self.run
        if note.kind == "admit":
            run.listed += len(note.listings)
        elif note.kind == "claim":
            source = self._sources[note.source]
            await asyncio.to_thread(ledger.claim, run.tenant, note.source, source.generation, list(note.uris))
        elif note.kind == "settle":
            await asyncio.to_thread(ledger.settle, run.tenant, run.run_id, list(note.uris))
        else:
            needs_commit = [outcome for outcome in note.outcomes if outcome.stored is not None or outcome.gone]
            self._waiting |= {outcome.item.uri: outcome for outcome in needs_commit}
            for outcome in needs_commit:
                await run.expect(outcome.item)
            others = [outcome for outcome in note.outcomes if outcome.stored is None and not outcome.gone]
            if others:
                await run.record(others)

    async def _take_over_cache(self, finished: FinishedShard) -> None:
        for kind, name in finished.cache:
            entries = await asyncio.to_thread(read_cache_entries, self.plan.folder / name)
            await asyncio.to_thread(self.run.parts.cache.put_many, kind, entries)

    # The commit

    async def _commit(self, store: ShardStore) -> None:
        """Bring everything into the store in one commit, then into the ledger."""
        outcomes = list(self._waiting.values())
        if outcomes:
            done = self.run.blocked or await guarded(AGENT, self._store(store))
            if isinstance(done, AgentFailure):
                outcomes = [as_failed_outcome(outcome, done) for outcome in outcomes]
            for start in range(0, len(outcomes), RECORDED_AT_ONCE):
                await self.run.record(outcomes[start : start + RECORDED_AT_ONCE])
            if isinstance(done, AgentFailure) and done.code is not ErrorCode.STORAGE_CORRUPT:
                return  # the files stay for the next run
        await asyncio.to_thread(self._remove_files)

    async def _store(self, store: ShardStore) -> None:
        files: dict[Path, int] = {}
        latest: dict[str, Path] = {}
        for finished in self.finished:
            if finished.file:
                path = self.plan.folder / finished.file
                files[path] = finished.rows
                latest |= dict.fromkeys(finished.document_ids, path)
        left_out: dict[Path, list[str]] = {}
        for finished in self.finished:
            path = self.plan.folder / finished.file
            older = [document_id for document_id in finished.document_ids if latest[document_id] != path]
            if older:
                left_out[path] = older
        removed = sorted({each for finished in self.finished for each in finished.removed} - latest.keys())
        fresh = await asyncio.to_thread(read_rows, files, left_out)
        if fresh is not None:
            await store.commit_rows(self.run.tenant, fresh, removed)
        elif removed:
            await self.run.parts.store.delete(self.run.tenant, removed)
        self.run.changed = True
        originals = self.run.parts.originals
        if originals is not None:
            unmasked = sorted({each for finished in self.finished for each in finished.unmasked})
            await asyncio.to_thread(originals.forget, self.run.tenant, unmasked)

    def _remove_files(self) -> None:
        """Remove the files of the shards that are in the store now."""
        for finished in self.finished:
            for name in (f"{finished.key}.json", finished.file, *(name for _, name in finished.cache)):
                if name:
                    (self.plan.folder / name).unlink(missing_ok=True)


def as_failed_outcome(outcome: Outcome, failure: AgentFailure) -> Outcome:
    """Return the outcome of an item that was ready and could not be stored."""
    was_stored = outcome.item.state == "updated" or outcome.gone
    item = IngestItem(
        uri=outcome.item.uri,
        state="failed",
        document_id=outcome.document_id if was_stored else None,
        reason=failure.message,
        code=failure.code.value,
    )
    return replace(outcome, item=item, stored=None, gone=False)


def name_shard(shard: IngestShard) -> str:
    """Return the hash of all that decides what becomes of a shard: the run does not count, nor how secrets are sent."""
    decisive = shard.model_dump_json(exclude={"key", "run_id", "settings", "machine", "folder", "sources"})
    parts = [decisive]
    for each in shard.sources:
        source = each.source.model_dump_json(exclude={"options": {"state"}})
        parts += [each.record.id, source, each.record.options.model_dump_json()]
    return digest("shard", *parts)[:40]


async def cut_works(works: AsyncIterator[Work]) -> AsyncIterator[list[Work]]:
    """Yield items in shards.

    An item ends its shard by the hash of its own address, so that one more item in a listing changes one shard alone.
    """
    held: list[Work] = []
    size = 0
    async for work in works:
        held.append(work)
        size += sum(candidate.listing.size or 0 for candidate in candidates_of(work))
        last = candidates_of(work)[-1].listing.uri
        ends = int(digest("shard", last)[:8], 16) % ITEMS == 0
        if ends or len(held) >= MOST_ITEMS or size >= MOST_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def split_works(works: Sequence[Work]) -> list[list[Work]]:
    """Return the two halves of a shard; nothing for one that is a single item.

    Files inside of one container are split as well.
    """
    if len(works) > 1:
        middle = len(works) // 2
        return [list(works[:middle]), list(works[middle:])]
    [work] = works
    if isinstance(work, OpenParts) and len(work.parts) > 1:
        middle = len(work.parts) // 2
        return [[OpenParts(work.container, some)] for some in (work.parts[:middle], work.parts[middle:])]
    return []


def sweep_shards(folder: Path, older_than_s: float = SWEPT_AFTER_S) -> int:
    """Remove files of shards that no commit has taken in for so long; return how many."""
    swept = 0
    for path in sorted(folder.glob("*")):
        with suppress(OSError):  # another run has removed it
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
                swept += 1
    return swept
