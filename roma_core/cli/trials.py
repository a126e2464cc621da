"""``roma ab``: trials of two variants on the conversations of a service, which may be looked at at any time."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import click

from roma_core.app import build_roma
from roma_core.cli.audit import log_change
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import OK, note, write, write_table
from roma_core.trials import ArmSummary, Primary, Trial, TrialReport, TrialTable, require_changes
from roma_core.types import LOCAL_USER
from roma_core.workspace import Workspace


@click.group(cls=RomaGroup)
def ab() -> None:
    """Try two variants on the conversations of the service: start, list, stop, show."""


@command(
    "start",
    examples=(
        "roma ab start lazy --b prompts=answer=lazy",
        "roma ab start ranking --a rerank_weight=0 --b rerank_weight=0.5 --primary proof",
    ),
)
@click.argument("name")
@click.option("--a", "changes_a", multiple=True, metavar="NAME=VALUE", help="A setting of variant a; none: as it is.")
@click.option("--b", "changes_b", multiple=True, metavar="NAME=VALUE", help="A setting of variant b.")
@click.option(
    "--primary",
    type=click.Choice(get_args(Primary)),
    default="thumbs",
    show_default=True,
    help="What decides: the share of thumbs that are up, or of statements that are proven.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    metavar="X",
    help="A difference of it that would not matter.",
)
async def start(
    call: Invocation, name: str, changes_a: tuple[str, ...], changes_b: tuple[str, ...], primary: Primary, margin: float
) -> int:
    """Begin a trial: each conversation from now on is answered by a or by b, as a hash decides. One runs at a time."""
    a, b = (require_changes(call.settings, given) for given in (changes_a, changes_b))
    table = TrialTable(Workspace.of(call.settings).folder)
    trial = await asyncio.to_thread(
        lambda: table.start(call.settings.tenant, name, a, b, primary=primary, margin=margin, by=LOCAL_USER)
    )
    await log_change(call, "trial.start", trial=name, a=a, b=b)
    call.emit(_dump(trial), lambda: write(f"the trial {name!r} runs: {_say(trial.a)} against {_say(trial.b)}"))
    return OK


@command("list", examples=("roma ab list",))
async def list_trials(call: Invocation) -> int:
    """List the trials, the newest first."""
    trials = await asyncio.to_thread(TrialTable(Workspace.of(call.settings).folder).list, call.settings.tenant)
    rows = [
        (
            one.name,
            "runs" if one.is_running else "stopped",
            one.primary,
            _say(one.a),
            _say(one.b),
            f"{one.started_at:%Y-%m-%d}",
        )
        for one in trials
    ]
    call.emit(
        [_dump(one) for one in trials], lambda: write_table("", ["trial", "state", "primary", "a", "b", "since"], rows)
    )
    return OK


@command("show", examples=("roma ab show lazy", "roma ab show lazy --json"))
@click.argument("name")
async def show(call: Invocation, name: str) -> int:
    """Show what came of both variants, and whether one is better: valid however often one looks."""
    async with build_roma(call.settings) as roma:
        report = await roma.trials.report(call.settings.tenant, name)
    call.emit(report.model_dump(mode="json"), lambda: _show(report))
    return OK


@command("stop", examples=("roma ab stop lazy",))
@click.argument("name")
async def stop(call: Invocation, name: str) -> int:
    """End a trial: all conversations are answered by the settings again; its outcomes stay."""
    trial = await asyncio.to_thread(TrialTable(Workspace.of(call.settings).folder).stop, call.settings.tenant, name)
    await log_change(call, "trial.stop", trial=name)
    call.emit(_dump(trial), lambda: write(f"the trial {name!r} has ended; see it with: roma ab show {name}"))
    return OK


for part in (start, list_trials, show, stop):
    ab.add_command(part)


def _show(report: TrialReport) -> None:
    columns = [
        "",
        "settings",
        "conversations",
        "answers",
        "failed",
        "up",
        "down",
        "proven",
        "median s",
        "USD an answer",
    ]
    write_table("", columns, [_row(arm) for arm in report.arms])
    write(report.sentence)
    note(f"seconds differ: p = {report.seconds_p_value:.3f}; cost differs: p = {report.cost_p_value:.3f}")


def _row(arm: ArmSummary) -> tuple[Any, ...]:
    return (
        arm.arm,
        _say(arm.changes),
        arm.conversations,
        arm.answers,
        arm.failed,
        arm.thumbs_up,
        arm.thumbs_down,
        "" if arm.proof is None else f"{arm.proof:.0%}",
        "" if arm.median_seconds is None else f"{arm.median_seconds:.1f}",
        "" if arm.mean_cost_usd is None else f"{arm.mean_cost_usd:.4f}",
    )


def _say(changes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in changes.items()) or "as it is"


def _dump(trial: Trial) -> dict[str, Any]:
    return trial.model_dump(mode="json", exclude={"salt"})
