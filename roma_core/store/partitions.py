"""A table of passages in several partitions: a document and its passages lie where the hash of its id says.

The folder ``passages-2.lance`` is then no LanceDB table but holds one for each partition, and beside them the file of
the *generation*: the version of each partition that counts. A change commits to the partitions one after the other and
ends with a new generation, so a reader sees all of it or nothing. Versions after the generation are of a writer that
was killed; the next one takes them back. Each partition has indices of its own; a search asks all of them side by side,
and the best of their best are the best.

>>> choose_partition_count(rows=2_500_000, most_rows=1_000_000)
4
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from roma_core.errors import ErrorCode, StoreError
from roma_core.store.folder import SmallFile, Stamp, StoreFolder, call_folder
from roma_core.types import digest

T = TypeVar("T")

GENERATION_FILE: Final = "generation.json"
MOST_PARTITIONS: Final = 256
ROW: Final = "_rowid"
"""LanceDB's column of the numbers of rows."""
PARTITION: Final = "_partition"
"""Column of the numbers of partitions beside it."""
_ROWS: Final = 1 << 64
"""Numbers that a row of a partition may have."""
QUERY_STEPS: Final = frozenset(
    {
        *("where", "select", "limit", "with_row_id", "nearest_to", "nearest_to_text"),
        *("distance_type", "bypass_vector_index", "nprobes", "refine_factor", "postfilter"),
    }
)
"""Methods by which a query of LanceDB's is put together, as far as they may be asked of several tables."""
RETRIES: Final = 5
RETRY_S: Final = 0.05
"""A read whose versions were removed while it began is taken again from the newest generation."""


class Partition(NamedTuple):
    """One LanceDB table and its folder."""

    table: Any
    folder: StoreFolder


@dataclass(frozen=True)
class Generation:
    """The versions of the partitions that count, by the partitions' numbers."""

    number: int
    versions: tuple[int, ...]


@dataclass(frozen=True)
class Snapshot:
    """Open tables at the versions of a generation."""

    file: SmallFile
    """Of the generation."""
    generation: Generation
    tables: tuple[Any, ...]


def choose_partition_count(rows: int, most_rows: int) -> int:
    """Return the number of partitions, a power of two, of which each holds up to ``most_rows``; 0 is no bound."""
    count = 1
    while most_rows and count < MOST_PARTITIONS and rows > count * most_rows:
        count *= 2
    return count


def find_partition(document_id: str, count: int) -> int:
    """Return the number of the partition of a document.

    >>> find_partition("any", 1)
    0
    """
    return int(digest("partition", document_id)[:12], 16) % count


def is_partitioned(folder: StoreFolder) -> bool:
    """Return whether the folder of a table holds partitions."""
    return folder.find_stamp(GENERATION_FILE) is not None


def count_partitions(folder: StoreFolder) -> int:
    """Return the number of partitions that the folder of a table holds; one for a table without."""
    file = folder.read(GENERATION_FILE)
    return 1 if file is None else len(read_generation(file.text, folder).versions)


async def create_partitions(connection: Any, schema: Any, count: int) -> list[Any]:
    """Make the partitions of a new table, which is there once ``publish_new`` has been called; return them.

    A process may be killed meanwhile: what is there already is taken as it is.
    """
    present = set((await connection.list_tables()).tables)
    names = [name_partition(number) for number in range(count)]
    return [
        await connection.open_table(name) if name in present else await connection.create_table(name, schema=schema)
        for name in names
    ]


async def publish_new(folder: StoreFolder, tables: Collection[Any]) -> None:
    """Make partitions that were created the table of the folder."""
    first = Generation(1, tuple([await each.version() for each in tables]))
    await asyncio.to_thread(write_generation, folder, first, None)


def read_generation(text: str, folder: StoreFolder) -> Generation:
    """Return the generation that a file's text holds. Raises ``StoreError`` (corrupt)."""
    try:
        values = json.loads(text)
        return Generation(int(values["number"]), tuple(int(version) for version in values["versions"]))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"The file {folder.name}/{GENERATION_FILE} of the store cannot be read; put a copy of it back, or move the "
            "folder `store` away and ingest again.",
            ErrorCode.STORAGE_CORRUPT,
        ) from error


def write_generation(folder: StoreFolder, generation: Generation, stamp: Stamp | None) -> Stamp:
    """Replace the generation that has ``stamp``, and return its new one.

    After a crash there is the one before or this one, whole. Raises ``StoreError`` (locked) when another writer has
    published one meanwhile.
    """
    values = {"number": generation.number, "versions": list(generation.versions)}
    return folder.exchange(GENERATION_FILE, json.dumps(values), stamp)


def name_partition(number: int) -> str:
    """Return the name of a partition in the folder of its table."""
    return f"part-{number}"


class PartitionedTable:
    """Partitions as one table, for reading: the methods of LanceDB's table that the store reads with.

    ``connection`` is one to ``folder``. Every call reads the newest generation.
    """

    def __init__(self, folder: StoreFolder, connection: Any) -> None:
        self._folder = folder
        self._connection = connection
        self._snapshot: Snapshot | None = None
        self._opening = asyncio.Lock()
        self._written: Stamp | None = None
        """Of the generation that this process has begun to change, or has published last."""

    @property
    def name(self) -> str:
        """Name of the table, which its partitions share."""
        return self._folder.name.removesuffix(".lance")

    async def checkout_latest(self) -> None:
        """Read the newest generation, as every other call does."""
        await self.open_snapshot()

    async def open_snapshot(self) -> Snapshot:
        """Return the tables of the newest generation."""
        async with self._opening:
            file = await self._read_file()
            if self._snapshot is None or self._snapshot.file != file:
                self._snapshot = await self._open(file)
            return self._snapshot

    async def _read_file(self) -> SmallFile:
        file = await call_folder(self._folder, self._folder.read, GENERATION_FILE)
        if file is None:
            raise FileNotFoundError(GENERATION_FILE)
        return file

    async def _open(self, file: SmallFile) -> Snapshot:
        generation = read_generation(file.text, self._folder)
        former = self._snapshot
        tables: list[Any] = []
        for number, version in enumerate(generation.versions):
            if former is not None and former.generation.versions[number] == version:
                tables.append(former.tables[number])
                continue
            table = await self._connection.open_table(name_partition(number))
            await table.checkout(version)
            tables.append(table)
        return Snapshot(file, generation, tuple(tables))

    async def read(self, ask: Callable[[Any], Awaitable[T]]) -> list[T]:
        """Return what ``ask`` answers about each partition of one generation.

        >>> await table.read(lambda partition: partition.count_rows())  # doctest: +SKIP
        [3, 4]
        """
        return await self.read_numbered(lambda _, table: ask(table))

    async def read_numbered(self, ask: Callable[[int, Any], Awaitable[T]]) -> list[T]:
        """Return what ``ask`` answers about each partition of one generation, given its number and its table."""
        attempt = 0
        while True:
            attempt += 1
            before = await self._read_file()
            try:
                snapshot = await self.open_snapshot()
                return list(await asyncio.gather(*itertools.starmap(ask, enumerate(snapshot.tables))))
            except (RuntimeError, ValueError, OSError):
                # Upkeep may have removed a version between the look at the generation and the read.
                await asyncio.sleep(RETRY_S)
                if attempt == RETRIES or await self._read_file() == before:
                    raise

    def query(self) -> PartitionedQuery:
        """Return a query of all partitions."""
        return PartitionedQuery(self)

    def take_row_ids(self, places: Collection[int]) -> PartitionedQuery:
        """Return a query of the rows at places, see ``list_places``."""
        return PartitionedQuery(self, places=places)

    def count_open(self) -> int:
        """Return the number of partitions that were read last."""
        return len(self._snapshot.tables) if self._snapshot is not None else 0

    async def count_rows(self, condition: str | None = None) -> int:
        """Return the number of rows of all partitions that a condition permits."""
        return sum(await self.read(lambda table: table.count_rows(condition)))

    async def version(self) -> int:
        """Return the number of the generation."""
        return (await self.open_snapshot()).generation.number

    async def schema(self) -> Any:
        """Return the Arrow schema, which all partitions share."""
        return await (await self.open_snapshot()).tables[0].schema()

    async def stats(self) -> dict[str, Any]:
        """Return rows, bytes and fragments of all partitions, named as LanceDB names them."""
        parts = await self.read(lambda table: table.stats())
        return {
            "num_rows": sum(part["num_rows"] for part in parts),
            "total_bytes": sum(part["total_bytes"] for part in parts),
            "fragment_stats": {"num_fragments": sum(part["fragment_stats"]["num_fragments"] for part in parts)},
        }

    async def count_unindexed(self, column: str) -> int:
        """Return the number of rows that the partitions' indices of ``column`` lack."""
        return sum(await self.read(lambda table: count_unindexed(table, column)))

    def close(self) -> None:
        """Close all partitions."""
        for table in self._snapshot.tables if self._snapshot is not None else ():
            table.close()
        self._snapshot = None

    async def open_for_writing(self) -> tuple[Partition, ...]:
        """Return the partitions at their newest versions, without what a writer that was killed has left there.

        The caller holds the writers' lease.
        """
        snapshot = await self.open_snapshot()
        self._written = snapshot.file.stamp
        generation = snapshot.generation
        partitions: list[Partition] = []
        for number, version in enumerate(generation.versions):
            name = name_partition(number)
            table = await self._connection.open_table(name)
            if int(await table.version()) != version:
                await table.checkout(version)
                await table.restore()
            partitions.append(Partition(table, self._folder.child(f"{name}.lance")))
        return tuple(partitions)

    async def publish(self, partitions: Collection[Partition]) -> None:
        """Let the present versions of the partitions count from now on."""
        former = (await self.open_snapshot()).generation
        versions = tuple([int(await partition.table.version()) for partition in partitions])
        if versions != former.versions:
            fresh = Generation(former.number + 1, versions)
            self._written = await asyncio.to_thread(write_generation, self._folder, fresh, self._written)


class PartitionedQuery:
    """A query of several tables: the steps of LanceDB's query, taken in each of them; rows come without an order.

    With row ids, the column ``PARTITION`` says in which table each is. With ``places``, the rows there are read.
    """

    def __init__(
        self,
        table: PartitionedTable,
        steps: tuple[tuple[str, tuple[Any, ...]], ...] = (),
        places: Collection[int] | None = None,
    ) -> None:
        self._table = table
        self._steps = steps
        self._places = places

    def __getattr__(self, name: str) -> Any:
        if name not in QUERY_STEPS:
            raise AttributeError(name)
        return lambda *values: PartitionedQuery(self._table, (*self._steps, (name, values)), self._places)

    async def to_arrow(self) -> Any:
        """Return the rows of all partitions."""
        import pyarrow as pa

        return pa.concat_tables(await self._table.read_numbered(self._ask))

    async def _ask(self, number: int, table: Any) -> Any:
        import pyarrow as pa

        query = table.query() if self._places is None else table.take_row_ids(self._list_rows(number))
        for name, values in self._steps:
            query = getattr(query, name)(*values)
        found = await query.to_arrow()
        if ROW not in found.column_names:
            return found
        return found.append_column(PARTITION, pa.array([number] * len(found), type=pa.int64()))

    def _list_rows(self, number: int) -> list[int]:
        """Return the rows of one partition among the places."""
        return [place % _ROWS for place in self._places or () if place // _ROWS == number]


def list_places(found: Any) -> list[int]:
    """Return the place in the table of each row of an Arrow table with row ids: a number for ``take_row_ids``."""
    rows: list[int] = found.column(ROW).to_pylist()
    if PARTITION not in found.column_names:
        return rows
    return [number * _ROWS + row for number, row in zip(found.column(PARTITION).to_pylist(), rows, strict=True)]


def holds_enough(table: Any, found: Any, limit: int) -> bool:
    """Return whether a search has found ``limit`` rows, in each partition where the table has some."""
    if not isinstance(table, PartitionedTable):
        return len(found) >= limit
    counts = Counter(found.column(PARTITION).to_pylist())
    return all(counts[number] >= limit for number in range(table.count_open()))


class WritableTable(NamedTuple):
    """A table while it is changed; one without partitions is the only partition of its own."""

    partitions: tuple[Partition, ...]
    whole: PartitionedTable | None = None

    def spread(self, rows: Any, ids: Collection[str]) -> Iterator[tuple[Partition, Any, set[str]]]:
        """Yield the partitions of some documents, each with its part of the rows and of the ids."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        count = len(self.partitions)
        if count == 1:
            yield self.partitions[0], rows, set(ids)
            return
        numbers = {id_: find_partition(id_, count) for id_ in ids}
        encoded = pc.dictionary_encode(rows.column("document_id").combine_chunks())
        of_value = np.array([find_partition(id_, count) for id_ in encoded.dictionary.to_pylist()], dtype=np.int64)
        places = of_value[encoded.indices.to_numpy(zero_copy_only=False)] if len(rows) else of_value
        for number in sorted({*numbers.values(), *(int(place) for place in np.unique(places))}):
            own_ids = {id_ for id_, place in numbers.items() if place == number}
            yield self.partitions[number], rows.filter(pa.array(places == number)), own_ids

    async def publish(self) -> None:
        """Show readers what has been changed so far; without partitions they see it already."""
        if self.whole is not None:
            await self.whole.publish(self.partitions)


@asynccontextmanager
async def open_for_writing(table: Any, folder: StoreFolder) -> AsyncIterator[WritableTable]:
    """Yield a table, with or without partitions, to change it; what was changed counts when the block ends well.

    The caller holds the writers' lease. A change that failed in between is taken back by the next one.
    """
    if isinstance(table, PartitionedTable):
        writable = WritableTable(await table.open_for_writing(), table)
    else:
        await table.checkout_latest()
        writable = WritableTable((Partition(table, folder),))
    yield writable
    await writable.publish()


async def find_index(table: Any, column: str) -> Any:
    """Return the index of a column of a LanceDB table; None without one."""
    return next((index for index in await table.list_indices() if list(index.columns) == [column]), None)


async def count_unindexed(table: Any, column: str) -> int:
    """Return the number of rows that the index of ``column`` lacks (all when there is no index)."""
    if isinstance(table, PartitionedTable):
        return await table.count_unindexed(column)
    index = await find_index(table, column)
    return int(index.num_unindexed_rows or 0) if index else int(await table.count_rows())
