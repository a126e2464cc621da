"""ODT and ODP: headings, lists with levels, tables, notes, comments, frames; slides with their notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line
from roma_core.parsers.office.ooxml import local
from roma_core.parsers.opendocument.odf import (
    MAX_DEPTH,
    STYLE,
    TABLE,
    TEXT,
    XLINK,
    Odf,
    inline,
    resolve_changes,
    text_of,
)
from roma_core.types import Document, RawDocument

PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_TITLE = re.compile(r"title$", re.IGNORECASE)


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """ODT. Raises ``MALFORMED``, ``ENCRYPTED`` and ``EMPTY``."""
    package = Odf(raw.data)
    builder = DocumentBuilder(raw, options, "odt", metadata=dict(package.metadata()))
    writer = BodyWriter(builder, _style_names(package), _numbered_lists(package))
    body = package.body("text")
    resolve_changes(body, builder)
    writer.children(body)
    writer.notes_at_end()
    return builder.build()


def parse_presentation(raw: RawDocument, options: ParseOptions) -> Document:
    """ODP: each slide a page and a section. Raises as ``parse``."""
    package = Odf(raw.data)
    builder = DocumentBuilder(raw, options, "odp", metadata=dict(package.metadata()))
    writer = BodyWriter(builder, _style_names(package), _numbered_lists(package))
    slides = [page for page in package.body("presentation") if local(page) == "page"]
    for number, slide in enumerate(slides, start=1):
        if options.pages is None or number in options.pages:
            _slide(builder, writer, slide, number)
    return builder.build()


def _slide(builder: DocumentBuilder, writer: BodyWriter, slide: Any, number: int) -> None:
    builder.page(number)
    frames = [shape for shape in slide if local(shape) not in {"notes", "forms"}]
    titled = next((f for f in frames if f.get(f"{PRESENTATION}class") == "title"), None)
    title = one_line(text_of(titled)) if titled is not None else ""
    builder.open_section(title or f"Slide {number}", "slide")
    builder.heading(title, 1, section=False)
    for frame in frames:
        if frame is not titled:
            writer.children(frame)
    notes = [text_of(part) for part in slide.iter(f"{PRESENTATION}notes")]
    if any(notes):
        builder.open_section("Notes", "notes", 2)
        for text in notes:
            builder.paragraph(text, "notes")


def _style_names(package: Odf) -> dict[str, str]:
    """Name of the style that each automatic style is made from."""
    return {
        style.get(f"{STYLE}name") or "": style.get(f"{STYLE}parent-style-name") or style.get(f"{STYLE}name") or ""
        for style in package.styles()
    }


def _numbered_lists(package: Odf) -> dict[str, set[int]]:
    """Levels (from 0) of the list styles that count."""
    found: dict[str, set[int]] = {}
    for root in {style.getroottree().getroot() for style in package.styles()} | {package.content}:
        for style in root.iter(f"{TEXT}list-style"):
            levels = style.iterchildren(f"{TEXT}list-level-style-number")
            numbers = {int(level.get(f"{TEXT}level") or 1) - 1 for level in levels}
            found.setdefault(style.get(f"{STYLE}name") or "", set()).update(numbers)
    return found


@dataclass
class BodyWriter:
    """Writes the elements of a body in order."""

    builder: DocumentBuilder
    styles: dict[str, str]
    numbered: dict[str, set[int]]
    _notes: list[tuple[str, str]] = field(default_factory=list)

    def children(self, element: Any, depth: int = 0) -> None:
        if element.get(f"{TEXT}display") == "none":
            self.builder.leave_out(text_of(element), "hidden", place="hidden section")
            return
        for child in element:
            handler = _HANDLERS.get(local(child))
            if handler is not None:
                handler(self, child)
                self._after(child)
            elif local(child) in _WRAPPERS and depth < MAX_DEPTH:
                self.children(child, depth + 1)

    def heading(self, element: Any) -> None:
        self.notes_at_end()
        level = element.get(f"{TEXT}outline-level") or "1"
        self.builder.heading(inline(element), int(level) if level.isdecimal() else 1)

    def paragraph(self, element: Any) -> None:
        text = inline(element)
        style = element.get(f"{TEXT}style-name") or ""
        name = self.styles.get(style, style)
        if _TITLE.search(name) and not name.lower().startswith("sub"):
            self.builder.title = self.builder.title or one_line(text) or None
            self.builder.heading(text, 1, section=False)
        elif name.lower() in {"quotations", "quote"}:
            self.builder.quote(text)
        elif name.lower() in {"caption", "illustration", "table", "figure", "drawing"}:
            self.builder.paragraph(text, "caption")
        else:
            self.builder.paragraph(text)

    def listing(self, element: Any) -> None:
        style = element.get(f"{TEXT}style-name") or ""
        self.builder.list(list(self._items(element, 0, style)))

    def _items(self, element: Any, depth: int, style: str) -> Iterator[ListItem]:
        number = 0
        counts = depth in self.numbered.get(style, set())
        for item in element:
            if local(item) not in {"list-item", "list-header"} or depth > MAX_DEPTH:
                continue
            lines = [inline(p) for p in item.iterchildren(f"{TEXT}p", f"{TEXT}h")]
            text = "\n".join(line for line in lines if line)
            number += bool(text)
            if text:
                yield ListItem(text, depth, f"{number}." if counts else "-")
            for inner in item.iterchildren(f"{TEXT}list"):
                yield from self._items(inner, depth + 1, inner.get(f"{TEXT}style-name") or style)

    def table(self, element: Any) -> None:
        rows = [list(self._cells(row)) for row in element.iter(f"{TABLE}table-row") if _owner(row) is element]
        self.builder.table(tables.expand(rows))

    def _cells(self, row: Any) -> Iterator[tables.Cell]:
        for cell in row.iterchildren(f"{TABLE}table-cell"):
            spans = [cell.get(f"{TABLE}number-{name}-spanned") or "1" for name in ("rows", "columns")]
            height, width = (int(n) if n.isdecimal() else 1 for n in spans)
            repeat = cell.get(f"{TABLE}number-columns-repeated") or "1"
            for _ in range(min(int(repeat) if repeat.isdecimal() else 1, tables.MAX_COLUMNS_SPANNED)):
                yield tables.Cell(text_of(cell), height, width)

    def frame(self, element: Any) -> None:
        """A text box's blocks, or a picture with its description."""
        alt = next((c.text or "" for c in element if local(c) in {"desc", "title"}), "")
        for child in element:
            if local(child) == "text-box":
                self.children(child, 1)
            elif local(child) == "table":
                self.table(child)
            elif local(child) == "image" and alt:
                self.builder.figure(alt, child.get(f"{XLINK}href") or "")

    def _after(self, element: Any) -> None:
        """Frames, comments and notes that hang on a paragraph or a list."""
        if local(element) not in {"p", "h", "list"}:
            return
        for child in element.iter():
            name = local(child)
            if name == "frame" and local(element) != "list":
                self.frame(child)
            elif name == "annotation":
                facts = {local(c): c.text for c in child}
                self.builder.comment(facts.get("creator"), text_of(child), date=facts.get("date"))
            elif name == "note":
                label = child.findtext(f"{TEXT}note-citation") or ""
                body = child.find(f"{TEXT}note-body")
                self._notes.append((label, text_of(body) if body is not None else ""))

    def notes_at_end(self) -> None:
        for label, text in self._notes:
            self.builder.footnote(label, text)
        self._notes.clear()


def _owner(row: Any) -> Any:
    """The table that a row belongs to."""
    parent = row.getparent()
    while parent is not None and local(parent) != "table":
        parent = parent.getparent()
    return parent


_HANDLERS = {
    "h": BodyWriter.heading,
    "p": BodyWriter.paragraph,
    "list": BodyWriter.listing,
    "table": BodyWriter.table,
    "frame": BodyWriter.frame,
}
_WRAPPERS = frozenset("section index-body text-box g custom-shape page".split())
"""Tables of contents are wrappers that are not entered: ``table-of-content`` holds ``index-body`` one level down."""
