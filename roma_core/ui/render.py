"""Rendering of Markdown from models and documents to HTML. All of it is treated as hostile.

markdown-it with HTML off, then an nh3 allow-list without images, forms, styles and frames. Panel's own Markdown pane
and chat message run attackers' HTML, so no surface uses them for text that ROMA did not write itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from roma_core.display import show_overrides
from roma_core.markup import markdown as parser
from roma_core.markup import new_parser, read_markers
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
_ALIGNED = {"text-align:right": "roma-right", "text-align:center": "roma-center"}
"""Alignment of a table's column: a style as markdown-it writes it, and the class that the allow-list lets through."""
HIGHLIGHTS: Mapping[str, str] = {
    "Keyword": "hl-keyword",
    "Name.Function": "hl-name",
    "Name.Class": "hl-name",
    "Name.Tag": "hl-keyword",
    "Literal.String": "hl-string",
    "Literal.Number": "hl-number",
    "Comment": "hl-comment",
}
"""Kinds of words of code that are coloured, as Pygments names them, and their classes."""
LEXERS = frozenset(
    "bash c c++ console cpp css diff docker go html ini java javascript js json jsx kotlin makefile php powershell py "
    "python r ruby rust sh sql swift toml ts tsx typescript xml yaml yml".split()
)
"""Languages whose code is coloured: common ones, whose lexers take linear time."""
MOST_CODE_CHARS = 20_000
_MATH = re.compile(r"[\\\\^_={}<>+*/()|]|^[A-Za-z]$")
"""A sign that a formula has and a price has not: "from $5 to $6" is text."""
CLASSES = {
    "span": {"roma-host", "roma-math", "roma-math-block", *HIGHLIGHTS.values()},
    "td": set(_ALIGNED.values()),
    "th": set(_ALIGNED.values()),
}
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private characters that stand for a badge while Markdown is rendered; texts lose theirs."""
_FROM, _TO = "\ue002", "\ue003"
"""Private characters around the words that are to be marked; texts lose theirs, too."""
_PRIVATE = dict.fromkeys(map(ord, (_OPEN, _CLOSE, _FROM, _TO)), "\ufffd")
_BADGE = re.compile(rf"\[{_OPEN}(\d+){_CLOSE}\]")

MAX_CHARS = 500_000
"""Characters that are shown at once: more takes a browser and the parsers many seconds."""


@dataclass(frozen=True)
class Badge:
    """Badge of a citation marker: a link to its source in the colour and shape of the verdict."""

    number: int
    address: str
    verdict: CitationVerdict = "unchecked"
    index: int | None = None
    """Place of its citation in the answer's list, for a page that opens it there."""

    @property
    def words(self) -> str:
        """Name of the badge: it says the verdict to whoever does not see colour and shape."""
        return f"Source {self.number}: {VERDICT_WORDS[self.verdict]}"

    @property
    def html(self) -> str:
        """Return the badge as HTML, escaped."""
        words = escape(self.words)
        index = "" if self.index is None else f' data-citation="{self.index}"'
        return (
            f'<a class="roma-badge" data-verdict="{self.verdict}"{index} target="_blank" '
            f'href="{escape(self.address)}" aria-label="{words}" title="{words}">{self.number}</a>'
        )


@dataclass(frozen=True)
class Gap:
    """Sign behind a statement that has no source."""

    verdict: CitationVerdict = "unsupported"

    @property
    def html(self) -> str:
        """Return the sign as HTML."""
        words = f"No source: {VERDICT_WORDS[self.verdict]}"
        return (
            f'<span class="roma-badge roma-gap" data-verdict="{self.verdict}" title="{escape(words)}">no source</span>'
        )


Badges = Callable[[int, int], Badge | None]
"""``(offset of the marker, number)`` to its badge; None where the number cites nothing."""


def to_html(markdown: str, badges: Badges | Mapping[int, str] | None = None, most: int | None = MAX_CHARS) -> str:
    r"""Return safe HTML of ``markdown``, cut after ``most`` characters with a note of how many are left.

    ``badges`` maps citation markers to the address of their source; ``[n]`` becomes a badge there. A link shows its
    host, because its words may lie. Images become their words: loading one would reveal the question to its server.

    >>> to_html("**bold** <script>")
    '<p><strong>bold</strong> &lt;script&gt;</p>\n'
    """
    return "".join(render_blocks(markdown, badges, most=most))


def render_blocks(
    markdown: str,
    badges: Badges | Mapping[int, str] | None = None,
    gaps: Mapping[int, Gap] | None = None,
    *,
    most: int | None = MAX_CHARS,
) -> list[str]:
    r"""Return ``to_html`` of each block of the top level. ``gaps`` are signs by the offset that they stand at.

    >>> render_blocks("# Rope\n\nbridge")
    ['<h1>Rope</h1>\n', '<p>bridge</p>\n']
    """
    shown = markdown[:most].translate(_PRIVATE)
    made: list[Badge | Gap] = []
    held = _hold_places(shown, _badge_maker(badges) if badges else _no_badge, gaps or {}, made)
    blocks = [_BADGE.sub(lambda match: made[int(match[1])].html, html) for html in _render_tokens(held)]
    left = len(markdown) - len(shown)
    if left:
        blocks.append(f"<hr><p><strong>Cut here: {left:,} more characters are not shown.</strong></p>")
    return blocks


def split_blocks(markdown: str) -> list[int]:
    """Return the offsets where the blocks of the top level begin."""
    starts = [0]
    for line in markdown.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    begun = [
        token.map[0] for token in parser().parse(markdown) if token.level == 0 and token.map and token.nesting >= 0
    ]
    return [starts[min(line, len(starts) - 1)] for line in begun]


def mark_span(markdown: str, start: int, end: int) -> str | None:
    """Return safe HTML of ``markdown`` with the words of ``[start, end)`` in ``<mark>``.

    None where the span begins or ends inside of markup, so that its words cannot be marked exactly.

    >>> mark_span("The **rope** bridge", 4, 12)
    '<p>The <strong><mark>rope</mark></strong> bridge</p>\\n'
    """
    plain = markdown.translate(_PRIVATE)
    first, last = _skip_markup(plain, start, end)
    held = f"{plain[:first]}{_FROM}{plain[first:last]}{_TO}{plain[last:]}"
    html = "".join(_render_tokens(held))
    if html.count(_FROM) != 1 or html.count(_TO) != 1:
        return None
    before, _, rest = html.partition(_FROM)
    inside, _, after = rest.partition(_TO)
    marked = _TEXT.sub(lambda run: f"<mark>{run[0]}</mark>" if run[0].strip() else run[0], inside)
    words = _letters(unescape(_TAG.sub("", inside)))
    if "<mark>" not in marked or words != _letters(unescape(plain[start:end])) or before.rfind("<") > before.rfind(">"):
        return None
    return f"{before}{marked}{after}"


def _render_tokens(markdown: str) -> list[str]:
    """Return clean HTML of each block of the top level."""
    tokens = _formula_parser().parse(markdown)
    blocks: list[list[Token]] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0:
            blocks.append([])
        blocks[-1].append(_make_harmless(token))
    return [clean_html(str(parser().renderer.render(block, parser().options, {}))) for block in blocks]


@functools.cache
def _formula_parser() -> MarkdownIt:
    """Return the parser with formulas between dollar signs, which are marked for the page to set them."""
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    return new_parser().use(
        dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True
    )


def colour_code(code: str, language: str) -> str:
    """Return code as safe HTML with its words coloured; empty for a language that is not coloured.

    >>> colour_code("x = 1", "python")
    'x = <span class="hl-number">1</span>'
    """
    if language not in LEXERS or len(code) > MOST_CODE_CHARS or any(sign in code for sign in (_OPEN, _FROM, _TO)):
        return ""
    from pygments.lexers import get_lexer_by_name

    parts: list[str] = []
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    for kind, text in lexer.get_tokens(code):
        name = str(kind).removeprefix("Token.")
        found = next((look for prefix, look in HIGHLIGHTS.items() if name.startswith(prefix)), "")
        parts.append(f'<span class="{found}">{escape(text)}</span>' if found else escape(text))
    return "".join(parts)


def _make_harmless(token: Token) -> Token:
    """Make a block's token harmless, in place: images, links, direction overrides, styles."""
    if token.type == "inline" and token.children:
        token.children = [new for old in token.children for new in _harmless(old)]
    elif token.type in {"fence", "code_block"}:
        token.content = show_overrides(token.content)
        coloured = colour_code(token.content, token.info.split(" ")[0].lower())
        if coloured:
            return Token("html_block", "", 0, content=f"<pre><code>{coloured}</code></pre>\n", block=True)
    elif token.type == "math_block":
        formula = escape(token.content.strip())
        return Token("html_block", "", 0, content=f'<p><span class="roma-math roma-math-block">{formula}</span></p>\n')
    aligned = _ALIGNED.get(str(token.attrs.pop("style", "")))
    if aligned:
        token.attrs["class"] = aligned
    return token


_TAG = re.compile(r"<[^>]*>")
_TEXT = re.compile(r"(?<=>)[^<]+|^[^<]+")
_LINE_SIGNS = re.compile(r"(?:[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|>[ \t]?|\|[ \t]*))+|[ \t\n]+")


def _skip_markup(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without the signs of blocks at its edges: inside of them it would take their meaning away."""
    first, last = start, end
    while first < last and (found := _LINE_SIGNS.match(text, first, last)):
        if text[first] not in " \t\n|" and first > 0 and text[first - 1] != "\n":
            break  # in the middle of a line it is a sign of the text
        first = found.end()
    while last > first and text[last - 1] in " \t\n|":
        last -= 1
    return first, last


def _letters(text: str) -> str:
    """Return letters and digits alone; markup has none of its own but numbers of lists and names of entities."""
    return "".join(sign for sign in text if sign.isalpha())


def _no_badge(position: int, number: int) -> None:
    return None


def _badge_maker(badges: Badges | Mapping[int, str]) -> Badges:
    if not isinstance(badges, Mapping):
        return badges
    addresses = badges
    return lambda position, number: Badge(number, addresses[number]) if number in addresses else None


def _hold_places(text: str, badges: Badges, gaps: Mapping[int, Gap], made: list[Badge | Gap]) -> str:
    """Put private characters where badges will stand, and the badges into ``made``; brackets keep the Markdown."""
    places: list[tuple[int, int, Sequence[Badge | Gap]]] = [(at, at, [gap]) for at, gap in gaps.items()]
    for marker in read_markers(text):
        ours = [badge for number in marker.numbers if (badge := badges(marker.start, number)) is not None]
        if len(ours) == len(marker.numbers):
            places.append((marker.start, marker.end, ours))
    parts: list[str] = []
    last = 0
    for start, end, signs in sorted(places, key=lambda place: place[:2]):
        if start < last:
            continue
        parts.append(text[last:start])
        for sign in signs:
            parts.append(f"[{_OPEN}{len(made)}{_CLOSE}]")
            made.append(sign)
        last = end
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


def _harmless(token: Token) -> list[Token]:
    """Return the harmless form of an inline token: an image's words, a link with its host."""
    if token.type == "math_inline":
        return [_formula(token.content)]
    if token.type == "math_inline_double":  # a formula on a line of its own, with a badge behind it
        return [_formula(token.content, dollars="$$")]
    if token.type == "image":
        return [_text(show_overrides(token.content or "image"))]
    if token.type in {"text", "code_inline"}:
        token.content = show_overrides(token.content)
        return [token]
    if token.type == "link_close":
        return [token]
    if token.type == "link_open":
        host = urlsplit(str(token.attrs.get("href", ""))).hostname or ""
        token.attrs["target"] = "_blank"
        return [token, *([_raw(f'<span class="roma-host">[{escape(host)}]</span> ')] if host else [])]
    return [token]


def _formula(content: str, dollars: str = "$") -> Token:
    """Return a formula for the page to set; what does not look like one stays text with its dollar signs."""
    if not _MATH.search(content) or any(sign in content for sign in (_OPEN, _FROM, _TO)):
        return _text(f"{dollars}{show_overrides(content)}{dollars}")
    names = "roma-math roma-math-block" if dollars == "$$" else "roma-math"
    return _raw(f'<span class="{names}">{escape(show_overrides(content))}</span>')


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _raw(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)
