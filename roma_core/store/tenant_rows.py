"""The rows of tenants in a store: all but those of one tenant, or those of some tenants, are removed for good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roma_core.store.folder import open_folder
from roma_core.store.lance import LanceStore
from roma_core.store.register import read_register
from roma_core.store.tables import open_stored_table, read_making


async def keep_tenant(folder: Path, tenant: str) -> None:
    """Remove all rows but those of ``tenant``, with older versions of the table. Raises ``StoreError``.

    >>> await keep_tenant(Path(".roma/tenants/lab/store"), "lab")  # doctest: +SKIP
    """
    from lancedb.expr import col, lit

    await _remove(folder, col("tenant") != lit(tenant))


async def remove_tenants(folder: Path, tenants: Sequence[str]) -> None:
    """Remove the rows of ``tenants``, with older versions of the table. Raises ``StoreError``."""
    from lancedb.expr import col, lit

    await _remove(folder, col("tenant").isin([lit(tenant) for tenant in tenants]))


async def _remove(folder: Path, where: Any) -> None:
    store = await _open_for_writing(folder)
    try:
        await store.remove_rows(where)
        await store.purge()
    finally:
        await store.close()


async def _open_for_writing(folder: Path) -> LanceStore:
    """Return the store as the embedder that made its table would open it; no model is loaded."""
    store = open_folder(folder)
    making = await read_making(await open_stored_table(store, read_register(store).current))
    return LanceStore(
        store, fingerprint=making["fingerprint"], dim=int(making["dim"]), model=str(making.get("model", ""))
    )
