"""Parts that the finders of tables on a PDF page share. A table holds the text of all its words: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roma_core.parsers.pdf.blocks import join_lines
from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.page import Rect, Word
from roma_core.parsers.tables import Grid


@dataclass(frozen=True, eq=False)
class TableRegion:
    """A table and where it is."""

    rect: Rect
    grid: Grid
    words: tuple[Word, ...]
    turned: tuple[Word, ...] = ()
    """Words of cells that are set sideways."""


def cell_text(words: Iterable[Word]) -> str:
    """Text of a cell; lines that wrap inside of it are joined by a blank, because a PDF knows no other break."""
    rows = [segment for row in rows_of(words) for segment in segments_of(row, 1e9)]
    return join_lines([line.text for line in rows], hyphens=[line.hyphenated for line in rows])


def bounds(lines: Sequence[Line]) -> Rect:
    """The least rectangle around ``lines`` (at least one)."""
    return min(s.x0 for s in lines), min(s.top for s in lines), max(s.x1 for s in lines), max(s.bottom for s in lines)


def text_lines(region: Sequence[Line], tables: Sequence[TableRegion]) -> list[Line]:
    """The lines of a region that no table took, one a baseline."""
    taken = {id(w) for table in tables for w in table.words}
    words = [w for line in region for w in line.words if id(w) not in taken]
    return [Line(segments_of(row, 1e9)[0].words) for row in rows_of(words)]
