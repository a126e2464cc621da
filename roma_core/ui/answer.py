"""Parts of one answer on the screen: text with badges, work in progress, failures and the footnote."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import quote

import panel as pn
import panel_material_ui as pmui
import param

from roma_core.errors import AgentFailure
from roma_core.types import Citation, StageEvent, TailorOutput
from roma_core.ui.render import Badge, to_html

FALLBACK = "llm: fallback"
PLAIN = ["roma-pane"]
"""A pane with a class of its own gets no padding from the chat."""
STYLE = """
:host { font: inherit; line-height: 1.55; overflow-wrap: anywhere; }
.roma-badge { display: inline-block; min-width: 1.2em; padding: 0 .35em; margin: 0 .1em; border-radius: .7em;
  background: #1d4ed8; color: #fff !important; font-size: 78%; line-height: 1.5; text-align: center;
  text-decoration: none; vertical-align: text-top; cursor: pointer; }
.roma-badge[data-verdict="partial"] { background: #b45309; border-radius: .7em .7em .7em 0; }
.roma-badge[data-verdict="partial"]::after { content: "~"; }
.roma-badge[data-verdict="unsupported"] { background: #b91c1c; border-radius: 0; }
.roma-badge[data-verdict="contradicted"] { background: #b91c1c; border-radius: 0; }
.roma-badge[data-verdict="unsupported"]::after { content: "?"; }
.roma-badge[data-verdict="contradicted"]::after { content: "\\2717"; }
.roma-badge[data-verdict="unchecked"] { background: #6b7280; border-radius: .2em; }
.roma-badge:focus-visible, .roma-badge:hover { outline: 2px solid #93c5fd; }
.roma-host { opacity: .7; font-size: 85%; }
.roma-small { font-size: 80%; }
.roma-note { opacity: .7; }
.roma-typed { white-space: pre-wrap; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #8884; padding: .15em .5em; text-align: left; overflow-wrap: normal; min-width: 5em; }
.roma-text > :first-child { margin-top: 0; }
.roma-text > :last-child { margin-bottom: 0; }
pre { overflow-x: auto; padding: .6em; background: #8881; border-radius: 4px; }
code { font-size: 90%; background: #8882; border-radius: 3px; padding: .1em .3em; }
pre code { background: none; padding: 0; }
mark { background: #fde68a; color: #1f2937; padding: .05em 0; }
blockquote { border-left: 3px solid #8886; margin-left: 0; padding-left: .8em; }
"""


class AnswerText(pn.custom.JSComponent):  # type: ignore[misc]
    """HTML that ROMA rendered itself; a click on a badge sets ``picked`` to its marker."""

    html = param.String(default="")
    picked = param.Integer(default=0)

    _stylesheets = (STYLE,)
    _esm = """
    export function render({ model }) {
      const box = document.createElement("div");
      box.className = "roma-text";
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


def safe_pane(text: str, *, small: bool = False, margin: int | tuple[int, ...] = 0) -> pn.pane.HTML:
    """Return a pane of text of any origin. Panel's own text panes (``Str`` too) run HTML in it."""
    return pn.pane.HTML(safe_html(text, small=small), stylesheets=[STYLE], css_classes=PLAIN, margin=margin)


def safe_html(text: str, *, small: bool = False) -> str:
    """Return the HTML that ``safe_pane`` shows."""
    return f'<div class="roma-text{" roma-small" if small else ""}">{to_html(text)}</div>'


def typed_pane(text: str) -> pn.pane.HTML:
    """Return a pane with typed text, character by character: neither Markdown nor HTML."""
    return pn.pane.HTML(f'<div class="roma-typed">{escape(text)}</div>', stylesheets=[STYLE])


def source_address(citation: Citation) -> str:
    """Return the API's address of the document with the cited span."""
    return f"/sources/{quote(citation.document_id)}?start={citation.start}&end={citation.end}"


def render_answer(output: TailorOutput) -> str:
    """Return safe HTML of the answer, with its markers as badges."""

    def badge_at(position: int, number: int) -> Badge | None:
        citation = output.citation_at(position, number)
        return Badge(number, source_address(citation), citation.verdict) if citation is not None else None

    return to_html(output.answer, badge_at)


def describe_stage(event: StageEvent) -> str:
    """Return the words for the work in progress, such as ``Ranking 20 passages …``."""
    return event.says or f"{event.stage.replace('_', ' ').capitalize()} …"


def failure_alert(failure: AgentFailure, retry: Callable[[], None] | None = None) -> pn.Column:
    """Return the alert of a failure: its cause and what to do; a recoverable one offers to try again."""
    wait = f" Wait {failure.retry_after_s:.0f} s first." if failure.retry_after_s else ""
    alert = pmui.Alert(
        safe_pane(f"{failure.message}{wait}"),
        title=f"{'That did not work this time' if failure.recoverable else 'That cannot work'} ({failure.code})",
        severity="warning" if failure.recoverable else "error",
        sizing_mode="stretch_width",
        margin=0,
    )
    if not failure.recoverable or retry is None:
        return pn.Column(alert, sizing_mode="stretch_width")
    button = pmui.Button(label="Try again", variant="outlined", size="small", margin=(8, 0, 0, 0))
    button.on_click(lambda _: retry())
    return pn.Column(alert, button, sizing_mode="stretch_width")


def degraded_alert(output: TailorOutput) -> pmui.Alert:
    """Return the alert of a degraded answer: the writer in plain words, and the reported reasons."""
    words = ""
    if any(reason.startswith(FALLBACK) for reason in output.degraded_reasons):
        instead = "is quoted from the sources" if output.model == "extractive" else f"was written by {output.model}"
        words = f"The chosen language model was not available, so this answer {instead}."
    reported = "; ".join(output.degraded_reasons) or "A part of ROMA was away."
    return pmui.Alert(
        *([safe_pane(words)] if words else []),
        safe_pane(reported, small=bool(words)),
        title="This answer may be incomplete",
        severity="warning",
        sizing_mode="stretch_width",
        margin=(8, 0, 0, 0),
    )


def footnote(output: TailorOutput, note: str = "") -> pn.pane.HTML:
    """Return the line below an answer: its author, remarks and price."""
    quoted = "Quoted word for word, no language model was used" if output.answered else "No language model was used"
    parts = [quoted if output.model in {"extractive", ""} else f"Written by {output.model}"]
    parts += [output.proof] if output.proof else []
    parts += [note] if note else []
    if output.usage.input_tokens or output.usage.output_tokens:
        cost = "price unknown" if output.usage.cost_usd is None else f"${output.usage.cost_usd:.4f}"
        parts.append(f"{output.usage.input_tokens:,} tokens read, {output.usage.output_tokens:,} written, {cost}")
    html = f'<small class="roma-note">{escape(" · ".join(parts))}</small>'
    return pn.pane.HTML(html, stylesheets=[STYLE], css_classes=PLAIN, margin=0)
