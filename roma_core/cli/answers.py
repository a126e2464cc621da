"""Command about answers: ask."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import get_args

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.filters import collect_filters, filter_options
from roma_core.cli.inputs import TEXT
from roma_core.cli.interruption import UsageWatch
from roma_core.cli.output import OK, STYLES, note, write
from roma_core.cli.stream import draw_events, render_markdown
from roma_core.errors import AgentFailure
from roma_core.markup import read_markers
from roma_core.markup.tables import skip_rows
from roma_core.terminal import neutralise
from roma_core.types import (
    Citation,
    CitationVerdict,
    CompleteEvent,
    ErrorEvent,
    Persona,
    Principal,
    Query,
    StreamEvent,
    TailorOutput,
)

SHORT_ID = 8
MOST_PASSAGES = 50
top_k_option = click.option(
    "--top-k",
    type=click.IntRange(1, MOST_PASSAGES),
    default=5,
    show_default=True,
    metavar="N",
    help="Passages that an answer may use.",
)


@command(
    examples=(
        'roma ask "What did the trial find?"',
        'roma ask "What may a trip cost?" --collection hr --after 2024',
        'roma ask "And how much was it in 2024?" --session budget --persona executive',
        "roma ask - < question.txt",
    )
)
@click.argument("question", type=TEXT)
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
    query = Query(
        text=question,
        persona=persona,
        top_k=top_k,
        session_id=session,
        principal=Principal.local(call.settings.tenant),
        filters=collect_filters(filters),
    )
    record_id = uuid.uuid4().hex
    async with build_roma(call.settings) as roma:
        watch = _AnswerWatch(record_id, UsageWatch(roma), is_kept=roma.answers.is_kept)
        call.interruption.describe = watch.describe
        async with aclosing(roma.stream_query(query, record_id=record_id)) as events:
            outcome = await _await_outcome(events, watch, draws=call.is_watched)
        if isinstance(outcome, AgentFailure):
            return call.fail(outcome)
        documents = 1 if outcome.passages else (await roma.store.counts(call.settings.tenant))[0]
    call.emit(outcome, lambda: show_answer(outcome))
    if not documents:
        place = call.settings.workspace
        note(f"There are no documents in {place} yet: roma ingest PATH brings some in, --workspace names another.")
    return OK


@dataclass
class _AnswerWatch:
    """An answer that is being written: what Ctrl-C says of it."""

    record_id: str
    paid: UsageWatch
    is_kept: bool
    has_begun: bool = False

    def describe(self) -> str:
        if not self.has_begun:
            return "Stopped before anything was asked. " + self.paid.describe()
        if not self.is_kept:
            return f"Stopped; answers are not kept (ROMA_ANSWER_DAYS=0). {self.paid.describe()}"
        kept = f"Stopped. The question and the words so far are kept: roma replay {self.record_id[:SHORT_ID]}."
        return f"{kept} {self.paid.describe()} Asking again begins anew."


async def _await_outcome(
    events: AsyncGenerator[StreamEvent], watch: _AnswerWatch, *, draws: bool
) -> TailorOutput | AgentFailure:
    """Return what the stream ends with, its words drawn meanwhile where a person watches."""
    async with aclosing(draw_events(events) if draws else events) as watched:
        async for event in watched:
            watch.has_begun = True
            if isinstance(event, CompleteEvent):
                return event.output
            if isinstance(event, ErrorEvent):
                return event.failure
    raise RuntimeError("a stream ended without its terminal event")


def format_answer(output: TailorOutput) -> list[str]:
    """Return the answer, and each citation with the words that it rests on."""
    proof = [f"({output.proof})"] if output.proof else []
    return [output.answer, *([""] if output.citations or proof else []), *format_citations(output), *proof]


def format_citations(output: TailorOutput) -> list[str]:
    """Return a line for each source, and below it one for each quote: place, offsets, verdict and words."""
    lines: list[str] = []
    for citations in _group_by_marker(output.citations).values():
        first = citations[0]
        lines.append(f"[{first.marker}] {first.title} ({first.uri})")
        for citation in citations:
            lines.append(f"    {_describe_quote(citation)}")
            lines += [f"      {reason}" for reason in citation.decided_by]
    return lines


def _group_by_marker(citations: Sequence[Citation]) -> dict[int, list[Citation]]:
    """Return the citations of each number in order. Statements that rest on the same words share one line."""
    groups: dict[int, list[Citation]] = {}
    seen: set[tuple[object, ...]] = set()
    for citation in citations:
        group = groups.setdefault(citation.marker, [])
        words = (citation.marker, citation.start, citation.end, citation.verdict, citation.decided_by)
        if words not in seen:
            seen.add(words)
            group.append(citation)
    return groups


def _describe_quote(citation: Citation) -> str:
    place = f"{citation.place}, " if citation.place else ""
    finder = "found by ROMA, " if citation.found_by == "roma" else ""
    quote = " ".join(skip_rows(citation.quote).split())
    return f"{place}{citation.start}-{citation.end}, {finder}{citation.verdict}: “{quote}”"


def show_answer(output: TailorOutput) -> None:
    """Print an answer: as rendered Markdown on a terminal, as it is for a pipe."""
    if sys.stdout.isatty():
        _render_answer(output)
    else:
        write("\n".join(format_answer(output)))
    writer = f"written by {output.model}" if output.model else "no model was asked"
    notes = [writer + (f" ({output.model_reason})" if output.model_reason else "")]
    notes += [output.route.words] if output.route is not None else []
    notes += [output.saved.words] if output.saved is not None else []
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
    from rich.text import Text

    console = Console()
    console.print(render_markdown(_with_bold_markers(output)))
    lines = format_citations(output)
    if lines or output.proof:
        console.print()
    for line in lines:
        text = Text(neutralise(line), style="dim" if line.startswith(" ") else "")
        for verdict in get_args(CitationVerdict):
            text.highlight_regex(rf"(?<=, ){verdict}(?=: “)", STYLES.get(verdict, ""))
        console.print(text)
    if output.proof:
        console.print(Text(f"({output.proof})"))
