"""Repairs of libxml2's tree of a page by HTML's own rules."""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

HEAD: Final = frozenset({"title", "meta", "link", "base", "script", "style", "noscript", "template"})
"""All that may stand in ``<head>`` (HTML standard, section 4.2, metadata content)."""


def with_body(root: Any) -> Any:
    """Return ``root`` with its content in ``<body>``.

    The tag may be left out; libxml2, which does not know ``<main>`` and other newer elements, then takes them for
    parts of the head.
    """
    stray = [e for e in root.xpath("/html/head/*") if isinstance(e.tag, str) and e.tag not in HEAD]
    if stray:
        body = next(root.iter("body"), None)
        body = etree.SubElement(root, "body") if body is None else body
        for n, element in enumerate(stray):
            body.insert(n, element)
    return root
