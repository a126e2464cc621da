"""A store is left with the rows of one tenant, or without those of some, and no byte of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.store.folder import LocalFolder
from roma_core.store.partitions import count_partitions
from roma_core.store.register import read_register, table_folder
from roma_core.store.tenant_rows import keep_tenant, remove_tenants
from tests.fakes.traces import find_traces
from tests.unit.store.test_lance import store_at
from tests.unit.store.test_partitions import entry_of

TENANTS = {"default": "zqhomeqz", "lab's": "zqlabqz", "clinic": "zqclinicqz"}


async def fill(folder: Path, partitions: int) -> None:
    store = store_at(folder, partitions=partitions)
    for tenant, mark in TENANTS.items():
        for start in (0, 6):  # two versions
            await store.put_many(tenant, [entry_of(n, f"{mark} number {n}") for n in range(start, start + 6)])
    await store.close()


async def count_documents(folder: Path) -> dict[str, int]:
    store = store_at(folder)
    try:
        return {tenant: (await store.counts(tenant))[0] for tenant in TENANTS}
    finally:
        await store.close()


@pytest.mark.parametrize("partitions", [1, 3])
async def test_all_rows_but_those_of_one_tenant_go(tmp_path: Path, partitions: int) -> None:
    await fill(tmp_path, partitions)
    await keep_tenant(tmp_path, "lab's")
    assert await count_documents(tmp_path) == {"default": 0, "lab's": 12, "clinic": 0}
    assert set().union(*find_traces(tmp_path, TENANTS.values()).values()) == {"zqlabqz"}
    folder = LocalFolder(tmp_path)
    assert count_partitions(table_folder(folder, read_register(folder).current)) == partitions


@pytest.mark.parametrize("partitions", [1, 3])
async def test_the_rows_of_some_tenants_go(tmp_path: Path, partitions: int) -> None:
    await fill(tmp_path, partitions)
    await remove_tenants(tmp_path, ["lab's", "clinic", "nobody"])
    await remove_tenants(tmp_path, ["clinic"])
    assert await count_documents(tmp_path) == {"default": 12, "lab's": 0, "clinic": 0}
    assert set().union(*find_traces(tmp_path, TENANTS.values()).values()) == {"zqhomeqz"}
