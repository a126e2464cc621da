"""The command `roma experiment`: several variants of the system on one golden set, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.evals import import_from_here
from roma_core.cli.output import OK, PARTIAL, note, write, write_table
from roma_core.errors import count_noun
from roma_core.ui.progress import experiment_bar
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.experiments import Experiment


@command(
    examples=(
        "roma experiment prompts.toml",
        "roma experiment prompts.toml --plan",
        "roma experiment grid.toml --on local:8",
    ),
    resumes=True,
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, always the same ones.")
@click.option("--plan", is_flag=True, help="Ask nothing: name the variants, and what they will cost at most.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Where the page goes; default: workspace."
)
@click.option("--on", metavar="PLACE", help="Where questions are asked: local:8, dask, dask://host:8786, slurm://...")
async def experiment(
    call: Invocation, file: Path, limit: int | None, plan: bool, html: Path | None, on: str | None
) -> int:
    """Decide which variants in FILE are better than the base.

    FILE is TOML: `dataset`, `primary`, a table `[variants.NAME]` for each variant (`settings`, `prompts`, or `system`
    for another system), and a `[grid]` of settings.
    """
    from roma_core.evals.evaluation import load_dataset
    from roma_core.evals.experiments import estimate_experiment, load_experiment
    from roma_core.evals.experiments import experiment as run_experiment
    from roma_core.evals.report.experiment_page import render_experiment_page
    from roma_core.evals.runs import RunStore

    import_from_here()
    described = load_experiment(file)
    variants, limit = described.all_variants, limit or described.limit
    async with build_roma(call.settings) as roma:
        estimate = estimate_experiment(load_dataset(described.dataset).sample(limit), len(variants), roma)
        if plan:
            names = [variant.name for variant in variants]
            call.emit({"variants": names, **estimate.model_dump()}, lambda: write("\n".join([*names, estimate.words])))
            return OK
        if not call.as_json:
            note(f"{len(variants)} variants, {estimate.words}")
        with experiment_bar(call.is_interactive) as progress:
            result = await run_experiment(
                variants,
                described.dataset,
                roma,
                primary=described.primary,
                base=described.base or 0,
                margin=described.margin,
                measures=described.measures,
                limit=limit,
                top_k=described.top_k,
                sources=described.sources,
                prefix=described.prefix,
                progress=progress,
                on=on,
            )
    call.emit(result, lambda: _show_experiment(result))
    runs = RunStore(Workspace.of(call.settings).evals)
    path = runs.write_page(f"experiment-{file.stem}", render_experiment_page(result), html)
    if not call.as_json:
        note(f"the page with plots: {path}")
    return OK if all(set(variant.states) <= {"ok"} for variant in result.variants) else PARTIAL


def _show_experiment(result: Experiment) -> None:
    compared = {v.name: v for v in result.comparison.variants} if result.comparison else {}
    rows = []
    for v in result.variants:
        decided = compared[v.name].comparison.of(result.primary) if v.name in compared else None
        rows.append(
            (
                v.name,
                f"{v.score:.3f}",
                f"{decided.difference.mean:+.3f} ({decided.shown_interval})"
                if decided
                else result.describe_undecided(v.name),
                f"{compared[v.name].adjusted_p:.3f}" if decided else "",
                decided.decision.value if decided else "",
                f"{v.asked}/{v.known}",
                "" if v.cost_usd is None else f"{1000 * v.cost_usd:.3f}",
                f"{v.seconds:.2f}",
            )
        )
    write_table(
        f"{result.dataset}: {count_noun(len(rows), 'variant')}, decided by {result.primary}, in {result.seconds:.0f} s",
        ["variant", "score", "difference", "p (Holm)", "variant is", "asked/known", "USD/1000", "median s"],
        rows,
    )
    for name, why in result.broken.items():
        note(f"{name} has no answer of its own and is not compared: {why}")
    for remark in result.comparison.remarks if result.comparison else ():
        note(remark)
