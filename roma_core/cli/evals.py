"""Commands about evaluations: eval, compare."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roma_core.app import Roma, build_roma
from roma_core.cli.answers import top_k_option
from roma_core.cli.command import DefaultGroup, Invocation, RomaGroup, command
from roma_core.cli.interruption import QuestionWatch, UsageWatch
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.cli.prompts import read_choices
from roma_core.errors import InputError, count_noun, name_some, suggest_name
from roma_core.store import locate_store, open_for_reading
from roma_core.ui.progress import eval_bar
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.evals.attribution import FailureReport
    from roma_core.evals.gate import Baseline
    from roma_core.evals.plan import StudyPlan
    from roma_core.evals.report.comparison import Comparison, ExperimentComparison
    from roma_core.evals.report.record import EvalReport
    from roma_core.evals.runs import RunCard, RunStore


@command(
    "eval",
    examples=(
        "roma eval datasets/golden/golden_dataset.json",
        "roma eval golden.json --prompt answer=lazy --name lazy",
        "roma eval beir:scifact --limit 100",
        "roma eval golden.json --run bm25.trec --name bm25",
        "roma eval golden.json --task rival:answer --name rival",
        "roma eval golden.json --on local:8",
    ),
    resumes=True,
)
@click.argument("dataset")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, always the same ones.")
@top_k_option
@click.option("--measure", multiple=True, metavar="NAME", help="Also this measure, or package:name; may be repeated.")
@click.option("--name", default="", metavar="NAME", help="What the run is called; default: the dataset and a number.")
@click.option(
    "--prompt", multiple=True, metavar="NAME=FILE", help="A file or version in place of a prompt; may be repeated."
)
@click.option("--judge", is_flag=True, help="Also grade answers 1-5 with the model.")
@click.option(
    "--gate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Fail when this is worse than the baseline in the file.",
)
@click.option(
    "--run", "ranking", type=click.Path(path_type=Path), metavar="FILE", help="Score this TREC run; ask nothing."
)
@click.option("--task", default="", metavar="MODULE:FUNCTION", help="Ask this function in place of ROMA.")
@click.option("--primary", default="", metavar="MEASURE", help="The measure that is to decide, named before the run.")
@click.option("--repeats", type=click.IntRange(min=1), default=1, metavar="N", help="Ask N times, to see the noise.")
@click.option("--plan", is_flag=True, help="Ask nothing: say what this set can decide, and what it will cost.")
@click.option("--fresh", is_flag=True, help="Ask everything again instead of going on.")
@click.option("--track", is_flag=True, help="Log the run to MLflow.")
@click.option("--on", metavar="PLACE", help="Where questions are asked: local:8, dask, dask://host:8786, slurm://...")
async def evaluate(
    call: Invocation,
    dataset: str,
    limit: int | None,
    top_k: int,
    measure: tuple[str, ...],
    name: str,
    prompt: tuple[str, ...],
    judge: bool,
    gate: Path | None,
    ranking: Path | None,
    task: str,
    primary: str,
    repeats: int,
    plan: bool,
    fresh: bool,
    track: bool,
    on: str | None,
) -> int:
    """Score answers on a golden set, or retrieval on beir:DIR.

    DATASET is the path of a golden set, beir:DIR, ragas:FILE or deepeval:FILE. With --run a ranking of any other
    system is scored, with --task its answers.
    """
    from roma_core.evals import evaluate as run_evaluation
    from roma_core.evals import load_dataset
    from roma_core.evals.foreign import ForeignSystem, import_task

    import_from_here()
    if plan:
        study = _plan_study(call, dataset, limit, top_k, measure, primary)
        call.emit(study, partial(_show_plan, study))
        return OK
    if ranking is not None:
        if task or prompt or measure or judge or repeats > 1 or track:
            raise InputError("--run scores a ranking by itself: leave out --task, --prompt, --measure, --judge, ...")
        return await _score_ranking(call, dataset, ranking, limit, top_k, name, primary, gate)
    if task and on:
        raise InputError("--task asks a function of this process: leave out --on.")
    chosen = {key: Path(version) for key, version in read_choices(prompt).items()}
    async with build_roma(call.settings, prompt_files=chosen) as roma:
        _require_model_for(chosen, roma)
        system: Roma | ForeignSystem = ForeignSystem(roma, import_task(task), task, version=name) if task else roma
        with eval_bar(call.is_interactive) as bar:
            progress = QuestionWatch(bar, UsageWatch(roma))
            call.interruption.describe = progress.describe
            report = await run_evaluation(
                dataset,
                system,
                measures=[*measure, *(["judge"] if judge else [])],
                limit=limit,
                top_k=top_k,
                name=name,
                primary=primary,
                repeats=repeats,
                resume=not fresh and not task,
                progress=progress,
                on=on,
            )
        if isinstance(system, ForeignSystem) and system.unplaced:
            note(f"{system.unplaced} texts of {task} lie in no document that it names; they count as not relevant")
        if track:
            from roma_core.evals.tracking import track as track_run

            golden = load_dataset(dataset).sample(limit)
            await track_run(report, call.settings, roma.answer_prompts.values(), golden)
    return _finish(call, report, gate)


def _finish(call: Invocation, report: EvalReport, gate: Path | None) -> int:
    """Print a report and hold it against a baseline; return the exit code."""
    from roma_core.evals.gate import check_gate, load_baseline

    outcome = check_gate(report, load_baseline(gate)) if gate else None
    call.emit(report, lambda: show_scores(report))
    if outcome is not None and not outcome.passed:
        note(f"below the gate: {outcome.missed}")
        return FAILED
    return exit_code(report)


def _require_model_for(chosen: Mapping[str, Path], roma: Roma) -> None:
    """Raise ``InputError`` where a prompt is chosen that no model would read."""
    unread = sorted(chosen.keys() & roma.answer_prompts.keys())
    if unread and not roma.llm.name:
        raise InputError(
            f"--prompt {unread[0]} would change nothing: no model is set, so answers are quoted from the sources. "
            "Set LLM_PROVIDER and LLM_API_KEY, or leave --prompt away."
        )


async def _score_ranking(
    call: Invocation,
    dataset: str,
    ranking: Path,
    limit: int | None,
    top_k: int,
    name: str,
    primary: str,
    gate: Path | None,
) -> int:
    """Score a TREC run over the documents of a BEIR set, or of the workspace. No model is loaded."""
    from roma_core.evals.evaluation import BEIR, load_dataset
    from roma_core.evals.foreign import read_run, score_run
    from roma_core.evals.golden.beir import iterate_documents
    from roma_core.evals.runs import require_run_name

    require_run_name(name)
    golden = load_dataset(dataset).sample(limit)
    tenant = call.settings.tenant
    store = open_for_reading(locate_store(call.settings))
    try:
        if dataset.startswith(BEIR):
            folder = Path(dataset.removeprefix(BEIR))
            ranked = await score_run(golden, read_run(ranking), lambda: iterate_documents(folder), top_k=top_k)
        else:
            ranked = await score_run(
                golden,
                read_run(ranking),
                lambda: store.documents(tenant),
                lambda: store.passages(tenant),
                top_k=top_k,
            )
    finally:
        await store.close()
    report = ranked.report
    _require_measured(report, primary)
    _runs(call).save(report, name, primary)
    for text in ranked.notes:
        note(text)
    return _finish(call, report, gate)


def _require_measured(report: EvalReport, primary: str) -> None:
    names = [info.name for info in report.measures]
    if primary and primary not in names:
        raise InputError(f"The measure {primary!r} is not taken. {suggest_name(primary, names)}")


def _plan_study(
    call: Invocation, dataset: str, limit: int | None, top_k: int, measures: tuple[str, ...], primary: str
) -> StudyPlan:
    from roma_core.evals.evaluation import load_dataset
    from roma_core.evals.measures import resolve_measures
    from roma_core.evals.plan import plan_study

    golden, runs = load_dataset(dataset).sample(limit), _runs(call)
    pilots = [card for card in runs.list() if card.dataset == golden.name and card.is_whole]
    reports = [runs.read(card.run_id) for card in pilots]
    matching = [report for report in reports if report.dataset_sha256 == golden.sha256]
    asked = [facts for report in matching if (facts := runs.facts(report.run_id)).asked == len(report.rows)]
    return plan_study(
        golden,
        resolve_measures(measures, top_k, find_judge=build_roma(call.settings).find_judge),
        primary=primary,
        runs=matching,
        facts=asked[-1] if asked else None,
    )


def exit_code(report: EvalReport) -> int:
    """Return ``OK`` when every answer is one, ``FAILED`` when every case failed, else ``PARTIAL``."""
    if report.is_whole:
        return OK
    return FAILED if report.errors == len(report.rows) else PARTIAL


def import_from_here() -> None:
    """Let ``--measure module:name`` find a module of the current folder, as ``python -m`` does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def show_scores(report: EvalReport) -> None:
    """Print a line for each measure, with its interval and what could not be scored."""
    from roma_core.evals.report.record import describe_judges, describe_states, describe_unscored

    rows = [
        (s.measure, f"{s.interval.mean:.3f}", f"{s.interval.low:.3f} – {s.interval.high:.3f}", s.interval.n, s.unscored)
        for s in report.summary()
    ]
    write_table(
        f"{report.dataset}: {describe_states(report)}, run {report.run_id}",
        ["measure", "mean", "95 % interval", "scored", "unscored"],
        rows,
    )
    for sentence in describe_judges(report):
        note(sentence)
    reasons = Counter(row.why for row in report.rows if row.state != "ok")
    for why, count in sorted(reasons.items()):
        note(f"{count} unscored, {why}")
    for sentence in describe_unscored(report):
        note(sentence)
    if missing := report.missing_evidence:
        note(
            f"{len(missing)} of {len(report.rows)} cases rest on words that no document of this workspace has "
            f"({name_some(missing)}): their retrieval is unscored, and hardly any can be answered. Ingest the "
            "documents that the set is about, or look with `roma golden validate`."
        )


@command(
    examples=(
        "roma compare base lazy",
        "roma compare base lazy --primary nugget_recall --margin 0.02",
        "roma compare base a b c",
    )
)
@click.argument("base")
@click.argument("run", nargs=-1, required=True)
@click.option(
    "--primary", default="", metavar="MEASURE", help="The measure that decides; default: as named for the runs."
)
@click.option(
    "--margin", type=float, metavar="X", help="A loss that would not matter: allows `not worse`, `equivalent`."
)
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Where the page goes; default: workspace."
)
@click.option("--track", is_flag=True, help="Also keep the page with RUN in MLflow.")
async def compare(
    call: Invocation,
    base: str,
    run: tuple[str, ...],
    primary: str,
    margin: float | None,
    html: Path | None,
    track: bool,
) -> int:
    """Decide whether RUN is better than BASE.

    Several runs are compared with the base under one correction. A run is a name, a label, the beginning of a run id,
    or the path of a report.
    """
    from roma_core.evals import compare as compare_runs
    from roma_core.evals import compare_variants
    from roma_core.evals.report.comparison_page import render_comparison_page

    runs = _runs(call)
    reports = {name: runs.read(name) for name in dict.fromkeys((base, *run))}
    primary = primary or runs.registered_primary((*run, base))
    if len(run) > 1:
        variants = {name: reports[name] for name in run}
        experiment = compare_variants(reports[base], variants, primary=primary, margin=margin)
        experiment = experiment.model_copy(update={"base": runs.name_of(experiment.base)})
        page, show = render_comparison_page(experiment), partial(_show_experiment, experiment)
        call.emit(experiment, show)
    else:
        samples_a, samples_b = runs.samples_of(base), runs.samples_of(run[0])
        comparison = compare_runs(
            reports[base], reports[run[0]], primary=primary, margin=margin, samples_a=samples_a, samples_b=samples_b
        )
        names = (runs.name_of(comparison.a), runs.name_of(comparison.b))
        comparison = comparison.model_copy(update={"names": names})
        page, show = render_comparison_page(comparison), partial(_show_comparison, comparison)
        call.emit(comparison, show)
    path = runs.write_page("-".join(reports[name].run_id for name in (base, *run)), page, html)
    if track:
        from roma_core.evals.tracking import track_page

        await track_page(reports[run[-1]], call.settings, path.stem, page)
    if not call.as_json:
        note(f"the page with a plot: {path}")
    return OK


@command("why", examples=("roma why base golden.json",))
@click.argument("run")
@click.argument("dataset")
@click.option("--primary", default="", metavar="MEASURE", help="The measure whose points are counted.")
async def explain(call: Invocation, run: str, dataset: str, primary: str) -> int:
    """Say which stage lost each failed item of RUN, and what mending it would give. Asks no model.

    The corpus and the index are those of now; DATASET is the golden set that the run was scored on.
    """
    from roma_core.evals import explain_failures, load_dataset

    runs = _runs(call)
    report = runs.read(run)
    async with build_roma(call.settings) as roma:
        failures = await explain_failures(
            report,
            load_dataset(dataset),
            roma.store,
            tenant=call.settings.tenant,
            read_source=roma.read_source,
            primary=primary or runs.registered_primary((run,)),
        )
    call.emit(failures, lambda: _show_failures(failures))
    return OK


def _show_failures(failures: FailureReport) -> None:
    rows = [(stage, n, f"{gain:+.3f}", advice) for stage, n, gain, advice in failures.rows()]
    write_table(
        f"{failures.dataset}: {len(failures.attributions)} of {failures.items} items fail",
        ["stage", "items", f"points of {failures.primary}", "what to do"],
        rows,
    )
    items = [(a.case_id, a.fault.value, f"{a.lost:.2f}", a.why) for a in failures.attributions]
    write_table("", ["case", "stage", "lost", "what shows it"], items)
    if failures.unanswered:
        note(f"{failures.unanswered} items have no answer of the system itself; no stage is blamed for them")


def _runs(call: Invocation) -> RunStore:
    from roma_core.evals.runs import RunStore

    return RunStore(Workspace.of(call.settings).evals)


@click.group(cls=RomaGroup)
def gate() -> None:
    """Pin a baseline that later runs must not be worse than, and check a run against it."""


baseline_option = click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    default=Path("baseline.json"),
    show_default=True,
    metavar="FILE",
    help="The file of the baseline.",
)


@command(
    "pin",
    examples=("roma gate pin base", "roma gate pin lazy --baseline datasets/golden/packages-baseline.json --lower"),
)
@click.argument("run")
@baseline_option
@click.option("--lower", is_flag=True, help="Also where a mean falls; say so in the changelog.")
async def pin_gate(call: Invocation, run: str, baseline: Path, lower: bool) -> int:
    """Pin the scores of a run as what later runs must not be worse than."""
    from roma_core.evals.gate import pin_baseline, write_baseline

    pinned = pin_baseline(_runs(call).read(run), _read_baseline(baseline), lower=lower)
    write_baseline(pinned, baseline)
    means = {name: pinned.mean(name) for name in pinned.scores}
    summary = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    call.emit({"baseline": str(baseline), "run_id": pinned.run_id, "means": means}, lambda: write(f"pinned: {summary}"))
    return OK


def _read_baseline(path: Path) -> Baseline | None:
    """Return the baseline that is there; None before the first one is pinned."""
    from roma_core.evals.gate import load_baseline

    return load_baseline(path) if path.is_file() else None


@command("check", examples=("roma gate check lazy --baseline datasets/golden/packages-baseline.json",))
@click.argument("run")
@baseline_option
async def check_run(call: Invocation, run: str, baseline: Path) -> int:
    """Fail when a run is significantly worse than the baseline."""
    from roma_core.evals.gate import check_gate, load_baseline

    result = check_gate(_runs(call).read(run), load_baseline(baseline))
    rows = [
        (r.name, r.kind, f"{r.required:.3f}", f"{r.seen:.3f}", r.detail, _state_word(r.passed)) for r in result.rules
    ]
    columns = ["measure", "rule", "required", "seen", "", "state"]
    call.emit(result, lambda: write_table("", columns, rows))
    return OK if result.passed else FAILED


def _state_word(passed: bool) -> str:
    return "ok" if passed else "failed"


for subcommand in (pin_gate, check_run):
    gate.add_command(subcommand)


@click.group(cls=DefaultGroup, default="list")
def runs() -> None:
    """List, show, label, rename or remove the runs of evaluations."""


@command("list", examples=("roma runs", "roma runs list --json"))
async def list_runs(call: Invocation) -> int:
    """List the runs, the newest last."""
    cards = _runs(call).list()
    rows = [_make_card_row(card) for card in cards]
    columns = ["name", "run", "made", "dataset", "cases", "state", "labels"]
    call.emit([card.model_dump(mode="json") for card in cards], lambda: write_table("", columns, rows))
    return OK


def _make_card_row(card: RunCard) -> tuple[object, ...]:
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
    call.emit([card.model_dump(mode="json") for card in cards], lambda: write(f"removed: {_join_names(cards)}"))
    return OK


def _join_names(cards: Sequence[RunCard]) -> str:
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
            f"{m.difference.mean:+.3f}",
            m.shown_interval,
            f"{m.wins}/{m.losses}/{m.ties}",
            f"{len(m.only_a)}/{len(m.only_b)}/{m.neither}",
            f"{m.adjusted_p:.3f}",
            m.shown_detectable,
            m.decision.value + (f" ({m.remark})" if m.remark else ""),
        )
        for m in comparison.measures
    ]
    decided = comparison.of(comparison.primary)
    write(f"B is {decided.decision.value} in {comparison.primary}" + (f": {decided.remark}" if decided.remark else ""))
    write_table(
        "{} questions: {} (B) against {} (A)".format(comparison.cases, *reversed(comparison.shown_names)),
        ["measure", "A", "B", "B - A", "interval", "+/-/=", "lone A/B/none", "p", "detectable", "B is"],
        rows,
    )
    write(
        f"{comparison.primary} decides; the others are corrected for how many could have moved (Holm). "
        "+/-/=: questions that B won, lost, tied. lone: scored in A alone, in B alone, in neither. "
        "detectable: found four times in five."
    )
    write(f"Words an answer: {comparison.words[0]:.0f} in A, {comparison.words[1]:.0f} in B.")
    if comparison.changed:
        changes = [(name, *values) for name, values in comparison.changed.items()]
        write_table("What changed", ["setting or prompt", "A", "B"], changes)
    for remark in comparison.remarks:
        note(remark)


def _show_experiment(experiment: ExperimentComparison) -> None:
    rows = []
    for variant in experiment.variants:
        m = variant.comparison.of(variant.comparison.primary)
        interval = f"{m.difference.mean:+.3f} ({m.shown_interval})"
        rows.append((variant.name, f"{m.a:.3f}", f"{m.b:.3f}", interval, f"{variant.adjusted_p:.3f}", m.decision.value))
    write_table(
        f"{count_noun(len(rows), 'variant')} against {experiment.base}, decided by {experiment.primary}",
        ["variant", "base", "score", "difference", "p (Holm)", "variant is"],
        rows,
    )
    for remark in experiment.remarks:
        note(remark)


def _show_plan(plan: StudyPlan) -> None:
    from roma_core.evals.report.comparison import show_effect

    rows = [
        (
            m.measure,
            m.role,
            m.items,
            m.clusters,
            f"{m.effective_clusters:.1f}",
            f"{m.smallest_p:.2g}",
            f"{m.level:.3g}",
            show_effect(m.detectable),
            m.basis,
        )
        for m in plan.measures
    ]
    write_table(
        f"{plan.dataset}: {plan.items} items, decided by {plan.primary}",
        ["measure", "role", "items", "clusters", "effective", "least p", "level", "detectable", "spread from"],
        rows,
    )
    write("detectable: the smallest true difference that the decision finds four times in five.")
    out_of_reach = [m for m in plan.measures if math.isinf(m.detectable)]
    if any(not m.can_decide for m in out_of_reach):
        write("too few, with a least p above the level: no difference could be called significant; add questions.")
    if any(m.can_decide for m in out_of_reach):
        write(
            "too few: even if every answer that is expected to change got better, the decision would find it less "
            "than four times in five; add questions about other documents, or make two runs that show how many change."
        )
    if plan.usage is not None:
        cost = "unknown" if plan.usage.cost_usd is None else f"{plan.usage.cost_usd:.4f} USD"
        write(f"The last run that asked everything made {plan.usage.calls} calls: {cost}, {plan.seconds:.0f} s.")
    else:
        write("Cost: no run of this set is known yet; `--limit 10` makes a small one.")
    for remark in plan.remarks:
        note(remark)
