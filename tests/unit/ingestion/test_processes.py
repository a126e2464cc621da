"""Several ingests at once, each a process, over LanceDB: nothing doubled, nothing lost, the ledger agrees."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from roma_core.connectors.fake import FakeConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.ingestion import Ledger
from roma_core.store.lance import LanceStore
from tests.fakes.ingest import Shop, table

SOURCE = "fake://s/"
TEXTS = {f"{SOURCE}{n:02}": f"Document {n} tells of harbours, ships and sails. " * 10 for n in range(30)}


def lance_at(folder: Path) -> LanceStore:
    embedder = FakeEmbedder(dim=32)
    return LanceStore(folder / "store", fingerprint=embedder.fingerprint, dim=32)


def run_ingest(folder: str) -> None:
    async def run() -> None:
        shop = Shop(Path(folder), FakeConnector(dict(TEXTS)), store=lance_at(Path(folder)))
        report = await shop.service().ingest([SOURCE])
        assert sum(report.counts()[state] for state in ("added", "updated", "unchanged")) == len(TEXTS), report
        assert report.failures == ()

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("writers", [2, 4, pytest.param(8, marks=pytest.mark.soak)])
def test_ingests_at_once_double_nothing(tmp_path: Path, writers: int) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=run_ingest, args=(str(tmp_path),)) for _ in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * writers

    async def check() -> None:
        store = lance_at(tmp_path)
        await store.optimize()  # raises if a key is there twice
        documents, chunks = await store.counts("default")
        clean = Shop(tmp_path / "clean", FakeConnector(dict(TEXTS)))
        await clean.service().ingest([SOURCE])
        assert await table(store) == await table(clean.store)
        assert (documents, chunks) == await clean.store.counts("default")
        assert {item.uri for item in Ledger(tmp_path / "ledger.sqlite").items("default")} == set(TEXTS)

    asyncio.run(check())
