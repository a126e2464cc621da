"""Commands about judges: grade answers as a person, calibrate the model on these grades, compare answers by pairs."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, RomaGroup, command
from roma_core.cli.output import FAILED, OK, note, write, write_table
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.golden.dataset import Golden
    from roma_core.evals.judge.labels import LabelItem
    from roma_core.evals.runs import RunStore


@click.group(cls=RomaGroup)
def judge() -> None:
    """Grade answers blind, and compare the answers of two runs by a model."""


@click.group(cls=RomaGroup)
def calibrate() -> None:
    """Measure a model's grades on people's, and find when to answer on a labelled set."""


dataset_option = click.option(
    "--dataset", default="", metavar="SET", help="The golden set of the run, to show reference and facts."
)


def _runs(call: Invocation) -> RunStore:
    from roma_core.evals.runs import RunStore

    return RunStore(Workspace.of(call.settings).evals)


def _load(dataset: str) -> Golden | None:
    from roma_core.evals.evaluation import load_dataset

    return load_dataset(dataset) if dataset else None


@command("label", examples=("roma judge label base --dataset golden.json", "roma judge label base --rater ada --n 20"))
@click.argument("run")
@dataset_option
@click.option(
    "--n", default=50, show_default=True, type=click.IntRange(min=1), metavar="N", help="How many answers to grade."
)
@click.option("--rater", default="", metavar="NAME", help="Who grades; default: the user.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="FILE", help="Where the grades go; default: workspace."
)
async def label(call: Invocation, run: str, dataset: str, n: int, rater: str, file: Path | None) -> int:
    """Grade answers of a run from 1 to 5, blind: neither the run nor a judge's grade is shown.

    One key an answer: 1 to 5, s to skip, q to stop. What was graded is kept; run it again to go on.
    """
    from roma_core.evals.judge.labels import Label, LabelFile, draw_items

    store = _runs(call)
    run_id = store.find(run).run_id
    items = draw_items(store.read(run), _load(dataset), n)
    labels = LabelFile(file or Workspace.of(call.settings).labels / f"{run_id}.csv")
    rater = rater or getpass.getuser()
    left, graded = labels.left(items, rater), 0
    for number, item in enumerate(left, start=1):
        _show_item(item, f"{len(items) - len(left) + number} of {len(items)}")
        grade = _ask_grade()
        if grade == "q":
            break
        if grade != "s":
            labels.add(Label(item=item, grade=float(grade), rater=rater))
            graded += 1
    done = len(items) - len(labels.left(items, rater))
    facts = {"file": str(labels.path), "rater": rater, "graded": graded, "done": done, "of": len(items)}
    call.emit(facts, lambda: write(f"{done} of {len(items)} answers are graded in {labels.path}"))
    if not call.as_json:
        note(f"next: roma calibrate judge {labels.path}")
    return OK


def _show_item(item: LabelItem, place: str) -> None:
    note(f"\n--- {place} ---\nQuestion: {item.question}")
    if item.reference or item.kind == "no_answer":
        note(f"Reference: {item.reference or 'none: the documents do not say'}")
    if item.facts:
        note("Facts: " + "; ".join(item.facts))
    note(f"\nAnswer:\n{item.answer}\n")


def _ask_grade() -> str:
    choices = click.Choice(["1", "2", "3", "4", "5", "s", "q"])
    return str(click.prompt("Grade (1 wrong .. 5 right, s skip, q stop)", type=choices, show_choices=False, err=True))


@command("pair", examples=("roma judge pair base lazy golden.json",))
@click.argument("base")
@click.argument("run")
@click.argument("dataset")
async def pair(call: Invocation, base: str, run: str, dataset: str) -> int:
    """Have the judge say which run's answers are better, pair by pair, each pair in both orders."""
    from roma_core.evals.evaluation import load_dataset
    from roma_core.evals.judge.pairwise import PairJudge, compare_answers

    store = _runs(call)
    async with build_roma(call.settings) as roma:
        judge = PairJudge(roma.judge_llm, roma.find_judge("pair").rubric)
        result = await compare_answers(store.read(base), store.read(run), load_dataset(dataset), judge)
    call.emit(result, lambda: write(result.words))
    if not call.as_json:
        note(f"judge {result.judge}; the answer shown first was preferred in {result.first_place:.0%} of the replies")
    return OK


@command(
    "judge",
    examples=("roma calibrate judge labels.csv", "roma calibrate judge llmbar.json --pairs --limit 100"),
)
@click.argument("labels", type=click.Path(path_type=Path))
@click.option("--pairs", is_flag=True, help="LABELS are preferences: of LLMBar, or of RAGChecker.")
@click.option("--rubric", default="judge", show_default=True, metavar="NAME", help="judge or faithfulness.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1, 15), metavar="N", help="Grades for each answer."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N labels.")
async def calibrate_judge(
    call: Invocation, labels: Path, pairs: bool, rubric: str, repeats: int, limit: int | None
) -> int:
    """Measure the judge on answers that people graded: a file of `roma judge label`, or any CSV.

    The card is kept; from then on the judge's scores are corrected by it in every report that has them.
    """
    from roma_core.evals.judge import card as cards
    from roma_core.evals.judge.labels import load_labels, load_preferences
    from roma_core.evals.judge.pairwise import PairJudge

    columns = ["figure", "value", ""]
    async with build_roma(call.settings) as roma:
        if pairs:
            judge = PairJudge(roma.judge_llm, roma.find_judge("pair").rubric)
            of_pairs = await cards.calibrate_pairs(load_preferences(labels)[:limit], judge)
            call.emit(of_pairs, lambda: write_table("", columns, of_pairs.rows()))
            return OK if of_pairs.decided else FAILED
        grader = roma.find_judge(rubric)
        card = await cards.calibrate_judge(load_labels(labels)[:limit], grader, repeats=repeats)
    workspace = Workspace.of(call.settings)
    path = cards.write_card(card, workspace.judges)
    corrected = correct_runs(_runs(call), workspace.judges)
    call.emit(card, lambda: write_table("", columns, card.rows()))
    if not call.as_json:
        for remark in card.remarks:
            note(remark)
        note(f"kept in {path}; {corrected} runs corrected")
    return OK


@command(
    "abstention",
    examples=(
        "roma calibrate abstention golden.json",
        "roma calibrate abstention beir:squad2 --limit 600",
    ),
)
@click.argument("dataset", metavar="SET")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, always the same ones.")
async def calibrate_abstention(call: Invocation, dataset: str, limit: int | None) -> int:
    """Find from which evidence on quoted answers keep ROMA_ANSWER_RISK, on a golden set or beir:DIR.

    The set needs questions that the documents do not answer beside those that they do. The card is kept in the
    workspace, and answers follow it from then on; another ROMA_ANSWER_RISK needs no new run.
    """
    from roma_core.evals.abstention import COLUMNS
    from roma_core.writers.extractive.calibration import POOLED

    async with build_roma(call.settings) as roma:
        card = await roma.calibrate_abstention(dataset, limit=limit)
    controls = card.control()
    facts = {
        **card.model_dump(mode="json", exclude={"answers"}),
        "kinds": {
            kind or "all": {**control.model_dump(mode="json"), "words": control.words}
            for kind, control in controls.items()
        },
    }
    call.emit(facts, lambda: write_table("", list(COLUMNS), card.rows()))
    if not call.as_json:
        note(f"{len(card.answers)} labelled answers, {card.unlabelled} without a label, {card.failed} failed")
        note(f"{card.ranker}: {controls[POOLED].words}")
    return OK if controls[POOLED].threshold is not None else FAILED


@command("router", examples=("roma calibrate router golden.json", "roma calibrate router beir:squad2 --limit 300"))
@click.argument("dataset", metavar="SET")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, always the same ones.")
async def calibrate_router(call: Invocation, dataset: str, limit: int | None) -> int:
    """Find which questions the cheap model of ROMA_ROUTER answers no worse than the strong one.

    Both models answer every question of a golden set or beir:DIR. The card is kept in the workspace, and answers follow
    it from then on. "No worse" means: by 2 points of the facts stated at most, its uncertainty counted.
    """
    from roma_core.evals.routing import COLUMNS

    async with build_roma(call.settings) as roma:
        card = await roma.calibrate_router(dataset, limit=limit)
    point = card.point
    facts = {
        **card.model_dump(mode="json", exclude={"cases"}),
        "curve": [each.model_dump(mode="json") for each in card.curve],
        "point": point.model_dump(mode="json") if point is not None else None,
        "words": card.words,
    }
    call.emit(facts, lambda: write_table("", list(COLUMNS), card.rows()))
    if not call.as_json:
        note(f"{len(card.cases)} questions, {card.unlabelled} without a label, {card.failed} failed")
        note(card.words)
    return OK if point is not None and point.share else FAILED


def correct_runs(store: RunStore, cards: Path) -> int:
    """Correct the scores of judges in all runs that have them; return the number of runs that changed."""
    from roma_core.evals.evaluation import correct_scores

    changed = 0
    for held in store.list():
        report = store.read(held.run_id)
        corrected = correct_scores(report, cards)
        if corrected.corrections != report.corrections:
            store.save(corrected)
            changed += 1
    return changed


judge.add_command(label)
judge.add_command(pair)
calibrate.add_command(calibrate_judge)
calibrate.add_command(calibrate_abstention)
calibrate.add_command(calibrate_router)
