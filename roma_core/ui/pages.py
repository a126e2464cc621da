"""Page beside its Markdown: the picture with a numbered box for each block, the blocks with the same numbers.

Pure functions. Nothing of a document gets through as HTML: its words are escaped, or rendered by ``render.to_html``.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from roma_core.display import Html
from roma_core.types import Block, Box, Document, Page
from roma_core.ui.render import to_html

MAX_BLOCKS = 400
"""Blocks of one view: a sheet or a book without pages has thousands."""
MAX_CHARS = 6000
"""Characters of one block that are shown."""
COLOURS: dict[str, str] = {
    "heading": "#dc2626",
    "paragraph": "#2563eb",
    "list": "#0891b2",
    "table": "#15803d",
    "figure": "#c026d3",
    "caption": "#9333ea",
    "code": "#475569",
    "quote": "#64748b",
    "footnote": "#b45309",
    "comment": "#ca8a04",
    "notes": "#0d9488",
}
SHEET_STYLE = """
.roma-sheet { position: relative; border: 1px solid #8886; line-height: 0; background: #fff; }
.roma-sheet img { width: 100%; height: auto; display: block; }
.roma-sheet .area { position: absolute; box-sizing: border-box; border: 1.5px solid var(--kind); border-radius: 2px; }
.roma-sheet .area::before { content: ""; position: absolute; inset: 0; background: var(--kind); opacity: .08; }
.roma-sheet .area b { position: absolute; right: 100%; top: -1px; margin-right: 2px; line-height: 1.25; }
"""
STYLE = (
    SHEET_STYLE
    + """
.roma-pages { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start;
  font: 14px/1.45 system-ui, sans-serif; }
.roma-pages > * { flex: 1 1 22rem; min-width: 0; }
.roma-pages .legend { flex: 1 1 100%; display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
.roma-pages .legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em;
  background: var(--kind); }
.roma-pages b.number { background: var(--kind); color: #fff; border-radius: 3px; padding: 0 .35em;
  font: 600 11px/1.45 system-ui, sans-serif; }
.roma-blocks { max-height: 62rem; overflow: auto; }
.roma-blocks .block { border-left: 3px solid var(--kind); padding: .1rem 0 .1rem .6rem; margin: 0 0 .6rem; }
.roma-blocks .block small { color: #64748b; }
.roma-blocks pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; margin: .15rem 0 0;
  padding: 0; border: 0; background: none; font: 12.5px/1.45 ui-monospace, monospace; }
.roma-blocks table { border-collapse: collapse; }
.roma-blocks td, .roma-blocks th { border: 1px solid #8886; padding: .1em .5em; }
"""
)


class Mark(NamedTuple):
    """A block of a view: its number, its text from the page's start on, and whether it began before."""

    number: int
    block: Block
    text: str
    continued: bool


class Area(NamedTuple):
    """A rectangle on a page's picture, as fractions of it; ``number`` stands beside it."""

    box: Box
    colour: str
    title: str = ""
    number: int | None = None


def number_blocks(document: Document, page: Page | None = None) -> list[Mark]:
    """Return the numbered blocks with text on ``page`` (None: of the whole document), in reading order."""
    start = page.start if page else 0
    on_it = (b for b in document.blocks if page is None or b.overlaps(page))
    return [
        Mark(number, block, document.text[max(start, block.start) : block.end], block.start < start)
        for number, block in enumerate(on_it, 1)
    ]


def render_sheet(png: bytes, areas: Iterable[Area], description: str) -> Html:
    """Return the picture of a page with ``areas`` over it, as HTML."""
    drawn = "".join(map(_area, areas))
    source = base64.b64encode(png).decode()
    return Html(
        f'<div class="roma-sheet" role="img" aria-label="{escape(description)}">'
        f'<img alt="" src="data:image/png;base64,{source}">{drawn}</div>'
    )


def render_page(
    document: Document, page: int | None = None, png: bytes | None = None, *, rendered: bool = False
) -> Html:
    """Return the blocks of a page (by number; None: of the whole document), beside its picture when there is one.

    ``rendered`` shows rendered Markdown instead of its source.
    """
    place = next((p for p in document.pages if p.number == page), None)
    all_marks = number_blocks(document, place)
    shown = all_marks[:MAX_BLOCKS]
    parts = [_legend(shown)]
    if png is not None:
        areas = [
            Area(m.block.box, COLOURS[m.block.kind], f"{m.number} · {m.block.kind}", m.number)
            for m in shown
            if m.block.box and m.block.page == page
        ]
        parts.append(render_sheet(png, areas, f"Page {page} with {len(areas)} numbered blocks"))
    if not document.blocks:
        parts.append(f'<div class="roma-blocks"><pre>{escape(document.text[:MAX_CHARS])}</pre></div>')
    else:
        left = len(all_marks) - len(shown)
        more = f"<p><small>{left} more blocks are not shown.</small></p>" if left else ""
        parts.append(f'<div class="roma-blocks">{"".join(_card(m, rendered) for m in shown)}{more}</div>')
    return Html(f'<style>{STYLE}{_hover(len(shown))}</style><div class="roma-pages">{"".join(parts)}</div>')


def _area(area: Area) -> str:
    left, top, right, bottom = (min(1.0, max(0.0, edge)) * 100 for edge in area.box)
    place = f"left:{left:.2f}%;top:{top:.2f}%;width:{max(0, right - left):.2f}%;height:{max(0, bottom - top):.2f}%"
    number = f'<b class="number">{area.number}</b>' if area.number else ""
    return (
        f'<span class="area" data-n="{area.number or ""}" title="{escape(area.title)}" '
        f'style="--kind:{area.colour};{place}">{number}</span>'
    )


def _legend(shown: Sequence[Mark]) -> str:
    counts = Counter(m.block.kind for m in shown)
    items = "".join(f'<span style="--kind:{COLOURS[k]}"><i></i>{counts[k]} {k}</span>' for k in COLOURS if k in counts)  # type: ignore[index]
    return f'<div class="legend">{items}</div>'


def _card(mark: Mark, rendered: bool) -> str:
    block, text = mark.block, mark.text[:MAX_CHARS]
    cut = f"\n… {len(mark.text) - MAX_CHARS} more characters" if len(mark.text) > MAX_CHARS else ""
    body = to_html(text + cut) if rendered else f"<pre>{escape(text + cut)}</pre>"
    return (
        f'<div class="block" data-n="{mark.number}" style="--kind:{COLOURS[block.kind]}">'
        f'<b class="number">{mark.number}</b> <small>{" · ".join(_facts(mark))}</small>{body}</div>'
    )


def _facts(mark: Mark) -> list[str]:
    block = mark.block
    level = f" {block.level}" if block.level else ""
    return [
        f"{block.kind}{level}",
        f"{block.start}–{block.end}",
        *(["continued"] if mark.continued else []),
        *([f"row {block.row}"] if block.row is not None else []),
        *([f"OCR {block.confidence:.0%}"] if block.confidence is not None else []),
    ]


def _hover(count: int) -> str:
    """Return the style that highlights a block and its box together, without a script."""
    both = ",\n".join(f'.roma-pages:has([data-n="{n}"]:hover) [data-n="{n}"]' for n in range(1, count + 1))
    return f"{both} {{ box-shadow: 0 0 0 2px var(--kind); }}" if both else ""
