"""The command `roma rerun`: a run or a notebook made again by its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.evals import exit_code, import_from_here
from roma_core.cli.output import FAILED, OK, note, write, write_table
from roma_core.ui.progress import eval_bar
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.provenance import CardDifference, RunProvenance
    from roma_core.evals.runs import RunStore


@command(
    examples=("roma rerun base", "roma rerun .roma/evals/1a2b3c4d5e6f --anyway", "roma rerun out/03_golden_eval.ipynb"),
    resumes=True,
)
@click.argument("card")
@click.option("--anyway", is_flag=True, help="Go on where dataset, index, code or anything else is different today.")
@click.option("--dataset", default="", metavar="FILE", help="The golden set, where it is no longer in its place.")
@click.option("--name", default="", metavar="NAME", help="What the new run is called; default: the old name.")
async def rerun(call: Invocation, card: str, anyway: bool, dataset: str, name: str) -> int:
    """Make a run or a notebook again, and say what is different today.

    CARD is a run (name, label, beginning of its id), its folder or card, or a notebook that `roma notebook` made. Every
    question is asked again; answers of a model that are in the cache cost nothing.
    """
    from roma_core.evals.provenance import read_provenance
    from roma_core.evals.runs import RunStore

    import_from_here()
    place = _find_place(card, RunStore(Workspace.of(call.settings).evals))
    known = read_provenance(place)
    if known.kind == "notebook":
        return await _rerun_notebook(call, known, place, anyway)
    folder = _folder_of(place)
    return await _rerun_evaluation(call, known, folder, anyway, dataset, name)


def _folder_of(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _find_place(card: str, runs: RunStore) -> Path:
    given = Path(card)
    return given if given.exists() else runs.folder / runs.find(card).run_id


async def _rerun_evaluation(
    call: Invocation, card: RunProvenance, folder: Path, anyway: bool, dataset: str, name: str
) -> int:
    from roma_core.evals import evaluate
    from roma_core.evals.evaluation import describe_run
    from roma_core.evals.provenance import list_differences
    from roma_core.evals.report.record import read_report
    from roma_core.evals.rerun import compare_reruns, restore_parameters, restore_prompts, restore_settings
    from roma_core.evals.runs import REPORT

    parameters = restore_parameters(card, folder, dataset)
    golden = parameters.pop("golden")
    kept = read_report(folder / REPORT) if (folder / REPORT).is_file() else None
    async with build_roma(restore_settings(card, call.settings), prompt_files=restore_prompts(card, folder)) as roma:
        differences = list_differences(card, await describe_run(golden, roma, **parameters))
        if not _may_go_on(call, differences, anyway):
            return FAILED
        with eval_bar(call.is_interactive) as progress:
            report = await evaluate(golden, roma, name=name or card.name, resume=False, progress=progress, **parameters)
    result = compare_reruns(kept, report) if kept is not None else None
    words = result.words if result else f"run {report.run_id}: there was no report to compare it with."
    shown = {"differences": [d.model_dump() for d in differences], "result": result.model_dump() if result else None}
    call.emit({**shown, "run_id": report.run_id}, lambda: write(words))
    return exit_code(report)


async def _rerun_notebook(call: Invocation, card: RunProvenance, place: Path, anyway: bool) -> int:
    from roma_core.evals.notebooks import describe_notebook, run_notebook
    from roma_core.evals.provenance import carded_notebook, list_differences

    source, target = Path(str(card.parameters["notebook"])), carded_notebook(place)
    parameters = {key: value for key, value in card.parameters.items() if key != "notebook"}
    differences = list_differences(card, describe_notebook(source, parameters))
    if not _may_go_on(call, differences, anyway):
        return FAILED
    path = await run_notebook(source, target, parameters)
    shown = {"differences": [d.model_dump() for d in differences], "notebook": str(path)}
    call.emit(shown, lambda: write(str(path)))
    return OK


def _may_go_on(call: Invocation, differences: Sequence[CardDifference], anyway: bool) -> bool:
    """Print what is different today; False when it decides answers and the user has not said to go on."""
    if differences and not call.as_json:
        rows = [(d.part, d.name, d.then, d.now) for d in differences]
        write_table("Different today", ["what", "name", "then", "now"], rows)
    if anyway or not any(difference.decides for difference in differences):
        return True
    call.emit({"differences": [d.model_dump() for d in differences], "run_id": None}, lambda: None)
    note("nothing was asked: this would be another run. `--anyway` asks all the same.")
    return False
