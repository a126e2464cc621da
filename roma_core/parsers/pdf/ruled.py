"""Tables with ruling lines: pdfplumber's cell finder on PDFium's lines (no second reading of the file)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Any

from roma_core.parsers.pdf.layout import rows_of
from roma_core.parsers.pdf.page import PageContent, Rect, Rule, Word
from roma_core.parsers.pdf.tables import TableRegion, cell_text
from roma_core.parsers.tables import Grid

MAX_EDGES = 2_500
"""The cell finder takes quadratic time; drawings have more lines than tables."""
MAX_REPEATED = 80
"""A merged cell repeats its text in each place that it covers, so that rows read alone; longer text stands once."""
MAX_PROSE_WORDS = 60
"""Cells with more words on average than this are frames around prose."""


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
