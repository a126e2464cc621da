"""``roma tenant``: tenants of a workspace, each with its own folder and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from roma_core.app import Roma, build_roma
from roma_core.audit import Action
from roma_core.backup import back_up_tenant
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.errors import InputError
from roma_core.tenants import create_tenant, list_profiles, set_tenant
from roma_core.types import Principal
from roma_core.workspace import Workspace


@click.group(cls=RomaGroup)
def tenant() -> None:
    """Create, list, change, export and delete tenants."""


@command(
    "create",
    examples=(
        "roma tenant create lab",
        "roma tenant create lab ROMA_INGEST_ROOTS=/srv/lab ROMA_BUDGET_TENANT_MONTH_USD=50",
    ),
)
@click.argument("name")
@click.argument("settings", nargs=-1, metavar="[SETTING=VALUE]...")
async def create(call: Invocation, name: str, settings: Sequence[str]) -> int:
    """Make a tenant with settings of its own: what its tokens may ingest, its budgets, and its rules of retention.

    All other settings are those of the environment. ROMA_TENANT=NAME chooses it for other commands.
    """
    values = _read_values(settings)
    await _log_change(call, "tenant.create", name, values)
    made = await asyncio.to_thread(create_tenant, call.settings.workspace, name, values)
    call.emit(made.model_dump(mode="json"), lambda: write(f"{made.name} is made in {made.folder}"))
    return OK


@command("set", examples=("roma tenant set lab ROMA_INGEST_ROOTS=/srv/lab,gdrive://folder/1a2b",))
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="SETTING=VALUE...")
async def change(call: Invocation, name: str, settings: Sequence[str]) -> int:
    """Change settings of a tenant; SETTING= takes one away. A running server follows with the next request."""
    values = _read_values(settings)
    await _log_change(call, "tenant.set", name, values)
    changed = await asyncio.to_thread(set_tenant, call.settings.workspace, name, values)
    call.emit(changed.model_dump(mode="json"), lambda: write(_describe(changed.settings)))
    return OK


@command("list", examples=("roma tenant list",))
async def list_tenants(call: Invocation) -> int:
    """List the tenants with their folders and their own settings."""
    found = await asyncio.to_thread(list_profiles, call.settings.workspace)
    rows = [(profile.name, str(profile.folder), _describe(profile.settings)) for profile in found]
    call.emit(
        [profile.model_dump(mode="json") for profile in found],
        lambda: write_table("", ["name", "folder", "settings"], rows),
    )
    return OK


@command("export", examples=("roma tenant export lab lab.tar",))
@click.argument("name")
@click.argument("archive", type=click.Path(path_type=Path), metavar="FILE")
async def export(call: Invocation, name: str, archive: Path) -> int:
    """Write all that a tenant has to FILE; `roma restore --backup FILE` makes a workspace of it.

    Accounts, tokens and jobs are not part of it.
    """
    report = await back_up_tenant(call.settings.workspace, name, archive, settings=call.settings)
    size_mb = report.size_bytes / (1 << 20)
    call.emit(asdict(report), lambda: write(f"{report.files} files, {size_mb:.1f} MB, exported to {report.path}"))
    if call.settings.storage.database_url and not call.as_json:
        note("Conversations are in the database of ROMA_DATABASE_URL; `roma export` writes those of a tenant.")
        if call.settings.storage.server_url is not None:
            note(
                "So are answers, grants and the audit log; `roma export` and `roma audit query --lines` write the rows."
            )
    return OK


@command("delete", examples=("roma tenant delete lab --yes", "roma tenant delete lab --yes --certificate lab.json"))
@click.argument("name")
@click.option("--yes", "is_meant", is_flag=True, help="Really: there is no way back.")
@click.option(
    "--certificate",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the certificate here as well.",
)
async def delete(call: Invocation, name: str, is_meant: bool, target: Path | None) -> int:
    """Remove a tenant for good: its folder, accounts, tokens and jobs; and certify what was removed where."""
    if not is_meant:
        raise InputError(f"Everything of {name!r} goes for good; say --yes, and export it first if it is still needed.")
    from roma_core.api.erasure import list_tenant_steps
    from roma_core.tenants.removal import delete_tenant

    async with _build_home(call) as roma:
        steps = await asyncio.to_thread(list_tenant_steps, call.settings, name)
        certificate = await delete_tenant(roma, name, steps)
    if target is not None:
        await asyncio.to_thread(target.write_text, certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")
    rows = [(place.place, place.removed) for place in certificate.places]
    call.emit(certificate, lambda: write_table("Removed", ["", "number"], rows))
    note(f"Certificate {certificate.id}; not erased here: {' '.join(certificate.not_erased)}")
    return OK


for part in (create, change, list_tenants, export, delete):
    tenant.add_command(part)


def _build_home(call: Invocation) -> Roma:
    """Return the system of the home tenant, which keeps the records of changes of tenants."""
    return build_roma(call.settings.replace(tenant=Workspace(call.settings.workspace).home_tenant))


async def _log_change(call: Invocation, action: Action, name: str, values: dict[str, str]) -> None:
    async with _build_home(call) as roma:
        await roma.log_action(Principal.local(roma.settings.tenant), action, name=name, settings=values)


def _read_values(settings: Sequence[str]) -> dict[str, str]:
    """Return SETTING=VALUE as pairs. Raises ``InputError``."""
    values: dict[str, str] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"Write settings as NAME=VALUE; {text!r} is not.")
        values[name.strip()] = value.strip()
    return values


def _describe(settings: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items())) or "those of the environment"
