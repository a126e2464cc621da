"""A model of a source with faults, and what must hold whatever happens in whatever order.

A document that the source still has is in the store; one that it has no more is gone after the rule and never before;
and the states of a report sum up to what was listed. ``ROMA_SEQUENCES`` sets how many histories are tried.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roma_core.errors import ConnectorError
from roma_core.ingestion import IngestProgress
from roma_core.ingestion.distribution import ShardPlan
from roma_core.types import IngestionReport
from tests.fakes.ingest import Shop
from tests.fakes.shards import plan_shards

SOURCE = "fake://s/"
NAMES = st.sampled_from([f"{n:02}.txt" for n in range(14)])
SEQUENCES = int(os.environ.get("ROMA_SEQUENCES", "20"))
LISTED = {"added", "updated", "unchanged", "skipped", "failed"}


class SourceMachine(RuleBasedStateMachine):
    """The source as it is (``has``), and as looks have shown it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="roma-model-")
        self.shop = Shop(Path(self.folder.name))
        self.connector = self.shop.connector
        self.loop = asyncio.new_event_loop()
        self.serial = 0
        self.has: dict[str, str] = {}
        self.broken: set[str] = set()
        """Items that answer 503 when they are fetched."""
        self.unmounted = False
        self.looks_without: dict[str, int] = {}
        """Clean, complete looks since an item vanished from the source."""
        self.stored: dict[str, str] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    # What happens to the source

    @initialize()
    def begin(self) -> None:
        for n in range(10):
            self._write(f"{n:02}.txt")

    @rule(name=NAMES)
    def write(self, name: str) -> None:
        self._write(name)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if self.has.pop(name, None) is not None:
            self.looks_without[name] = 0

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if old in self.has and new not in self.has:
            self.has[new] = self.has.pop(old)
            self.looks_without[old] = 0
            self.looks_without.pop(new, None)

    @rule(name=NAMES)
    def break_item(self, name: str) -> None:
        self.broken ^= {name}

    @rule()
    def unmount_or_mount(self) -> None:
        self.unmounted = not self.unmounted

    # Looks at it

    @rule()
    def sync(self) -> None:
        self._check(self._sync(), clean=not self.unmounted)

    @rule(after=st.integers(0, 5))
    def sync_while_the_hub_fails(self, after: int) -> None:
        self.connector.list_error, self.connector.list_error_after = ConnectorError("It answered 503."), after
        self._check(self._sync(), clean=False)
        self.connector.list_error = None

    @rule(limit=st.integers(1, 8))
    def sync_over_a_limit(self, limit: int) -> None:
        self.connector.limit = limit
        is_whole = len(self.has) <= limit
        self._check(self._sync(), clean=is_whole and not self.unmounted)
        self.connector.limit = None

    @rule(after=st.integers(1, 12))
    def sync_and_kill(self, after: int) -> None:
        """Cut a run off at its Nth ended item. It may have come to its end before, so what it deleted is its own."""
        self._check(self._sync(kill_after=after), clean=False, is_known=False)

    @rule()
    def sync_twice_at_once(self) -> None:
        self._check(self._sync(times=2), clean=not self.unmounted, looks=2)

    @precondition(lambda self: not self.unmounted and not self.broken)
    @rule()
    def prune(self) -> None:
        self._check(self._sync(prune=True), clean=True, pruned=True)

    # Inside

    def plan(self) -> ShardPlan | None:
        """How an ingest is run: in this process."""
        return None

    def _write(self, name: str) -> None:
        self.serial += 1
        self.has[name] = f"Version {self.serial} of {name} tells of harbour {self.serial}. " * 4
        self.looks_without.pop(name, None)

    def _sync(self, *, times: int = 1, kill_after: int | None = None, **options: Any) -> IngestionReport | None:
        self.connector.items.clear()
        if not self.unmounted:
            for name, text in self.has.items():
                is_broken = name in self.broken
                self.connector.items[f"{SOURCE}{name}"] = ConnectorError("It answered 503.") if is_broken else text
        self.connector.silent = {f"{SOURCE}{name}" for name in self.has} if self.unmounted else ()

        async def run() -> IngestionReport | None:
            service = self.shop.service()
            ended_items = 0

            def watch(_: IngestProgress) -> None:
                nonlocal ended_items
                ended_items += 1
                if ended_items == kill_after:
                    tasks[0].cancel()

            tasks = [
                asyncio.ensure_future(service.ingest([SOURCE], progress=watch, shards=self.plan(), **options))
                for _ in range(times)
            ]
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await service.close()
            last = ended[-1]
            return last if isinstance(last, IngestionReport) else None

        return self.loop.run_until_complete(run())

    def _check(
        self,
        report: IngestionReport | None,
        *,
        clean: bool,
        looks: int = 1,
        pruned: bool = False,
        is_known: bool = True,
    ) -> None:
        before = self.stored
        self.stored = self.loop.run_until_complete(self._read())
        for name in before:
            if name in self.has:
                assert name in self.stored, f"{name} is in the source and was lost"
        if clean:
            for name, text in self.has.items():
                if name not in self.broken:
                    assert self.stored.get(name) == text, f"{name} is in the source and not in the store"
            for name in self.looks_without:
                self.looks_without[name] += looks
        if report is not None:
            listed = [item for item in report.items if item.state in LISTED]
            shown = {item.uri for item in listed} & set(self.connector.items)
            if clean:
                assert len(listed) == len(shown) == len(self.has)
            assert len({item.uri for item in report.items}) == len(report.items)
        lingering = [name for name in self.stored if name not in self.has]
        if pruned:
            assert not lingering
        is_single = len(lingering) == 1 and len(self.has) >= 2
        if clean and is_single and self.looks_without.get(lingering[0], 0) >= 2:
            message = self.loop.run_until_complete(self._state_of(lingering[0]))
            assert "--prune" in message, f"{lingering[0]} is gone for two looks and still there: {message}"
        if not clean and is_known:
            assert set(before) <= set(self.stored), "an incomplete look deleted something"

    async def _read(self) -> dict[str, str]:
        documents = [document async for document in self.shop.store.documents("default")]
        return {document.uri.removeprefix(SOURCE): document.text for document in documents}

    async def _state_of(self, name: str) -> str:
        service = self.shop.service()
        items = await service.ledger_items()
        await service.close()
        return next((item.reason for item in items if item.uri == f"{SOURCE}{name}"), "no row")

    @invariant()
    def no_document_is_doubled(self) -> None:
        documents, _ = self.loop.run_until_complete(self.shop.store.counts("default"))
        assert documents == len(self.loop.run_until_complete(self._read()))


class WorkerMachine(SourceMachine):
    """The same histories where workers do the work: one commit a run, finished shards found again."""

    def plan(self) -> ShardPlan | None:
        return plan_shards(self.shop)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [SourceMachine, WorkerMachine])
def test_nothing_is_lost_and_nothing_lingers_in_any_order_of_events(machine: type[SourceMachine]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
