"""DOCX: the words as Word shows them, with headings, lists, tables, notes, comments, text boxes and equations.

Read from the XML, because python-docx knows neither notes, comments, text boxes, list labels nor the strict dialect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from roma_core.parsers import hyperlinks, media, revisions, tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, one_line, raise_digits
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.docx_numbering import Numbering, W, integer, read_numbering, value
from roma_core.parsers.office.drawingml import write_drawing
from roma_core.parsers.office.omml import latex
from roma_core.parsers.office.ooxml import Package, R, alternatives, local, walk
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.web import html, markup
from roma_core.types import Document, RawDocument

FURNITURE = "Headers and footers"
"""Title of the section in which what repeats on the pages stands once."""

_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_CONTENTS = re.compile(r"toc \d$|table of figures$", re.IGNORECASE)
_LIST_STYLE = re.compile(r"list (?:number|bullet) ([2-5])", re.IGNORECASE)
_LINK = re.compile(r'\bHYPERLINK\s+(?:\\\w\s+)*"([^"]+)"', re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"\W*(?:page|seite|página|pagina)?\W*\d*(?:\s*(?:of|/|von|de|di)\s*\d*)?\W*", re.IGNORECASE)
EMBEDDED_FILE = "embedded file"
"""Place of a file inside of a document that is no part of its text."""
MAX_NESTING = 40


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED`` and ``EMPTY``."""
    package = Package(raw.data)
    builder = DocumentBuilder(raw, options, "docx", metadata=dict(package.properties()))
    reader = StoryReader(package, package.main("word/document.xml"), builder)
    reader.read()
    return builder.build()


@dataclass(frozen=True)
class ParagraphStyle:
    """The properties of a paragraph style that parsing needs, inherited values included."""

    name: str = ""
    outline: int | None = None
    number: str = ""
    depth: int = 0
    is_hidden: bool = False


@dataclass
class ParagraphText:
    """A paragraph's text, and what hangs on it: drawings, text boxes, comments and notes, in order."""

    text: str = ""
    drawings: list[Any] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    """Names of the parts that hold embedded files."""

    def take(self, other: ParagraphText) -> None:
        self.drawings += other.drawings
        self.boxes += other.boxes
        self.comments += other.comments
        self.notes += other.notes
        self.hidden += other.hidden
        self.embedded += other.embedded


@dataclass
class StoryReader:
    """Writes one story (the body, a note, a header) of a document to a builder."""

    package: Package
    part: str
    builder: DocumentBuilder
    styles: dict[str, ParagraphStyle] = field(init=False)
    numbering: Numbering = field(init=False)
    notes: dict[tuple[str, str], Any] = field(init=False)
    comments: dict[str, Any] = field(init=False)
    _items: list[ListItem] = field(default_factory=list)
    _hanging: ParagraphText = field(default_factory=ParagraphText)
    _nesting: int = 0

    def __post_init__(self) -> None:
        self.styles = read_styles(self.package, self.part)
        self.numbering = read_numbering(self.package, self.part)
        self.notes = {
            (kind, note.get(f"{W}id") or ""): note
            for kind in ("footnote", "endnote")
            for note in self._find_parts(f"{kind}s", kind)
        }
        self.comments = {note.get(f"{W}id") or "": note for note in self._find_parts("comments", "comment")}

    def _find_parts(self, relation: str, tag: str) -> Iterator[Any]:
        for name in self.package.related(self.part, relation):
            root = self.package.part(name)
            yield from root.iterchildren(f"{W}{tag}") if root is not None else ()

    def read(self) -> None:
        root = self.package.part(self.part)
        body = root.find(f"{W}body") if root is not None else None
        for element in body if body is not None else ():
            self.block(element)
        self._flush()
        self._write_notes()
        self._furniture(root)

    def block(self, element: Any) -> None:
        """One element of a story: a paragraph, a table, or a wrapper around such."""
        name = local(element)
        if name == "p":
            self.paragraph(element)
        elif name == "tbl":
            self.table(element)
        elif name in {"sdt", "sdtContent", "customXml", "ins", "moveTo", "AlternateContent", "txbxContent", "smartTag"}:
            for child in alternatives(element):
                self.block(child)
        elif name in {"oMathPara", "oMath"}:
            self._display(element)
        elif name == "altChunk":
            self._import(element)

    def _import(self, element: Any) -> None:
        """Write a file that the body takes in whole (``altChunk``): a page, text or another document."""
        relation = self.package.relations(self.part).get(element.get(f"{R}id") or "")
        if relation is None or relation.external:
            self.builder.warn("a part that the document takes in from outside is missing")
            return
        self._flush()
        self._write_embedded(relation.target, self.package.bytes_of(relation.target) or b"", "imported part")

    def _write_embedded(self, name: str, data: bytes, what: str) -> None:
        """Write a file inside of this one; what no reader here takes is named in the loss ledger."""
        if what == EMBEDDED_FILE:
            self.builder.metadata["parts"] = self.builder.metadata.get("parts", 0) + 1
            if self.builder.options.parts_apart:
                self.builder.leave_out(PurePosixPath(name).name, "attachment", place=what)
                return
        raw = RawDocument(uri=name, data=data)
        kind = media.detect(raw) if data else ""
        if kind == media.DOCX and self._nesting < MAX_NESTING:
            package = Package(data)
            inner = StoryReader(package, package.main("word/document.xml"), self.builder, _nesting=self._nesting + 1)
            inner.read()
        elif kind in {media.HTML, media.MHTML}:
            page = html.parse_html(data, warn=self.builder.warn)
            hyperlinks.mark_anchors(page, "", markup.BLOCKS)
            markup.write(self.builder, markup.read_blocks(next(page.iter("body"), page)))
        elif kind in {media.TEXT, media.MARKDOWN}:
            for paragraph in decode(data, warn=self.builder.warn).split("\n\n"):
                self.builder.paragraph(paragraph)
        else:
            file = PurePosixPath(name).name
            self.builder.leave_out(file, "attachment", place=what)
            self.builder.warn(f"{what} {file} ({kind or 'empty'}) was not read")

    def paragraph(self, element: Any) -> None:
        style = self.style_of(element)
        line = self.line(element)
        level = heading_level(element, style)
        if _CONTENTS.match(style.name):
            return
        if style.is_hidden:
            self.builder.leave_out(line.text, "hidden", place="text hidden by its style")
            return
        if line.text and level is not None:
            self._heading(element, style, line, level)
        elif line.text and style.name.lower() == "title":
            self._title(line)
        elif line.text:
            self._prose(element, style, line)
        self._after(line)

    def _heading(self, element: Any, style: ParagraphStyle, line: ParagraphText, level: int) -> None:
        self._flush()
        self._write_notes()
        label = self.label(element, style)
        self.builder.heading(f"{label[0].rstrip('.')} {line.text}" if label and label[0] != "-" else line.text, level)

    def _title(self, line: ParagraphText) -> None:
        self._flush()
        self.builder.title = self.builder.title or one_line(line.text)
        self.builder.heading(line.text, 1, section=False)

    def _prose(self, element: Any, style: ParagraphStyle, line: ParagraphText) -> None:
        label = self.label(element, style)
        if label is not None:
            self._items.append(ListItem(line.text, label[1], label[0] or "-"))
            return
        self._flush()
        name = style.name.lower()
        if name == "caption":
            self.builder.paragraph(line.text, "caption")
        elif name in {"quote", "intense quote", "block text"}:
            self.builder.quote(line.text)
        elif line.text.startswith("$$") and line.text.endswith("$$"):
            self.builder.add("paragraph", line.text)
        else:
            self.builder.paragraph(line.text)

    def _display(self, element: Any) -> None:
        self._flush()
        self.builder.add("paragraph", f"$${latex(element)}$$")

    def _after(self, line: ParagraphText) -> None:
        """Notes, comments and figures anchored in a paragraph; notes wait for the end of the section."""
        self._hanging.notes += [note for note in line.notes if note not in self._hanging.notes]
        if line.drawings or line.boxes or line.comments or line.embedded:
            self._flush()
        for drawing in line.drawings:
            write_drawing(self.builder, drawing, self.package, self.part)
        for hidden in line.hidden:
            self.builder.leave_out(hidden, "hidden", place="hidden text")
        for name in line.embedded:
            self._flush()
            self.builder.paragraph(f"Embedded file: {PurePosixPath(name).name}", "caption")
            self._write_embedded(name, self.package.bytes_of(name) or b"", EMBEDDED_FILE)
        if line.boxes and self._nesting < MAX_NESTING:
            self._nesting += 1
            for box in line.boxes:
                self.block(box)
            self._flush()
            self._nesting -= 1
        for comment in line.comments:
            self._comment(comment)

    def _flush(self) -> None:
        if self._items:
            self.builder.list(self._items)
            self._items = []

    def _comment(self, number: str) -> None:
        comment = self.comments.pop(number, None)
        if comment is not None:
            self.builder.comment(comment.get(f"{W}author"), self.story(comment), date=comment.get(f"{W}date"))

    def _write_notes(self) -> None:
        for kind, number in self._hanging.notes:
            note = self.notes.pop((kind, number), None)
            if note is not None:
                self.builder.footnote(note_label(kind, number), self.story(note))
        self._hanging.notes.clear()

    def story(self, element: Any) -> str:
        """Text of a note, a comment or a cell: its paragraphs and the rows of its tables as lines."""
        return "\n".join(line for line in self._story_lines(element, 0) if line.strip())

    def _story_lines(self, element: Any, depth: int) -> Iterator[str]:
        for child in walk(element, "p", "tbl"):
            if local(child) == "tbl":
                if depth < MAX_NESTING:
                    for row in self.grid(child, depth + 1):
                        yield " | ".join(text.replace("\n", " ") for text in row)
                continue
            line, style = self.line(child), self.style_of(child)
            if style.is_hidden:
                self.builder.leave_out(line.text, "hidden", place="text hidden by its style")
                continue
            label = self.label(child, style) if line.text else None
            yield f"{label[0]} {line.text}" if label else line.text
            self._hanging.take(line)
            for box in line.boxes if depth < MAX_NESTING else ():
                yield from self._story_lines(box, depth + 1)

    def table(self, element: Any) -> None:
        self._flush()
        cells = list(walk(element, "tc"))
        if len(cells) == 1 and self._nesting < MAX_NESTING:  # a frame around text
            self._nesting += 1
            for child in cells[0]:
                self.block(child)
            self._flush()
            self._nesting -= 1
            return
        self.builder.table(self.grid(element))
        hanging, self._hanging = self._hanging, ParagraphText(notes=self._hanging.notes)
        hanging.notes, hanging.boxes = [], []
        self._after(hanging)

    def grid(self, element: Any, depth: int = 0) -> tables.Grid:
        """Rows of a table; merged cells repeat their text in each place."""
        rows: tables.Grid = []
        for row in walk(element, "tr"):
            properties = row.find(f"{W}trPr")
            before = integer(_setting(properties, "gridBefore"), 0) if properties is not None else 0
            texts = [""] * min(before, tables.MAX_COLUMNS_SPANNED)
            for cell in walk(row, "tc"):
                texts += self._cell(cell, rows[-1] if rows else [], len(texts), depth)
            rows.append(texts)
        return tables.fill_grid(rows)

    def _cell(self, cell: Any, above: list[str], column: int, depth: int) -> list[str]:
        properties = cell.find(f"{W}tcPr")
        span = max(1, min(integer(_setting(properties, "gridSpan"), 1), tables.MAX_COLUMNS_SPANNED))
        merge = properties.find(f"{W}vMerge") if properties is not None else None
        text = self.story(cell)
        if merge is not None and merge.get(f"{W}val") in {None, "continue"} and column < len(above):
            text = above[column]
        return [text] * span

    def style_of(self, element: Any) -> ParagraphStyle:
        properties = element.find(f"{W}pPr")
        name = _setting(properties, "pStyle") if properties is not None else ""
        return self.styles.get(name) or ParagraphStyle()

    def label(self, element: Any, style: ParagraphStyle) -> tuple[str, int] | None:
        """Label and depth of a list paragraph; None for one that is in no list."""
        own = element.find(f"{W}pPr/{W}numPr")
        number, depth = style.number, style.depth
        if own is not None:
            number = _setting(own, "numId") or number
            depth = integer(_setting(own, "ilvl"), depth)
        if not number or number == "0":
            return None
        found = self.numbering.label(number, depth)
        named = _LIST_STYLE.fullmatch(style.name)  # each of these built-in styles is a list of its own, one level deep
        return (found, max(depth, int(named[1]) - 1 if named else 0)) if found is not None else None

    def line(self, element: Any) -> ParagraphText:
        """Inline content of a paragraph."""
        writer = _Inline(self.package, self.part, self.styles, self.builder)
        writer.children(element)
        line = writer.line
        text = "".join(writer.parts).strip()
        # The marks of notes stand at the end of the paragraph: a sentence must be quotable as it was written.
        line.text = text + "".join(f"[^{note_label(*note)}]" for note in line.notes) if text else ""
        return line

    def _furniture(self, root: Any) -> None:
        """Headers and footers, each text once, at the end."""
        lines: dict[str, None] = {}
        relations = self.package.relations(self.part)
        for reference in root.iter(f"{W}headerReference", f"{W}footerReference") if root is not None else ():
            relation = relations.get(reference.get(f"{R}id") or "")
            story = self.package.part(relation.target) if relation and not relation.external else None
            for line in self.story(story).split("\n") if story is not None else ():
                if line.strip() and not _PAGE_NUMBER.fullmatch(line.strip()):
                    lines[line.strip()] = None
        if lines:
            self.builder.open_section(FURNITURE, "heading", 1)
            self.builder.paragraph("\n".join(lines))


@dataclass
class _Inline:
    """Collects the text of a paragraph's runs. Fields are a stack: their instruction is read, their result kept."""

    package: Package
    part: str
    styles: dict[str, ParagraphStyle]
    builder: DocumentBuilder
    parts: list[str] = field(default_factory=list)
    line: ParagraphText = field(default_factory=ParagraphText)
    _fields: list[tuple[list[str], int]] = field(default_factory=list)
    _in_code: int = 0

    def children(self, element: Any) -> None:
        for child in alternatives(element):
            self.one(child)

    def one(self, element: Any) -> None:
        handler = _INLINE.get(local(element))
        if handler is not None:
            handler(self, element)

    def run(self, element: Any) -> None:
        properties = element.find(f"{W}rPr")
        before = len(self.parts)
        self.children(element)
        if properties is not None and self._is_hidden(properties):
            self.line.hidden.append("".join(self.parts[before:]))
            del self.parts[before:]
            return
        if properties is not None and value(properties.find(f"{W}vertAlign")) == "superscript":
            self.parts[before:] = [raise_digits("".join(self.parts[before:]))]

    def _is_hidden(self, properties: Any) -> bool:
        """Return whether a run is hidden, by itself or by its style."""
        own = _switch(properties, "vanish")
        if own is not None:
            return own
        style = self.styles.get(_setting(properties, "rStyle"))
        return style is not None and style.is_hidden

    def inserted(self, element: Any) -> None:
        self._change(element, "inserted")

    def deleted(self, element: Any) -> None:
        self._change(element, "deleted")

    def _change(self, element: Any, change: revisions.Change) -> None:
        place = "moved text" if local(element).startswith("move") else "tracked changes"
        before, line = len(self.parts), self.line
        self.line = ParagraphText()
        self.children(element)
        if revisions.shows(self.builder, change):
            line.take(self.line)
        self.line = line
        text = "".join(self.parts[before:])
        self.parts[before:] = [revisions.write_change(self.builder, change, text, place)]

    def text(self, element: Any) -> None:
        self.put(element.text or "")

    def put(self, text: str) -> None:
        if not self._in_code:
            self.parts.append(text)

    def line_break(self, element: Any) -> None:
        self.put("\n" if element.get(f"{W}type") in {None, "textWrapping"} else " ")

    def symbol(self, element: Any) -> None:
        code = integer_base16(element.get(f"{W}char"))
        self.put(chr(code) if code and not 0xE000 <= code <= 0xF8FF else "")

    def link(self, element: Any) -> None:
        relation = self.package.relations(self.part).get(element.get(f"{R}id") or "")
        before = len(self.parts)
        self.children(element)
        if relation and relation.external:
            self._wrap(before, relation.target)

    def _wrap(self, before: int, address: str) -> None:
        text = "".join(self.parts[before:])
        del self.parts[before:]
        self.parts.append(link_text(text, address))

    def field_mark(self, element: Any) -> None:
        kind = element.get(f"{W}fldCharType")
        if kind == "begin":
            self.put(read_form_field(element.find(f"{W}ffData")))
            self._fields.append(([], len(self.parts)))
            self._in_code += 1
        elif kind == "separate" and self._fields:
            self._in_code = max(0, self._in_code - 1)
            self._fields[-1] = (self._fields[-1][0], len(self.parts))
        elif kind == "end" and self._fields:
            instruction, before = self._fields.pop()
            self._in_code = min(self._in_code, len(self._fields))
            address = _LINK.search("".join(instruction))
            if address:
                self._wrap(before, address[1])

    def instruction(self, element: Any) -> None:
        if self._fields:
            self._fields[-1][0].append(element.text or "")

    def simple_field(self, element: Any) -> None:
        before = len(self.parts)
        self.children(element)
        address = _LINK.search(element.get(f"{W}instr") or "")
        if address:
            self._wrap(before, address[1])

    def note(self, element: Any) -> None:
        kind = local(element).removesuffix("Reference")
        number = element.get(f"{W}id") or ""
        self.line.notes.append((kind, number))

    def comment(self, element: Any) -> None:
        self.line.comments.append(element.get(f"{W}id") or "")

    def object(self, element: Any) -> None:
        """Note an embedded file; its picture is drawn as any other."""
        relations = self.package.relations(self.part)
        for embedded in walk(element, "OLEObject"):
            relation = relations.get(embedded.get(f"{R}id") or "")
            if relation is not None and not relation.external:
                self.line.embedded.append(relation.target)
        self.drawing(element)

    def drawing(self, element: Any) -> None:
        boxes = list(walk(element, "txbxContent"))
        self.line.boxes += boxes
        if not boxes or any(True for _ in walk(element, "blip", "imagedata", "chart")):
            self.line.drawings.append(element)

    def equation(self, element: Any) -> None:
        self.put(f"${latex(element)}$")

    def display(self, element: Any) -> None:
        self.put(" ".join(f"$${latex(part)}$$" for part in walk(element, "oMath")))


_INLINE = {
    "r": _Inline.run,
    "t": _Inline.text,
    "delText": _Inline.text,
    "ins": _Inline.inserted,
    "moveTo": _Inline.inserted,
    "del": _Inline.deleted,
    "moveFrom": _Inline.deleted,
    "tab": lambda writer, _: writer.put(" "),
    "ptab": lambda writer, _: writer.put(" "),
    "br": _Inline.line_break,
    "cr": _Inline.line_break,
    "noBreakHyphen": lambda writer, _: writer.put("-"),
    "sym": _Inline.symbol,
    "hyperlink": _Inline.link,
    "fldChar": _Inline.field_mark,
    "instrText": _Inline.instruction,
    "fldSimple": _Inline.simple_field,
    "footnoteReference": _Inline.note,
    "endnoteReference": _Inline.note,
    "commentReference": _Inline.comment,
    "drawing": _Inline.drawing,
    "pict": _Inline.drawing,
    "object": _Inline.object,
    "oMath": _Inline.equation,
    "oMathPara": _Inline.display,
} | dict.fromkeys("smartTag sdt sdtContent customXml ruby rubyBase dir bdo txbxContent".split(), _Inline.children)
"""Everything else (properties, bookmarks) has no text to show."""


def read_styles(package: Package, part: str) -> dict[str, ParagraphStyle]:
    """Return paragraph and character styles by id, each with what it inherits."""
    root = package.part(next(iter(package.related(part, "styles")), None))
    found = {s.get(f"{W}styleId") or "": s for s in (root.iterchildren(f"{W}style") if root is not None else ())}
    return {name: _inherit_style(_ancestry(name, found)) for name in found}


def _ancestry(name: str, found: dict[str, Any]) -> list[Any]:
    """The style and what it is based on, nearest first."""
    chain: list[Any] = []
    while name in found and found[name] not in chain:
        chain.append(found[name])
        name = _setting(chain[-1], "basedOn")
    return chain


def _inherit_style(chain: Iterable[Any]) -> ParagraphStyle:
    name, outline, number, depth = "", "", "", ""
    is_hidden: bool | None = None
    for style in chain:
        if is_hidden is None:
            is_hidden = _switch(style.find(f"{W}rPr"), "vanish")
        own = _setting(style, "name")
        # A style made by the user "based on Heading 1" is a heading too.
        if not name or (_HEADING.match(own) and not _HEADING.match(name)):
            name = own
        properties = style.find(f"{W}pPr")
        if properties is not None:
            outline = outline or _setting(properties, "outlineLvl")
            numbered = properties.find(f"{W}numPr")
            if numbered is not None:
                number = number or _setting(numbered, "numId")
                depth = depth or _setting(numbered, "ilvl")
    level = integer(outline, 9) if outline else None
    return ParagraphStyle(name, level, number, integer(depth, 0), bool(is_hidden))


def heading_level(element: Any, style: ParagraphStyle) -> int | None:
    """1..9 for a heading: by its own outline level, its style's, or its style's name."""
    own = element.find(f"{W}pPr/{W}outlineLvl")
    outline = integer(value(own), 9) if own is not None else style.outline
    if outline is not None:
        return outline + 1 if 0 <= outline < 9 else None
    named = _HEADING.match(style.name)
    return int(named[1]) if named else None


def note_label(kind: str, number: str) -> str:
    """Return a note's label: its number, with an ``e`` before it for an endnote."""
    return f"{'e' if kind == 'endnote' else ''}{number}"


def integer_base16(text: str | None) -> int:
    """Return the value of up to four hexadecimal digits; 0 for anything else."""
    return int(text, 16) if text and re.fullmatch(r"[0-9A-Fa-f]{1,4}", text) else 0


def read_form_field(data: Any) -> str:
    """Return what a legacy form field shows of itself: a box, checked or not, or the chosen entry of a list."""
    if data is None:
        return ""
    box, entries = data.find(f"{W}checkBox"), data.find(f"{W}ddList")
    if box is not None:
        checked = _switch(box, "checked")
        return "☒" if (checked if checked is not None else _switch(box, "default")) else "☐"
    if entries is not None:
        names = [entry.get(f"{W}val") or "" for entry in entries.iterchildren(f"{W}listEntry")]
        chosen = integer(_setting(entries, "result") or _setting(entries, "default"), 0)
        return names[chosen] if 0 <= chosen < len(names) else ""
    return ""


def _switch(element: Any, name: str) -> bool | None:
    """Return an on-off property: None when it is not set, True without a value."""
    found = element.find(f"{W}{name}") if element is not None else None
    return None if found is None else found.get(f"{W}val") not in {"0", "false", "off"}


def _setting(element: Any, name: str) -> str:
    return value(element.find(f"{W}{name}")) if element is not None else ""
