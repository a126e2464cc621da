"""Output of commands: one JSON document, a table for a person, plain rows for a pipe, or a failure.

Text of documents and models may hold control characters that move a terminal's cursor, set its title or write its
clipboard. Nothing printed here lets one through.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import BaseModel

from roma_core.errors import AgentFailure
from roma_core.terminal import escape_json, neutralise

if TYPE_CHECKING:
    from rich.text import Text

OK, FAILED, PARTIAL, USAGE, INTERRUPTED = 0, 1, 2, 64, 130

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
    "complete": "green",
    "running": "yellow",
    "stopped": "yellow",
    "interrupted": "yellow",
    "verbatim": "green",
    "supported": "green",
    "partial": "yellow",
    "contradicted": "red",
    "unsupported": "red",
    "holds": "green",
    "DOES NOT HOLD": "red",
}
"""Colours of states and verdicts on a terminal."""
STATE_COLUMNS = frozenset({"", "state", "verdict", "exported", "last sync"})
"""Columns of tables whose words are states; the same word elsewhere is the name of a measure, or of anything."""

Value = BaseModel | dict[str, Any] | list[Any]


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


def write_unwritten(error: OSError) -> int:
    """Print why stdout could not be written on stderr, drop what it still holds, and return the exit code."""
    _drop_output(sys.stdout)
    return write_failure(AgentFailure.of("cli", error), as_json=False)


def _drop_output(stream: TextIO) -> None:
    """Lead a stream that nobody reads into nothing, so that neither what it still holds nor its end is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def note(text: str) -> None:
    """Print a line for the person on stderr, where no pipe reads it."""
    write(text, sys.stderr)


def _style_cell(cell: str, column: str) -> Text:
    from rich.text import Text

    style = STYLES.get(cell, "") if column in STATE_COLUMNS else ""
    return Text(cell, style=style)


def write_json(value: Value) -> None:
    """Print one JSON document as UTF-8, whatever the terminal's encoding is."""
    if isinstance(value, BaseModel):
        text = value.model_dump_json(indent=2)
    else:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8")
    print_line(escape_json(text), sys.stdout)


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

    head = Text(neutralise(title)) if title else None
    grid = Table(title=head, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in cells:
        grid.add_row(*(_style_cell(cell, column) for cell, column in zip(row, columns, strict=True)))
    Console().print(grid)


Show = Callable[[], None]
