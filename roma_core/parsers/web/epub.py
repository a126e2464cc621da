"""EPUB 2 and 3: chapters in reading order, titled by the table of contents; no navigation pages.

Our own zip and OPF reader, because ebooklib is AGPL and reads fewer files.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lxml import etree

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import hyperlinks
from roma_core.parsers.archives import open_archive, read_entry
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.office.ooxml import local
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.web import markup
from roma_core.parsers.web.html import parse_html
from roma_core.parsers.web.markup import ANCHOR, BLOCKS, HtmlBlock
from roma_core.parsers.xml import parse_xml
from roma_core.types import Document, RawDocument

_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_KEPT_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>\s*(?:<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?\s*>)?", re.IGNORECASE)
_META = {"title": "title", "creator": "author", "language": "language", "date": "date", "publisher": "publisher",
         "identifier": "identifier", "description": "description", "subject": "subject"}  # fmt: skip
_PAGES = frozenset(
    {"application/xhtml+xml", "image/svg+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml"}
)
_ALSO_PAGES = frozenset({"text/xml", "application/xml", ""})
"""Types that some books declare for their pages; the file's name decides then."""
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xml")
_INSIDE = frozenset("li td th tr tbody thead tfoot dd dt caption figcaption".split())
MAX_DEPTH = 12


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED``, ``ENCRYPTED`` (DRM) and ``EMPTY``."""
    book = Book(raw.data)
    builder = DocumentBuilder(raw, options, "epub", title=book.metadata.get("title"), metadata=dict(book.metadata))
    entries = book.contents()
    places: dict[str, list[ContentsEntry]] = {}
    for entry in entries:
        places.setdefault(entry.path, []).append(entry)
    for path in book.spine:
        try:
            root = book.page(path)
        except ParserError as error:
            builder.warn(f"A chapter cannot be read: {error.message}")
            continue
        if root is not None and not _is_navigation(root):
            _write_page(builder, root, places.get(path, []), has_contents=bool(entries))
    return builder.build()


@dataclass(frozen=True)
class ContentsEntry:
    """A line of the table of contents: the file and the place in it that it points to; ``depth`` counts from 0."""

    title: str
    path: str
    fragment: str
    depth: int


@dataclass
class Book:
    """An opened EPUB."""

    data: bytes = field(repr=False)
    metadata: dict[str, str] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    """Paths of the pages in reading order, navigation left out."""
    _contents: list[str] = field(default_factory=list)
    """Paths of the tables of contents: EPUB 3 navigation first, then NCX."""

    def __post_init__(self) -> None:
        self._zip = open_archive(self.data, "The book's container is damaged; download or export it again.")
        self._names = {unquote(name).lower(): name for name in self._zip.namelist()}
        path = self._package_path()
        package = parse_xml(self._bytes(path), recover=True)
        for element in package.iter():
            name = _META.get(local(element))
            if name and "purl.org/dc" in str(element.tag) and (element.text or "").strip():
                self.metadata.setdefault(name, one_line(element.text))
        self._read_spine(package, posixpath.dirname(path))
        if not self.spine:
            raise ParserError("The book lists no pages; it is damaged.")
        self._refuse_encrypted()

    def _package_path(self) -> str:
        container = self._bytes("META-INF/container.xml", b"")
        roots = parse_xml(container, recover=True).iter() if container else ()
        listed = [e.get("full-path") or "" for e in roots if local(e) == "rootfile"]
        found = [path for path in listed if path.lower() in self._names] or sorted(
            name for name in self._zip.namelist() if name.lower().endswith(".opf")
        )
        if not found:
            raise ParserError("The file has no book inside (no package document); it is damaged or no EPUB.")
        return found[0]

    def _read_spine(self, package: Any, folder: str) -> None:
        items = {e.get("id"): e for e in package.iter() if local(e) == "item"}
        paths = {name: _join(folder, e.get("href") or "")[0] for name, e in items.items()}
        navigation = [n for n, e in items.items() if "nav" in (e.get("properties") or "").split()]
        ncx = [n for n, e in items.items() if (e.get("media-type") or "") == "application/x-dtbncx+xml"]
        self._contents = [paths[name] for name in (*navigation, *ncx)]
        for reference in (e for e in package.iter() if local(e) == "itemref"):
            name = reference.get("idref")
            if name not in items or name in navigation or paths[name] in self.spine:
                continue
            kind = items[name].get("media-type") or ""
            if kind in _PAGES or (kind in _ALSO_PAGES and paths[name].lower().endswith(_PAGE_SUFFIXES)):
                self.spine.append(paths[name])

    def _refuse_encrypted(self) -> None:
        data = self._bytes("META-INF/encryption.xml", b"")
        if not data:
            return
        locked = {
            unquote(e.get("URI") or "") for e in parse_xml(data, recover=True).iter() if local(e) == "CipherReference"
        }
        if locked & set(self.spine):
            raise ParserError(
                "The book is protected (DRM); ROMA reads only unprotected books.", ErrorCode.PARSER_ENCRYPTED
            )

    def _bytes(self, path: str, default: bytes | None = None) -> bytes:
        name = self._names.get(path.lower())
        if name is None:
            if default is None:
                raise ParserError("A part of the book is missing; download or export it again.")
            return default
        try:
            return read_entry(self._zip, name)
        except (RuntimeError, OSError, KeyError) as error:
            raise ParserError("A part of the book is damaged; download or export it again.") from error

    def page(self, path: str) -> Any:
        """Body of a page, tags without namespace; None when it is empty."""
        data = self._bytes(path)
        return parse_page(data) if data.strip() else None

    def contents(self) -> list[ContentsEntry]:
        """The first table of contents that has lines."""
        for path in self._contents:
            data = self._bytes(path, b"")
            if data:
                root = parse_page(data)
                folder = posixpath.dirname(path)
                found = list(_ncx(root, folder)) if path.lower().endswith(".ncx") else list(_navigation(root, folder))
                found = found or list(_ncx(root, folder))
                if found:
                    return found
        return []


def _join(folder: str, address: str) -> tuple[str, str]:
    """Path inside the archive and fragment of an address relative to ``folder``."""
    path, _, fragment = address.partition("#")
    return posixpath.normpath(posixpath.join(folder, unquote(path))).lstrip("/"), unquote(fragment)


def parse_page(data: bytes) -> Any:
    """Tree of an XHTML page: read as XML, else as HTML; named entities known."""
    text = _XML_DECLARATION.sub("", decode(data, _read_declared_encoding(data)))
    text = _ENTITY.sub(lambda m: m[0] if m[1] in _KEPT_ENTITIES else html.unescape(m[0]), text)
    try:
        root = parse_xml(text.encode("utf-8", "replace"), recover=True)
    except ParserError:
        return parse_html(data)
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = local(element).lower()
    if root.tag == "svg":
        return _page_of_drawing(root)
    for element in list(root.iter("script", "style")):
        parent = element.getparent()
        if parent is not None:
            _remove(element, parent)
    return root


def _page_of_drawing(drawing: Any) -> Any:
    """Return a page that is a drawing (SVG) as its title, its description and its labels."""
    page = etree.Element("body")
    for element in drawing.iter("title", "desc", "text"):
        words = " ".join("".join(element.itertext()).split())
        if words:
            etree.SubElement(page, "p").text = words
    return page


def _remove(element: Any, parent: Any) -> None:
    before = element.getprevious()
    tail = element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)


def _read_declared_encoding(data: bytes) -> str | None:
    found = re.search(rb"""encoding\s*=\s*["']([\w.:-]+)""", data[:200])
    return found[1].decode("ascii", "replace") if found else None


def _navigation(root: Any, folder: str) -> Iterator[ContentsEntry]:
    """Lines of an EPUB 3 navigation page: its ``toc``, not its landmarks or page list."""
    for nav in root.iter("nav"):
        if "toc" in markup.epub_type(nav).split() or nav.get("role") == "doc-toc":
            for listing in nav.iterchildren("ol"):
                yield from _nav_list(listing, folder, 0)
            return


def _nav_list(listing: Any, folder: str, depth: int) -> Iterator[ContentsEntry]:
    for item in listing.iterchildren("li"):
        link = next((e for e in item if local(e) in {"a", "span"}), None)
        if link is not None:
            path, fragment = _join(folder, link.get("href") or "")
            title = one_line(markup.text_of(link))
            if title and link.get("href"):
                yield ContentsEntry(title, path, fragment, depth)
        for inner in item.iterchildren("ol") if depth < MAX_DEPTH else ():
            yield from _nav_list(inner, folder, depth + 1)


def _ncx(root: Any, folder: str, depth: int = 0) -> Iterator[ContentsEntry]:
    """Yield the lines of an NCX, whose tags are lower case as ``parse_page`` leaves them."""
    points = root.iter("navmap") if depth == 0 else [root]
    for parent in points:
        for point in parent.iterchildren("navpoint"):
            title = next((one_line(markup.text_of(e)) for e in point.iterchildren("navlabel")), "")
            source = next((e.get("src") or "" for e in point.iterchildren("content")), "")
            path, fragment = _join(folder, source)
            if title and source:
                yield ContentsEntry(title, path, fragment, depth)
            if depth < MAX_DEPTH:
                yield from _ncx(point, folder, depth + 1)


def _is_navigation(root: Any) -> bool:
    """A page that is only a table of contents, though the package does not say so."""
    kinds = {kind for e in root.iter("body", "section", "nav") for kind in markup.epub_type(e).split()}
    if kinds & {"toc", "landmarks", "page-list", "loi", "lot"} and not kinds & {"chapter", "bodymatter"}:
        return True
    text = len(" ".join(markup.text_of(root).split()))
    linked = sum(len(markup.text_of(a)) for a in root.iter("a") if a.get("href"))
    return bool(text) and linked > 0.8 * text and sum(1 for _ in root.iter("a")) > 4


def _write_page(builder: DocumentBuilder, root: Any, entries: Sequence[ContentsEntry], *, has_contents: bool) -> None:
    """A page's blocks; each of its lines in the contents opens a chapter where it points to."""
    body = next(root.iter("body"), root)
    at_start = [e for e in entries if not e.fragment or not _mark(body, e.fragment)]
    by_fragment = {e.fragment: e for e in entries if e not in at_start}
    hyperlinks.mark_anchors(body, "", markup.BLOCKS)
    blocks = markup.read_blocks(body)
    if not any(block.words.strip() for block in blocks):
        return
    for entry in at_start:
        _open(builder, entry, blocks)
    known = {_letters(e.title) for e in entries}
    if not entries and not has_contents:
        title = _title(root, blocks)
        known.add(_letters(title))
        _open(builder, ContentsEntry(title, "", "", 0), blocks)
    for index, block in enumerate(blocks):
        if block.kind == "anchor":
            if block.name in by_fragment:
                _open(builder, by_fragment[block.name], blocks[index + 1 :])
        elif block.kind == "heading":
            builder.heading(block.text, block.level, section=_letters(block.text) not in known)
        else:
            markup.write(builder, [block])


def _open(builder: DocumentBuilder, entry: ContentsEntry, following: Sequence[HtmlBlock]) -> None:
    """Open a chapter; its title is written where the page has no heading of its own."""
    builder.open_section(entry.title, "chapter", entry.depth + 1)
    near = [b for b in following if b.kind not in {"anchor", "figure"} and b.words][:3]
    says = near[:1] and near[0].kind == "heading"
    if not says and not any(_letters(b.text) == _letters(entry.title) for b in near):
        builder.heading(entry.title, min(6, entry.depth + 1), section=False)


def _title(root: Any, blocks: Sequence[HtmlBlock]) -> str:
    heading = next((b.text for b in blocks if b.kind == "heading" and b.text), "")
    return one_line(heading or next((markup.text_of(t) for t in root.iter("title")), ""))


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def _mark(body: Any, fragment: str) -> bool:
    """Put an anchor in front of the block that has the id ``fragment``; False when there is none."""
    target = next((e for e in body.iter() if e.get("id") == fragment or e.get("name") == fragment), None)
    while target is not None and target is not body and (target.tag not in BLOCKS or target.tag in _INSIDE):
        target = target.getparent()
    if target is None or target is body or target.getparent() is None:
        return False
    anchor = target.makeelement("hr", {ANCHOR: fragment})
    target.addprevious(anchor)
    return True
