"""JATS, the XML of journal articles (ANSI/NISO Z39.96): read as the page that it describes."""

from __future__ import annotations

from typing import Any

import lxml.html
from lxml import etree

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.web import markup
from roma_core.types import Document, RawDocument

TAGS = {
    "p": "p",
    "list": "ul",
    "list-item": "li",
    "def-list": "dl",
    "disp-quote": "blockquote",
    "preformat": "pre",
    "code": "pre",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "td": "td",
    "th": "th",
    "sup": "sup",
    "sub": "sub",
    "bold": "strong",
    "italic": "em",
    "caption": "figcaption",
    "break": "br",
}
"""Elements of JATS and the HTML element that a reader sees them as."""
_ORDERED = frozenset({"order", "alpha-lower", "alpha-upper", "roman-lower", "roman-upper"})
CONTAINERS = {
    "article",
    "front",
    "article-meta",
    "abstract",
    "body",
    "back",
    "sec",
    "table-wrap",
    "fig",
    "fn-group",
    "fn",
    "ack",
    "app",
    "app-group",
    "boxed-text",
    "title-group",
}
DROPPED = {
    "journal-meta",
    "article-id",
    "contrib-group",
    "pub-date",
    "permissions",
    "history",
    "ref-list",
    "kwd-group",
    "aff",
    "author-notes",
    "article-categories",
    "volume",
    "issue",
    "fpage",
    "lpage",
    "elocation-id",
    "self-uri",
    "counts",
    "funding-group",
    "custom-meta-group",
    "graphic",
    "media",
}


_FACTS_PATH = " | ".join(f".//*[local-name()='{name}']" for name in sorted(DROPPED - {"ref-list", "contrib-group"}))


def parse(raw: RawDocument, root: Any, options: ParseOptions) -> Document:
    """Write an article whose tree is ``root``. Raises ``EMPTY``."""
    builder = DocumentBuilder(raw, options, "xml")
    builder.title = one_line("".join(_texts(root, ".//*[local-name()='article-title']")))[:500] or None
    authors = root.xpath(".//*[local-name()='contrib']//*[local-name()='name']")
    names = [one_line(" ".join(reversed([part for part in name.itertext() if part.strip()]))) for name in authors]
    if names:
        builder.metadata["author"] = ", ".join(names)
    for reference in root.xpath(".//*[local-name()='ref-list']//*[local-name()='ref']"):
        builder.leave_out(one_line(" ".join(reference.itertext())), "boilerplate", place="references")
    for fact in root.xpath(_FACTS_PATH):
        place = etree.QName(fact).localname
        builder.leave_out(one_line(" ".join(fact.itertext())), "boilerplate", place=f"{place} of the article")
    page = lxml.html.Element("body")
    _copy(root, page, 1)
    markup.write(builder, markup.read_blocks(page))
    return builder.build()


def _texts(root: Any, path: str) -> list[str]:
    found = root.xpath(path)
    return list(found[0].itertext()) if found else []


def _copy(source: Any, target: Any, depth: int) -> None:
    """Append to ``target`` what a reader sees of ``source``'s children; ``depth`` is the level of their headings."""
    if source.text:
        _append_text(target, source.text)
    for child in source:
        if not isinstance(child.tag, str):
            if child.tail:
                _append_text(target, child.tail)
            continue
        name = etree.QName(child).localname
        if name not in DROPPED:
            _copy_one(child, name, target, depth)
        if child.tail:
            _append_text(target, child.tail)


def _copy_one(child: Any, name: str, target: Any, depth: int) -> None:
    if name in {"title", "article-title", "label"}:
        is_heading = name != "label"
        element = _append(target, f"h{min(depth, 6)}" if is_heading else "span")
        _copy(child, element, depth)
        if not is_heading:
            _append_text(target, " ")
    elif name in CONTAINERS:
        inner = _append(target, "figure" if name in {"table-wrap", "fig"} else "section")
        if name == "abstract" and not any(etree.QName(part).localname == "title" for part in child.iterchildren("*")):
            heading = _append(inner, f"h{min(depth + 1, 6)}")
            heading.text = "Abstract"
        _copy(child, inner, depth + (1 if name in {"abstract", "sec", "body", "ack", "app"} else 0))
    elif name == "math":
        target.append(_without_namespaces(child))
    elif name == "tex-math":
        _append(target, "span").text = f"${' '.join((child.text or '').split()).strip('$')}$"
    elif name in TAGS:
        is_ordered = name == "list" and (child.get("list-type") or "") in _ORDERED
        element = _append(target, "ol" if is_ordered else TAGS[name])
        for attribute in ("rowspan", "colspan"):
            if child.get(attribute):
                element.set(attribute, child.get(attribute))
        _copy(child, element, depth)
    else:
        _copy(child, _append(target, "span"), depth)


def _without_namespaces(formula: Any) -> Any:
    """Return a copy of a formula with the names that HTML gives its elements."""
    copy = lxml.html.Element(etree.QName(formula).localname, dict(formula.attrib))
    copy.text = formula.text
    for child in formula.iterchildren("*"):
        inner = _without_namespaces(child)
        inner.tail = child.tail
        copy.append(inner)
    return copy


def _append(target: Any, tag: str) -> Any:
    element = lxml.html.Element(tag)
    target.append(element)
    return element


def _append_text(target: Any, text: str) -> None:
    if len(target):
        target[-1].tail = (target[-1].tail or "") + text
    else:
        target.text = (target.text or "") + text
