"""Removal of a user, or of a tenant, from the tables of the HTTP service: accounts, sign-ins, tokens and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from roma_core.api.queues import borrow_queue
from roma_core.api.storage import open_service
from roma_core.erasure import ErasureStep
from roma_core.errors import InputError
from roma_core.retention import Remove
from roma_core.settings import Settings
from roma_core.types import Principal
from roma_core.workspace import Workspace


def list_service_steps(settings: Settings, who: Principal) -> Sequence[ErasureStep]:
    """Return the steps of an erasure that concern the service; those of its tables only where it has any."""
    workspace = settings.workspace
    of_tables = (
        ErasureStep("account and sign-ins", lambda: asyncio.to_thread(_remove_account, workspace, who)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_tokens, workspace, who)),
    )
    jobs = ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_jobs, settings, who.tenant, who.subject))
    return (*(of_tables if Workspace(workspace).service.exists() else ()), jobs)


def list_tenant_steps(settings: Settings, tenant: str) -> Sequence[ErasureStep]:
    """Return the steps of the removal of a tenant that concern the service; those of its tables where it has any.

    Raises ``InputError`` while ingest jobs of the tenant wait or run, and ``StoreError``.
    """
    workspace = settings.workspace
    with borrow_queue(settings) as queue:
        count = 0 if queue is None else queue.count_live(tenant)
    if count:
        raise InputError(f"{count} ingest jobs of {tenant!r} wait or run; cancel them, or wait until they have ended.")
    of_tables = (
        ErasureStep("accounts and sign-ins", lambda: asyncio.to_thread(_remove_accounts, workspace, tenant)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_all_tokens, workspace, tenant)),
    )
    jobs = ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_jobs, settings, tenant))
    return (*(of_tables if Workspace(workspace).service.exists() else ()), jobs)


def remove_jobs_before(settings: Settings) -> Remove:
    """Return what removes ingest jobs of a tenant that ended before a moment."""

    async def remove(tenant: str, before: datetime, counts_only: bool) -> int:
        return await asyncio.to_thread(_remove_old_jobs, settings, tenant, before, counts_only=counts_only)

    return remove


def _remove_old_jobs(settings: Settings, tenant: str, before: datetime, *, counts_only: bool) -> int:
    with borrow_queue(settings) as queue:
        return 0 if queue is None else queue.forget_ended(tenant, before=before, counts_only=counts_only)


def _remove_jobs(settings: Settings, tenant: str, submitter: str | None = None) -> int:
    """Remove the jobs of a tenant, or of a user of it, but for those that still wait or run."""
    with borrow_queue(settings) as queue:
        return 0 if queue is None else queue.forget_ended(tenant, submitter=submitter)


def _remove_accounts(workspace: Path, tenant: str) -> int:
    own = "(SELECT name FROM users WHERE tenant = ?)"
    with open_service(workspace).transaction() as db:
        db.execute("PRAGMA secure_delete = ON")
        for table in ("logins", "invitations", "identities"):
            db.execute(f"DELETE FROM {table} WHERE user IN {own}", (tenant,))  # noqa: S608
        db.execute("DELETE FROM pending_sign_ins WHERE person IS NOT NULL")  # each is good for minutes at most
        return int(db.execute("DELETE FROM users WHERE tenant = ?", (tenant,)).rowcount)


def _remove_all_tokens(workspace: Path, tenant: str) -> int:
    with open_service(workspace).transaction() as db:
        db.execute("PRAGMA secure_delete = ON")
        return int(db.execute("DELETE FROM tokens WHERE tenant = ?", (tenant,)).rowcount)


def _remove_account(workspace: Path, who: Principal) -> int:
    with open_service(workspace).transaction() as db:
        db.execute("PRAGMA secure_delete = ON")
        is_own = db.execute("SELECT 1 FROM users WHERE name = ? AND tenant = ?", (who.subject, who.tenant)).fetchone()
        if is_own is None:
            return 0
        removed = db.execute("DELETE FROM logins WHERE user = ?", (who.subject,)).rowcount
        db.execute("DELETE FROM invitations WHERE user = ?", (who.subject,))
        removed += db.execute("DELETE FROM identities WHERE user = ?", (who.subject,)).rowcount
        db.execute("DELETE FROM pending_sign_ins WHERE instr(person, ?) > 0", (who.subject,))
        db.execute("DELETE FROM identities WHERE user = ?", (who.subject,))
        db.execute("DELETE FROM pending_sign_ins WHERE person IS NOT NULL")  # each is good for minutes at most
        removed += db.execute("DELETE FROM users WHERE name = ?", (who.subject,)).rowcount
    return int(removed)


def _remove_tokens(workspace: Path, who: Principal) -> int:
    own = "tenant = ? AND (owner = ? OR (owner IS NULL AND 'token:' || id = ?))"
    with open_service(workspace).transaction() as db:
        db.execute("PRAGMA secure_delete = ON")
        removed = db.execute(f"DELETE FROM tokens WHERE {own}", (who.tenant, who.subject, who.subject)).rowcount  # noqa: S608
    return int(removed)
