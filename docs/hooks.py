"""What the site of the documentation does to a page: links out of ``docs`` become names of files, flowcharts pictures.

The same pages are read in the repository, where those links lead somewhere and Mermaid draws the flowcharts. In a
browser Mermaid is a program of megabytes that the theme would fetch from another site, so they are drawn here.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

LINK = re.compile(r"\[([^\]\n]+)\]\((\.\.?/[^)\s]+)\)")
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = r"(\w+)(?:\(\[([^\]]*)\]\)|\[\"([^\"]*)\"\])?"
EDGE = re.compile(r"\s*(-\.\s*(.*?)\s*\.->|--\s+(.*?)\s+-->|-->)\s*")
BREAK = re.compile(r"<br\s*/?>")
BOX_PX, LINE_PX, ROW_GAP_PX, ARC_PX = 300, 18, 22, 34
"""Width of a box, height of a line of text in it, gap between boxes, and how far an arc reaches out of them."""
MARGIN_PX, LABEL_PX = 4, 130


@dataclass(frozen=True)
class Edge:
    """An arrow from one box to another."""

    start: str
    end: str
    label: str = ""
    is_dotted: bool = False


@dataclass
class Flowchart:
    """Boxes by their names, in the order in which they are met, and the arrows between them."""

    labels: dict[str, str] = field(default_factory=dict)
    round_names: set[str] = field(default_factory=set)
    edges: list[Edge] = field(default_factory=list)

    def add_node(self, text: str) -> str:
        """Add a box if it is new, and return its name. Raises ``ValueError`` for what is none."""
        match = re.fullmatch(NODE, text.strip())
        if match is None:
            raise ValueError(f"A flowchart of the documentation cannot be drawn: {text!r}.")
        name, round_label, label = match.groups()
        if round_label is not None:
            self.round_names.add(name)
        shown = label if label is not None else round_label
        if shown is not None or name not in self.labels:
            self.labels[name] = shown if shown is not None else name
        return name

    def list_rows(self) -> list[str]:
        """Return the names from top to bottom: each below all that lead to it, arrows back aside."""
        rows = dict.fromkeys(self.labels, 0)
        forward = [edge for edge in self.edges if not edge.is_dotted]
        for _ in self.labels:
            for edge in forward:
                rows[edge.end] = max(rows[edge.end], rows[edge.start] + 1)
        order = list(self.labels)
        return sorted(order, key=lambda name: (rows[name], order.index(name)))


def read_flowchart(text: str) -> Flowchart:
    """Return the boxes and arrows of a Mermaid flowchart. Raises ``ValueError`` for what is not known here."""
    first, *lines = text.strip().splitlines()
    if not first.startswith("flowchart "):
        raise ValueError(f"Only flowcharts can be drawn in the documentation, not {first!r}.")
    chart = Flowchart()
    for line in lines:
        parts = EDGE.split(line)
        names = [chart.add_node(part) for part in parts[::4]]
        for number, (start, end) in enumerate(itertools.pairwise(names)):
            arrow, dotted, label = parts[4 * number + 1 : 4 * number + 4]
            chart.edges.append(Edge(start, end, dotted or label or "", arrow.startswith("-.")))
    return chart


def draw_flowchart(chart: Flowchart) -> str:
    """Return a flowchart as SVG: one box a row, other arrows as arcs beside them.

    >>> "<svg" in draw_flowchart(read_flowchart("flowchart TD\\n    a --> b"))
    True
    """
    names = chart.list_rows()
    tops: dict[str, int] = {}
    heights: dict[str, int] = {}
    bottom = MARGIN_PX
    for name in names:
        tops[name], heights[name] = bottom, LINE_PX * (len(BREAK.split(chart.labels[name])) + 1)
        bottom += heights[name] + ROW_GAP_PX
    parts = [_draw_box(name, chart, tops[name], heights[name]) for name in names]
    arcs: list[Edge] = []
    for edge in chart.edges:
        if names.index(edge.end) == names.index(edge.start) + 1 and not edge.label:
            start, end = tops[edge.start] + heights[edge.start], tops[edge.end]
            parts.append(_draw_path(f"M{BOX_PX // 2} {start}V{end - 2}", edge))
        else:
            arcs.append(edge)
    reach = BOX_PX + ARC_PX * len(arcs)
    for number, edge in enumerate(arcs, start=1):
        start, end = (tops[name] + heights[name] // 2 for name in (edge.start, edge.end))
        parts.append(_draw_path(f"M{BOX_PX} {start}H{BOX_PX + ARC_PX * number}V{end}H{BOX_PX + 3}", edge))
        parts.append(_draw_text(reach + 6, start + 4, edge.label, "start"))
    width, height = reach + LABEL_PX + MARGIN_PX, bottom - ROW_GAP_PX + MARGIN_PX
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>'
    )
    words = ", ".join(BREAK.sub(" ", chart.labels[name]) for name in names)
    return (
        f'<div class="flowchart"><svg role="img" aria-label="Flowchart: {escape(words)}" width="{width}" '
        f'height="{height}" viewBox="-{MARGIN_PX} 0 {width} {height}" style="max-width:100%;height:auto">'
        f"{marker}{''.join(parts)}</svg></div>"
    )


def _draw_box(name: str, chart: Flowchart, top: int, height: int) -> str:
    radius = height // 2 if name in chart.round_names else 4
    box = (
        f'<rect x="0" y="{top}" width="{BOX_PX}" height="{height}" rx="{radius}" fill="none" stroke="currentColor" '
        'stroke-opacity=".5"/>'
    )
    lines = BREAK.split(chart.labels[name])
    texts = [
        _draw_text(BOX_PX // 2, top + LINE_PX * (number + 1) + 4, line, "middle", is_faint=number > 0)
        for number, line in enumerate(lines)
    ]
    return box + "".join(texts)


def _draw_path(path: str, edge: Edge) -> str:
    dashes = ' stroke-dasharray="4 4"' if edge.is_dotted else ""
    return f'<path d="{path}" fill="none" stroke="currentColor"{dashes} marker-end="url(#tip)"/>'


def _draw_text(x: int, y: int, text: str, anchor: str, *, is_faint: bool = False) -> str:
    opacity = ' fill-opacity=".65"' if is_faint else ""
    place = f'x="{x}" y="{y}" text-anchor="{anchor}"'
    return f'<text {place} font-size="13" fill="currentColor"{opacity}>{escape(text)}</text>'


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page with its flowcharts drawn, and without links that leave the folder of the documentation."""
    folder = posixpath.dirname(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        target = match[2].partition("#")[0]
        place = posixpath.normpath(posixpath.join("docs", folder, target))
        return match[0] if place.startswith("docs/") else f"{match[1]} (`{place}`)"

    drawn = FENCE.sub(lambda match: draw_flowchart(read_flowchart(match[1])), markdown)
    return LINK.sub(replace, drawn)
