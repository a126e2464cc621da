"""ROMA's stores keep the contract of stores."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.store import ChunkStore, InMemoryStore, LanceStore
from roma_core.testing import StoreContract
from roma_core.testing.stores import EMBEDDER, HARBOUR, put


class TestInMemory(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[ChunkStore]:
        store = InMemoryStore()
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
