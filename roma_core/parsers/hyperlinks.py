"""Links on their way through a parser: words wrapped in private-use marks, which become ``Link`` spans in the end.

An address inside the text would be embedded, searched and quoted with the words around it; as a span it costs nothing
there, and ``Document.markdown`` writes it where a reader expects it. The marks let a link pass all that happens to its
words before their offsets are known (joining, escaping, tables, lists).
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

SCHEMES = frozenset({"http", "https", "mailto"})
"""Schemes of addresses that are kept; what runs code or holds the data itself is not."""
MAX_ADDRESS = 2000
_CODE = frozenset({"pre", "code", "kbd", "samp", "tt"})

_PLANE = 0xF0000
_HIDE = {code: _PLANE + code for code in range(0x20, 0x7F)}
_SHOW = {hidden: code for code, hidden in _HIDE.items()}
_OPEN, _SHUT, _CLOSE = "\U00100000", "\U00100001", "\U00100002"
_MARK = re.compile(f"{_OPEN}([\U000f0020-\U000f007e]*){_SHUT}|{_CLOSE}|[{_OPEN}{_SHUT}]")
_ADDRESS_CHARS = "!#$%&'*+,-./:;=?@_~[]"
_PLAIN_ADDRESS = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]*(?:/(?!\.)[\w!$%&'*+,.;=@~:-]*)*(?:\?[\w!$%&'*+,./:;=?@~-]*)?", re.ASCII
)
"""An address that is absolute and plain already: no dots to resolve, nothing to quote."""


_PLAIN_PATH = re.compile(r"/(?![/.])(?:[\w!$%&'*+,.=@~:-]+/(?!\.))*[\w!$%&'*+,.=@~:-]*", re.ASCII)
"""A path from the root of a site that is plain already: most links of a wiki."""


@functools.lru_cache(maxsize=64)
def _origin_of(base: str) -> str:
    """Return scheme and host of a plain base; "" for one that needs more than putting together."""
    match = _PLAIN_ORIGIN.match(base)
    return match[0] if match else ""


_PLAIN_ORIGIN = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?=[/?#]|\Z)", re.ASCII)


class Found(NamedTuple):
    """Half-open range in a text, and where it leads."""

    start: int
    end: int
    url: str


def address_of(target: str, base: str = "") -> str | None:
    """``target`` made absolute and plain ASCII; None for what is no http(s) or mail address, or one without a base."""
    words = "".join(target.split("\n")).strip()
    if _PLAIN_ADDRESS.fullmatch(words):  # most of a page's: taking them apart is the dearest part of reading it
        return words if len(words) <= MAX_ADDRESS else None
    if base and _PLAIN_PATH.fullmatch(words):
        origin = _origin_of(base)
        if origin:
            return f"{origin}{words}" if len(origin) + len(words) <= MAX_ADDRESS else None
    try:
        found = urljoin(base, words) if base else words
        parts = urlsplit(found)
    except ValueError:
        return None
    if parts.scheme.lower() not in SCHEMES or not (parts.netloc or parts.path):
        return None
    address = quote(found, safe=_ADDRESS_CHARS)
    return address if len(address) <= MAX_ADDRESS and (parts.netloc or parts.scheme.lower() == "mailto") else None


def link_text(text: str, target: str, base: str = "") -> str:
    """``text`` whose words lead to ``target``; as it is where the address says nothing more, or leads nowhere."""
    words, address = bare(text).strip(), address_of(target, base)
    if not words or address is None or words in {target, address, address.removeprefix("mailto:")}:
        return text
    lead = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    return f"{text[:lead]}{_opening(address)}{text[lead:end]}{_CLOSE}{text[end:]}"


def _opening(address: str) -> str:
    return f"{_OPEN}{address.translate(_HIDE)}{_SHUT}"


def bare(text: str) -> str:
    """``text`` without marks."""
    return _MARK.sub("", text) if _OPEN in text else text


def taken(text: str) -> tuple[str, list[Found]]:
    """``text`` without marks, and the links that were marked in it. Marks that do not pair are dropped."""
    if _OPEN not in text:
        return text, []
    parts: list[str] = []
    found: list[Found] = []
    at = size = 0
    start, url = -1, ""
    for mark in _MARK.finditer(text):
        parts.append(text[at : mark.start()])
        size += mark.start() - at
        at = mark.end()
        if mark[1]:
            start, url = size, mark[1].translate(_SHOW)
        elif mark[0] == _CLOSE and 0 <= start < size:
            found.append(Found(start, size, url))
            start = -1
    return "".join([*parts, text[at:]]), found


def mark_anchors(root: Any, base: str, blocks: frozenset[str]) -> None:
    """Mark the words of each ``<a href>`` of a tree.

    ``blocks`` are the tags that end a line: a link around some of them marks the first that holds none.
    """
    if next(root.iter(*_CODE), None) is None:
        anchors = root.iter("a")
    else:
        anchors = root.xpath(
            "descendant-or-self::a[@href][not(ancestor::pre or ancestor::code or ancestor::kbd "
            "or ancestor::samp or ancestor::tt)]"
        )
    for anchor in anchors:
        target = (anchor.get("href") or "").strip()
        if not target or target.startswith("#"):
            continue
        element = _innermost_line(anchor, blocks) if len(anchor) else anchor
        words, address = "".join(element.itertext()).strip(), address_of(target, base)
        if words and address is not None and words not in {target, address.removeprefix("mailto:")}:
            _mark(element, _opening(address))


def _innermost_line(anchor: Any, blocks: frozenset[str]) -> Any:
    """Return the first block inside of a link that holds none itself; the link where it holds no block."""
    inner = [e for e in anchor.iterdescendants() if e.tag in blocks]
    return next((e for e in inner if not any(d.tag in blocks for d in e.iterdescendants())), anchor)


def _mark(element: Any, opening: str) -> None:
    """Put the marks next to the words: white space and line breaks at the edges stay outside."""
    text = element.text or ""
    lead = len(text) - len(text.lstrip())
    element.text = f"{text[:lead]}{opening}{text[lead:]}"
    last = element[-1] if len(element) else None
    text = (last.tail if last is not None else element.text) or ""
    end = len(text.rstrip())
    text = f"{text[:end]}{_CLOSE}{text[end:]}"
    if last is not None:
        last.tail = text
    else:
        element.text = text
