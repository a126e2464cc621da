"""Links and images in a model's answer: only addresses that the passages hold may stay, images never. Pure.

An answer that is shown can leak what the model has read: an image is fetched without a click, and a link carries
whatever the model was talked into putting in it. Every construct is removed by its syntax, and the result is then
proven by a second reader, the CommonMark parser that the surfaces use; what that one still finds is defused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

REMOVED = "(link removed)"

_IN = r"[^\s<>\"`\\\[\]]"
_ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,20}}:)?//{_IN}+|(?<![\w.@/-])www\.{_IN}+"
    rf"|(?<![\w-])(?:javascript|vbscript|data|file|blob|mailto|tel):{_IN}+",
    re.IGNORECASE,
)
_RUN = re.compile(rf"(?<!{_IN}){_IN}*?(?://|www\.|:){_IN}*", re.IGNORECASE)
"""A word that may hold addresses. Finding these first is four times as fast as looking for addresses everywhere."""
_LABEL = r"(?:[^\[\]\\]|\\.|\[[^\[\]]{0,300}\]){0,600}"
_TARGET = r"\(\s*(?P<target><[^<>\n]*>|(?:[^()\s\\]|\\.|\([^()\s]*\))*)(?:\s+[\"'(][^()]{0,300}\)?)?\s*\)"
_IMAGE = re.compile(rf"!\[(?P<label>{_LABEL})\](?:{_TARGET}|\[[^\[\]]*\])?", re.DOTALL)
_LINK = re.compile(rf"(?<!\\)\[(?P<label>{_LABEL})\]{_TARGET}", re.DOTALL)
_DEFINITION = re.compile(r"^[ \t>*+-]*\[[^\[\]\n]+\]:[ \t]*\n?[ \t]*(?P<target><[^<>\n]*>|\S+)[^\n]*$", re.MULTILINE)
_TAG = re.compile(r"<(?:/?[a-z!?][^<>]*(?:>|\Z))", re.IGNORECASE)
_TAG_LEAKS = re.compile(
    r"//|[\w-]+\s*=|:|^</?(?:img|script|style|link|meta|base|form|input|button|iframe|frame|object|embed|svg|video|audio"
    r"|source|picture|track|applet|portal)\b",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?*_'’”)]}"
_LONGEST_HELD = 4000


@dataclass(frozen=True)
class Cleaned:
    """A text and how many links and images were taken out of it."""

    text: str
    links: int = 0
    images: int = 0


def addresses(texts: Iterable[str]) -> frozenset[str]:
    """Every address that stands in ``texts``, and every target of their links (which may be relative)."""
    found: set[str] = set()
    for text in texts:
        found |= _addresses_in(text)
    return frozenset(found)


@functools.lru_cache(maxsize=1024)
def _addresses_in(text: str) -> frozenset[str]:
    """Kept for the passages seen last: they are looked at twice a query, and the same ones are found again."""
    found = {a for m in _each_address(text) for a in _spellings(m[0])}
    found.update(m["target"].strip("<>") for m in _LINK.finditer(text) if text[m.start() - 1 : m.start()] != "!")
    return frozenset(found)


def _each_address(text: str) -> Iterator[re.Match[str]]:
    for run in _RUN.finditer(text):
        yield from _ADDRESS.finditer(text, *run.span())


def _with_addresses(text: str, by: Callable[[re.Match[str]], str]) -> str:
    """``text`` in which every address is what ``by`` makes of it."""
    parts: list[str] = []
    last = 0
    for match in _each_address(text):
        parts += (text[last : match.start()], by(match))
        last = match.end()
    return "".join((*parts, text[last:]))


def _spellings(address: str) -> Iterator[str]:
    """The address without the punctuation that prose or Markdown puts behind it, cut one mark at a time."""
    while True:
        yield address
        if not address or address[-1] not in _TRAILING:
            return
        address = address[:-1]


def clean(text: str, allowed: Set[str], *, links: bool = True, images: bool = True) -> Cleaned:
    """``text`` without images and without links to what is not ``allowed``. A link's words stay.

    Raises nothing; what survives is proven by ``leaks`` and defused if need be.
    """
    count = _Counter(allowed)
    if images:
        text = _IMAGE.sub(count.image, text)
        text = _TAG.sub(lambda m: count.image_tag(m) if m[0].lower().startswith("<img") else m[0], text)
    if links:
        text = _LINK.sub(count.link, text)
        text = _DEFINITION.sub(count.definition, text)
        text = _TAG.sub(count.tag, text)
        text = _with_addresses(text, count.address)
    unwanted = {kind for kind, remove in (("image", images), ("link", links)) if remove}
    if unwanted.intersection(leaks(text, allowed)):
        text = defuse_links(text)
        count.links += 1
    return Cleaned(text, count.links, count.images)


class _Counter:
    """The replacements of ``clean``; each counts what it takes out."""

    def __init__(self, allowed: Set[str]) -> None:
        self._allowed = allowed
        self.links = 0
        self.images = 0

    def image(self, match: re.Match[str]) -> str:
        self.images += 1
        return match["label"]

    def image_tag(self, match: re.Match[str]) -> str:
        self.images += 1
        return ""

    def link(self, match: re.Match[str]) -> str:
        if match["target"].strip("<>") in self._allowed:
            return match[0]
        self.links += 1
        return match["label"]

    def definition(self, match: re.Match[str]) -> str:
        target = match["target"].strip("<>")
        if target in self._allowed or not re.search(r"[:/.]", target):
            return match[0]
        self.links += 1
        return ""

    def tag(self, match: re.Match[str]) -> str:
        if match[0].strip("<>") in self._allowed or not _TAG_LEAKS.search(match[0]):
            return match[0]
        self.links += 1
        return ""

    def address(self, match: re.Match[str]) -> str:
        for address in _spellings(match[0]):
            if address in self._allowed:
                return match[0] if address == match[0] else address + match[0][len(address) :]
        self.links += 1
        body = match[0].rstrip(_TRAILING)
        return REMOVED + match[0][len(body) :]


_MAY_LINK = re.compile(r"<|\](?=[(:])")
"""Without one of these no reader of CommonMark sees a link, an image or a tag: references need a definition."""


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True})


def leaks(text: str, allowed: Set[str]) -> list[str]:
    """Return the constructs that a CommonMark reader still sees: ``image``, and ``link`` for those not allowed."""
    if not _MAY_LINK.search(text):
        return []
    parser = _markdown()
    fine = allowed | {parser.normalizeLink(a) for a in allowed}
    found: list[str] = []
    for token in _tokens(parser.parse(text)):
        tags = _TAG.findall(token.content) if token.type.startswith("html") else []
        if token.type == "image" or any(tag.lower().startswith("<img") for tag in tags):
            found.append("image")
        elif token.type == "link_open":
            found += ["link"] * (str(token.attrGet("href")) not in fine)
        elif any(_TAG_LEAKS.search(tag) for tag in tags):
            found.append("link")
    return found


def _tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


def defuse_links(text: str) -> str:
    """``text`` in which nothing can be a link or an image: the signs that make one are taken apart."""
    return re.sub(r"(?<=\])(?=[(:\[])|(?<=!)(?=\[)|(?<=<)(?=[a-z/!?])", " ", text, flags=re.IGNORECASE)


_SUSPICIOUS = re.compile(r"[\[<!:/]|www\.", re.IGNORECASE)
_BEGUN = r"(?<!\w)(?:h|ht|htt|http|https|w|ww|www|java\w*|vbscript|data|file|blob|mailto|tel)"
"""The first letters of an address."""
_STIRS = re.compile(rf"{_SUSPICIOUS.pattern}|{_BEGUN}\Z", re.IGNORECASE)
_SIGN = re.compile(r"[\[<!:/.]")
_ENDS_IN_ADDRESS = re.compile(rf"{_BEGUN}\Z", re.IGNORECASE)


def _stirs(piece: str) -> bool:
    """True when ``piece`` holds a sign of a link or may end in the beginning of one."""
    if _SIGN.search(piece) is None:  # cheaper by far, and so for almost every piece
        return _ENDS_IN_ADDRESS.search(piece.rpartition(" ")[2]) is not None
    return _STIRS.search(piece) is not None


class LinkFilter:
    """``clean`` for a text that arrives in pieces: what may become a link or an image is held until it is known."""

    def __init__(self, allowed: Set[str], *, links: bool = True, images: bool = True) -> None:
        self._allowed = allowed
        self._links = links
        self._images = images
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return the part of the text so far that may be shown."""
        if not self._held and not _stirs(piece):
            return piece  # as almost every piece is
        self._held += piece
        safe = _safe_length(self._held)
        if len(self._held) - safe > _LONGEST_HELD:
            return self.rest()
        shown, self._held = self._held[:safe], self._held[safe:]
        return self._clean(shown)

    def rest(self) -> str:
        """Return the part that was held, once nothing follows. A construct that never closed is taken apart."""
        held, self._held = self._held, ""
        return self._clean(defuse_links(held) if _open_at(held) < len(held) else held)

    def _clean(self, text: str) -> str:
        if not text or not _SUSPICIOUS.search(text):
            return text
        return clean(text, self._allowed, links=self._links, images=self._images).text


_CLOSED = re.compile(rf"!?\[{_LABEL}\](?:{_TARGET}|\[[^\[\]]*\](?=[^(])|(?=[^(\[:])|:(?=\s*\S+\s))", re.DOTALL)
_OPENS = re.compile(r"!?\[|<(?=[a-z/!?]|\Z)|!\Z", re.IGNORECASE)
_FORMING = re.compile(rf"(?:{_BEGUN}|\S*(?:://?|//|www\.|\w:)\S*)\Z", re.IGNORECASE)


def _safe_length(text: str) -> int:
    """Length of the longest beginning that holds no construct which may still go on."""
    opened = _open_at(text)
    forming = _FORMING.search(text, 0, opened)
    return forming.start() if forming and opened == len(text) else opened


def _open_at(text: str) -> int:
    """Offset of the first bracket or tag that is not closed yet, or the length."""
    position = 0
    while opened := _OPENS.search(text, position):
        closed = (_TAG if opened[0].startswith("<") else _CLOSED).match(text, opened.start())
        if closed is None or (opened[0].startswith("<") and not closed[0].endswith(">")):
            return opened.start()
        position = max(closed.end(), opened.end())
    return len(text)
