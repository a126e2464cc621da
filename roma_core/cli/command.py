"""Declaration of commands: options that all share, one failure path, and help with examples.

A command is an ``async`` function whose first parameter is its ``Invocation``::

    @command(examples=("roma ledger --state failed",))
    @click.option("--state", type=click.Choice(STATES), help="only items in this state")
    async def ledger(call: Invocation, state: str | None) -> int:
        '''List what became of every item that was ever listed.'''
"""

from __future__ import annotations

import asyncio
import difflib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec

import click

from roma_core.cli.interruption import Interruption, cancelled_by_signals
from roma_core.cli.output import (
    INTERRUPTED,
    USAGE,
    Show,
    Value,
    flush_output,
    note,
    prepare_streams,
    write_failure,
    write_json,
)
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.settings import Settings
from roma_core.workspace import Workspace

P = ParamSpec("P")
INTERRUPTED_WORDS = "Interrupted."
WHOLE_SENTENCE = 300
"""Signs of a command's first sentence that a list of commands shows."""
RESUMES_WORDS = "Interrupted; what was done is kept, run it again to go on."
Fill = Callable[[], str]


@dataclass(frozen=True)
class Invocation:
    """One call of a command: its settings and the form of its output."""

    settings: Settings
    as_json: bool
    workspace: Path | None = None
    """The folder of ``--workspace``, when it was given."""
    interruption: Interruption = field(default_factory=lambda: Interruption(lambda: INTERRUPTED_WORDS))
    """The sentence for Ctrl-C."""

    @property
    def is_interactive(self) -> bool:
        """Return whether a person watches stderr: progress bars are for terminals."""
        return not self.as_json and sys.stderr.isatty()

    @property
    def is_watched(self) -> bool:
        """Return whether a person watches either stream, so that words are shown as they come."""
        return not self.as_json and (sys.stderr.isatty() or sys.stdout.isatty())

    def emit(self, value: Value, show: Show) -> None:
        """Print ``value`` as one JSON document with ``--json``, else call ``show``."""
        if self.as_json:
            write_json(value)
        else:
            show()

    def fail(self, failure: AgentFailure) -> int:
        """Print a failure; return the exit code."""
        return write_failure(failure, as_json=self.as_json)


class RomaCommand(click.Command):
    """A command whose help ends with examples. ``fills`` makes the words for ``{names}`` in the help."""

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), fills: Mapping[str, Fill] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.fills = dict(fills or {})

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text, with the words of ``fills`` in their places."""
        text = self.help or ""
        for name, fill in self.fills.items():
            text = text.replace(f"{{{name}}}", fill())
        self.help, template = text, self.help
        super().format_help_text(ctx, formatter)
        self.help = template

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write ``usage: roma ...``."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="usage: ")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write the examples of a command below its options."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write_text(f"\b\n{example}")


class RomaGroup(click.Group):
    """A group that imports a command's module when the command is used, and suggests the nearest name."""

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str] | None = None,
        sections: Mapping[str, Iterable[str]] | None = None,
        examples: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})
        """``module:attribute`` of each command by name."""
        self.sections = dict(sections or {})
        """Names of commands by the heading that the help lists them under."""
        self._examples = tuple(examples)

    @property
    def examples(self) -> tuple[str, ...]:
        """The group's own examples, else the first one of each of its commands."""
        if self._examples:
            return self._examples
        return tuple(part.examples[0] for part in self.commands.values() if isinstance(part, RomaCommand))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, those imported on use included."""
        return list(dict.fromkeys([*self.lazy, *super().list_commands(ctx)]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module when needed."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(f"roma_core.cli.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` begins with. Raises ``UsageError`` that names the nearest one."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            nearest = difflib.get_close_matches(args[0], self.list_commands(ctx), n=2)
            hint = f" Did you mean {' or '.join(nearest)}?" if nearest else f" See {ctx.command_path} --help."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write ``usage: roma ...``."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="usage: ")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, each with its first sentence, which click would cut at 45 signs."""
        for heading, names in (self.sections or {"Commands": self.list_commands(ctx)}).items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, part.get_short_help_str(limit=WHOLE_SENTENCE)) for name, part in commands if part]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


class DefaultGroup(RomaGroup):
    """A group that runs its ``default`` command when none is named: ``roma runs`` is ``roma runs list``."""

    def __init__(self, *args: Any, default: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command before options that stand alone."""
        own = {"-h", "--help"}
        if self.default and not (own & set(args)) and (not args or args[0].startswith("-")):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


Body = Callable[Concatenate[Invocation, P], Awaitable[int]]


def command(
    name: str | None = None,
    *,
    examples: Sequence[str] = (),
    fills: Mapping[str, Fill] | None = None,
    resumes: bool = False,
    serves: bool = False,
) -> Callable[[Body[P]], RomaCommand]:
    """Make a command of an ``async`` function that returns an exit code.

    ``--json`` and ``--workspace`` are added. An exception of ROMA becomes one line on stderr (or the failure as JSON)
    and exit code 1, wrong input exit code 64. ``resumes`` says that what was done before an interruption is kept;
    ``serves`` runs the command on uvloop where that is installed.
    """

    def declare(body: Body[P]) -> RomaCommand:
        @functools.wraps(body)
        def run(*args: P.args, **options: P.kwargs) -> int:
            as_json = bool(options.pop("as_json"))
            workspace = options.pop("workspace")
            folder = Path(str(workspace)) if workspace else None
            prepare_streams()
            interruption = Interruption(lambda: RESUMES_WORDS if resumes else INTERRUPTED_WORDS)
            form = _Form(folder, as_json, interruption)
            try:
                return _run(lambda call: body(call, *args, **options), form, serves=serves)
            except (KeyboardInterrupt, asyncio.CancelledError):
                note(interruption.describe())
                return INTERRUPTED

        options = (
            click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, logs on stderr."),
            click.option("--workspace", metavar="DIR", help="Folder that holds everything (ROMA_WORKSPACE, .roma)."),
        )
        for option in options:
            run = option(run)
        return click.command(name or body.__name__.replace("_", "-"), cls=RomaCommand, examples=examples, fills=fills)(
            run
        )

    return declare


class _Form(NamedTuple):
    """What all commands are given."""

    workspace: Path | None
    as_json: bool
    interruption: Interruption


def _run(body: Callable[[Invocation], Awaitable[int]], form: _Form, *, serves: bool) -> int:
    with asyncio.Runner(loop_factory=_server_loop() if serves else None) as runner:
        result = runner.run(guarded("cli", _invoke(body, form)))
    flush_output()
    if not isinstance(result, AgentFailure):
        return result
    code = write_failure(result, as_json=form.as_json)
    return USAGE if result.code is ErrorCode.INPUT_INVALID else code


async def _invoke(body: Callable[[Invocation], Awaitable[int]], form: _Form) -> int:
    settings = Settings.load(**({"workspace": form.workspace} if form.workspace else {}))
    from roma_core.telemetry import logs

    logs.configure(settings.telemetry.log_level, settings.telemetry.log_format)
    if settings.telemetry.log_days:
        logs.configure_files(Workspace(settings.workspace), days=settings.telemetry.log_days, tenant=settings.tenant)
    if not Workspace(settings.workspace).layout.exists():
        from roma_core.tenants.layout import bring_layout_up_to_date

        await asyncio.to_thread(bring_layout_up_to_date, settings)
    with logs.request(), cancelled_by_signals():
        return await body(Invocation(settings, form.as_json, form.workspace, form.interruption))


def _server_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed (not on Windows): it halves the time for each event sent."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory
