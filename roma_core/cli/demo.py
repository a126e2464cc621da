"""Commands that show ROMA at work: demo-corpus, demo, notebook."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from roma_core.app import build_roma
from roma_core.cli.answers import answer_lines, show_scores
from roma_core.cli.output import FAILED, OK, emit, fail
from roma_core.errors import AgentFailure, InputError, NotFoundError
from roma_core.settings import Settings

QUESTION = "How do I make tenacity stop after a number of attempts?"
CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT / "datasets" / "golden" / "golden_dataset.json"


async def run_demo_corpus(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.demo_corpus import gather

    paths = gather(Path(args.folder))
    emit(
        args,
        {"folder": args.folder, "files": [str(p) for p in paths]},
        lambda: print(f"{len(paths)} documents in {args.folder}"),
    )
    return OK


async def run_demo(args: argparse.Namespace, settings: Settings) -> int:
    """The notebooks do the work; what they found is then printed from the workspace, without asking anything anew."""
    from roma_core.evals.suite import run_eval

    steps: dict[str, dict[str, Any]] = {
        "01_ingest": {"documents": []},
        "02_ask": {"question": QUESTION, "documents": []},
        "03_golden_eval": {"dataset": str(GOLDEN), "limit": None, "whole_corpus": True},
    }
    for name, parameters in steps.items():
        await _run_step(name, {**parameters, "workspace": str(settings.workspace.resolve())}, settings)
    async with build_roma(settings) as roma:
        documents, chunks = await roma.store.counts(settings.tenant)
        report = await run_eval(roma, str(GOLDEN))
        answer = await roma.query(QUESTION)
    if isinstance(answer, AgentFailure):
        return fail(args, answer)

    def show() -> None:
        print(f"\n{documents} documents, {chunks} passages\n")
        show_scores(report)
        print(f"\n> {QUESTION}\n")
        print("\n".join(answer_lines(answer)))
        print(f"\nnotebooks with their outputs: {settings.workspace / 'notebooks'}")
        print("the console:                  make console")

    emit(args, {"scores": report.model_dump(mode="json"), "answer": answer.model_dump(mode="json")}, show)
    return OK if report.errors < len(report.rows) else FAILED


async def _run_step(name: str, parameters: dict[str, Any], settings: Settings) -> None:
    from roma_core.evals.notebooks import run_notebook

    source = CHECKOUT / "notebooks" / f"{name}.ipynb"
    if not source.is_file():
        raise NotFoundError("The demo runs the notebooks of a checkout: clone the repository and run it there.")
    work = asyncio.ensure_future(run_notebook(source, settings.workspace / "notebooks" / source.name, parameters))
    await _watch(name, work, settings)
    await work


async def _watch(name: str, work: asyncio.Future[Path], settings: Settings) -> None:
    """Say on stderr what goes on: minutes without a word look like a hang."""
    begin, live = time.monotonic(), sys.stderr.isatty()
    print(f"notebook {name} ...", end="" if live else "\n", file=sys.stderr, flush=True)
    async with build_roma(settings) as roma:
        while not (await asyncio.wait({work}, timeout=1.0))[0]:
            if live:
                ended = len(await roma.ingestion.ledger_items(settings.tenant))
                line = f"\r\033[Knotebook {name} ... {time.monotonic() - begin:.0f} s, {ended} documents in the ledger"
                print(line, end="", file=sys.stderr, flush=True)
    if live:
        print(f"\r\033[Knotebook {name} took {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


async def run_notebook(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.notebooks import run_notebook

    pairs = [part.partition("=") for part in args.parameter]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise InputError(f"A parameter is NAME=VALUE, not {wrong[0]!r}.")
    given: dict[str, Any] = {name: value for name, _, value in pairs}
    if args.workspace:
        given.setdefault("workspace", args.workspace)
    path = await run_notebook(args.notebook, args.output, given)
    emit(args, {"notebook": str(path)}, lambda: print(path))
    return OK
