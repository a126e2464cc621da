"""Tables with ruling lines: the rules say where a table is, rivers of white say how it is divided inside.

Cells are found by pdfplumber's cell finder on PDFium's lines, without a second reading of the file. A drawn cell may
hold several columns or rows of figures, and a column of labels may stand outside of the drawn ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from roma_core.parsers.pdf.layout import Line, rows_of
from roma_core.parsers.pdf.page import PageContent, Rect, RulingLine, Word
from roma_core.parsers.pdf.rivers import Row, crosses, figure_rivers, merge_edges, parts, strips, table_rows
from roma_core.parsers.pdf.tables import TableRegion, cell_text
from roma_core.parsers.tables import Grid, is_number

MAX_EDGES = 2_500
"""The cell finder takes quadratic time; drawings have more lines than tables."""
MAX_REPEATED = 80
"""A cell over several rows repeats its text in each, so that rows read alone; longer text stands once."""
MAX_PROSE_WORDS = 60
"""Cells with more words on average than this are frames around prose."""
MIN_ROWS = 3
"""Lines of a drawn row that are rows of their own; two figures in a cell may be a value and its range."""
MAX_LINES_ACROSS = 6
"""A cell over all columns with so many lines is a frame around other text."""
MAX_LABEL_WORDS = 8
"""A column of labels has at most so many words a line."""
MAX_LABEL_DISTANCE_EM = 4.0
_SNAP = 3.0
"""Lines nearer than this are one line."""


def ruled_tables(content: PageContent) -> list[TableRegion]:
    """Return the tables whose cells are drawn. Frames around prose and boxes of one cell are left to the text."""
    if len(content.rules) < 4:
        return []
    edges = _edges(content.rules)
    if not 4 <= len(edges) <= MAX_EDGES:
        return []
    found: list[TableRegion] = []
    words = _WordIndex(content.words)
    for cells in _cell_groups(edges):
        table = _read_table(cells, content, words)
        if table and not any(_overlap(table.rect, other.rect) for other in found):
            found.append(table)
    return found


def _edges(rules: Iterable[RulingLine]) -> list[dict[str, Any]]:
    import pdfplumber.table as plumber

    edges = [_edge(rule) for rule in rules]
    merged: list[dict[str, Any]] = plumber.merge_edges(edges, _SNAP, _SNAP, _SNAP, _SNAP)
    merged = [e for e in merged if max(e["x1"] - e["x0"], e["bottom"] - e["top"]) >= 8]
    return plumber.merge_edges(merged + _closing(merged), _SNAP, _SNAP, _SNAP, _SNAP)  # type: ignore[no-any-return]


def _edge(rule: RulingLine) -> dict[str, Any]:
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
    """Return the outer sides that a table with open ends leaves out: three rules end on one line, a column is drawn."""
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
            added += [_edge(RulingLine(x, top, x, bottom)) for x in (x0, x1)]
    return added


def _cell_groups(edges: list[dict[str, Any]]) -> list[list[Rect]]:
    import pdfplumber.table as plumber

    cells = plumber.intersections_to_cells(plumber.edges_to_intersections(edges, _SNAP, _SNAP))
    groups: list[list[Rect]] = plumber.cells_to_tables(cells)
    return sorted(groups, key=len, reverse=True)


def _read_table(cells: list[Rect], content: PageContent, words: _WordIndex) -> TableRegion | None:
    cells = _without_frames(cells, words)
    if not cells:
        return None
    rect = _hull(cells)
    inside = words.inside(rect)
    turned = [w for w in content.strays if _within(rect, content.spots[id(w)])]
    if not inside or len(inside) > MAX_PROSE_WORDS * len(cells):
        return None
    if len(_grid_lines(c[0] for c in cells)) < 2:
        return None
    cells = _split_rows(cells, words)
    cells = _split_columns(cells, words)
    cells = _split_wide_cells(cells, words)
    labels = _label_cells(cells, words)
    if labels:
        cells = labels + cells
        rect = _hull(cells)
    return _fill(cells, rect, words, turned, content)


def _without_frames(cells: list[Rect], words: _WordIndex) -> list[Rect]:
    """Return the cells without frames around other text at the top and the bottom; none when one is in the middle."""
    cells = sorted(cells, key=lambda cell: (cell[1], cell[0]))
    while len(cells) > 1 and _is_frame(cells[0], cells, words):
        del cells[0]
    while len(cells) > 1 and _is_frame(cells[-1], cells, words):
        del cells[-1]
    return [] if any(_is_frame(cell, cells, words) for cell in cells) else cells


def _is_frame(cell: Rect, cells: Sequence[Rect], words: _WordIndex) -> bool:
    """Return whether a cell as wide as the table holds a page's worth of lines."""
    left, _, right, _ = _hull(cells)
    if cell[0] > left + _SNAP or cell[2] < right - _SNAP or cell[3] - cell[1] < 40:
        return False
    return len(rows_of(words.inside(cell))) >= MAX_LINES_ACROSS


def _fill(
    cells: list[Rect], rect: Rect, words: _WordIndex, turned: list[Word], content: PageContent
) -> TableRegion | None:
    """Return the table of ``cells`` with its words, or None when it is none."""
    xs, ys = _grid_lines(c[0] for c in cells), _grid_lines(c[1] for c in cells)
    if len(xs) < 2 or len(ys) < 2:
        return None
    inside = words.inside(rect)
    grid: Grid = [[""] * len(xs) for _ in ys]
    taken: set[int] = set()
    filled = 0
    for cell in cells:
        mine = [w for w in words.inside(cell) if id(w) not in taken]
        taken.update(map(id, mine))
        sideways = [w for w in turned if _within(cell, content.spots[id(w)])]
        text = " ".join(filter(None, [cell_text(mine), cell_text(sideways)]))
        filled += bool(text)
        _place(grid, text, cell, ys, xs)
    if filled < 2 or (len(taken) < len(inside) and filled < 4):
        return None
    for word in inside:
        if id(word) not in taken:
            _place_word(grid, word, ys, xs)
    turned = [w for w in turned if any(_within(cell, content.spots[id(w)]) for cell in cells)]
    return TableRegion(rect, _squeeze(grid), tuple(inside), tuple(turned)) if _is_grid(grid) else None


def _place(grid: Grid, text: str, cell: Rect, ys: list[float], xs: list[float]) -> None:
    """Write a cell's text into its first column, in each row that it covers."""
    rows = [i for i, y in enumerate(ys) if cell[1] - 2 <= y < cell[3] - 2]
    columns = [i for i, x in enumerate(xs) if cell[0] - 2 <= x < cell[2] - 2]
    if not rows or not columns:
        return
    for y in rows[:1] if len(text) > MAX_REPEATED else rows:
        grid[y][columns[0]] = grid[y][columns[0]] or text


def _place_word(grid: Grid, word: Word, ys: list[float], xs: list[float]) -> None:
    """Write a word that no drawn cell covers into the place of the grid that it stands in."""
    y = max(0, sum(edge <= (word.top + word.bottom) / 2 for edge in ys) - 1)
    x = max(0, sum(edge <= (word.x0 + word.x1) / 2 for edge in xs) - 1)
    grid[y][x] = f"{grid[y][x]} {word.text}".strip()


# Rows and columns that no rule draws


def _bands(cells: Sequence[Rect]) -> list[list[Rect]]:
    """Return the cells grouped by equal top and bottom, from left to right."""
    groups: dict[tuple[int, int], list[Rect]] = {}
    for cell in cells:
        groups.setdefault((round(cell[1] / _SNAP), round(cell[3] / _SNAP)), []).append(cell)
    return [sorted(group) for group in groups.values()]


def _split_rows(cells: list[Rect], words: _WordIndex) -> list[Rect]:
    """Cut bands of drawn cells that hold several rows of figures, or lines on the same baselines in every cell."""
    cut: list[Rect] = []
    columns = len(_grid_lines(c[0] for c in cells))
    for band in _bands(cells):
        lines = [rows_of(words.inside(cell)) for cell in band]
        starts = _figure_tops(lines)
        if not starts and len(band) == columns >= 2:
            starts = _shared_tops(lines)
        if len(starts) < 2:
            cut += band
            continue
        edges = [band[0][1], *(y - 1 for y in starts[1:]), band[0][3]]
        for cell, own in zip(band, lines, strict=True):
            # A single line beside several rows is the label of all of them.
            cut += [(cell[0], a, cell[2], b) for a, b in pairwise(edges)] if len(own) != 1 else [cell]
    return cut


def _figure_tops(columns: list[list[list[Word]]]) -> list[float]:
    """Return the tops of the rows of a band in which a column holds a figure a line; empty when none does."""
    figures: list[list[list[Word]]] = []
    for lines in columns:
        texts = [cell_text(line) for line in lines]
        if len(texts) >= MIN_ROWS and all(map(is_number, texts)) and all(len(line) <= 2 for line in lines):
            figures.append(lines)
    if not figures:
        return []
    size = median(w.size for lines in figures for line in lines for w in line)
    tops = _grid_lines((min(w.top for w in line) for lines in figures for line in lines), 0.5 * size)
    for line in columns[0]:
        top = min(w.top for w in line)
        is_own = not line[0].text[0].islower() and all(abs(top - other) > 0.5 * size for other in tops)
        if is_own:
            tops.append(top)
    return sorted(tops)


def _shared_tops(columns: list[list[list[Word]]]) -> list[float]:
    """Return the heights at which (nearly) all columns begin a line; empty when they keep no step (prose does not)."""
    tops = [[min(w.top for w in line) for line in column] for column in columns]
    most = max(tops, key=len, default=[])
    fewest = min((len(column) for column in tops), default=0)
    if len(most) < MIN_ROWS or fewest < 0.7 * len(most):
        return []
    size = median(w.size for column in columns for line in column for w in line)
    kept = [y for y in most if sum(any(abs(y - z) < 0.3 * size for z in column) for column in tops) >= 0.7 * len(tops)]
    return most if len(kept) >= 0.7 * len(most) else []


def _split_columns(cells: list[Rect], words: _WordIndex) -> list[Rect]:
    """Cut drawn columns at the rivers that run between the figures inside of them."""
    xs = _grid_lines(c[0] for c in cells)
    ends = [*xs[1:], max(c[2] for c in cells)]
    cut: list[Rect] = []
    done: set[Rect] = set()
    for left, right in zip(xs, ends, strict=True):
        column = [c for c in cells if abs(c[0] - left) <= _SNAP and c[2] <= right + _SNAP]
        rows = {cell: table_rows(words.inside(cell), min_numbers=2) for cell in column}
        borders = _inner_borders([row for group in rows.values() for row in group])
        for cell in column if borders else []:
            done.add(cell)
            cut += _cut_cell(cell, rows[cell], borders)
    return [c for c in cells if c not in done] + cut


def _split_wide_cells(cells: list[Rect], words: _WordIndex) -> list[Rect]:
    """Cut cells that reach over several columns and hold a piece of text in more than one of them."""
    xs = _grid_lines(c[0] for c in cells)
    cut: list[Rect] = []
    for cell in cells:
        borders = [x for x in xs if cell[0] + _SNAP < x < cell[2] - _SNAP]
        rows = table_rows(words.inside(cell), min_numbers=2) if borders else []
        is_divided = any(any(parts(row, x) for x in borders) for row in rows if len(row) > 1)
        cut += _cut_cell(cell, rows, borders) if is_divided else [cell]
    return cut


def _inner_borders(rows: Sequence[Row]) -> list[float]:
    """Return the rivers inside of a drawn column: figures on both sides of each in most rows."""
    multi = [row for row in rows if len(row) > 1]
    if len(multi) < 2 or 2 * len(multi) < len(rows):
        return []
    borders: list[float] = []
    for x in strips(rows, allowed=len(rows) // 6):
        parted = [row for row in multi if parts(row, x)]
        figures = [row for row in parted if _figures_around(row, x)]
        if len(parted) >= 0.6 * len(multi) and 2 * len(figures) > len(parted) and len(figures) >= 2:
            borders.append(x)
    return merge_edges(borders, figure_rivers(rows, len(rows) // 6), rows[0][0].size)


def _figures_around(row: Row, x: float) -> bool:
    left = [piece for piece in row if piece.x1 <= x + 1]
    right = [piece for piece in row if piece.x0 >= x - 1]
    return bool(left and right) and is_number(right[0].text) and (is_number(left[-1].text) or len(left[-1].words) <= 6)


def _cut_cell(cell: Rect, rows: Sequence[Row], borders: Sequence[float]) -> list[Rect]:
    """Return the pieces of a cell: each line of it is cut at the borders that it does not cross."""
    free = [[x for x in borders if not any(crosses(piece, x) for piece in row)] for row in rows]
    if not rows or all(not xs for xs in free):
        return [cell]
    tops = [cell[1], *(min(piece.top for piece in row) - 1 for row in rows[1:]), cell[3]]
    if all(xs == free[0] for xs in free):
        tops, free = [cell[1], cell[3]], free[:1]
    made: list[Rect] = []
    for (top, bottom), xs in zip(pairwise(tops), free, strict=True):
        edges = [cell[0], *xs, cell[2]]
        made += [(a, top, b, bottom) for a, b in pairwise(edges)]
    return made


def _label_cells(cells: list[Rect], words: _WordIndex) -> list[Rect]:
    """Return cells for the labels left of a table of bare figures, one a row; none when there are none."""
    rect = _hull(cells)
    inside = words.inside(rect)
    if not _begins_with_figures(cells, inside):
        return []
    band = words.inside((0.0, rect[1] - 2, rect[0] + 2, rect[3] + 2))
    lines = [row[-1] for row in table_rows([word for word in band if word.x1 <= rect[0] + 2])]
    if not lines or not _are_labels(lines, inside, rect[0]):
        return []
    left = min(line.x0 for line in lines) - 1
    ys = [*_grid_lines(c[1] for c in cells), rect[3]]
    return [(left, top, rect[0], bottom) for top, bottom in pairwise(ys)]


def _begins_with_figures(cells: list[Rect], inside: Sequence[Word]) -> bool:
    """Return whether at least half of the first column of a table are numbers."""
    xs = _grid_lines(c[0] for c in cells)
    end = xs[1] if len(xs) > 1 else _hull(cells)[2]
    first = [word for word in inside if (word.x0 + word.x1) / 2 < end]
    figures = [cell_text(row) for row in rows_of(first)]
    return bool(figures) and sum(map(is_number, figures)) >= 0.5 * len(figures)


def _are_labels(lines: Sequence[Line], inside: Sequence[Word], edge: float) -> bool:
    """Return whether lines left of ``edge`` name the rows of the table whose words are ``inside``.

    A column of labels has one line on the baseline of most rows, few words a line, and ends near the figures.
    """
    size = median(line.size for line in lines)
    baselines = [max(word.bottom for word in row) for row in rows_of(inside)]
    on_rows = [y for y in baselines if any(abs(line.bottom - y) < 0.3 * size for line in lines)]
    if len(on_rows) < 0.6 * len(baselines):
        return False
    few_words = median(len(line.words) for line in lines) <= MAX_LABEL_WORDS
    near = edge - max(line.x1 for line in lines) <= MAX_LABEL_DISTANCE_EM * size
    continued = sum(line.text[0].islower() for line in lines)
    return few_words and near and 3 * continued <= len(lines)


def _is_grid(grid: Grid) -> bool:
    """Return whether at least two columns and two rows have text, and the cells are no paragraphs."""
    columns = [any(row[x] for row in grid) for x in range(len(grid[0]))]
    texts = [text for row in grid for text in row if text]
    mean = sum(len(text.split()) for text in texts) / max(1, len(texts))
    return sum(columns) >= 2 and sum(map(any, grid)) >= 2 and mean <= MAX_PROSE_WORDS


def _squeeze(grid: Grid) -> Grid:
    """Return the grid without rows and columns that hold nothing (double rules, spacers)."""
    columns = [x for x in range(len(grid[0])) if any(row[x] for row in grid)]
    return [[row[x] for x in columns] for row in grid if any(row)]


def _grid_lines(values: Iterable[float], apart: float = _SNAP) -> list[float]:
    lines: list[float] = []
    for value in sorted(values):
        if not lines or value - lines[-1] > apart:
            lines.append(value)
    return lines


def _hull(cells: Sequence[Rect]) -> Rect:
    return min(c[0] for c in cells), min(c[1] for c in cells), max(c[2] for c in cells), max(c[3] for c in cells)


class _WordIndex:
    """Words by height, so that those of a cell are found without a look at all."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._words = sorted(words, key=lambda word: word.top + word.bottom)
        self._heights = [(word.top + word.bottom) / 2 for word in self._words]

    def inside(self, rect: Rect) -> list[Word]:
        """Return the words whose middle lies in ``rect``, from top to bottom."""
        first, last = bisect_left(self._heights, rect[1]), bisect_right(self._heights, rect[3])
        return [word for word in self._words[first:last] if rect[0] <= (word.x0 + word.x1) / 2 <= rect[2]]


def _within(rect: Rect, other: Rect) -> bool:
    """Return whether the middle of ``other`` lies in ``rect``."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return rect[0] <= x <= rect[2] and rect[1] <= y <= rect[3]


def _overlap(one: Rect, two: Rect) -> bool:
    return min(one[2], two[2]) - max(one[0], two[0]) > _SNAP and min(one[3], two[3]) - max(one[1], two[1]) > _SNAP
