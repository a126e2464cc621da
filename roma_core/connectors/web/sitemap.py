"""Lists of addresses that a site publishes: sitemaps (protocol 0.9), text sitemaps, RSS and Atom feeds. Pure.

They are read by an XML parser, so stylesheet lines, byte order marks, comments, DOCTYPEs and any encoding are no
matter. Entities are not expanded and nothing outside is loaded, so a document can neither grow nor reach out.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urljoin

from lxml import etree

from roma_core.errors import ConnectorError, ErrorCode

SitemapKind = Literal["urlset", "sitemapindex", "rss", "atom", "text"]

MAX_BYTES: Final = 50 * 1024 * 1024
"""The protocol's limit of an unpacked sitemap."""
MAX_TEXT_LINES: Final = 50_000
HEAD: Final = 65_536
"""Bytes in which the root element begins, whatever stands before it."""

_KINDS: Final[dict[str, SitemapKind]] = {
    "urlset": "urlset",
    "sitemapindex": "sitemapindex",
    "rss": "rss",
    "RDF": "rss",  # RSS 1.0
    "feed": "atom",
}
_ENTRIES: Final[dict[SitemapKind, str]] = {
    "urlset": "url",
    "sitemapindex": "sitemap",
    "rss": "item",
    "atom": "entry",
}
_MODIFIED: Final = ("lastmod", "pubDate", "updated", "date")
_END: Final = re.compile(rb"</(?:[\w.-]+:)?(?:urlset|sitemapindex|rss|RDF|feed)\s*>")
_EMPTY: Final = re.compile(rb"<(?:[\w.-]+:)?(?:urlset|sitemapindex|rss|RDF|feed)\b[^<>]*/>")
_ADDRESS: Final = re.compile(r"https?://\S+\Z", re.IGNORECASE)


@dataclass(frozen=True)
class SitemapEntry:
    """An address and the time of its last change, as the site wrote it ("" when it did not)."""

    url: str
    modified: str = ""


@dataclass(frozen=True)
class Sitemap:
    """The entries of a list, each address once. Those of a ``sitemapindex`` are further sitemaps."""

    kind: SitemapKind
    entries: tuple[SitemapEntry, ...]
    is_whole: bool = True
    """False for a list that ends before its root element does, so that there may be more entries."""

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(entry.url for entry in self.entries)

    @property
    def is_index(self) -> bool:
        return self.kind == "sitemapindex"

    @property
    def noun(self) -> str:
        """The word for this kind of list."""
        return "feed" if self.kind in {"rss", "atom"} else "sitemap"


def read_sitemap(body: bytes, url: str = "", media_type: str = "") -> Sitemap | None:
    """Return the list of addresses that ``body`` is, else None. ``url`` resolves relative links.

    >>> read_sitemap(b"<urlset><url><loc>https://example.org/a</loc></url></urlset>").urls
    ('https://example.org/a',)
    """
    kind = _root_kind(body)
    if kind is not None:
        return _read_xml(body, kind, url)
    if media_type.partition(";")[0].strip().lower() == "text/plain":
        return _read_text(body)
    return None


def unpack_sitemap(body: bytes) -> bytes:
    """Return a gzip-compressed sitemap unpacked. Raises ``ConnectorError`` (corrupt, too large)."""
    unpacker = zlib.decompressobj(31)
    try:
        unpacked = unpacker.decompress(body, MAX_BYTES)
    except zlib.error:
        raise ConnectorError("The sitemap cannot be unpacked.", ErrorCode.CONNECTOR_CORRUPT) from None
    if unpacker.unconsumed_tail:
        raise ConnectorError(
            f"The sitemap has more than the {MAX_BYTES >> 20} MB of its protocol; the site has to split it.",
            ErrorCode.CONNECTOR_TOO_LARGE,
        )
    if not unpacker.eof:
        raise ConnectorError("The compressed sitemap is cut off.", ErrorCode.CONNECTOR_CORRUPT)
    return unpacked


def _root_kind(body: bytes) -> SitemapKind | None:
    """Return what the root element says that ``body`` is; None for what is no XML list."""
    head = body[:HEAD].lstrip(b" \t\r\n\xef\xbb\xbf")
    if not head.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return None
    parser = etree.XMLPullParser(events=("start",), recover=True, resolve_entities=False, no_network=True)
    try:
        parser.feed(head)
        root = next((element for _, element in parser.read_events()), None)
    except etree.XMLSyntaxError:
        return None
    return None if root is None else _KINDS.get(_local_name(root))


def _read_xml(body: bytes, kind: SitemapKind, url: str) -> Sitemap | None:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, recover=True, huge_tree=False, remove_comments=True
    )
    root = etree.fromstring(body.lstrip(b" \t\r\n\xef\xbb\xbf"), parser, base_url=url or None)
    if root is None or _declares_entities(root):
        return None
    entries: dict[str, SitemapEntry] = {}
    for element in root.iter(f"{{*}}{_ENTRIES[kind]}"):
        address = _address_of(element, kind)
        if address:
            is_relative = ":" not in address.partition("/")[0]  # RFC 3986, 4.2
            absolute = urljoin(element.base or url, address) if is_relative else address
            entries.setdefault(absolute, SitemapEntry(absolute, _read_time(element)))
    return Sitemap(kind, tuple(entries.values()), is_whole=_has_end(body))


def _has_end(body: bytes) -> bool:
    """Return whether the root element is closed; a parser that recovers closes it where the document is cut off."""
    tail = body[-HEAD:].replace(b"\0", b"").rstrip()  # UTF-16 has a zero in each letter
    return _END.search(tail) is not None or _EMPTY.search(tail) is not None


def _declares_entities(root: Any) -> bool:
    """Return whether the document declares entities, which no honest list does."""
    declarations = root.getroottree().docinfo.internalDTD
    return declarations is not None and next(declarations.iterentities(), None) is not None


def _address_of(element: Any, kind: SitemapKind) -> str:
    """Return the address of an entry; images, videos and enclosures have others, which do not count."""
    if kind in {"urlset", "sitemapindex"}:
        return _child_text(element, "loc")
    if kind == "atom":
        for link in element.iterchildren("{*}link"):
            if link.get("rel", "alternate") == "alternate" and link.get("href"):
                return str(link.get("href")).strip()
        return ""
    link_text = _child_text(element, "link")
    if link_text:
        return link_text
    guid = next(element.iterchildren("{*}guid"), None)
    if guid is None or guid.get("isPermaLink", "true") != "true":
        return ""
    return str(guid.text or "").strip()


def _child_text(element: Any, name: str) -> str:
    child = next(element.iterchildren(f"{{*}}{name}"), None)
    return "" if child is None or child.text is None else str(child.text).strip()


def _read_time(element: Any) -> str:
    return next((text for name in _MODIFIED if (text := _child_text(element, name))), "")


def _read_text(body: bytes) -> Sitemap | None:
    """Return a text sitemap: every line is an address. A text that says anything else is a document."""
    lines = body[:MAX_BYTES].decode("utf-8-sig", "replace").split("\n")
    addresses = [line.strip() for line in lines[: MAX_TEXT_LINES + 1] if line.strip()]
    if not addresses or not all(_ADDRESS.match(address) for address in addresses):
        return None
    return Sitemap("text", tuple(SitemapEntry(address) for address in dict.fromkeys(addresses)))


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
