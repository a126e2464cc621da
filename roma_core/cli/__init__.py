"""``roma``: a thin skin over ``Roma``. Answers go to stdout, everything else to stderr.

Exit codes: 0 all well, 1 nothing worked, 2 some items failed (they are in the report), 64 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, get_args

import roma_core
from roma_core.cli.output import INTERRUPTED, OK, USAGE, fail
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.settings import Settings
from roma_core.types import ItemState, Persona

MOST_PASSAGES = 50


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line. A command names its function, so that only its own module is imported."""
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON document on stdout, logs on stderr")
    common.add_argument("--workspace", metavar="DIR", help="folder that holds everything (ROMA_WORKSPACE, .roma)")
    top = _Parser(prog="roma", description=(roma_core.__doc__ or "").partition("\n")[0])
    top.add_argument("--version", action="version", version=f"roma {roma_core.__version__}")
    choices = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: str, help: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = choices.add_parser(name, parents=[common], help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    _add_documents(command)
    _add_answers(command)
    _add_service(command)
    _add_demo(command)
    return top


Command = Callable[[str, str, str], argparse.ArgumentParser]


def _add_documents(command: Command) -> None:
    ingest = command("ingest", "documents:run_ingest", "read documents into the workspace")
    ingest.add_argument("sources", nargs="*", metavar="SOURCE", help="file, folder, glob, https:// or gdrive://")
    ingest.add_argument("--retry-failed", action="store_true", help="only the items that failed before")

    show = command("show", "documents:run_show", "print a document: its text, metadata and spans")
    show.add_argument("document_id", metavar="DOCUMENT_ID")

    parse = command("parse", "documents:run_parse", "show what a parser makes of a file, without storing it")
    parse.add_argument("file", metavar="FILE", nargs="?", type=Path)
    parse.add_argument("--markdown", action="store_true", help="the text alone (default)")
    parse.add_argument("--html", action="store_true", help="the text rendered as safe HTML")
    parse.add_argument("--pages", metavar="1-3", help="only these pages")
    parse.add_argument("--password", metavar="WORD", help="password of an encrypted file")
    parse.add_argument("--whole-page", action="store_true", help="of a web page also what surrounds its main text")
    parse.add_argument("--diff", nargs=2, type=Path, metavar=("OLD", "NEW"), help="compare two sets of parses")

    ledger = command("ledger", "documents:run_ledger", "list what became of every item that was ever listed")
    ledger.add_argument("--state", choices=get_args(ItemState), help="only items in this state")


def _add_answers(command: Command) -> None:
    ask = command("ask", "answers:run_ask", "answer a question with citations")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--persona", choices=get_args(Persona), default="general", help="who reads the answer")
    ask.add_argument("--top-k", type=_top_k, default=5, metavar="N", help="passages that the answer may use (1-50)")
    ask.add_argument("--session", metavar="ID", help="continue this conversation")

    evaluate = command("eval", "answers:run_eval", "score answers on a golden set, or retrieval on beir:DIR")
    evaluate.add_argument("dataset", metavar="DATASET", help="path of a golden set, or beir:DIR")
    evaluate.add_argument("--limit", type=_count, metavar="N", help="only N questions, drawn by hash")
    evaluate.add_argument("--top-k", type=_top_k, default=5, metavar="N", help="passages that an answer may use (1-50)")
    evaluate.add_argument("--judge", action="store_true", help="also grade answers 1-5 with the model")
    evaluate.add_argument("--gate", type=Path, metavar="FILE", help="fail below these floors")
    evaluate.add_argument("--fresh", action="store_true", help="ask everything anew instead of going on")
    evaluate.add_argument("--track", action="store_true", help="log the run to MLflow")

    compare = command("compare", "answers:run_compare", "decide whether run B is better than run A")
    compare.add_argument("run_a", metavar="RUN_A")
    compare.add_argument("run_b", metavar="RUN_B")


def _add_service(command: Command) -> None:
    command("health", "service:run_health", "say of every part whether it works, and why not")

    listing = command("settings", "service:run_settings", "list every setting with its value and meaning")
    listing.add_argument("--markdown", action="store_true", help="the table of docs/07_CONFIGURATION.md")

    serve = command("serve", "service:run_serve", "serve the HTTP API, with the console at /console")
    serve.add_argument("--host", help="address to bind (ROMA_HOST)")
    serve.add_argument("--port", type=int, help="port to bind (ROMA_PORT)")

    token = command("token", "service:run_token", "create, list or revoke bearer tokens of the HTTP API")
    token.add_argument("action", choices=("create", "list", "revoke"))
    token.add_argument("name", nargs="?", metavar="NAME", help="what a new token is for, or the id to revoke")
    token.add_argument("--scope", action="append", choices=("query", "ingest", "admin"), help="may be repeated")
    token.add_argument("--days", type=_count, metavar="N", help="valid for N days; default: until revoked")

    auth = command("auth", "service:run_auth", "sign in to a source with a user account")
    auth.add_argument("source", choices=("gdrive",))
    auth.add_argument("--client", type=Path, required=True, metavar="FILE", help="OAuth client of a desktop app")


def _add_demo(command: Command) -> None:
    corpus = command("demo-corpus", "demo:run_demo_corpus", "gather a real corpus from the installed packages")
    corpus.add_argument("folder", metavar="DIR")

    command("demo", "demo:run_demo", "ingest the demo corpus, ask it, score it: the whole path in one go")

    notebook = command("notebook", "demo:run_notebook", "run a notebook with parameters that are checked first")
    notebook.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    notebook.add_argument("output", type=Path, metavar="OUTPUT")
    notebook.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def _top_k(text: str) -> int:
    if _count(text) > MOST_PASSAGES:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_PASSAGES}, not {text!r}")
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
    settings = Settings.load(**({"workspace": Path(args.workspace)} if args.workspace else {}))
    from roma_core.telemetry import logs

    logs.configure(settings.log_level, settings.log_format)
    module, _, function = args.run.partition(":")
    with logs.request():
        code: int = await getattr(importlib.import_module(f"roma_core.cli.{module}"), function)(args, settings)
    return code


def _server_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (not on Windows): half the time for each event that is sent."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        with asyncio.Runner(loop_factory=_server_loop() if args.command == "serve" else None) as runner:
            result = runner.run(guarded("cli", _run(args)))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; what was done is kept, run it again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) had enough
        sys.stderr.close()
        return OK
    if isinstance(result, AgentFailure):
        code = fail(args, result)
        return USAGE if result.code is ErrorCode.INPUT_INVALID else code
    return result
