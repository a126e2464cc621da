"""Tables that only white space holds together: rows that leave the same vertical rivers of white free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from roma_core.parsers.pdf.blocks import CAPTION
from roma_core.parsers.pdf.layout import Line
from roma_core.parsers.pdf.page import Rect, RulingLine, Word
from roma_core.parsers.pdf.rivers import Row, crosses, figure_rivers, merge_edges, parts, strips, table_rows
from roma_core.parsers.pdf.tables import TableRegion, bounds, cell_text
from roma_core.parsers.tables import Grid, is_number

_MARKER = re.compile(r"[•●○▪■◦‣–\-*·]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\[\d{1,3}\]")
_LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}")


def unruled_tables(lines: Sequence[Line], rules: Sequence[RulingLine]) -> list[TableRegion]:
    """Tables in one region of a page, found by rivers of white between aligned cells."""
    rows = table_rows(w for line in lines for w in line.words)
    found: list[TableRegion] = []
    start = 0
    while start < len(rows):
        end = _run_end(rows, start)
        table = _find_aligned(rows[start:end], rules) if end - start >= 2 else None
        if table:
            found.append(table)
        start = max(end, start + 1)
    return found


def _run_end(rows: list[Row], start: int) -> int:
    """End of the run of rows from ``start`` that may be one table: none but short gaps and lone segments inside."""
    if len(rows[start]) < 2 or CAPTION.match(" ".join(piece.text for piece in rows[start])):
        return start
    end, lone = start + 1, 0
    while end < len(rows):
        above, row = rows[end - 1], rows[end]
        size = max(s.size for s in row)
        gap = min(s.top for s in row) - max(s.bottom for s in above)
        lone = lone + 1 if len(row) == 1 else 0
        wide = len(row) == 1 and _is_wide(row[0], rows[start:end])
        if gap > 2.2 * size or lone > 3 or wide or _other_columns(rows[start:end], row, rows[end + 1 : end + 3]):
            break
        end += 1
    while end > start and len(rows[end - 1]) == 1 and not _inside_columns(rows[end - 1][0], rows[start : end - 1]):
        end -= 1
    return end


def _other_columns(group: list[Row], row: Row, after: list[Row]) -> bool:
    """Tell if another table begins: ``row`` and the next ones stand in other columns than the rows of ``group``."""
    multi = [r for r in group if len(r) > 1]
    fresh = [r for r in (row, *after) if len(r) > 1]
    if len(multi) < 3 or len(fresh) < 2 or len(row) < 2:
        return False
    before = len(strips(multi, 0))
    if len(strips([*multi, row], 0)) >= before:
        return False  # it still keeps the columns; the next one may not
    return len(strips([*multi, *fresh], 0)) <= before / 2 and len(strips(fresh, 0)) > 1


def _is_wide(line: Line, rows: list[Row]) -> bool:
    """Tell if a lone segment runs over the gaps that the rows above keep free, like a paragraph after a table."""
    multi = [row for row in rows if len(row) > 1]
    gaps = [(a.x1, b.x0) for row in multi for a, b in pairwise(row)]
    crossed = sum(line.x0 < a and line.x1 > b for a, b in gaps)
    return bool(gaps) and 2 * crossed > len(gaps) and len(line.words) > 4


def _inside_columns(line: Line, rows: list[Row]) -> bool:
    """A lone last segment belongs to the table when it continues a cell that is not in the first column."""
    multi = [row for row in rows if len(row) > 1]
    return bool(multi) and line.x0 > max(row[0].x1 for row in multi)


def _find_aligned(rows: list[Row], rules: Sequence[RulingLine]) -> TableRegion | None:
    multi = [row for row in rows if len(row) > 1]
    borders = _rivers(rows, multi)
    if len(multi) < 2 or not borders:
        return None
    grid_rows = [_cells(row, borders) for row in rows]
    texts = [[cell_text(cell) for cell in row] for row in grid_rows]
    rect = bounds([s for row in rows for s in row])
    if not _is_tabular(texts, len(multi), _has_rules(rect, rules)):
        return None
    merged = _merge_wrapped(grid_rows, rows)
    spanned = [any(_spans(s, b) for s in row for b in borders) for row in rows]
    if not any(spanned[:3]):
        merged = _merge_header(merged)
    words = tuple(w for row in rows for s in row for w in s.words)
    return TableRegion(rect, [[cell_text(cell) for cell in row] for row in merged], words)


def _spans(segment: Line, border: float) -> bool:
    """Return whether a segment lies over both columns at ``border`` rather than just hanging over it."""
    return min(border - segment.x0, segment.x1 - border) > 0.35 * (segment.x1 - segment.x0)


def _rivers(rows: list[Row], multi: list[Row]) -> list[float]:
    """Centres of the vertical strips that (nearly) every row leaves free and that text lies on both sides of."""
    allowed = 0 if len(multi) < 4 else max(1, len(rows) // 8)
    wide = [x for x in strips(rows, allowed) if _parts_rows(multi, x)]
    return merge_edges(wide, figure_rivers(rows, allowed), rows[0][0].size)


def _parts_rows(multi: list[Row], x: float) -> bool:
    parted = sum(parts(row, x) for row in multi)
    return parted >= max(2, 0.3 * len(multi))


def _cells(row: Row, borders: list[float]) -> list[list[Word]]:
    cells: list[list[Word]] = [[] for _ in range(len(borders) + 1)]
    for segment in row:
        crossed = any(crosses(segment, b) for b in borders)
        for word in segment.words:
            x = segment.x0 + 1 if crossed else (word.x0 + word.x1) / 2
            cells[sum(b < x for b in borders)].append(word)
    return cells


@dataclass(frozen=True)
class _GridFacts:
    """Measures of a grid of texts."""

    columns: int
    filled: float
    """Share of the places that have text."""
    words: float
    """Words a cell on average."""
    numbers: float
    """Share of the cells that are numbers."""

    @classmethod
    def of(cls, texts: Grid) -> _GridFacts:
        cells = [text for row in texts for text in row if text]
        return cls(
            len(texts[0]),
            len(cells) / (len(texts[0]) * len(texts)),
            sum(len(text.split()) for text in cells) / len(cells),
            sum(map(is_number, cells)) / len(cells),
        )


def _is_tabular(texts: Grid, multi: int, has_rules: bool) -> bool:
    """Return whether a grid of texts reads like a table rather than like prose, a list or a table of contents."""
    facts = _GridFacts.of(texts)
    if _is_list(texts) or _is_contents(texts):
        return False
    if multi < 3 and not (facts.columns >= 3 and (has_rules or facts.numbers >= 0.3)):
        return False
    if not has_rules and facts.numbers < 0.4 and _has_prose_column(texts):
        return False
    if facts.columns == 2:
        return facts.filled >= 0.6 and _are_pairs(facts, has_rules)
    return facts.filled >= 0.35 and facts.words <= (14 if has_rules else 7)


def _are_pairs(facts: _GridFacts, has_rules: bool) -> bool:
    """Return whether two columns hold names and values: short cells, numbers, or longer cells between rules."""
    return facts.words <= 4 or facts.numbers >= 0.3 or (has_rules and facts.words <= 12)


def _is_list(texts: Grid) -> bool:
    """Return whether the first of two columns holds bullets and numbers of list items."""
    first = [row[0] for row in texts if row[0]]
    return len(texts[0]) == 2 and bool(first) and 2 * sum(bool(_MARKER.fullmatch(t)) for t in first) >= len(first)


def _is_contents(texts: Grid) -> bool:
    """Return whether dots lead from titles to page numbers."""
    return sum(bool(_LEADER.search(text)) for row in texts for text in row) >= 0.3 * len(texts)


def _has_prose_column(texts: Grid) -> bool:
    return any(_flows_on([row[x] for row in texts]) for x in range(len(texts[0])))


def _flows_on(column: list[str]) -> bool:
    """Return whether a column is prose: long cells that the next one goes on with in the middle of a sentence."""
    pairs = [(a, b) for a, b in pairwise(column) if len(a) >= 25 and b]
    return len(pairs) >= 2 and 2 * sum(b[0].islower() for _, b in pairs) >= len(pairs)


Cells = list[list[list[Word]]]
"""Words by row and column."""


def _merge_wrapped(grid: Cells, rows: list[Row]) -> Cells:
    """Rows that only continue cells of the row above join it.

    A row continues when its first cell is empty, it stands closer than rows of this table usually do, and it does not
    fill every other column; or when there are clearly two row distances and it keeps the small one.
    """
    grid, rows = _join_centred_labels(grid, rows)
    tops = [min(s.top for s in row) for row in rows]
    pitches = [b - a for a, b in pairwise(tops)]
    if not pitches:
        return grid
    ordered = sorted(pitches)
    small, large = ordered[len(ordered) // 5], ordered[-1 - len(ordered) // 5]
    two_distances = large > 1.25 * small
    merged = [grid[0]]
    for cells, pitch in zip(grid[1:], pitches, strict=True):
        filled = [bool(cell) for cell in cells]
        tight = pitch <= (small + large) / 2 if two_distances else True
        has_numbers = any(is_number(cell_text(cell)) for cell in cells if cell)
        hangs = not filled[0] and sum(filled) < max(2, len(cells) - 1) and not has_numbers and tight
        wraps = two_distances and tight and not all(filled) and not has_numbers and _below(merged[-1], cells)
        if hangs or wraps:
            merged[-1] = [[*a, *b] for a, b in zip(merged[-1], cells, strict=True)]
        else:
            merged.append(cells)
    return merged


def _join_centred_labels(grid: Cells, rows: list[Row]) -> tuple[Cells, list[Row]]:
    """Join rows without a label with the lines of their label, between which the figures are centred."""
    joined: Cells = []
    kept: list[Row] = []
    at = 0
    while at < len(grid):
        is_bare = not grid[at][0] and sum(map(bool, grid[at])) >= 2
        above = bool(joined) and is_bare and _is_lone_label(joined[-1]) and _overlaps(kept[-1], rows[at])
        below = at + 1 < len(grid) and above and _is_lone_label(grid[at + 1]) and _overlaps(rows[at], rows[at + 1])
        if above and below:
            joined[-1] = [joined[-1][0] + grid[at + 1][0], *grid[at][1:]]
            kept[-1] = [*kept[-1], *rows[at], *rows[at + 1]]
            at += 2
        elif above:
            joined[-1] = [joined[-1][0], *grid[at][1:]]
            kept[-1] = [*kept[-1], *rows[at]]
            at += 1
        else:
            joined.append(grid[at])
            kept.append(rows[at])
            at += 1
    return joined, kept


def _is_lone_label(cells: list[list[Word]]) -> bool:
    return bool(cells[0]) and not any(cells[1:])


def _overlaps(above: Row, below: Row) -> bool:
    """Return whether two rows share height: one stands half a line below the other."""
    return max(piece.bottom for piece in above) > min(piece.top for piece in below) + 0.2 * below[0].size


def _merge_header(grid: list[list[list[Word]]]) -> list[list[list[Word]]]:
    """Column titles that wrap: the rows above the first one with numbers are one, when a further one is not full."""
    texts = [[cell_text(cell) for cell in row] for row in grid]
    body = next((y for y, row in enumerate(texts) if sum(map(is_number, row)) >= 0.3 * len(row)), 0)
    head = texts[:body]
    if not 2 <= body <= 4 or len(grid) - body < 2 or not any("" in row for row in head[1:]):
        return grid
    if any(map(is_number, (text for row in head for text in row))):
        return grid
    return [[[w for row in grid[:body] for w in row[x]] for x in range(len(grid[0]))], *grid[body:]]


def _below(above: list[list[Word]], cells: list[list[Word]]) -> bool:
    """Every cell continues a filled one."""
    return all(bool(a) for a, b in zip(above, cells, strict=True) if b)


def _has_rules(rect: Rect, rules: Sequence[RulingLine]) -> bool:
    """Return whether at least two horizontal rules about as wide as the table lie in it or at its edges."""
    width = rect[2] - rect[0]
    near = [
        r
        for r in rules
        if r.horizontal
        and rect[1] - 14 <= r.top <= rect[3] + 14
        and min(r.x1, rect[2]) - max(r.x0, rect[0]) >= 0.6 * width
    ]
    return len({round(r.top / 3) for r in near}) >= 2
