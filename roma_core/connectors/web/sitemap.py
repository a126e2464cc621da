"""Sitemaps (sitemaps.org protocol 0.9) as lists of addresses. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

LOOKS_LIKE_ONE: Final = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:\w+:)?(urlset|sitemapindex)\b", re.DOTALL
)


@dataclass(frozen=True)
class Sitemap:
    """``urls`` are pages, or further sitemaps when ``is_index``."""

    urls: tuple[str, ...]
    is_index: bool


def read_sitemap(body: bytes) -> Sitemap | None:
    """The sitemap that ``body`` is, else None. Entities are not expanded, so a document cannot grow or reach out."""
    found = LOOKS_LIKE_ONE.match(body[:4096])
    if found is None or b"<!DOCTYPE" in body[:4096] or b"<!ENTITY" in body:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    root = etree.fromstring(body, parser)
    if root is None:
        return None
    urls = (e.text.strip() for e in root.iter("{*}loc") if e.text and e.getparent().tag.rpartition("}")[2] in _OWNERS)
    return Sitemap(tuple(dict.fromkeys(u for u in urls if u)), found[1] == b"sitemapindex")


_OWNERS: Final = frozenset({"url", "sitemap"})  # not the images and videos of an entry
