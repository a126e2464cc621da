"""Commands about this installation and its server: health, settings, serve, token, auth, completion."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from roma_core.app import build_roma
from roma_core.cli.audit import log_change
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.connectors.registry import connector_specs, describe_sign_ins
from roma_core.errors import AgentFailure, InputError
from roma_core.llm.control.budget import PERIODS, Period
from roma_core.llm.control.spending import DIMENSIONS, Dimension
from roma_core.settings import all_settings, mask_value, own_settings
from roma_core.tenants import list_profiles

if TYPE_CHECKING:
    from roma_core.api.tokens import Scope, TokenStore


@command(examples=("roma health", "roma health --json"))
async def health(call: Invocation) -> int:
    """Show whether each part works, and why not."""
    async with build_roma(call.settings) as roma:
        report = await roma.health()
    rows = [(c.name, c.state, c.reason, c.latency_ms and f"{c.latency_ms:.0f} ms") for c in report.components]
    title = f"ROMA {report.version}: {report.state}"
    call.emit(report, lambda: write_table(title, ["part", "state", "why", "took"], rows))
    return OK if report.state != "down" else FAILED


@command(examples=("roma plugins", "roma plugins --json"))
async def plugins(call: Invocation) -> int:
    """List the parts that installed packages bring, ROMA's own among them, and why one cannot be used."""
    from roma_core.parts import list_broken_plugins
    from roma_core.plugins import list_declared

    async with build_roma(call.settings) as roma:
        declared = list_declared(await asyncio.to_thread(list_broken_plugins, roma))
    rows = [
        (
            "failed" if plugin.reason else "ok",
            plugin.group,
            plugin.name,
            f"{plugin.package} {plugin.version}",
            plugin.reason,
        )
        for plugin in declared
    ]
    columns = ["state", "group", "name", "package", "why"]
    call.emit([asdict(plugin) for plugin in declared], lambda: write_table("", columns, rows))
    return PARTIAL if any(plugin.reason for plugin in declared) else OK


@command(examples=("roma doctor", "roma doctor --repair"))
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
async def doctor(call: Invocation, repair: bool) -> int:
    """Compare store, ledger, databases and temporary files, and say what does not fit.

    Nothing is changed without --repair. Sources are asked for documents that only one side knows.
    """
    from roma_core.doctor import examine

    async with build_roma(call.settings) as roma:
        report = await examine(roma, repair=repair)
    rows = [(d.part, d.message, f"{d.mended} of {d.count}", "" if d.is_mended else d.advice) for d in report.diagnoses]
    call.emit(report, lambda: write_table("", ["part", "what is wrong", "mended", "what to do"], rows))
    if not report.diagnoses and not call.as_json:
        note("Nothing is wrong.")
    return OK if report.is_well else FAILED


@command(examples=("roma spend", "roma spend --period all --by model"))
@click.option("--period", type=click.Choice(PERIODS), default="month", help="The day, the month (UTC) or all time.")
@click.option("--by", type=click.Choice(DIMENSIONS), default="day", help="What costs are added up by.")
async def spend(call: Invocation, period: Period, by: Dimension) -> int:
    """Show what models have cost, and how much of each budget is taken."""
    async with build_roma(call.settings) as roma:
        report = await roma.spend(period, by=by)
    if isinstance(report, AgentFailure):
        return call.fail(report)

    def show() -> None:
        rows = [
            (row.name or "-", row.calls, row.input_tokens, row.output_tokens, row.reasoning_tokens, _usd(row.cost_usd))
            for row in report.rows
        ]
        columns = [by, "calls", "input tokens", "output tokens", "of thoughts", "cost"]
        if rows:
            write_table(f"{report.tenant}, {period}: {_usd(report.cost_usd)}", columns, rows)
        else:
            write(f"{report.tenant}, {period}: no model was called.")
        for budget in report.budgets:
            write(
                f"budget of the {budget.scope}, {budget.period}: {_usd(budget.taken_usd)} of {_usd(budget.limit_usd)}"
            )
        if report.unpriced_calls:
            note(f"{report.unpriced_calls} calls are of models without a known price; state it in ROMA_PRICES_FILE.")

    call.emit(report.model_dump(mode="json"), show)
    return OK


def _usd(amount: float) -> str:
    return f"${amount:.4f}"


@command(examples=("roma serve", "roma serve --port 8080"), serves=True)
@click.option("--host", metavar="ADDRESS", help="Address to bind (ROMA_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port to bind (ROMA_PORT).")
async def serve(call: Invocation, host: str | None, port: int | None) -> int:
    """Serve the HTTP API, with the console at /console."""
    from roma_core.api.serve import serve as run_server

    async with build_roma(call.settings) as roma:
        await run_server(roma, host=host, port=port)
    return OK


@command(examples=("roma mcp", "roma mcp --http --port 8080"), serves=True)
@click.option("--http", "over_http", is_flag=True, help="Serve streamable HTTP at /mcp, with the whole HTTP API.")
@click.option("--host", metavar="ADDRESS", help="With --http: address to bind (ROMA_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="With --http: port to bind (ROMA_PORT).")
async def mcp(call: Invocation, over_http: bool, host: str | None, port: int | None) -> int:
    """Serve tools for agents (Model Context Protocol): search, ask, get_document, list_collections.

    Over the standard streams, for the program that starts it; with --http for tokens with the scope query.
    """
    async with build_roma(call.settings) as roma:
        if over_http:
            from roma_core.api.serve import serve as run_server

            await run_server(roma, host=host, port=port)
        else:
            from roma_core.mcp import serve_stdio

            await serve_stdio(roma)
    return OK


@click.group(cls=RomaGroup)
def token() -> None:
    """Create, list or revoke bearer tokens of the HTTP API."""


def _tokens(call: Invocation) -> TokenStore:
    from roma_core.api.tokens import TokenStore

    return TokenStore(call.settings.workspace, call.settings.storage.server_url)


@command("create", examples=("roma token create ci --scope query --scope ingest --days 90",))
@click.argument("name")
@click.option("--scope", multiple=True, type=click.Choice(("query", "ingest", "admin")), help="May be repeated.")
@click.option("--days", type=click.IntRange(min=1), metavar="N", help="Valid for N days; default: until revoked.")
@click.option("--user", metavar="NAME", help="The user whose token it is: its conversations are that user's.")
async def create_token(
    call: Invocation, name: str, scope: tuple[Scope, ...], days: int | None, user: str | None
) -> int:
    """Create a token; NAME says what it is for. It is shown once."""
    tenants = [profile.name for profile in list_profiles(call.settings.workspace)]
    await log_change(call, "token.create", name=name, user=user, scopes=list(scope or ("query",)))
    secret, record = _tokens(call).create(name, scope or ("query",), tenant=call.settings.tenant, days=days, owner=user)
    call.emit({"token": secret, **record.model_dump(mode="json")}, lambda: write(secret))
    if not call.as_json:
        note("Keep it: only its hash is stored, so it cannot be shown again.")
        if call.settings.tenant not in tenants:  # the name may be a slip
            note(f"The tenant {call.settings.tenant!r} is new; the others are {', '.join(tenants)}.")
    return OK


@command("list", examples=("roma token list",))
async def list_tokens(call: Invocation) -> int:
    """List the tokens, without their secrets."""
    records = _tokens(call).list()
    rows = [(r.id, r.name, r.owner or "", ", ".join(r.scopes), r.expires_at, r.revoked_at) for r in records]
    call.emit(
        [record.model_dump(mode="json") for record in records],
        lambda: write_table("", ["id", "name", "user", "scopes", "expires", "revoked"], rows),
    )
    return OK


@command("revoke", examples=("roma token revoke 7c1e",))
@click.argument("token_id")
async def revoke_token(call: Invocation, token_id: str) -> int:
    """End a token."""
    await log_change(call, "token.revoke", token=token_id)
    _tokens(call).revoke(token_id)
    call.emit({"revoked": token_id}, lambda: write(f"{token_id} is revoked"))
    return OK


for part in (create_token, list_tokens, revoke_token):
    token.add_command(part)


@command(examples=("roma auth gdrive --client client_secret.json",), fills={"sources": describe_sign_ins})
@click.argument("source")
@click.option("--client", type=click.Path(path_type=Path), required=True, metavar="FILE", help="OAuth desktop client.")
async def auth(call: Invocation, source: str, client: Path) -> int:
    """Sign in to a source with a user account.

    SOURCE is one of: {sources}.
    """
    spec = connector_specs().require(source)
    if spec.sign_in is None:
        raise InputError(f"{source} needs no sign-in; {describe_sign_ins()} do.")
    path = await asyncio.to_thread(spec.sign_in, call.settings, client)
    call.emit({"credentials": str(path)}, lambda: write(f"signed in; {source} reads its credentials from {path}"))
    return OK


@command(examples=('eval "$(roma completion bash)"', "roma completion fish > ~/.config/fish/completions/roma.fish"))
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
async def completion(call: Invocation, shell: str) -> int:
    """Print the script that completes commands and options in a shell."""
    from click.shell_completion import get_completion_class

    from roma_core.cli import roma

    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"click completes no {shell}.")
    script = maker(roma, {}, "roma", "_ROMA_COMPLETE").source()
    call.emit({"shell": shell, "script": script}, lambda: print(script))
    return OK


@command(examples=("roma settings", "ROMA_TENANT=lab roma settings --json"))
@click.option("--markdown", is_flag=True, help="The table of docs/07_CONFIGURATION.md.")
async def settings(call: Invocation, markdown: bool) -> int:
    """List every setting with its value and meaning."""
    if markdown:
        write(settings_table())
        return OK
    known = all_settings()
    values = {setting.env: show_value(call.settings.value(setting)) for setting in known}
    rows = [(setting.env, values[setting.env], setting.description) for setting in known]
    call.emit(values, lambda: write_table("", ["setting", "value", "meaning"], rows))
    return OK


def show_value(value: object) -> Any:
    """Return a setting's value as it may be printed."""
    masked = mask_value(value)
    if isinstance(masked, tuple):
        return ",".join(map(str, masked))
    return str(masked) if isinstance(masked, Path) else masked


def settings_table() -> str:
    """Return the table of ``docs/07_CONFIGURATION.md``."""
    lines = ["| setting | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for setting in own_settings():
        literals = ", ".join(f"`{value}`" for value in _literals(setting.info.annotation))
        allowed = literals or _bounds(setting.info.metadata)
        default = show_value(setting.default)
        spelling = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `{setting.env}` | {allowed} | {spelling} | {setting.description} |")
    return "\n".join(lines)


def _literals(annotation: Any) -> list[str]:
    return [str(v) for v in get_args(annotation)] if typing.get_origin(annotation) is typing.Literal else []


def _bounds(metadata: Sequence[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in signs.items() if hasattr(m, name)]
    return ", ".join(bounds)
