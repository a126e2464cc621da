"""Values as a notebook shows them without a kernel: HTML for Jupyter, nbconvert and VS Code, Markdown for GitHub.

Text of documents and models is hostile in both: nothing of it runs, and nothing is loaded from an address in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from roma_core import display
from roma_core.markup import read_markers
from roma_core.markup.tables import skip_rows
from roma_core.theme import VERDICT_LOOKS, colour
from roma_core.types import PROVEN, VERDICT_WORDS, Chunk, Citation, Document, ScoredChunk, TailorOutput, digest
from roma_core.ui.render import Badge, render_blocks, to_html

MOST_CHARS = 20_000
"""Characters of a document that a cell shows; ``document.text`` has all."""
SHORT_QUOTE = 300
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def render_answer(output: TailorOutput) -> display.Html:
    """Return an answer as static HTML: its Markdown, badges that lead to their quotes, and the proof.

    >>> "<p>It spans 48 m.</p>" in render_answer(TailorOutput(answer="It spans 48 m."))
    True
    """
    name = _name_answer(output)
    index = {id(citation): number for number, citation in enumerate(output.citations)}

    def badge(position: int, number: int) -> Badge | None:
        citation = output.citation_at(position, number)
        if citation is None:
            return None
        return _StyledBadge(number, f"#{name}-{index[id(citation)]}", citation.verdict)

    body = "".join(render_blocks(output.answer, badge))
    facts = [output.proof, output.model, output.persona]
    facts += [output.route.words] if output.route is not None else []
    facts += [output.saved.words] if output.saved is not None else []
    facts += ["degraded: " + ", ".join(output.degraded_reasons)] if output.degraded else []
    return display.box(
        f'<div dir="auto">{body}</div>',
        _citation_table(output, name),
        display.paragraph(" · ".join(fact for fact in facts if fact)),
    )


class _StyledBadge(Badge):
    """A badge with its looks on itself, for pages without a style sheet of ROMA."""

    @property
    def html(self) -> str:
        look = VERDICT_LOOKS[self.verdict]
        style = (
            f"background:{colour(look.colour)};color:{colour('on-accent')};border-radius:{look.radius};"
            "padding:0 .45em;margin:0 .1em;font-size:85%;text-decoration:none"
        )
        words = escape(self.words)
        sign = f" {look.sign}" if look.sign else ""
        link = f'href="{escape(self.address)}" aria-label="{words}" title="{words}"'
        return f'<a {link} style="{style}">{self.number}{sign}</a>'


def _name_answer(output: TailorOutput) -> str:
    """Return a name for the anchors of an answer, which no other answer on the page has."""
    return f"roma-{output.answer_id[:12] or digest('answer on a page', output.answer)[:12]}"


def _citation_table(output: TailorOutput, name: str) -> str:
    if not output.citations:
        return ""
    rows = [
        (
            display.Html(f'<span id="{name}-{number}">{citation.marker}</span>'),
            _link_title(citation),
            citation.place,
            skip_rows(citation.quote),
            _colour_verdict(citation),
        )
        for number, citation in enumerate(output.citations)
    ]
    return display.table(("", "Source", "Where", "Quote", "Verdict"), rows)


def _link_title(citation: Citation) -> display.Html:
    """Return the title as a link where a browser can open the source."""
    title = display.escape_text(citation.title)
    if not _ADDRESS.match(citation.uri):
        return display.Html(title)
    return display.Html(f'<a href="{escape(citation.uri)}" rel="noopener noreferrer nofollow">{title}</a>')


def _colour_verdict(citation: Citation) -> display.Html:
    look = VERDICT_LOOKS[citation.verdict]
    reasons = f" ({escape('; '.join(citation.decided_by))})" if citation.decided_by else ""
    words = escape(VERDICT_WORDS[citation.verdict])
    return display.Html(f'<span style="color:{colour(look.colour)}">{words}{reasons}</span>')


def write_answer(output: TailorOutput) -> str:
    """Return an answer as Markdown: markers with the sign of their verdict, quotes below.

    >>> write_answer(TailorOutput(answer="It spans 48 m."))
    'It spans 48 m.'
    """
    parts: list[str] = []
    last = 0
    for marker in read_markers(output.answer):
        citations = [output.citation_at(marker.start, number) for number in marker.numbers]
        if all(citations):
            parts.append(tame_markdown(output.answer[last : marker.start]))
            parts += [_write_badge(citation) for citation in citations if citation is not None]
            last = marker.end
    text = "".join((*parts, tame_markdown(output.answer[last:])))
    rows = [
        (c.marker, c.title, c.place, skip_rows(c.quote)[:SHORT_QUOTE], VERDICT_WORDS[c.verdict])
        for c in output.citations
    ]
    table = display.markdown_table(("", "Source", "Where", "Quote", "Verdict"), rows) if rows else ""
    facts = " · ".join(display.escape_markdown(fact) for fact in (output.proof, output.model) if fact)
    return "\n\n".join(part for part in (text, table, f"*{facts}*" if facts else "") if part)


def _write_badge(citation: Citation) -> str:
    sign = VERDICT_LOOKS[citation.verdict].sign or "✓" * (citation.verdict in PROVEN)
    words = f"**\\[{citation.marker}{f' {sign}' if sign else ''}\\]**"
    if not _ADDRESS.match(citation.uri):
        return words
    address = citation.uri.replace("(", "%28").replace(")", "%29").replace(" ", "%20").replace("<", "%3C")
    return f"[{words}]({address})"


def tame_markdown(text: str) -> str:
    r"""Return Markdown whose pictures are words and whose HTML is text: neither loads nor runs anything.

    >>> tame_markdown("![a](https://evil.example) <img src=x>")
    '!\\[a](https://evil.example) &lt;img src=x>'
    """
    return _TAG.sub("&lt;", text.replace("![", "!\\["))


def render_document(document: Document) -> display.Html:
    """Return a document as HTML: its title and facts, its losses, and the beginning of its text as it reads."""
    return display.box(
        display.heading(document.title),
        display.table(("", ""), _list_facts(document)),
        f'<div dir="auto">{to_html(document.markdown(), most=MOST_CHARS)}</div>',
    )


def write_document(document: Document) -> str:
    """Return a document as Markdown, cut like its HTML."""
    text = document.markdown()
    left = len(text) - MOST_CHARS
    parts = [
        f"**{display.escape_markdown(document.title)}**",
        display.markdown_table(("", ""), _list_facts(document)),
        tame_markdown(text[:MOST_CHARS]),
        f"**Cut here: {left:,} more characters are not shown.**" if left > 0 else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _list_facts(document: Document) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [
        ("Source", document.uri),
        ("Size", f"{len(document.text):,} characters, {len(document.pages)} pages"),
        ("Parser", document.parser),
    ]
    facts += [("Warning", warning) for warning in document.warnings]
    left_out = document.summarize_left_out()
    return [*facts, ("Left out", left_out)] if left_out else facts


def render_passage(chunk: Chunk, score: ScoredChunk | None = None) -> display.Html:
    """Return a passage as HTML: where it stands, its score, and its words as they read."""
    return display.box(
        display.heading(_head(chunk)),
        display.paragraph(_describe_score(score)) if score is not None else "",
        f'<blockquote dir="auto">{to_html(chunk.text)}</blockquote>',
    )


def write_passage(chunk: Chunk, score: ScoredChunk | None = None) -> str:
    """Return a passage as Markdown."""
    quoted = "\n".join(f"> {line}" for line in tame_markdown(chunk.text).splitlines())
    parts = [f"**{display.escape_markdown(_head(chunk))}**", _describe_score(score) if score else "", quoted]
    return "\n\n".join(part for part in parts if part)


def _head(chunk: Chunk) -> str:
    return f"{chunk.title}, {chunk.place}" if chunk.place else chunk.title


def _describe_score(scored: ScoredChunk) -> str:
    scores: Sequence[str] = [f"{name} {value:.3f}" for name, value in scored.scores.items()]
    return " · ".join([f"rank {scored.rank}", f"score {scored.score:.3f}", *scores])
