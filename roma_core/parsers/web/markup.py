"""An HTML tree (lxml) as a flat list of blocks, in reading order.

Shared by everything that is HTML inside: web pages, EPUB chapters, mail bodies, notebook outputs. It decides nothing
about what is main text; ``html.py`` does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, Literal

from lxml import etree

from roma_core.parsers import tables
from roma_core.parsers.builder import DocumentBuilder, ListItem, clean, raise_digits
from roma_core.parsers.hyperlinks import bare
from roma_core.parsers.web import mathml

Kind = Literal[
    "heading", "paragraph", "list", "definitions", "table", "code", "quote", "caption", "figure", "footnote", "anchor"
]

DROPPED = frozenset(
    "script style noscript template iframe object embed svg canvas head link meta audio video map".split()
)
BLOCKS = frozenset(
    "address article aside blockquote body center dd details dir div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section summary table tbody td tfoot th"
    " thead tr ul caption".split()
)
BOILERPLATE_TAGS = frozenset({"nav", "footer", "aside", "menu", "dialog"})
_BOILERPLATE_ROLES = frozenset({"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "menu"})
_BOILERPLATE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|footer|sidebar|cookies?|consent|gdpr|breadcrumbs?|share|sharing|social|"
    r"related|comments?|advert\w*|ads?|promo|newsletter|subscribe|popup|modal|pagination|pager|skip-?link|masthead|"
    r"mw-editsection|navbox|catlinks|printfooter|mw-jump-link|toc)(?:$|[\s_-])",
    re.IGNORECASE,
)
_CONTROLS = frozenset({"input", "select", "textarea"})
_PAGE_MARKS = frozenset({"pagebreak", "doc-pagebreak", "pagenum"})
_NOTES = frozenset({"footnote", "rearnote", "endnote", "doc-footnote", "doc-endnote"})
_FIND_MARKS = etree.XPath(
    "descendant-or-self::a[@role or @*[local-name() = 'type' or name() = 'epub:type']][starts-with(@href, '#')]"
)
"""Links that may be marks of notes; the search of a whole page runs in C."""
_NOTE_MARKS = frozenset({"noteref", "doc-noteref"})
_LIST_KINDS = etree.XPath(
    "//@class[contains(., 'page')] | //@role[contains(., 'page') or contains(., 'note')]"
    " | //@*[name() = 'epub:type' or namespace-uri() = 'http://www.idpf.org/2007/ops']"
)
"""Attributes that may mark printed pages, notes, and the marks of notes; the search of a whole page runs in C."""
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_LANGUAGE = re.compile(r"(?:language|lang|highlight(?:-source)?|brush:)[-\s]?([\w+#]+)", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f]+")
ANCHOR = "data-place"
"""Attribute of an ``<hr>`` that a caller put into the tree to find the place again: it becomes an ``anchor`` block."""
NOTE_LABEL = "data-note-label"
"""Attribute that gives a note the label of its mark."""
MAX_DEPTH = 150
"""Deeper trees are read as flat text: no honest page nests so far, and Python's stack is finite."""


@dataclass
class HtmlBlock:
    """One block; which fields are set depends on ``kind``. ``boilerplate``: inside navigation, a footer, an advert."""

    kind: Kind
    text: str = ""
    level: int = 0
    items: list[ListItem] = field(default_factory=list)
    rows: tables.Grid = field(default_factory=list)
    name: str = ""
    boilerplate: bool = False
    link_share: float = 0.0
    element: Any = field(default=None, repr=False, compare=False)
    """The element of the page that it was read from, or the one around it."""

    @property
    def words(self) -> str:
        """All of its text, for comparison."""
        if self.rows:
            return bare(" ".join(" ".join(row) for row in self.rows))
        return bare(" ".join(item.text for item in self.items) if self.items else self.text)


def is_shown(element: Any) -> bool:
    """False for comments, scripts, controls, and the marks of a printed book's pages."""
    if not isinstance(element.tag, str) or element.tag in DROPPED:
        return False
    named = f"{element.get('class') or ''} {element.get('role') or ''} {epub_type(element)}"
    return "page" not in named or not _PAGE_MARKS & set(named.split())


def is_boilerplate(element: Any) -> bool:
    """Return whether an element surrounds the text; inside of ``<main>`` only navigation does."""
    role = (element.get("role") or "").lower()
    if element.tag == "nav" or role == "navigation":
        return True
    is_marked = element.tag in BOILERPLATE_TAGS or role in _BOILERPLATE_ROLES
    if not is_marked and element.tag not in {"body", "html", "main", "article"}:
        is_marked = any(_BOILERPLATE_NAMES.search(element.get(name) or "") for name in ("class", "id"))
    return is_marked and not any(_is_main(around) for around in element.iterancestors())


def _is_main(element: Any) -> bool:
    return element.tag == "main" or (element.get("role") or "").lower() == "main"


def read_blocks(root: Any) -> list[HtmlBlock]:
    """Blocks of the tree below ``root``."""
    reader = _BlockReader(has_book_marks=_has_book_marks(root))
    if reader.has_book_marks:
        _label_notes(root)
    return list(reader.children(root, 0, is_boilerplate(root)))


def _has_book_marks(root: Any) -> bool:
    """Return whether a tree marks printed pages, notes, or marks of notes, as books do and hardly a page of a site."""
    marks = _PAGE_MARKS | _NOTES | _NOTE_MARKS
    return any(not marks.isdisjoint(kinds.split()) for kinds in _LIST_KINDS(root))


def _label_notes(root: Any) -> None:
    """Give each note of a book the label of the mark that leads to it, which the note itself may not show.

    Marks that are all the same (stars) tell no note from another.
    """
    labels: dict[str, str] = {}
    for anchor in _FIND_MARKS(root):
        target = anchor.get("href") or ""
        if target.startswith("#") and _is_note_mark(anchor):
            labels.setdefault(target[1:], text_of(anchor).strip("[]() "))
    uses = Counter(labels.values())
    for element in root.iter() if labels else ():
        label = labels.get(element.get("id") or "") if isinstance(element.tag, str) else None
        if label and uses[label] == 1 and _is_note(element):
            element.set(NOTE_LABEL, label)


@dataclass
class _InlineRun:
    """Inline text that is being collected."""

    parts: list[str] = field(default_factory=list)
    linked: int = 0
    notes: list[str] = field(default_factory=list)

    def take(self) -> tuple[str, float]:
        """The text, marks of notes at its end (a sentence must be quotable as written), and its share in links."""
        text = "".join(self.parts)
        if not text or text.isspace():  # between two blocks, nearly always
            self.parts.clear()
            self.notes.clear()
            self.linked = 0
            return "", 0.0
        text = _tidy(text)
        share = min(1.0, self.linked / max(1, len(bare(text))))
        text += "".join(f"[^{note}]" for note in self.notes) if text else ""
        self.parts.clear()
        self.notes.clear()
        self.linked = 0
        return text, share


def _tidy(text: str) -> str:
    """Collapsed spaces; ``\\n`` only where the source breaks the line (``<br>``, carried as U+2028)."""
    if "\u2028" not in text:
        return clean(clean_spaces(text)).strip()
    lines = clean_spaces(text).split("\u2028")
    return clean("\n".join(line.strip() for line in lines)).strip()


def clean_spaces(text: str) -> str:
    """Return text with each run of blanks as one."""
    return _SPACE.sub(" ", text)


@dataclass(frozen=True)
class _BlockReader:
    """Reads a tree; most pages have no notes or page marks of books, and none of their elements is asked for them."""

    has_book_marks: bool = True

    def is_shown(self, element: Any) -> bool:
        """Return whether an element has text for a reader."""
        if self.has_book_marks:
            return is_shown(element)
        return isinstance(element.tag, str) and element.tag not in DROPPED

    def children(self, element: Any, depth: int, boilerplate: bool) -> Iterator[HtmlBlock]:
        """Blocks of an element's content; runs of inline content become paragraphs."""
        run = _InlineRun()
        if element.text:
            run.parts.append(element.text)
        for child in element:
            if self.is_shown(child):
                if _is_inline(child, self.has_book_marks):
                    self.inline(child, run)
                else:
                    yield from _paragraph(run, boilerplate, element)
                    for block in self.block(child, depth + 1, boilerplate or is_boilerplate(child)):
                        if block.element is None:
                            block.element = child
                        if child.tag == "a" and child.get("href"):
                            block.link_share = 1.0
                        yield block
            if child.tail:
                run.parts.append(child.tail)
        yield from _paragraph(run, boilerplate, element)

    def inline(self, element: Any, run: _InlineRun, depth: int = 0) -> None:
        """Append the text of inline content, with line breaks, code marks, formulas and note marks."""
        tag = element.tag
        if depth > MAX_DEPTH:
            run.parts.append(text_of(element))
        elif tag == "br":
            run.parts.append("\u2028")
        elif tag == "img":
            run.parts.append(f" {element.get('alt') or ''} ")
        elif tag == "math":
            run.parts.append(_math(element))
        elif tag in _CONTROLS:
            run.parts.append(f" {_value_of(element)} ")
        elif tag in {"code", "kbd", "samp", "tt"}:
            run.parts.append(_code_span(text_of(element)))
        elif (
            tag == "sup"
            and (power := raise_digits(text_of(element))) != text_of(element)
            and not _holds_note_mark(element)
        ):
            run.parts.append(power)
        elif self.has_book_marks and _is_note_mark(element):
            run.notes.append(text_of(element).strip("[]() "))
        else:
            text = element.text or ""
            run.parts.append(text)
            for child in element:
                if self.is_shown(child):
                    self.inline(child, run, depth + 1)
                run.parts.append(child.tail or "")
            run.linked += len(bare(text_of(element))) if tag == "a" and element.get("href") else 0

    def block(self, element: Any, depth: int, boilerplate: bool) -> Iterator[HtmlBlock]:
        tag = element.tag
        if depth > MAX_DEPTH:
            yield HtmlBlock("paragraph", text=_tidy(text_of(element)), boilerplate=boilerplate)
        elif tag in _HEADINGS:
            yield HtmlBlock("heading", text=self.line(element), level=_HEADINGS[tag], boilerplate=boilerplate)
        elif tag == "pre":
            yield HtmlBlock("code", text=_read_preformatted(element), name=_language(element), boilerplate=boilerplate)
        elif tag in {"ul", "ol", "menu", "dir"}:
            yield from self.listing(element, depth, boilerplate)
        elif tag == "hr":
            if element.get(ANCHOR):
                yield HtmlBlock("anchor", name=element.get(ANCHOR))
        elif tag == "dl":
            yield from self.definitions(element, boilerplate)
        elif tag == "table":
            yield from self.table(element, depth, boilerplate)
        elif tag == "blockquote":
            yield from self.quote(element, depth, boilerplate)
        elif tag in {"figcaption", "caption"}:
            yield HtmlBlock("caption", text=self.line(element), boilerplate=boilerplate)
        elif tag == "img":
            yield HtmlBlock(
                "figure", text=element.get("alt") or "", name=element.get("src") or "", boilerplate=boilerplate
            )
        elif self.has_book_marks and _is_note(element):
            yield self.note(element, boilerplate)
        else:
            yield from self.children(element, depth, boilerplate)

    def line(self, element: Any) -> str:
        run = _InlineRun()
        self.inline(element, run)
        return run.take()[0]

    def quote(self, element: Any, depth: int, boilerplate: bool) -> Iterator[HtmlBlock]:
        for block in self.children(element, depth, boilerplate):
            block.kind = "quote" if block.kind == "paragraph" else block.kind
            yield block

    def note(self, element: Any, boilerplate: bool) -> HtmlBlock:
        text = " ".join(self.line(element).split())
        label = re.match(r"[\[(]?(\d{1,4}|[a-z*†‡§])[\])]?\.?\s+", text)
        name = label[1] if label else element.get(NOTE_LABEL) or ""
        name = name or re.sub(r"\W+", "", element.get("id") or "note")
        return HtmlBlock("footnote", text=text[label.end() :] if label else text, name=name, boilerplate=boilerplate)

    def listing(self, element: Any, depth: int, boilerplate: bool, level: int = 0) -> Iterator[HtmlBlock]:
        """Items with their labels; a table or code inside an item stands after it, and the list goes on."""
        items: list[ListItem] = []
        number = _integer(element.get("start"), 1)
        linked = 0.0
        for child in element:
            if child.tag in {"ul", "ol"}:
                inner = list(self.listing(child, depth + 1, boilerplate, level + 1)) if depth < MAX_DEPTH else []
                items += [item for block in inner for item in block.items]
            if child.tag != "li":
                continue
            number = _integer(child.get("value"), number)
            marker = f"{number}." if element.tag == "ol" else "-"
            number += 1
            head, rest = self.item(child, depth + 1, boilerplate or is_boilerplate(child), level)
            items.append(ListItem(head.text, level, marker))
            linked += head.link_share * len(head.text)
            for block in rest:
                if block.kind == "list":
                    items += block.items
                    linked += block.link_share * len(block.words)
                else:
                    yield from _list_blocks(items, linked, boilerplate)
                    items, linked = [], 0.0
                    yield block
        yield from _list_blocks(items, linked, boilerplate)

    def item(self, element: Any, depth: int, boilerplate: bool, level: int) -> tuple[HtmlBlock, list[HtmlBlock]]:
        """An item's own text (its paragraphs, as lines) and the blocks inside it that are more than text."""
        if depth > MAX_DEPTH:
            return HtmlBlock("paragraph", text=_tidy(text_of(element))), []
        head = HtmlBlock("paragraph")
        rest: list[HtmlBlock] = []
        for block in self.children(element, depth, boilerplate):
            if block.kind in {"paragraph", "heading", "caption", "quote"} and not rest:
                total = len(head.text) + len(block.text)
                share = head.link_share * len(head.text) + block.link_share * len(block.text)
                head.link_share = share / max(1, total)
                head.text = f"{head.text}\n{block.text}".strip()
            elif block.kind == "list":
                deeper = [ListItem(i.text, i.depth + level + 1, i.marker) for i in block.items]
                rest.append(HtmlBlock("list", items=deeper, boilerplate=boilerplate, link_share=block.link_share))
            else:
                rest.append(block)
        return head, rest

    def definitions(self, element: Any, boilerplate: bool) -> Iterator[HtmlBlock]:
        """``Term`` and ``: definition`` lines, as PHP Markdown Extra and Pandoc write them."""
        lines: list[str] = []
        for child in _unnest(element):
            blocks = self.children(child, MAX_DEPTH // 2, False)
            text = " ".join(" ".join(_lines_of(block)) for block in blocks)
            if text.strip():
                lines.append(" ".join(text.split()) if child.tag == "dt" else f": {' '.join(text.split())}")
        yield HtmlBlock("definitions", text="\n".join(lines), boilerplate=boilerplate)

    def table(self, element: Any, depth: int, boilerplate: bool) -> Iterator[HtmlBlock]:
        rows = list(_rows(element))
        cells = [cell for row in rows for cell in row]
        code = [pre for cell in cells for pre in cell.iter("pre")]
        if code and _HIGHLIGHTED.search(element.get("class") or ""):
            yield HtmlBlock("code", text=_read_preformatted(code[-1]), boilerplate=boilerplate)
            return
        for caption in element.iterchildren("caption"):
            yield HtmlBlock("caption", text=self.line(caption), boilerplate=boilerplate)
        if _is_layout(element, rows):
            for cell in cells:
                yield from self.children(cell, depth + 1, boilerplate)
            return
        grid = tables.expand([[self.cell(cell, len(rows)) for cell in row] for row in rows])
        linked = sum(len(bare(text_of(a))) for a in element.iter("a"))
        share = linked / max(1, len(bare(text_of(element))))
        yield HtmlBlock("table", rows=without_blank_columns(grid), boilerplate=boilerplate, link_share=min(1.0, share))

    def cell(self, element: Any, rows: int) -> tables.Cell:
        """A cell's blocks as lines; the rows of a table inside it are lines too."""
        lines = [line for block in self.children(element, MAX_DEPTH // 2, False) for line in _lines_of(block)]
        height = _integer(element.get("rowspan"), 1) or rows  # 0 means: to the end
        return tables.Cell("\n".join(lines), height, _integer(element.get("colspan"), 1))


def _lines_of(block: HtmlBlock) -> list[str]:
    """A block inside of a cell or a definition."""
    if block.rows:
        return [" | ".join(text.replace("\n", " ") for text in row) for row in block.rows]
    return [f"{item.marker} {item.text}" for item in block.items] or [block.text]


def _unnest(element: Any) -> list[Any]:
    """Terms and definitions of a ``<dl>``; libxml2 puts one whose end tag is left out inside of the one before."""
    for child in reversed(list(element.iter("dt", "dd"))):
        parent = child.getparent()
        if parent.tag in {"dt", "dd"}:
            parent.addnext(child)
    return [child for child in element.iter("dt", "dd") if next(child.iterancestors("dl"), element) is element]


_HIGHLIGHTED = re.compile(r"highlight|rouge|codetable|linenos", re.IGNORECASE)


def _paragraph(run: _InlineRun, boilerplate: bool, element: Any) -> Iterator[HtmlBlock]:
    text, share = run.take()
    if text:
        yield HtmlBlock("paragraph", text=text, boilerplate=boilerplate, link_share=share, element=element)


def _list_blocks(items: list[ListItem], linked: float, boilerplate: bool) -> Iterator[HtmlBlock]:
    size = sum(len(item.text) for item in items)
    if size:
        yield HtmlBlock("list", items=items, boilerplate=boilerplate, link_share=min(1.0, linked / size))


def _is_inline(element: Any, has_book_marks: bool) -> bool:
    """Inline by its tag, and without a block inside (``<a><div>`` is a block); an image alone is a figure."""
    if element.tag in BLOCKS or (has_book_marks and _is_note(element)):
        return False
    if not len(element) and element.tag != "img":
        return True
    if element.tag == "img":
        before = element.getprevious()
        alone = (
            not (element.tail or "").strip()
            and not ((element.getparent().text if before is None else "") or "").strip()
        )
        return not (alone and before is None)
    return not any(child.tag in BLOCKS for child in element.iter() if child is not element)


def _is_note(element: Any) -> bool:
    kinds = f"{epub_type(element)} {element.get('role') or ''}"
    return "note" in kinds and not _NOTES.isdisjoint(kinds.split())


def _is_note_mark(element: Any) -> bool:
    return element.tag == "a" and not _NOTE_MARKS.isdisjoint({*epub_type(element).split(), element.get("role")})


def _holds_note_mark(element: Any) -> bool:
    return any(map(_is_note_mark, element.iterdescendants("a")))


def epub_type(element: Any) -> str:
    """Return an element's ``epub:type``; empty when it has none."""
    return element.get("{http://www.idpf.org/2007/ops}type") or element.get("epub:type") or ""


def _math(element: Any) -> str:
    """Return a formula as TeX: the page's own, else made from its MathML; a bare sign as it is."""
    tex = element.get("alttext") or next(
        (a.text for a in element.iter() if str(a.tag).endswith("annotation") and "tex" in (a.get("encoding") or "")),
        None,
    )
    if tex:
        return f"${tex.strip()}$"
    formula, words = mathml.to_latex(element).strip(), text_of(element).strip()
    return words if formula == words else f"${formula}$"


def _value_of(element: Any) -> str:
    """Return what a form's control shows: its value, a box with or without a tick, the chosen options."""
    if element.tag == "textarea":
        return text_of(element)
    if element.tag == "select":
        options = list(element.iter("option"))
        chosen = [option for option in options if option.get("selected") is not None]
        return ", ".join(text_of(option).strip() for option in chosen or options[:1])
    kind = (element.get("type") or "text").lower()
    if kind in {"checkbox", "radio"}:
        return "☒" if element.get("checked") is not None else "☐"
    return "" if kind in {"hidden", "password", "file", "image"} else element.get("value") or ""


def _code_span(text: str) -> str:
    body = clean_spaces(text).strip()
    fence = "``" if "`" in body else "`"
    return f"{fence}{body}{fence}" if body else ""


def text_of(element: Any) -> str:
    """Return all text below an element."""
    return "".join(element.itertext())


def _read_preformatted(element: Any) -> str:
    """Text with its spaces; ``<br>`` breaks the line there too."""
    return dedent("".join(_raw(element)))


def _raw(element: Any) -> Iterator[str]:
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            yield "\n" if node.tag == "br" else node.text or ""
        elif node is not element:
            yield node.tail or ""


def _language(element: Any) -> str:
    nodes = [element, *element.iterchildren("code"), element.getparent()]
    for node in nodes:
        found = _LANGUAGE.search(node.get("class") or "") if node is not None else None
        if found and found[1].lower() not in {"default", "none", "highlight", "source"}:
            return found[1].lower()
    return ""


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,9}", text.strip()) else default


def _rows(table: Any) -> Iterator[Sequence[Any]]:
    """Rows of cells of this table alone, in the order head, bodies, foot."""
    groups = [table, *(g for tag in ("thead", "tbody", "tfoot") for g in table.iterchildren(tag))]
    for group in groups:
        loose: list[Any] = []
        for child in group.iterchildren("tr", "td", "th"):
            if child.tag != "tr":  # cells for which nobody began a row
                loose.append(child)
                continue
            if loose:
                yield loose
                loose = []
            yield list(child.iterchildren("td", "th"))
        if loose:
            yield loose


def _is_layout(table: Any, rows: Sequence[Sequence[Any]]) -> bool:
    """A table that only arranges a page: declared so, or one cell wide, or with headings or tables of weight inside."""
    if (table.get("role") or "").lower() in {"presentation", "none"}:
        return True
    if max(map(len, rows), default=0) <= 1 and (
        len(rows) <= 1 or any(_has_blocks(cell) for row in rows for cell in row)
    ):
        return True
    return any(
        len(bare(text_of(cell))) > 2000 or any(True for _ in cell.iter("h1", "h2", "h3"))
        for row in rows
        for cell in row
    )


def _has_blocks(cell: Any) -> bool:
    return any(child.tag in BLOCKS for child in cell)


def without_blank_columns(grid: tables.Grid) -> tables.Grid:
    """The grid without the rows and columns that only make room."""
    kept = [x for x in range(len(grid[0]) if grid else 0) if any(row[x].strip() for row in grid)]
    return [[row[x] for x in kept] for row in grid if any(cell.strip() for cell in row)]


def write(builder: DocumentBuilder, blocks: Iterable[HtmlBlock]) -> None:
    """Append blocks to a document; images without description are left out."""
    for block in blocks:
        if block.kind == "heading":
            builder.heading(block.text, block.level)
        elif block.kind == "anchor":
            continue
        elif block.kind == "list":
            builder.list(block.items)
        elif block.kind == "definitions":
            builder.add("list", clean(block.text))
        elif block.kind == "table":
            builder.table(block.rows)
        elif block.kind == "code":
            builder.code(block.text, block.name)
        elif block.kind == "quote":
            builder.quote(block.text)
        elif block.kind == "footnote":
            builder.footnote(block.name, block.text)
        elif block.kind == "figure":
            if block.text.strip():
                builder.figure(block.text, block.name.partition("?")[0] if not block.name.startswith("data:") else "")
        else:
            builder.paragraph(block.text, block.kind)
