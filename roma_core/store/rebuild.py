"""A new table beside the one in use: filled from the stored texts, brought up with it, then put in its place.

Readers and writers of the table in use are disturbed at no time; what they change meanwhile is caught up with. A build
that was cut short goes on where it was, as each commit holds whole documents::

    async with TableBuild(folder, target) as build:
        difference = await build.compare()
        for entry in await build.read(difference.missing[:64]):
            await build.write(entry.tenant, [...])
        async with build.hold_writers():
            ...  # catch up with the last changes
            await build.put_in_place()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from roma_core.errors import ErrorCode, NotFoundError, StoreError
from roma_core.store import migrations
from roma_core.store.base import EmbeddedDocument
from roma_core.store.folder import StoreFolder, call_folder, open_folder
from roma_core.store.lance import LanceStore
from roma_core.store.lance_errors import translate_store_errors
from roma_core.store.lexical import TOKENIZER
from roma_core.store.partitions import choose_partition_count, count_partitions
from roma_core.store.register import (
    TableRegister,
    change_register,
    list_unfinished,
    name_next_table,
    read_register,
    remove_table,
    table_folder,
)
from roma_core.store.rows import CHUNK_FIELDS, parse_chunk
from roma_core.store.tables import (
    REINDEX_LOCK,
    WRITER_LOCK,
    bring_table_up_to_date,
    open_stored_table,
    read_making,
    read_making_of,
)
from roma_core.types import Document, digest

if TYPE_CHECKING:
    from roma_core.types import Vectors


@dataclass(frozen=True)
class BuildTarget:
    """The table that is wanted. ``recipe`` names how passages are cut, and is empty where they stay as they are."""

    fingerprint: str
    dim: int
    model: str
    embedder: str
    """The value of ``ROMA_EMBEDDER``."""
    tokenizer: str = TOKENIZER
    recipe: str = ""


class DocumentKey(NamedTuple):
    """A document of one of the tenants."""

    tenant: str
    document_id: str


class StoredDocument(NamedTuple):
    """A document of the table in use, with its passages and their vectors."""

    tenant: str
    entry: EmbeddedDocument


@dataclass(frozen=True)
class TableDifference:
    """Documents that the new table lacks or has otherwise, those that it has too many, and the number of all."""

    missing: tuple[DocumentKey, ...]
    gone: tuple[DocumentKey, ...]
    total: int


class TableBuild:
    """One build, by one process at a time. Raises ``StoreError``; the table in use stays as it is then.

    ``NotFoundError`` when nothing was ever stored.
    """

    def __init__(
        self,
        place: Path | StoreFolder,
        target: BuildTarget,
        *,
        lease_s: float = 120.0,
        min_free_mb: int = 0,
        partition_rows: int = 0,
    ) -> None:
        self._folder = folder = open_folder(place)
        self._target = target
        self._lease_s = lease_s
        self._min_free_mb = min_free_mb
        self._partition_rows = partition_rows
        self._lock = folder.lock(REINDEX_LOCK, 0.0)
        self._source: Any = None
        self._former: dict[str, Any] = {}
        self._name = ""
        self._store: LanceStore

    async def __aenter__(self) -> Self:
        register = await call_folder(self._folder, read_register, self._folder)
        in_use = table_folder(self._folder, register.current)
        if not await call_folder(self._folder, in_use.exists):
            raise NotFoundError("The store is empty: there is nothing to index again.")
        try:
            await self._lock.__aenter__()
        except StoreError as error:
            if error.code is not ErrorCode.STORAGE_LOCKED:
                raise
            raise StoreError("Another reindex is at work; wait for its end.", ErrorCode.STORAGE_LOCKED) from None
        try:
            with translate_store_errors(self._folder):
                self._source = await self._open_source(register.current)
                self._former = await read_making(self._source)
                rows = int(await self._source.count_rows())
                partitions = choose_partition_count(rows, self._partition_rows)
                self._name = await self._choose_name(partitions)
        except BaseException:
            await self._lock.__aexit__(None, None, None)
            raise
        target = self._target
        self._store = LanceStore(
            self._folder,
            fingerprint=target.fingerprint,
            dim=target.dim,
            model=target.model,
            lease_s=self._lease_s,
            min_free_mb=self._min_free_mb,
            building=self._name,
            tokenizer=target.tokenizer,
            recipe=target.recipe,
            partitions=partitions,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._store.close()
        self._source.close()
        await self._lock.__aexit__(kind, error, trace)

    @property
    def keeps_vectors(self) -> bool:
        """Return whether vectors of the table in use are those of the new one."""
        wanted = (self._target.fingerprint, self._target.dim)
        return (self._former.get("fingerprint"), self._former.get("dim")) == wanted

    @property
    def former(self) -> dict[str, Any]:
        """Facts of how the table in use was made: ``fingerprint``, ``dim``, ``model``, ``tokenizer``, ``recipe``."""
        return {"tokenizer": TOKENIZER, "recipe": "", **self._former}

    async def compare(self) -> TableDifference:
        """Return how the new table differs from the one in use, as that is at this moment."""
        fresh = await self._store.open_table()
        with translate_store_errors(self._folder):
            await self._source.checkout_latest()
            wanted = await self._sign(self._source)
            present = await self._sign(fresh)
        missing = sorted(key for key, signature in wanted.items() if present.get(key) != signature)
        gone = sorted(present.keys() - wanted.keys())
        return TableDifference(tuple(missing), tuple(gone), len(wanted))

    async def read(self, keys: Sequence[DocumentKey]) -> list[StoredDocument]:
        """Return documents of the table in use; one that was deleted meanwhile is left out."""
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            by_tenant[key.tenant].append(key.document_id)
        found: list[StoredDocument] = []
        for tenant, ids in by_tenant.items():
            found += await self._read_tenant(tenant, ids)
        return found

    async def write(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        """Store documents in the new table, in one commit."""
        await self._store.put_many(tenant, entries)

    async def remove(self, keys: Sequence[DocumentKey]) -> None:
        """Remove documents from the new table."""
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            by_tenant[key.tenant].append(key.document_id)
        for tenant, ids in by_tenant.items():
            await self._store.delete(tenant, ids)

    async def prepare(self) -> None:
        """Compact and index the new table."""
        await self._store.optimize()

    @asynccontextmanager
    async def hold_writers(self) -> AsyncIterator[None]:
        """Let no other process write to the table in use inside the block."""
        async with self._folder.lock(WRITER_LOCK, self._lease_s):
            yield

    async def collections(self) -> dict[DocumentKey, str]:
        """Return the collection of each document of the new table."""
        table = await self._store.open_table()
        columns = ["tenant", "document_id", "collection"]
        with translate_store_errors(self._folder):
            rows = (await table.query().where("kind = 'document'").select(columns).to_arrow()).to_pylist()
        return {DocumentKey(row["tenant"], row["document_id"]): str(row["collection"]) for row in rows}

    async def put_in_place(self) -> None:
        """Put the new table in the place of the one in use, which stays for those who read it. Hold the writers."""
        with translate_store_errors(self._folder):
            await call_folder(self._folder, change_register, self._folder, self._put_first)

    def _put_first(self, register: TableRegister) -> TableRegister:
        if register.current != self._source.name:
            raise StoreError("Another table was put in place meanwhile; run this again.", ErrorCode.STORAGE_LOCKED)
        return register.replace_current(
            self._name,
            was=str(self._former.get("fingerprint", "")),
            fingerprint=self._target.fingerprint,
            embedder=self._target.embedder,
        )

    def require_room(self) -> None:
        """Raise ``StoreError`` (full) when the disk has no room for a second table of the size of the first."""
        free = self._folder.find_free_bytes()
        if free is None:
            return
        size = table_folder(self._folder, self._source.name).measure()
        made = table_folder(self._folder, self._name).measure()
        needed = max(0, size - made) + (self._min_free_mb << 20)
        if free < needed:
            raise StoreError(
                f"The disk has {free >> 20} MB left and a second table takes {needed >> 20} MB with what "
                "ROMA_MIN_FREE_MB keeps free; free some room and run it again.",
                ErrorCode.STORAGE_FULL,
                details={"free_bytes": free, "needed_bytes": needed},
            )

    async def _open_source(self, name: str) -> Any:
        table = await open_stored_table(self._folder, name)
        if not await migrations.is_current(table):
            async with self._folder.lock(WRITER_LOCK, self._lease_s):
                await bring_table_up_to_date(table, table_folder(self._folder, name))
        return table

    async def _choose_name(self, partitions: int) -> str:
        """Return the unfinished table that was begun for the same target, or the name of a new one; others go."""
        target = asdict(self._target)
        wanted = {name: target[name] for name in ("fingerprint", "dim", "tokenizer", "recipe")}
        chosen = ""
        for name in await call_folder(self._folder, list_unfinished, self._folder):
            making = await read_making_of(self._folder, name)
            is_same = {field: making.get(field) for field in wanted} == wanted and not making.get("copy_of")
            found = await call_folder(self._folder, count_partitions, table_folder(self._folder, name))
            if is_same and not chosen and found == partitions:
                chosen = name
            else:
                await call_folder(self._folder, remove_table, self._folder, name)
        return chosen or await call_folder(self._folder, name_next_table, self._folder)

    async def _sign(self, table: Any) -> dict[DocumentKey, str]:
        """Return a signature of each document: of its text and facts, and of its passages where they stay."""
        columns = {"tenant": "tenant", "document_id": "document_id", "signature": "md5(payload)"}
        rows = (await table.query().where("kind = 'document'").select(columns).to_arrow()).to_pylist()
        signatures = {DocumentKey(row["tenant"], row["document_id"]): str(row["signature"]) for row in rows}
        if self._target.recipe:
            return signatures
        chunks = await table.query().where("kind = 'chunk'").select(["tenant", "document_id", "key"]).to_arrow()
        keys: dict[DocumentKey, list[str]] = defaultdict(list)
        for row in chunks.to_pylist():
            keys[DocumentKey(row["tenant"], row["document_id"])].append(row["key"])
        return {key: digest(signature, *sorted(keys[key])) for key, signature in signatures.items()}

    async def _read_tenant(self, tenant: str, ids: Sequence[str]) -> list[StoredDocument]:
        from lancedb.expr import col, lit

        chosen = (col("tenant") == lit(tenant)) & col("document_id").isin([lit(id_) for id_ in ids])
        columns = ["kind", "payload", "vector", *CHUNK_FIELDS]
        with translate_store_errors(self._folder):
            rows = await self._source.query().where(chosen).select(columns).to_arrow()
        vectors = _read_vectors(rows)
        documents: list[Document] = []
        places: dict[str, list[int]] = defaultdict(list)
        values = rows.drop_columns(["vector"]).to_pylist()
        for place, row in enumerate(values):
            if row["kind"] == "document":
                documents.append(Document.model_validate_json(row["payload"]))
            else:
                places[row["document_id"]].append(place)
        found: list[StoredDocument] = []
        for document in sorted(documents, key=lambda document: document.id):
            own = sorted(places[document.id], key=lambda place: (values[place]["start"], values[place]["id"]))
            chunks = [parse_chunk(values[place]) for place in own]
            found.append(StoredDocument(tenant, EmbeddedDocument(document, chunks, vectors[own])))
        return found


async def read_tokenizer(place: Path | StoreFolder) -> str:
    """Return the tokenizer of the table in use. Raises ``NotFoundError`` when nothing was ever stored."""
    folder = open_folder(place)
    name = (await call_folder(folder, read_register, folder)).current
    if not await call_folder(folder, table_folder(folder, name).exists):
        raise NotFoundError("The store is empty: there is nothing to index again.")
    with translate_store_errors(folder):
        making = await read_making(await open_stored_table(folder, name))
    return str(making.get("tokenizer", TOKENIZER))


def _read_vectors(rows: Any) -> Vectors:
    import numpy as np

    column = rows.column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(rows), -1) if len(rows) else np.zeros((0, 0), np.float32)
