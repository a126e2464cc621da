"""ROMA's stores keep the contract of stores."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.store import ChunkStore, InMemoryStore, LanceStore
from roma_core.testing import StoreContract
from roma_core.testing.stores import EMBEDDER, HARBOUR, OTHER, YEAST, put
from tests.s3 import open_bucket


class TestInMemory(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[ChunkStore]:
        store = InMemoryStore()
        yield store
        await store.close()


class TestPartitions(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[ChunkStore]:
        made = {"fingerprint": EMBEDDER.fingerprint, "dim": EMBEDDER.dim, "model": "fake"}
        store = LanceStore(tmp_path / "lance", **made, partitions=2)
        yield store
        await store.close()

    async def test_lexical_and_dense_rank_by_their_scores(self, store: ChunkStore) -> None:
        """BM25 counts words within each partition: here of two passages, so only what is found is the same."""
        for doc in (HARBOUR, YEAST, OTHER):
            await put(store, doc)
        lexical = await store.lexical("t", "harbour dredged", limit=10)
        dense = await store.dense("t", (await EMBEDDER.embed_query("Yeast ferments sugar")).vector, limit=10)
        assert {hit.chunk.document_id for hit in lexical} == {HARBOUR.id, OTHER.id}
        assert dense[0].chunk.document_id == YEAST.id
        for found in (lexical, dense):
            assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
            assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


@pytest.mark.slow
class TestBucket(StoreContract):
    @pytest.fixture
    async def store(self, s3: str) -> AsyncIterator[ChunkStore]:
        made = {"fingerprint": EMBEDDER.fingerprint, "dim": EMBEDDER.dim, "model": "fake"}
        store = LanceStore(open_bucket(s3), **made)
        yield store
        await store.close()


class TestLance(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[ChunkStore]:
        store = LanceStore(tmp_path / "lance", fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim, model="fake")
        yield store
        await store.close()

    async def test_the_version_sees_what_another_process_writes_and_a_table_that_was_made_anew(
        self, tmp_path: Path
    ) -> None:
        def open_store() -> LanceStore:
            return LanceStore(tmp_path / "lance", fingerprint=EMBEDDER.fingerprint, dim=EMBEDDER.dim, model="fake")

        one, other = open_store(), open_store()
        before = await one.version("t")
        await put(other, HARBOUR)
        after = await one.version("t")
        assert after != before
        assert after == await other.version("t")
        await one.close()
        await other.close()
        shutil.rmtree(tmp_path / "lance")
        again = open_store()
        await put(again, HARBOUR)
        assert await again.version("t") != after
        await again.close()
