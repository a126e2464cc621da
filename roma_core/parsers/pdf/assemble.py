"""Pages to a document: each page in reading order, headings over all of them, spans by the builder.

PDF pages and pictures share this: what comes in are words and their places, wherever they were read from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from roma_core.parsers import tables
from roma_core.parsers.builder import DocumentBuilder, ListItem, clean
from roma_core.parsers.pdf.blocks import (
    Item,
    code_text,
    continues,
    join_lines,
    list_item,
    note_of,
    paragraphs,
    vocabulary,
)
from roma_core.parsers.pdf.check import MIN_PAIRS, squash
from roma_core.parsers.pdf.columns import Gutter, column_gutters, find_gutters, regions
from roma_core.parsers.pdf.furniture import remove_furniture
from roma_core.parsers.pdf.headings import Entry, body_size, mark_headings
from roma_core.parsers.pdf.layout import Line, rows_of, segments_of
from roma_core.parsers.pdf.leaders import leader_tables
from roma_core.parsers.pdf.page import PageContent, Rect, Style, Word
from roma_core.parsers.pdf.ruled import ruled_tables
from roma_core.parsers.pdf.stream import stream_joints, stream_regions
from roma_core.parsers.pdf.tables import TableRegion, text_lines
from roma_core.parsers.pdf.unruled import unruled_tables
from roma_core.parsers.tables import Grid
from roma_core.types import Box

_DOTS = re.compile(r"\s*(?:\.\s?){8,}\s*")
"""Dots that lead the eye to a page number; a reader of Markdown needs one sign."""

SURE_CONTINUITY = 0.97
"""A page that keeps this share of its sentences across lines is read right; else other orders are tried."""
DOUBTFUL_CONTINUITY = 0.9
"""A page that keeps less than this whatever is tried gets a warning."""
MIN_GAIN = 0.02
"""Another order must keep so much more of them."""
MIN_GAIN_FOR_TABLES = 0.3
"""Giving up the page's tables must."""
MAX_HEAD_ROWS = 4
FIGURE_SHARE = 0.015
"""Images below this share of the page are ornaments."""


def assemble(builder: DocumentBuilder, pages: Sequence[PageContent], outline: Sequence[Entry] = ()) -> list[Item]:
    """Add everything on ``pages`` to ``builder``; the blocks are returned for a look at the headings.

    Running headers and footers are left out and named in the loss ledger.
    """
    for row in remove_furniture(pages):
        builder.leave_out(row.text, "furniture", page=row.page)
    for page in pages:
        builder.leave_out(" ".join(page.hidden), "hidden", page=page.number)
    body, body_bold = body_size(pages)
    items = [item for page in pages for item in _page_items(page, body)]
    mark_headings(items, outline, body, body_bold)
    known = vocabulary([line for item in items for line in item.lines])
    _emit(builder, pages, items, known)
    return items


def _page_items(page: PageContent, body: float) -> list[Item]:
    """Return the blocks of a page in reading order.

    The page is cut into columns first. Where that tears sentences apart which the file draws together, it is read in
    the file's order instead, and, if that does not help, without the tables that only white space holds together.
    """
    layout = _layout(page)
    joints = page.joints = stream_joints([line for line in layout.segments if id(line) not in layout.obstacles])
    best: list[Item] = []
    best_continuity = -1.0
    for read, gain in ((_by_columns, 0.0), (_by_stream, MIN_GAIN), (_by_stream_without_tables, MIN_GAIN_FOR_TABLES)):
        items = read(page, layout)
        continuity = _continuity(items, joints)
        if continuity > best_continuity + gain:
            best, best_continuity = items, continuity
        if best_continuity >= SURE_CONTINUITY:
            break
    best += _stray_items(page, len(best))
    best += _note_items(page, best)
    return _footnotes_marked(best, page, body)


@dataclass(frozen=True)
class _Layout:
    """The pieces of a page before they have an order."""

    segments: list[Line]
    obstacles: dict[int, TableRegion | Rect]
    """Tables and figures by the ``id`` of the segment that stands for them."""
    gutters: list[Gutter]


def _layout(page: PageContent) -> _Layout:
    drawn = ruled_tables(page)
    taken = {id(w) for table in drawn for w in (*table.words, *table.turned)}
    page.strays = [w for w in page.strays if id(w) not in taken]
    free = [w for w in page.words if id(w) not in taken]
    figures = _figures(page)
    # A line across a gutter ends it: the columns above a table are none of the table's.
    across = [(rule.x0, rule.top, rule.x1, rule.bottom) for rule in page.rules if rule.horizontal]
    candidates = find_gutters(free, [*(table.rect for table in drawn), *figures, *across])

    def parted(left: Word, right: Word) -> bool:
        return any(gutter.parts(left, right) for gutter in candidates)

    segments = [s for row in rows_of(free) for s in segments_of(row, breaks=parted if candidates else None)]
    obstacles: dict[int, TableRegion | Rect] = {}
    lines = list(segments)
    for table in drawn:
        obstacles[id(_make_placeholder(segments, table.rect, min(w.order for w in table.words)))] = table
    for rect in figures:
        obstacles[id(_make_placeholder(segments, rect, _order_above(lines, rect)))] = rect
    return _Layout(segments, obstacles, column_gutters(candidates, segments))


def _by_columns(page: PageContent, layout: _Layout) -> list[Item]:
    return _read(page, layout, regions(layout.segments, layout.gutters))


def _by_stream(page: PageContent, layout: _Layout) -> list[Item]:
    return _read(page, layout, stream_regions(layout.segments))


def _by_stream_without_tables(page: PageContent, layout: _Layout) -> list[Item]:
    return _read(page, layout, stream_regions(layout.segments), with_tables=False)


def _read(page: PageContent, layout: _Layout, parts: list[list[Line]], *, with_tables: bool = True) -> list[Item]:
    items: list[Item] = []
    for number, part in enumerate(parts):
        items += _region_items(page, part, layout.obstacles, number, with_tables=with_tables)
    return items


def _continuity(items: Sequence[Item], joints: Sequence[str]) -> float:
    """Return the share of the joints that stand together in the items' text; 1 where there are too few to say."""
    if len(joints) < MIN_PAIRS:
        return 1.0
    text = squash("\n".join(_raw_text(item) for item in items))
    return sum(joint in text for joint in joints) / len(joints)


def _raw_text(item: Item) -> str:
    if item.kind == "table":
        return "\n".join(cell for row in item.grid for cell in row)
    return "\n".join(line.text for line in item.lines)


def _make_placeholder(segments: list[Line], rect: Rect, order: int) -> Line:
    """Append a line that stands for a table or a figure while the page is cut into regions."""
    style = Style(max(1.0, min(12.0, rect[3] - rect[1])))
    line = Line((Word("\ufffc" * 20, *rect, style, order=order),))
    segments.append(line)
    return line


def _order_above(lines: Sequence[Line], rect: Rect) -> int:
    """Return the place in the stream of the nearest line above a figure."""
    above = [line for line in lines if line.bottom <= rect[1] + 2 and line.x0 < rect[2] and line.x1 > rect[0]]
    nearest = max(above, key=lambda line: line.bottom, default=None)
    return nearest.order if nearest else -1


def _figures(page: PageContent) -> list[Rect]:
    width, height = page.frame
    found: list[Rect] = []
    for x0, y0, x1, y1 in page.images:
        share = max(0.0, x1 - x0) * max(0.0, y1 - y0) / (width * height)
        if FIGURE_SHARE <= share < 0.9:
            found.append((x0, y0, x1, y1))
    return found[:50]


def _region_items(
    page: PageContent,
    region: list[Line],
    obstacles: dict[int, TableRegion | Rect],
    number: int,
    *,
    with_tables: bool = True,
) -> list[Item]:
    lines = [line for line in region if id(line) not in obstacles]
    found = leader_tables(lines) if with_tables else []
    rest = text_lines(lines, found)
    unruled = unruled_tables(rest, page.rules) if with_tables else []
    if unruled:
        found += unruled
        rest = text_lines(lines, found)
    placed: list[Item] = [_table_item(page, table, number) for table in found]
    for line in region:
        thing = obstacles.get(id(line))
        if isinstance(thing, TableRegion):
            placed.append(_table_item(page, thing, number))
        elif thing is not None:
            placed.append(Item("figure", page.number, thing, region=number))
    items: list[Item] = []
    start = 0
    for item in sorted(placed, key=lambda i: i.rect[1]):
        above = [line for line in rest[start:] if line.top < item.rect[1]]
        items += [*paragraphs(above, page.number, number), item]
        start += len(above)
    return items + paragraphs(rest[start:], page.number, number)


def _table_item(page: PageContent, table: TableRegion, region: int) -> Item:
    return Item("table", page.number, table.rect, [Line(table.words)], table.grid, region=region)


def _stray_items(page: PageContent, number: int) -> list[Item]:
    """Text at another angle (axis labels, stamps), after the rest of its page.

    Words on a slope share no height: those of one angle are one line, in the order in which the file draws them.
    """
    lines = [s for row in rows_of(w for w in page.strays if w.style.turn % 90 == 0) for s in segments_of(row, 3.0)]
    slopes: dict[int, list[Word]] = {}
    for word in page.strays:
        if word.style.turn % 90:
            slopes.setdefault(word.style.turn, []).append(word)
    flows = [lines, *([Line(tuple(words))] for words in slopes.values())]
    return [item for flow in flows for item in paragraphs(flow, page.number, number + 1)]


def _note_items(page: PageContent, items: Sequence[Item]) -> list[Item]:
    """Return the remarks on a page whose words its text does not have already."""
    if not page.notes:
        return []
    known = squash("\n".join(_raw_text(item) for item in items))
    width, height = page.frame
    rect = (0.0, height, width, height)
    return [Item("comment", page.number, rect, note=note) for note in page.notes if squash(note[1]) not in known]


def _footnotes_marked(items: list[Item], page: PageContent, body: float) -> list[Item]:
    """Small print with a mark in front, in the lower half and below all that is set in body size, is a footnote."""
    height = page.frame[1]
    text_end = max((i.rect[3] for i in items if i.kind == "paragraph" and i.size > 0.93 * body), default=0.0)
    for item in items:
        small = item.kind in {"paragraph", "list"} and bool(item.lines) and item.size <= 0.93 * body
        if small and item.rect[1] > max(0.5 * height, text_end - item.size) and note_of(item.text):
            item.kind = "footnote"
    return items


Flow = list[Item]
"""Items that become one block: a list's items, or the parts of a paragraph that a column or a page breaks."""


def _flows(items: Sequence[Item]) -> list[Flow]:
    flows: list[Flow] = []
    for item in items:
        last = flows[-1][-1] if flows else None
        if last is not None and (continues(last, item) or _one_block(last, item) or _same_table(last, item)):
            flows[-1].append(item)
        else:
            flows.append([item])
    return flows


def _one_block(one: Item, two: Item) -> bool:
    together = (one.kind, one.page, one.region) == (two.kind, two.page, two.region)
    return together and one.kind in {"list", "code"}


def _same_table(one: Item, two: Item) -> bool:
    """Return whether a table at the top of a page goes on with the one at the end of the page before.

    It has the same columns in the same place, and either the same head or none: a new head in bold begins a new table.
    """
    if not (one.kind == two.kind == "table" and two.page == one.page + 1 and len(one.grid[0]) == len(two.grid[0])):
        return False
    width = one.rect[2] - one.rect[0]
    if max(abs(one.rect[0] - two.rect[0]), abs(one.rect[2] - two.rect[2])) > 0.03 * width:
        return False
    return _repeated_rows(one.grid, two.grid) > 0 or not (_has_bold_head(one) and _has_bold_head(two))


def _repeated_rows(one: Grid, two: Grid) -> int:
    """Return how many rows at the head of a table are repeated at the head of its next part."""
    count = 0
    for head, again in zip(one[:MAX_HEAD_ROWS], two[:-1], strict=False):
        if head != again:
            break
        count += 1
    return count


def _has_bold_head(item: Item) -> bool:
    first = item.lines[0].words[0]
    head = [word for word in item.lines[0].words if word.top <= first.bottom]
    return all(word.style.bold for word in head)


def _emit(builder: DocumentBuilder, pages: Sequence[PageContent], items: Sequence[Item], known: set[str]) -> None:
    by_number = {page.number: page for page in pages}
    waiting = list(pages)
    figures: Counter[int] = Counter()
    for flow in _flows(items):
        _open_pages(builder, waiting, flow[0].page)
        page = by_number[flow[0].page]
        figures[page.number] += flow[0].kind == "figure"
        if flow[0].kind == "paragraph":
            _emit_paragraph(builder, page, flow, waiting, known)
        elif flow[0].kind == "table":
            _emit_table(builder, page, flow, waiting)
        else:
            _emit_block(builder, page, flow, figures[page.number], known)
    _open_pages(builder, waiting, pages[-1].number)


def _open_pages(builder: DocumentBuilder, waiting: list[PageContent], number: int, at: int | None = None) -> None:
    """Open the pages up to ``number`` (those in between are blank)."""
    while waiting and waiting[0].number <= number:
        page = waiting.pop(0)
        facts = {"label": page.label, "width": round(page.width, 2), "height": round(page.height, 2)}
        builder.page(page.number, at, **facts, ocr_confidence=_confidence(page))


def _confidence(page: PageContent) -> float | None:
    values = [w.confidence for w in page.words if w.confidence is not None]
    return round(sum(values) / len(values), 3) if values else None


def _emit_paragraph(
    builder: DocumentBuilder, page: PageContent, flow: Flow, waiting: list[PageContent], known: set[str]
) -> None:
    """One paragraph; a page that begins inside of it begins at its first word there."""
    lines = [line for item in flow for line in item.lines]
    text = _join_lines(lines, known)
    block = builder.paragraph(text, box=page.box(flow[0].rect), confidence=flow[0].confidence)
    count = 0
    for one, two in pairwise(flow):
        count += len(one.lines)
        if block is not None and two.page != one.page:
            before = _join_lines(lines[:count], known)
            shared = len(before) - (not text.startswith(before))  # a hyphen at the page's end may be gone
            rest = clean(text[shared:]).lstrip()
            _open_pages(builder, waiting, two.page, at=block.end - len(rest))


def _emit_table(builder: DocumentBuilder, page: PageContent, flow: Flow, waiting: list[PageContent]) -> None:
    """Add one table; a page that begins inside of it begins at its first row there. Heads that repeat stand once."""
    parts = [flow[0].grid]
    for part in flow[1:]:
        repeated = _repeated_rows(flow[0].grid, part.grid)
        parts.append(part.grid[repeated:])
        for row in part.grid[:repeated]:
            builder.leave_out(" | ".join(row), "furniture", page=part.page)
    block = builder.table([row for part in parts for row in part], box=page.box(flow[0].rect))
    for n in range(1, len(flow)):
        rest = [[clean(text) for text in row] for part in parts[n:] for row in part]
        lines = tables.to_markdown([flow[0].grid[0], *rest]).split("\n")[2:]
        if block is not None and lines:
            _open_pages(builder, waiting, flow[n].page, at=block.end - len("\n".join(lines)))


def _join_lines(lines: Sequence[Line], known: set[str]) -> str:
    text = join_lines([line.text for line in lines], [line.hyphenated for line in lines], known)
    return _DOTS.sub(" … ", text)


def _emit_block(builder: DocumentBuilder, page: PageContent, flow: Flow, figure: int, known: set[str]) -> None:
    item = flow[0]
    box = page.box(_hull(flow))
    if item.note is not None:
        author, words = item.note
        builder.comment(author or None, words)
    elif item.kind == "figure":
        builder.figure("", f"page-{page.number}-figure-{figure}", box=box)
    elif item.kind == "code":
        builder.code("\n\n".join(code_text(part.lines) for part in flow), box=box)
    elif item.kind == "list":
        left = min(part.rect[0] for part in flow)
        listed: list[ListItem] = [list_item(part, left, known) for part in flow]
        builder.list(listed, box=box, confidence=item.confidence)
    else:
        _emit_text(builder, item, box, _join_lines(item.lines, known))


def _emit_text(builder: DocumentBuilder, item: Item, box: Box, text: str) -> None:
    note = note_of(text) if item.kind == "footnote" else None
    if item.kind == "heading":
        builder.heading(text, item.level, box=box, confidence=item.confidence)
    elif note:
        builder.footnote(*note, box=box)
    else:
        builder.paragraph(
            text, "caption" if item.kind == "caption" else "footnote", box=box, confidence=item.confidence
        )


def _hull(items: Sequence[Item]) -> Rect:
    rects = [i.rect for i in items]
    return min(r[0] for r in rects), min(r[1] for r in rects), max(r[2] for r in rects), max(r[3] for r in rects)
