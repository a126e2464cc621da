"""``roma user`` and ``roma login``: accounts of people, and the browsers in which they are signed in."""

from __future__ import annotations

import asyncio

import click

from roma_core.api.accounts import INVITATION, AccountTable, UserAccount
from roma_core.cli.audit import log_change
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.types import ROLES, Role


@click.group(cls=RomaGroup)
def user() -> None:
    """Add, invite, link, disable and list the users of the console and the HTTP API."""


@click.group(cls=RomaGroup)
def login() -> None:
    """List and end the sign-ins of users."""


@command("add", examples=("roma user add anna --role admin", "roma user add bert --role reader --group people"))
@click.argument("name")
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="May be repeated (default: reader).")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="A group for grants; may be repeated.")
async def add(call: Invocation, name: str, roles: tuple[Role, ...], groups: tuple[str, ...]) -> int:
    """Add a user and print a link, good once and for a day, by which NAME chooses a password.

    From the first user on the service needs a sign-in or a token.
    """
    wanted = roles or ("reader",)
    await log_change(call, "account.add", user=name, roles=list(wanted), groups=list(groups))
    accounts = _accounts(call)
    secret = await asyncio.to_thread(
        lambda: accounts.add(name, roles=wanted, groups=groups, tenant=call.settings.tenant)
    )
    return _show_invitation(call, name, secret)


@command("invite", examples=("roma user invite anna",))
@click.argument("name")
async def invite(call: Invocation, name: str) -> int:
    """Print a fresh link by which NAME chooses a new password."""
    await log_change(call, "account.add", user=name, invited_again=True)
    return _show_invitation(call, name, await asyncio.to_thread(_accounts(call).invite, name))


@command("link", examples=("roma user link anna --provider https://id.example.org/realms/lab --subject 248289761001",))
@click.argument("name")
@click.option("--provider", required=True, metavar="ISSUER", help="ROMA_OIDC_ISSUER, or ROMA_SAML_IDP_ENTITY_ID.")
@click.option("--subject", required=True, metavar="ID", help="The provider's id of the person: sub, or the NameID.")
async def link(call: Invocation, name: str, provider: str, subject: str) -> int:
    """Let a person of an identity provider be the user NAME, who has signed in with a password so far."""
    await log_change(call, "account.add", user=name, provider=provider, subject=subject)
    await asyncio.to_thread(_accounts(call).link, name, provider, subject)
    call.emit({"user": name, "provider": provider, "subject": subject}, lambda: write(f"{name} is linked"))
    return OK


@command("disable", examples=("roma user disable anna",))
@click.argument("name")
async def disable(call: Invocation, name: str) -> int:
    """Let a user in no more: its sign-ins end, and its tokens are refused from the next request on."""
    await log_change(call, "account.disable", user=name)
    await asyncio.to_thread(_accounts(call).disable, name)
    call.emit({"disabled": name}, lambda: write(f"{name} is disabled"))
    return OK


@command("list", examples=("roma user list",))
async def list_users(call: Invocation) -> int:
    """List the users with their roles and groups."""
    found = await asyncio.to_thread(_accounts(call).list)
    rows = [
        (
            account.name,
            ", ".join(account.roles),
            ", ".join(account.groups),
            _name_state(account),
        )
        for account in found
    ]
    call.emit(
        [account.model_dump(mode="json") for account in found],
        lambda: write_table("", ["name", "roles", "groups", "state"], rows),
    )
    return OK


@command("list", examples=("roma login list",))
async def list_logins(call: Invocation) -> int:
    """List the sign-ins that are in force, the newest first."""
    found = await asyncio.to_thread(_accounts(call).list_logins)
    rows = [
        (
            entry.id,
            entry.user,
            entry.way,
            entry.address,
            entry.created_at.isoformat(timespec="seconds"),
            entry.seen_at.isoformat(timespec="seconds"),
        )
        for entry in found
    ]
    call.emit(
        [entry.model_dump(mode="json") for entry in found],
        lambda: write_table("", ["id", "user", "by", "address", "since", "last used"], rows),
    )
    return OK


@command("revoke", examples=("roma login revoke 7c1e09ab12cd",))
@click.argument("login_id")
async def revoke(call: Invocation, login_id: str) -> int:
    """End a sign-in from the next request on."""
    await log_change(call, "sign_out", login=login_id)
    await asyncio.to_thread(_accounts(call).sign_out, login_id)
    call.emit({"ended": login_id}, lambda: write(f"{login_id} has ended"))
    return OK


for part in (add, invite, link, disable, list_users):
    user.add_command(part)
for part in (list_logins, revoke):
    login.add_command(part)


def _name_state(account: UserAccount) -> str:
    """Return whether a user can sign in: only by an invitation, by a password or a provider, or no more."""
    if account.disabled_at is not None:
        return "disabled"
    return "active" if account.has_password or account.is_linked else "invited"


def _accounts(call: Invocation) -> AccountTable:
    return AccountTable(call.settings.workspace, call.settings.storage.server_url)


def _show_invitation(call: Invocation, name: str, secret: str) -> int:
    serving = call.settings.serving
    link = f"http://{serving.host}:{serving.port}/sign-in?invitation={secret}"
    call.emit({"user": name, "link": link}, lambda: write(link))
    if not call.as_json:
        hours = int(INVITATION.total_seconds() // 3600)
        note(f"{name} opens this once within {hours} hours and chooses a password. It is not shown again.")
    return OK
