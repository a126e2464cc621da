"""``roma audit``: who did what, and whether the log is whole."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click

from roma_core.audit import ACTIONS, Action, AuditEntry, open_audit
from roma_core.audit.log import iterate_lines
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, PARTIAL, write, write_table
from roma_core.errors import InputError
from roma_core.types import Principal


@click.group(cls=RomaGroup)
def audit() -> None:
    """Search and verify the audit log."""


@command(
    "query",
    examples=(
        "roma audit query --document 3f0a9c --since 2026-11-01",
        "roma audit query --who anna --action read --lines > anna.jsonl",
    ),
)
@click.option("--who", metavar="NAME", help="What this user did; token:ID is a token without an owner.")
@click.option("--document", metavar="ID", help="Rows in which this document was shown or changed.")
@click.option("--action", type=click.Choice(list(ACTIONS)), help="Rows of this kind.")
@click.option("--since", metavar="DAY", help="From this day or moment on (UTC), like 2026-11-01.")
@click.option("--until", metavar="DAY", help="Before this day or moment (UTC).")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, metavar="N", help="At most N rows.")
@click.option("--lines", "as_lines", is_flag=True, help="Export: one JSON document a row.")
async def query(
    call: Invocation,
    who: str | None,
    document: str | None,
    action: Action | None,
    since: str | None,
    until: str | None,
    limit: int,
    as_lines: bool,
) -> int:
    """List who did what, the newest first."""
    with closing(open_audit(call.settings)) as log:
        found = await asyncio.to_thread(
            log.query,
            call.settings.tenant,
            who=who,
            document=document,
            action=action,
            since=_read_moment(since),
            until=_read_moment(until),
            limit=limit,
        )
    if as_lines:
        for line in iterate_lines(found):
            write(line)
        return OK
    rows = [_describe(entry) for entry in found]
    call.emit(
        [entry.model_dump(mode="json") for entry in found],
        lambda: write_table("", ["number", "when", "who", "action", "documents", "details"], rows),
    )
    return OK


@command("verify", examples=("roma audit verify", "roma audit verify --head 3f0a9c…"))
@click.option("--head", metavar="HASH", help="The last hash of an earlier verification: it must still be in the chain.")
async def verify(call: Invocation, head: str | None) -> int:
    """Read the whole log and say where a row was changed or taken away. Exit code 2 when one was."""
    tenant = call.settings.tenant
    with closing(open_audit(call.settings)) as log:
        check = await asyncio.to_thread(log.verify, tenant)
        is_known = head is None or await asyncio.to_thread(log.has_hash, tenant, head)
    said = f"{check.rows} rows are as they were written; the last hash is {check.head}"
    if not check.is_whole:
        said = f"row {check.broken_at}: {check.reason}; the {check.rows} rows before it are as they were written"
    elif not is_known:
        said = f"no row has the hash {head}: rows were taken off the end, or the log is another one"
    call.emit({**check.model_dump(mode="json"), "is_whole": check.is_whole and is_known}, lambda: write(said))
    return OK if check.is_whole and is_known else PARTIAL


async def log_change(call: Invocation, action: Action, **details: Any) -> None:
    """Log what a command is about to change. Raises ``StoreError``: then it must not be done."""
    who = Principal.local(call.settings.tenant)
    with closing(open_audit(call.settings)) as log:
        await asyncio.to_thread(lambda: log.append(who, action, **details))


for part in (query, verify):
    audit.add_command(part)


def _describe(entry: AuditEntry) -> tuple[str, ...]:
    details = ", ".join(f"{name}: {value}" for name, value in entry.details.items())
    documents = " ".join(entry.documents[:3]) + (" …" if len(entry.documents) > 3 else "")
    return str(entry.number), entry.at.isoformat(timespec="seconds"), entry.who, entry.action, documents, details[:120]


def _read_moment(text: str | None) -> datetime | None:
    """Return a day or moment in UTC. Raises ``InputError``."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text[:40]!r} is no day; write it like 2026-11-01 or 2026-11-01T14:30.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
