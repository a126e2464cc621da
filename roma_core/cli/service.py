"""Commands about this installation and its server: health, settings, serve, token, auth."""

from __future__ import annotations

import argparse
import asyncio
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from roma_core.app import build_roma
from roma_core.cli.output import FAILED, OK, emit, table
from roma_core.errors import InputError
from roma_core.settings import Settings, env_name, shown


async def run_health(args: argparse.Namespace, settings: Settings) -> int:
    async with build_roma(settings) as roma:
        report = await roma.health()
    rows = [(c.name, c.state, c.reason, c.latency_ms and f"{c.latency_ms:.0f} ms") for c in report.components]
    emit(args, report, lambda: table(f"ROMA {report.version}: {report.state}", ["part", "state", "why", "took"], rows))
    return OK if report.state != "down" else FAILED


async def run_serve(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.api.serve import serve

    async with build_roma(settings) as roma:
        await serve(roma, host=args.host, port=args.port)
    return OK


async def run_token(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.api.tokens import TokenStore

    tokens = TokenStore(settings.workspace)
    if args.action == "list":
        known = tokens.list()
        rows = [(t.id, t.name, ", ".join(t.scopes), t.expires_at, t.revoked_at) for t in known]
        emit(
            args,
            [t.model_dump(mode="json") for t in known],
            lambda: table("", ["id", "name", "scopes", "expires", "revoked"], rows),
        )
        return OK
    if not args.name:
        raise InputError("roma token create NAME, or roma token revoke ID.")
    if args.action == "revoke":
        tokens.revoke(args.name)
        emit(args, {"revoked": args.name}, lambda: print(f"{args.name} is revoked"))
        return OK
    secret, token = tokens.create(args.name, args.scope or ("query",), tenant=settings.tenant, days=args.days)
    emit(args, {"token": secret, **token.model_dump(mode="json")}, lambda: print(secret))
    if not args.json:
        print("Keep it: only its hash is stored, so it cannot be shown again.", file=sys.stderr)
    return OK


async def run_auth(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.connectors.gdrive.auth import authorize

    path = await asyncio.to_thread(authorize, settings, args.client)
    emit(args, {"credentials": str(path)}, lambda: print(f"signed in; ROMA_GDRIVE_CREDENTIALS={path}"))
    return OK


async def run_settings(args: argparse.Namespace, settings: Settings) -> int:
    if args.markdown:
        print(settings_table())
        return OK
    values = {env_name(f): _shown(getattr(settings, f)) for f in Settings.model_fields}
    rows = [
        (name, value, info.description)
        for (name, value), info in zip(values.items(), Settings.model_fields.values(), strict=True)
    ]
    emit(args, values, lambda: table("", ["setting", "value", "meaning"], rows))
    return OK


def _shown(value: object) -> Any:
    plain = shown(value)
    if isinstance(plain, tuple):
        return ",".join(map(str, plain))
    return str(plain) if isinstance(plain, Path) else plain


def settings_table() -> str:
    """The table of ``docs/07_CONFIGURATION.md``."""
    lines = ["| setting | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for field, info in Settings.model_fields.items():
        allowed = ", ".join(f"`{v}`" for v in _literals(info.annotation)) or _bounds(info.metadata)
        default = _shown(info.get_default(call_default_factory=True))
        shown = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `{env_name(field)}` | {allowed} | {shown} | {info.description} |")
    return "\n".join(lines)


def _literals(annotation: Any) -> list[str]:
    return [str(v) for v in get_args(annotation)] if typing.get_origin(annotation) is typing.Literal else []


def _bounds(metadata: Sequence[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in signs.items() if hasattr(m, name)]
    return ", ".join(found)
