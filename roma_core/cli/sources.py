"""Commands about sources: forget, restore, source, sync."""

from __future__ import annotations

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.documents import show_ingest
from roma_core.cli.output import FAILED, OK, PARTIAL, write, write_table
from roma_core.errors import InputError


@command(examples=("roma forget notes/diary.md", "roma forget --source handbook"))
@click.argument("uris", nargs=-1, metavar="[URI]...")
@click.option("--document", "documents", multiple=True, metavar="ID", help="A document's id; may be repeated.")
@click.option("--source", metavar="NAME", help="A source with all that no other source lists.")
async def forget(call: Invocation, uris: tuple[str, ...], documents: tuple[str, ...], source: str | None) -> int:
    """Remove documents at once, with every trace: text, passages, ledger, caches, old versions, quoting answers.

    There is no way back. What its source still has comes again with the next ingest, unless it is left out there.
    """
    if not uris and not documents and source is None:
        raise InputError("Say what to forget: addresses, --document ID, or --source NAME.")
    async with build_roma(call.settings) as roma:
        report = await roma.forget(*uris, document_ids=documents, source=source)
    rows = [
        ("documents", report.documents),
        ("passages", report.passages),
        ("cached results", report.cached),
        ("answers blanked", report.answers),
    ]
    call.emit(report, lambda: write_table("Forgotten", ["", "number"], rows))
    return OK


@command(examples=("roma restore --list", "roma restore --run 20261128T101500-1a2b3c4d"))
@click.argument("uris", nargs=-1, metavar="[URI]...")
@click.option("--run", "run_id", metavar="ID", help="All that this run deleted.")
@click.option("--list", "lists", is_flag=True, help="Show what can be restored.")
async def restore(call: Invocation, uris: tuple[str, ...], run_id: str | None, lists: bool) -> int:
    """Undo deletions: what is restored stays until its source lists it again."""
    async with build_roma(call.settings) as roma:
        if lists:
            graves = await roma.ingestion.tombstones(call.settings.tenant)
            rows = [(g.deleted_at.isoformat(timespec="seconds"), g.run_id, g.uri, g.reason) for g in graves]
            columns = ["deleted at", "run", "item", "reason"]
            call.emit(
                [dict(zip(columns, row, strict=True)) for row in rows],
                lambda: write_table("", columns, rows) if rows else write("Nothing was deleted."),
            )
            return OK
        report = await roma.restore(*uris, run_id=run_id)
    call.emit(report, lambda: show_ingest(report))
    return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]
