"""Tables on a PDF page: those with ruling lines, and those that only white space holds together.

Ruled tables: pdfplumber's cell finder on PDFium's lines (no second reading of the file). Unruled ones: rows that leave
the same vertical rivers of white free. Text that a table takes is the text of its words, so nothing can be lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from roma_core.parsers.pdf_blocks import joined
from roma_core.parsers.pdf_layout import Line, rows_of, segments_of
from roma_core.parsers.pdf_page import PageContent, Rect, Rule, Word
from roma_core.parsers.tables import Grid, is_number

MAX_EDGES = 2_500
"""The cell finder takes quadratic time; drawings have more lines than tables."""
MAX_REPEATED = 80
"""A merged cell repeats its text in each place that it covers, so that rows read alone; longer text stands once."""
MAX_PROSE_WORDS = 60
"""Cells with more words on average than this are frames around prose."""

_MARKER = re.compile(r"[•●○▪■◦‣–\-*·]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\[\d{1,3}\]")
_LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}")


@dataclass(frozen=True, eq=False)
class TableRegion:
    """A table and where it is."""

    rect: Rect
    grid: Grid
    words: tuple[Word, ...]
    turned: tuple[Word, ...] = ()
    """Words of cells that are set sideways."""


def ruled_tables(content: PageContent) -> list[TableRegion]:
    """Tables whose cells are drawn. Frames around prose and boxes of one cell are left to the text."""
    if len(content.rules) < 4:
        return []
    edges = _edges(content.rules)
    if not 4 <= len(edges) <= MAX_EDGES:
        return []
    found: list[TableRegion] = []
    for cells in _cell_groups(edges):
        table = _filled(cells, content)
        if table and not any(_overlap(table.rect, other.rect) for other in found):
            found.append(table)
    return found


def _edges(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    import pdfplumber.table as plumber

    edges = [_edge(rule) for rule in rules]
    merged: list[dict[str, Any]] = plumber.merge_edges(edges, 3, 3, 3, 3)
    merged = [e for e in merged if max(e["x1"] - e["x0"], e["bottom"] - e["top"]) >= 8]
    return plumber.merge_edges(merged + _closing(merged), 3, 3, 3, 3)  # type: ignore[no-any-return]


def _edge(rule: Rule) -> dict[str, Any]:
    x0, top, x1, bottom = rule.x0, rule.top, rule.x1, rule.bottom
    if rule.horizontal:
        top = bottom = (top + bottom) / 2
    else:
        x0 = x1 = (x0 + x1) / 2
    return {
        "object_type": "line",
        "orientation": "h" if rule.horizontal else "v",
        "x0": x0,
        "x1": x1,
        "top": top,
        "bottom": bottom,
        "doctop": top,
        "width": x1 - x0,
        "height": bottom - top,
    }


def _closing(edges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outer sides that a table with open ends leaves out: where three rules end on one line, and a column is drawn."""
    horizontal = [e for e in edges if e["orientation"] == "h"]
    vertical = [e for e in edges if e["orientation"] == "v"]
    added: list[dict[str, Any]] = []
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for e in horizontal:
        groups.setdefault((round(e["x0"] / 4), round(e["x1"] / 4)), []).append(e)
    for group in groups.values():
        x0, x1 = group[0]["x0"], group[0]["x1"]
        top, bottom = min(e["top"] for e in group), max(e["top"] for e in group)
        inner = any(x0 < v["x0"] < x1 and v["top"] < bottom and v["bottom"] > top for v in vertical)
        if len(group) >= 3 and inner:
            added += [_edge(Rule(x, top, x, bottom)) for x in (x0, x1)]
    return added


def _cell_groups(edges: list[dict[str, Any]]) -> list[list[Rect]]:
    import pdfplumber.table as plumber

    cells = plumber.intersections_to_cells(plumber.edges_to_intersections(edges, 3, 3))
    groups: list[list[Rect]] = plumber.cells_to_tables(cells)
    return sorted(groups, key=len, reverse=True)


def _filled(cells: list[Rect], content: PageContent) -> TableRegion | None:
    rect = (min(c[0] for c in cells), min(c[1] for c in cells), max(c[2] for c in cells), max(c[3] for c in cells))
    inside = [w for w in content.words if _holds(rect, w)]
    turned = [w for w in content.strays if _within(rect, content.spots[id(w)])]
    xs, ys = _grid_lines(c[0] for c in cells), _grid_lines(c[1] for c in cells)
    if len(xs) < 2 or len(ys) < 2 or not inside:
        return None
    ys, cells = _with_row_lines(cells, ys, xs, inside)
    grid: Grid = [[""] * len(xs) for _ in ys]
    taken: set[int] = set()
    filled = 0
    for cell in cells:
        mine = [w for w in inside if id(w) not in taken and _holds(cell, w)]
        taken.update(map(id, mine))
        sideways = [w for w in turned if _within(cell, content.spots[id(w)])]
        text = " ".join(filter(None, [cell_text(mine), cell_text(sideways)]))
        filled += bool(text)
        for y, x in _covered(cell, ys, xs)[: 1 if len(text) > MAX_REPEATED else None]:
            grid[y][x] = grid[y][x] or text
    turned = [w for w in turned if any(_within(cell, content.spots[id(w)]) for cell in cells)]
    if len(taken) < len(inside) or filled < 2 or len(inside) > MAX_PROSE_WORDS * len(cells):
        return _rescued(grid, rect, inside, turned, taken, ys, xs) if filled >= 4 else None
    return TableRegion(rect, _squeezed(grid), tuple(inside), tuple(turned)) if _is_grid(grid) else None


def _with_row_lines(
    cells: list[Rect], ys: list[float], xs: list[float], inside: list[Word]
) -> tuple[list[float], list[Rect]]:
    """Where only the columns are drawn, each of a row of cells holds many lines on the same baselines: cut them."""
    cut: list[Rect] = []
    for top in ys:
        row = [c for c in cells if abs(c[1] - top) <= 3]
        heights = {round(c[3] / 4) for c in row}
        lines = [rows_of(w for w in inside if _holds(c, w)) for c in row]
        starts = _shared_tops(lines) if len(row) == len(xs) >= 2 and len(heights) == 1 else []
        if len(starts) < 3:
            cut += row
            continue
        edges = [top, *(y - 1 for y in starts[1:]), row[0][3]]
        cut += [(c[0], a, c[2], b) for c in row for a, b in pairwise(edges)]
    return _grid_lines(c[1] for c in cut), cut


def _shared_tops(columns: list[list[list[Word]]]) -> list[float]:
    """Heights at which (nearly) all columns begin a line; empty when they keep no step (prose does not)."""
    tops = [[min(w.top for w in line) for line in column] for column in columns]
    most = max(tops, key=len, default=[])
    fewest = min((len(column) for column in tops), default=0)
    if len(most) < 3 or fewest < 0.7 * len(most):
        return []
    size = median(w.size for column in columns for line in column for w in line)
    kept = [y for y in most if sum(any(abs(y - z) < 0.3 * size for z in column) for column in tops) >= 0.7 * len(tops)]
    return most if len(kept) >= 0.7 * len(most) else []


def _rescued(
    grid: Grid,
    rect: Rect,
    inside: list[Word],
    turned: list[Word],
    taken: set[int],
    ys: list[float],
    xs: list[float],
) -> TableRegion | None:
    """Words in places that no drawn cell covers join the place of the grid that they stand in."""
    for word in inside:
        if id(word) not in taken:
            y = max(0, sum(edge <= (word.top + word.bottom) / 2 for edge in ys) - 1)
            x = max(0, sum(edge <= (word.x0 + word.x1) / 2 for edge in xs) - 1)
            grid[y][x] = f"{grid[y][x]} {word.text}".strip()
    return TableRegion(rect, _squeezed(grid), tuple(inside), tuple(turned)) if _is_grid(grid) else None


def _is_grid(grid: Grid) -> bool:
    """At least two columns and two rows have text, and the cells are no paragraphs."""
    columns = [any(row[x] for row in grid) for x in range(len(grid[0]))]
    texts = [text for row in grid for text in row if text]
    mean = sum(len(text.split()) for text in texts) / max(1, len(texts))
    return sum(columns) >= 2 and sum(map(any, grid)) >= 2 and mean <= MAX_PROSE_WORDS


def _squeezed(grid: Grid) -> Grid:
    """Without rows and columns that hold nothing (double rules, spacers)."""
    columns = [x for x in range(len(grid[0])) if any(row[x] for row in grid)]
    return [[row[x] for x in columns] for row in grid if any(row)]


def _grid_lines(values: Iterable[float]) -> list[float]:
    lines: list[float] = []
    for value in sorted(values):
        if not lines or value - lines[-1] > 3:
            lines.append(value)
    return lines


def _covered(cell: Rect, ys: list[float], xs: list[float]) -> list[tuple[int, int]]:
    rows = [i for i, y in enumerate(ys) if cell[1] - 2 <= y < cell[3] - 2]
    columns = [i for i, x in enumerate(xs) if cell[0] - 2 <= x < cell[2] - 2]
    return [(y, x) for y in rows for x in columns]


def _holds(rect: Rect, word: Word) -> bool:
    return _within(rect, (word.x0, word.top, word.x1, word.bottom))


def _within(rect: Rect, other: Rect) -> bool:
    """Whether the middle of ``other`` lies in ``rect``."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return rect[0] <= x <= rect[2] and rect[1] <= y <= rect[3]


def _overlap(one: Rect, two: Rect) -> bool:
    return min(one[2], two[2]) - max(one[0], two[0]) > 3 and min(one[3], two[3]) - max(one[1], two[1]) > 3


def cell_text(words: Iterable[Word]) -> str:
    """Text of a cell; lines that wrap inside of it are joined by a blank, because a PDF knows no other break."""
    rows = [segment for row in rows_of(words) for segment in segments_of(row, 1e9)]
    return joined([line.text for line in rows], hyphens=[line.hyphenated for line in rows])


Row = list[Line]
"""The segments of one baseline from left to right."""


def unruled_tables(lines: Sequence[Line], rules: Sequence[Rule]) -> list[TableRegion]:
    """Tables in one region of a page, found by rivers of white between aligned cells."""
    rows = [segments_of(row) for row in rows_of(w for line in lines for w in line.words)]
    rows = [sorted(row, key=lambda s: s.x0) for row in rows if row]
    found: list[TableRegion] = []
    start = 0
    while start < len(rows):
        end = _run_end(rows, start)
        table = _aligned(rows[start:end], rules) if end - start >= 2 else None
        if table:
            found.append(table)
        start = max(end, start + 1)
    return found


def _run_end(rows: list[Row], start: int) -> int:
    """End of the run of rows from ``start`` that may be one table: none but short gaps and lone segments inside."""
    if len(rows[start]) < 2:
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
    """Whether ``row`` and the next ones stand in other columns than the rows of ``group``: another table begins."""
    multi = [r for r in group if len(r) > 1]
    fresh = [r for r in (row, *after) if len(r) > 1]
    if len(multi) < 3 or len(fresh) < 2 or len(row) < 2:
        return False
    before = len(_strips(multi, 0))
    return len(_strips([*multi, *fresh], 0)) <= before / 2 and len(_strips(fresh, 0)) > 1 and before > 0


def _is_wide(line: Line, rows: list[Row]) -> bool:
    """Whether a lone segment runs over the gaps that the rows above keep free, like a paragraph after a table."""
    multi = [row for row in rows if len(row) > 1]
    gaps = [(a.x1, b.x0) for row in multi for a, b in pairwise(row)]
    crossed = sum(line.x0 < a and line.x1 > b for a, b in gaps)
    return bool(gaps) and 2 * crossed > len(gaps) and len(line.words) > 4


def _inside_columns(line: Line, rows: list[Row]) -> bool:
    """A lone last segment belongs to the table when it continues a cell that is not in the first column."""
    multi = [row for row in rows if len(row) > 1]
    return bool(multi) and line.x0 > max(row[0].x1 for row in multi)


def _aligned(rows: list[Row], rules: Sequence[Rule]) -> TableRegion | None:
    multi = [row for row in rows if len(row) > 1]
    borders = _rivers(rows, multi)
    if len(multi) < 2 or not borders:
        return None
    grid_rows = [_cells(row, borders) for row in rows]
    texts = [[cell_text(cell) for cell in row] for row in grid_rows]
    rect = _bounds(rows)
    if not _is_tabular(texts, len(multi), _has_rules(rect, rules)):
        return None
    merged = _merge_wrapped(grid_rows, rows)
    spanned = [any(_spans(s, b) for s in row for b in borders) for row in rows]
    if not any(spanned[:3]):
        merged = _merge_header(merged)
    words = tuple(w for row in rows for s in row for w in s.words)
    return TableRegion(rect, [[cell_text(cell) for cell in row] for row in merged], words)


def _spans(segment: Line, border: float) -> bool:
    """Whether a segment lies over both columns at ``border`` rather than just hanging over it."""
    return min(border - segment.x0, segment.x1 - border) > 0.35 * (segment.x1 - segment.x0)


def _rivers(rows: list[Row], multi: list[Row]) -> list[float]:
    """Centres of the vertical strips that (nearly) every row leaves free and that text lies on both sides of."""
    allowed = 0 if len(multi) < 4 else max(1, len(rows) // 8)
    return [x for x in _strips(rows, allowed) if _parts_rows(multi, x)]


def _strips(rows: list[Row], allowed: int) -> list[float]:
    """Centres of the vertical strips, at least 0.45 em wide, that at most ``allowed`` segments cover."""
    left, right = min(s.x0 for r in rows for s in r), max(s.x1 for r in rows for s in r)
    bins = int(right - left) + 2
    cover = [0] * (bins + 1)
    for row in rows:
        for segment in row:
            cover[max(0, int(segment.x0 - left))] += 1
            cover[min(bins, int(segment.x1 - left + 0.999))] -= 1
    size = median(s.size for row in rows for s in row)
    strips: list[tuple[int, int]] = []
    height = 0
    start: int | None = None
    for i, step in enumerate(cover):
        height += step
        if height <= allowed and start is None:
            start = i
        elif height > allowed and start is not None:
            strips.append((start, i))
            start = None
    return [left + (a + b) / 2 for a, b in strips if b - a >= 0.45 * size and a > 0]


def _parts_rows(multi: list[Row], x: float) -> bool:
    parted = sum(row[0].x1 <= x + 1 and row[-1].x0 >= x - 1 for row in multi)
    return parted >= max(2, 0.3 * len(multi))


def _cells(row: Row, borders: list[float]) -> list[list[Word]]:
    cells: list[list[Word]] = [[] for _ in range(len(borders) + 1)]
    for segment in row:
        crossed = any(segment.x0 < b - 1 and segment.x1 > b + 1 for b in borders)
        for word in segment.words:
            x = segment.x0 + 1 if crossed else (word.x0 + word.x1) / 2
            cells[sum(b < x for b in borders)].append(word)
    return cells


def _is_tabular(texts: Grid, multi: int, has_rules: bool) -> bool:
    """Whether a grid of texts reads like a table rather than like prose, a list or a table of contents."""
    columns = len(texts[0])
    cells = [text for row in texts for text in row if text]
    filled = len(cells) / (columns * len(texts))
    words = sum(len(text.split()) for text in cells) / len(cells)
    numbers = sum(is_number(text) for text in cells) / len(cells)
    first = [row[0] for row in texts if row[0]]
    if columns == 2 and first and sum(bool(_MARKER.fullmatch(t)) for t in first) >= 0.5 * len(first):
        return False
    if sum(bool(_LEADER.search(t)) for t in cells) >= 0.3 * len(texts):
        return False
    if multi < 3 and not (columns >= 3 and (has_rules or numbers >= 0.3)):
        return False
    if not has_rules and any(_flows_on([row[x] for row in texts]) for x in range(columns)):
        return False
    if columns == 2:
        return filled >= 0.6 and (words <= 4 or numbers >= 0.3 or (has_rules and words <= 12))
    return filled >= 0.35 and words <= (14 if has_rules else 7)


def _flows_on(column: list[str]) -> bool:
    """Whether a column is prose: long cells that the next one goes on with in the middle of a sentence."""
    pairs = [(a, b) for a, b in pairwise(column) if len(a) >= 25 and b]
    return len(pairs) >= 2 and 2 * sum(b[0].islower() for _, b in pairs) >= len(pairs)


def _merge_wrapped(grid: list[list[list[Word]]], rows: list[Row]) -> list[list[list[Word]]]:
    """Rows that only continue cells of the row above join it.

    A row continues when its first cell is empty, it stands closer than rows of this table usually do, and it does not
    fill every other column; or when there are clearly two row distances and it keeps the small one.
    """
    tops = [min(s.top for s in row) for row in rows]
    pitches = [b - a for a, b in pairwise(tops)]
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


def _bounds(rows: list[Row]) -> Rect:
    lines = [s for row in rows for s in row]
    return min(s.x0 for s in lines), min(s.top for s in lines), max(s.x1 for s in lines), max(s.bottom for s in lines)


def _has_rules(rect: Rect, rules: Sequence[Rule]) -> bool:
    """Whether at least two horizontal rules about as wide as the table lie in it or at its edges."""
    width = rect[2] - rect[0]
    near = [
        r
        for r in rules
        if r.horizontal
        and rect[1] - 14 <= r.top <= rect[3] + 14
        and min(r.x1, rect[2]) - max(r.x0, rect[0]) >= 0.6 * width
    ]
    return len({round(r.top / 3) for r in near}) >= 2


def text_lines(region: Sequence[Line], tables: Sequence[TableRegion]) -> list[Line]:
    """The lines of a region that no table took, one a baseline."""
    taken = {id(w) for table in tables for w in table.words}
    words = [w for line in region for w in line.words if id(w) not in taken]
    return [Line(segments_of(row, 1e9)[0].words) for row in rows_of(words)]
