"""``roma smoke``: is the service at this address able to do its work?"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from roma_core.cli.command import Invocation, command
from roma_core.cli.output import FAILED, OK, write_table
from roma_core.settings.environment import TOKEN_VARIABLE
from roma_core.smoke import run_smoke


@command(examples=("roma smoke http://127.0.0.1:8000", "roma smoke https://roma.example.org --folder /srv/papers"))
@click.argument("url", metavar="URL")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that the service reads (in ROMA_INGEST_ROOTS); default: a temporary one of this machine.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Seconds that each step may take.",
)
async def smoke(call: Invocation, url: str, folder: Path | None, timeout_s: float) -> int:
    """Try a running service: health, ingest, ask, open a citation; then remove what was ingested.

    A token with the scopes query and ingest is read from ROMA_TOKEN.
    """
    report = await run_smoke(url, token=os.environ.get(TOKEN_VARIABLE), folder=folder, timeout_s=timeout_s)
    rows = [
        (step.name, "ok" if step.has_passed else "failed", f"{step.took_ms:.0f} ms", step.detail or step.reason)
        for step in report.steps
    ]
    value = {**asdict(report), "has_passed": report.has_passed}
    call.emit(value, lambda: write_table(url, ["step", "state", "took", "what"], rows))
    return OK if report.has_passed else FAILED
