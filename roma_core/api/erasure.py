"""Removal of a user, or of a tenant, from the tables of the HTTP service: accounts, sign-ins, tokens and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from roma_core.api.queues import borrow_queue
from roma_core.api.storage import has_accounts_database, open_accounts
from roma_core.database import StateDatabase
from roma_core.erasure import ErasureStep
from roma_core.errors import InputError
from roma_core.retention import Remove
from roma_core.settings import Settings
from roma_core.types import Principal


def list_service_steps(settings: Settings, who: Principal) -> Sequence[ErasureStep]:
    """Return the steps of an erasure that concern the service; those of its tables only where it has any."""
    of_tables = (
        ErasureStep("account and sign-ins", lambda: asyncio.to_thread(_remove_account, settings, who)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_tokens, settings, who)),
    )
    jobs = ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_jobs, settings, who.tenant, who.subject))
    return (*(of_tables if has_accounts_database(settings.workspace, settings.storage.server_url) else ()), jobs)


def list_tenant_steps(settings: Settings, tenant: str) -> Sequence[ErasureStep]:
    """Return the steps of the removal of a tenant that concern the service; those of its tables where it has any.

    Raises ``InputError`` while ingest jobs of the tenant wait or run, and ``StoreError``.
    """
    with borrow_queue(settings) as queue:
        count = 0 if queue is None else queue.count_live(tenant)
    if count:
        raise InputError(f"{count} ingest jobs of {tenant!r} wait or run; cancel them, or wait until they have ended.")
    of_tables = (
        ErasureStep("accounts and sign-ins", lambda: asyncio.to_thread(_remove_accounts, settings, tenant)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_all_tokens, settings, tenant)),
    )
    jobs = ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_jobs, settings, tenant))
    return (*(of_tables if has_accounts_database(settings.workspace, settings.storage.server_url) else ()), jobs)


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


def _open(settings: Settings) -> StateDatabase:
    return open_accounts(settings.workspace, settings.storage.server_url)


def _remove_accounts(settings: Settings, tenant: str) -> int:
    own = "(SELECT name FROM users WHERE tenant = ?)"
    with _open(settings).transaction() as db:
        for table in ("logins", "invitations", "identities"):
            db.execute(f"DELETE FROM {table} WHERE user IN {own}", (tenant,))  # noqa: S608
        db.execute("DELETE FROM pending_sign_ins WHERE person IS NOT NULL")  # each is good for minutes at most
        return int(db.execute("DELETE FROM users WHERE tenant = ?", (tenant,)).rowcount)


def _remove_all_tokens(settings: Settings, tenant: str) -> int:
    with _open(settings).transaction() as db:
        return int(db.execute("DELETE FROM tokens WHERE tenant = ?", (tenant,)).rowcount)


def _remove_account(settings: Settings, who: Principal) -> int:
    with _open(settings).transaction() as db:
        is_own = db.execute("SELECT 1 FROM users WHERE name = ? AND tenant = ?", (who.subject, who.tenant)).fetchone()
        if is_own is None:
            return 0
        removed = db.execute("DELETE FROM logins WHERE user = ?", (who.subject,)).rowcount
        db.execute("DELETE FROM invitations WHERE user = ?", (who.subject,))
        removed += db.execute("DELETE FROM identities WHERE user = ?", (who.subject,)).rowcount
        db.execute("DELETE FROM pending_sign_ins WHERE person IS NOT NULL")  # each is good for minutes at most
        removed += db.execute("DELETE FROM users WHERE name = ?", (who.subject,)).rowcount
    return int(removed)


def _remove_tokens(settings: Settings, who: Principal) -> int:
    own = "tenant = ? AND (owner = ? OR (owner IS NULL AND 'token:' || id = ?))"
    with _open(settings).transaction() as db:
        removed = db.execute(f"DELETE FROM tokens WHERE {own}", (who.tenant, who.subject, who.subject)).rowcount  # noqa: S608
    return int(removed)
