"""``roma``: a thin skin over ``Roma``. Answers go to stdout, everything else to stderr.

Exit codes: 0 all well, 1 nothing worked, 2 some items failed (they are in the report), 64 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from pydantic import BaseModel, SecretStr

import roma_core
from roma_core.errors import AgentFailure, ErrorCode, InputError, guarded
from roma_core.settings import Settings, env_name
from roma_core.types import Persona

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Document, TailorOutput

OK, FAILED, PARTIAL, USAGE, INTERRUPTED = 0, 1, 2, 64, 130

Run = Callable[[argparse.Namespace, Settings], Awaitable[int]]
"""A command: prints its result and returns the exit code; what it raises is printed as a failure."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


# --- output ---------------------------------------------------------------------------------------------------------


def emit(args: argparse.Namespace, value: BaseModel | dict[str, Any] | list[Any], show: Callable[[], None]) -> None:
    """One JSON document on stdout with ``--json``, else whatever ``show`` prints."""
    if not args.json:
        show()
    elif isinstance(value, BaseModel):
        print(value.model_dump_json(indent=2))
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def fail(args: argparse.Namespace, failure: AgentFailure) -> int:
    """Print a failure where the caller looks for it."""
    if args.json:
        print(failure.model_dump_json(indent=2))
    else:
        print(f"{failure.code}: {failure.message}", file=sys.stderr)
    return FAILED


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout, as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(grid)


def interactive(args: argparse.Namespace) -> bool:
    """Whether a person watches: progress bars and streamed words are for terminals."""
    return not args.json and sys.stderr.isatty()


# --- commands -------------------------------------------------------------------------------------------------------


async def run_ingest(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.progress import ingest_bar

    if not args.sources and not args.retry_failed:
        raise InputError("Say what to ingest: a path, https://..., gdrive://folder/ID, or --retry-failed.")
    async with _roma(settings) as roma:
        with ingest_bar(interactive(args)) as progress:
            report = await roma.ingest(*args.sources, progress=progress, retry_failed=args.retry_failed)
    counts = report.counts()

    def show() -> None:
        table("", ["state", "items"], [(s, n) for s, n in counts.items() if n] or [("nothing was listed", 0)])
        failed = [(i.code, i.uri, i.reason) for i in report.items if i.state == "failed"]
        failed += [(f.code, f.details.get("uri", ""), f.message) for f in report.failures]
        if failed:
            table("Failed", ["code", "item", "what to do"], failed)

    emit(args, report, show)
    bad = counts["failed"] + len(report.failures)
    return OK if not bad else (PARTIAL if len(report.items) > counts["failed"] else FAILED)


async def run_show(args: argparse.Namespace, settings: Settings) -> int:
    async with _roma(settings) as roma:
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
    for warning in document.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(document.text)


async def run_ask(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.types import CompleteEvent, ErrorEvent, Query, StageEvent, TokenEvent

    query = Query(
        text=args.question, persona=args.persona, top_k=args.top_k, session_id=args.session, tenant=settings.tenant
    )
    watching = interactive(args)
    async with _roma(settings) as roma:
        async for event in roma.stream_query(query):
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


def show_answer(output: TailorOutput) -> None:
    """The answer, and each citation with the words that it rests on."""
    print(output.answer)
    if output.citations:
        print()
    for c in output.citations:
        where = f"{c.title}{', ' + c.place if c.place else ''} ({c.uri} {c.start}-{c.end})"
        print(f"[{c.marker}] {where}\n    {c.verdict}: “{' '.join(c.quote.split())}”")
    notes = [f"written by {output.model}" + (f" ({output.model_reason})" if output.model_reason else "")]
    notes += [f"degraded: {reason}" for reason in output.degraded_reasons]
    print("\n" + "; ".join(notes), file=sys.stderr)


async def run_parse(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.parsers.base import ParseOptions

    options = ParseOptions(tenant=settings.tenant, password=args.password, pages=pages(args.pages))
    async with _roma(settings) as roma:
        document = await roma.parse(args.file, options)
    if isinstance(document, AgentFailure):
        return fail(args, document)
    if args.html:
        from roma_core.ui.render import to_html

        print(to_html(document.text))
        return OK
    emit(args, document, lambda: print(document.text))
    for warning in document.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return OK


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


async def run_health(args: argparse.Namespace, settings: Settings) -> int:
    async with _roma(settings) as roma:
        report = await roma.health()
    rows = [(c.name, c.state, c.reason, c.latency_ms and f"{c.latency_ms:.0f} ms") for c in report.components]
    emit(args, report, lambda: table(f"ROMA {report.version}: {report.state}", ["part", "state", "why", "took"], rows))
    return OK if report.state != "down" else FAILED


async def run_ledger(args: argparse.Namespace, settings: Settings) -> int:
    async with _roma(settings) as roma:
        items = await roma.ingestion.ledger_items(roma.settings.tenant, state=args.state)
    rows = [(i.state, i.uri, i.document_id, i.code, i.reason) for i in items]
    emit(
        args,
        [i.model_dump(mode="json") for i in items],
        lambda: table("", ["state", "item", "document", "code", "reason"], rows),
    )
    return OK


async def run_demo_corpus(args: argparse.Namespace, settings: Settings) -> int:
    from roma_core.evals.demo_corpus import gather

    paths = gather(Path(args.folder))
    emit(
        args,
        {"folder": args.folder, "files": [str(p) for p in paths]},
        lambda: print(f"{len(paths)} documents in {args.folder}"),
    )
    return OK


async def run_settings(args: argparse.Namespace, settings: Settings) -> int:
    if args.markdown:
        print(settings_table())
        return OK
    values = {env_name(f): _shown(getattr(settings, f)) for f in Settings.model_fields}
    rows = [
        (name, value, info.description)
        for (name, value), info in zip(values.items(), Settings.model_fields.values(), strict=True)
    ]
    emit(args, values, lambda: table("", ["setting", "value", "meaning"], rows))
    return OK


def _shown(value: object) -> Any:
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, Path) else value


def settings_table() -> str:
    """The table of ``docs/settings.md``."""
    lines = ["| setting | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for field, info in Settings.model_fields.items():
        allowed = ", ".join(f"`{v}`" for v in _literals(info.annotation)) or _bounds(info.metadata)
        default = _shown(info.get_default(call_default_factory=True))
        shown = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `{env_name(field)}` | {allowed} | {shown} | {info.description} |")
    return "\n".join(lines)


def _literals(annotation: Any) -> list[str]:
    import typing

    return [str(v) for v in get_args(annotation)] if typing.get_origin(annotation) is typing.Literal else []


def _bounds(metadata: Sequence[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in signs.items() if hasattr(m, name)]
    return ", ".join(found)


# --- the command line -----------------------------------------------------------------------------------------------


def _roma(settings: Settings) -> Roma:
    from roma_core.app import build_roma

    return build_roma(settings)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON document on stdout, logs on stderr")
    common.add_argument("--workspace", metavar="DIR", help="folder that holds everything (ROMA_WORKSPACE, .roma)")
    top = _Parser(prog="roma", description=roma_core.__doc__.splitlines()[0] if roma_core.__doc__ else None)
    top.add_argument("--version", action="version", version=f"roma {roma_core.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Run, help: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(name, parents=[common], help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    ingest = command("ingest", run_ingest, "read documents into the workspace")
    ingest.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="file, folder, glob, https:// or gdrive:// address"
    )
    ingest.add_argument("--retry-failed", action="store_true", help="only the items that failed before")

    show = command("show", run_show, "print a document: its text, metadata and spans")
    show.add_argument("document_id", metavar="DOCUMENT_ID")

    ask = command("ask", run_ask, "answer a question with citations")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--persona", choices=get_args(Persona), default="general", help="who reads the answer")
    ask.add_argument("--top-k", type=_count, default=5, metavar="N", help="passages that the answer may use (1-50)")
    ask.add_argument("--session", metavar="ID", help="continue this conversation")

    parse = command("parse", run_parse, "show what a parser makes of a file, without storing it")
    parse.add_argument("file", metavar="FILE", type=Path)
    parse.add_argument("--markdown", action="store_true", help="the text alone (default)")
    parse.add_argument("--html", action="store_true", help="the text rendered as safe HTML")
    parse.add_argument("--pages", metavar="1-3", help="only these pages")
    parse.add_argument("--password", metavar="WORD", help="password of an encrypted file")

    command("health", run_health, "say of every part whether it works, and why not")

    ledger = command("ledger", run_ledger, "list what became of every item that was ever listed")
    states = ("added", "updated", "unchanged", "skipped", "deleted", "failed")
    ledger.add_argument("--state", choices=states, help="only items in this state")

    corpus = command("demo-corpus", run_demo_corpus, "gather a real corpus from the installed packages' descriptions")
    corpus.add_argument("folder", metavar="DIR")

    listing = command("settings", run_settings, "list every setting with its value and meaning")
    listing.add_argument("--markdown", action="store_true", help="the table of docs/settings.md")
    return top


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"a number from 1 to 50, not {text!r}")
    return int(text)


def commands() -> dict[str, list[str]]:
    """Every command with its long options; the documentation is checked against it."""
    action = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    common = {"--json", "--workspace", "--help"}
    return {
        name: [o for a in sub._actions for o in a.option_strings if o.startswith("--") and o not in common]
        for name, sub in action.choices.items()
    }


async def _run(args: argparse.Namespace) -> int:
    overrides = {"workspace": Path(args.workspace)} if args.workspace else {}
    settings = Settings.load(**overrides)
    from roma_core.telemetry.logs import configure

    configure(settings.log_level, settings.log_format)
    code: int = await args.run(args, settings)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        result = asyncio.run(guarded("cli", _run(args)))
        if isinstance(result, AgentFailure):
            code = fail(args, result)
            return USAGE if result.code is ErrorCode.INPUT_INVALID else code
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; what was done is kept, run it again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) had enough
        sys.stderr.close()
        return OK
    return result


if __name__ == "__main__":
    sys.exit(main())
