"""Rendering of Markdown from models and documents to HTML. All of it is treated as hostile.

markdown-it with HTML off, then an nh3 allow-list without images, forms, styles and frames. Panel's own Markdown pane
and chat message run attackers' HTML, so no surface uses them for text that ROMA did not write itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

import nh3
from markdown_it.token import Token

from roma_core.markup import markdown as parser
from roma_core.markup import read_markers
from roma_core.types import VERDICT_WORDS, CitationVerdict

TAGS = {
    *"a abbr b blockquote br code dd del details dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s small".split(),
    *"span strong sub summary sup table tbody td th thead tr u ul".split(),
}
ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "span": {"title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
CLASSES = {"span": {"roma-host"}}
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private characters that stand for a badge while Markdown is rendered; texts lose theirs."""
_BADGE = re.compile(rf"\[{_OPEN}(\d+){_CLOSE}\]")

MAX_CHARS = 500_000
"""Characters that are shown at once: more takes a browser and the parsers many seconds."""


@dataclass(frozen=True)
class Badge:
    """Badge of a citation marker: a link to its source in the colour and shape of the verdict."""

    number: int
    address: str
    verdict: CitationVerdict = "unchecked"

    @property
    def html(self) -> str:
        """Return the badge as HTML, escaped."""
        words = f"Source {self.number}: {VERDICT_WORDS[self.verdict]}"
        return (
            f'<a class="roma-badge" data-verdict="{self.verdict}" target="_blank" href="{escape(self.address)}" '
            f'title="{escape(words)}">{self.number}</a>'
        )


Badges = Callable[[int, int], Badge | None]
"""``(offset of the marker, number)`` to its badge; None where the number cites nothing."""


def to_html(markdown: str, badges: Badges | Mapping[int, str] | None = None, most: int | None = MAX_CHARS) -> str:
    r"""Return safe HTML of ``markdown``, cut after ``most`` characters with a note of how many are left.

    ``badges`` maps citation markers to the address of their source; ``[n]`` becomes a badge there. A link shows its
    host, because its words may lie. Images become their words: loading one would reveal the question to its server.

    >>> to_html("**bold** <script>")
    '<p><strong>bold</strong> &lt;script&gt;</p>\
    '
    """
    shown = markdown[:most].replace(_OPEN, "\ufffd").replace(_CLOSE, "\ufffd")
    made: list[Badge] = []
    tokens = parser().parse(_hold_places(shown, _badge_maker(badges), made) if badges else shown)
    for token in tokens:
        if token.type == "inline" and token.children:
            token.children = [new for old in token.children for new in _harmless(old)]
    html = clean_html(str(parser().renderer.render(tokens, parser().options, {})))
    if badges:
        html = _BADGE.sub(lambda match: made[int(match[1])].html, html)
    left = len(markdown) - len(shown)
    note = f"<hr><p><strong>Cut here: {left:,} more characters are not shown.</strong></p>" if left else ""
    return html + note


def _badge_maker(badges: Badges | Mapping[int, str]) -> Badges:
    if not isinstance(badges, Mapping):
        return badges
    addresses = badges
    return lambda position, number: Badge(number, addresses[number]) if number in addresses else None


def _hold_places(text: str, badges: Badges, made: list[Badge]) -> str:
    """Put private characters where badges will stand, and the badges into ``made``; brackets keep the Markdown."""
    parts: list[str] = []
    last = 0
    for marker in read_markers(text):
        ours = [badge for number in marker.numbers if (badge := badges(marker.start, number)) is not None]
        if len(ours) < len(marker.numbers):
            continue
        parts.append(text[last : marker.start])
        for badge in ours:
            parts.append(f"[{_OPEN}{len(made)}{_CLOSE}]")
            made.append(badge)
        last = marker.end
    return "".join((*parts, text[last:]))


def clean_html(html: str) -> str:
    """Return HTML through the allow-list: other tags and attributes are dropped, text is kept.

    nh3's time grows with the square of the depth of nesting, which Markdown bounds and foreign HTML does not.
    """
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_same_site_or_spelt_out,
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "embed"},
    )


def _same_site_or_spelt_out(tag: str, name: str, value: str) -> str | None:
    """Drop addresses like ``//host``, which look local and are not."""
    return None if name == "href" and value.lstrip().replace("\\", "/").startswith("//") else value


def highlight_span(text: str, start: int, end: int, around: int = 400) -> str:
    """Return the text around ``[start, end)`` as escaped HTML with the span marked. Offsets are code points."""
    before, quote, after = text[max(0, start - around) : start], text[start:end], text[end : end + around]
    lead, trail = "", ""
    if start > around:  # from a whole word on, and to one
        lead, before = "… ", before.partition(" ")[2] or before
    if end + around < len(text):
        trail, after = " …", after.rpartition(" ")[0] or after
    return f"{lead}{escape(before)}<mark>{escape(quote)}</mark>{escape(after)}{trail}"


def _harmless(token: Token) -> list[Token]:
    """Return the harmless form of an inline token: an image's words, a link with its host."""
    if token.type == "image":
        return [_text(token.content or "image")]
    if token.type == "link_close":
        return [token]
    if token.type == "link_open":
        host = urlsplit(str(token.attrs.get("href", ""))).hostname or ""
        token.attrs["target"] = "_blank"
        return [token, *([_raw(f'<span class="roma-host">[{escape(host)}]</span> ')] if host else [])]
    return [token]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _raw(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)
