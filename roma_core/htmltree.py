"""Repairs of libxml2's tree of a page by HTML's own rules."""

from __future__ import annotations

import re
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


_PANEL: Final = re.compile(
    r"(?:^|[\s_-])(?:tab-?pane|tab-?panel|tab-?content|accordion|collapse|collapsible|aos|wow|fade-?in|fade-?up|reveal)"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)


def is_shown_later(element: Any) -> bool:
    """Return whether a hidden element is one that readers get to see: an inactive tab, or a part that fades in."""
    if (element.get("role") or "").lower() == "tabpanel" or element.get("data-aos") is not None:
        return True
    return _PANEL.search(element.get("class") or "") is not None or "transition" in (element.get("style") or "")
