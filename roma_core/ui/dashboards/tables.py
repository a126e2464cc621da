"""HTML of the dashboards: cards of figures, tables and pairs of answers. Pure; every word from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from roma_core.display import Html, cell, escape_text
from roma_core.markup.tables import skip_rows
from roma_core.theme import VERDICT_LOOKS, colour
from roma_core.types import VERDICT_WORDS, Citation, CitationVerdict

STYLE = """
:host { font-size: .9375rem; line-height: 1.5; }
h2 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; font-weight: 650; }
h3 { font-size: .95rem; margin: 0 0 .35rem; font-weight: 600; }
p { margin: .25rem 0; max-width: 60rem; }
.muted { opacity: .78; }
a { color: inherit; text-underline-offset: .15em; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; margin: .4rem 0; }
.card { border: 1px solid #8885; border-radius: .6rem; padding: .55rem .8rem; }
.card b { display: block; font-size: 1.35rem; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: start; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid #8884;
  overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
td.number, th.number { text-align: end; white-space: nowrap; }
td.short { white-space: nowrap; overflow-wrap: normal; }
.item { border: 1px solid #8885; border-radius: .6rem; padding: .8rem 1rem; margin: 0 0 .8rem; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.2rem; }
.side { min-width: 0; overflow-wrap: anywhere; }
.side > div { max-height: 22rem; overflow: auto; }
.side pre, .side table { font-size: .85rem; }
.side pre { white-space: pre-wrap; }
.cited { list-style: none; margin: .5rem 0 0; padding: 0; font-size: .85rem; }
.cited li { margin: 0 0 .35rem; padding-inline-start: .6rem; border-inline-start: 3px solid #8886; }
.cited q { font-style: italic; }
.verdict { display: inline-block; color: #fff; padding: 0 .5em; margin-inline-end: .35em; font-size: .78rem;
  line-height: 1.5; white-space: nowrap; }
.decision { font-size: 1.1rem; margin: .4rem 0; }
.hint { border: 1px dashed #888a; border-radius: .6rem; padding: 1rem 1.2rem; margin: 1rem 0; }
code { font-size: .9em; }
""" + "".join(
    f'.verdict[data-verdict="{verdict}"] {{ background: {colour(look.colour)}; border-radius: {look.radius}; }}\n'
    for verdict, look in VERDICT_LOOKS.items()
)
"""Style of the panes. Words of a verdict stand on its dark colour, which holds in the light and in the dark."""


def render_cards(figures: Sequence[tuple[str, str, str]]) -> Html:
    """Return figures as cards: a value, what it is, and a remark.

    >>> "42" in render_cards([("42", "questions", "")])
    True
    """
    cards = [
        f'<div class="card"><b>{escape(value)}</b>{escape(label)}'
        + (f'<div class="muted">{escape(remark)}</div>' if remark else "")
        + "</div>"
        for value, label, remark in figures
    ]
    return Html(f'<div class="cards">{"".join(cards)}</div>')


def render_table(columns: Sequence[str], rows: Iterable[Sequence[object]], label: str = "") -> Html:
    """Return a table that scrolls within itself.

    A column whose name begins with ``#`` holds numbers; one with ``!`` holds words that do not wrap.

    >>> "<td" in render_table(("Name", "#Cases"), [("a", 3)])
    True
    """
    kinds = [{"#": "number", "!": "short"}.get(name[:1], "") for name in columns]
    head = "".join(
        f'<th scope="col"{_class(kind)}>{escape(name.lstrip("#!"))}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_class(kind)}>{cell(value)}</td>" for value, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return Html(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label or columns[0].lstrip("#!"))}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def heading(text: str) -> Html:
    """Return the heading of a part of the page."""
    return Html(f"<h2>{escape(text)}</h2>")


def paragraph(text: str, *, muted: bool = False) -> Html:
    """Return a paragraph; a value that is markup already stays so."""
    return Html(f"<p{_class('muted' if muted else '')}>{cell(text)}</p>")


def hint(text: str) -> Html:
    """Return what to do where there is nothing to show; code stands between backticks."""
    parts = escape(text).split("`")
    written = "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
    return Html(f'<div class="hint">{written}</div>')


def link(words: str, parameters: Mapping[str, str]) -> Html:
    """Return a link to this page with other filters."""
    address = "?" + urlencode({name: value for name, value in parameters.items() if value})
    return Html(f'<a href="{escape(address)}">{escape(words)}</a>')


def write_time(moment: datetime | None) -> str:
    """Return a moment as a table has it; a dash for none.

    >>> write_time(None)
    '–'
    """
    return "–" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def write_seconds(seconds: float | None) -> str:
    """Return a time for a person; a dash for none.

    >>> write_seconds(0.2), write_seconds(75)
    ('0.20 s', '75 s')
    """
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.0f} s"


def write_cost(cost_usd: float | None) -> str:
    """Return a cost for a person; "unknown" where a price is.

    >>> write_cost(0.00042), write_cost(12.5), write_cost(0)
    ('$0.0004', '$12.50', '$0')
    """
    if cost_usd is None:
        return "unknown"
    if cost_usd == 0:
        return "$0"
    return f"${cost_usd:,.2f}" if cost_usd >= 1 else f"${cost_usd:.4f}"


def write_share(share: float | None) -> str:
    """Return a share in percent; a dash for none.

    >>> write_share(0.925)
    '92 %'
    """
    return "–" if share is None else f"{100 * share:.0f} %"


def render_verdict(verdict: CitationVerdict) -> Html:
    """Return a verdict as a badge: its colour, its shape, its sign and its words."""
    sign = VERDICT_LOOKS[verdict].sign
    words = f"{sign} {VERDICT_WORDS[verdict]}".strip()
    return Html(f'<span class="verdict" data-verdict="{verdict}">{escape(words)}</span>')


def render_citations(citations: Iterable[Citation], read_base: str = "") -> Html:
    """Return citations with their verdicts and quotes; ``read_base`` is where documents are read, empty for nowhere."""
    rows = []
    for citation in citations:
        title = escape_text(citation.title)
        if read_base:
            place = urlencode({"start": citation.start, "end": citation.end})
            title = f'<a href="{escape(read_base + citation.document_id)}?{place}">{title}</a>'
        where = escape(f", {citation.place}" if citation.place else "")
        rows.append(
            f"<li>{render_verdict(citation.verdict)}[{citation.marker}] {title}{where}<br>"
            f'<q class="muted">{escape(shorten(skip_rows(citation.quote), 300))}</q></li>'
        )
    return Html(f'<ul class="cited">{"".join(rows)}</ul>' if rows else "")


def shorten(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters on one line.

    >>> shorten("one two three", 8)
    'one two…'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
