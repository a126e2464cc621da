"""Output of commands: one JSON document, a table for a person, plain rows for a pipe, or a failure.

Text of documents and models may hold control characters that move a terminal's cursor, set its title or write its
clipboard. Nothing printed here lets one through.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from pydantic import BaseModel

from roma_core.errors import AgentFailure

OK, FAILED, PARTIAL, USAGE, INTERRUPTED = 0, 1, 2, 64, 130

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys: C0 but tab and line feed, C1, and the overrides of writing direction."""
STYLES = {
    "ok": "green",
    "added": "green",
    "updated": "green",
    "degraded": "yellow",
    "skipped": "yellow",
    "deleted": "yellow",
    "missing": "yellow",
    "down": "red",
    "failed": "red",
}
"""Colours of states in tables."""

Value = BaseModel | dict[str, Any] | list[Any]


def neutralise(text: str) -> str:
    r"""Replace each control character by a visible spelling.

    >>> neutralise("red \x1b[31m")
    'red \\x1b[31m'
    """
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def prepare_streams() -> None:
    """Escape characters that the terminal's encoding lacks, so that none of them ends a command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def write(text: str = "", file: TextIO | None = None) -> None:
    """Print a line without control characters, to stdout unless ``file`` says otherwise."""
    print_line(neutralise(text), file or sys.stdout)


def print_line(text: str, stream: TextIO) -> None:
    """Print a line; when the reader of a pipe has gone (``| head``), drop it and all that follows."""
    try:
        print(text, file=stream)
    except BrokenPipeError:
        _drop_output(stream)


def flush_output() -> None:
    """Write out what is still held back for stdout."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output(sys.stdout)


def _drop_output(stream: TextIO) -> None:
    """Lead a stream that nobody reads into nothing, so that neither what it still holds nor its end is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def note(text: str) -> None:
    """Print a line for the person on stderr, where no pipe reads it."""
    write(text, sys.stderr)


def write_json(value: Value) -> None:
    """Print one JSON document as UTF-8, whatever the terminal's encoding is."""
    if isinstance(value, BaseModel):
        text = value.model_dump_json(indent=2)
    else:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8")
    escaped = CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}" if match.group() != "\r" else "\r", text)
    print_line(escaped, sys.stdout)


def write_failure(failure: AgentFailure, *, as_json: bool) -> int:
    """Print a failure as JSON on stdout or as a line on stderr; return the exit code."""
    if as_json:
        write_json(failure)
    else:
        note(f"{failure.code}: {failure.message}")
    return FAILED


def write_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as the terminal; for a pipe one row a line, cells apart by tabs, nothing folded."""
    cells = [["" if cell is None else neutralise(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [*([[title]] if title else []), list(columns), *cells]:
            print_line("\t".join(" ".join(cell.split()) for cell in row), sys.stdout)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in cells:
        grid.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console().print(grid)


Show = Callable[[], None]
