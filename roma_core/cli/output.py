"""What a command prints: one JSON document, a table for a person, or a failure."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from roma_core.errors import AgentFailure

OK, FAILED, PARTIAL, USAGE, INTERRUPTED = 0, 1, 2, 64, 130


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
