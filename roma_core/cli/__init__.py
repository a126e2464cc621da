"""``roma``: a thin skin over ``Roma``. Answers go to stdout, everything else to stderr.

Exit codes: 0 all well, 1 nothing worked, 2 some items failed (they are in the report), 64 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

import roma_core
from roma_core.cli.command import RomaGroup
from roma_core.cli.output import INTERRUPTED, OK, USAGE, write_unwritten
from roma_core.environment import open_missing_streams, restart_in_utf8

__all__ = ["collect_options", "main", "roma"]

SECTIONS = {
    "To begin": {
        "init": "demo:init",
        "demo": "demo:demo",
        "demo-corpus": "demo:demo_corpus",
        "notebook": "demo:notebook",
        "completion": "service:completion",
    },
    "Documents": {
        "ingest": "documents:ingest",
        "source": "sources:source",
        "sync": "sources:sync",
        "documents": "library:documents",
        "show": "documents:show",
        "open": "library:open_source",
        "parse": "documents:parse",
        "ledger": "documents:ledger",
        "forget": "sources:forget",
        "restore": "sources:restore",
        "reindex": "documents:reindex",
    },
    "Questions and answers": {
        "ask": "answers:ask",
        "search": "search:search",
        "answers": "records:answers",
        "replay": "records:replay",
        "verify": "records:verify",
        "transcript": "transcripts:transcript",
        "feedback": "library:feedback",
    },
    "Evaluation": {
        "eval": "evals:evaluate",
        "compare": "evals:compare",
        "why": "evals:explain",
        "experiment": "experiments:experiment",
        "ab": "trials:ab",
        "runs": "evals:runs",
        "rerun": "reruns:rerun",
        "gate": "evals:gate",
        "golden": "goldens:golden",
        "prompt": "prompts:prompt",
        "judge": "judges:judge",
        "calibrate": "judges:calibrate",
        "export": "exports:export",
        "report": "exports:report",
    },
    "Service and installation": {
        "serve": "service:serve",
        "mcp": "service:mcp",
        "health": "service:health",
        "smoke": "smoke:smoke",
        "doctor": "service:doctor",
        "settings": "service:settings",
        "plugins": "service:plugins",
        "spend": "service:spend",
        "cache": "caches:cache",
        "backup": "backups:backup",
        "auth": "service:auth",
    },
    "People and rights": {
        "user": "accounts:user",
        "login": "accounts:login",
        "token": "service:token",
        "tenant": "tenants:tenant",
        "acl": "access:acl",
        "audit": "audit:audit",
        "pii": "pii:pii",
        "retention": "retention:retention",
    },
}
"""Every command and where it is, by the heading that it stands under: its module alone is imported."""

COMMANDS = {name: place for commands in SECTIONS.values() for name, place in commands.items()}

EXAMPLES = (
    "roma ingest ~/papers",
    'roma ask "What did the trial find?"',
    "roma serve",
    'eval "$(roma completion bash)"',
)


@click.group(
    cls=RomaGroup,
    lazy=COMMANDS,
    sections=SECTIONS,
    examples=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(roma_core.__version__, prog_name="roma", message="%(prog)s %(version)s")
def roma() -> None:
    """Answer questions over documents with citations that can be checked, and measure how well."""


def collect_options() -> dict[str, list[str]]:
    """Return the long options of every command, those of subcommands with their group's.

    Options that all commands share are left out. The documentation is checked against it.
    """
    shared = {"--json", "--workspace", "--help"}
    options: dict[str, list[str]] = {}
    for name in COMMANDS:
        command = roma.get_command(click.Context(roma), name)
        parts = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        parameters = [parameter for part in parts if part for parameter in part.params]
        names = [option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)]
        options[name] = [option for option in names if option.startswith("--") and option not in shared]
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. Raises ``SystemExit`` for ``--help`` and wrong usage."""
    if argv is None:
        open_missing_streams()
        restart_in_utf8()
    try:
        code: int = roma.main(list(argv) if argv is not None else None, prog_name="roma", standalone_mode=False) or OK
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as wrong:
        wrong.show()
        raise SystemExit(USAGE) from None
    except click.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) had enough
        sys.stderr.close()
        return OK
    except OSError as error:  # commands have a boundary of their own: it is the output that cannot be written
        return write_unwritten(error)
    return code
