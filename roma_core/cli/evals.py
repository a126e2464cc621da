"""Commands about evaluations: eval, compare."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roma_core.app import build_roma
from roma_core.cli.answers import top_k_option
from roma_core.cli.command import DefaultGroup, Invocation, command
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.ui.progress import eval_bar
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.report.comparison import Comparison
    from roma_core.evals.report.record import EvalReport
    from roma_core.evals.runs import RunCard, RunStore


@command(
    "eval",
    examples=("roma eval datasets/golden/golden_dataset.json", "roma eval beir:scifact --limit 100"),
    resumes=True,
)
@click.argument("dataset")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, drawn by hash.")
@top_k_option
@click.option("--measure", multiple=True, metavar="NAME", help="Also this measure, or package:name; may be repeated.")
@click.option("--name", default="", metavar="NAME", help="What the run is called; default: the dataset and a number.")
@click.option("--judge", is_flag=True, help="Also grade answers 1-5 with the model.")
@click.option("--gate", type=click.Path(path_type=Path), metavar="FILE", help="Fail below these floors.")
@click.option("--fresh", is_flag=True, help="Ask everything again instead of going on.")
@click.option("--track", is_flag=True, help="Log the run to MLflow.")
async def evaluate(
    call: Invocation,
    dataset: str,
    limit: int | None,
    top_k: int,
    measure: tuple[str, ...],
    name: str,
    judge: bool,
    gate: Path | None,
    fresh: bool,
    track: bool,
) -> int:
    """Score answers on a golden set, or retrieval on beir:DIR.

    DATASET is the path of a golden set, or beir:DIR.
    """
    from roma_core.evals import Judge
    from roma_core.evals import evaluate as run_evaluation
    from roma_core.evals.gate import check, load_floors

    _import_from_here()
    async with build_roma(call.settings) as roma:
        with eval_bar(call.is_interactive) as progress:
            report = await run_evaluation(
                dataset,
                roma,
                measures=[*measure, *([Judge(roma.llm)] if judge else [])],
                limit=limit,
                top_k=top_k,
                name=name,
                resume=not fresh,
                progress=progress,
            )
        if track:
            from roma_core.agents.prompts import all_prompts
            from roma_core.evals.tracking import track as track_run

            await track_run(report, call.settings, all_prompts().values())
    outcome = check(report, load_floors(gate)) if gate else None
    call.emit(report, lambda: show_scores(report))
    if outcome is not None and not outcome.passed:
        note(f"below the gate: {outcome.missed}")
        return FAILED
    return exit_code(report)


def exit_code(report: EvalReport) -> int:
    """Return ``OK`` when every answer is one, ``FAILED`` when every case failed, else ``PARTIAL``."""
    if report.is_whole:
        return OK
    return FAILED if report.errors == len(report.rows) else PARTIAL


def _import_from_here() -> None:
    """Let ``--measure module:name`` find a module of the current folder, as ``python -m`` does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def show_scores(report: EvalReport) -> None:
    """Print a line for each measure, with its interval and what could not be scored."""
    from roma_core.evals.report.record import describe_states

    rows = [
        (s.measure, f"{s.interval.mean:.3f}", f"{s.interval.low:.3f} – {s.interval.high:.3f}", s.interval.n, s.unscored)
        for s in report.summary()
    ]
    write_table(
        f"{report.dataset}: {describe_states(report)}, run {report.run_id}",
        ["measure", "mean", "95 % interval", "scored", "unscored"],
        rows,
    )
    reasons = Counter(row.why for row in report.rows if row.state != "ok")
    for why, count in sorted(reasons.items()):
        note(f"{count} unscored, {why}")


@command(examples=("roma compare 1f0c 9ab2",))
@click.argument("run_a")
@click.argument("run_b")
async def compare(call: Invocation, run_a: str, run_b: str) -> int:
    """Decide whether run B is better than run A."""
    from roma_core.evals import compare as compare_runs

    runs = _runs(call)
    comparison = compare_runs(runs.read(run_a), runs.read(run_b))
    call.emit(comparison, lambda: _show_comparison(comparison))
    return OK


def _runs(call: Invocation) -> RunStore:
    from roma_core.evals.runs import RunStore

    return RunStore(Workspace(call.settings.workspace).evals)


@click.group(cls=DefaultGroup, default="list")
def runs() -> None:
    """List, show, label, rename or remove the runs of evaluations."""


@command("list", examples=("roma runs", "roma runs list --json"))
async def list_runs(call: Invocation) -> int:
    """List the runs, the newest last."""
    cards = _runs(call).list()
    rows = [_card_row(card) for card in cards]
    columns = ["name", "run", "made", "dataset", "cases", "state", "labels"]
    call.emit([card.model_dump(mode="json") for card in cards], lambda: write_table("", columns, rows))
    return OK


def _card_row(card: RunCard) -> tuple[object, ...]:
    other = ", ".join(f"{n} {state}" for state, n in sorted(card.states.items()) if state != "ok")
    made = card.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return card.name, card.run_id, made, card.dataset, card.cases, other or "ok", ", ".join(card.labels)


@command("show", examples=("roma runs show lazy",))
@click.argument("run")
async def show_run(call: Invocation, run: str) -> int:
    """Show what a run scored. RUN is a name, a label or the beginning of a run id."""
    store = _runs(call)
    report = store.read(run)
    call.emit(report, lambda: show_scores(report))
    if not call.as_json:
        note(f"the whole report: {store.page(run)}")
    return exit_code(report)


@command("rm", examples=("roma runs rm lazy",))
@click.argument("run", nargs=-1, required=True)
async def remove_runs(call: Invocation, run: tuple[str, ...]) -> int:
    """Remove runs; the answers that they asked stay known."""
    store = _runs(call)
    cards = [store.find(each) for each in run]
    for card in cards:
        store.remove(card.run_id)
    call.emit([card.model_dump(mode="json") for card in cards], lambda: write(f"removed: {_names(cards)}"))
    return OK


def _names(cards: Sequence[RunCard]) -> str:
    return ", ".join(f"{card.name} ({card.run_id})" for card in cards)


@command("label", examples=("roma runs label lazy winter-review", "roma runs label lazy winter-review --remove"))
@click.argument("run")
@click.argument("label", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the labels away.")
async def label_run(call: Invocation, run: str, label: tuple[str, ...], remove: bool) -> int:
    """Label a run; a label names it too where no other run has it."""
    card = _runs(call).label(run, label, remove=remove)
    call.emit(card, lambda: write(f"{card.name} ({card.run_id}): {', '.join(card.labels) or 'no labels'}"))
    return OK


@command("rename", examples=("roma runs rename golden_dataset-3 lazy",))
@click.argument("run")
@click.argument("name")
async def rename_run(call: Invocation, run: str, name: str) -> int:
    """Give a run another name."""
    card = _runs(call).rename(run, name)
    call.emit(card, lambda: write(f"{card.run_id} is now {card.name}"))
    return OK


for subcommand in (list_runs, show_run, remove_runs, label_run, rename_run):
    runs.add_command(subcommand)


def _show_comparison(comparison: Comparison) -> None:
    rows = [
        (
            m.measure,
            f"{m.a:.3f}",
            f"{m.b:.3f}",
            f"{m.difference.mean:+.3f} ± {m.difference.high - m.difference.mean:.3f}",
            f"{m.wins}/{m.losses}/{m.ties}",
            f"{m.adjusted_p:.3f}",
            m.verdict,
        )
        for m in comparison.measures
    ]
    write_table(
        f"{comparison.cases} questions: B ({comparison.b}) against A ({comparison.a})",
        ["measure", "A", "B", "B - A (95 %)", "+/-/=", "p", "B is"],
        rows,
    )
    write(f"+/-/=: questions that B won, lost, tied. p: corrected for {len(rows)} measures (Holm).")
    write(f"Words an answer: {comparison.words[0]:.0f} in A, {comparison.words[1]:.0f} in B.")
    unseen = [f"{m.measure} {m.difference.detectable:.3f}" for m in comparison.measures if m.verdict == "undecided"]
    if unseen:
        write(f"Undecided; so many questions find four times in five: {', '.join(unseen)}.")
    if comparison.changed:
        changes = [(name, *values) for name, values in comparison.changed.items()]
        write_table("What changed", ["setting or prompt", "A", "B"], changes)
