"""An HTML page as fetched: made safe and quiet, its links, and what is needed to know it again. Pure.

libxml2 reads in linear time but for one thing: attributes of one tag (100 000 of them took 16 s), so tags are cut
before it sees them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import unquote

import lxml.html
from lxml import etree

from roma_core import injection
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.htmltree import with_body
from roma_core.types import digest

MAX_TAG: Final = 16_384
"""Bytes of one tag that are read; embedded images, the honest reason for longer ones, are taken out first."""
MIN_WORDS: Final = 20
"""Words below which a page counts as without text (then it is drawn), or as too short to be called a copy."""
SKETCH: Final = 256
NEAR: Final = 0.9
"""Share of common four-word runs (Jaccard) from which two pages are the same in other surroundings."""

_DATA_URI: Final = re.compile(rb"""(["'])\s*data:[^"'<>]*\1""", re.IGNORECASE)
_LONG_TAG: Final = re.compile(rb"<([a-zA-Z!/?][^<>]{%d})[^<>]*>?" % MAX_TAG)
_META_CHARSET: Final = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_HIDING: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*0(?!\.?[1-9])|opacity\s*:\s*0(?![.\d])"
    r"|(?:text-indent|left|top|right|margin-left)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*[01](?:px)?[\s,]"
    r"|clip-path\s*:\s*inset\(\s*(?:50|100)%|(?<![\w-])(?:width|height)\s*:\s*0(?:px)?\s*(?:;|$)",
    re.IGNORECASE,
)
_COLOUR: Final = re.compile(r"(?<![\w-])color\s*:\s*([^;!]+)", re.IGNORECASE)
_BACKGROUND: Final = re.compile(r"background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
_INVISIBLE: Final = re.compile(
    "[\u00ad\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
    "|(?<=[\x00-\x7f])[\u200c\u200d]+(?=[\x00-\x7f])"  # joiners have a use in other scripts and in emoji
)
_ACTIVE: Final = ("script", "style", "template", "iframe", "frame", "object", "embed", "applet", "link", "base")
_AROUND: Final = ("nav", "header", "footer", "aside", "form", "noscript", "script", "style", "template")
_NO_CONTENT: Final = ("nav", "head", "script", "style", "template")
_WITH_VALUE: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Rules of a robots tag that hold a colon themselves."""
_ADDRESSES: Final = ("href", "src", "action", "formaction", "poster", "cite", "data", "background", "srcset")
_WORDS: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class WebPage:
    """``html`` is the clean page in UTF-8. ``hidden`` is the text that readers of the page do not see."""

    html: bytes
    title: str
    links: tuple[str, ...]
    canonical: str | None
    words: int
    scripted: bool
    hidden: str
    signs: tuple[str, ...]
    """Signs of prompt injection in what the page shows and in what it hid; ``hidden`` when only readers miss it."""
    sketch: frozenset[int]
    follow: bool
    index: bool = True
    """False when the page asks not to be indexed (``noindex``)."""
    text_sha256: str = ""
    """Hash of the title and of all that readers see but navigation: two fetches with the same one say the same."""
    shape_sha256: str = ""
    """The same without the words of the page's own address: equal for all pages that say "/x does not exist"."""


@dataclass(frozen=True)
class RobotsRules:
    """Wishes of one page about indexing it and about following its links."""

    index: bool
    follow: bool


def read_robots_rules(values: Iterable[str], robot: str) -> RobotsRules:
    """Return the wishes in ``X-Robots-Tag`` headers or ``<meta name=robots>`` contents, for all robots or ``robot``.

    A value may begin with the name of the robot that it is for. Others' are not ours. Source of the grammar:
    developers.google.com/search/docs/crawling-indexing/robots-meta-tag.

    >>> read_robots_rules(["otherbot: noindex, nofollow"], "ROMAbot").follow
    True
    """
    words: set[str] = set()
    for value in values:
        is_ours = True
        for part in value.lower().split(","):
            name, colon, rule = part.partition(":")
            names_robot = bool(colon) and name.strip() not in _WITH_VALUE
            if names_robot:
                is_ours = name.strip() == robot.lower()
            if is_ours:
                words.add((rule if names_robot else part).strip())
    return RobotsRules(index=not words & {"noindex", "none"}, follow=not words & {"nofollow", "none"})


def read_page(body: bytes, url: str, media_type: str | None = None, robot: str = "") -> WebPage:
    """Return the page. ``robot`` is the name by which ``<meta>`` tags may speak to us alone.

    Raises ``ConnectorError`` (corrupt) for what holds no HTML at all.
    """
    root = _tree(body, media_type)
    root.make_links_absolute(url, resolve_base_href=True, handle_failures="discard")
    canonical = next(iter(root.xpath('//link[@rel="canonical"]/@href')), None)
    rules = read_robots_rules(_robots_metas(root, robot), robot)
    links = tuple(dict.fromkeys(str(a) for a in root.xpath("//a[not(contains(@rel, 'nofollow'))]/@href")))
    scripted = bool(root.xpath("//script[not(contains(@type, 'json'))]"))
    hidden = " ".join(_sanitise(root))
    text = main_text(root)
    title = " ".join("".join(root.xpath("//title[1]//text()")).split())[:300]
    identity = " ".join(" ".join(_text_for_identity(root)).split())
    own_words = set(_WORDS.findall(unquote(url).lower()))
    shape = " ".join(word for word in _WORDS.findall(f"{title} {identity}".lower()) if word not in own_words)
    return WebPage(
        html=b"<!DOCTYPE html>\n" + lxml.html.tostring(root, encoding="utf-8"),
        title=title,
        links=links,
        canonical=str(canonical) if canonical else None,
        words=len(_WORDS.findall(text)),
        scripted=scripted,
        hidden=hidden,
        signs=_signs(root.text_content(), hidden),
        sketch=sketch(text),
        follow=rules.follow,
        index=rules.index,
        text_sha256=digest("page", title, identity),
        shape_sha256=digest("shape", shape),
    )


def _robots_metas(root: Any, robot: str) -> Iterator[str]:
    for element in root.xpath("//meta[@name and @content]"):
        if element.get("name").strip().lower() in {"robots", robot.lower()}:
            yield element.get("content")


def _tree(body: bytes, media_type: str | None) -> Any:
    safe = _LONG_TAG.sub(rb"<\1>", _DATA_URI.sub(rb"\1\1", body))
    text = safe.decode(_encoding(safe, media_type), "replace").replace("\0", "")
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = lxml.html.document_fromstring(
            re.sub(r"^\s*<\?xml[^>]*>", "", text).encode("utf-8", "replace"), parser=parser
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise ConnectorError("The page is empty or holds no HTML.", ErrorCode.CONNECTOR_CORRUPT) from None
    return with_body(root)


def _encoding(body: bytes, media_type: str | None) -> str:
    """By byte order mark, header, ``<meta>``, then UTF-8 if it fits, else Windows-1252 (as browsers do)."""
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    if mark := next((name for mark, name in marks.items() if body.startswith(mark)), None):
        return mark
    named = _CHARSET.search(media_type or "")
    meta = _META_CHARSET.search(body[:4096])
    for name in (named[1] if named else "", meta[1].decode("ascii", "replace") if meta else ""):
        try:
            return codecs.lookup(name).name
        except LookupError:
            continue
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _sanitise(root: Any) -> Iterator[str]:
    """Take out what acts, what is hidden and what cannot be seen; yield the hidden text."""
    for element in root.xpath('//meta[translate(@http-equiv, "REFSH", "refsh")="refresh"]'):
        _drop(element)
    for element in list(root.iter(*_ACTIVE)):
        # Structured data says author and date; the address that the page calls its own is kept with it.
        kept = "ld+json" in (element.get("type") or "") or element.get("rel") == "canonical"
        if not kept:
            _drop(element)
    for element in [e for e in root.iter() if _is_hidden(e)]:
        yield str(element.text_content())
        _drop(element)
    for element in root.iter():
        if isinstance(element.tag, str):
            _clean(element)


def _signs(shown: str, hidden: str) -> tuple[str, ...]:
    below = injection.signs(hidden)
    return tuple(sorted({*injection.signs(shown), *below, *(["hidden"] if below else [])}))


def _is_hidden(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in {"html", "body", "head"}:
        return False
    if element.get("hidden") is not None or (element.get("aria-hidden") or "").lower() == "true":
        return True
    style = element.get("style") or ""
    if _HIDING.search(style):
        return True
    colour, background = _COLOUR.search(style), _BACKGROUND.search(style)
    same = colour and background and colour[1].strip().lower() == background[1].strip().lower()
    return bool(same or (colour and "transparent" in colour[1].lower()))


def _clean(element: Any) -> None:
    for name, value in list(element.attrib.items()):
        lowered = name.lower()
        is_address = lowered in _ADDRESSES or lowered.endswith(":href")
        if lowered.startswith("on") or lowered in {"srcdoc", "style", "ping"} or (is_address and not _is_plain(value)):
            del element.attrib[name]
        elif _INVISIBLE.search(value):
            element.set(name, _INVISIBLE.sub("", value))
    for part in ("text", "tail"):
        words = getattr(element, part)
        if words and _INVISIBLE.search(words):
            setattr(element, part, _INVISIBLE.sub("", words))


def _is_plain(address: str) -> bool:
    """No scheme that runs anything (``java\\nscript:`` is one for browsers)."""
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", re.sub(r"[\x00-\x20]", "", address).lower())
    return scheme is None or scheme[1] in {"http", "https", "mailto", "tel"}


def _drop(element: Any) -> None:
    if element.getparent() is not None and element.tag not in {"html", "body", "head"}:
        element.drop_tree()


def main_text(root: Any) -> str:
    """Text of ``<main>`` or ``<article>`` if there is one, else of the body, without what surrounds it."""
    body = next(iter(root.xpath("//main | //*[@role='main']") or root.xpath("//article") or root.xpath("//body")), root)
    return " ".join(_own_text(body))


def _own_text(element: Any) -> Iterator[str]:
    """Text below ``element`` but not in navigation, headers, footers or forms."""
    return _text_outside(element, _AROUND)


def _text_for_identity(root: Any) -> Iterator[str]:
    """All text that may be content: a change of it must not be overlooked, so only navigation and code are left out."""
    return _text_outside(root, _NO_CONTENT)


def _text_outside(element: Any, excluded: tuple[str, ...]) -> Iterator[str]:
    depth = 0
    for event, node in etree.iterwalk(element, events=("start", "end")):
        is_excluded = node.tag in excluded
        if event == "start":
            depth += is_excluded
            if not depth and node.text:
                yield node.text
        else:
            depth -= is_excluded
            if not depth and node.tail and node is not element:
                yield node.tail


def sketch(text: str) -> frozenset[int]:
    """The ``SKETCH`` smallest hashes of the four-word runs (bottom-k sketch: Broder 1997, section 4)."""
    words = [w.lower() for w in _WORDS.findall(text)]
    if len(words) < MIN_WORDS:
        return frozenset()
    runs = {" ".join(words[i : i + 4]) for i in range(len(words) - 3)}
    hashes = (int.from_bytes(blake2b(run.encode(), digest_size=8).digest(), "big") for run in runs)
    return frozenset(sorted(hashes)[:SKETCH])


def alike(a: frozenset[int], b: frozenset[int]) -> float:
    """Estimated Jaccard similarity (0..1) of two sketched texts; 0 when one is too short to tell."""
    if not a or not b:
        return 0.0
    smallest = set(sorted(a | b)[:SKETCH])
    return len(smallest & a & b) / len(smallest)
