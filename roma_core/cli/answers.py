"""Commands about answers: ask, eval, compare."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.output import FAILED, OK, PARTIAL, neutralise, note, write, write_table
from roma_core.errors import AgentFailure, InputError
from roma_core.types import CompleteEvent, ErrorEvent, Persona, Query, StageEvent, StreamEvent, TailorOutput, TokenEvent
from roma_core.ui.progress import eval_bar

if TYPE_CHECKING:
    from rich.live import Live

    from roma_core.evals.report.compare import Comparison
    from roma_core.evals.report.record import EvalReport

MOST_PASSAGES = 50
top_k_option = click.option(
    "--top-k",
    type=click.IntRange(1, MOST_PASSAGES),
    default=5,
    show_default=True,
    metavar="N",
    help=f"Passages that an answer may use (1-{MOST_PASSAGES}).",
)


@command(
    examples=(
        'roma ask "What did the trial find?"',
        'roma ask "And how much was it in 2024?" --session budget --persona executive',
        "roma ask - < question.txt",
    )
)
@click.argument("question")
@click.option("--persona", type=click.Choice(get_args(Persona)), default="general", help="Who reads the answer.")
@top_k_option
@click.option("--session", metavar="ID", help="Continue this conversation.")
async def ask(call: Invocation, question: str, persona: Persona, top_k: int, session: str | None) -> int:
    """Answer a question with citations.

    QUESTION is the question, or - to read it from stdin.
    """
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise InputError("The question is empty.")
    query = Query(text=text, persona=persona, top_k=top_k, session_id=session, tenant=call.settings.tenant)
    async with build_roma(call.settings) as roma, aclosing(roma.stream_query(query)) as events:
        outcome = await (_watch(events) if call.is_interactive else _await_outcome(events))
        if isinstance(outcome, AgentFailure):
            return call.fail(outcome)
        documents = 1 if outcome.passages else (await roma.store.counts(call.settings.tenant))[0]
    call.emit(outcome, lambda: show_answer(outcome))
    if not documents:
        note("There are no documents in this workspace yet: roma ingest PATH brings some in.")
    return OK


async def _await_outcome(events: AsyncIterator[StreamEvent]) -> TailorOutput | AgentFailure:
    async for event in events:
        if isinstance(event, CompleteEvent):
            return event.output
        if isinstance(event, ErrorEvent):
            return event.failure
    raise RuntimeError("a stream ended without its terminal event")


async def _watch(events: AsyncIterator[StreamEvent]) -> TailorOutput | AgentFailure:
    """Show on stderr what is being done and the words as they come; the answer itself follows on stdout."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, vertical_overflow="visible") as live:
        return await _await_outcome(_shown_live(events, live))


async def _shown_live(events: AsyncIterator[StreamEvent], live: Live) -> AsyncIterator[StreamEvent]:
    from rich.text import Text

    words = ""
    async for event in events:
        if isinstance(event, StageEvent) and not words:
            live.update(Text(f"{event.stage} …", style="dim"))
        if isinstance(event, TokenEvent):
            words += event.text
            live.update(Text(neutralise(words)))
        yield event


def answer_lines(output: TailorOutput) -> list[str]:
    """Return the answer, and each citation with the words that it rests on."""
    return [output.answer, *([""] if output.citations else []), *citation_lines(output)]


def citation_lines(output: TailorOutput) -> list[str]:
    """Return two lines for each citation: its source and place, its verdict and quote."""
    lines: list[str] = []
    for citation in output.citations:
        place = f", {citation.place}" if citation.place else ""
        lines.append(f"[{citation.marker}] {citation.title}{place} ({citation.uri} {citation.start}-{citation.end})")
        lines.append(f"    {citation.verdict}: “{' '.join(citation.quote.split())}”")
    return lines


def show_answer(output: TailorOutput) -> None:
    """Print an answer: as rendered Markdown on a terminal, as it is for a pipe."""
    if sys.stdout.isatty():
        _render_answer(output)
    else:
        write("\n".join(answer_lines(output)))
    notes = [f"written by {output.model}" + (f" ({output.model_reason})" if output.model_reason else "")]
    notes += [f"degraded: {reason}" for reason in output.degraded_reasons]
    note("\n" + "; ".join(notes))


def _render_answer(output: TailorOutput) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    # No hyperlinks: an address that a document chose must not hide behind other words.
    console.print(Markdown(neutralise(output.answer), hyperlinks=False))
    lines = [neutralise(line) for line in citation_lines(output)]
    if lines:
        console.print()
    for line in lines:
        console.print(line, markup=False, highlight=False, style="dim" if line.startswith(" ") else "")


@command(
    "eval",
    examples=("roma eval datasets/golden/golden_dataset.json", "roma eval beir:scifact --limit 100"),
    resumes=True,
)
@click.argument("dataset")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N questions, drawn by hash.")
@top_k_option
@click.option("--judge", is_flag=True, help="Also grade answers 1-5 with the model.")
@click.option("--gate", type=click.Path(path_type=Path), metavar="FILE", help="Fail below these floors.")
@click.option("--fresh", is_flag=True, help="Ask everything again instead of going on.")
@click.option("--track", is_flag=True, help="Log the run to MLflow.")
async def evaluate(
    call: Invocation,
    dataset: str,
    limit: int | None,
    top_k: int,
    judge: bool,
    gate: Path | None,
    fresh: bool,
    track: bool,
) -> int:
    """Score answers on a golden set, or retrieval on beir:DIR.

    DATASET is the path of a golden set, or beir:DIR.
    """
    from roma_core.evals.gate import check, load_floors
    from roma_core.evals.judge.model import Judge
    from roma_core.evals.suite import run_eval

    async with build_roma(call.settings) as roma:
        with eval_bar(call.is_interactive) as progress:
            report = await run_eval(
                roma,
                dataset,
                limit=limit,
                top_k=top_k,
                judge=Judge(roma.llm) if judge else None,
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
    if not report.errors:
        return OK
    return PARTIAL if report.errors < len(report.rows) else FAILED


def show_scores(report: EvalReport) -> None:
    """Print a line for each measure, with its interval and what could not be scored."""
    rows = [
        (s.measure, f"{s.interval.mean:.3f}", f"{s.interval.low:.3f} – {s.interval.high:.3f}", s.interval.n, s.unscored)
        for s in report.summary()
    ]
    write_table(
        f"{report.dataset}: {len(report.rows)} questions, run {report.run_id}",
        ["measure", "mean", "95 % interval", "scored", "unscored"],
        rows,
    )
    for error in sorted({row.error for row in report.rows if row.error}):
        note(f"{sum(row.error == error for row in report.rows)} without an answer: {error}")


@command(examples=("roma compare 1f0c 9ab2",))
@click.argument("run_a")
@click.argument("run_b")
async def compare(call: Invocation, run_a: str, run_b: str) -> int:
    """Decide whether run B is better than run A."""
    from roma_core.evals.report.compare import compare as compare_runs
    from roma_core.evals.report.record import read
    from roma_core.evals.suite import FOLDER

    folder = call.settings.workspace / FOLDER
    comparison = compare_runs(read(run_a, folder), read(run_b, folder))
    call.emit(comparison, lambda: _show_comparison(comparison))
    return OK


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
