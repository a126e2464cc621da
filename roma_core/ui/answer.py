"""One answer on the screen: its words with badges, its sources, its follow-ups, and what went wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import panel as pn
import panel_material_ui as pmui
import param

from roma_core.errors import AgentFailure
from roma_core.types import Citation, Document, StageEvent, TailorOutput
from roma_core.ui.pages import SHEET_STYLE, Area, sheet
from roma_core.ui.render import highlighted, to_html

Read = Callable[[str], Awaitable[Document | AgentFailure]]
"""Document id to document: where the cited words are shown in their surroundings."""
Draw = Callable[[Document, int], Awaitable[bytes | AgentFailure]]
"""Document and page number to a PNG of that page of its source."""
SNIPPET = 64
"""Characters of the quote in the title of its card: two cards may cite the same page."""
AROUND = 250
"""Characters shown before and after the cited words."""
CITED = "#f59e0b"

VERDICTS: dict[str, tuple[str, str]] = {
    "verbatim": ("success", "word for word"),
    "supported": ("success", "supported"),
    "partial": ("warning", "partly supported"),
    "unsupported": ("error", "not supported"),
    "unverified": ("default", "not verified"),
}
STAGES: dict[str, str] = {
    "guarded": "Question checked",
    "planned": "Planned",
    "retrieved": "Passages found",
    "reranked": "Passages ranked",
    "writing": "Writing",
    "verifying": "Checking citations",
}
STYLE = """
:host { font: inherit; line-height: 1.55; overflow-wrap: anywhere; }
.roma-badge { display: inline-block; min-width: 1.2em; padding: 0 .35em; margin: 0 .1em; border-radius: .7em;
  background: #1d4ed8; color: #fff !important; font-size: 78%; line-height: 1.5; text-align: center;
  text-decoration: none; vertical-align: text-top; cursor: pointer; }
.roma-badge:focus-visible, .roma-badge:hover { outline: 2px solid #93c5fd; }
.roma-host { color: #64748b; font-size: 85%; }
table { border-collapse: collapse; } td, th { border: 1px solid #8884; padding: .15em .5em; text-align: left; }
pre { overflow-x: auto; padding: .6em; background: #8881; border-radius: 4px; }
mark { background: #fde68a; color: inherit; padding: .05em 0; }
blockquote { border-left: 3px solid #8886; margin-left: 0; padding-left: .8em; }
.roma-source { white-space: pre-wrap; font-size: 90%; }
.roma-sheet { max-width: 44rem; margin: .6rem 0; }
.roma-sheet .area::before { opacity: .25; }
"""


class AnswerText(pn.custom.JSComponent):  # type: ignore[misc]
    """HTML that ROMA rendered itself; a click on a badge reports its marker in ``picked``."""

    html = param.String(default="")
    picked = param.Integer(default=0)

    _stylesheets = (STYLE,)
    _esm = """
    export function render({ model }) {
      const box = document.createElement("div");
      box.setAttribute("aria-live", "polite");
      const draw = () => { box.innerHTML = model.html; };
      model.on("html", draw);
      draw();
      box.addEventListener("click", (event) => {
        const badge = event.target.closest(".roma-badge");
        if (!badge) return;
        event.preventDefault();
        model.picked = 0;
        model.picked = Number(badge.textContent);
      });
      return box;
    }
    """


def safe_pane(text: str, *, small: bool = False) -> pn.pane.HTML:
    """Text of any origin as a pane: Panel's text panes (``Str`` too) show HTML that is in it."""
    html = to_html(text)
    return pn.pane.HTML(f"<small>{html}</small>" if small else html, stylesheets=[STYLE], margin=(0, 10))


def source_address(citation: Citation) -> str:
    """Where the API serves the document with the cited span."""
    return f"/sources/{quote(citation.document_id)}?start={citation.start}&end={citation.end}"


def with_badges(output: TailorOutput) -> str:
    """Safe HTML of the answer, its markers as badges."""
    return to_html(output.answer, {c.marker: source_address(c) for c in output.citations})


def source_html(citation: Citation, document: Document | AgentFailure) -> str:
    """The cited words, marked, in their surroundings; or why they cannot be shown."""
    if isinstance(document, AgentFailure):
        body = f"<p>{escape(document.message)}</p>"
    elif document.text[citation.start : citation.end] != citation.quote:
        quoted = f"<blockquote>{escape(citation.quote)}</blockquote>"
        body = f"<p>The document has changed since; the answer quoted:</p>{quoted}"
    else:
        body = highlighted(document.text, citation.start, citation.end, AROUND)
    where = f"{citation.uri} · characters {citation.start}–{citation.end}"
    return f'<div class="roma-source">{body}</div><p><small>{escape(where)}</small></p>'


def cited_areas(citation: Citation, document: Document) -> tuple[int, list[Area]] | None:
    """The page where the cited words begin, and the boxes of the blocks there that hold them; None without geometry."""
    held = [
        block
        for block in document.blocks
        if block.box and block.page and block.start < citation.end and citation.start < block.end
    ]
    if not held or document.text[citation.start : citation.end] != citation.quote:
        return None
    page = held[0].page or 1
    return page, [Area(b.box, CITED, f"cited {b.kind}") for b in held if b.box and b.page == page]


async def cited_page(citation: Citation, document: Document, draw: Draw) -> str:
    """The page of a PDF or a picture with the cited blocks marked; why not, when it cannot be drawn any more."""
    place = cited_areas(citation, document)
    if place is None:
        return ""
    number, areas = place
    png = await draw(document, number)
    if isinstance(png, AgentFailure):
        return f"<p><small>Page {number} cannot be shown: {escape(png.message)}</small></p>"
    return sheet(png, areas, f"Page {number}; the cited part is marked")


def source_list(citations: Sequence[Citation], read: Read, draw: Draw) -> pmui.Accordion:
    """One card a citation, filled when it is first opened: the words at once, then the page that they are on."""
    panes = [pn.pane.HTML("", stylesheets=[SHEET_STYLE, STYLE], sizing_mode="stretch_width") for _ in citations]
    cards = pmui.Accordion(
        *((source_title(c), pane) for c, pane in zip(citations, panes, strict=True)),
        active=[],
        sizing_mode="stretch_width",
        title_variant="body2",
    )

    async def fill(event: Any) -> None:
        for index in event.new or ():
            if not panes[index].object:
                citation = citations[index]
                document = await read(citation.document_id)
                panes[index].object = source_html(citation, document)
                if isinstance(document, Document):
                    panes[index].object += await cited_page(citation, document, draw)

    cards.param.watch(fill, "active")
    return cards


def source_title(citation: Citation) -> str:
    """Escaped: the accordion shows titles as HTML, and documents choose their titles."""
    place = f", {citation.place}" if citation.place else ""
    quoted = textwrap.shorten(citation.quote, SNIPPET, placeholder=" …")
    return escape(f"[{citation.marker}] {citation.title}{place} — {VERDICTS[citation.verdict][1]}: “{quoted}”")


def stage_words(event: StageEvent) -> str:
    """``Passages found (20) · 35 ms``."""
    count = next((v for v in event.detail.values() if isinstance(v, int) and not isinstance(v, bool)), None)
    return f"{STAGES[event.stage]}{f' ({count})' if count is not None else ''} · {event.elapsed_ms:.0f} ms"


def failure_alert(failure: AgentFailure, retry: Callable[[], None] | None = None) -> pn.Column:
    """What went wrong and what to do; a recoverable failure offers to try again."""
    wait = f" Wait {failure.retry_after_s:.0f} s first." if failure.retry_after_s else ""
    alert = pmui.Alert(
        safe_pane(f"{failure.message}{wait}"),
        title=f"{'That did not work this time' if failure.recoverable else 'That cannot work'} ({failure.code})",
        severity="warning" if failure.recoverable else "error",
        sizing_mode="stretch_width",
    )
    if not failure.recoverable or retry is None:
        return pn.Column(alert, sizing_mode="stretch_width")
    button = pmui.Button(label="Try again", variant="outlined", size="small")
    button.on_click(lambda _: retry())
    return pn.Column(alert, button, sizing_mode="stretch_width")


def footnote(output: TailorOutput) -> str:
    """Who wrote the answer, at what price, and what was missing, as safe HTML."""
    parts = [
        "quoted word for word, no language model was used"
        if output.model == "extractive"
        else f"written by {output.model or 'unknown'}"
    ]
    if output.usage.input_tokens or output.usage.output_tokens:
        cost = "price unknown" if output.usage.cost_usd is None else f"${output.usage.cost_usd:.4f}"
        parts.append(f"{output.usage.input_tokens} + {output.usage.output_tokens} tokens, {cost}")
    parts += [f"degraded: {reason}" for reason in output.degraded_reasons]
    return f"<small>{escape(' · '.join(parts))}</small>"
