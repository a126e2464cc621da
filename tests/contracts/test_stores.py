"""ROMA's stores keep the contract of stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core.store import ChunkStore, InMemoryStore, LanceStore
from roma_core.testing import StoreContract
from roma_core.testing.stores import EMBEDDER


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
