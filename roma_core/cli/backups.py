"""Commands about backups: ``roma backup``, and ``--backup`` of ``roma restore``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from roma_core.backup import BackupReport, back_up_workspace, restore_workspace
from roma_core.cli.command import Invocation, command
from roma_core.cli.output import OK, note, write


@command(examples=("roma backup /backups/monday.tar", "roma backup monday.tar --json"))
@click.argument("archive", type=click.Path(path_type=Path), metavar="FILE")
async def backup(call: Invocation, archive: Path) -> int:
    """Write a backup of the workspace to FILE, while the server runs.

    It holds all that cannot be made again; caches and sign-ins to Google Drive are left out.
    """
    report = await back_up_workspace(call.settings.workspace, archive, settings=call.settings)
    call.emit(asdict(report), lambda: _show("backed up to", report))
    if call.settings.storage.database_url and not call.as_json:
        note("Conversations, and in PostgreSQL answers, grants, accounts and the audit log, are in the database of ")
        note("ROMA_DATABASE_URL: back it up by its own tools.")
    return OK


async def restore_backup(call: Invocation, archive: Path) -> int:
    """Make the workspace of a backup; return the exit code."""
    report = await asyncio.to_thread(restore_workspace, archive, call.settings.workspace, settings=call.settings)
    call.emit(asdict(report), lambda: _show("restored into", report))
    return OK


def _show(done: str, report: BackupReport) -> None:
    write(f"{report.files} files, {report.size_bytes / (1 << 20):.1f} MB, {done} {report.path}")
    if report.left_out:
        write(f"left out: {', '.join(report.left_out)}")
