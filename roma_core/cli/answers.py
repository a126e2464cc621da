"""Command about answers: ask."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, get_args

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.filters import collect_filters, filter_options
from roma_core.cli.output import OK, neutralise, note, write
from roma_core.errors import AgentFailure, InputError
from roma_core.markup import read_markers
from roma_core.types import (
    CompleteEvent,
    ErrorEvent,
    Persona,
    Principal,
    Query,
    StageEvent,
    StreamEvent,
    TailorOutput,
    TokenEvent,
)

if TYPE_CHECKING:
    from rich.live import Live

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
        'roma ask "What may a trip cost?" --collection hr --after 2024',
        'roma ask "And how much was it in 2024?" --session budget --persona executive',
        "roma ask - < question.txt",
    )
)
@click.argument("question")
@click.option("--persona", type=click.Choice(get_args(Persona)), default="general", help="Who reads the answer.")
@top_k_option
@click.option("--session", metavar="ID", help="Continue this conversation.")
@filter_options
async def ask(
    call: Invocation, /, question: str, persona: Persona, top_k: int, session: str | None, **filters: tuple[str, ...]
) -> int:
    """Answer a question with citations.

    QUESTION is the question, or - to read it from stdin. It may hold filters: author:doe after:2024 lang:de.
    """
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise InputError("The question is empty.")
    query = Query(
        text=text,
        persona=persona,
        top_k=top_k,
        session_id=session,
        principal=Principal.local(call.settings.tenant),
        filters=collect_filters(filters),
    )
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
        return await _await_outcome(_show_live(events, live))


async def _show_live(events: AsyncIterator[StreamEvent], live: Live) -> AsyncIterator[StreamEvent]:
    from rich.text import Text

    words = ""
    async for event in events:
        if isinstance(event, StageEvent) and not words:
            live.update(Text(event.says or event.stage, style="dim"))
        if isinstance(event, TokenEvent):
            words += event.text
            live.update(Text(neutralise(words)))
        yield event


def format_answer(output: TailorOutput) -> list[str]:
    """Return the answer, and each citation with the words that it rests on."""
    proof = [f"({output.proof})"] if output.proof else []
    return [output.answer, *([""] if output.citations or proof else []), *format_citations(output), *proof]


def format_citations(output: TailorOutput) -> list[str]:
    """Return two lines for each citation: its source and place, its verdict and quote."""
    lines: list[str] = []
    for citation in output.citations:
        place = f", {citation.place}" if citation.place else ""
        lines.append(f"[{citation.marker}] {citation.title}{place} ({citation.uri} {citation.start}-{citation.end})")
        found = "found by ROMA, " if citation.found_by == "roma" else ""
        lines.append(f"    {found}{citation.verdict}: “{' '.join(citation.quote.split())}”")
        lines += [f"    {reason}" for reason in citation.decided_by]
    return lines


def show_answer(output: TailorOutput) -> None:
    """Print an answer: as rendered Markdown on a terminal, as it is for a pipe."""
    if sys.stdout.isatty():
        _render_answer(output)
    else:
        write("\n".join(format_answer(output)))
    notes = [f"written by {output.model}" + (f" ({output.model_reason})" if output.model_reason else "")]
    notes += [f"degraded: {reason}" for reason in output.degraded_reasons]
    note("\n" + "; ".join(notes))


def _with_bold_markers(output: TailorOutput) -> str:
    """Return the answer with its own markers in bold: a source's ``\\[1]`` is rendered as a plain ``[1]``."""
    parts: list[str] = []
    last = 0
    for marker in read_markers(output.answer):
        if all(output.citation_at(marker.start, number) for number in marker.numbers):
            parts += (output.answer[last : marker.start], f"**{output.answer[marker.start : marker.end]}**")
            last = marker.end
    return "".join((*parts, output.answer[last:]))


def _render_answer(output: TailorOutput) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    # No hyperlinks: an address that a document chose must not hide behind other words.
    console.print(Markdown(neutralise(_with_bold_markers(output)), hyperlinks=False))
    lines = [neutralise(line) for line in format_citations(output)]
    lines += [f"({output.proof})"] if output.proof else []
    if lines:
        console.print()
    for line in lines:
        console.print(line, markup=False, highlight=False, style="dim" if line.startswith(" ") else "")
