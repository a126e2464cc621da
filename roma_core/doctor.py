"""``examine``: compare store, ledger, databases and temporary files of a workspace, and mend what can be mended.

A workspace comes apart when a part of it is lost or restored from an older backup, or when a process is killed. Most of
that mends itself at the next ingest. What does not is found here::

    async with build_roma() as roma:
        report = await examine(roma, repair=True)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import Field

from roma_core.app import Roma
from roma_core.database import is_sound, set_aside
from roma_core.errors import ErrorCode, StoreError
from roma_core.store.folder import call_folder, locate_store
from roma_core.types import Document, IngestItem, Noun
from roma_core.workspace import BACKUPS, Workspace

T = TypeVar("T")
WorkspacePart = Literal["databases", "store", "documents", "files"]
OLD_AFTER_S: Final = 3600.0
"""A temporary file that was not touched for so long belongs to no living process."""
EXAMPLES: Final = 5
_STORED_STATES: Final = frozenset({"added", "updated", "unchanged", "missing"})


class Diagnosis(Noun):
    """A thing that is wrong with a part of the workspace."""

    part: WorkspacePart
    message: str
    count: int = 1
    examples: tuple[str, ...] = Field(default=(), description="The first few of what is meant.")
    mended: int = Field(default=0, description="How many of them were mended.")
    advice: str = Field(default="", description="What to do about the others.")

    @property
    def is_mended(self) -> bool:
        return self.mended >= self.count


class DoctorReport(Noun):
    """Everything that is wrong with a workspace; nothing, when it is well."""

    diagnoses: tuple[Diagnosis, ...] = ()

    @property
    def is_well(self) -> bool:
        """True when nothing is wrong any more."""
        return all(diagnosis.is_mended for diagnosis in self.diagnoses)


async def examine(roma: Roma, *, repair: bool = False) -> DoctorReport:
    """Return what is wrong with the workspace of ``roma``; with ``repair``, mend what can be mended.

    Documents are those of ``settings.tenant``. Nothing is removed that a source may still have: a document goes only
    when its own source says that it is not there.
    """
    workspace = Workspace.of(roma.settings)
    diagnoses = [
        *await asyncio.to_thread(lambda: list(_examine_databases(workspace, repair))),
        *await asyncio.to_thread(lambda: list(_examine_files(workspace, repair))),
    ]
    store = locate_store(roma.settings)
    if await call_folder(store, store.exists):
        try:
            diagnoses += await _examine_store(roma, repair)
            diagnoses += await _examine_documents(roma, repair)
        except StoreError as error:
            advice = "Mend this first; until then store and ledger cannot be compared."
            diagnoses.append(Diagnosis(part="documents", message=error.message, advice=advice))
    return DoctorReport(diagnoses=tuple(diagnoses))


# Databases


def _examine_databases(workspace: Workspace, repair: bool) -> Iterator[Diagnosis]:
    """Yield the damaged databases. A cache is put aside; for others there is a backup or none."""
    for path in workspace.databases:
        if not path.is_file() or is_sound(path):
            continue
        is_cache = path in workspace.rebuildable
        if is_cache and repair:
            set_aside(path)
        yield Diagnosis(
            part="databases",
            message=f"{path.name} is damaged.",
            examples=(str(path),),
            mended=int(is_cache and repair),
            advice="It is a cache: --repair puts it aside." if is_cache else _advise_copy(path),
        )


def _advise_copy(path: Path) -> str:
    copies = sorted((path.parent / BACKUPS).glob(f"{path.name}.v*"), key=lambda copy: copy.stat().st_mtime)
    newest = f" The newest that ROMA made is {copies[-1]}." if copies else ""
    without = (
        " Without one, move it away: --repair makes a new ledger out of the store." if path.stem == "ledger" else ""
    )
    return f"Stop what uses it and put a copy in its place.{newest}{without}"


# Files


def _examine_files(workspace: Workspace, repair: bool) -> Iterator[Diagnosis]:
    """Yield what killed processes have left behind."""
    leftovers = sorted(_find_leftovers(workspace))
    if not leftovers:
        return
    size_bytes = sum(path.stat().st_size for path in leftovers)
    if repair:
        for path in leftovers:
            path.unlink(missing_ok=True)
    yield Diagnosis(
        part="files",
        message=f"{len(leftovers)} files of killed processes take {size_bytes:,} bytes.",
        count=len(leftovers),
        examples=tuple(str(path) for path in leftovers[:EXAMPLES]),
        mended=len(leftovers) if repair else 0,
        advice="--repair removes them.",
    )


def _find_leftovers(workspace: Workspace) -> Iterator[Path]:
    before = time.time() - OLD_AFTER_S
    candidates = [path for path in workspace.temporary.rglob("*") if path.is_file()]
    for folder in (workspace.backups, workspace.evals / BACKUPS, workspace.store):
        candidates += folder.glob("*.new")
    for path in candidates:
        if path.stat().st_mtime < before:
            yield path
    for database in workspace.databases:
        if not database.exists():
            for suffix in ("-wal", "-shm"):
                journal = database.with_name(f"{database.name}{suffix}")
                if journal.exists():
                    yield journal


# Store


async def _examine_store(roma: Roma, repair: bool) -> list[Diagnosis]:
    """Return what is wrong with the table of passages itself, and tables that no ``reindex`` has finished."""
    return [*await _examine_unfinished(roma, repair), *await _examine_table(roma, repair)]


async def _examine_unfinished(roma: Roma, repair: bool) -> list[Diagnosis]:
    from roma_core.store.register import list_unfinished
    from roma_core.store.tables import remove_unfinished

    folder = locate_store(roma.settings)
    names = await call_folder(folder, list_unfinished, folder)
    if not names:
        return []
    removed = await remove_unfinished(folder) if repair else []
    return [
        Diagnosis(
            part="store",
            message=f"{len(names)} tables of a reindex are not finished.",
            count=len(names),
            examples=tuple(names[:EXAMPLES]),
            mended=len(removed),
            advice="Run `roma reindex` again with the same options to finish it, or --repair to remove them; "
            "while a reindex is at work they stay.",
        )
    ]


async def _examine_table(roma: Roma, repair: bool) -> list[Diagnosis]:
    if repair:
        await roma.store.optimize()
    health = await roma.store.health()
    if health.state == "ok":
        return []
    code = health.details.get("code")
    is_doubled = bool(health.details.get("doubled_keys"))
    advice = "Move the folder `store` away and ingest again." if is_doubled or code == "ERR_STORAGE_CORRUPT" else ""
    return [Diagnosis(part="store", message=f"The store is {health.state}: {health.reason}.", advice=advice)]


async def _examine_documents(roma: Roma, repair: bool) -> list[Diagnosis]:
    """Compare the documents of the store with those of the ledger."""
    tenant = roma.settings.tenant
    items = await roma.ingestion.ledger_items(tenant)
    stored = await roma.store.contents(tenant)
    recorded = {item.document_id for item in items if item.document_id}

    missing = [item for item in items if item.state in _STORED_STATES and item.document_id not in stored]
    unknown: list[Document] = []
    for document_id in sorted(set(stored) - recorded):
        document = await roma.store.document(tenant, document_id)
        if document is not None:
            unknown.append(document)
    return [*await _treat_missing(roma, missing, repair), *await _treat_unknown(roma, unknown, repair)]


async def _treat_missing(roma: Roma, items: Sequence[IngestItem], repair: bool) -> list[Diagnosis]:
    """Ingest what the ledger has and the store lacks, as after a restore of an older store."""
    if not items:
        return []

    async def ingest(item: IngestItem) -> bool:
        return await _ingest_again(roma, item.uri) is None

    mended = await _count_mended(items, ingest) if repair else 0
    return [
        Diagnosis(
            part="documents",
            message=f"{len(items)} documents of the ledger are not in the store.",
            count=len(items),
            examples=tuple(item.uri for item in items[:EXAMPLES]),
            mended=mended,
            advice="Ingest their sources again; that removes those that the sources no longer have.",
        )
    ]


async def _treat_unknown(roma: Roma, documents: Sequence[Document], repair: bool) -> list[Diagnosis]:
    """Ask for each document that the ledger does not know: one that is there is ingested, one that is gone removed."""
    if not documents:
        return []

    async def ingest_or_remove(document: Document) -> bool:
        failure = await _ingest_again(roma, document.uri)
        if failure is ErrorCode.CONNECTOR_NOT_FOUND and _may_trust_absence(document.uri):
            await roma.store.delete(roma.settings.tenant, [document.id])
            return True
        if failure is None:  # under the id that its address has today
            current = Document.id_for(document.uri, roma.settings.tenant)
            if current != document.id:
                await roma.store.delete(roma.settings.tenant, [document.id])
        return failure is None

    mended = await _count_mended(documents, ingest_or_remove) if repair else 0
    return [
        Diagnosis(
            part="documents",
            message=f"{len(documents)} documents of the store are not in the ledger.",
            count=len(documents),
            examples=tuple(document.uri for document in documents[:EXAMPLES]),
            mended=mended,
            advice="Ingest their sources again, then run this with --repair: it removes those that are gone.",
        )
    ]


async def _ingest_again(roma: Roma, uri: str) -> ErrorCode | None:
    """Ingest one item by its own address; return the code of its failure."""
    report = await roma.ingest(uri)
    for item in report.items:
        if item.uri == uri and item.state == "failed":
            return ErrorCode(item.code) if item.code else ErrorCode.INTERNAL
    if report.failures:
        return report.failures[0].code
    return None if any(item.uri == uri for item in report.items) else ErrorCode.CONNECTOR_UNAVAILABLE


def _may_trust_absence(uri: str) -> bool:
    """Return whether an item that is not found is gone. Below a folder that is missing or empty it may be unmounted."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return True
    folder = Path(unquote(parts.path)).parent
    return folder.is_dir() and any(folder.iterdir())


async def _count_mended(things: Sequence[T], mend: Callable[[T], Awaitable[bool]]) -> int:
    return sum([await mend(thing) for thing in things])
