"""Upkeep of the store: the folder stays near the size of what is in it, and readers are never disturbed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import lance
from roma_core.store.lance import LanceStore
from roma_core.store.readers import ReaderGate
from tests.unit.store.test_lance import chunks_of, document, store_at, vectors


async def put(store: LanceStore, number: int, text: str = "some words") -> None:
    held = document(number, text)
    await store.put("t", held, chunks_of(held), vectors(3, number))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def versions(store: LanceStore) -> int:
    return len(await (await store._table()).list_versions())


async def test_upkeep_waits_until_it_pays(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for number in range(60):
        await put(store, number)
    await store.maintain()
    assert (await store.health()).details["unindexed_rows"] == 0
    await put(store, 60)
    before = (await store.health()).details
    await store.maintain()
    assert (await store.health()).details["unindexed_rows"] == before["unindexed_rows"] > 0
    for number in range(61, 64):
        await put(store, number)
    await store.maintain()
    assert (await store.health()).details["unindexed_rows"] == 0


async def test_many_versions_alone_are_reason_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance, "MOST_VERSIONS", 5)
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
    awaiting_upkeep = lance.MOST_VERSIONS * 3_000  # bytes of the small commits that do not pay to be merged yet
    assert size_of(tmp_path / "slow") < 2 * size_of(tmp_path / "quick") + awaiting_upkeep
    assert (await slow.counts("t")) == (120, 360)


async def test_versions_stay_while_somebody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance, "QUIET_WAIT_S", 0.05)
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
    monkeypatch.setattr(lance, "BACKUP_AGE", timedelta(0))
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
