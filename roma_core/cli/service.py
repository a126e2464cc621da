"""Commands about this installation: health, settings."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from roma_core.app import build_roma
from roma_core.cli.output import FAILED, OK, emit, table
from roma_core.settings import Settings, env_name


async def run_health(args: argparse.Namespace, settings: Settings) -> int:
    async with build_roma(settings) as roma:
        report = await roma.health()
    rows = [(c.name, c.state, c.reason, c.latency_ms and f"{c.latency_ms:.0f} ms") for c in report.components]
    emit(args, report, lambda: table(f"ROMA {report.version}: {report.state}", ["part", "state", "why", "took"], rows))
    return OK if report.state != "down" else FAILED


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
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, Path) else value


def settings_table() -> str:
    """The table of ``docs/settings.md``."""
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


