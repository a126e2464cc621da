"""PDF to Markdown: PDFium reads, the neighbours of this module understand, this one puts it together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdf

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import pdf_ocr
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.build import DocumentBuilder, ListItem
from roma_core.parsers.pdf_blocks import Item, code_text, joined, list_item, note_of, paragraphs, vocabulary
from roma_core.parsers.pdf_furniture import remove_furniture
from roma_core.parsers.pdf_headings import Entry, body_size, mark_headings
from roma_core.parsers.pdf_layout import Line, regions, rows_of, segments_of
from roma_core.parsers.pdf_page import PageContent, Rect, Style, Word, read_page
from roma_core.parsers.pdf_tables import TableRegion, ruled_tables, text_lines, unruled_tables
from roma_core.types import Document, RawDocument

MAX_PAGES = 5_000
FIGURE_SHARE = 0.015
"""Images below this share of the page are ornaments."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Document of a PDF file, one ``Page`` a page. Pages that cannot be read become warnings, unless all are such.

    Raises ``ParserError``: ``ENCRYPTED`` (no or a wrong password), ``MALFORMED``, ``EMPTY``, ``TOO_LARGE``.
    """
    document = open_pdf(raw.data, options.password)
    try:
        return _parse(document, raw, options)
    finally:
        document.close()


def open_pdf(data: bytes, password: str | None = None) -> Any:
    """PDFium's document. Raises ``ParserError`` ``ENCRYPTED`` or ``MALFORMED``."""
    try:
        document = pdfium.PdfDocument(data, password=password)
    except pdfium.PdfiumError as error:
        if pdf.FPDF_GetLastError() == pdf.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            wrong = "The password given does not open the file" if password else "The file needs a password"
            raise ParserError(f"{wrong}; pass the right one, or save it without.", ErrorCode.PARSER_ENCRYPTED) from None
        raise ParserError("The PDF is damaged and cannot be opened; save or print it to PDF again.") from None
    if len(document) < 1:
        raise ParserError("The PDF holds no page that can be read; save or print it to PDF again.")
    if document.get_formtype() != pdf.FORMTYPE_NONE:
        document.init_forms()
    return document


def wanted_pages(count: int, options: ParseOptions) -> list[int]:
    """0-based numbers of the pages to read. Raises ``ParserError`` when none of those asked for exists."""
    if options.pages is None:
        if count > MAX_PAGES:
            raise ParserError(
                f"The file has {count} pages, more than {MAX_PAGES}; split it.", ErrorCode.PARSER_TOO_LARGE
            )
        return list(range(count))
    asked = sorted({n - 1 for n in options.pages if 1 <= n <= count})
    if not asked:
        raise ParserError(f"None of the pages asked for exists; the file has {count}.", ErrorCode.PARSER_EMPTY)
    return asked


def _parse(document: Any, raw: RawDocument, options: ParseOptions) -> Document:
    builder = DocumentBuilder(raw, options, "pdf", "application/pdf")
    pages = _read_pages(document, wanted_pages(len(document), options), builder)
    pdf_ocr.fill_in(document, pages, options, builder)
    running = remove_furniture(pages)
    body, body_bold = body_size(pages)
    items = [item for page in pages for item in _page_items(page, body)]
    mark_headings(items, _outline(document), body, body_bold)
    known = vocabulary([line for item in items for line in item.lines])
    builder.metadata.update(_metadata(document, running))
    builder.title = _title(document, items)
    _emit(builder, pages, items, known)
    return builder.build()


def _read_pages(document: Any, wanted: Sequence[int], builder: DocumentBuilder) -> list[PageContent]:
    pages: list[PageContent] = []
    for index in wanted:
        try:
            page = read_page(document, index)
        except pdfium.PdfiumError:
            builder.warn(f"page {index + 1} is damaged and was left out")
            continue
        page.label = _label(document, index)
        for warning in page.warnings:
            builder.warn(warning)
        pages.append(page)
    if not pages:
        raise ParserError("No page of the PDF can be read; save or print it to PDF again.")
    return pages


def _label(document: Any, index: int) -> str | None:
    label = document.get_page_label(index)
    return label if label and label != str(index + 1) else None


def _page_items(page: PageContent, body: float) -> list[Item]:
    """Blocks of a page in reading order."""
    tables = ruled_tables(page)
    taken = {id(w) for table in tables for w in table.words}
    free = [w for w in page.words if id(w) not in taken]
    segments = [s for row in rows_of(free) for s in segments_of(row)]
    figures = _figures(page)
    obstacles: dict[int, TableRegion | Rect] = {}
    for table in tables:
        obstacles[id(_placed(segments, table.rect))] = table
    for rect in figures:
        obstacles[id(_placed(segments, rect))] = rect
    items: list[Item] = []
    for number, region in enumerate(regions(segments)):
        items += _region_items(page, region, obstacles, number)
    items += _stray_items(page, len(items))
    return _footnotes_marked(items, page, body)


def _placed(segments: list[Line], rect: Rect) -> Line:
    """Append a line that stands for a table or a figure while the page is cut into regions."""
    line = Line((Word("\ufffc" * 20, *rect, Style(max(1.0, min(12.0, rect[3] - rect[1])))),))
    segments.append(line)
    return line


def _figures(page: PageContent) -> list[Rect]:
    width, height = page.frame
    found: list[Rect] = []
    for x0, y0, x1, y1 in page.images:
        share = max(0.0, x1 - x0) * max(0.0, y1 - y0) / (width * height)
        if FIGURE_SHARE <= share < 0.9:
            found.append((x0, y0, x1, y1))
    return found[:50]


def _region_items(
    page: PageContent, region: list[Line], obstacles: dict[int, TableRegion | Rect], number: int
) -> list[Item]:
    lines = [line for line in region if id(line) not in obstacles]
    tables = unruled_tables(lines, page.rules)
    placed: list[Item] = [_table_item(page, table, number) for table in tables]
    for line in region:
        thing = obstacles.get(id(line))
        if isinstance(thing, TableRegion):
            placed.append(_table_item(page, thing, number))
        elif thing is not None:
            placed.append(Item("figure", page.number, thing, region=number))
    rest = text_lines(lines, tables)
    items: list[Item] = []
    start = 0
    for item in sorted(placed, key=lambda i: i.rect[1]):
        above = [line for line in rest[start:] if line.top < item.rect[1]]
        items += [*paragraphs(above, page.number, number), item]
        start += len(above)
    return items + paragraphs(rest[start:], page.number, number)


def _table_item(page: PageContent, table: TableRegion, region: int) -> Item:
    return Item("table", page.number, table.rect, [Line(table.words)], table.grid, region=region)


def _stray_items(page: PageContent, number: int) -> list[Item]:
    """Text at another angle (axis labels, stamps), after the rest of its page."""
    lines = [s for row in rows_of(page.strays) for s in segments_of(row, 3.0)]
    return paragraphs(lines, page.number, number + 1)


def _footnotes_marked(items: list[Item], page: PageContent, body: float) -> list[Item]:
    """Small print with a mark in front, in the lower half and below all that is set in body size, is a footnote."""
    height = page.frame[1]
    text_end = max((i.rect[3] for i in items if i.kind == "paragraph" and i.size > 0.93 * body), default=0.0)
    for item in items:
        small = item.kind in {"paragraph", "list"} and bool(item.lines) and item.size <= 0.93 * body
        if small and item.rect[1] > max(0.5 * height, text_end - item.size) and note_of(item.text):
            item.kind = "footnote"
    return items


def _outline(document: Any) -> list[Entry]:
    entries: list[Entry] = []
    try:
        for bookmark in document.get_toc(max_depth=8):
            dest = bookmark.get_dest()
            index = dest.get_index() if dest else None
            entries.append(Entry(bookmark.get_title() or "", bookmark.level + 1, None if index is None else index + 1))
            if len(entries) >= 5_000:
                break
    except pdfium.PdfiumError:
        return entries
    return entries


def _metadata(document: Any, running: list[str]) -> dict[str, Any]:
    facts = {key.lower(): value for key, value in document.get_metadata_dict(skip_empty=True).items()}
    facts = {"created" if k == "creationdate" else "modified" if k == "moddate" else k: v for k, v in facts.items()}
    facts["page_count"] = len(document)
    if running:
        facts["running"] = [text[:200] for text in running[:20]]
    names = [document.get_attachment(i).get_name() for i in range(min(document.count_attachments(), 50))]
    return {**facts, "attachments": names} if names else facts


def _title(document: Any, items: Sequence[Item]) -> str | None:
    """The metadata's title unless it is a file name or a program's remark; else the first page's highest heading."""
    said = (document.get_metadata_dict(skip_empty=True).get("Title") or "").strip()
    names_file = said.lower().startswith(("microsoft ", "untitled", "slide ")) or ("." in said[-6:] and " " not in said)
    if len(said) >= 4 and not names_file:
        return said
    first = [i for i in items if i.kind == "heading" and i.page == (items[0].page if items else 1)]
    return min(first, key=lambda i: i.level).text if first else None


def _emit(builder: DocumentBuilder, pages: Sequence[PageContent], items: Sequence[Item], known: set[str]) -> None:
    by_page: dict[int, list[Item]] = {}
    for item in items:
        by_page.setdefault(item.page, []).append(item)
    for page in pages:
        facts = {"label": page.label, "width": round(page.width, 2), "height": round(page.height, 2)}
        builder.page(page.number, **facts, ocr_confidence=_confidence(page))
        _emit_page(builder, page, by_page.get(page.number, []), known)


def _confidence(page: PageContent) -> float | None:
    values = [w.confidence for w in page.words if w.confidence is not None]
    return round(sum(values) / len(values), 3) if values else None


def _emit_page(builder: DocumentBuilder, page: PageContent, items: list[Item], known: set[str]) -> None:
    figures = 0
    at = 0
    while at < len(items):
        item = items[at]
        box = page.box(item.rect)
        text = joined([line.text for line in item.lines], [line.hyphenated for line in item.lines], known)
        at += 1
        if item.kind == "heading":
            builder.heading(text, item.level, box=box, confidence=item.confidence)
        elif item.kind == "table":
            builder.table(item.grid, box=box)
        elif item.kind == "figure":
            figures += 1
            builder.figure("", f"page-{page.number}-figure-{figures}", box=box)
        elif item.kind == "code":
            builder.code(code_text(item.lines), box=box)
        elif item.kind == "footnote":
            label, words = note_of(text) or ("", text)
            builder.footnote(label, words, box=box)
        elif item.kind == "list":
            run = [item]
            while at < len(items) and items[at].kind == "list" and items[at].region == item.region:
                run.append(items[at])
                at += 1
            left = min(i.rect[0] for i in run)
            listed: list[ListItem] = [list_item(i, left, known) for i in run]
            builder.list(listed, box=page.box(_hull(run)), confidence=item.confidence)
        else:
            builder.paragraph(text, item.kind, box=box, confidence=item.confidence)


def _hull(items: Sequence[Item]) -> Rect:
    rects = [i.rect for i in items]
    return min(r[0] for r in rects), min(r[1] for r in rects), max(r[2] for r in rects), max(r[3] for r in rects)
