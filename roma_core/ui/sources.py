"""Sources of one answer: a card for each cited span, with the words in their surroundings and their page."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Iterable, Sequence
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from roma_core.errors import AgentFailure
from roma_core.types import VERDICT_WORDS, Citation, Document
from roma_core.ui.answer import STYLE as TEXT_STYLE
from roma_core.ui.pages import SHEET_STYLE, Area, render_sheet
from roma_core.ui.render import highlight_span

Read = Callable[[str], Awaitable[Document | AgentFailure]]
"""Document id to document: where the cited words are shown in their surroundings."""
Draw = Callable[[Document, int], Awaitable[bytes | AgentFailure]]
"""Document and page number to a PNG of that page of its source."""
SNIPPET = 64
"""Characters of the quote in the title of its card: two cards may cite the same page."""
AROUND = 250
"""Characters shown before and after the cited words."""
CITED = "#f59e0b"
STYLE = (
    SHEET_STYLE
    + TEXT_STYLE
    + """
.roma-source { white-space: pre-wrap; font-size: 90%; }
.roma-where { opacity: .7; }
.roma-sheet { max-width: 44rem; margin: .6rem 0; }
.roma-sheet .area::before { opacity: .25; }
"""
)


class SourceCardBody(pn.custom.JSComponent):  # type: ignore[misc]
    """Body of a card; each time ``asked`` grows, its marked words are brought into view."""

    html = param.String(default="")
    asked = param.Integer(default=0)

    _stylesheets = (STYLE,)
    _esm = """
    export function render({ model }) {
      const box = document.createElement("div");
      const reveal = () => {
        if (!model.asked || !model.html) return;
        const marked = box.querySelector("mark") || box;
        const show = () => marked.scrollIntoView({ block: "center", behavior: "smooth" });
        setTimeout(show, 400);  // the card unfolds first
      };
      const draw = () => { box.innerHTML = model.html; reveal(); };
      model.on("html", draw);
      model.on("asked", reveal);
      draw();
      return box;
    }
    """


class Sources:
    """Cards of the cited spans, in ``view``. A card is filled when it is first opened: its words, then their page."""

    def __init__(self, citations: Iterable[Citation], read: Read, draw: Draw) -> None:
        self._groups = group_citations(citations)
        self._read, self._draw = read, draw
        self._passages = [SourceCardBody(sizing_mode="stretch_width", margin=(0, 8)) for _ in self._groups]
        self.view = pmui.Accordion(
            *((make_source_title(group), passage) for group, passage in zip(self._groups, self._passages, strict=True)),
            active=[],
            disable_gutters=True,
            elevation=0,
            variant="outlined",
            margin=0,
            sizing_mode="stretch_width",
            title_variant="body2",
        )
        self.view.param.watch(self._fill, "active")

    def open(self, marker: int) -> None:
        """Open the cards of ``marker`` and bring the first one into view; the others stay as they are."""
        wanted = [i for i, group in enumerate(self._groups) if group[0].marker == marker]
        for index in wanted[:1]:
            self._passages[index].asked += 1
        self.view.active = sorted({*self.view.active, *wanted})

    async def _fill(self, event: Any) -> None:
        for index in event.new or ():
            passage, citation = self._passages[index], self._groups[index][0]
            if not passage.html:
                document = await self._read(citation.document_id)
                passage.html = render_source(citation, document)
                if isinstance(document, Document):
                    passage.html += await render_cited_page(citation, document, self._draw)


def group_citations(citations: Iterable[Citation]) -> list[list[Citation]]:
    """Group the citations by marker and span: an answer has one for each statement, often of the same span."""
    groups: dict[tuple[int, str, int, int], list[Citation]] = {}
    for citation in citations:
        key = (citation.marker, citation.document_id, citation.start, citation.end)
        groups.setdefault(key, []).append(citation)
    return list(groups.values())


def make_source_title(group: Sequence[Citation]) -> str:
    """Return the title of a card, escaped: the accordion shows titles as HTML, and documents choose their titles."""
    citation, verdicts = group[0], {c.verdict for c in group}
    place = f", {citation.place}" if citation.place else ""
    found = ", ".join(words for verdict, words in VERDICT_WORDS.items() if verdict in verdicts)
    quoted = textwrap.shorten(citation.quote, SNIPPET, placeholder=" …")
    return escape(f"[{citation.marker}] {citation.title}{place} — {found}{f': “{quoted}”' if quoted else ''}")


def render_source(citation: Citation, document: Document | AgentFailure) -> str:
    """Return the cited words, marked, in their surroundings, or the reason why they cannot be shown."""
    if isinstance(document, AgentFailure):
        body = f"<p>{escape(document.message)}</p>"
    elif document.text[citation.start : citation.end] != citation.quote:
        quoted = f"<blockquote>{escape(citation.quote)}</blockquote>"
        body = f"<p>The document has changed since; the answer quoted:</p>{quoted}"
    else:
        body = highlight_span(document.text, citation.start, citation.end, AROUND)
    where = f"{citation.uri} · characters {citation.start}–{citation.end}"
    return f'<div class="roma-source">{body}</div><p class="roma-where"><small>{escape(where)}</small></p>'


def find_cited_areas(citation: Citation, document: Document) -> tuple[int, list[Area]] | None:
    """Return the page where the cited words begin and the boxes of its cited blocks; None without geometry."""
    held = [
        block
        for block in document.blocks
        if block.box and block.page and block.start < citation.end and citation.start < block.end
    ]
    if not held or document.text[citation.start : citation.end] != citation.quote:
        return None
    page = held[0].page or 1
    return page, [Area(b.box, CITED, f"cited {b.kind}") for b in held if b.box and b.page == page]


async def render_cited_page(citation: Citation, document: Document, draw: Draw) -> str:
    """Return the page of a PDF or a picture with the cited blocks marked, or the reason why it cannot be drawn."""
    place = find_cited_areas(citation, document)
    if place is None:
        return ""
    number, areas = place
    png = await draw(document, number)
    if isinstance(png, AgentFailure):
        return f"<p><small>Page {number} cannot be shown: {escape(png.message)}</small></p>"
    return render_sheet(png, areas, f"Page {number}; the cited part is marked")
