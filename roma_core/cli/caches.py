"""Commands about caches: what they hold, what they have saved, and how they are emptied."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from roma_core.answers.cache import METRIC as ANSWERS
from roma_core.app import Roma, build_roma
from roma_core.cli.command import DefaultGroup, Invocation, command
from roma_core.cli.output import OK, write, write_table


@click.group("cache", cls=DefaultGroup, default="show")
def cache() -> None:
    """Show or empty the caches of the workspace: parses, vectors, model calls, answers."""


@command("show", examples=("roma cache", "roma cache --json"))
async def show_caches(call: Invocation) -> int:
    """Show how much each cache holds, and what the cache of answers has saved."""
    async with build_roma(call.settings) as roma:
        kinds = await asyncio.to_thread(roma.cache.stats)
        answers = await roma.answer_cache_stats()
    rows = [(kind.kind, kind.entries, _megabytes(kind.bytes), "", "") for kind in kinds]
    saved = f"{answers.saved_calls} calls, {answers.saved_tokens} tokens, ${answers.saved_usd:.4f}"
    rows.append((ANSWERS, answers.entries, _megabytes(answers.bytes), str(answers.hits), saved))
    value = {"caches": [asdict(kind) for kind in kinds], "answers": asdict(answers)}
    call.emit(value, lambda: write_table("", ["cache", "entries", "MB", "found", "saved"], rows))
    return OK


@command("clear", examples=("roma cache clear", "roma cache clear --kind answer"))
@click.option("--kind", metavar="CACHE", help="Only this one, as `roma cache` names it; default: all.")
async def clear_caches(call: Invocation, kind: str | None) -> int:
    """Empty the caches. What was in them is made again when it is needed, which may call models."""
    async with build_roma(call.settings) as roma:
        dropped = await _clear(roma, kind)
    call.emit({"dropped": dropped}, lambda: write(f"{dropped} entries dropped"))
    return OK


async def _clear(roma: Roma, kind: str | None) -> int:
    answers = await roma.clear_answer_cache() if kind in (None, ANSWERS) else 0
    return answers + await asyncio.to_thread(roma.cache.clear, kind)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.2f}"


for part in (show_caches, clear_caches):
    cache.add_command(part)
