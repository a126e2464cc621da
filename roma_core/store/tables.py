"""Tables of LanceDB in the folder of a store: how they are opened, and what they were made with."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import migrations
from roma_core.store.allocator import limit_pools
from roma_core.store.folder import StoreFolder, call_folder
from roma_core.store.partitions import PartitionedTable, is_partitioned, open_for_writing
from roma_core.store.passages import TableVersion
from roma_core.store.register import list_unfinished, read_register, remove_table, table_folder

WRITER_LOCK, BUILDER_LOCK, REINDEX_LOCK = ".writer.lock", ".builder.lock", ".reindex.lock"
"""Locks of those who write to the table in use, who write to a new one, and who make one at all."""
COPIED_ROWS = 20_000
"""Rows that are in memory at once while a table is spread over partitions, about."""
INDEX_CACHE, METADATA_CACHE = 256 << 20, 32 << 20
"""Bytes; LanceDB's own are gigabytes, and an ingest fills them with metadata of versions that are not read again."""


def load() -> None:
    """Import LanceDB. It takes seconds, so call it in a thread: an event loop has other tasks."""
    importlib.import_module("lancedb.expr")


async def connect(folder: StoreFolder) -> Any:
    """Return a connection to the tables in a folder, which sees at once what other processes commit."""
    import lancedb

    limit_pools()
    # Zero: by default a reader would keep its first snapshot for ever.
    session = lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=METADATA_CACHE)
    return await lancedb.connect_async(
        folder.uri,
        read_consistency_interval=timedelta(0),
        session=session,
        storage_options=dict(folder.options) or None,
    )


async def open_stored_table(root: StoreFolder, name: str) -> Any:
    """Return a table of the store in ``root``: LanceDB's, or its partitions as one to read from."""
    folder = table_folder(root, name)
    if await call_folder(folder, is_partitioned, folder):
        return PartitionedTable(folder, await connect(folder))
    return await (await connect(root)).open_table(name)


async def bring_table_up_to_date(table: Any, folder: StoreFolder) -> None:
    """Take the steps of ``migrations`` that a table lacks. The caller holds the writers' lease."""
    async with open_for_writing(table, folder) as writable:
        for partition in writable.partitions:
            await migrations.bring_up_to_date(partition.table)


async def read_version(table: Any) -> TableVersion:
    """Return what names the present state of a table."""
    return str(table.name), int(await table.version())


async def read_blocks(table: Any) -> AsyncIterator[Any]:
    """Yield the rows of a table as tables of some ``COPIED_ROWS``."""
    import pyarrow as pa

    block: list[Any] = []
    async for batch in await table.query().to_batches(max_batch_length=COPIED_ROWS):
        block.append(batch)
        if sum(each.num_rows for each in block) >= COPIED_ROWS:
            yield pa.Table.from_batches(block)
            block = []
    if block:
        yield pa.Table.from_batches(block)


async def read_making(table: Any) -> dict[str, Any]:
    """Return what a table was made with: embedder, and after a ``reindex`` also tokenizer and recipe."""
    making: dict[str, Any] = json.loads(((await table.schema()).metadata or {}).get(b"roma", b"{}"))
    return making


async def read_making_of(folder: StoreFolder, name: str) -> dict[str, Any]:
    """Return what an unfinished table was made with; nothing for one that cannot be opened."""
    try:
        return await read_making(await open_stored_table(folder, name))
    except (RuntimeError, ValueError, OSError, StoreError):
        return {}


async def remove_unfinished(folder: StoreFolder) -> list[str]:
    """Remove tables that a ``reindex`` has left unfinished; return their names. While one is at work, all stay."""
    names = await call_folder(folder, list_unfinished, folder)
    in_use = table_folder(folder, (await call_folder(folder, read_register, folder)).current)
    if not names or not await call_folder(folder, in_use.exists):
        return []  # what may be all that there is stays
    async with hold_if_free(folder, REINDEX_LOCK) as is_held:
        if not is_held:
            return []
        for name in names:
            await call_folder(folder, remove_table, folder, name)
    return names


@asynccontextmanager
async def hold_if_free(folder: StoreFolder, name: str) -> AsyncIterator[bool]:
    """Hold a lock inside the block where nobody else has it; yield whether it is held."""
    lock = folder.lock(name, 0.0)
    try:
        await lock.__aenter__()
    except StoreError as error:
        if error.code is not ErrorCode.STORAGE_LOCKED:
            raise
        yield False
        return
    async with AsyncExitStack() as stack:
        stack.push_async_exit(lock.__aexit__)
        yield True
