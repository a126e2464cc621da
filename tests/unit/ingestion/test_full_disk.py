"""A disk that is really full: typed, searches go on, and the next ingest goes on where this one stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_core.connectors.fake import FakeConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.store.lance import LanceStore
from tests.fakes.ingest import Shop, table

SOURCE = "fake://s/"
TEXTS = {f"{SOURCE}{n:02}": f"Document {n} tells of harbours, ships and sails. " * 200 for n in range(40)}
SIZE_MB = 12
LEFT = 64 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def lance_at(folder: Path) -> LanceStore:
    embedder = FakeEmbedder(dim=32)
    return LanceStore(folder / "store", fingerprint=embedder.fingerprint, dim=32)


@pytest.mark.slow
async def test_a_disk_without_room_loses_nothing(disk: Path, tmp_path: Path) -> None:
    early = dict(list(TEXTS.items())[:5])
    connector = FakeConnector(dict(early))
    shop = Shop(disk, connector, store=lance_at(disk))
    assert (await shop.service().ingest([SOURCE])).counts()["added"] == len(early)

    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - LEFT))
    full = Shop(disk, FakeConnector(dict(TEXTS)), store=shop.store)
    stopped = await full.service().ingest([SOURCE])
    assert sum(stopped.counts().values()) == len(TEXTS)
    assert stopped.counts()["failed"] > 0
    codes = {item.code for item in stopped.items if item.state == "failed"}
    codes |= {failure.code.value for failure in stopped.failures}
    assert codes == {"ERR_STORAGE_FULL"}
    assert await shop.store.lexical("default", "harbours", limit=3)
    assert await shop.store.dense("default", (await FakeEmbedder(dim=32).embed_query("harbours")).vector, limit=3)

    ballast.unlink()
    resumed = await full.service().ingest([SOURCE])
    assert resumed.failures == ()
    assert resumed.counts()["failed"] == 0
    clean = Shop(tmp_path / "clean", FakeConnector(dict(TEXTS)))
    await clean.service().ingest([SOURCE])
    assert await table(shop.store) == await table(clean.store)
