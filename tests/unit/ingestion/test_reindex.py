"""Reindex: readers and writers go on, a cut run is finished by the next one, the old table serves until the swap."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
from collections import namedtuple
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from roma_core.cache import Cache
from roma_core.chunking import chunk
from roma_core.cli import main
from roma_core.embeddings import EmbeddingResult, paying_tenant
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, EmbeddingError, ErrorCode, InputError, NotFoundError, StoreError
from roma_core.ingestion.ledger import Ledger
from roma_core.ingestion.reindex import Reindexing, check_tokenizer
from roma_core.store import EmbeddedDocument, LanceStore
from roma_core.store.folder import LocalFolder
from roma_core.store.partitions import count_partitions
from roma_core.store.register import list_unfinished, read_register, table_folder
from roma_core.types import Document, ReindexReport

OLD, NEW = FakeEmbedder(), FakeEmbedder(64, version=2)
DOCUMENTS = 70
"""More than a batch of documents, so that a run has several commits."""


class HookedEmbedder(FakeEmbedder):
    """The new embedder, which awaits ``hook`` with the number of each call before it embeds."""

    def __init__(self, hook: Callable[[int], Awaitable[None]]) -> None:
        super().__init__(64, version=2)
        self.calls = 0
        self.tenants: set[str] = set()
        self._hook = hook

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        self.calls += 1
        self.tenants.add(paying_tenant.get())
        await self._hook(self.calls)
        return await super().embed(texts)


async def do_nothing(call: int) -> None:
    await asyncio.sleep(0)


def store_of(folder: Path, embedder: FakeEmbedder = OLD) -> LanceStore:
    return LanceStore(folder, fingerprint=embedder.fingerprint, dim=embedder.dim, model=embedder.name)


async def entry(number: int, text: str = "", embedder: FakeEmbedder = OLD) -> EmbeddedDocument:
    label = 100 + number
    text = text or f"The bridge number {label} spans {label} metres.\n\nIts toll is {label} pence."
    document = Document(
        id=f"d{number:03}",
        uri=f"file:///{number}",
        title=f"Bridge {label}",
        text=text,
        content_sha256=text,
        parser="text/1",
    )
    chunks = chunk(document, embedder.count_tokens, 200)
    embedded = await embedder.embed([passage.indexed_text for passage in chunks])
    return EmbeddedDocument(document, chunks, embedded.vectors)


async def fill(folder: Path, count: int = DOCUMENTS, tenant: str = "t") -> LanceStore:
    store = store_of(folder)
    await store.put_many(tenant, [await entry(number) for number in range(count)])
    return store


def reindexing(place: Path, embedder: FakeEmbedder = NEW, **options: Any) -> Reindexing:
    return Reindexing(
        folder=place / "store",
        embedder=embedder,
        embedder_name="new",
        cache=Cache(place / "cache.sqlite", "off"),
        ledger=Ledger(place / "ledger.sqlite"),
        chunk_tokens=200,
        **options,
    )


async def contents(store: LanceStore, tenant: str = "t") -> dict[str, str]:
    return await store.contents(tenant)


async def test_the_new_table_holds_the_same_documents_and_passages_with_new_vectors(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")
    sha256, held = await old.index_sha256("t"), await contents(old)
    report = await reindexing(tmp_path).run()
    new = store_of(tmp_path / "store", NEW)
    assert (await contents(new), await new.index_sha256("t")) == (held, sha256)
    question = (await NEW.embed_query("bridge number 107")).vector
    assert (await new.dense("t", question, limit=1))[0].chunk.document_id == "d007"
    assert (await new.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"
    assert (report.documents, report.embedded, report.reused, report.cuts) == (DOCUMENTS, DOCUMENTS, 0, False)


async def test_passages_of_the_same_model_keep_their_vectors(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store", 3)
    embedder = FakeEmbedder()
    report = await reindexing(tmp_path, embedder, tokenizer="simple").run()
    assert (report.embedded, report.reused, report.tokenizer) == (0, 3, "simple")
    assert (await old.lexical("t", "toll", limit=9))[0].scores
    again = await reindexing(tmp_path, embedder).run()
    assert again.tokenizer == "simple"


async def test_readers_find_the_same_at_every_moment(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")
    question = (await OLD.embed_query("bridge number 107")).vector
    done = asyncio.Event()
    searches = 0

    async def read() -> None:
        nonlocal searches
        fresh = store_of(tmp_path / "store")
        while not done.is_set():
            for store in (old, fresh):
                words = await store.lexical("t", "bridge 107", limit=1)
                near = await store.dense("t", question, limit=1)
                assert [hit.chunk.document_id for hit in (*words, *near)] == ["d007", "d007"]
                assert (await store.document("t", "d007")) is not None
                searches += 1

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await reindexing(tmp_path, HookedEmbedder(lambda _: asyncio.sleep(0.01))).run()
    enough = searches + 10  # past the swap: the table that was replaced is still read by its own embedder
    while searches < enough and not any(reader.done() for reader in readers):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*readers)


async def test_what_an_ingest_writes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")

    async def ingest(call: int) -> None:
        await old.put_many("t", [await entry(500 + call), await entry(3, f"The third bridge was moved {call} times.")])
        await old.delete("t", [f"d{40 + call:03}"])

    embedder = HookedEmbedder(lambda call: ingest(call) if call <= 6 else do_nothing(call))
    await reindexing(tmp_path, embedder).run()
    assert embedder.calls > 6
    held = await contents(store_of(tmp_path / "store", NEW))
    assert held == await contents(old)
    assert {"d501", "d506"} <= held.keys()
    assert not {"d041", "d046"} & held.keys()
    assert held["d003"].endswith("6 times.")


async def test_a_writer_of_the_same_model_goes_on_in_the_new_table(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store", 3)
    await reindexing(tmp_path, FakeEmbedder()).run()
    await old.put_many("t", [await entry(700)])
    assert "d700" in await contents(store_of(tmp_path / "store"))
    assert read_register(LocalFolder(tmp_path / "store")).current == "passages-2"


async def test_a_writer_of_another_model_is_refused_and_its_reads_go_on(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store", 3)
    await reindexing(tmp_path).run()
    with pytest.raises(StoreError, match="ROMA_EMBEDDER=new") as caught:
        await old.put_many("t", [await entry(700)])
    assert caught.value.code is ErrorCode.STORAGE_MISMATCH
    assert len(await old.lexical("t", "bridge", limit=9)) == 3
    health = await old.health()
    assert (health.state, "start this again" in health.reason) == ("degraded", True)


@pytest.mark.parametrize("last_call", [1, 30, 66])
async def test_a_run_that_was_cut_short_leaves_the_old_table_and_is_finished_by_the_next(
    tmp_path: Path, last_call: int
) -> None:
    old = await fill(tmp_path / "store")

    async def fail(call: int) -> None:
        if call == last_call:
            raise EmbeddingError("The server is gone.")

    with pytest.raises(EmbeddingError):
        await reindexing(tmp_path, HookedEmbedder(fail)).run()
    assert (await old.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"
    assert read_register(LocalFolder(tmp_path / "store")).current == "passages"
    embedder = HookedEmbedder(do_nothing)
    await reindexing(tmp_path, embedder).run()
    assert await contents(store_of(tmp_path / "store", NEW)) == await contents(old)
    assert embedder.calls == DOCUMENTS - 64 * ((last_call - 1) // 64)  # whole commits are not made again
    assert not list_unfinished(LocalFolder(tmp_path / "store"))


def die_in_call(place: Path, last_call: int) -> None:
    async def die(call: int) -> None:
        if call == last_call:
            os._exit(9)

    asyncio.run(reindexing(place, HookedEmbedder(die)).run())


@pytest.mark.slow
async def test_a_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")
    child = multiprocessing.get_context("spawn").Process(target=die_in_call, args=(tmp_path, 66))
    child.start()
    await asyncio.to_thread(child.join)
    assert child.exitcode == 9
    assert (await old.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"
    embedder = HookedEmbedder(do_nothing)
    await reindexing(tmp_path, embedder).run()
    assert embedder.calls == DOCUMENTS - 64
    assert await contents(store_of(tmp_path / "store", NEW)) == await contents(old)


async def test_a_table_for_another_target_is_not_taken_up(tmp_path: Path) -> None:
    await fill(tmp_path / "store")

    async def fail(call: int) -> None:
        if call == 66:  # after the first commit
            raise EmbeddingError("The server is gone.")

    with pytest.raises(EmbeddingError):
        await reindexing(tmp_path, HookedEmbedder(fail)).run()
    embedder = HookedEmbedder(do_nothing)
    await reindexing(tmp_path, embedder, cuts=True).run()
    assert embedder.calls == DOCUMENTS
    assert not list_unfinished(LocalFolder(tmp_path / "store"))


async def test_a_full_disk_is_named_and_the_old_table_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await fill(tmp_path / "store")
    usage = namedtuple("usage", "total used free")
    free = [1 << 40]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 41, 0, free[0]))

    async def fill_disk(call: int) -> None:
        free[0] = 10 << 20 if call > 20 else free[0]

    for embedder in (HookedEmbedder(fill_disk), NEW):  # in the middle, and from the beginning
        with pytest.raises(StoreError, match="free some room") as caught:
            await reindexing(tmp_path, embedder, min_free_mb=100).run()
        assert caught.value.code is ErrorCode.STORAGE_FULL
    assert len(await contents(old)) == DOCUMENTS
    assert (await old.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"


async def test_one_reindex_at_a_time(tmp_path: Path) -> None:
    await fill(tmp_path / "store", 1)
    with FileLock(str(tmp_path / "store" / ".reindex.lock")), pytest.raises(StoreError) as caught:
        await reindexing(tmp_path).run()
    assert caught.value.code is ErrorCode.STORAGE_LOCKED


async def test_every_tenant_comes_along_and_pays_for_its_own(tmp_path: Path) -> None:
    store = await fill(tmp_path / "store", 2, "a")
    await store.put_many("b", [await entry(1, "The other tenant's bridge.")])
    embedder = HookedEmbedder(do_nothing)
    report = await reindexing(tmp_path, embedder).run()
    new = store_of(tmp_path / "store", NEW)
    assert (await new.counts("a"), await new.counts("b"), report.tenants) == ((2, 2), (1, 1), 2)
    assert embedder.tenants == {"a", "b"}
    assert (await new.lexical("a", "other tenant", limit=5)) == []


async def test_what_is_deleted_is_not_left_in_the_table_that_was_replaced(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store", 3)
    await reindexing(tmp_path).run()
    new = store_of(tmp_path / "store", NEW)
    assert await new.delete("t", ["d001"]) == 1
    assert set(await contents(old)) == {"d000", "d002"}
    await new.purge()
    assert not (tmp_path / "store" / "passages.lance").exists()
    with pytest.raises(StoreError) as caught:
        await old.counts("t")
    assert caught.value.code is ErrorCode.STORAGE_MISMATCH


async def test_an_empty_store_and_an_unknown_tokenizer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await reindexing(tmp_path).run()
    with pytest.raises(InputError, match="icu"):
        check_tokenizer("mecab")
    assert check_tokenizer("jieba/default") == "jieba/default"


# Through the front doors

MODELS = {"embedder": "fake", "reranker": "none"}


def make_corpus(place: Path) -> Path:
    folder = place / "in"
    folder.mkdir()
    for number in range(3):
        words = " ".join(f"word{number}x{i}" for i in range(150))
        (folder / f"{number}.txt").write_text(f"Bridge {number} is long. {words}.")
    return folder


async def test_settings_that_name_no_embedder_follow_the_index_and_an_ingest_finds_nothing_to_do(
    tmp_path: Path,
) -> None:
    from roma_core import build_roma
    from roma_core.settings import Settings

    folder, workspace = make_corpus(tmp_path), tmp_path / "w"
    async with build_roma(Settings(workspace=workspace, **MODELS), embedder=NEW) as roma:
        await roma.ingest(folder)
    async with build_roma(Settings(workspace=workspace, reranker="none")) as roma:
        assert roma.settings.retrieval.embedder == "local"
        report = await roma.reindex(embedder="fake")
        assert isinstance(report, ReindexReport), report
        assert report.ledger_rows == 3
    async with build_roma(Settings(workspace=workspace, reranker="none")) as roma:
        assert roma.settings.retrieval.embedder == "fake"
        again = await roma.ingest(folder)
        assert (again.counts()["unchanged"], again.worked) == (3, "all")
        assert not isinstance(await roma.search("Bridge 2"), AgentFailure)


async def test_passages_are_cut_again_when_asked_and_otherwise_stay_due(tmp_path: Path) -> None:
    from roma_core import build_roma
    from roma_core.settings import Settings

    folder = make_corpus(tmp_path)
    wide = Settings(workspace=tmp_path / "w", **MODELS)
    narrow = wide.replace(chunk_tokens=60)
    async with build_roma(wide) as roma:
        await roma.ingest(folder)
        before = (await roma.store.counts("default"))[1]
    async with build_roma(narrow) as roma:
        kept = await roma.reindex()
        assert (await roma.store.counts("default"))[1] == before
        cut = await roma.reindex(chunks=True)
        assert (await roma.store.counts("default"))[1] > before
        assert (await roma.ingest(folder)).counts()["unchanged"] == 3
    assert isinstance(kept, ReindexReport)
    assert isinstance(cut, ReindexReport)
    assert (kept.ledger_rows, cut.ledger_rows) == (0, 3)  # cut by other settings, they stay due for an ingest


def test_the_command_reports_and_doctor_sweeps_what_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROMA_EMBEDDER", "fake")
    monkeypatch.setenv("ROMA_RERANKER", "none")
    where = ["--workspace", str(tmp_path / "w")]
    store = tmp_path / "w" / "store"
    assert main(["reindex", *where]) == 1
    assert main(["ingest", str(make_corpus(tmp_path)), *where]) == 0
    assert main(["reindex", "--tokenizer", "mecab", *where]) == 1
    capsys.readouterr()
    assert main(["reindex", "--json", *where]) == 0
    assert '"documents": 3' in capsys.readouterr().out
    shutil.copytree(store / "passages-2.lance", store / "passages-3.lance")
    assert main(["doctor", *where]) == 1
    with FileLock(str(store / ".reindex.lock")):
        assert main(["doctor", "--repair", *where]) == 1
    assert "not finished" in capsys.readouterr().out
    assert main(["doctor", "--repair", *where]) == 0
    assert not (store / "passages-3.lance").exists()
    assert main(["search", "Bridge 2", *where]) == 0


async def test_a_large_table_is_made_in_partitions_and_these_again(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")
    sha256, held = await old.index_sha256("t"), await contents(old)
    for rows, partitions in ((100, 2), (50, 4), (0, 1)):
        await reindexing(tmp_path, FakeEmbedder(), partition_rows=rows).run()
        store = store_of(tmp_path / "store")
        assert count_partitions(table_folder(LocalFolder(tmp_path / "store"), store.name)) == partitions
        assert (await contents(store), await store.index_sha256("t")) == (held, sha256)
        assert (await store.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"
        await store.put_many("t", [await entry(3)])
        assert await contents(old) == held


async def test_a_half_copy_of_upkeep_is_no_beginning_of_a_reindex(tmp_path: Path) -> None:
    old = await fill(tmp_path / "store")
    held = await contents(old)
    making = {"fingerprint": OLD.fingerprint, "dim": OLD.dim, "model": OLD.name}
    copy = LanceStore(tmp_path / "store", **making, building="passages-2", copy_of="passages")
    table = await old.open_table()
    documents = await table.query().where("kind = 'document'").to_arrow()
    await copy.add_rows(documents)
    await copy.close()
    await reindexing(tmp_path, FakeEmbedder()).run()
    fresh = store_of(tmp_path / "store")
    assert await contents(fresh) == held
    assert (await fresh.lexical("t", "bridge 107", limit=1))[0].chunk.document_id == "d007"
