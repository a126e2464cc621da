"""Lists whose entries dots lead to a value at the margin: tables of contents, price lists. Each is a table.

``Notices . . . . . vii`` reads as the row ``Notices | vii``; the dots are for the eye and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.tables import TableRegion, bounds
from roma_core.parsers.tables import Grid

MIN_ENTRIES = 3
"""Fewer entries than this stay lines of text."""
MAX_WRAPPED = 2
"""Lines of a title that wraps before its dots begin."""

_ENTRY = re.compile(
    r"^(?P<title>.*?[^\s.…])\s*(?:(?:\.\s?){4,}|…[…\s.]*)\s*"
    r"(?P<value>[$€£]?(?:[A-Z]-?)?\d[\d.,–-]*%?|[ivxlcIVXLC]{1,7})$"
)
_OWN_NUMBER = re.compile(r"^(?:\d|[A-Z][.\d]|chapter|part|appendix|section)", re.IGNORECASE)


def leader_tables(lines: Sequence[Line]) -> list[TableRegion]:
    """Runs of at least ``MIN_ENTRIES`` lines with leaders, in one region of a page, as tables of two columns.

    A line without a leader between two entries is the first part of a title that wraps, or a row of its own when the
    next line begins with a number. The header is blank: such a list has none.
    """
    words = [w for line in lines for w in line.words]
    if sum(".." in w.text or w.text == "." or "…" in w.text for w in words) < MIN_ENTRIES:
        return []
    rows = [segments_of(row, 1e9)[0] for row in rows_of(words)]
    found: list[TableRegion] = []
    run: list[Line] = []
    for row in [*rows, None]:
        if row is not None and (_entry(row) or (run and _goes_on(run, row))):
            run.append(row)
            continue
        found += _table(run)
        run = [row] if row is not None and _entry(row) else []
    return found


def _entry(row: Line) -> re.Match[str] | None:
    return _ENTRY.match(row.text)


def _goes_on(run: Sequence[Line], row: Line) -> bool:
    """Return whether a line without a leader may lie between two entries: close below, and not many such in a row."""
    near = row.top - run[-1].bottom <= 1.5 * max(row.size, run[-1].size)
    return near and any(_entry(above) for above in run[-MAX_WRAPPED:])


def _table(run: list[Line]) -> list[TableRegion]:
    while run and not _entry(run[-1]):
        run = run[:-1]
    if sum(_entry(row) is not None for row in run) < MIN_ENTRIES:
        return []
    words = tuple(w for row in run for w in row.words)
    return [TableRegion(bounds(run), [["", ""], *_rows(run)], words)]


def _rows(run: Sequence[Line]) -> Grid:
    grid: Grid = []
    open_title = ""
    for row in run:
        entry = _entry(row)
        text = entry["title"] if entry else row.text
        if open_title and _OWN_NUMBER.match(text):
            grid.append([open_title, ""])
            open_title = ""
        text = f"{open_title} {text}".strip()
        if entry:
            grid.append([text, entry["value"]])
        open_title = "" if entry else text
    return grid
