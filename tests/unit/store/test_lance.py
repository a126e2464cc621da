"""What only the store on disk has to keep: leases, other processes, refusals, upkeep."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from collections import namedtuple
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from roma_core.errors import ErrorCode, InputError, StoreError
from roma_core.store import compaction, lance, search
from roma_core.store.base import EmbeddedDocument
from roma_core.store.conditions import next_prefix
from roma_core.store.folder import LocalFolder
from roma_core.store.lance import LanceStore
from roma_core.store.lance_errors import translate_store_errors
from roma_core.store.partitions import find_index, open_for_writing
from roma_core.store.register import table_folder
from roma_core.store.rows import rows
from roma_core.types import Chunk, Document, ReadScope

DIM = 16


def store_at(path: Path, **options: Any) -> LanceStore:
    return LanceStore(path, **{"fingerprint": "f", "dim": DIM, "model": "m", **options})


def document(n: int, text: str = "some words") -> Document:
    return Document(id=f"d{n}", uri=f"file:///{n}", title="t", text=text, content_sha256=text, parser="p/1")


def chunks_of(doc: Document, count: int = 3) -> list[Chunk]:
    given = {"document_id": doc.id, "uri": doc.uri, "title": "t", "text": doc.text, "start": 0, "end": len(doc.text)}
    return [Chunk.model_validate({"id": f"{doc.id}-{i}", **given}) for i in range(count)]


def vectors(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    rows = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def keys(store: LanceStore) -> list[str]:
    return (await (await store._table()).query().select(["key"]).to_arrow()).column("key").to_pylist()


async def test_another_embedder_is_refused(tmp_path: Path) -> None:
    await store_at(tmp_path).put("t", document(1), chunks_of(document(1)), vectors(3))
    for other, advice in (({"fingerprint": "g", "model": "n"}, "ROMA_EMBEDDER"), ({"dim": 8}, "another version")):
        with pytest.raises(StoreError, match=f"{advice}.*`roma reindex`") as caught:
            await store_at(tmp_path, **other).counts("t")
        assert caught.value.code is ErrorCode.STORAGE_MISMATCH
        health = await store_at(tmp_path, **other).health()
        assert (health.state, health.details["code"]) == ("down", "ERR_STORAGE_MISMATCH")
    assert (await store_at(tmp_path).counts("t"))[0] == 1


async def test_a_store_is_read_without_its_embedder(tmp_path: Path) -> None:
    await store_at(tmp_path).put("t", document(1), chunks_of(document(1)), vectors(3))
    reader = lance.open_for_reading(tmp_path)
    assert await reader.document("t", "d1") == document(1)
    assert [chunk.id async for chunk in reader.passages("t")] == ["d1-0", "d1-1", "d1-2"]


async def test_a_store_that_is_open_for_reading_refuses_writes(tmp_path: Path) -> None:
    await store_at(tmp_path).put("t", document(1), chunks_of(document(1)), vectors(3))
    with pytest.raises(StoreError, match="reading alone"):
        await lance.open_for_reading(tmp_path).delete("t", ["d1"])
    assert (await store_at(tmp_path).counts("t"))[0] == 1


async def test_where_there_is_no_store_reading_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    reader = lance.open_for_reading(tmp_path / "store")
    assert [each async for each in reader.documents("t")] == []
    assert list(tmp_path.iterdir()) == []


async def test_a_reader_opened_before_sees_what_another_writes(tmp_path: Path) -> None:
    reader, writer = store_at(tmp_path), store_at(tmp_path)
    assert await reader.counts("t") == (0, 0)
    await writer.put("t", document(1), chunks_of(document(1)), vectors(3))
    assert await reader.counts("t") == (1, 3)


async def test_writers_wait_for_the_lease_and_say_so_when_it_is_not_let_go(tmp_path: Path) -> None:
    store = store_at(tmp_path, lease_s=0.2)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    with FileLock(str(tmp_path / ".writer.lock")):
        with pytest.raises(StoreError) as caught:
            await store.delete("t", ["d1"])
        assert caught.value.code is ErrorCode.STORAGE_LOCKED
        assert caught.value.recoverable
        assert await store.counts("t") == (1, 3)
    assert await store.delete("t", ["d1"]) == 1


async def test_a_cancelled_write_is_whole_and_lets_the_lease_go(tmp_path: Path) -> None:
    store = store_at(tmp_path, lease_s=10)
    await store.counts("t")
    for n in range(8):
        task = asyncio.create_task(store.put("t", document(n), chunks_of(document(n)), vectors(3)))
        await asyncio.sleep(0.004 * n)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.put("t", document(99), chunks_of(document(99)), vectors(3))
    documents, chunks = await store.counts("t")
    assert chunks == 3 * documents


async def test_little_room_stops_writes_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(tmp_path, min_free_mb=100)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 0, 50 << 20))
    with pytest.raises(StoreError, match="50 MB left") as caught:
        await store.put("t", document(2), chunks_of(document(2)), vectors(3))
    assert caught.value.code is ErrorCode.STORAGE_FULL
    assert len(await store.lexical("t", "words", limit=5)) == 3
    assert (await store.health()).state == "degraded"
    assert await store.delete("t", ["d1"]) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError("LanceError(IO): No space left on device (os error 28)"), ErrorCode.STORAGE_FULL),
        (RuntimeError("Not found: data/x.lance"), ErrorCode.STORAGE_CORRUPT),
        (ValueError("who knows"), ErrorCode.STORAGE_UNAVAILABLE),
    ],
)
def test_errors_of_the_library_are_typed(error: Exception, code: ErrorCode) -> None:
    with pytest.raises(StoreError) as caught, translate_store_errors(LocalFolder(Path("w/store"))):
        raise error
    assert caught.value.code is code
    assert "data/x" not in caught.value.message


async def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    await store.close()
    for data in tmp_path.rglob("*.lance"):
        if data.is_file():
            data.unlink()
    with pytest.raises(StoreError) as caught:
        await store_at(tmp_path).document("t", "d1")
    assert caught.value.code is ErrorCode.STORAGE_CORRUPT


async def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    bad = vectors(3)
    bad[1, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        await store_at(tmp_path).put("t", document(1), chunks_of(document(1)), bad)


async def test_upkeep_indexes_compacts_and_reports(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for n in range(12):
        await store.put("t", document(n), chunks_of(document(n)), vectors(3, n))
    before = (await store.health()).details
    assert before["unindexed_rows"] == 48
    assert before["optimized_at"] is None
    await store.optimize()
    after = (await store.health()).details
    assert after["unindexed_rows"] == 0
    assert after["fragments"] < before["fragments"]
    assert after["optimized_at"]
    assert after["doubled_keys"] == 0
    assert len(await store.lexical("t", "words", limit=50)) == 36


async def test_doubled_keys_are_found(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    table = await store._table()
    await table.add(await table.query().to_arrow(), on_bad_vectors="null")
    with pytest.raises(StoreError) as caught:
        await store.optimize()
    assert caught.value.code is ErrorCode.STORAGE_CORRUPT
    health = await store.health()
    assert (health.state, health.details["doubled_keys"]) == ("degraded", 4)


async def test_vector_index_finds_what_the_flat_search_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "ANN_FROM", 300)
    store = store_at(tmp_path)
    many = chunks_of(document(1), 600)
    rows = vectors(600)
    await store.put("t", document(1), many, rows)
    flat = await store.dense("t", rows[7], limit=10)
    await store.optimize()
    assert await find_index(await store.open_table(), "vector") is not None
    ann = await store.dense("t", rows[7], limit=10)
    assert ann[0].chunk.id == flat[0].chunk.id == "d1-7"
    assert len({h.chunk.id for h in ann} & {h.chunk.id for h in flat}) >= 9
    await store.put("t", document(2), chunks_of(document(2)), vectors(3, 5))
    await store.optimize()
    assert await store.counts("t") == (2, 603)


async def test_tenants_and_kinds_have_an_index_and_rows_that_it_lacks_are_found_all_the_same(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for tenant in ("t", "u"):
        await store.put(tenant, document(1), chunks_of(document(1)), vectors(3))
    await store.optimize()
    table = await store._table()
    assert all([await find_index(table, column) for column in compaction.SCOPED])
    await store.put("t", document(2), chunks_of(document(2)), vectors(3, 5))
    await store.put("t", document(1), chunks_of(document(1), 2), vectors(2))  # replaced after it was indexed
    assert await store.counts("t") == (2, 5)
    for hits in (await store.lexical("t", "words", limit=50), await store.dense("t", vectors(1)[0], limit=50)):
        assert sorted(hit.chunk.id for hit in hits) == ["d1-0", "d1-1", "d2-0", "d2-1", "d2-2"]
    assert len(await store.dense("u", vectors(1)[0], limit=50)) == 3
    assert await store.dense("v", vectors(1)[0], limit=50) == []


async def test_a_table_whose_documents_have_no_vector_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ROMA made them before it gave documents one."""
    import pyarrow as pa

    def without(tenant: str, entries: Any, dim: int) -> Any:
        made = rows(tenant, entries, dim)
        kept = [row["vector"] if row["kind"] == "chunk" else None for row in made.to_pylist()]
        at = made.schema.get_field_index("vector")
        return made.set_column(at, made.schema.field(at), pa.array(kept, type=made.schema.field(at).type))

    store = store_at(tmp_path)
    with monkeypatch.context() as before:
        before.setattr(lance, "rows", without)
        await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    await store.put("t", document(2), chunks_of(document(2)), vectors(3, 5))
    await store.optimize()
    assert len(await store.dense("t", vectors(1)[0], limit=50)) == 6
    assert (await store.dense("t", vectors(3)[1], limit=1))[0].chunk.id == "d1-1"


def test_prefix_range_ends_before_the_next_prefix() -> None:
    assert next_prefix("a") == "b"
    assert next_prefix("a\U0010ffff") == "b"
    assert next_prefix("\ud7ff") == "\ue000"
    assert next_prefix("") == next_prefix("\U0010ffff") == ""


def _upsert_overlapping(path: str, number: int) -> None:
    async def run() -> None:
        store = store_at(Path(path))
        for n in range(12):
            doc = document((n + number) % 12, f"some words {n}")
            await store.put("t", doc, chunks_of(doc, 5), vectors(5, n))
        await store.optimize()

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("writers", [4])
def test_processes_that_upsert_the_same_documents_double_nothing(tmp_path: Path, writers: int) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_upsert_overlapping, args=(str(tmp_path), n)) for n in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0] * writers

    async def check() -> None:
        store = store_at(tmp_path)
        assert await store.counts("t") == (12, 60)
        found = await keys(store)
        assert len(found) == len(set(found)) == 72

    asyncio.run(check())


async def test_a_store_that_is_away_is_said_to_be_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    """Nothing is damaged, and nothing may be made in its place."""
    folder, away = tmp_path / "store", tmp_path / "away"
    store = store_at(folder)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    folder.rename(away)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: store.counts("t"),
        lambda: store.document("t", "d1"),
        lambda: store.lexical("t", "words", limit=5),
        lambda: store.dense("t", vectors(1)[0], limit=5),
        lambda: store.put("t", document(2), chunks_of(document(2)), vectors(3)),
        lambda: store.delete("t", ["d1"]),
        store.optimize,
    ]
    for call in calls:
        with pytest.raises(StoreError, match="folder is gone") as caught:
            await call()
        assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
        assert caught.value.recoverable
    assert ((await store.health()).state, folder.exists()) == ("down", False)
    away.rename(folder)
    assert await store.counts("t") == (1, 3)
    await store.put("t", document(2), chunks_of(document(2)), vectors(3))
    assert (await store.health()).details["rows"] == 8


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_store_in_whose_place_another_is_put_is_read_anew(tmp_path: Path, noticed: bool) -> None:
    """As when a backup is restored under a running server."""
    folder, other = tmp_path / "store", tmp_path / "other"
    store = store_at(folder)
    for place, n in ((folder, 1), (other, 2)):
        made = store if place == folder else store_at(place)
        await made.put("t", document(n, f"harbour {n}"), chunks_of(document(n, f"harbour {n}")), vectors(3))
        await made.optimize()
        assert len(await made.lexical("t", "harbour", limit=5)) == 3
    folder.rename(tmp_path / "away")
    if noticed:
        with pytest.raises(StoreError):
            await store.counts("t")
    other.rename(folder)
    assert {hit.chunk.text for hit in await store.lexical("t", "harbour", limit=5)} == {"harbour 2"}
    assert {hit.chunk.document_id for hit in await store.dense("t", vectors(1)[0], limit=5)} == {"d2"}
    assert await store.document("t", "d1") is None
    await store.put("t", document(3), chunks_of(document(3)), vectors(3))
    assert (await store.counts("t"))[0] == 2


async def test_a_store_of_another_embedder_that_is_put_in_the_place_is_refused(tmp_path: Path) -> None:
    folder, other = tmp_path / "store", tmp_path / "other"
    store = store_at(folder)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    await store_at(other, fingerprint="g").put("t", document(2), chunks_of(document(2)), vectors(3))
    folder.rename(tmp_path / "away")
    other.rename(folder)
    with pytest.raises(StoreError) as caught:
        await store.dense("t", vectors(1)[0], limit=5)
    assert caught.value.code is ErrorCode.STORAGE_MISMATCH
    folder.rename(other)
    (tmp_path / "away").rename(folder)
    assert len(await store.dense("t", vectors(1)[0], limit=5)) == 3


async def test_files_that_are_missed_in_a_store_that_is_there_are_damage(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await store.put("t", document(1), chunks_of(document(1)), vectors(3))
    for data in (tmp_path / "passages.lance" / "data").iterdir():
        data.unlink()
    with pytest.raises(StoreError) as caught:
        await store.document("t", "d1")
    assert caught.value.code is ErrorCode.STORAGE_CORRUPT


async def test_a_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    await store_at(tmp_path / "ws" / "store").counts("t")
    assert [(tmp_path / p).stat().st_mode & 0o777 for p in ("ws", "ws/store")] == [0o700, 0o700]


FOLDERS = {"file:///a/": 30, "file:///b/": 300, "file:///c/": 1500}
"""Passages below an address."""


@pytest.fixture(scope="module")
def corpus() -> tuple[list[tuple[Document, list[Chunk]]], np.ndarray[Any, Any]]:
    """Folders whose passages are about the same few topics, so that a filter takes most neighbours away."""
    rng = np.random.default_rng(7)
    topics = rng.normal(size=(40, DIM))
    entries: list[tuple[Document, list[Chunk]]] = []
    for number, (folder, count) in enumerate(FOLDERS.items()):
        doc = document(number).model_copy(update={"uri": f"{folder}text.md"})
        entries.append((doc, chunks_of(doc, count)))
    total = sum(FOLDERS.values())
    rows = topics[rng.integers(40, size=total)] + 0.5 * rng.normal(size=(total, DIM))
    return entries, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


async def test_a_filter_finds_the_nearest_of_what_it_permits(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether few are permitted, some or many."""
    monkeypatch.setattr(compaction, "ANN_FROM", 1000)
    monkeypatch.setattr(search, "EXACT_UP_TO", 100)
    entries, rows = corpus
    store, start = store_at(tmp_path), 0
    places: dict[str, tuple[int, int]] = {}
    for (doc, chunks), (folder, count) in zip(entries, FOLDERS.items(), strict=True):
        await store.put("t", doc, chunks, rows[start : start + count])
        places[folder] = start, count
        start += count
    await store.optimize()
    assert await find_index(await store.open_table(), "vector") is not None
    ids = [chunk.id for _, chunks in entries for chunk in chunks]
    asked = rows[np.random.default_rng(8).integers(len(rows), size=25)]
    for folder, (start, count) in places.items():
        shares: list[float] = []
        for question in asked:
            nearest = np.argsort(-(rows[start : start + count] @ question))[:10] + start
            found = await store.dense("t", question, limit=10, filters={"uri_prefix": folder})
            shares.append(len({ids[i] for i in nearest} & {hit.chunk.id for hit in found}) / 10)
        assert np.mean(shares) >= 0.98, folder


@pytest.mark.parametrize("partitions", [1, 2])
async def test_passages_of_another_tenant_crowd_out_none_where_a_search_takes_them_out_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    monkeypatch.setattr(compaction, "ANN_FROM", 300)
    monkeypatch.setattr(search, "REFINED", 4000)
    store = store_at(tmp_path, partitions=partitions)
    await fill_with_neighbours(store, own=2000, others=150)
    assert await find_index((await open_partitions(store))[0], "vector") is not None
    ids = [f"d{number}-{index}" for number in range(40) for index in range(50)]
    rows = np.concatenate([vectors(50, number) for number in range(40)])
    for question in (vectors(1, 77)[0], *vectors(4, 99)):  # the nearest to the first are all of the other tenant
        exact = [ids[i] for i in np.argsort(-(rows @ question))[:20]]
        assert [hit.chunk.id for hit in await store.dense("t", question, limit=20)] == exact
    of_others = await store.dense("u", vectors(1, 77)[0], limit=20)
    assert [hit.chunk.document_id for hit in of_others] == ["d99"] * 20


async def open_partitions(store: LanceStore) -> list[Any]:
    async with open_for_writing(await store.open_table(), table_folder(store.folder, store.name)) as writable:
        return [partition.table for partition in writable.partitions]


async def fill_with_neighbours(store: LanceStore, *, own: int, others: int) -> None:
    """Give ``t`` passages anywhere and ``u`` fewer, in one document, that are all near one point."""
    for number in range(own // 50):
        await store.put("t", document(number), chunks_of(document(number), 50), vectors(50, number))
    near = vectors(1, 77) + 0.01 * vectors(others, 5)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    await store.put("u", document(99), chunks_of(document(99), others), near.astype(np.float32))
    await store.optimize()


async def test_a_filter_counts_what_was_written_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "ANN_FROM", 100)
    store = store_at(tmp_path)
    for number in range(2):
        doc = document(number).model_copy(update={"uri": "file:///a/x"})
        await store.put("t", doc, chunks_of(doc, 100), vectors(100, number))
        found = await store.dense("t", vectors(1)[0], limit=500, filters={"uri_prefix": "file:///a/"})
        assert len(found) == 100 * (number + 1)
    await store.delete("t", ["d0"])
    assert len(await store.dense("t", vectors(1)[0], limit=500, filters={"uri_prefix": "file:///a/"})) == 100


async def test_a_large_table_has_an_index_for_what_filters_look_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "ANN_FROM", 300)
    store = store_at(tmp_path)
    await store.put("t", document(1), chunks_of(document(1), 400), vectors(400))
    await store.optimize()
    indexed = {column for index in await (await store.open_table()).list_indices() for column in index.columns}
    assert {"document_id", "uri", "tenant", "kind", "vector", "search_text"} <= indexed
    assert len(await store.chunks("t", "d1")) == 400


async def find_ids(store: LanceStore, vector: Any, **options: Any) -> list[str]:
    return [hit.chunk.id for hit in await store.dense("t", vector, limit=5, **options)]


async def test_small_tables_are_searched_as_lancedb_searches_them(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    await store.put("t", document(1), chunks_of(document(1), 300), vectors(300))
    await store.put("u", document(1), chunks_of(document(1), 300), vectors(300, 1))
    everything = {"uri_prefix": "file:"}
    for question in vectors(20, 7):
        held = await store.dense("t", question, limit=40)
        asked = await store.dense("t", question, limit=40, filters=everything)
        assert [hit.chunk for hit in held] == [hit.chunk for hit in asked]
        assert [hit.score for hit in held] == pytest.approx([hit.score for hit in asked], abs=1e-6)


async def test_searches_see_what_another_process_has_changed(tmp_path: Path) -> None:
    reader, writer = store_at(tmp_path), store_at(tmp_path)
    asked = vectors(1)[0]
    await writer.put("t", document(1, "red gate"), chunks_of(document(1, "red gate")), vectors(3))
    assert await find_ids(reader, asked) == await find_ids(writer, asked)
    await writer.put("t", document(2, "blue gate"), chunks_of(document(2, "blue gate"), 1), vectors(1))
    assert (await find_ids(reader, asked))[:2] == ["d1-0", "d2-0"]
    await writer.delete("t", ["d1"])
    assert await find_ids(reader, asked) == ["d2-0"]
    assert [hit.chunk.text for hit in await reader.lexical("t", "gate", limit=5)] == ["blue gate"]
    await writer.put("t", document(2, "green gate"), chunks_of(document(2, "green gate"), 1), vectors(1))
    await writer.optimize()
    for hits in (await reader.lexical("t", "gate", limit=5), await reader.dense("t", asked, limit=5)):
        assert [hit.chunk.text for hit in hits] == ["green gate"]


async def test_searches_while_another_process_writes_and_tidies_up_fail_never(tmp_path: Path) -> None:
    reader, writer = store_at(tmp_path), store_at(tmp_path)
    asked = vectors(1)[0]
    await writer.put("t", document(0, "red gate"), chunks_of(document(0, "red gate")), vectors(3))

    async def write() -> None:
        for number in range(1, 6):
            await writer.put("t", document(number, "red gate"), chunks_of(document(number, "red gate")), vectors(3))
            await writer.optimize()

    writing = asyncio.create_task(write())
    while not writing.done():
        words, nearest = await asyncio.gather(
            reader.lexical("t", "red gate", limit=50), reader.dense("t", asked, limit=50)
        )
        for hits in (words, nearest):
            assert len(hits) >= 3 and len({hit.chunk.id for hit in hits}) == len(hits)
    await writing
    assert len(await reader.dense("t", asked, limit=50)) == 18


async def test_a_document_that_was_read_before_is_held_until_a_change_and_for_who_may_read_it(tmp_path: Path) -> None:
    store, writer = store_at(tmp_path), store_at(tmp_path)
    for number in range(4):
        await writer.put("t", document(number, f"text {number}"), chunks_of(document(number)), vectors(3))
    wanted = ["d3", "d0", "d9", "d1"]
    found = await asyncio.gather(*(store.document("t", id_) for id_ in wanted))
    assert [each and each.text for each in found] == ["text 3", "text 0", None, "text 1"]
    assert await store.document("t", "d3") is found[0]
    assert await store.document("t", "d3", ReadScope(hidden=("d3",))) is await store.document("u", "d3") is None
    await writer.put("t", document(3, "another"), chunks_of(document(3)), vectors(3))
    await writer.delete("t", ["d0"])
    changed, deleted = await asyncio.gather(store.document("t", "d3"), store.document("t", "d0"))
    assert changed is not None and changed.text == "another" and deleted is None


async def test_a_store_that_was_closed_and_put_back_is_read_anew(tmp_path: Path) -> None:
    store = store_at(tmp_path / "s")
    await store.put("t", document(1, "old"), chunks_of(document(1, "old"), 1), vectors(1))
    shutil.copytree(tmp_path / "s", tmp_path / "copy")
    await store.put("t", document(1, "new"), chunks_of(document(1, "new"), 1), vectors(1))
    asked = vectors(1)[0]
    assert [hit.chunk.text for hit in await store.dense("t", asked, limit=5)] == ["new"]
    shutil.rmtree(tmp_path / "s")
    shutil.copytree(tmp_path / "copy", tmp_path / "s")
    assert [hit.chunk.text for hit in await store.dense("t", asked, limit=5)] == ["old"]
    assert [hit.chunk.text for hit in await store.lexical("t", "old", limit=5)] == ["old"]


async def test_a_word_that_other_passages_hold_is_not_taken_for_a_misspelt_one(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    texts = ["zeppelin mooring mast"] * 60 + ["zeppelin mooring mast, hourz"] + ["opening hours"] * 100
    documents = [document(number, text) for number, text in enumerate(texts)]
    entries = [EmbeddedDocument(each, chunks_of(each, 1), vectors(1)) for each in documents]
    await store.put_many("t", entries)
    await store.optimize()
    found = await store.lexical("t", "zeppelin mooring mast hours", limit=10)
    assert {hit.chunk.text for hit in found} == {"zeppelin mooring mast"}
    found = await store.lexical("t", "zeppelin mooring mast hourx", limit=10)
    assert found[0].chunk.text == "zeppelin mooring mast, hourz", "nothing holds it, so that it is misspelt"
