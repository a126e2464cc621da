"""PPTX: slides in order, each a page and a section, with titles, levels, tables, charts, notes and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line, raise_digits
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.docx_numbering import integer
from roma_core.parsers.office.drawingml import A, write_drawing
from roma_core.parsers.office.omml import M, latex
from roma_core.parsers.office.ooxml import Package, R, alternatives, local
from roma_core.parsers.office.slide_order import Rectangle, reading_order, rectangle_of
from roma_core.types import Document, RawDocument

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"dt", "ftr", "sldNum", "hdr", "sldImg"})
_BODIES = frozenset({"", "body", "obj", "subTitle"})
_EMU_PER_POINT = 12700


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` and ``EMPTY``. ``options.pages`` are slide numbers."""
    package = Package(raw.data)
    builder = DocumentBuilder(raw, options, "pptx", metadata=dict(package.properties()))
    main = package.main("ppt/presentation.xml")
    root = package.part(main)
    if root is None:
        raise ParserError("The presentation's main part is empty; save it again in PowerPoint.")
    names = [name for name in slides(package, main, root) if name]
    authors = comment_authors(package, main)
    builder.metadata["slides"] = len(names)
    for number, name in enumerate(names, start=1):
        if options.pages is None or number in options.pages:
            _slide(builder, package, name, number, authors, _size(root))
    embedded = package.embedded()
    if embedded:
        builder.metadata["parts"] = len(embedded)
    for name in embedded:
        builder.leave_out(PurePosixPath(name).name, "attachment", place="embedded file")
    if names and builder.is_empty:
        raise ParserError(
            "The slides hold no text; if they are pictures, export the presentation to PDF and use OCR.",
            ErrorCode.PARSER_EMPTY,
        )
    return builder.build()


def slides(package: Package, main: str, root: Any) -> Iterator[str]:
    """Part names of the slides in the order of the show."""
    relations = package.relations(main)
    for entry in root.iter(f"{P}sldId"):
        relation = relations.get(entry.get(f"{R}id") or "")
        if relation is not None and not relation.external:
            yield relation.target


def _size(root: Any) -> tuple[float | None, float | None]:
    size = root.find(f"{P}sldSz")
    numbers = [size.get(name) for name in ("cx", "cy")] if size is not None else []
    if len(numbers) == 2 and all(n and n.isdecimal() for n in numbers):
        return int(numbers[0]) / _EMU_PER_POINT, int(numbers[1]) / _EMU_PER_POINT
    return None, None


def _slide(
    builder: DocumentBuilder,
    package: Package,
    name: str,
    number: int,
    authors: dict[str, str],
    size: tuple[float | None, float | None],
) -> None:
    try:
        root = package.part(name)
    except ParserError as error:
        builder.warn(f"Slide {number} cannot be read: {error.message}")
        return
    if root is None:
        builder.warn(f"Slide {number} is missing.")
        return
    hidden = root.get("show") in {"0", "false"}
    builder.page(number, width=size[0], height=size[1])
    reader = SlideReader(builder, package, name)
    shapes = list(reader.shapes(root.find(f"{P}cSld/{P}spTree")))
    title = next((s.text for s in shapes if s.kind in _TITLES and s.text), "")
    builder.open_section(one_line(title) or f"Slide {number}", "slide")
    if title:
        builder.heading(title, 1, section=False)
    if hidden:
        builder.paragraph("(hidden slide)")
    for shape in shapes:
        if not (shape.kind in _TITLES and shape.text == title):
            reader.write(shape)
    _comments(builder, package, name, authors)
    _notes(builder, package, name)


@dataclass
class SlideShape:
    """A shape in reading order: ``kind`` is its placeholder's type ("" for none)."""

    element: Any
    kind: str
    placeholder: bool
    text: str


@dataclass
class SlideReader:
    """Reads the shapes of one slide (or its notes) and writes them."""

    builder: DocumentBuilder
    package: Package
    part: str
    _trees: dict[str, Any] = field(default_factory=dict)
    """Layouts and masters that were looked at, by part."""

    def shapes(self, tree: Any, depth: int = 0) -> Iterator[SlideShape]:
        """Shapes of a tree with those of its groups: titles first, the others as they stand on the slide."""
        found = self._shapes(tree, depth) if tree is not None else []
        yield from sorted(found, key=lambda shape: shape.kind not in _TITLES)

    def _shapes(self, tree: Any, depth: int) -> list[SlideShape]:
        """Return the shapes of a tree in reading order; those of a group stay together."""
        units: list[list[SlideShape]] = []
        boxes: list[Rectangle | None] = []
        for element in alternatives(tree):
            name = local(element)
            if name == "grpSp" and depth < 50:
                units.append(self._shapes(element, depth + 1))
                boxes.append(rectangle_of(element))
            elif name in {"sp", "pic", "graphicFrame", "cxnSp"}:
                mark = next((node for node in element.iter(f"{P}ph")), None)
                kind = (mark.get("type") or "") if mark is not None else ""
                if kind not in _FURNITURE:
                    text = self.text(element.find(f"{P}txBody"))
                    units.append([SlideShape(element, kind, mark is not None, text)])
                    boxes.append(rectangle_of(element) or self._layout_box(mark))
        return [shape for i in reading_order(boxes) for shape in units[i]]

    def _layout_box(self, mark: Any) -> Rectangle | None:
        """Return the place that the slide's layout, or its master, gives a placeholder."""
        if mark is None:
            return None
        part = self.part
        for kind in ("slideLayout", "slideMaster"):
            part = next(iter(self.package.related(part, kind)), "")
            if part not in self._trees:
                self._trees[part] = self.package.part(part)
            tree = self._trees[part]
            for other in tree.iter(f"{P}ph") if tree is not None else ():
                has_same_index = mark.get("idx") is not None and mark.get("idx") == other.get("idx")
                if has_same_index or (mark.get("type") or "body") == (other.get("type") or "body"):
                    box = rectangle_of(next(other.iterancestors(f"{P}sp"), other))
                    if box is not None:
                        return box
        return None

    def write(self, shape: SlideShape) -> None:
        element = shape.element
        body = element.find(f"{P}txBody")
        if local(element) == "graphicFrame":
            table = next(element.iter(f"{A}tbl"), None)
            if table is not None:
                self.builder.table(self.grid(table))
            else:
                write_drawing(self.builder, element, self.package, self.part)
        elif local(element) == "pic" or element.find(f".//{A}blip") is not None:
            write_drawing(self.builder, element, self.package, self.part)
        if body is not None:
            self.body(body, bulleted=shape.placeholder and shape.kind in {"", "body", "obj"})

    def body(self, body: Any, *, bulleted: bool) -> None:
        """Paragraphs of a text body; those with a bullet, a number or a level are items of a list."""
        items: list[ListItem] = []
        counters: dict[int, int] = {}
        for paragraph in body.iterchildren(f"{A}p"):
            text = self.paragraph(paragraph)
            depth, bullet = _bullet(paragraph, bulleted)
            if not text or bullet is None:
                self._flush(items)
                counters.clear()
                self.builder.paragraph(text)
                continue
            counters = {d: n for d, n in counters.items() if d <= depth}
            counters[depth] = counters.get(depth, bullet - 1) + 1
            items.append(ListItem(text, depth, f"{counters[depth]}." if bullet else "-"))
        self._flush(items)

    def _flush(self, items: list[ListItem]) -> None:
        if len(items) == 1 and items[0].marker == "-" and items[0].depth == 0:
            self.builder.paragraph(items[0].text)  # a placeholder's only sentence is no list
        else:
            self.builder.list(items)
        items.clear()

    def text(self, body: Any) -> str:
        lines = (self.paragraph(p) for p in body.iterchildren(f"{A}p")) if body is not None else ()
        return "\n".join(line for line in lines if line)

    def paragraph(self, element: Any) -> str:
        return "".join(self._pieces(element)).strip()

    def _pieces(self, element: Any) -> Iterator[str]:
        for child in alternatives(element):
            name = local(child)
            if name in {"r", "fld"}:
                text = child.findtext(f"{A}t") or ""
                properties = child.find(f"{A}rPr")
                if properties is not None and integer(properties.get("baseline"), 0) > 0:
                    text = raise_digits(text)
                link = child.find(f"{A}rPr/{A}hlinkClick")
                relation = self.package.relations(self.part).get(link.get(f"{R}id") or "") if link is not None else None
                yield link_text(text, relation.target) if relation and relation.external else text
            elif name == "br":
                yield "\n"
            elif child.tag == f"{M}oMath":
                yield f"${latex(child)}$"
            elif name in {"oMathPara", "m"}:
                yield from self._pieces(child)

    def grid(self, table: Any) -> tables.Grid:
        """Rows of a table; merged cells repeat their text in each place."""
        rows: tables.Grid = []
        for row in table.iterchildren(f"{A}tr"):
            texts: list[str] = []
            for cell in row.iterchildren(f"{A}tc"):
                above = rows[-1][len(texts)] if rows and len(texts) < len(rows[-1]) else ""
                if cell.get("hMerge") in {"1", "true"} and texts:
                    texts.append(texts[-1])
                elif cell.get("vMerge") in {"1", "true"}:
                    texts.append(above)
                else:
                    texts.append(self.text(cell.find(f"{A}txBody")))
            rows.append(texts)
        return tables.fill_grid(rows)


def _bullet(paragraph: Any, default: bool) -> tuple[int, int | None]:
    """Depth, and the kind of bullet: None for none, 0 for a mark, n for a number that begins at n."""
    properties = paragraph.find(f"{A}pPr")
    level = (properties.get("lvl") or "0") if properties is not None else "0"
    depth = int(level) if re.fullmatch(r"\d", level) else 0
    if properties is not None:
        number = properties.find(f"{A}buAutoNum")
        if number is not None:
            start = number.get("startAt") or "1"
            return depth, int(start) if start.isdecimal() and int(start) > 0 else 1
        if properties.find(f"{A}buNone") is not None:
            return depth, None
        if properties.find(f"{A}buChar") is not None or properties.find(f"{A}buBlip") is not None:
            return depth, 0
    return depth, 0 if default or depth else None


def _notes(builder: DocumentBuilder, package: Package, slide: str) -> None:
    """Write the speaker's notes as the slide's last section."""
    for name in package.related(slide, "notesSlide"):
        try:
            root = package.part(name)
        except ParserError as error:
            builder.warn(f"Speaker notes cannot be read: {error.message}")
            continue
        if root is None:
            continue
        reader = SlideReader(builder, package, name)
        shapes = reader.shapes(root.find(f"{P}cSld/{P}spTree"))
        texts = [shape.text for shape in shapes if shape.kind in _BODIES and shape.text.strip()]
        if texts:
            builder.open_section("Notes", "notes", 2)
            for text in texts:
                for line in text.split("\n"):
                    builder.paragraph(line, "notes")


def comment_authors(package: Package, main: str) -> dict[str, str]:
    """Names by id, of old comments and of threaded ones."""
    authors: dict[str, str] = {}
    for kind in ("commentAuthors", "authors"):
        for name in package.related(main, kind):
            root = package.part(name)
            for author in root if root is not None else ():
                if isinstance(author.tag, str):
                    authors[author.get("id") or ""] = author.get("name") or ""
    return authors


def _comments(builder: DocumentBuilder, package: Package, slide: str, authors: dict[str, str]) -> None:
    for name in package.related(slide, "comments"):
        root = package.part(name)
        for comment in root.iter() if root is not None else ():
            if local(comment) not in {"cm", "reply"}:
                continue
            date = comment.get("dt") or comment.get("created")
            builder.comment(authors.get(comment.get("authorId") or ""), _comment_text(comment), date=date)


def _comment_text(comment: Any) -> str:
    """Text of one comment without that of the replies to it."""
    old = comment.findtext(f"{P}text")
    if old is not None:
        return str(old)
    bodies = [child for child in comment if local(child) == "txBody"]
    return " ".join(t.text or "" for body in bodies for t in body.iter(f"{A}t"))
