"""``roma acl``: who may read which collections and documents, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import click

from roma_core.app import build_roma
from roma_core.cli.audit import log_change
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, PARTIAL, write, write_table
from roma_core.errors import InputError, no_document
from roma_core.identity import Grantee, GrantTable, Resource, explain_access
from roma_core.types import LOCAL_USER, ROLES, Document, Principal, Role
from roma_core.workspace import Workspace

Body = Callable[..., Any]


@click.group(cls=RomaGroup)
def acl() -> None:
    """Show, grant, revoke and check who may read what."""


def _with_resource(body: Body) -> Body:
    options = (
        click.option("--collection", metavar="NAME", help="A collection."),
        click.option("--document", metavar="ID", help="A document, which narrows its collection."),
        click.option("--all", "whole", is_flag=True, help="Every collection that has no grants of its own."),
    )
    for option in reversed(options):
        body = option(body)
    return body


def _with_grantee(body: Body) -> Body:
    options = (
        click.option("--user", metavar="NAME", help="A user; token:ID is a token without an owner."),
        click.option("--group", metavar="NAME", help="The members of a group."),
        click.option("--role", type=click.Choice(ROLES), help="All that have a role."),
        click.option("--everyone", is_flag=True, help="Every reader of the tenant."),
    )
    for option in reversed(options):
        body = option(body)
    return body


@command("show", examples=("roma acl show",))
async def show(call: Invocation) -> int:
    """List what is restricted, each with those who may read it; all else is open to every reader of the tenant."""
    found = await asyncio.to_thread(_open_grants(call).list, call.settings.tenant)
    rows = [(entry.kind, entry.name, ", ".join(entry.grantees) or "nobody") for entry in found]
    call.emit(
        [entry.model_dump(mode="json") for entry in found],
        lambda: write_table("", ["kind", "name", "granted to"], rows),
    )
    return OK


@command(
    "grant",
    examples=(
        "roma acl grant --collection hr --group people",
        "roma acl grant --document 3f0a --user anna",
        "roma acl grant --all --role analyst",
    ),
)
@_with_resource
@_with_grantee
async def grant(call: Invocation, **chosen: Any) -> int:
    """Let someone read a collection or a document, and restrict it to those who are granted it."""
    resource, grantee = _read_resource(chosen), _read_grantee(chosen)
    grants = _open_grants(call)
    await log_change(call, "grant", resource=str(resource), grantee=str(grantee))
    await asyncio.to_thread(grants.grant, call.settings.tenant, resource, grantee, by=LOCAL_USER)
    call.emit({"granted": str(resource), "to": str(grantee)}, lambda: write(f"{resource} is granted to {grantee}"))
    return OK


@command("revoke", examples=("roma acl revoke --collection hr --user anna",))
@_with_resource
@_with_grantee
async def revoke(call: Invocation, **chosen: Any) -> int:
    """End a grant from the next request on. What was open to everyone is restricted from then on."""
    resource, grantee = _read_resource(chosen), _read_grantee(chosen)
    await log_change(call, "revoke", resource=str(resource), grantee=str(grantee))
    ended = await asyncio.to_thread(_open_grants(call).revoke, call.settings.tenant, resource, grantee)
    said = f"{resource} is no longer granted to {grantee}" if ended else f"{resource} was not granted to {grantee}"
    call.emit({"revoked": str(resource), "of": str(grantee), "was_granted": ended}, lambda: write(said))
    return OK


@command("check", examples=("roma acl check anna 3f0a9c", "roma acl check anna file:///srv/hr/plan.md --group people"))
@click.argument("who")
@click.argument("document")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="A group that WHO is in; may be repeated.")
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="A role of WHO (default: reader).")
async def check(call: Invocation, who: str, document: str, groups: tuple[str, ...], roles: tuple[Role, ...]) -> int:
    """Explain whether WHO may read DOCUMENT, an id or an address. Exit code 2 when not."""
    tenant = call.settings.tenant
    principal = Principal(subject=who, tenant=tenant, groups=groups, roles=roles or ("reader",))
    async with build_roma(call.settings) as roma:
        found = await roma.store.document(tenant, document) or await roma.store.document(
            tenant, Document.id_for(document, tenant)
        )
        if found is None:
            raise no_document(document)
        restrictions = await asyncio.to_thread(roma.grants.read, tenant)
    decision = explain_access(principal, restrictions, found.id, found.collection)
    verdict = f"{who} may {'' if decision.permitted else 'not '}read {found.title!r} ({found.id})"
    call.emit(
        {**decision.model_dump(mode="json"), "document_id": found.id, "collection": found.collection},
        lambda: write("\n".join([verdict, *decision.reasons])),
    )
    return OK if decision.permitted else PARTIAL


for part in (show, grant, revoke, check):
    acl.add_command(part)


def _open_grants(call: Invocation) -> GrantTable:
    return GrantTable(Workspace.of(call.settings).folder, server_url=call.settings.storage.server_url)


def _read_resource(chosen: dict[str, Any]) -> Resource:
    """Return the one resource that the options name. Raises ``InputError``."""
    named = [Resource(kind, chosen[kind]) for kind in ("collection", "document") if chosen[kind]]
    named += [Resource("tenant")] if chosen["whole"] else []
    if len(named) != 1:
        raise InputError("Say what: one of --collection NAME, --document ID and --all.")
    return named[0]


def _read_grantee(chosen: dict[str, Any]) -> Grantee:
    """Return the one grantee that the options name. Raises ``InputError``."""
    named = [Grantee(kind, chosen[kind]) for kind in ("user", "group", "role") if chosen[kind]]
    named += [Grantee("everyone")] if chosen["everyone"] else []
    if len(named) != 1:
        raise InputError("Say who: one of --user NAME, --group NAME, --role ROLE and --everyone.")
    return named[0]
