"""Items that a source has no more: the facts of each, the decision of ``decide_absence``, and what is done about it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.connectors.base import Listing
from roma_core.errors import AgentFailure, guarded
from roma_core.ingestion.decide import (
    MASS_SHARE,
    Absence,
    AbsenceFacts,
    decide_absence,
    explain_absence,
    is_mass_absence,
)
from roma_core.ingestion.ledger import AbsentItem
from roma_core.ingestion.run import Run
from roma_core.ingestion.work import AGENT, SourceRun
from roma_core.types import Document, IngestItem, ItemState

CONFIRM_AT_ONCE: Final = 8
MOST_CONFIRMED: Final = 1000
"""Items of one source that are asked for by themselves after a listing; the others wait for a second look."""


@dataclass(frozen=True)
class DeletionPolicy:
    """When a missing item is deleted, and for how long that can be undone."""

    looks: int = 2
    grace_s: float = 7 * 24 * 3600.0
    share: float = MASS_SHARE
    undo_s: float = 30 * 24 * 3600.0


Decided = tuple[AbsentItem, Absence, str]
"""An absent item, what becomes of it, and why."""


class AbsenceReview:
    """The review of one source after its listing."""

    def __init__(self, run: Run, source: SourceRun, policy: DeletionPolicy, *, is_pruning: bool) -> None:
        self._run = run
        self._source = source
        self._policy = policy
        self._is_pruning = is_pruning
        self._ledger = run.parts.ledger

    async def settle(self) -> Counter[ItemState]:
        """Decide about everything that the source lists no more or leaves out now, and act.

        Returns how many items ended in each state.
        """
        run, source, ledger = self._run, self._source, self._ledger
        contained: frozenset[str] = frozenset()
        if source.is_complete:
            contained = await asyncio.to_thread(ledger.take_over, run.tenant, source.record.id)
        claimed = await self.claimed()
        await self._settle_excluded(claimed)
        absent = await asyncio.to_thread(
            ledger.absent,
            run.tenant,
            source.record.id,
            source.listed - source.not_there.keys(),
            generation=source.generation,
            contained=contained,
        )
        decided = await self.decide(absent, claimed)
        leaving = [item for item, absence, _ in decided if absence.state == "gone"]
        gone = [_item_of(item, "deleted", why) for item, absence, why in decided if absence.state == "gone"]
        missing = [_item_of(item, "missing", why) for item, absence, why in decided if absence.state == "missing"]
        released = [item.uri for item, absence, _ in decided if absence.is_released]
        await asyncio.to_thread(ledger.release, run.tenant, source.record.id, released)
        if missing:
            await asyncio.to_thread(
                ledger.mark_missing, run.tenant, source.record.id, source.generation, run.run_id, missing
            )
        if gone:
            await delete_items(run, leaving, gone, self._policy)
        recorded = {item.uri for item in absent if item.is_recorded}
        reported = [item for item in (*missing, *gone) if item.uri in recorded]
        for ended in reported:
            await run.report(ended)
        for item, absence, _ in decided:
            if absence.state == "present" and item.uri in source.not_there:
                candidate, failure = source.not_there[item.uri]
                await run.end(candidate, "failed", failure.message, failure.code.value)
        if [item.uri for item in gone] == [source.record.uri]:
            source.failures.clear()  # the source is this one item, and it is known to be gone
        return Counter(ended.state for ended in reported)

    async def claimed(self) -> int:
        """Return how many items the source claims."""
        return await asyncio.to_thread(self._ledger.number_of_claims, self._source.record.id)

    async def decide(self, absent: Sequence[AbsentItem], claimed: int) -> list[Decided]:
        """Return what becomes of each item; asks the source for single items, and writes nothing."""
        facts = await self._facts_of(absent, claimed)
        return [(item, decide_absence(fact), explain_absence(fact)) for item, fact in zip(absent, facts, strict=True)]

    async def _settle_excluded(self, claimed: int) -> None:
        """Take out what the source leaves out now; if that is too much at once, leave it as it is and say so."""
        excluded = self._source.excluded
        if not excluded:
            return
        if self._is_pruning or not is_mass_absence(len(excluded), claimed, share=self._policy.share):
            await self._run.take_out(excluded)
            return
        for candidate in excluded:
            reason = f"{candidate.listing.skip}; kept, as too much was left out at once (--prune takes it out)"
            await self._run.end(candidate, "skipped", reason, None)

    async def _facts_of(self, absent: Sequence[AbsentItem], claimed: int) -> list[AbsenceFacts]:
        source, policy = self._source, self._policy
        groups = Counter(self._group_of(item) for item in absent if item.is_stored and not item.is_held_elsewhere)
        masses = {group for group, lost in groups.items() if is_mass_absence(lost, claimed, share=policy.share)}
        now = time.time()
        confirmed = await self._confirm([item for item in absent if self._group_of(item) not in masses])
        facts: list[AbsenceFacts] = []
        for item in absent:
            looks = item.missing_looks + 1
            since = now if item.missing_since is None else item.missing_since
            facts.append(
                AbsenceFacts(
                    is_held_elsewhere=item.is_held_elsewhere,
                    is_pinned=item.row is not None and item.row.pinned,
                    is_listing_complete=source.is_complete,
                    is_named_itself=item.uri == source.record.uri,
                    is_confirmed=item.uri in confirmed or not item.is_stored,
                    is_mass=self._group_of(item) in masses and item.is_stored,
                    is_pruning=self._is_pruning,
                    is_missing_long_enough=looks >= policy.looks or now - since >= policy.grace_s > 0,
                )
            )
        return facts

    def _group_of(self, item: AbsentItem) -> int:
        """Return the generation that missed an item first: what vanished together is judged together."""
        return self._source.generation if item.missing_generation is None else item.missing_generation

    async def _confirm(self, absent: Sequence[AbsentItem]) -> set[str]:
        """Ask for items by themselves; return those that are surely not there."""
        source = self._source
        asked = [
            item
            for item in absent
            if (source.is_complete or item.uri == source.record.uri) and item.is_stored and not source.is_lost
        ]
        confirmed: set[str] = set()
        slots = asyncio.Semaphore(CONFIRM_AT_ONCE)

        async def ask(item: AbsentItem) -> None:
            async with slots:
                answer = await guarded(AGENT, _is_gone(source, item))
            if answer is True:
                confirmed.add(item.uri)

        await asyncio.gather(*(ask(item) for item in asked[:MOST_CONFIRMED]))
        return confirmed


async def _is_gone(source: SourceRun, item: AbsentItem) -> bool | AgentFailure:
    """Ask for an item by itself; one inside of a container goes with it, or when that was read without it."""
    container = item.listing.container
    if container is not None:
        return container.uri in source.listed or await source.connector.is_gone(source.source, _outermost(container))
    return await source.connector.is_gone(source.source, item.listing)


async def delete_items(
    run: Run, absent: Sequence[AbsentItem], items: Sequence[IngestItem], policy: DeletionPolicy
) -> None:
    """Bury what is stored of the items, then remove it from the store, then say so in the ledger.

    A run that is killed between two of these leaves claims that the next one decides about again.
    """
    ledger, store = run.parts.ledger, run.parts.store
    ids = {item.uri: item.document_id for item in absent if item.document_id is not None}
    if policy.undo_s > 0:
        documents: dict[str, Document] = {}
        for uri, document_id in ids.items():
            document = await store.document(run.tenant, document_id)
            if document is not None:
                documents[uri] = document
        await asyncio.to_thread(ledger.bury, run.tenant, run.run_id, items, documents)
    await store.delete(run.tenant, list(ids.values()))
    run.changed = True
    await asyncio.to_thread(ledger.deleted, run.tenant, run.run_id, items)


def _outermost(listing: Listing) -> Listing:
    return listing if listing.container is None else _outermost(listing.container)


def _item_of(absent: AbsentItem, state: ItemState, reason: str) -> IngestItem:
    return IngestItem(uri=absent.uri, state=state, document_id=absent.document_id, reason=reason)
