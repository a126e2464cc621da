"""Upkeep of the store: the folder stays near the size of what is in it, and readers are never disturbed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import compaction, lance, readers, upkeep
from roma_core.store.base import EmbeddedDocument
from roma_core.store.lance import LanceStore
from roma_core.store.readers import ReaderGate
from roma_core.store.upkeep import TableFacts, choose_upkeep
from tests.unit.store.test_lance import chunks_of, document, store_at, vectors


async def put(store: LanceStore, number: int, text: str = "some words") -> None:
    held = document(number, text)
    await store.put("t", held, chunks_of(held), vectors(3, number))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def versions(store: LanceStore) -> int:
    return len(await (await store._table()).list_versions())


async def details_of(store: LanceStore) -> dict[str, object]:
    return (await store.health()).details


async def test_upkeep_waits_until_it_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "LEAST_INDEXED", 12)
    monkeypatch.setattr(upkeep, "LEAST_INDEXED_AGAIN", 28)
    store = store_at(tmp_path)
    for number in range(60):
        await put(store, number)
    await store.maintain()
    assert (await details_of(store))["unindexed_rows"] == 0
    await put(store, 60)
    await store.maintain()
    assert (await details_of(store))["unindexed_rows"] == 4
    for number in range(61, 67):
        await put(store, number)
    await store.maintain()
    assert (await details_of(store))["unindexed_rows"] == 0


@pytest.mark.parametrize("partitions", [1, 2])
async def test_an_ingest_into_a_large_table_leaves_few_rows_outside_of_the_indices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    for module in (upkeep, lance):
        monkeypatch.setattr(module, "MOST_UNINDEXED", 12)
    monkeypatch.setattr(upkeep, "LARGE_TABLE", 40)
    store = store_at(tmp_path, partitions=partitions)
    for first in range(0, 40, 10):
        held = [document(number) for number in range(first, first + 10)]
        await store.put_many("t", [EmbeddedDocument(each, chunks_of(each), vectors(3, 7)) for each in held])
    assert int(str((await details_of(store))["unindexed_rows"])) < 12 * partitions
    assert len(await store.lexical("t", "words", limit=200)) == 120


async def test_small_fragments_are_merged_and_the_large_one_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MOST_FRAGMENTS", 6)
    store = store_at(tmp_path)
    held = [document(number) for number in range(40)]
    await store.put_many("t", [EmbeddedDocument(each, chunks_of(each), vectors(3, n)) for n, each in enumerate(held)])
    await store.optimize()
    for number in range(5):
        await put(store, number, "other words")
    assert (await details_of(store))["fragments"] == 6
    written = size_of(tmp_path)
    await store.maintain()
    assert (await details_of(store))["fragments"] == 2
    assert size_of(tmp_path) - written < 60_000
    assert await store.counts("t") == (40, 120)
    assert len(await store.lexical("t", "words", limit=200)) == 120


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        (TableFacts(rows=10_000, changed=0, unindexed=0, fragments=1), "none"),
        (TableFacts(rows=10_000, changed=4900, unindexed=999, fragments=63), "none"),
        (TableFacts(rows=40, changed=20, unindexed=20, fragments=8), "none"),
        (TableFacts(rows=100, changed=60, unindexed=70, fragments=8), "index"),
        (TableFacts(rows=900, changed=255, unindexed=255, fragments=60), "none"),
        (TableFacts(rows=900, changed=256, unindexed=256, fragments=60), "index"),
        (TableFacts(rows=10_000, changed=1000, unindexed=1000, fragments=20), "index"),
        (TableFacts(rows=10_000, changed=64, unindexed=0, fragments=64), "merge"),
        (TableFacts(rows=10_000, changed=5000, unindexed=0, fragments=9), "rewrite"),
        (TableFacts(rows=400, changed=0, unindexed=400, fragments=1), "index"),
        (TableFacts(rows=600, changed=0, unindexed=600, fragments=1), "rewrite"),
        (TableFacts(rows=1_000_000, changed=20_000, unindexed=0, fragments=40), "none"),
        (TableFacts(rows=1_000_000, changed=20_000, unindexed=20_000, fragments=40), "rewrite"),
        (TableFacts(rows=1_000_000, changed=20_000, unindexed=19_999, fragments=40), "extend"),
        (TableFacts(rows=20_000, changed=1000, unindexed=1000, fragments=9), "extend"),
        (TableFacts(rows=20_000, changed=1000, unindexed=999, fragments=9), "none"),
        (TableFacts(rows=1_000_000, changed=9_000, unindexed=0, fragments=256), "rewrite"),
        (TableFacts(rows=1_000_000, changed=0, unindexed=0, fragments=1, versions=1024), "rewrite"),
        (TableFacts(100, 0, 0, 1, taken_bytes=3 << 20, live_bytes=0), "rewrite"),
        (TableFacts(100, 0, 0, 1, taken_bytes=149 << 20, live_bytes=50 << 20), "none"),
        (TableFacts(100, 0, 0, 1, taken_bytes=150 << 20, live_bytes=50 << 20), "rewrite"),
    ],
)
def test_upkeep_is_chosen_by_what_has_changed(facts: TableFacts, due: str) -> None:
    assert choose_upkeep(facts) == due


async def test_many_versions_alone_are_reason_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_VERSIONS", 5)
    store = store_at(tmp_path)
    for number in range(60):
        await put(store, number)
    await store.optimize()
    assert await versions(store) == 1
    for number in range(4):
        await store.delete("t", [f"d{number}"])
    assert await versions(store) == 5
    await store.maintain()
    assert await versions(store) <= 2


async def test_many_single_ingests_take_no_more_room_than_one(tmp_path: Path) -> None:
    slow, quick = store_at(tmp_path / "slow"), store_at(tmp_path / "quick")
    for number in range(120):
        await put(slow, number)
        await slow.maintain()
        await put(quick, number)
    await quick.optimize()
    assert size_of(tmp_path / "slow") < 2 * size_of(tmp_path / "quick") + upkeep.LEAST_GARBAGE
    assert (await slow.counts("t")) == (120, 360)


async def test_versions_stay_while_somebody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "QUIET_WAIT_S", 0.05)
    store = store_at(tmp_path)
    await put(store, 1)
    await put(store, 2)
    gate = ReaderGate(tmp_path)
    with gate.reading():
        assert not gate.is_quiet()
        before = await versions(store)
        await store.optimize()
        assert await versions(store) >= before
        with pytest.raises(StoreError) as caught:
            await store.purge()
        assert caught.value.code is ErrorCode.STORAGE_LOCKED
    assert gate.is_quiet()
    await store.optimize()
    assert await versions(store) <= 2


async def test_readers_meet_no_error_while_versions_are_removed(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for number in range(10):
        await put(store, number)
    reading = True
    found = 0

    async def read() -> None:
        nonlocal found
        reader = store_at(tmp_path)
        while reading:
            assert len(await reader.lexical("t", "words", limit=5)) == 5
            found += 1
        await reader.close()

    task = asyncio.create_task(read())
    for number in range(10, 20):
        await put(store, number)
        await store.optimize()
    reading = False
    await task
    assert found > 0


async def test_what_was_purged_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await put(store, 1, "the zebrafish diary of the harbour")
    for number in range(2, 40):
        await put(store, number)
    await store.optimize()
    await store.delete("t", ["d1"])
    await store.purge()
    assert await versions(store) <= 2
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"zebrafish" not in file.read_bytes()
    assert len(await store.lexical("t", "words", limit=200)) == 38 * 3
    assert await store.lexical("t", "zebrafish", limit=5) == []
    await put(store, 1, "another text")
    assert await store.counts("t") == (39, 117)


async def test_health_measures_the_folder(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await put(store, 1)
    details = (await store.health()).details
    assert details["bytes"] >= size_of(tmp_path)
    assert details["bytes"] > details["live_bytes"]


async def test_the_state_of_before_a_migration_is_kept_for_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(tmp_path)
    await put(store, 1)
    table = await store._table()
    await table.tags.create("before", await table.version())
    for number in range(2, 6):
        await put(store, number)
        await store.optimize()
    assert "before" in await table.tags.list()
    monkeypatch.setattr(compaction, "BACKUP_AGE", timedelta(0))
    await store.optimize()
    assert await table.tags.list() == {}
    assert await versions(store) <= 2


async def test_a_purge_keeps_no_state_of_before(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await put(store, 1)
    table = await store._table()
    await table.tags.create("before", await table.version())
    await put(store, 2)
    await store.purge()
    assert await table.tags.list() == {}
    assert await versions(store) <= 2
