"""``roma retention``: what is old enough to go, and what a legal hold keeps."""

from __future__ import annotations

import click

from roma_core.api.erasure import remove_jobs_before
from roma_core.app import build_roma
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.errors import InputError
from roma_core.privacy.holds import HOLD_KINDS, HoldKind, LegalHold, RetentionLedger
from roma_core.retention import Retention, RetentionReport
from roma_core.settings import Settings
from roma_core.workspace import Workspace


@click.group(cls=RomaGroup)
def retention() -> None:
    """Remove what is old enough, and hold back what must stay."""


@command("plan", examples=("roma retention plan", "ROMA_RETENTION_RULES=answers=30d roma retention plan --json"))
async def plan(call: Invocation) -> int:
    """Show what ROMA_RETENTION_RULES would remove now, and what a hold keeps. Nothing is removed."""
    async with build_roma(call.settings) as roma:
        report = await Retention(roma, remove_jobs_before(call.settings)).plan(call.settings.tenant)
    call.emit(report, lambda: _show(report, call.settings))
    return OK


@command("apply", examples=("roma retention apply",))
async def apply(call: Invocation) -> int:
    """Remove what ROMA_RETENTION_RULES says. A server does the same once a day."""
    async with build_roma(call.settings) as roma:
        report = await Retention(roma, remove_jobs_before(call.settings)).apply(call.settings.tenant)
    call.emit(report, lambda: _show(report, call.settings))
    return OK


@command(
    "hold",
    examples=(
        "roma retention hold",
        "roma retention hold --collection hr --reason 'case 12/2026'",
        "roma retention hold --release 3f0a9c12b4d5",
    ),
)
@click.option("--collection", metavar="NAME", help="Keep the documents of this collection.")
@click.option("--document", metavar="ID", help="Keep this document.")
@click.option("--user", metavar="NAME", help="Keep the conversations and answers of this user.")
@click.option("--tenant", "whole", is_flag=True, help="Keep everything of the tenant.")
@click.option("--reason", metavar="TEXT", default="", help="Why; each hold says it.")
@click.option("--release", metavar="HOLD", help="End this hold.")
async def hold(
    call: Invocation,
    collection: str | None,
    document: str | None,
    user: str | None,
    whole: bool,
    reason: str,
    release: str | None,
) -> int:
    """List the legal holds, place one, or release one. What is held is neither removed by age nor forgotten."""
    ledger, tenant = RetentionLedger(Workspace.of(call.settings).retention), call.settings.tenant
    named: dict[HoldKind, str | None] = {
        "tenant": tenant if whole else None,
        "collection": collection,
        "document": document,
        "user": user,
    }
    given = [(kind, named[kind]) for kind in HOLD_KINDS if named[kind] is not None]
    if len(given) + (release is not None) > 1:
        raise InputError("Place or release one hold at a time.")
    async with build_roma(call.settings) as roma:
        if release is not None:
            await roma.log_action(roma.user, "retention", released=release)
            released = ledger.release(release, tenant)
            call.emit(released, lambda: write(f"Released {released.id}: {released.kind} {released.name}."))
            return OK
        for kind, name in given:
            await roma.log_action(roma.user, "retention", held=f"{kind} {name}", reason=reason)
            placed = ledger.place(tenant, kind, name or "", reason=reason, by=roma.user.subject)
            call.emit(placed, lambda: _show_holds([placed]))  # noqa: B023  (called at once)
            return OK
    holds = ledger.list_holds(tenant)
    call.emit([each.model_dump(mode="json") for each in holds], lambda: _show_holds(holds))
    return OK


for _command in (plan, apply, hold):
    retention.add_command(_command)


def _show_holds(holds: list[LegalHold]) -> None:
    rows = [
        (each.id, each.kind, each.name, each.reason, each.placed_by, each.placed_at.isoformat(timespec="minutes"))
        for each in holds
    ]
    columns = ["hold", "of", "name", "why", "by", "since"]
    write_table("", columns, rows) if rows else write("There are no legal holds.")


def _show(report: RetentionReport, settings: Settings) -> None:
    rows = [
        (
            removal.record,
            removal.collection if removal.record == "documents" else "",
            f"{removal.before:%Y-%m-%d %H:%M}",
            "last use" if removal.by_use else "age",
            removal.count,
            removal.kept,
        )
        for removal in report.removals
    ]
    done = "removed" if report.is_applied else "would go"
    if rows:
        write_table("", ["record", "collection", "before (UTC)", "by", done, "held"], rows)
    else:
        write("No rule of ROMA_RETENTION_RULES removes anything.")
    if report.certificates:
        note(f"Certificates in {Workspace.of(settings).certificates}: {' '.join(report.certificates)}")
