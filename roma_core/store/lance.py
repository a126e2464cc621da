"""LanceDB in a folder or a bucket: vectors, BM25 and the documents' text in one table, safe with several processes.

One table holds a row for each document and for each chunk, so that one commit replaces a document with its chunks and
no reader ever sees half of it. LanceDB's own upsert doubles keys when two writers meet; here every write holds the
folder's lock, keys are declared as primary key, and the upsert never trusts an index (``use_index(False)``).
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import math
import operator
import re
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from roma_core.environment import explain_environment
from roma_core.errors import DISK_FULL, ErrorCode, RomaError, StoreError
from roma_core.languages import detect_language
from roma_core.perloop import PerLoop
from roma_core.ranking import rank_chunks
from roma_core.store import migrations
from roma_core.store.allocator import limit_pools, return_freed_memory, trim_memory_eagerly
from roma_core.store.base import ChunkStore, EmbeddedDocument, Filters, hash_chunks
from roma_core.store.filters import Conditions, parse_filters
from roma_core.store.folder import Stamp, StoreFolder, call_folder, open_folder
from roma_core.store.inmemory import InMemoryStore
from roma_core.store.lexical import TOKENIZER, expand_versions, find_missing_words, stem_words
from roma_core.store.partitions import (
    GENERATION_FILE,
    Partition,
    PartitionedTable,
    WritableTable,
    choose_partition_count,
    count_partitions,
    count_unindexed,
    create_partitions,
    find_index,
    holds_enough,
    is_partitioned,
    list_places,
    open_for_writing,
    publish_new,
)
from roma_core.store.passages import MOST_BLOCK_BYTES, DocumentOwner, PassageMemory, TableVersion, VectorBlock
from roma_core.store.register import (
    FIRST_TABLE,
    RegisterReader,
    TableRegister,
    change_register,
    list_unfinished,
    name_next_table,
    read_register,
    remove_table,
    table_folder,
)
from roma_core.store.rows import CHUNK_FIELDS, FACT_FIELDS, join_words, parse_chunk, parse_facts, rows, schema
from roma_core.store.shards import check_rows
from roma_core.store.together import ReadTogether
from roma_core.store.upkeep import (
    LARGE_TABLE,
    MOST_MERGED,
    MOST_UNINDEXED,
    SMALL_FRAGMENT,
    TableFacts,
    Upkeep,
    choose_upkeep,
    is_extension_due,
    is_index_due,
)
from roma_core.store.words import choose_languages, widen_question
from roma_core.types import EVERYTHING, Chunk, ComponentHealth, Document, DocumentFacts, ReadScope, ScoredChunk, digest
from roma_core.workspace import GoneError

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

T = TypeVar("T")
Kind = Literal["document", "chunk"]

_ALL_CHUNKS: Final = "kind = 'chunk'"
"""Condition of the chunks of all tenants."""
KEY_COLUMNS = ("key", "kind")
"""Columns by which rows are replaced. The key alone would do, but then LanceDB adds 66 kB to a commit, about which keys
it wrote, for the sake of writers without a lease."""
SCOPED = ("tenant", "kind")
"""Columns with an index: every search asks for them, and without one reads them whole."""
LOOKED_UP = ("document_id", "uri")
"""Columns that filters compare with a value or a range; they have an index from ``ANN_FROM`` chunks on. Without one
each filter reads them whole: at a million rows that takes longer than the search."""
MOST_COUNTED = 512
"""Filters whose number of permitted chunks is remembered, until the table changes."""
TIE_MARGIN = 32
"""Rows read beyond the limit, so that equal scores at the cut are decided by id and not by place in the table."""
ANN_FROM = 20_000
"""Chunks from which a vector index pays: the flat search takes about 1 ms for 1000 chunks (``docs/benchmarks``)."""
REFINED, REFINED_FILTERED = 200, 2400
"""Vectors of the index's best that are compared exactly, without a condition and with one. Product quantisation alone
loses half of the true neighbours, and more where a condition takes the nearest ones away: what is left is about as far
as much else. Each vector is read from the disk, which takes most of a search's time."""
NPROBES, MOST_PROBES = 48, 1024
"""Cells of the index that a search looks into: without a condition, and at most with one that permits few rows. They
cost little: a vector in a cell is 24 bytes, and half of them make no whole search of a million passages quicker."""
MOST_PERMITTED: Final = 0.9
"""Share of the chunks from which on a condition takes away next to nothing."""
EXACT_UP_TO = 100_000
"""Chunks that a condition leaves up to which each is compared, in about 90 ms: what is permitted may lie in cells of
the index that are not looked into, and is lost among vectors that are about as far."""
STREAMED = 32
"""Documents that are read at once."""
COMPARED_AT_ONCE = 4096
"""Vectors that are compared before a thread for it would have begun."""
MOST_NAMED_IDS = 1000
"""Documents that a condition names without a look at which of them are there."""
FRAGMENT_BITS = 32
"""A row's number in LanceDB is its place in its fragment, and above so many bits the fragment."""
READER_LEASE = timedelta(hours=1)
"""Longest time that a read may take: no reader holds versions older than this."""
BACKUP_AGE = timedelta(days=7)
"""Time for which the state of before a migration is kept."""
RETIRED_AFTER_S = 60.0
"""Time for which a replaced table stays: a read that began with it has long ended then."""
MAINTENANCE_FILE = "maintenance.json"
"""Small file with the last look for doubled keys."""
WRITER_LOCK, BUILDER_LOCK, REINDEX_LOCK = ".writer.lock", ".builder.lock", ".reindex.lock"
"""Locks of those who write to the table in use, who write to a new one, and who make one at all."""
COPIED_ROWS = 20_000
"""Rows that are in memory at once while a table is spread over partitions, about."""
INDEX_CACHE, METADATA_CACHE = 256 << 20, 32 << 20
"""Bytes; LanceDB's own are gigabytes, and an ingest fills them with metadata of versions that are not read again."""


@dataclass(frozen=True)
class IndexLook:
    """How far a search looks into the vector index."""

    probes: int
    """Cells that are looked into."""
    refined: int
    """Vectors that are compared exactly, about."""
    permits_nearly_all: bool
    """Whether it is quicker to take out of what was found what is not permitted, than to find which rows are."""


class LanceStore:
    """``ChunkStore`` in a folder of this machine or of a bucket, opened at first use.

    ``fingerprint`` and ``dim`` are the embedder's; ``model`` is its name for messages. A table made with another
    embedder is refused (ERR_STORAGE_MISMATCH). Writes wait up to ``lease_s`` for other writers (ERR_STORAGE_LOCKED) and
    need ``min_free_mb`` on the disk (ERR_STORAGE_FULL). When an open table disappears, calls fail
    (ERR_STORAGE_UNAVAILABLE) until a table is in its place again; an empty one is never created there.

    A table of more than ``partition_rows`` rows is spread over partitions by upkeep (``store.partitions``); 0 is no
    bound. ``partitions`` is the number with which a new table begins.

    After a ``reindex`` for another embedder, processes with the former one go on to read the table that was replaced;
    their writes are refused (ERR_STORAGE_MISMATCH).

    Without a ``fingerprint`` the table in use is read as it is, whatever made it, and writes are refused
    (ERR_STORAGE_MISMATCH): documents and passages can be read where the model is missing.
    """

    def __init__(
        self,
        place: Path | StoreFolder,
        *,
        fingerprint: str | None,
        dim: int = 0,
        model: str = "",
        lease_s: float = 120.0,
        min_free_mb: int = 0,
        building: str = "",
        tokenizer: str = TOKENIZER,
        recipe: str = "",
        partition_rows: int = 0,
        partitions: int = 1,
        copy_of: str = "",
    ) -> None:
        """``building`` names a new table beside the one in use, made with ``tokenizer`` by ``recipe``.

        ``copy_of`` names the table of which it becomes a copy, row by row.
        """
        self._partition_rows = partition_rows
        self._new_partitions = partitions
        self._root = open_folder(place)
        self._made_with = {"fingerprint": fingerprint, "dim": dim, "model": model}
        self._building = building
        self._recipe = {"tokenizer": tokenizer, "recipe": recipe, **({"copy_of": copy_of} if copy_of else {})}
        self._tokenizer = tokenizer
        self._lock_file = BUILDER_LOCK if building else WRITER_LOCK
        self._registered = RegisterReader(self._root)
        self._dim = dim
        self._lease_s = lease_s
        self._min_free = min_free_mb << 20
        self._opened: Any = None
        self._written_rows = 0
        """Rows since it was last looked at what the indices lack."""
        self._identity: Stamp | None = None
        """Of the folder of the table that was opened last."""
        self._opening = asyncio.Lock()
        self._gate = self._root.make_gate()
        self._memory = PassageMemory()
        self._documents = ReadTogether(self._read_documents)
        self._block_reading = PerLoop(asyncio.Lock)
        self._permitted: OrderedDict[str, tuple[TableVersion, int]] = OrderedDict()
        """By condition: the table and its version, and the number of rows that it permits."""
        self._languages: dict[str, tuple[TableVersion, frozenset[str]]] = {}
        """By tenant: the table and its version, and the languages of its documents."""

    @property
    def folder(self) -> StoreFolder:
        """The folder of the tables."""
        return self._root

    # Writing

    async def put(self, tenant: str, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store a document with its chunks, see ``ChunkStore``."""
        await self.put_many(tenant, [EmbeddedDocument(document, chunks, vectors)])

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        """Store several documents in one commit, see ``ChunkStore``."""
        if not entries:
            return
        await self._merge(tenant, rows(tenant, entries, self._dim))

    async def commit_rows(self, tenant: str, fresh: Any, removed: Sequence[str] = ()) -> None:
        """Put rows that others have made in place of what there is of their documents, see ``ShardStore``."""
        await asyncio.to_thread(check_rows, tenant, fresh)
        await self._merge(tenant, fresh, removed)

    async def _merge(self, tenant: str, fresh: Any, removed: Sequence[str] = ()) -> None:
        """Replace documents by their fresh rows, and remove others, in one commit."""
        ids = {*fresh.column("document_id").unique().to_pylist(), *removed}

        async def merge(table: WritableTable) -> None:
            self._require_room()
            has_replaced = False
            for partition, own, own_ids in table.spread(fresh, ids):
                has_replaced |= await self._merge_into(partition.table, tenant, own, own_ids)
            if has_replaced and removed:
                await self._delete_from_retired(_scope(tenant, None) & _one_of("document_id", sorted(removed)))
            self._written_rows += len(fresh)
            if self._written_rows >= MOST_UNINDEXED:
                self._written_rows = 0
                await self._extend_indices(table)

        await self._write(merge)

    async def _extend_indices(self, table: WritableTable) -> None:
        """Bring rows into indices that lack too many: an ingest may go on for hours, and people search meanwhile."""
        for partition, _ in table.partitions:
            if is_extension_due(await count_unindexed(partition, "search_text"), int(await partition.count_rows())):
                await partition.optimize()

    async def _merge_into(self, table: Any, tenant: str, fresh: Any, ids: AbstractSet[str]) -> bool:
        """Replace documents of one partition, in one commit; return whether there was one of them."""
        stale = await self._find_stale(table, tenant, ids)
        if stale is None:
            # An upsert joins with the whole table; documents that are new, as most are, need not pay for that.
            if len(fresh):
                await table.add(fresh, on_bad_vectors="null")
            return False
        upsert = table.merge_insert([*KEY_COLUMNS]).when_matched_update_all().when_not_matched_insert_all()
        await (
            upsert.when_not_matched_by_source_delete(stale.to_sql())
            .use_index(False)
            .execute(fresh, on_bad_vectors="null")
        )
        return True

    async def _delete_from_retired(self, where: Any) -> None:
        """Delete rows of replaced tables too, which other processes may still read."""
        for former in await self._open_retired():
            async with open_for_writing(former, table_folder(self._root, former.name)) as writable:
                for partition in writable.partitions:
                    await partition.table.delete(where.to_sql())

    async def _find_stale(self, table: Any, tenant: str, ids: AbstractSet[str]) -> Any:
        """Return the condition of the rows that the table has of these documents; None when it has none."""
        if len(ids) <= MOST_NAMED_IDS:
            stale = _scope(tenant, None) & _one_of("document_id", sorted(ids))
            return stale if await table.count_rows(stale.to_sql()) else None
        held = await table.query().where(_scope(tenant, "document")).select(["document_id"]).to_arrow()
        there = sorted(ids & set(held.column("document_id").to_pylist()))
        return _scope(tenant, None) & _one_of("document_id", there) if there else None

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Remove documents with their chunks, see ``ChunkStore``."""
        ids = sorted(set(document_ids))
        if not ids:
            return 0

        where = _scope(tenant, None) & _one_of("document_id", ids)

        async def remove(table: WritableTable) -> int:
            removed = 0
            for partition in table.partitions:
                documents = (_scope(tenant, "document") & _one_of("document_id", ids)).to_sql()
                known = int(await partition.table.count_rows(documents))
                if known:
                    await partition.table.delete(where.to_sql())
                removed += known
            await self._delete_from_retired(where)
            return removed

        return await self._write(remove)

    async def remove_rows(self, where: Any) -> None:
        """Remove the rows that an expression chooses, of whatever tenant. ``purge`` then removes older versions."""

        async def remove(table: WritableTable) -> None:
            for partition in table.partitions:
                await partition.table.delete(where.to_sql())
            await self._delete_from_retired(where)

        await self._write(remove)

    async def optimize(self) -> None:
        """Compact, index, check that every key is there once (ERR_STORAGE_CORRUPT), and remove old versions.

        Versions that a reader may hold stay: all, while there is a reader, for ``READER_LEASE``.
        """

        async def optimize_all(table: WritableTable) -> None:
            if not await self._spread_if_due(table):
                await self._maintain(table)

        await self._write(optimize_all)

    async def maintain(self) -> None:
        """Do what is due by ``store.upkeep``, for each partition: nothing, the text index, small fragments, or all."""

        async def maintain_if_due(table: WritableTable) -> None:
            await self._sweep_tables()
            if await self._spread_if_due(table):
                return
            done = {await self._maintain_partition(partition) for partition in table.partitions} - {"none"}
            if done:
                await self._check_keys(table)
            if "rewrite" in done:
                await self._remove_old_versions(table)
                await self._sweep_tables()

        await self._write(maintain_if_due)

    async def _maintain_partition(self, partition: Partition) -> Upkeep:
        """Do what is due for one partition, and return it."""
        table = partition.table
        facts = await self._observe_partition(partition)
        due = choose_upkeep(facts)
        if due == "rewrite":
            # Rows that came into the indices later than their neighbours are not merged with them.
            is_extended = facts.rows >= LARGE_TABLE and facts.fragments >= MOST_MERGED
            if is_extended:
                await _write_rows_again(table)
            with trim_memory_eagerly():
                await self._compact(table, rebuilds=is_extended)
        elif due == "extend":
            await table.optimize()
        elif due != "none":
            if due == "merge":
                await self._merge_small_fragments(table)
            if is_index_due(await count_unindexed(table, "search_text"), facts.rows):
                await table.create_index("search_text", config=migrations.text_index(self._tokenizer), replace=True)
        return due

    async def purge(self) -> None:
        """Write every row again and remove all older versions, so that nothing that was deleted is on the disk.

        Raises ``StoreError`` (locked) when readers did not pause. An object store does not say who reads: there it
        takes a minute, after which no read of before goes on.
        """

        async def rewrite(table: WritableTable) -> None:
            for partition, _ in table.partitions:
                for tag in await partition.tags.list():
                    await partition.tags.delete(tag)
                if await partition.count_rows():
                    await _write_rows_again(partition)
            await self._maintain(table, rebuilds=True)
            is_clean = await self._remove_old_versions(table, removes_unverified=True)
            if not is_clean or not await self._sweep_tables(everything=True):
                raise StoreError(
                    "Older versions of the store cannot be removed while it is read; run this again.",
                    ErrorCode.STORAGE_LOCKED,
                )

        await self._write(rewrite)

    async def _observe_partition(self, partition: Partition) -> TableFacts:
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

    async def _merge_small_fragments(self, table: Any) -> None:
        """Write the rows of small fragments again as one, in one commit; the others stay as they are."""
        places = await table.query().select(["key"]).with_row_id().to_arrow()
        keys: dict[int, list[str]] = {}
        for key, place in zip(places["key"].to_pylist(), places["_rowid"].to_pylist(), strict=True):
            keys.setdefault(place >> FRAGMENT_BITS, []).append(key)
        small = [key for group in keys.values() if len(group) <= SMALL_FRAGMENT for key in group]
        if not small:
            return
        rows = await table.query().where(_one_of("key", small)).to_arrow()
        merge = table.merge_insert([*KEY_COLUMNS]).when_matched_update_all()
        await merge.use_index(False).execute(rows, on_bad_vectors="null")

    async def _maintain(self, table: WritableTable, *, rebuilds: bool = False) -> None:
        with trim_memory_eagerly():
            for partition in table.partitions:
                await self._compact(partition.table, rebuilds=rebuilds)
        await self._check_keys(table)
        await self._remove_old_versions(table)
        await self._sweep_tables()

    async def _check_keys(self, table: WritableTable) -> None:
        """Raise ``StoreError`` (corrupt) for keys that are there more than once, and note when that was looked for."""
        doubled = 0
        for partition in table.partitions:  # the rows of a document are in one of them
            keys = (await partition.table.query().select(["key"]).to_arrow()).column("key")
            doubled += len(keys) - len(keys.unique())
        note = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "doubled": doubled}
        await call_folder(self._root, self._root.replace, MAINTENANCE_FILE, json.dumps(note))
        if doubled:
            raise StoreError(
                f"{doubled} rows of the store have a key that another row has.", ErrorCode.STORAGE_CORRUPT, details=note
            )

    async def _compact(self, table: Any, *, rebuilds: bool) -> None:
        from lancedb.index import Bitmap, BTree, IvfPq

        # Rows in other indices than their neighbours are not merged with them, so a table whose indices lack rows would
        # be written twice, here and by the next clean-up.
        chunks = await table.count_rows(_ALL_CHUNKS)
        configs: dict[str, Any] = {column: Bitmap() for column in SCOPED}
        configs["search_text"] = migrations.text_index(self._tokenizer)
        if chunks >= ANN_FROM:
            configs |= {column: BTree() for column in LOOKED_UP}
        for column, config in configs.items():
            if rebuilds or await count_unindexed(table, column):
                await table.create_index(column, config=config, replace=True)
        await table.optimize()
        if chunks >= ANN_FROM and (rebuilds or not await find_index(table, "vector")):
            await table.create_index("vector", config=IvfPq(distance_type="cosine"), replace=True)

    async def _remove_old_versions(self, table: WritableTable, *, removes_unverified: bool = False) -> bool:
        """Remove versions before the present one once there is no reader; return False when readers did not pause.

        Then those that are older than any reader go. The caller holds the writers' lease, so there is no newer one.
        While a tag keeps the state of before a migration, LanceDB removes no version: all stay for ``BACKUP_AGE``.
        """
        await table.publish()  # readers follow the generation, so what it names must be what stays
        removable = [each for each, _ in table.partitions if not await self._has_backup(each)]
        if not removable:
            return True
        if not await self._gate.wait_until_quiet(is_urgent=removes_unverified):
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

    async def _has_backup(self, table: Any) -> bool:
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

    async def _spread_if_due(self, table: WritableTable) -> bool:
        """Spread a table that has become too large over more partitions; return whether that was done.

        They are made beside the table in use, which readers follow until the new one is whole. The caller holds the
        writers' lease.
        """
        rows = sum([int(await partition.count_rows()) for partition, _ in table.partitions])
        count = choose_partition_count(rows, self._partition_rows)
        if self._building or count <= len(table.partitions):
            return False
        async with hold_if_free(self._root, REINDEX_LOCK) as is_held:
            if not is_held:
                return False  # a reindex makes the partitions that its own table needs
            self._require_room(await call_folder(self._root, self._folder.measure, in_blocks=True))
            for name in await call_folder(self._root, list_unfinished, self._root):
                if (await read_making_of(self._root, name)).get("copy_of"):
                    await call_folder(self._root, remove_table, self._root, name)
            await self._spread(table, count)
        return True

    async def _spread(self, table: WritableTable, count: int) -> None:
        making = await read_making(table.partitions[0].table)
        fingerprint = str(self._made_with["fingerprint"])
        fresh = LanceStore(
            self._root,
            fingerprint=fingerprint,
            dim=self._dim,
            model=str(self._made_with["model"]),
            min_free_mb=self._min_free >> 20,
            building=await call_folder(self._root, name_next_table, self._root),
            tokenizer=self._tokenizer,
            recipe=str(making.get("recipe", "")),
            partitions=count,
            copy_of=self.name,
        )
        try:
            for partition, _ in table.partitions:
                async for rows in _read_blocks(partition):
                    await fresh.add_rows(rows)
            await fresh.optimize()
        except BaseException:
            await fresh.close()
            await call_folder(self._root, remove_table, self._root, fresh.name)
            raise
        await fresh.close()

        def put_in_place(register: TableRegister) -> TableRegister:
            return register.replace_current(
                fresh.name, was=fingerprint, fingerprint=register.fingerprint, embedder=register.embedder
            )

        await call_folder(self._root, change_register, self._root, put_in_place)
        await self._registered.look(at_once=True)

    async def add_rows(self, fresh: Any) -> None:
        """Add rows of documents that the table does not have yet, in one commit."""

        async def add(table: WritableTable) -> None:
            self._require_room()
            for partition, own, _ in table.spread(fresh, ()):
                await partition.table.add(own, on_bad_vectors="null")

        await self._write(add)

    async def _write(self, work: Callable[[WritableTable], Awaitable[T]]) -> T:
        """Run ``work`` under the writers' lease. A cancelled caller does not cut a commit in two: it ends first."""

        async def run_under_lease() -> T:
            while True:
                table = await self._table()
                async with self._root.lock(self._lock_file, self._lease_s):
                    await self._registered.look(at_once=True)
                    if not self._is_same_table():
                        continue  # another one was put in its place while this waited
                    self._require_current()
                    with self._translate_errors():
                        async with open_for_writing(table, self._folder) as writable:
                            for partition in writable.partitions:  # a newer ROMA may have changed it since
                                await migrations.is_current(partition.table)
                            done = await work(writable)
                return_freed_memory()
                return done

        return await asyncio.shield(asyncio.ensure_future(run_under_lease()))

    # Reading

    async def document(self, tenant: str, document_id: str, scope: ReadScope = EVERYTHING) -> Document | None:
        """Return a document or None, see ``ChunkStore``."""
        return await self._documents.get((tenant, scope), document_id)

    async def _read_documents(self, owner: DocumentOwner, ids: frozenset[str]) -> dict[str, Document]:
        """Return the documents of these ids that are there and permitted."""
        tenant, scope = owner
        table = await self._table()
        with self._reading():
            version = await _read_version(table)
        self._memory.use(version)
        found = self._memory.find_documents(owner, ids)
        missing = sorted(ids - found.keys())
        for i in range(0, len(missing), STREAMED):
            where = _scope(tenant, "document", None, scope) & _one_of("document_id", missing[i : i + STREAMED])
            rows = await self._select(["document_id", "payload"], where)
            read = {str(row["document_id"]): Document.model_validate_json(row["payload"]) for row in rows}
            self._memory.hold_documents(version, owner, read)
            found |= read
        return found

    async def documents(self, tenant: str, scope: ReadScope = EVERYTHING) -> AsyncIterator[Document]:
        """Yield the documents by id, a few dozen rows at a time, see ``ChunkStore``."""
        await self._table()
        permitted = await self._select(["document_id"], _scope(tenant, "document", None, scope))
        ids = sorted(str(row["document_id"]) for row in permitted)
        for i in range(0, len(ids), STREAMED):
            where = _scope(tenant, "document") & _one_of("document_id", ids[i : i + STREAMED])
            found = await self._select(["document_id", "payload"], where)
            for row in sorted(found, key=lambda row: str(row["document_id"])):
                yield Document.model_validate_json(row["payload"])

    async def contents(self, tenant: str) -> dict[str, str]:
        """Return the content hashes by document id, see ``ChunkStore``."""
        await self._table()
        found = await self._select(["document_id", "content_sha256"], _scope(tenant, "document"))
        return {row["document_id"]: row["content_sha256"] for row in found}

    async def facts(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, DocumentFacts]:
        """Return the facts by document id from their columns, see ``ChunkStore``."""
        await self._table()
        found = await self._select(["document_id", *FACT_FIELDS], _scope(tenant, "document", None, scope))
        return {str(row.pop("document_id")): parse_facts(row) for row in found}

    async def permitted_ids(self, tenant: str, document_ids: Iterable[str], scope: ReadScope) -> frozenset[str]:
        """Return which documents are there and permitted, see ``ChunkStore``."""
        wanted = sorted(set(document_ids))
        if not wanted:
            return frozenset()
        await self._table()
        where = _scope(tenant, "document", None, scope) & _one_of("document_id", wanted)
        return frozenset(str(row["document_id"]) for row in await self._select(["document_id"], where))

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the chunks of a document by start, see ``ChunkStore``."""
        await self._table()
        where = _scope(tenant, "chunk") & _one_of("document_id", [document_id])
        found = [parse_chunk(row) for row in await self._select(list(CHUNK_FIELDS), where)]
        return sorted(found, key=lambda chunk: (chunk.start, chunk.id))

    async def passages(self, tenant: str) -> AsyncIterator[Chunk]:
        """Yield all chunks, those of a few dozen documents at a time, see ``ChunkStore``."""
        ids = sorted(await self.contents(tenant))
        for i in range(0, len(ids), STREAMED):
            where = _scope(tenant, "chunk") & _one_of("document_id", ids[i : i + STREAMED])
            found = [parse_chunk(row) for row in await self._select(list(CHUNK_FIELDS), where)]
            for chunk in sorted(found, key=lambda chunk: (chunk.document_id, chunk.start, chunk.id)):
                yield chunk

    async def index_sha256(self, tenant: str) -> str:
        """Return the hash of the tenant's chunks, see ``ChunkStore``."""
        await self._table()
        found = await self._select(list(CHUNK_FIELDS), _scope(tenant, "chunk"))
        return await asyncio.to_thread(lambda: hash_chunks(parse_chunk(row) for row in found))

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by BM25; words that no hit holds are searched again with one wrong letter allowed.

        Stems and parts of compounds are those of the question's language, or of the corpus' where it shows none.
        """
        table = await self._table()
        where = _scope(tenant, "chunk", filters, scope)
        if not text.strip():
            return []
        words = widen_question(expand_versions(text), await self._choose_languages(table, tenant, text))
        hits = await self._match(table, words, where, limit)
        missing = find_missing_words(text, (f"{chunk.text} {chunk.context}" for chunk, _ in hits))
        are_held = [await self._holds_word(table, word, where) for word in missing]
        misspelt = [word for word, is_held in zip(missing, are_held, strict=True) if not is_held]
        if misspelt:
            near = stem_words(misspelt)  # a fuzzy search compares with stems, and makes none itself
            hits = _add_scores(hits, await self._match(table, " ".join(near), where, limit, fuzziness=1))
        return _rank_best(hits, "bm25", limit)

    async def _choose_languages(self, table: Any, tenant: str, question: str) -> list[str]:
        """Return the languages in whose way the words of a question are stemmed beside the English one."""
        language = detect_language(question)
        if language == "en":
            return []
        with self._reading():
            version = await _read_version(table)
        noted, present = self._languages.get(tenant, (("", -1), frozenset[str]()))
        if noted != version:
            rows = await self._select(["language"], _scope(tenant, "document"))
            present = frozenset(str(row["language"]) for row in rows)
            self._languages[tenant] = version, present
        return choose_languages(language, present)

    async def _holds_word(self, table: Any, word: str, where: Any) -> bool:
        """Return whether any passage holds a word: a common one may stand in none of the best."""
        from lancedb.query import MatchQuery

        with self._reading():
            search = table.query().nearest_to_text(MatchQuery(word, column="search_text")).where(where).limit(1)
            return len(await search.select(["_score"]).to_arrow()) > 0

    async def _match(
        self, table: Any, text: str, where: Any, limit: int, *, fuzziness: int = 0
    ) -> list[tuple[Chunk, float]]:
        """Return the passages that hold words of ``text``, each with its BM25 score."""
        from lancedb.query import MatchQuery

        query = MatchQuery(text, column="search_text", fuzziness=fuzziness, prefix_length=1 if fuzziness else 0)
        with self._reading():
            search = table.query().nearest_to_text(query).where(where).limit(limit + TIE_MARGIN)
            return await self._read_best(table, search, "_score", limit)

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by cosine similarity, see ``ChunkStore``."""
        table = await self._table()
        where = _scope(tenant, "chunk", filters, scope)
        with self._reading():
            if parse_filters(filters) == Conditions() and scope.is_everything:
                best = await self._search_block(table, tenant, vector, limit)
                if best is not None:
                    return best
            look = await self._choose_look(table, where)

            def begin_search() -> Any:
                search = table.query().nearest_to(vector).distance_type("cosine").where(where)
                search = search.limit(limit + TIE_MARGIN)
                if look is None:
                    return search.bypass_vector_index()
                factor = math.ceil(look.refined / (limit + TIE_MARGIN))
                return search.nprobes(look.probes).refine_factor(factor)

            # Each step of a query changes it, so the quick one is begun by itself.
            quick = begin_search().postfilter() if look is not None and look.permits_nearly_all else None
            nearest = await self._read_best(table, begin_search(), "_distance", limit, quick)
        return _rank_best([(passage, 1.0 - distance) for passage, distance in nearest], "dense", limit)

    async def _read_best(
        self, table: Any, search: Any, column: Literal["_score", "_distance"], limit: int, quick: Any = None
    ) -> list[tuple[Chunk, float]]:
        """Return the ``limit`` best passages that a search finds, and what is as good as the last of them.

        Each comes with its value of ``column``. They are found first and read then: none is read beyond the limit, nor
        one that is in memory. ``quick`` is a search that may find fewer; then ``search`` is made, too.
        """

        async def find(query: Any) -> Any:
            return await query.select([column]).with_row_id().to_arrow()

        version, found = await asyncio.gather(_read_version(table), find(search if quick is None else quick))
        if quick is not None and not holds_enough(table, found, limit):
            found = await find(search)
        values = dict(zip(list_places(found), found.column(column).to_pylist(), strict=True))
        order = sorted(values, key=values.__getitem__, reverse=column == "_score")
        best, beyond = order[:limit], order[limit:]
        best += [place for place in beyond if values[place] == values[best[-1]]]
        passages = await self._read_passages(table, version, best)
        if passages is not None:
            return [(passages[place], float(values[place])) for place in best]
        found = await search.select([*CHUNK_FIELDS, column]).to_arrow()
        return [(parse_chunk(row), float(row[column])) for row in found.to_pylist()]

    async def _search_block(self, table: Any, tenant: str, vector: Vector, limit: int) -> list[ScoredChunk] | None:
        """Return the nearest passages of a tenant whose vectors are in memory; None where LanceDB is to search."""
        import numpy as np

        length = float(np.linalg.norm(vector))
        if isinstance(table, PartitionedTable) or not length or not math.isfinite(length):
            return None
        version, block = await self._find_block(table, tenant, len(vector))
        if block is None:
            return None
        if len(block.places) <= COMPARED_AT_ONCE:
            nearest = block.find_best(vector, limit)
        else:
            nearest = await asyncio.to_thread(block.find_best, vector, limit)
        passages = await self._read_passages(table, version, [place for place, _ in nearest])
        if passages is None:
            return None
        return _rank_best([(passages[place], score) for place, score in nearest], "dense", limit)

    async def _find_block(self, table: Any, tenant: str, dim: int) -> tuple[TableVersion, VectorBlock | None]:
        """Return the version of the table, and the vectors of a tenant; None for a table with a vector index.

        They are read again after each change.
        """
        async with self._block_reading.get():
            version = await _read_version(table)
            self._memory.use(version)
            if self._memory.has_block(tenant):
                return version, self._memory.find_block(tenant)
            total = int(await table.count_rows())
            block = None
            if total < ANN_FROM and total * dim * 4 <= MOST_BLOCK_BYTES:
                where = _scope(tenant, "chunk")
                rows = await table.query().where(where).select(["id", "vector"]).with_row_id().to_arrow()
                block = await asyncio.to_thread(VectorBlock.of, rows)
            self._memory.hold_block(version, tenant, block)
            return version, block

    async def _read_passages(self, table: Any, version: TableVersion, places: Sequence[int]) -> dict[int, Chunk] | None:
        """Return the passages at places of a table; None when they have been moved since ``version``."""
        self._memory.use(version)
        passages = self._memory.find_passages(places)
        missing = [place for place in places if place not in passages]
        if not missing:
            return passages
        try:
            found = await table.take_row_ids(missing).select([*CHUNK_FIELDS]).with_row_id().to_arrow()
        except (RuntimeError, ValueError, OSError):
            return None  # upkeep has moved them; what is wrong otherwise is said by the search that follows
        read = {place: parse_chunk(row) for place, row in zip(list_places(found), found.to_pylist(), strict=True)}
        if len(read) < len(missing):
            return None
        self._memory.hold_passages(version, read)
        return passages | read

    async def _choose_look(self, table: Any, where: Any) -> IndexLook | None:
        """Return how to look into the vector index; None to compare every permitted vector.

        That is so without an index and where few are permitted. Else the fewer are permitted the more cells are looked
        into, so that as many permitted vectors are met as without a condition.
        """
        total = await self._count_permitted(table, _ALL_CHUNKS)
        if total < ANN_FROM:
            return None
        permitted = await self._count_permitted(table, where.to_sql())
        permits_nearly_all = permitted >= MOST_PERMITTED * total
        if not permits_nearly_all and permitted <= EXACT_UP_TO:
            return None
        refined = REFINED if permits_nearly_all else REFINED_FILTERED
        probes = min(MOST_PROBES, math.ceil(NPROBES * total / permitted))
        return IndexLook(probes, refined, permits_nearly_all)

    async def _count_permitted(self, table: Any, condition: str) -> int:
        """Return the number of rows that a condition permits; it is counted again after each change of the table."""
        key = digest("condition", condition)  # one of grants may name thousands of documents
        version = await _read_version(table)
        noted = self._permitted.get(key)
        if noted is not None and noted[0] == version:
            self._permitted.move_to_end(key)
            return noted[1]
        count = int(await table.count_rows(condition))
        self._permitted[key] = version, count
        if len(self._permitted) > MOST_COUNTED:
            self._permitted.popitem(last=False)
        return count

    async def counts(self, tenant: str, scope: ReadScope = EVERYTHING) -> tuple[int, int]:
        """Return the numbers of documents and of chunks, see ``ChunkStore``."""
        table = await self._table()
        with self._reading():
            documents = await table.count_rows(_scope(tenant, "document", None, scope).to_sql())
            return documents, await table.count_rows(_scope(tenant, "chunk", None, scope).to_sql())

    async def collections(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, tuple[int, int]]:
        """Return the numbers of documents and chunks of each collection, see ``ChunkStore``."""
        table = await self._table()
        held = await self._select(["collection"], _scope(tenant, "document", None, scope))
        documents = Counter(row["collection"] for row in held)
        with self._reading():
            chunks = {
                name: await table.count_rows(_scope(tenant, "chunk", {"collection": name}, scope).to_sql())
                for name in sorted(documents)
            }
        return {name: (documents[name], chunks[name]) for name in chunks}

    async def version(self, tenant: str) -> str:
        """Return a name of the state of the table, see ``ChunkStore``.

        A table that was made anew counts its versions from one again, so the time of its last commit is part of it.
        """
        table = await self._table()
        with self._reading():
            number = await table.version()
            if self._root.is_remote:
                made_at = self._registered.identify(self.name)
            else:
                noted = GENERATION_FILE if isinstance(table, PartitionedTable) else "_versions"
                made_at = await asyncio.to_thread(self._folder.find_stamp, noted)
        return f"{self.name}:{number}:{made_at}"

    async def open_table(self) -> Any:
        """Return LanceDB's table, or its partitions as one to read from."""
        return await self._table()

    async def health(self) -> ComponentHealth:
        """Return ``degraded`` for doubled keys or a nearly full disk, ``down`` when the table cannot be read."""
        try:
            table = await self._table()
            with self._reading():
                stats = await table.stats()
                unindexed = await count_unindexed(table, "search_text")
        except RomaError as error:
            return ComponentHealth(name="store", state="down", reason=error.message, details={"code": error.code.value})
        note = await self._read_note()
        free = self._root.find_free_bytes()
        details = {
            "rows": stats["num_rows"],
            "bytes": await asyncio.to_thread(self._root.measure, in_blocks=True),
            "live_bytes": stats["total_bytes"],
            "fragments": stats["fragment_stats"]["num_fragments"],
            "partitions": await call_folder(self._root, count_partitions, self._folder),
            "unindexed_rows": unindexed,
            "optimized_at": note.get("at"),
            "doubled_keys": note.get("doubled", 0),
            "free_bytes": free,
        }
        if self._root.is_remote:
            details["address"] = self._root.place
        reasons = [f"{details['doubled_keys']} keys are doubled"] if details["doubled_keys"] else []
        reasons += ["the disk is nearly full"] if free is not None and free < self._min_free else []
        if self._is_replaced():
            embedder = self._registered.register.embedder
            reasons.append(f"the store was made again with ROMA_EMBEDDER={embedder}: start this again")
        return ComponentHealth(
            name="store", state="degraded" if reasons else "ok", reason="; ".join(reasons), details=details
        )

    async def _read_note(self) -> dict[str, Any]:
        """Return what the last upkeep has noted; nothing before the first one."""
        file = await call_folder(self._root, self._root.read, MAINTENANCE_FILE)
        try:
            noted: dict[str, Any] = json.loads(file.text) if file is not None else {}
        except ValueError:
            return {}
        return noted

    async def close(self) -> None:
        """Close the table; the next call opens it again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._memory.clear()

    # The table

    async def _select(self, columns: list[str], where: Any) -> list[dict[str, Any]]:
        table = await self._table()
        with self._reading():
            found: list[dict[str, Any]] = (await table.query().where(where).select(columns).to_arrow()).to_pylist()
        return found

    async def _table(self) -> Any:
        async with self._opening:
            await self._registered.look()
            if not self._is_same_table():
                self._opened = None  # another one may be of another embedder
            if self._opened is None:
                await asyncio.to_thread(load)
                with self._translate_errors():
                    self._opened = await self._open()
                    await self._registered.look(at_once=True)
                    self._identity = self._registered.identify(self.name)
        return self._opened

    @property
    def name(self) -> str:
        """Name of the table that this store reads now."""
        if self._building:
            return self._building
        register = self._registered.register
        fingerprint = self._made_with["fingerprint"]
        return register.current if fingerprint is None else register.choose(str(fingerprint))

    @property
    def _folder(self) -> StoreFolder:
        return table_folder(self._root, self.name)

    def _is_same_table(self) -> bool:
        """Return whether the table that was opened last is still in its place."""
        return self._identity is None or self._registered.identify(self.name) == self._identity

    def _is_replaced(self) -> bool:
        """Return whether this store reads a table that another one has replaced."""
        return not self._building and self.name != self._registered.register.current

    @property
    def _is_for_reading(self) -> bool:
        return self._made_with["fingerprint"] is None

    def _require_current(self) -> None:
        if self._is_for_reading:
            raise StoreError(
                "The store is open for reading alone: it was opened without an embedding model.",
                ErrorCode.STORAGE_MISMATCH,
            )
        if self._is_replaced():
            embedder = self._registered.register.embedder
            raise StoreError(
                f"The store was made again with ROMA_EMBEDDER={embedder}: start this again, without ROMA_EMBEDDER or "
                "with that one.",
                ErrorCode.STORAGE_MISMATCH,
                details={"stored": embedder, "configured": self._made_with["model"]},
            )

    async def _open_retired(self) -> list[Any]:
        """Return the replaced tables that are still on the disk."""
        if self._building:
            return []
        names = [former.name for former in self._registered.register.retired]
        there = [name for name in names if await call_folder(self._root, table_folder(self._root, name).exists)]
        return [await open_stored_table(self._root, name) for name in there]

    async def _sweep_tables(self, *, everything: bool = False) -> bool:
        """Remove replaced tables that no process reads any more; return False when readers did not pause.

        One of another embedder stays for ``BACKUP_AGE``, for processes that were started with it. ``everything``
        removes all, and tables that were never finished unless one is being made. The caller holds the writers' lease.
        """
        if self._building:
            return True
        if everything:
            await remove_unfinished(self._root)
        for former in self._registered.register.retired:
            is_same = former.fingerprint == self._made_with["fingerprint"]
            age_s = time.time() - former.retired_at
            if everything or age_s > (RETIRED_AFTER_S if is_same else BACKUP_AGE.total_seconds()):
                if not self._gate.is_quiet():
                    return False
                leave_out = functools.partial(TableRegister.without, name=former.name)
                await call_folder(self._root, change_register, self._root, leave_out)
                await call_folder(self._root, remove_table, self._root, former.name)
                await self._registered.look(at_once=True)
        return True

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Count as a reader of the table, and translate errors."""
        with self._gate.reading(), self._translate_errors():
            yield

    def _translate_errors(self) -> AbstractContextManager[None]:
        return translate_store_errors(self._root, self._is_same_table)

    async def _open(self) -> Any:
        if self._identity is not None and self._registered.identify(self.name) is None:
            raise self._gone(self.name)
        await call_folder(self._root, self._root.prepare)
        name = self.name
        if not await self._is_there(name):
            if self._is_for_reading:
                raise self._gone(name)
            await self._create(name)
        table = await open_stored_table(self._root, name)
        self._permitted.clear()  # a table that was put back counts its versions from another number on
        self._memory.clear()
        made_with = await read_making(table)
        self._tokenizer = str(made_with.get("tokenizer", TOKENIZER))
        is_other = any(made_with.get(key) != self._made_with[key] for key in ("fingerprint", "dim"))
        if is_other and not self._is_for_reading:
            stored, own = made_with.get("model") or "unknown", self._made_with["model"]
            message = (
                f"The vectors of the store were made by another version of {own!r}: run `roma reindex`."
                if stored == own
                else f"The store was built with the embedding model {stored!r}, not with {own!r}: set ROMA_EMBEDDER "
                "back, run `roma reindex`, or ingest into another ROMA_WORKSPACE."
            )
            raise StoreError(
                message,
                ErrorCode.STORAGE_MISMATCH,
                details={"stored": made_with.get("model"), "configured": self._made_with["model"]},
            )
        if not await migrations.is_current(table):
            self._require_room()
            async with self._root.lock(self._lock_file, self._lease_s):
                await bring_table_up_to_date(table, self._folder)
        return table

    def _gone(self, name: str) -> GoneError:
        return GoneError(Path(table_folder(self._root, name).uri))

    async def _is_there(self, name: str) -> bool:
        """Return whether a table is there; the beginning of partitions that were never published is none."""
        folder = table_folder(self._root, name)
        if await call_folder(folder, is_partitioned, folder):
            return True
        names = (await (await connect(self._root)).list_tables()).tables
        if name not in names:
            return False
        return self._new_partitions == 1 or await call_folder(folder, folder.child("_versions").exists)

    async def _create(self, name: str) -> None:
        self._require_room()
        others = [] if self._building else await call_folder(self._root, list_unfinished, self._root)
        if not self._building and (name != FIRST_TABLE or others):
            raise self._gone(name)  # an empty table would hide the others
        async with self._root.lock(self._lock_file, self._lease_s):
            if await self._is_there(name):
                return
            made_with = self._made_with | (self._recipe if self._building else {})
            layout, folder = schema(self._dim, made_with), table_folder(self._root, name)
            if self._new_partitions > 1:
                tables = await create_partitions(await connect(folder), layout, self._new_partitions)
            else:
                tables = [await (await connect(self._root)).create_table(name, schema=layout)]
            for table in tables:
                await table.create_index("search_text", config=migrations.text_index(self._tokenizer))
            await call_folder(folder, folder.mark)
            if self._new_partitions > 1:
                await publish_new(folder, tables)

    def _require_room(self, needed_bytes: int = 0) -> None:
        free = self._root.find_free_bytes()
        if free is not None and free < self._min_free + needed_bytes:
            needed_mb = needed_bytes >> 20
            raise StoreError(
                f"The disk has {free >> 20} MB left and ROMA_MIN_FREE_MB asks for {self._min_free >> 20}"
                + (f" beside {needed_mb} MB for this" if needed_mb else "")
                + "; free some room and run it again.",
                ErrorCode.STORAGE_FULL,
                details={"free_bytes": free},
            )


def open_for_reading(place: Path | StoreFolder) -> ChunkStore:
    """Return the store in a folder as it is, whatever embedding model made it; an empty one where there is none.

    >>> open_for_reading(workspace.store)  # doctest: +SKIP
    """
    folder = open_folder(place)
    if not table_folder(folder, read_register(folder).current).exists():
        return InMemoryStore()
    return LanceStore(folder, fingerprint=None)


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


async def _read_blocks(table: Any) -> AsyncIterator[Any]:
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


def load() -> None:
    """Import LanceDB. It takes seconds, so call it in a thread: an event loop has other tasks."""
    importlib.import_module("lancedb.expr")


async def _write_rows_again(table: Any) -> None:
    """Write every row into new files, as it is: what was deleted is in the old ones alone."""
    await table.update(updates_sql={"kind": "kind"})


async def _read_version(table: Any) -> TableVersion:
    """Return what names the present state of a table."""
    return str(table.name), int(await table.version())


def _add_scores(hits: list[tuple[Chunk, float]], more: list[tuple[Chunk, float]]) -> list[tuple[Chunk, float]]:
    """Return the passages of both lists; one that is in both has the sum of its scores."""
    scores: dict[str, float] = {}
    passages: dict[str, Chunk] = {}
    for passage, score in (*hits, *more):
        passages[passage.id] = passage
        scores[passage.id] = scores.get(passage.id, 0.0) + score
    return [(passage, scores[key]) for key, passage in passages.items()]


def _rank_best(found: Iterable[tuple[Chunk, float]], retriever: str, limit: int) -> list[ScoredChunk]:
    """Return the ``limit`` best passages, ties by id."""
    scored = ((passage, score, {retriever: score}) for passage, score in found)
    return rank_chunks(scored, retriever, limit=limit)


# Conditions


def _scope(tenant: str, kind: Kind | None, filters: Filters | None = None, permitted: ReadScope = EVERYTHING) -> Any:
    """Return the condition for tenant, kind, filters, and what the caller may read.

    Every query passes here. Values are literals of an expression, never SQL text.
    """
    from lancedb.expr import col, lit

    wanted = parse_filters(filters)
    where = col("tenant") == lit(tenant)
    if kind is not None:
        where = where & (col("kind") == lit(kind))
    for column in ("document_id", "uri", "type", "language", "collection"):
        values = getattr(wanted, column)
        if values is not None:
            where = where & _one_of(column, values)
    if wanted.uri_prefix is not None:
        where = where & (col("uri") >= lit(wanted.uri_prefix))
        after = next_prefix(wanted.uri_prefix)
        where = where & (col("uri") < lit(after)) if after else where
    if permitted.collections is not None:
        where = where & (_one_of("collection", permitted.collections) if permitted.collections else lit(False))
    for column, withheld in (("collection", permitted.closed), ("document_id", permitted.hidden)):
        if withheld:
            where = where & ~_one_of(column, withheld)
    return where & _facts_condition(wanted) if _has_facts(wanted) else where


def _has_facts(wanted: Conditions) -> bool:
    return any((wanted.author, wanted.after, wanted.before, wanted.source, wanted.section))


def _facts_condition(wanted: Conditions) -> Any:
    """Return the condition for names, dates and parts of texts."""
    from lancedb.expr import col, lit

    conditions: list[Any] = []
    if wanted.author is not None:
        names = [
            _all_of([col("author_words").contains(lit(join_words([word]))) for word in name]) for name in wanted.author
        ]
        conditions.append(_any_of(names))
    if wanted.after is not None:
        conditions.append(col("date") >= lit(wanted.after))
    if wanted.before is not None:
        conditions.append((col("date") > lit("")) & (col("date") < lit(wanted.before)))
    if wanted.source is not None:
        conditions.append(_any_of([col("place_words").contains(lit(part)) for part in wanted.source]))
    if wanted.section is not None:
        conditions.append(_any_of([col("section").contains(lit(part)) for part in wanted.section]))
    return _all_of(conditions)


def _all_of(conditions: Sequence[Any]) -> Any:
    return functools.reduce(operator.and_, conditions)


def _any_of(conditions: Sequence[Any]) -> Any:
    from lancedb.expr import lit

    return functools.reduce(operator.or_, conditions) if conditions else lit(False)


def _one_of(column: str, values: Sequence[str]) -> Any:
    from lancedb.expr import col, lit

    return col(column).isin([lit(value) for value in values]) if values else lit(False)


def next_prefix(prefix: str) -> str:
    """Return the least string above all that begin with ``prefix``; empty without one. LIKE has wildcards."""
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i])
        if code < 0x10FFFF:
            return prefix[:i] + chr(0xE000 if code == 0xD7FF else code + 1)  # surrogates are no characters
    return ""


# Files and errors


_FULL = ("os error 28", "os error 122", "no space left", "quota exceeded")
_DAMAGED = ("not found:", "corrupt", "invalid magic", "unexpected end of file", "failed to decode")


def _explain(error: Exception, place: str) -> str:
    """Return the sentence for a refusal, whose number stands in the text of LanceDB's errors alone."""
    number = re.search(r"(?:os error |\bcode: )(\d+)", str(error))
    refused = OSError(int(number[1]), "", place) if number else error
    return (
        explain_environment(refused) or f"The store in {place} could not be read or written ({type(error).__name__})."
    )


@contextmanager
def translate_store_errors(folder: StoreFolder, same: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Translate errors of LanceDB, which are RuntimeError, ValueError or OSError with the reason in their text alone.

    A missing file means damage only while the table is still the one that was opened.
    """
    try:
        yield
    except RomaError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, GoneError) or not same():
            raise StoreError("The store's folder is gone or another one; put it back and ask again.") from error
        explained = folder.explain(error)
        if explained is not None:
            raise explained from error
        reason = str(error).lower()
        if any(sign in reason for sign in _FULL):
            raise StoreError(DISK_FULL, ErrorCode.STORAGE_FULL) from error
        code = ErrorCode.STORAGE_CORRUPT if any(s in reason for s in _DAMAGED) else ErrorCode.STORAGE_UNAVAILABLE
        raise StoreError(
            _explain(error, folder.place),
            code,
            details={"exception": type(error).__name__},
        ) from error
