"""Ingests on workers: the same corpus and ledger as without, one commit, and nothing done twice after a kill."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from roma_core.errors import ConnectorError, ErrorCode, WorkerError
from roma_core.ingestion import IngestionService
from roma_core.ingestion.distribution import sweep_shards
from roma_core.ingestion.shards import IngestShard
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.privacy import Originals, make_screen
from roma_core.settings.privacy import PrivacySettings
from roma_core.store.inmemory import InMemoryStore
from roma_core.store.lance import LanceStore
from roma_core.types import IngestionReport
from tests.fakes.ingest import FULL, FaultyStore, Shop, table
from tests.fakes.shards import OnShard, plan_shards
from tests.unit.ingestion.test_containers import HERONS, MILLS, mail, packed

SOURCE = "fake://s/"
TEXTS = {f"{SOURCE}{n:02}.txt": f"Document {n} tells of harbours, ships and sails. " * 10 for n in range(40)}

TWO_INSIDE, ONE_INSIDE = mail(("herons.txt", HERONS), ("mills.txt", MILLS)), mail(("herons.txt", HERONS))
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "workers")
    shop.connector.items |= TEXTS
    shop.folder.mkdir()
    return shop


async def on_workers(shop: Shop, on_shard: OnShard | None = None, **options: Any) -> IngestionReport:
    return await shop.service().ingest([SOURCE], shards=plan_shards(shop, on_shard), **options)


async def here(shop: Shop, **options: Any) -> IngestionReport:
    return await shop.service().ingest([SOURCE], **options)


def count_shards(seen: list[IngestShard]) -> OnShard:
    return seen.append


def ledger_of(shop: Shop) -> list[tuple[Any, ...]]:
    """Every row of the ledger but for what names a run or a time."""
    with sqlite3.connect(shop.folder / "ledger.sqlite") as db:
        db.row_factory = sqlite3.Row
        items = [dict(row) for row in db.execute("SELECT * FROM items ORDER BY uri")]
        claims = [dict(row) for row in db.execute("SELECT * FROM claims ORDER BY uri")]
    own = {"run_id", "missing_since", "stored_at"}
    return [tuple((key, value) for key, value in row.items() if key not in own) for row in items + claims]


async def stored_by(shop: Shop) -> list[tuple[str, list[str]]]:
    """Everything in the store as JSON: in memory a list may still be the tuple that it was."""
    rows = await table(shop.store)
    return [(document.model_dump_json(), [each.model_dump_json() for each in chunks]) for document, chunks in rows]


def cached_by(shop: Shop) -> set[tuple[str, str]]:
    with sqlite3.connect(shop.folder / "cache.sqlite") as db:
        return set(db.execute("SELECT kind, key FROM entries"))


def change(shop: Shop, step: int) -> None:
    """One change of the source after another, of every kind that there is."""
    items = shop.connector.items
    if step == 1:
        items[f"{SOURCE}03.txt"] = "Document 3 is another one now. " * 8
        items[f"{SOURCE}new.txt"] = "A new document tells of light houses. " * 8
        items[f"{SOURCE}bad.txt"] = "BAD to the bone"
        items[f"{SOURCE}box.eml"] = TWO_INSIDE
        items[f"{SOURCE}box.zip"] = packed(a_dot_txt=MILLS, b_dot_txt=HERONS)
        del items[f"{SOURCE}04.txt"]
    elif step == 2:
        items[f"{SOURCE}05.txt"] = ConnectorError("It is gone.", ErrorCode.CONNECTOR_NOT_FOUND)
        shop.connector.skips[f"{SOURCE}06.txt"] = "ignored"
        items[f"{SOURCE}key.txt"] = KEY
        items[f"{SOURCE}07.txt"] = items[f"{SOURCE}key.txt"]
        items[f"{SOURCE}box.eml"] = ONE_INSIDE
    elif step == 3:
        items[f"{SOURCE}moved.txt"] = items.pop(f"{SOURCE}08.txt")
        shop.connector.moved[f"{SOURCE}moved.txt"] = f"{SOURCE}08.txt"
        items[f"{SOURCE}05.txt"] = TEXTS[f"{SOURCE}05.txt"]
        del shop.connector.skips[f"{SOURCE}06.txt"]


async def test_workers_come_to_the_same_corpus_ledger_and_cache_as_this_process(tmp_path: Path) -> None:
    shops = []
    for name in ("workers", "alone"):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name, parsers=cast(Any, DolphinParserService(InlineSandbox())))
        shop.connector.items |= TEXTS
        shops.append(shop)
    workers, alone = shops
    for step in range(5):
        for shop in shops:
            change(shop, step)
        theirs, ours = await on_workers(workers), await here(alone)
        assert theirs.items == ours.items and theirs.failures == ours.failures == ()
        assert await stored_by(workers) == await stored_by(alone)
        assert ledger_of(workers) == ledger_of(alone)
        assert cached_by(workers) == cached_by(alone)
    assert list((workers.folder / "shards").iterdir()) == []


async def test_what_is_masked_from_now_on_is_masked_on_workers_as_well(tmp_path: Path) -> None:
    uri = f"{SOURCE}mail.txt"
    outcomes = []
    for name in ("workers", "alone"):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name)
        shop.connector.items[uri] = "Write to jane.doe@example.org before noon, or call the office. " * 4
        await here(shop)
        screen = make_screen(PrivacySettings(policy="email=mask"))
        originals = Originals(tmp_path / name / "originals.sqlite")
        parts = replace(shop.service().parts, screen=screen, originals=originals)
        shards = plan_shards(shop, parts=parts) if name == "workers" else None
        report = await IngestionService(parts).ingest([SOURCE], shards=shards)
        [(document, _)] = await table(shop.store)
        original = originals.unmask("default", document)
        outcomes.append((report.newly_masked, document.text, original and original.text, cached_by(shop)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] and "jane.doe" not in outcomes[0][1] and "jane.doe" in str(outcomes[0][2])


async def test_new_replaced_and_removed_documents_are_one_commit(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    store = LanceStore(tmp_path / "store", fingerprint=shop.embedder.fingerprint, dim=32)
    shop.store = store
    shop.connector.items |= TEXTS
    await on_workers(shop)
    lance = await store.open_table()
    before = await lance.version()
    shop.connector.items[f"{SOURCE}03.txt"] = "Document 3 is another one now. " * 8
    shop.connector.items[f"{SOURCE}04.txt"] = KEY
    shop.connector.items[f"{SOURCE}new.txt"] = "A new document tells of light houses. " * 8
    maintained: list[int] = []

    async def skip_upkeep() -> None:
        maintained.append(await lance.version())

    store.maintain = skip_upkeep  # type: ignore[method-assign]  # commits of its own, which are not counted here
    report = await on_workers(shop)
    counts = report.counts()
    assert (counts["added"], counts["updated"], counts["skipped"]) == (1, 1, 1)
    assert maintained == [before + 1]
    await store.close()


async def test_a_killed_run_goes_on_with_the_shards_that_it_had_not_finished(shop: Shop) -> None:
    seen: list[IngestShard] = []

    def kill_at_the_third(shard: IngestShard) -> None:
        seen.append(shard)
        if len(seen) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await on_workers(shop, kill_at_the_third)
    assert await shop.store.counts("default") == (0, 0)
    again: list[IngestShard] = []
    report = await on_workers(shop, count_shards(again))
    assert report.counts()["added"] == len(TEXTS)
    finished = {shard.key for shard in seen[:2]}
    assert finished and not finished & {shard.key for shard in again}
    assert seen[2].key in {shard.key for shard in again}


async def test_one_more_item_changes_one_shard_alone(shop: Shop) -> None:
    seen: list[IngestShard] = []

    def kill_at_the_end(shard: IngestShard) -> None:
        seen.append(shard)
        if f"{SOURCE}39.txt" in shard.model_dump_json():
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await on_workers(shop, kill_at_the_end)
    shop.connector.items[f"{SOURCE}00-first.txt"] = "It stands before all others. " * 8
    again: list[IngestShard] = []
    await on_workers(shop, count_shards(again))
    assert len(again) == 2  # the one that was cut off, and the one with the new item


async def test_a_finished_shard_counts_no_more_when_its_items_changed(shop: Shop) -> None:
    async def cut_off() -> None:
        with pytest.raises(asyncio.CancelledError):
            await shop.service().ingest(
                [SOURCE],
                shards=plan_shards(shop),
                progress=lambda at: asyncio.current_task().cancel(),  # type: ignore[union-attr]
            )

    await cut_off()
    for uri in TEXTS:
        shop.connector.items[uri] = f"Another text stands at {uri} now. " * 8
    await on_workers(shop)
    texts = [document.text async for document in shop.store.documents("default")]
    assert len(texts) == len(TEXTS) and all(text.startswith("Another text") for text in texts)


async def test_an_item_that_failed_in_a_killed_run_is_tried_again(shop: Shop) -> None:
    uri = f"{SOURCE}03.txt"
    shop.connector.items[uri] = ConnectorError("It answered 503.")
    seen: list[IngestShard] = []

    def kill_at_the_end(shard: IngestShard) -> None:
        seen.append(shard)
        if f"{SOURCE}39.txt" in shard.model_dump_json():
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await on_workers(shop, kill_at_the_end)
    again: list[IngestShard] = []
    await on_workers(shop, count_shards(again))
    assert any(uri in shard.model_dump_json() for shard in again)


async def test_a_shard_that_always_fails_costs_one_item(shop: Shop) -> None:
    poison = f"{SOURCE}17.txt"

    def fail(shard: IngestShard) -> None:
        if any(item.listing.uri == poison for work in shard.works for item in work.items):
            raise WorkerError("The worker that handled it ended 3 times.", ErrorCode.WORKER_LOST)

    report = await on_workers(shop, fail)
    assert report.failures == ()
    states = {item.uri: (item.state, item.code) for item in report.items}
    assert states.pop(poison) == ("failed", "ERR_WORKER_LOST")
    assert set(states.values()) == {("added", None)} and len(states) == len(TEXTS) - 1


async def test_a_worker_that_would_make_other_passages_is_refused_for_the_whole_run(shop: Shop) -> None:
    other = Shop(shop.folder, chunk_tokens=30)
    plan = plan_shards(other)
    report = await shop.service().ingest([SOURCE], shards=plan)
    assert {item.code for item in report.items} == {"ERR_WORKER_MISMATCH"}
    assert len(report.items) == len(TEXTS) and await shop.store.counts("default") == (0, 0)
    assert "Install the client's models" in report.items[0].reason


async def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(shop: Shop) -> None:
    seen: list[IngestShard] = []

    def fill(shard: IngestShard) -> None:
        seen.append(shard)
        if len(seen) > 2:
            raise OSError(28, "No space left on device")

    report = await on_workers(shop, fill)
    assert {item.code for item in report.items if item.state == "failed"} == {"ERR_STORAGE_FULL"}
    assert len(report.items) == len(TEXTS) and len(seen) == 3
    report = await on_workers(shop)
    assert {item.state for item in report.items} <= {"added", "updated", "unchanged"}
    assert (await shop.store.counts("default"))[0] == len(TEXTS)


async def test_when_the_commit_fails_nothing_is_recorded_as_stored_and_nothing_is_done_twice(shop: Shop) -> None:
    store = cast(FaultyStore, shop.store)
    store.fault = FULL
    report = await on_workers(shop)
    assert {(item.state, item.code) for item in report.items} == {("failed", "ERR_STORAGE_FULL")}
    store.fault = None
    shop.forget()
    report = await on_workers(shop)
    assert {item.state for item in report.items} == {"added"}
    assert shop.embedder.embedded == [] and shop.parsers.parsed == []


async def test_a_file_that_is_not_whole_is_never_committed(shop: Shop) -> None:
    folder = shop.folder / "shards"

    def cut_files(shard: IngestShard) -> None:
        for path in folder.glob("*.arrow"):
            os.truncate(path, path.stat().st_size // 2)

    report = await on_workers(shop, cut_files)
    failed = [item for item in report.items if item.state == "failed"]
    assert failed and {item.code for item in failed} == {"ERR_STORAGE_CORRUPT"}
    assert await shop.store.counts("default") == (0, 0)
    report = await on_workers(shop)
    assert (await shop.store.counts("default"))[0] == len(TEXTS)


async def test_forgetting_takes_what_waits_for_a_commit_along(shop: Shop) -> None:
    await here(shop)
    cast(FaultyStore, shop.store).fault = FULL
    shop.connector.items[f"{SOURCE}new.txt"] = "A secret wish. " * 20
    await on_workers(shop)
    cast(FaultyStore, shop.store).fault = None
    assert list((shop.folder / "shards").glob("*.arrow"))
    service = IngestionService(shop.service().parts, shards=shop.folder / "shards")
    await service.forget([f"{SOURCE}03.txt"])
    assert list((shop.folder / "shards").iterdir()) == []


async def test_what_no_commit_took_in_is_swept_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / "old.arrow", tmp_path / "young.arrow"
    for path in (old, young):
        path.write_bytes(b"rows")
    os.utime(old, (0, 0))
    assert sweep_shards(tmp_path) == 1
    assert not old.exists() and young.exists()


async def test_a_source_with_headers_of_its_own_is_not_sent_in_the_clear(shop: Shop) -> None:
    plan = plan_shards(shop)
    plan.executor.is_private = False  # type: ignore[misc]
    service = shop.service()
    record = service.parts.ledger.sources.find_or_make("default", SOURCE, "local")
    service.parts.ledger.sources.set_options(record, record.options.model_copy(update={"headers": {"X-Key": "k"}}))
    report = await service.ingest([SOURCE], shards=plan)
    assert [failure.code for failure in report.failures] == [ErrorCode.CONFIG_INVALID]
    assert "tls://" in report.failures[0].message and shop.connector.fetched == []


async def test_a_store_that_takes_no_rows_is_refused(shop: Shop) -> None:
    class PlainStore:
        def __init__(self) -> None:
            self._store = InMemoryStore()

        def __getattr__(self, name: str) -> Any:
            if name == "commit_rows":
                raise AttributeError(name)
            return getattr(self._store, name)

    shop.store = cast(Any, PlainStore())
    report = await on_workers(shop)
    assert [failure.code for failure in report.failures] == [ErrorCode.CONFIG_INVALID]


async def test_progress_reaches_the_end_of_the_listing(shop: Shop) -> None:
    shown: list[tuple[int, int]] = []
    await on_workers(shop, progress=lambda at: shown.append((at.done, at.listed)))
    assert shown[-1] == (len(TEXTS), len(TEXTS))
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
