"""Removal of a tenant with all that it has, by steps that may be run again, and the certificate of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roma_core import __version__
from roma_core.database import scrub
from roma_core.erasure import FILE_ONLY, NOT_ERASED, ErasureStep, Journal, write_certificate
from roma_core.errors import InputError, NotFoundError, StoreError
from roma_core.store.folder import place_store
from roma_core.telemetry import log_files, traces
from roma_core.tenants.uploads import list_uploads_of_before
from roma_core.types import ErasureCertificate, Principal, digest
from roma_core.workspace import Workspace, list_tenant_folders, name_tenant_folder

if TYPE_CHECKING:
    from roma_core.app import Roma

LEAVING: Final = ".leaving"
"""Ending of the folder of a tenant that is being removed: nothing opens it any more."""


async def delete_tenant(roma: Roma, tenant: str, more: Sequence[ErasureStep] = ()) -> ErasureCertificate:
    """Remove a tenant's folder and what others hold of it; ``more`` are steps of the service's tables.

    ``roma`` is the system of the home tenant, which keeps the certificate. Raises ``NotFoundError``, ``InputError`` for
    the home tenant and for one with a legal hold, and ``StoreError``: then run it again.

    >>> certificate = await delete_tenant(roma, "lab")  # doctest: +SKIP
    """
    workspace = Workspace(roma.settings.workspace)
    if tenant == workspace.home_tenant:
        raise InputError(f"{tenant!r} has the workspace itself: remove its folder to remove it.")
    folder = workspace.tenants / name_tenant_folder(tenant)
    journal = Journal(workspace.certificates / f"{digest('tenant', tenant)[:16]}.unfinished", {"tenant_gone": tenant})
    is_known = await asyncio.to_thread(_is_known, workspace, folder, tenant, journal)
    if not is_known:
        raise NotFoundError(f"There is no tenant {tenant!r}; `roma tenant list` shows those that there are.")
    if folder.is_dir():
        system = await asyncio.to_thread(roma.of_tenant, tenant)
        await _require_free(system, tenant)
        await asyncio.to_thread(journal.open)
        await _note_counts(system, tenant, journal)
    else:
        await asyncio.to_thread(journal.open)
    await roma.log_action(Principal.local(workspace.home_tenant), "forget", tenant_gone=tenant, erasure=journal.id)
    await roma.tenants.drop(tenant)
    steps = (
        *more,
        ErasureStep("conversations and ratings", lambda: _forget_conversations(roma, tenant)),
        ErasureStep("audit log of all tenants", lambda: asyncio.to_thread(_forget_log, roma, tenant)),
        ErasureStep("answers in the database of all", lambda: asyncio.to_thread(_forget_answers, roma, tenant)),
        ErasureStep("grants in the database of all", lambda: asyncio.to_thread(_forget_grants, roma, tenant)),
        ErasureStep("spending in the database of all", lambda: asyncio.to_thread(_forget_spending, roma, tenant)),
        ErasureStep("traces of before", lambda: asyncio.to_thread(traces.forget_tenant, roma.settings, tenant)),
        ErasureStep("log lines of all", lambda: asyncio.to_thread(log_files.forget_tenant, workspace.logs, tenant)),
        ErasureStep("uploads of before", lambda: asyncio.to_thread(_remove_uploads, workspace, tenant)),
        ErasureStep("passages on the object store", lambda: asyncio.to_thread(_remove_passages, roma, folder)),
        ErasureStep("files", lambda: asyncio.to_thread(_remove_folder, folder)),
        ErasureStep("copies from before migrations", lambda: asyncio.to_thread(_remove_copies, workspace)),
    )
    for step in steps:
        await asyncio.to_thread(journal.note, step.place, await step.work())
    for path in (*workspace.databases, workspace.mlflow):
        await asyncio.to_thread(scrub, path)
    return await asyncio.to_thread(_certify, roma, workspace, tenant, journal)


def _is_known(workspace: Workspace, folder: Path, tenant: str, journal: Journal) -> bool:
    return tenant in list_tenant_folders(workspace) or folder.with_suffix(LEAVING).is_dir() or journal.exists


async def _require_free(system: Roma, tenant: str) -> None:
    """Raise ``InputError`` when a legal hold keeps something of the tenant."""
    holds = await asyncio.to_thread(system.holds.list_holds, tenant)
    if holds:
        raise InputError(
            f"A legal hold keeps this ({holds[0].id} on {holds[0].kind} {holds[0].name}: {holds[0].reason}); "
            "`roma retention hold --release` ends one."
        )


async def _note_counts(system: Roma, tenant: str, journal: Journal) -> None:
    """Note what the folder holds, before it goes: a certificate counts documents, not files alone."""
    if journal.places:  # it was cut short after they were counted
        return
    documents, passages = await system.store.counts(tenant)
    await asyncio.to_thread(journal.note, "documents", documents)
    await asyncio.to_thread(journal.note, "passages", passages)


async def _forget_conversations(roma: Roma, tenant: str) -> int:
    """Remove the conversations of a tenant in a database that all share; those in its folder go with it."""
    if roma.settings.storage.database_url is None:
        return 0
    return await roma.sessions.forget_tenant(tenant)


def _forget_log(roma: Roma, tenant: str) -> int:
    """Remove the rows of a tenant in an audit log that all share; one in its folder goes with it."""
    return roma.audit.forget_tenant(tenant) if roma.settings.storage.server_url is not None else 0


def _forget_answers(roma: Roma, tenant: str) -> int:
    """Remove the answers of a tenant in a database that all share; those in its folder go with it."""
    return roma.answers.store.forget_tenant(tenant) if roma.settings.storage.server_url is not None else 0


def _forget_spending(roma: Roma, tenant: str) -> int:
    """Remove what a tenant has spent in a database that all share; its own file goes with its folder."""
    return roma.budgets.forget_tenant(tenant) if roma.settings.storage.server_url is not None else 0


def _forget_grants(roma: Roma, tenant: str) -> int:
    """Remove the grants of a tenant in a database that all share; those in its folder go with it."""
    return roma.grants.forget_tenant(tenant) if roma.settings.storage.server_url is not None else 0


def _remove_passages(roma: Roma, folder: Path) -> int:
    """Remove a tenant's tables on an object store; return how many files there were. Raises ``StoreError``."""
    if roma.settings.storage.store_url is None:
        return 0
    store = place_store(roma.settings, Workspace(folder))
    count = len(store.list_files())
    store.remove()
    if store.exists():
        raise StoreError(f"Not all could be removed from {store.place}; run this again.")
    return count


def _remove_folder(folder: Path) -> int:
    """Remove a tenant's files, under a name that nothing opens; return how many files there were."""
    leaving = folder.with_suffix(LEAVING)
    if folder.is_dir():
        shutil.rmtree(leaving, ignore_errors=True)
        folder.replace(leaving)
    if not leaving.is_dir():
        return 0
    count = sum(1 for path in leaving.rglob("*") if path.is_file())
    shutil.rmtree(leaving)
    return count


def _remove_uploads(workspace: Workspace, tenant: str) -> int:
    """Remove what the tenant's people brought before it had a folder; return how many files."""
    count = 0
    for folder in list_uploads_of_before(workspace, tenant):
        count += sum(1 for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return count


def _remove_copies(workspace: Workspace) -> int:
    """Remove copies of the databases that tenants once shared."""
    copies = list(workspace.backups.glob("*")) if workspace.backups.is_dir() else []
    for copy in copies:
        copy.unlink(missing_ok=True)
    return len(copies)


def _certify(roma: Roma, workspace: Workspace, tenant: str, journal: Journal) -> ErasureCertificate:
    is_elsewhere = roma.settings.storage.database_url is not None
    certificate = ErasureCertificate(
        id=journal.id,
        what="tenant",
        tenant=tenant,
        began_at=journal.began_at,
        ended_at=datetime.now(UTC),
        roma=__version__,
        places=journal.places,
        not_erased=(*NOT_ERASED, *((FILE_ONLY,) if is_elsewhere else ())),
    ).seal()
    write_certificate(workspace, certificate)
    journal.close()
    return certificate
