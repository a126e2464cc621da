"""The HTML that values show in a notebook: a few pure functions in which every word from outside is escaped.

Knows no type of ROMA; ``types`` and the reports of ``evals`` call it from their ``_repr_html_``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

BOX = "font-family:system-ui,sans-serif;max-width:72rem;line-height:1.45"
PAGE = "body{font-family:system-ui,sans-serif;margin:1.5rem auto;padding:0 1.5rem;max-width:72rem}h1{font-size:1.5rem}"
CELL = "text-align:left;vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid #8884;white-space:pre-wrap"
_MARKUP = re.compile(r"[\\`*_\[\]|#~]")
_OVERRIDES = {code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
COLOURS = {"ok": "#15803d", "degraded": "#b45309", "down": "#b91c1c", "failed": "#b91c1c"}


class Html(str):
    """A string that is HTML already and must not be escaped again. A notebook shows it as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def show_overrides(text: str) -> str:
    """Return a text in which the signs that turn its direction are shown; marks that only steer (U+200E) stay.

    Unseen, they let a file ``exe.pdf`` read as ``fdp.exe``.

    >>> show_overrides("invoice\u202efdp.exe")
    'invoice[U+202E]fdp.exe'
    """
    return text.translate(_OVERRIDES)


def escape_text(text: str) -> str:
    """Return a text as HTML that shows it to the letter.

    >>> escape_text("a < b")
    'a &lt; b'
    """
    return escape(show_overrides(text))


def cell(value: object) -> str:
    """One value as HTML: text escaped, numbers short, None as a dash."""
    if isinstance(value, Html):
        return value
    if value is None or value != value:  # None, NaN
        return "–"
    return escape_text(f"{value:.3f}" if isinstance(value, float) else str(value))


def box(*parts: str) -> Html:
    """Return the parts inside one framed block."""
    return Html(f'<div style="{BOX}">{"".join(parts)}</div>')


def page(title: str, *parts: str) -> str:
    """Return the parts as one HTML file that needs nothing else; ``title`` is text.

    >>> "<h1>A &lt; B</h1>" in page("A < B", paragraph("why"))
    True
    """
    name = escape_text(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{PAGE}</style></head>'
        f"<body><h1>{name}</h1>{''.join(parts)}</body></html>\n"
    )


def heading(text: str) -> Html:
    """Return a heading of escaped text."""
    return Html(f"<p><strong>{escape_text(text)}</strong></p>")


def paragraph(text: str) -> Html:
    """Return a paragraph; a value that is markup already stays so."""
    return Html(f"<p>{cell(text)}</p>")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table; its cells go through ``cell``. One that is too wide scrolls by itself, not the page."""
    head = "".join(f'<th style="{CELL}">{escape(c)}</th>' for c in columns)
    body = "".join("<tr>" + "".join(f'<td style="{CELL}">{cell(v)}</td>' for v in row) + "</tr>" for row in rows)
    return Html(
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def escape_markdown(text: object) -> str:
    r"""Return one value as text in Markdown: no markup of it acts, and it stays on one line.

    >>> escape_markdown("a|b <b>![x](https://evil.example)")
    'a\\|b &lt;b>!\\[x\\](https://evil.example)'
    """
    if text is None or text != text:
        return "–"
    words = f"{text:.3f}" if isinstance(text, float) else " ".join(show_overrides(str(text)).split())
    return _MARKUP.sub(r"\\\g<0>", words).replace("<", "&lt;")


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; its cells are escaped.

    >>> markdown_table(("a", "b"), [(1, None)]).splitlines()[2]
    '| 1 | – |'
    """
    lines = [columns, ["---"] * len(columns), *([escape_markdown(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


def state(word: str) -> Html:
    """A state in its colour (ok, degraded, down, failed); other words as they are."""
    return Html(f'<span style="color:{COLOURS.get(word, "inherit")}">{escape(word)}</span>')


def counts(values: Mapping[str, int]) -> Html:
    """Counts in one line; zeros are left out."""
    return Html(" · ".join(f"{n} {state(word)}" for word, n in values.items() if n) or "nothing")
