"""Command about files to hand on: transcript."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import click

from roma_core.app import build_roma
from roma_core.cli.command import Invocation, command
from roma_core.cli.output import OK, note
from roma_core.errors import InputError
from roma_core.transcripts import FILE_FORMATS, FileFormat, collect_answer, collect_conversation, write_transcript

BINARY: frozenset[FileFormat] = frozenset({"docx", "pdf"})


@command(
    examples=(
        "roma transcript last --output answer.pdf",
        "roma transcript 9b1d0c4e --format md",
        "roma transcript --session budget --output budget.docx",
        "roma transcript --session budget --format bib > budget.bib",
    )
)
@click.argument("answer", required=False)
@click.option("--session", metavar="ID", help="Export this conversation instead of one answer.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FILE_FORMATS),
    help="Kind of the file; by default that of --output, else md.",
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="File to write; stdout without it.")
@click.option("--base-url", default="", metavar="URL", help="Address of a service that links to passages lead to.")
async def transcript(
    call: Invocation,
    answer: str | None,
    session: str | None,
    file_format: FileFormat | None,
    output: Path | None,
    base_url: str,
) -> int:
    """Write an answer or a conversation as Markdown, DOCX, PDF or BibTeX with its proof.

    Each citation is a footnote with quote, source, place, offsets and SHA-256. ANSWER is the id of a record or its
    beginning, an answer_id, or last.
    """
    chosen = file_format or _guess_format(output)
    if (answer is None) == (session is None):
        raise InputError("Name an answer (or last), or a conversation with --session ID.")
    if output is None and chosen in BINARY and sys.stdout.isatty():
        raise InputError(f"{chosen.upper()} is no text for a terminal; name a file with --output answer.{chosen}.")
    async with build_roma(call.settings) as roma:
        if session is not None:
            written = await collect_conversation(roma, roma.user, session, base_url)
        else:
            record_id = await roma.answers.find_id(roma.user, answer or "last")
            written = await collect_answer(roma, roma.user, record_id, base_url)
    data = await asyncio.to_thread(write_transcript, written, chosen)
    if output is None:
        sys.stdout.buffer.write(data)
        return OK
    await asyncio.to_thread(_write_file, output, data)
    facts = {"file": str(output), "format": chosen, "turns": len(written.turns), "bytes": len(data)}
    call.emit(facts, lambda: note(f"Wrote {output} ({len(data):,} bytes)."))
    return OK


def _guess_format(output: Path | None) -> FileFormat:
    """Return the format that a file's name tells. Raises ``InputError`` for a name that tells another."""
    if output is None:
        return "md"
    ending: Literal["md", "docx", "pdf", "bib"]
    for ending in FILE_FORMATS:
        if output.suffix.lower() == f".{ending}":
            return ending
    raise InputError(f"{output.name} does not say which kind of file to write; add --format {'|'.join(FILE_FORMATS)}.")


def _write_file(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
