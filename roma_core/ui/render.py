"""The one place that turns Markdown from models and documents into HTML. Everything in it is hostile.

markdown-it with HTML off, then an nh3 allow-list without images, forms, styles and frames. Panel's own Markdown pane
and chat message run attackers' HTML, so no surface uses them for text that ROMA did not write itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

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
CLASSES = {"a": {"roma-badge"}, "span": {"roma-badge", "roma-host"}}
MARKER = re.compile(r"\[(\d{1,3})\]")


MAX_CHARS = 500_000
"""Characters that are shown at once: more takes a browser and the parsers many seconds."""


def to_html(markdown: str, badges: Mapping[int, str] | None = None, most: int | None = MAX_CHARS) -> str:
    """Safe HTML of ``markdown``, or of its first ``most`` characters and a note that says how many are left out.

    ``badges`` maps citation markers to the address of their source; ``[n]`` becomes a badge there. A link shows its
    host, because its words may lie. Images become their words: loading one would tell its server what was asked.
    """
    tokens = _markdown().parse(markdown[:most])
    for token in tokens:
        if token.type == "inline" and token.children:
            token.children = [new for old in token.children for new in _tamed(old, badges or {})]
    html = str(_markdown().renderer.render(tokens, _markdown().options, {}))
    left = len(markdown) - len(markdown[:most])
    note = f"<hr><p><strong>Cut here: {left:,} more characters are not shown.</strong></p>" if left else ""
    return clean(html) + note


def clean(html: str) -> str:
    """HTML through the allow-list; what is not on it is dropped, text is kept.

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
    """Drops addresses like ``//host``, which look local and are not."""
    return None if name == "href" and value.lstrip().replace("\\", "/").startswith("//") else value


def highlighted(text: str, start: int, end: int, around: int = 400) -> str:
    """``text`` around ``[start, end)`` as escaped HTML with the span marked. Offsets are code points."""
    before, quote, after = text[max(0, start - around) : start], text[start:end], text[end : end + around]
    lead, trail = "", ""
    if start > around:  # from a whole word on, and to one
        lead, before = "… ", before.partition(" ")[2] or before
    if end + around < len(text):
        trail, after = " …", after.rpartition(" ")[0] or after
    return f"{lead}{escape(before)}<mark>{escape(quote)}</mark>{escape(after)}{trail}"


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def _tamed(token: Token, badges: Mapping[int, str]) -> list[Token]:
    if token.type == "image":
        return [_text(token.content or "image")]
    if token.type == "link_close":
        return [token]
    if token.type == "link_open":
        host = urlsplit(str(token.attrs.get("href", ""))).hostname or ""
        token.attrs["target"] = "_blank"
        return [token, *([_raw(f'<span class="roma-host">[{escape(host)}]</span> ')] if host else [])]
    if token.type == "text" and badges:
        return [part for part in _badged(token.content, badges) if part.content]
    return [token]


def _badged(text: str, badges: Mapping[int, str]) -> list[Token]:
    parts: list[Token] = []
    at = 0
    for match in MARKER.finditer(text):
        address = badges.get(int(match.group(1)))
        if address is None:
            continue
        marker = match.group(1)
        link = (
            f'<a class="roma-badge" target="_blank" href="{escape(address)}" title="Show source {marker}">{marker}</a>'
        )
        parts += [_text(text[at : match.start()]), _raw(link)]
        at = match.end()
    return [*parts, _text(text[at:])]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _raw(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)
