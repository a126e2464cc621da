"""What upkeep does to a table: indices, fragments, doubled keys and old versions. ``store.upkeep`` says when."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from roma_core.errors import ErrorCode, StoreError
from roma_core.store import migrations
from roma_core.store.allocator import trim_memory_eagerly
from roma_core.store.conditions import ALL_CHUNKS, is_one_of
from roma_core.store.folder import StoreFolder, VersionGate, call_folder
from roma_core.store.partitions import Partition, WritableTable, count_unindexed, find_index
from roma_core.store.rows import KEY_COLUMNS
from roma_core.store.upkeep import (
    LARGE_TABLE,
    MOST_MERGED,
    SMALL_FRAGMENT,
    TableFacts,
    Upkeep,
    choose_upkeep,
    is_extension_due,
    is_index_due,
)

SCOPED = ("tenant", "kind")
"""Columns with an index: every search asks for them, and without one reads them whole."""
LOOKED_UP = ("document_id", "uri")
"""Columns that filters compare with a value or a range; they have an index from ``ANN_FROM`` chunks on. Without one
each filter reads them whole: at a million rows that takes longer than the search."""
ANN_FROM = 20_000
"""Chunks from which a vector index pays: the flat search takes about 1 ms for 1000 chunks (``docs/benchmarks``)."""
FRAGMENT_BITS = 32
"""A row's number in LanceDB is its place in its fragment, and above so many bits the fragment."""
READER_LEASE = timedelta(hours=1)
"""Longest time that a read may take: no reader holds versions older than this."""
BACKUP_AGE = timedelta(days=7)
"""Time for which the state of before a migration is kept."""
MAINTENANCE_FILE = "maintenance.json"
"""Small file with the last look for doubled keys."""


async def maintain_partition(partition: Partition, tokenizer: str) -> Upkeep:
    """Do what is due for one partition, and return it."""
    table = partition.table
    facts = await _observe_partition(partition)
    due = choose_upkeep(facts)
    if due == "rewrite":
        # Rows that came into the indices later than their neighbours are not merged with them.
        is_extended = facts.rows >= LARGE_TABLE and facts.fragments >= MOST_MERGED
        if is_extended:
            await write_rows_again(table)
        with trim_memory_eagerly():
            await compact_table(table, tokenizer, rebuilds=is_extended)
    elif due == "extend":
        await table.optimize()
    elif due != "none":
        if due == "merge":
            await _merge_small_fragments(table)
        if is_index_due(await count_unindexed(table, "search_text"), facts.rows):
            await table.create_index("search_text", config=migrations.text_index(tokenizer), replace=True)
    return due


async def extend_indices(table: WritableTable) -> None:
    """Bring rows into indices that lack too many: an ingest may go on for hours, and people search meanwhile."""
    for partition, _ in table.partitions:
        if is_extension_due(await count_unindexed(partition, "search_text"), int(await partition.count_rows())):
            await partition.optimize()


async def _observe_partition(partition: Partition) -> TableFacts:
    """Return what upkeep depends on."""
    table, folder = partition
    stats = await table.stats()
    number, lengths = stats["fragment_stats"]["num_fragments"], stats["fragment_stats"]["lengths"]
    return TableFacts(
        rows=stats["num_rows"],
        changed=number * lengths["mean"] - lengths["max"],
        unindexed=await count_unindexed(table, "search_text"),
        fragments=number,
        versions=await asyncio.to_thread(folder.count_files, "_versions"),
        taken_bytes=await asyncio.to_thread(folder.measure),
        live_bytes=stats["total_bytes"],
    )


async def _merge_small_fragments(table: Any) -> None:
    """Write the rows of small fragments again as one, in one commit; the others stay as they are."""
    places = await table.query().select(["key"]).with_row_id().to_arrow()
    keys: dict[int, list[str]] = {}
    for key, place in zip(places["key"].to_pylist(), places["_rowid"].to_pylist(), strict=True):
        keys.setdefault(place >> FRAGMENT_BITS, []).append(key)
    small = [key for group in keys.values() if len(group) <= SMALL_FRAGMENT for key in group]
    if not small:
        return
    rows = await table.query().where(is_one_of("key", small)).to_arrow()
    merge = table.merge_insert([*KEY_COLUMNS]).when_matched_update_all()
    await merge.use_index(False).execute(rows, on_bad_vectors="null")


async def compact_table(table: Any, tokenizer: str, *, rebuilds: bool) -> None:
    """Build the indices that lack rows, and merge fragments; ``rebuilds`` builds all of them."""
    from lancedb.index import Bitmap, BTree, IvfPq

    # Rows in other indices than their neighbours are not merged with them, so a table whose indices lack rows would
    # be written twice, here and by the next clean-up.
    chunks = await table.count_rows(ALL_CHUNKS)
    configs: dict[str, Any] = {column: Bitmap() for column in SCOPED}
    configs["search_text"] = migrations.text_index(tokenizer)
    if chunks >= ANN_FROM:
        configs |= {column: BTree() for column in LOOKED_UP}
    for column, config in configs.items():
        if rebuilds or await count_unindexed(table, column):
            await table.create_index(column, config=config, replace=True)
    await table.optimize()
    if chunks >= ANN_FROM and (rebuilds or not await find_index(table, "vector")):
        await table.create_index("vector", config=IvfPq(distance_type="cosine"), replace=True)


async def check_keys(table: WritableTable, root: StoreFolder) -> None:
    """Raise ``StoreError`` (corrupt) for keys that are there more than once, and note when that was looked for."""
    doubled = 0
    for partition in table.partitions:  # the rows of a document are in one of them
        keys = (await partition.table.query().select(["key"]).to_arrow()).column("key")
        doubled += len(keys) - len(keys.unique())
    note = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "doubled": doubled}
    await call_folder(root, root.replace, MAINTENANCE_FILE, json.dumps(note))
    if doubled:
        raise StoreError(
            f"{doubled} rows of the store have a key that another row has.", ErrorCode.STORAGE_CORRUPT, details=note
        )


async def remove_old_versions(table: WritableTable, gate: VersionGate, *, removes_unverified: bool = False) -> bool:
    """Remove versions before the present one once there is no reader; return False when readers did not pause.

    Then those that are older than any reader go. The caller holds the writers' lease, so there is no newer one.
    While a tag keeps the state of before a migration, LanceDB removes no version: all stay for ``BACKUP_AGE``.
    """
    await table.publish()  # readers follow the generation, so what it names must be what stays
    removable = [each for each, _ in table.partitions if not await _has_backup(each)]
    if not removable:
        return True
    if not await gate.wait_until_quiet(is_urgent=removes_unverified):
        for partition in removable:
            await partition.optimize(cleanup_older_than=READER_LEASE)
        return False
    for partition in removable:
        latest = (await partition.list_versions())[-1]["timestamp"]
        age = datetime.now(latest.tzinfo) - latest
        await partition.optimize(
            cleanup_older_than=max(age, timedelta(milliseconds=1)), delete_unverified=removes_unverified
        )
        await table.publish()
    return True


async def _has_backup(table: Any) -> bool:
    """Return whether a tag keeps a version; one that is older than ``BACKUP_AGE`` is taken off."""
    versions = await table.list_versions()
    made_at = {version["version"]: version["timestamp"] for version in versions}
    has_backup = False
    for name, tag in (await table.tags.list()).items():
        at = made_at.get(tag["version"])
        if at is not None and datetime.now(at.tzinfo) - at < BACKUP_AGE:
            has_backup = True
        else:
            await table.tags.delete(name)
    return has_backup


async def write_rows_again(table: Any) -> None:
    """Write every row into new files, as it is: what was deleted is in the old ones alone."""
    await table.update(updates_sql={"kind": "kind"})
