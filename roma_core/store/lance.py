"""LanceDB in a folder or a bucket: vectors, BM25 and the documents' text in one table, safe with several processes.

One table holds a row for each document and for each chunk, so that one commit replaces a document with its chunks and
no reader ever sees half of it. LanceDB's own upsert doubles keys when two writers meet; here every write holds the
folder's lock, keys are declared as primary key, and the upsert never trusts an index (``use_index(False)``).
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from roma_core.errors import ErrorCode, RomaError, StoreError
from roma_core.store import compaction, migrations
from roma_core.store.allocator import return_freed_memory, trim_memory_eagerly
from roma_core.store.base import ChunkStore, EmbeddedDocument, Filters, hash_chunks
from roma_core.store.compaction import (
    MAINTENANCE_FILE,
    check_keys,
    compact_table,
    extend_indices,
    maintain_partition,
    remove_old_versions,
    write_rows_again,
)
from roma_core.store.conditions import build_scope, is_one_of
from roma_core.store.filters import Conditions, parse_filters
from roma_core.store.folder import Stamp, StoreFolder, call_folder, open_folder
from roma_core.store.inmemory import InMemoryStore
from roma_core.store.lance_errors import translate_store_errors
from roma_core.store.lexical import TOKENIZER
from roma_core.store.partitions import (
    GENERATION_FILE,
    PartitionedTable,
    WritableTable,
    choose_partition_count,
    count_partitions,
    count_unindexed,
    create_partitions,
    is_partitioned,
    open_for_writing,
    publish_new,
)
from roma_core.store.passages import DocumentOwner, PassageMemory
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
from roma_core.store.rows import CHUNK_FIELDS, FACT_FIELDS, KEY_COLUMNS, parse_chunk, parse_facts, rows, schema
from roma_core.store.search import TableSearch
from roma_core.store.shards import check_rows
from roma_core.store.tables import (
    BUILDER_LOCK,
    REINDEX_LOCK,
    WRITER_LOCK,
    bring_table_up_to_date,
    connect,
    hold_if_free,
    load,
    open_stored_table,
    read_blocks,
    read_making,
    read_making_of,
    read_version,
    remove_unfinished,
)
from roma_core.store.together import ReadTogether
from roma_core.store.upkeep import MOST_UNINDEXED
from roma_core.types import EVERYTHING, Chunk, ComponentHealth, Document, DocumentFacts, ReadScope, ScoredChunk
from roma_core.workspace import GoneError

if TYPE_CHECKING:
    from roma_core.types import Vector, Vectors

T = TypeVar("T")

STREAMED = 32
"""Documents that are read at once."""
MOST_NAMED_IDS = 1000
"""Documents that a condition names without a look at which of them are there."""
RETIRED_AFTER_S = 60.0
"""Time for which a replaced table stays: a read that began with it has long ended then."""


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
        self._search = TableSearch(self._memory)

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
                await self._delete_from_retired(build_scope(tenant, None) & is_one_of("document_id", sorted(removed)))
            self._written_rows += len(fresh)
            if self._written_rows >= MOST_UNINDEXED:
                self._written_rows = 0
                await extend_indices(table)

        await self._write(merge)

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
            stale = build_scope(tenant, None) & is_one_of("document_id", sorted(ids))
            return stale if await table.count_rows(stale.to_sql()) else None
        held = await table.query().where(build_scope(tenant, "document")).select(["document_id"]).to_arrow()
        there = sorted(ids & set(held.column("document_id").to_pylist()))
        return build_scope(tenant, None) & is_one_of("document_id", there) if there else None

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Remove documents with their chunks, see ``ChunkStore``."""
        ids = sorted(set(document_ids))
        if not ids:
            return 0

        where = build_scope(tenant, None) & is_one_of("document_id", ids)

        async def remove(table: WritableTable) -> int:
            removed = 0
            for partition in table.partitions:
                documents = (build_scope(tenant, "document") & is_one_of("document_id", ids)).to_sql()
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
            done = {await maintain_partition(partition, self._tokenizer) for partition in table.partitions} - {"none"}
            if done:
                await check_keys(table, self._root)
            if "rewrite" in done:
                await remove_old_versions(table, self._gate)
                await self._sweep_tables()

        await self._write(maintain_if_due)

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
                    await write_rows_again(partition)
            await self._maintain(table, rebuilds=True)
            is_clean = await remove_old_versions(table, self._gate, removes_unverified=True)
            if not is_clean or not await self._sweep_tables(everything=True):
                raise StoreError(
                    "Older versions of the store cannot be removed while it is read; run this again.",
                    ErrorCode.STORAGE_LOCKED,
                )

        await self._write(rewrite)

    async def _maintain(self, table: WritableTable, *, rebuilds: bool = False) -> None:
        with trim_memory_eagerly():
            for partition in table.partitions:
                await compact_table(partition.table, self._tokenizer, rebuilds=rebuilds)
        await check_keys(table, self._root)
        await remove_old_versions(table, self._gate)
        await self._sweep_tables()

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
                async for rows in read_blocks(partition):
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
            version = await read_version(table)
        self._memory.use(version)
        found = self._memory.find_documents(owner, ids)
        missing = sorted(ids - found.keys())
        for i in range(0, len(missing), STREAMED):
            where = build_scope(tenant, "document", None, scope) & is_one_of("document_id", missing[i : i + STREAMED])
            rows = await self._select(["document_id", "payload"], where)
            read = {str(row["document_id"]): Document.model_validate_json(row["payload"]) for row in rows}
            self._memory.hold_documents(version, owner, read)
            found |= read
        return found

    async def documents(self, tenant: str, scope: ReadScope = EVERYTHING) -> AsyncIterator[Document]:
        """Yield the documents by id, a few dozen rows at a time, see ``ChunkStore``."""
        await self._table()
        permitted = await self._select(["document_id"], build_scope(tenant, "document", None, scope))
        ids = sorted(str(row["document_id"]) for row in permitted)
        for i in range(0, len(ids), STREAMED):
            where = build_scope(tenant, "document") & is_one_of("document_id", ids[i : i + STREAMED])
            found = await self._select(["document_id", "payload"], where)
            for row in sorted(found, key=lambda row: str(row["document_id"])):
                yield Document.model_validate_json(row["payload"])

    async def contents(self, tenant: str) -> dict[str, str]:
        """Return the content hashes by document id, see ``ChunkStore``."""
        await self._table()
        found = await self._select(["document_id", "content_sha256"], build_scope(tenant, "document"))
        return {row["document_id"]: row["content_sha256"] for row in found}

    async def facts(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, DocumentFacts]:
        """Return the facts by document id from their columns, see ``ChunkStore``."""
        await self._table()
        found = await self._select(["document_id", *FACT_FIELDS], build_scope(tenant, "document", None, scope))
        return {str(row.pop("document_id")): parse_facts(row) for row in found}

    async def permitted_ids(self, tenant: str, document_ids: Iterable[str], scope: ReadScope) -> frozenset[str]:
        """Return which documents are there and permitted, see ``ChunkStore``."""
        wanted = sorted(set(document_ids))
        if not wanted:
            return frozenset()
        await self._table()
        where = build_scope(tenant, "document", None, scope) & is_one_of("document_id", wanted)
        return frozenset(str(row["document_id"]) for row in await self._select(["document_id"], where))

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the chunks of a document by start, see ``ChunkStore``."""
        await self._table()
        where = build_scope(tenant, "chunk") & is_one_of("document_id", [document_id])
        found = [parse_chunk(row) for row in await self._select(list(CHUNK_FIELDS), where)]
        return sorted(found, key=lambda chunk: (chunk.start, chunk.id))

    async def passages(self, tenant: str) -> AsyncIterator[Chunk]:
        """Yield all chunks, those of a few dozen documents at a time, see ``ChunkStore``."""
        ids = sorted(await self.contents(tenant))
        for i in range(0, len(ids), STREAMED):
            where = build_scope(tenant, "chunk") & is_one_of("document_id", ids[i : i + STREAMED])
            found = [parse_chunk(row) for row in await self._select(list(CHUNK_FIELDS), where)]
            for chunk in sorted(found, key=lambda chunk: (chunk.document_id, chunk.start, chunk.id)):
                yield chunk

    async def index_sha256(self, tenant: str) -> str:
        """Return the hash of the tenant's chunks, see ``ChunkStore``."""
        await self._table()
        found = await self._select(list(CHUNK_FIELDS), build_scope(tenant, "chunk"))
        return await asyncio.to_thread(lambda: hash_chunks(parse_chunk(row) for row in found))

    async def lexical(
        self, tenant: str, text: str, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by BM25, see ``ChunkStore`` and ``TableSearch``."""
        table = await self._table()
        where = build_scope(tenant, "chunk", filters, scope)
        if not text.strip():
            return []
        with self._reading():
            return await self._search.match_words(table, tenant, text, where, limit)

    async def dense(
        self, tenant: str, vector: Vector, *, limit: int, filters: Filters | None = None, scope: ReadScope = EVERYTHING
    ) -> list[ScoredChunk]:
        """Return the best chunks by cosine similarity, see ``ChunkStore``."""
        table = await self._table()
        where = build_scope(tenant, "chunk", filters, scope)
        with self._reading():
            if parse_filters(filters) == Conditions() and scope.is_everything:
                best = await self._search.find_in_memory(table, tenant, vector, limit)
                if best is not None:
                    return best
            return await self._search.find_nearest(table, vector, where, limit)

    async def counts(self, tenant: str, scope: ReadScope = EVERYTHING) -> tuple[int, int]:
        """Return the numbers of documents and of chunks, see ``ChunkStore``."""
        table = await self._table()
        with self._reading():
            documents = await table.count_rows(build_scope(tenant, "document", None, scope).to_sql())
            return documents, await table.count_rows(build_scope(tenant, "chunk", None, scope).to_sql())

    async def collections(self, tenant: str, scope: ReadScope = EVERYTHING) -> dict[str, tuple[int, int]]:
        """Return the numbers of documents and chunks of each collection, see ``ChunkStore``."""
        table = await self._table()
        held = await self._select(["collection"], build_scope(tenant, "document", None, scope))
        documents = Counter(row["collection"] for row in held)
        with self._reading():
            chunks = {
                name: await table.count_rows(build_scope(tenant, "chunk", {"collection": name}, scope).to_sql())
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
            if everything or age_s > (RETIRED_AFTER_S if is_same else compaction.BACKUP_AGE.total_seconds()):
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
        self._search.clear()
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
