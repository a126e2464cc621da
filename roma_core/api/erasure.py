"""Removal of a user from the tables of the HTTP service: account, sign-ins, tokens and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from roma_core.api.storage import open_service
from roma_core.erasure import ErasureStep
from roma_core.errors import InputError
from roma_core.retention import Remove
from roma_core.types import Principal
from roma_core.workspace import Workspace


def list_service_steps(workspace: Path, who: Principal) -> Sequence[ErasureStep]:
    """Return the steps of an erasure that concern the service; none in a workspace without one."""
    if not Workspace(workspace).service.exists():
        return ()
    return (
        ErasureStep("account and sign-ins", lambda: asyncio.to_thread(_remove_account, workspace, who)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_tokens, workspace, who)),
        ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_jobs, workspace, who)),
    )


def list_tenant_steps(workspace: Path, tenant: str) -> Sequence[ErasureStep]:
    """Return the steps of the removal of a tenant that concern the service; none in a workspace without one.

    Raises ``InputError`` while ingest jobs of the tenant wait or run.
    """
    if not Workspace(workspace).service.exists():
        return ()
    with open_service(workspace).snapshot() as db:
        statement = "SELECT COUNT(*) FROM ingest_jobs WHERE tenant = ? AND state IN ('queued', 'running')"
        (count,) = db.execute(statement, (tenant,)).fetchone()
    if count:
        raise InputError(f"{count} ingest jobs of {tenant!r} wait or run; cancel them, or wait until they have ended.")
    return (
        ErasureStep("accounts and sign-ins", lambda: asyncio.to_thread(_remove_accounts, workspace, tenant)),
        ErasureStep("tokens", lambda: asyncio.to_thread(_remove_rows, workspace, "tokens", tenant)),
        ErasureStep("ingest jobs", lambda: asyncio.to_thread(_remove_all_jobs, workspace, tenant)),
    )


def _remove_accounts(workspace: Path, tenant: str) -> int:
    own = "(SELECT name FROM users WHERE tenant = ?)"
    with open_service(workspace).transaction() as db:
        for table in ("logins", "invitations", "identities"):
            db.execute(f"DELETE FROM {table} WHERE user IN {own}", (tenant,))  # noqa: S608
        db.execute("DELETE FROM pending_sign_ins WHERE person IS NOT NULL")  # each is good for minutes at most
        return int(db.execute("DELETE FROM users WHERE tenant = ?", (tenant,)).rowcount)


def _remove_rows(workspace: Path, table: str, tenant: str) -> int:
    with open_service(workspace).transaction() as db:
        return int(db.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,)).rowcount)  # noqa: S608


def _remove_all_jobs(workspace: Path, tenant: str) -> int:
    with open_service(workspace).transaction() as db:
        own = "(SELECT number FROM ingest_jobs WHERE tenant = ?)"
        db.execute(f"DELETE FROM ingest_rows WHERE job IN {own}", (tenant,))  # noqa: S608
    return _remove_rows(workspace, "ingest_jobs", tenant)


def remove_jobs_before(workspace: Path) -> Remove:
    """Return what removes ingest jobs of a tenant that ended before a moment."""

    async def remove(tenant: str, before: datetime, counts_only: bool) -> int:
        if not Workspace(workspace).service.exists():
            return 0
        return await asyncio.to_thread(_remove_old_jobs, workspace, tenant, before, counts_only=counts_only)

    return remove


def _remove_old_jobs(workspace: Path, tenant: str, before: datetime, *, counts_only: bool) -> int:
    old = "tenant = ? AND finished_at IS NOT NULL AND finished_at < ?"
    values = (tenant, before.isoformat())
    with open_service(workspace).transaction() as db:
        (count,) = db.execute(f"SELECT COUNT(*) FROM ingest_jobs WHERE {old}", values).fetchone()  # noqa: S608
        if not counts_only:
            db.execute(f"DELETE FROM ingest_rows WHERE job IN (SELECT number FROM ingest_jobs WHERE {old})", values)  # noqa: S608
            db.execute(f"DELETE FROM ingest_jobs WHERE {old}", values)  # noqa: S608
    return int(count)


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


def _remove_jobs(workspace: Path, who: Principal) -> int:
    """Remove the jobs of a user but for those that still wait or run."""
    own = "tenant = ? AND submitter = ? AND state NOT IN ('queued', 'running')"
    values = (who.tenant, who.subject)
    with open_service(workspace).transaction() as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"DELETE FROM ingest_rows WHERE job IN (SELECT number FROM ingest_jobs WHERE {own})", values)  # noqa: S608
        removed = db.execute(f"DELETE FROM ingest_jobs WHERE {own}", values).rowcount  # noqa: S608
        db.execute("UPDATE ingest_jobs SET submitter = NULL WHERE tenant = ? AND submitter = ?", values)
    return int(removed)
