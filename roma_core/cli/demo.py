"""Commands that show ROMA at work: demo-corpus, demo, notebook."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import click

from roma_core.app import build_roma
from roma_core.cli.answers import format_answer
from roma_core.cli.command import Invocation, command
from roma_core.cli.evals import show_scores
from roma_core.cli.output import FAILED, OK, note, write
from roma_core.errors import AgentFailure, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.starter import find_shipped, make_project
from roma_core.workspace import Workspace

QUESTION = "What does a ferry pay for a landing since January 2024?"
PACKAGES_QUESTION = "What does tenacity do?"
SLICE = "core"
"""Items that the demo scores: the slice that was drawn before it was first scored."""

packages_option = click.option(
    "--packages", is_flag=True, help="The large corpus: the descriptions of the installed packages."
)


@command(examples=("roma init my-project",))
@click.argument("folder", type=click.Path(path_type=Path))
async def init(call: Invocation, folder: Path) -> int:
    """Begin a project: settings, sources, notebooks, a golden set, a workflow. Files that are there stay."""
    project = await asyncio.to_thread(make_project, folder)

    def show() -> None:
        write(f"{len(project.written)} files written to {folder}")
        for name in project.kept:
            write(f"{name} was there and stays")
        write(f"\nnext:  cd {folder} && roma sync && roma ask 'What is the golden set?'")

    call.emit({"folder": str(folder), "written": list(project.written), "kept": list(project.kept)}, show)
    return OK


@command("demo-corpus", examples=("roma demo-corpus /tmp/corpus", "roma demo-corpus /tmp/large --packages"))
@click.argument("folder", type=click.Path(path_type=Path))
@packages_option
async def demo_corpus(call: Invocation, folder: Path, packages: bool) -> int:
    """Build the frozen corpus: 300 documents of every format, the same bytes on every machine."""
    from roma_core.evals.corpus import build_corpus, corpus_sources
    from roma_core.evals.demo_corpus import gather_demo_corpus

    paths = gather_demo_corpus(folder) if packages else build_corpus(folder)
    sources = [str(folder)] if packages else corpus_sources(folder)
    call.emit(
        {"folder": str(folder), "files": [str(path) for path in paths], "sources": sources},
        lambda: write(f"{len(paths)} files in {folder}; next: roma ingest {' '.join(sources)}"),
    )
    return OK


@command(examples=("roma demo --workspace /tmp/demo", "roma demo --packages"), resumes=True)
@packages_option
async def demo(call: Invocation, packages: bool) -> int:
    """Ingest the demo corpus, ask it, score it: the whole path in one go.

    The notebooks do the work; what they found is then printed from the workspace, and nothing is asked again.
    """
    from roma_core.evals import evaluate
    from roma_core.evals.corpus import find_datasets

    settings = call.settings
    goldens = find_datasets() / "golden"
    dataset = str(goldens / "packages.json") if packages else f"{goldens / 'golden_dataset.json'}#{SLICE}"
    question = PACKAGES_QUESTION if packages else QUESTION
    whole = {"documents": [], "packages": packages}
    steps: dict[str, dict[str, Any]] = {
        "01_ingest": whole,
        "02_ask": {**whole, "question": question},
        "03_golden_eval": {"dataset": dataset, "limit": None, "whole_corpus": True},
    }
    failure = await _renew_index(settings)
    if failure is not None:
        return call.fail(failure)
    for name, parameters in steps.items():
        await _run_step(name, {**parameters, "workspace": str(settings.workspace.resolve())}, settings)
    async with build_roma(settings) as roma:
        documents, passages = await roma.store.counts(settings.tenant)
        report = await evaluate(dataset, roma)
        answer = await roma.query(question)
    if isinstance(answer, AgentFailure):
        return call.fail(answer)

    def show() -> None:
        write(f"\n{documents} documents, {passages} passages\n")
        show_scores(report)
        write(f"\n> {question}\n")
        write("\n".join(format_answer(answer)))
        write(f"\nnotebooks with their outputs: {Workspace.of(settings).notebooks}")
        write("the console:                  make console")

    call.emit({"scores": report.model_dump(mode="json"), "answer": answer.model_dump(mode="json")}, show)
    return OK if report.errors < len(report.rows) else FAILED


async def _renew_index(settings: Settings) -> AgentFailure | None:
    """Make the index of an earlier demo again where another version of the model made its vectors."""
    async with build_roma(settings) as roma:
        health = await roma.store.health()
        if health.details.get("code") != ErrorCode.STORAGE_MISMATCH:
            return None
        note("the vectors of this workspace are of another model; making them again ...")
        report = await roma.reindex()
    return report if isinstance(report, AgentFailure) else None


async def _run_step(name: str, parameters: dict[str, Any], settings: Settings) -> None:
    from roma_core.evals.notebooks import run_notebook

    source = find_shipped(f"notebooks/{name}.ipynb")
    work = asyncio.ensure_future(run_notebook(source, Workspace.of(settings).notebooks / source.name, parameters))
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


@command(
    examples=(
        'roma notebook notebooks/02_ask.ipynb out.ipynb -p question="What did the trial find?"',
        "roma notebook notebooks/03_golden_eval.ipynb report.html",
    )
)
@click.argument("notebook", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
async def notebook(call: Invocation, notebook: Path, output: Path, parameter: tuple[str, ...]) -> int:
    """Run a notebook with parameters that are checked first.

    OUTPUT is the notebook with its outputs or, when it ends in .html, a page of it that loads nothing from elsewhere.
    """
    from roma_core.evals.notebooks import run_notebook

    pairs = [part.partition("=") for part in parameter]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise InputError(f"A parameter is NAME=VALUE, not {wrong[0]!r}.")
    parameters: dict[str, Any] = {name: value for name, _, value in pairs}
    if call.workspace is not None:
        parameters.setdefault("workspace", str(call.workspace))
    path = await run_notebook(notebook, output, parameters)
    call.emit({"notebook": str(path)}, lambda: write(str(path)))
    return OK
