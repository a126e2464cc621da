"""Commands about answers: ask, eval, compare."""

from __future__ import annotations

import argparse
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

from roma_core.app import build_roma
from roma_core.cli.output import FAILED, OK, PARTIAL, emit, fail, interactive, table
from roma_core.settings import Settings
from roma_core.types import CompleteEvent, ErrorEvent, Query, StageEvent, TokenEvent
from roma_core.ui.progress import eval_bar

if TYPE_CHECKING:
    from roma_core.evals.report.record import EvalReport
    from roma_core.types import TailorOutput


async def run_ask(args: argparse.Namespace, settings: Settings) -> int:
    query = Query(
        text=args.question, persona=args.persona, top_k=args.top_k, session_id=args.session, tenant=settings.tenant
    )
    watching = interactive(args)
    async with build_roma(settings) as roma, aclosing(roma.stream_query(query)) as events:
        async for event in events:
            match event:
                case StageEvent() if watching:
                    print(f"\r\033[K{event.stage} …", end="", file=sys.stderr, flush=True)
                case TokenEvent() if watching and not event.text.isspace():
                    print("\r\033[K", end="", file=sys.stderr, flush=True)
                    watching = False
                case ErrorEvent(failure=failure):
                    return fail(args, failure)
                case CompleteEvent(output=output):
                    emit(args, output, lambda output=output: show_answer(output))  # type: ignore[misc]
                    return OK
    raise RuntimeError("a stream ended without its terminal event")


def answer_lines(output: TailorOutput) -> list[str]:
    """The answer, and each citation with the words that it rests on."""
    lines = [output.answer, *([""] if output.citations else [])]
    for c in output.citations:
        place = f", {c.place}" if c.place else ""
        lines.append(f"[{c.marker}] {c.title}{place} ({c.uri} {c.start}-{c.end})")
        lines.append(f"    {c.verdict}: “{' '.join(c.quote.split())}”")
    return lines


def show_answer(output: TailorOutput) -> None:
    print("\n".join(answer_lines(output)))
    notes = [f"written by {output.model}" + (f" ({output.model_reason})" if output.model_reason else "")]
    notes += [f"degraded: {reason}" for reason in output.degraded_reasons]
    print("\n" + "; ".join(notes), file=sys.stderr)


async def run_eval(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.gate import check, load_floors
    from roma_core.evals.judge.model import Judge
    from roma_core.evals.suite import run_eval as evaluate

    async with build_roma(settings) as roma:
        with eval_bar(interactive(args)) as progress:
            report = await evaluate(
                roma,
                args.dataset,
                limit=args.limit,
                top_k=args.top_k,
                judge=Judge(roma.llm) if args.judge else None,
                resume=not args.fresh,
                progress=progress,
            )
        if args.track:
            from roma_core.agents.prompts import all_prompts
            from roma_core.evals.tracking import track

            await track(report, settings, all_prompts().values())
    held = check(report, load_floors(args.gate)) if args.gate else None
    emit(args, report, lambda: show_scores(report))
    if held is not None and not held.passed:
        print(f"below the gate: {held.missed}", file=sys.stderr)
        return FAILED
    failed = report.errors
    return OK if not failed else (PARTIAL if failed < len(report.rows) else FAILED)


def show_scores(report: EvalReport) -> None:
    """A line for each measure, with its interval and what could not be scored."""
    rows = [
        (s.measure, f"{s.interval.mean:.3f}", f"{s.interval.low:.3f} – {s.interval.high:.3f}", s.interval.n, s.unscored)
        for s in report.summary()
    ]
    table(
        f"{report.dataset}: {len(report.rows)} questions, run {report.run_id}",
        ["measure", "mean", "95 % interval", "scored", "unscored"],
        rows,
    )
    for error in sorted({row.error for row in report.rows if row.error}):
        print(f"{sum(row.error == error for row in report.rows)} without an answer: {error}", file=sys.stderr)


async def run_compare(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.report.compare import compare
    from roma_core.evals.report.record import read
    from roma_core.evals.suite import FOLDER

    folder = settings.workspace / FOLDER
    found = compare(read(args.run_a, folder), read(args.run_b, folder))
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
        for m in found.measures
    ]

    def show() -> None:
        table(
            f"{found.cases} questions: B ({found.b}) against A ({found.a})",
            ["measure", "A", "B", "B - A (95 %)", "+/-/=", "p", "B is"],
            rows,
        )
        print(f"+/-/=: questions that B won, lost, tied. p: corrected for {len(rows)} measures (Holm).")
        print(f"Words an answer: {found.words[0]:.0f} in A, {found.words[1]:.0f} in B.")
        unseen = [f"{m.measure} {m.difference.detectable:.3f}" for m in found.measures if m.verdict == "undecided"]
        if unseen:
            print(f"Undecided; so many questions find four times in five: {', '.join(unseen)}.")
        if found.changed:
            table("What changed", ["setting or prompt", "A", "B"], [(k, *v) for k, v in found.changed.items()])

    emit(args, found, show)
    return OK
