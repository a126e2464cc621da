"""Commands about documents: ingest, show, parse, ledger."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roma_core.app import build_roma
from roma_core.cli.output import FAILED, OK, PARTIAL, emit, fail, interactive, table
from roma_core.errors import AgentFailure, InputError
from roma_core.settings import Settings
from roma_core.types import MOST_WARNINGS
from roma_core.ui.progress import ingest_bar

if TYPE_CHECKING:
    from roma_core.types import Document

MOST_LEFT_OUT = 30
"""Entries of the loss ledger that a person is shown; ``--json`` has all."""


async def run_ingest(args: argparse.Namespace, settings: Settings) -> int:
    if not args.sources and not args.retry_failed:
        raise InputError("Say what to ingest: a path, https://..., gdrive://folder/ID, or --retry-failed.")
    async with build_roma(settings) as roma:
        await roma.check(*args.sources)
        with ingest_bar(interactive(args)) as progress:
            report = await roma.ingest(*args.sources, progress=progress, retry_failed=args.retry_failed)
    counts = report.counts()

    def show() -> None:
        table("", ["state", "items"], [(s, n) for s, n in counts.items() if n] or [("nothing was listed", 0)])
        failed = [(i.code, i.uri, i.reason) for i in report.items if i.state == "failed"]
        failed += [(f.code, f.details.get("uri", ""), f.message) for f in report.failures]
        if failed:
            table("Failed", ["code", "item", "what to do"], failed)
        if warnings := report.warnings():
            table(f"Warnings ({len(warnings)})", ["item", "warning"], warnings[:MOST_WARNINGS])

    emit(args, report, show)
    return {"all": OK, "some": PARTIAL, "none": FAILED}[report.worked]


async def run_show(args: argparse.Namespace, settings: Settings) -> int:
    async with build_roma(settings) as roma:
        document = await roma.document(args.document_id)
    if isinstance(document, AgentFailure):
        return fail(args, document)
    emit(args, document, lambda: _show_document(document))
    return OK


def _show_document(document: Document) -> None:
    facts = {"id": document.id, "uri": document.uri, "parser": document.parser, **document.metadata}
    table(document.title, ["", ""], list(facts.items()))
    spans: list[Sequence[object]] = [("page", p.label or p.number, p.start, p.end) for p in document.pages]
    spans += [(s.kind, s.title, s.start, s.end) for s in document.sections]
    if spans:
        table("Places", ["kind", "name", "start", "end"], spans)
    _report_losses(document)
    print(document.text)


def _report_losses(document: Document) -> None:
    """Print the warnings and what was left out to the standard error, so that the text alone goes to a pipe."""
    for warning in document.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for entry in document.left_out[:MOST_LEFT_OUT]:
        words = " ".join(entry.text.split())
        text = words if len(words) <= 100 else f"{words[:100]} …"
        print(f"left out ({entry.why.replace('_', ' ')}, {entry.place}): {text}", file=sys.stderr)
    more = len(document.left_out) - MOST_LEFT_OUT
    if more > 0:
        print(f"left out: {more} more; --json lists all", file=sys.stderr)


async def run_parse(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.parsers.base import ParseOptions

    if args.diff:
        return _show_diff(args)
    if args.file is None:
        raise InputError("roma parse FILE, or roma parse --diff OLD NEW.")
    options = ParseOptions(
        tenant=settings.tenant,
        password=args.password,
        pages=pages(args.pages),
        main_text=not args.whole_page,
    )
    async with build_roma(settings) as roma:
        document = await roma.parse(args.file, options)
    if isinstance(document, AgentFailure):
        return fail(args, document)
    if args.html:
        from roma_core.ui.render import to_html

        print(to_html(document.markdown(), most=None))
        return OK
    emit(args, document, lambda: print(document.markdown()))
    _report_losses(document)
    return OK


def _show_diff(args: argparse.Namespace) -> int:
    from roma_core.parsers.diff import diff, load

    report = diff(load(args.diff[0]), load(args.diff[1]))
    emit(args, report, lambda: print(report.to_markdown()))
    return PARTIAL if report.has_loss else OK


def pages(text: str | None) -> tuple[int, ...] | None:
    """``1-3,7`` as ``(1, 2, 3, 7)``. Raises ``InputError``."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.strip().isdigit() or (dash and not last.strip().isdigit()):
            raise InputError(f"--pages wants numbers and ranges like 1-3,7, not {text!r}.")
        numbers += range(int(first), int(last if dash else first) + 1)
    return tuple(sorted(set(numbers)))


async def run_ledger(args: argparse.Namespace, settings: Settings) -> int:
    async with build_roma(settings) as roma:
        items = await roma.ingestion.ledger_items(roma.settings.tenant, state=args.state)
    rows = [(i.state, i.uri, i.document_id, i.code, "; ".join(filter(None, (i.reason, *i.warnings)))) for i in items]
    emit(
        args,
        [i.model_dump(mode="json") for i in items],
        lambda: table("", ["state", "item", "document", "code", "reason and warnings"], rows),
    )
    return OK
