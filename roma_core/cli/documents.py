"""Commands about documents: ingest, reindex, show, parse, ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.inputs import read_lines
from roma_core.cli.interruption import ItemWatch
from roma_core.cli.output import FAILED, OK, PARTIAL, note, write, write_table
from roma_core.connectors.registry import describe_sources
from roma_core.errors import AgentFailure, InputError
from roma_core.facts import read_facts
from roma_core.ingestion.ledger import Ledger
from roma_core.settings import TrackedChanges
from roma_core.store import locate_store, open_for_reading, require_document
from roma_core.types import MOST_WARNINGS, ItemState
from roma_core.ui.progress import ingest_bar
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.ingestion.reindex import ReindexProgress
    from roma_core.parsers.base import ParseOptions
    from roma_core.types import Document, IngestionReport, ReindexReport

MOST_MISSING = 20
MOST_LEFT_OUT = 30
"""Entries of the loss ledger that a person is shown; ``--json`` has all."""


@command(
    examples=(
        "roma ingest ~/papers",
        "roma ingest 'papers/**/*.pdf' 'https://example.org/handbook?depth=2'",
        "find . -name '*.md' | roma ingest -",
        "roma ingest ~/papers --on local:8",
    ),
    fills={"sources": describe_sources},
    resumes=True,
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--retry-failed", is_flag=True, help="Only the items that failed before.")
@click.option("--prune", is_flag=True, help="Delete at once what the sources no longer have, however much it is.")
@click.option("--collection", metavar="NAME", help="Part of the corpus that the sources belong to from now on (main).")
@click.option(
    "--on", metavar="PLACE", help="Where the work is done: local:8, dask, dask://host:8786, slurm://partition."
)
async def ingest(
    call: Invocation, sources: tuple[str, ...], retry_failed: bool, prune: bool, collection: str | None, on: str | None
) -> int:
    """Read documents into the workspace.

    SOURCE is a file, a folder, a glob or an address: {sources}; or - for a list of them on stdin, one a line.
    """
    if "-" in sources:
        sources = tuple(source for source in sources if source != "-") + read_lines()
    if not sources and not retry_failed:
        raise InputError(f"Say what to ingest: {describe_sources()}; or --retry-failed.")
    async with build_roma(call.settings) as roma:
        await roma.check(*sources)
        with ingest_bar(call.is_interactive) as bar:
            progress = ItemWatch(bar)
            call.interruption.describe = progress.describe
            report = await roma.ingest(
                *sources, progress=progress, retry_failed=retry_failed, prune=prune, collection=collection, on=on
            )
    call.emit(report, lambda: show_ingest(report))
    return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]


@command(
    examples=("roma reindex", "roma reindex --embedder multilingual", "roma reindex --chunks"),
    resumes=True,
)
@click.option("--embedder", metavar="NAME", help="Embed the passages by this model (a value of ROMA_EMBEDDER).")
@click.option("--tokenizer", metavar="NAME", help="Cut words for BM25 in this way (icu).")
@click.option("--chunks", is_flag=True, help="Cut the documents into passages again (ROMA_CHUNK_TOKENS).")
async def reindex(call: Invocation, embedder: str | None, tokenizer: str | None, chunks: bool) -> int:
    """Make the index again from the stored texts, without a source, while searches and ingests go on.

    The new table is made beside the one in use and then put in its place. Run it again after an interruption.
    """

    def report_progress(progress: ReindexProgress) -> None:
        if call.is_interactive:
            note(f"{progress.done} of {progress.total} documents (round {progress.round})")

    async with build_roma(call.settings) as roma:
        report = await roma.reindex(embedder=embedder, tokenizer=tokenizer, chunks=chunks, progress=report_progress)
    if isinstance(report, AgentFailure):
        return call.fail(report)
    call.emit(report, lambda: show_reindex(report))
    return OK


def show_reindex(report: ReindexReport) -> None:
    """Print what the new index holds, and what follows from it."""
    rows = [
        ("embedder", report.embedder),
        ("tokenizer", report.tokenizer),
        ("documents", report.documents),
        ("tenants", report.tenants),
        ("passages embedded", report.embedded),
        ("passages taken over", report.reused),
        ("seconds", f"{report.seconds:.1f}"),
    ]
    write_table("", ["index", ""], rows)
    if report.long_passages:
        note(f"{report.long_passages} passages are longer than ROMA_CHUNK_TOKENS for this model; --chunks cuts them.")
    note(f"Without ROMA_EMBEDDER, this workspace is searched by {report.embedder} from now on; restart servers.")


def show_ingest(report: IngestionReport) -> None:
    """Print the counts of an ingest, its failures and its warnings."""
    counts = [(state, count) for state, count in report.counts().items() if count]
    write_table("", ["state", "items"], counts or [("nothing was listed", 0)])
    missing = [(item.uri, item.reason) for item in report.items if item.state == "missing"]
    if missing:
        write_table(f"Missing ({len(missing)})", ["item", "why it is still there"], missing[:MOST_MISSING])
    failed = [(item.code, item.uri, item.reason) for item in report.items if item.state == "failed"]
    failed += [(failure.code, failure.details.get("uri", ""), failure.message) for failure in report.failures]
    if failed:
        write_table("Failed", ["code", "item", "what to do"], failed)
    if not report.items and not report.failures and report.sources:
        listed = ", ".join(report.sources)
        note(
            f"There is no file to ingest in {listed}; hidden ones, and those that a connector leaves out, do not count."
        )
    if warnings := report.warnings():
        write_table(f"Warnings ({len(warnings)})", ["item", "warning"], warnings[:MOST_WARNINGS])


@command(examples=("roma show 3f2a...", "roma show 3f2a... --json"))
@click.argument("document_id")
async def show(call: Invocation, document_id: str) -> int:
    """Print a stored document: its text, metadata and spans. No model is needed for it.

    DOCUMENT_ID is an id of roma documents, or its beginning.
    """
    store = open_for_reading(locate_store(call.settings))
    try:
        document = await require_document(store, call.settings.tenant, document_id)
    finally:
        await store.close()
    call.emit(document, lambda: _show_document(document))
    return OK


def _show_document(document: Document) -> None:
    known = {name: value for name, value in read_facts(document).model_dump().items() if value}
    facts = {"id": document.id, "uri": document.uri, "parser": document.parser, **known, **document.metadata}
    write_table(document.title, ["", ""], list(facts.items()))
    spans: list[Sequence[object]] = [
        ("page", page.label or page.number, page.start, page.end) for page in document.pages
    ]
    spans += [(section.kind, section.title, section.start, section.end) for section in document.sections]
    if spans:
        write_table("Places", ["kind", "name", "start", "end"], spans)
    _show_losses(document)
    write(document.text)


def _show_losses(document: Document) -> None:
    """Print the warnings and what was left out on stderr, so that the text alone goes to a pipe."""
    for warning in document.warnings:
        note(f"warning: {warning}")
    for entry in document.left_out[:MOST_LEFT_OUT]:
        words = " ".join(entry.text.split())
        text = words if len(words) <= 100 else f"{words[:100]} …"
        note(f"left out ({entry.why.replace('_', ' ')}, {entry.place}): {text}")
    more = len(document.left_out) - MOST_LEFT_OUT
    if more > 0:
        note(f"left out: {more} more; --json lists all")


@command(
    examples=(
        "roma parse report.pdf",
        "roma parse report.pdf --pages 1-3 --json",
        "roma parse report.pdf --backend pdfplumber",
        "roma parse papers/ --compare own,pdfplumber",
        "roma parse --diff old new",
    )
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="The text alone (default).")
@click.option("--html", is_flag=True, help="The text rendered as safe HTML.")
@click.option("--pages", metavar="1-3", help="Only these pages.")
@click.option("--password", metavar="WORD", help="Password of an encrypted file.")
@click.option("--whole-page", is_flag=True, help="Of a web page also what surrounds its main text.")
@click.option("--changes", type=click.Choice(get_args(TrackedChanges)), help="Text of a document with tracked changes.")
@click.option("--backend", metavar="NAME", help="Who reads the file: own, or a backend such as pdfplumber.")
@click.option("--compare", metavar="NAMES", help="Read FILE, or all of a folder, with several: own,unstructured.")
@click.option("--diff", nargs=2, type=click.Path(path_type=Path), metavar="OLD NEW", help="Compare two sets of parses.")
async def parse(
    call: Invocation,
    file: Path | None,
    markdown: bool,
    html: bool,
    pages: str | None,
    password: str | None,
    whole_page: bool,
    changes: TrackedChanges | None,
    backend: str | None,
    compare: str | None,
    diff: tuple[Path, Path] | None,
) -> int:
    """Show what a parser makes of a file, without storing it."""
    from roma_core.parsers.base import ParseOptions

    if diff:
        return _compare_parses(call, *diff)
    if file is None:
        raise InputError("roma parse FILE, roma parse DIR --compare own,pdfplumber, or roma parse --diff OLD NEW.")
    options = ParseOptions(
        tenant=call.settings.tenant,
        password=password,
        pages=read_pages(pages),
        main_text=not whole_page,
        tracked_changes=changes,
        backend=backend,
    )
    if compare is not None:
        return await _compare_backends(call, file, compare.split(","), options, as_html=html)
    async with build_roma(call.settings) as roma:
        document = await roma.parse(file, options)
    if isinstance(document, AgentFailure):
        return call.fail(document)
    if html:
        from roma_core.ui.render import to_html

        write(to_html(document.markdown(), most=None))
        return OK
    call.emit(document, lambda: write(document.markdown()))
    _show_losses(document)
    return OK


async def _compare_backends(
    call: Invocation, path: Path, names: Sequence[str], options: ParseOptions, *, as_html: bool
) -> int:
    """Print what each backend makes of the files: a table, JSON, or with ``--html`` a page with pictures."""
    backends = [name.strip() for name in names if name.strip()]
    async with build_roma(call.settings) as roma:
        report = await roma.compare_backends(path, backends, options)
        if isinstance(report, AgentFailure):
            return call.fail(report)
        if as_html:
            from roma_core.ui.comparison import draw_comparison

            write(await draw_comparison(roma, path, report))
        else:
            call.emit(report, lambda: write(report.to_markdown()))
    return PARTIAL if any(reading.failure for file in report.files for reading in file.readings) else OK


def _compare_parses(call: Invocation, old: Path, new: Path) -> int:
    from roma_core.parsers.diff import diff, load

    report = diff(load(old), load(new))
    call.emit(report, lambda: write(report.to_markdown()))
    return PARTIAL if report.has_loss else OK


def read_pages(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers that ``1-3,7`` names: ``(1, 2, 3, 7)``. Raises ``InputError``."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.strip().isdigit() or (dash and not last.strip().isdigit()):
            raise InputError(f"--pages wants numbers and ranges like 1-3,7, not {text!r}.")
        numbers += range(int(first), int(last if dash else first) + 1)
    return tuple(sorted(set(numbers)))


@command(examples=("roma ledger --state failed", "roma ledger | grep report.pdf"))
@click.option("--state", type=click.Choice(get_args(ItemState)), help="Only items in this state.")
async def ledger(call: Invocation, state: ItemState | None) -> int:
    """List what became of every item that was ever listed."""
    file = Workspace.of(call.settings).ledger  # read by itself: neither a model nor the store is needed
    items = await asyncio.to_thread(lambda: Ledger(file).items(call.settings.tenant, state=state))
    rows = [
        (item.state, item.uri, item.document_id, item.code, "; ".join(filter(None, (item.reason, *item.warnings))))
        for item in items
    ]
    call.emit(
        [item.model_dump(mode="json") for item in items],
        lambda: write_table("", ["state", "item", "document", "code", "reason and warnings"], rows),
    )
    return OK
