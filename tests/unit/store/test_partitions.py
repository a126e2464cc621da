"""A store in partitions answers as one table does, shows no half of a change, and grows by itself."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import EmbeddedDocument, search
from roma_core.store.folder import LocalFolder
from roma_core.store.lance import LanceStore
from roma_core.store.partitions import (
    GENERATION_FILE,
    PartitionedTable,
    choose_partition_count,
    count_partitions,
    find_partition,
    list_places,
)
from roma_core.store.register import read_register, table_folder
from roma_core.store.rows import parse_chunk
from roma_core.types import ReadScope
from tests.unit.store.test_lance import chunks_of, document, store_at, vectors

SEEDS = int(os.environ.get("ROMA_PARTITION_SEEDS", "2"))
WORDS = ("harbour", "bridge", "yeast", "granite", "tides", "lantern", "orchard", "meridian")


def entry_of(number: int, text: str, seed: int = 0) -> EmbeddedDocument:
    held = document(number, text)
    return EmbeddedDocument(held, chunks_of(held, 1 + number % 3), vectors(1 + number % 3, 100 * seed + number))


async def fill(store: LanceStore, count: int = 40) -> None:
    await store.put_many("t", [entry_of(n, f"{WORDS[n % len(WORDS)]} number {n}") for n in range(count)])


async def describe(store: LanceStore, tenant: str, seed: int) -> dict[str, Any]:
    """Return all that readers see of a tenant; passages in the order of an exact search."""
    question = vectors(1, seed)[0]
    scope = ReadScope(hidden=("d1", "d4"))
    dense = await store.dense(tenant, question, limit=7)
    confined = await store.dense(tenant, question, limit=5, scope=scope)
    filtered = await store.dense(tenant, question, limit=5, filters={"uri": [f"file:///{n}" for n in range(9)]})
    lexical = {word: await store.lexical(tenant, word, limit=200) for word in WORDS}
    return {
        "dense": [(hit.chunk.id, round(hit.score, 5)) for hit in dense],
        "confined": [hit.chunk.id for hit in confined],
        "filtered": [hit.chunk.id for hit in filtered],
        "lexical": {word: sorted(hit.chunk.id for hit in hits) for word, hits in lexical.items()},
        "counts": await store.counts(tenant),
        "permitted": await store.counts(tenant, scope),
        "contents": await store.contents(tenant),
        "documents": [each.id async for each in store.documents(tenant)],
        "passages": [each.id async for each in store.passages(tenant)],
        "collections": await store.collections(tenant),
        "facts": await store.facts(tenant),
        "index": await store.index_sha256(tenant),
    }


async def change(store: LanceStore, rng: random.Random) -> Any:
    """Make one change, the same one for equal states of ``rng``; return what it returns."""
    tenant = rng.choice("tu")
    numbers = rng.sample(range(30), rng.randint(1, 6))
    action = rng.choice(("put", "put", "put", "delete", "optimize", "maintain", "purge"))
    if action == "put":
        texts = [f"{rng.choice(WORDS)} {rng.choice(WORDS)} {rng.randrange(5)}" for _ in numbers]
        seed = rng.randrange(9)
        await store.put_many(tenant, [entry_of(n, text, seed) for n, text in zip(numbers, texts, strict=True)])
        return None
    if action == "delete":
        return await store.delete(tenant, [f"d{n}" for n in numbers])
    await getattr(store, action)()
    return None


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_partitions_answer_as_one_table_after_any_changes(tmp_path: Path, seed: int) -> None:
    whole = store_at(tmp_path / "whole")
    parts = store_at(tmp_path / "parts", partitions=3)
    rngs = random.Random(seed), random.Random(seed)
    for step in range(6):
        assert await change(whole, rngs[0]) == await change(parts, rngs[1])
        if step % 3 == 2:
            for tenant in "tu":
                assert await describe(parts, tenant, seed) == await describe(whole, tenant, seed), step
    assert count_partitions(table_folder(LocalFolder(tmp_path / "parts"), parts.name)) == 3
    await whole.close()
    await parts.close()


async def test_rows_are_read_by_their_places_in_partitions(tmp_path: Path) -> None:
    store = store_at(tmp_path, partitions=3)
    await fill(store)
    table = await store.open_table()
    found = await table.query().where("kind = 'chunk'").select(["id"]).with_row_id().to_arrow()
    ids = dict(zip(list_places(found), found.column("id").to_pylist(), strict=True))
    assert len(ids) == len(found) == (await store.counts("t"))[1]
    wanted = random.Random(1).sample(sorted(ids), 4)
    taken = await table.take_row_ids(wanted).select(["id"]).with_row_id().to_arrow()
    assert {place: ids[place] for place in wanted} == dict(
        zip(list_places(taken), taken.column("id").to_pylist(), strict=True)
    )


async def test_a_search_of_partitions_reads_no_more_passages_than_one_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(search, "parse_chunk", lambda row: read.append(row["id"]) or parse_chunk(row))
    store = store_at(tmp_path, partitions=3)
    await fill(store)
    assert len(await store.dense("t", vectors(1)[0], limit=5)) == 5
    assert len(read) == 5


async def test_each_change_is_another_version_and_other_processes_see_it(tmp_path: Path) -> None:
    store, reader = store_at(tmp_path, partitions=4), store_at(tmp_path)
    await fill(store)
    versions = [await reader.version("t")]
    await store.put("t", *entry_of(3, "another text"))
    versions.append(await reader.version("t"))
    await store.delete("t", ["d3"])
    versions.append(await reader.version("t"))
    assert len(set(versions)) == 3
    assert await reader.version("t") == await store.version("t")
    assert (await reader.counts("t"))[0] == 39


async def test_a_writer_that_was_killed_between_two_partitions_has_changed_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path, partitions=2)
    await fill(store)
    before = await describe(store, "t", 1)
    table = await store.open_table()
    assert isinstance(table, PartitionedTable)
    partitions = await table.open_for_writing()
    await partitions[0].table.delete("kind = 'chunk'")  # and no generation follows
    assert await describe(store, "t", 1) == before
    await store.put("t", *entry_of(99, "a new one"))
    await store.delete("t", ["d99"])
    assert await describe(store, "t", 1) == before


async def test_a_change_that_fails_in_one_partition_shows_nothing_of_the_others(tmp_path: Path) -> None:
    store = store_at(tmp_path, partitions=4)
    await fill(store, 8)
    before = await describe(store, "t", 1)
    last = Path(table_folder(LocalFolder(tmp_path), store.name).uri) / "part-3.lance" / "data"
    moved = last.rename(last.with_name("away"))
    changed = [entry_of(n, "changed") for n in range(8)]
    assert 3 in {find_partition(each.document.id, 4) for each in changed}
    with pytest.raises(StoreError):
        await store.put_many("t", changed)
    if last.exists():
        for file in last.iterdir():
            file.unlink()
        last.rmdir()
    moved.rename(last)
    assert await describe(store_at(tmp_path), "t", 1) == before


async def test_a_table_that_outgrows_its_bound_is_spread_and_again(tmp_path: Path) -> None:
    store, reader = store_at(tmp_path, partition_rows=60), store_at(tmp_path)
    await fill(store, 15)
    await store.maintain()
    assert count_partitions(table_folder(LocalFolder(tmp_path), store.name)) == 1
    await fill(store, 40)
    before = await describe(reader, "t", 2)
    await store.maintain()
    assert count_partitions(table_folder(LocalFolder(tmp_path), store.name)) == 2
    assert await describe(reader, "t", 2) == before
    await fill(store, 120)
    await store.optimize()
    assert count_partitions(table_folder(LocalFolder(tmp_path), reader.name)) == 8
    assert (await reader.counts("t"))[0] == 120
    assert (await reader.health()).details["partitions"] == 8
    assert (await reader.health()).state == "ok"


async def test_spreading_leaves_the_replaced_table_until_nobody_reads_it_then_it_goes(tmp_path: Path) -> None:
    store = store_at(tmp_path, partition_rows=30)
    await fill(store, 20)
    await store.optimize()
    assert [each.name for each in read_register(LocalFolder(tmp_path)).retired] == ["passages"]
    assert table_folder(LocalFolder(tmp_path), "passages").exists()
    await store.delete("t", ["d7"])
    await store.purge()
    assert not table_folder(LocalFolder(tmp_path), "passages").exists()
    assert (await store.counts("t"))[0] == 19


async def test_a_copy_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    store = store_at(tmp_path, partition_rows=30)
    await fill(store, 20)
    before = await describe(store, "t", 3)
    half = store_at(tmp_path, building="passages-2", partitions=2, copy_of="passages")
    table = await store.open_table()
    await half.add_rows((await table.query().to_arrow()).slice(0, 25))
    await half.close()
    await store.maintain()
    assert store.name == "passages-2"
    assert await describe(store, "t", 3) == before


async def test_readers_find_the_same_while_others_write_and_clean_up(tmp_path: Path) -> None:
    store = store_at(tmp_path, partitions=3)
    await fill(store)
    done = asyncio.Event()
    searches = 0

    async def read() -> None:
        nonlocal searches
        reader = store_at(tmp_path)
        question = vectors(2, 7)[0]
        while not done.is_set():
            assert (await reader.dense("t", question, limit=1))[0].chunk.document_id == "d7"
            assert len(await reader.lexical("t", "meridian", limit=50)) == 9
            documents, _ = await reader.counts("t")
            assert documents % 2 == 0, "half of a change was seen"
            searches += 1
            await asyncio.sleep(0.05)  # moments without a reader, in which old versions go
        await reader.close()

    readers = [asyncio.create_task(read()) for _ in range(2)]
    for number in range(4):
        await store.put_many("t", [entry_of(100 + number, "new"), entry_of(200 + number, "new")])
        await (store.optimize() if number % 2 else store.maintain())
    done.set()
    await asyncio.gather(*readers)
    assert searches > 3
    await store.close()


async def test_a_damaged_generation_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    store = store_at(tmp_path, partitions=2)
    await fill(store, 3)
    await store.close()
    (tmp_path / "passages.lance" / GENERATION_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=GENERATION_FILE) as caught:
        await store_at(tmp_path).counts("t")
    assert caught.value.code is ErrorCode.STORAGE_CORRUPT


def test_the_number_of_partitions_follows_the_bound() -> None:
    counts = [choose_partition_count(rows, 100) for rows in (0, 100, 101, 200, 201, 10_000_000)]
    assert counts == [1, 1, 2, 2, 4, 256]
    assert choose_partition_count(10_000_000, 0) == 1


def test_documents_are_spread_evenly_and_the_same_way_everywhere() -> None:
    places = [find_partition(f"document {n}", 8) for n in range(4000)]
    assert all(400 < places.count(number) < 600 for number in range(8))
    assert find_partition("d1", 8) == find_partition("d1", 16) % 8
