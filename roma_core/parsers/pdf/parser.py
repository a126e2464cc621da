"""PDF to Markdown: PDFium reads, the neighbours of this module understand, this one puts it together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdf

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.parsers.images import ocr
from roma_core.parsers.page_reading import WANTED
from roma_core.parsers.pdf import scans
from roma_core.parsers.pdf.assemble import DOUBTFUL_CONTINUITY, assemble
from roma_core.parsers.pdf.blocks import Item
from roma_core.parsers.pdf.check import compare
from roma_core.parsers.pdf.headings import Entry
from roma_core.parsers.pdf.page import PageContent, read_page
from roma_core.parsers.tables import is_number
from roma_core.types import Document, LeftOut, RawDocument

MAX_PAGES = 5_000
MAX_ATTACHMENTS = 5_000
"""Attached files that are named."""
MIN_LOSSES = 3
"""Fewer words than this are glyphs that two readings of one page spell in two ways; a number is always reported."""


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
    scans.fill_in(document, pages, options, builder)
    builder.metadata.update(_metadata(document))
    for name in builder.metadata.get("attachments", ()):
        builder.leave_out(name or "attachment without a name", "attachment", place="attached to the file")
    items = assemble(builder, pages, read_outline(document))
    if builder.is_empty and builder.metadata.get("attachments"):  # a portfolio without a cover
        builder.paragraph("Attached files:")
        builder.list([ListItem(name) for name in builder.metadata["attachments"] if name])
    builder.title = _title(document, items)
    if not any(item.lines or item.note for item in items):
        why = "; ".join(builder.warnings) or "its pages are blank or only drawings"
        details = {WANTED: builder.metadata[WANTED]} if WANTED in builder.metadata else {}
        is_unread = options.ocr and any(loss.why == "ocr_unread" for loss in builder.left_out()) and ocr.available()
        code = ErrorCode.PARSER_TIMEOUT if is_unread else ErrorCode.PARSER_EMPTY
        raise ParserError(f"The PDF gave no text: {why}.", code, details=details)
    return _check_losses(builder.build(), pages)


def _check_losses(document: Document, pages: Sequence[PageContent]) -> Document:
    """Return the document with what the self-check finds: warnings, and lost words in the loss ledger.

    Pages read by OCR have no text layer to compare with.
    """
    by_number = {page.number: page for page in pages}
    warnings = list(document.warnings)
    losses: list[LeftOut] = []
    for span in document.pages:
        page = by_number[span.number]
        if span.ocr_confidence is not None or not page.layer:
            continue
        known = [entry.text for entry in document.left_out] + page.hidden + page.doubled
        found = compare(page.layer, span.of(document.text), known, joints=page.joints)
        if found.continuity < DOUBTFUL_CONTINUITY:
            warnings.append(
                f"page {span.number}: {len(found.breaks)} of {found.pairs} sentences do not run on from line to line; "
                "its reading order is doubtful"
            )
        if len(found.losses) >= MIN_LOSSES or any(map(is_number, found.losses)):
            words = " ".join(found.losses)
            losses.append(LeftOut(text=words, place=f"page {span.number}", why="doubtful"))
            warnings.append(f"page {span.number}: {len(found.losses)} words of its text layer are not in the text")
        if found.inventions:
            numbers = ", ".join(found.inventions[:5])
            warnings.append(f"page {span.number}: numbers that its text layer does not have: {numbers}")
    if not losses and len(warnings) == len(document.warnings):
        return document
    return document.model_copy(update={"warnings": tuple(warnings), "left_out": (*document.left_out, *losses)})


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


def read_outline(document: Any) -> list[Entry]:
    """Return the entries of the document's outline, at most 5,000; a damaged one ends early."""
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


def _metadata(document: Any) -> dict[str, Any]:
    facts = {key.lower(): value for key, value in document.get_metadata_dict(skip_empty=True).items()}
    facts = {"created" if k == "creationdate" else "modified" if k == "moddate" else k: v for k, v in facts.items()}
    facts["page_count"] = len(document)
    names = [document.get_attachment(i).get_name() for i in range(min(document.count_attachments(), MAX_ATTACHMENTS))]
    return {**facts, "attachments": names} if names else facts


def _title(document: Any, items: Sequence[Item]) -> str | None:
    """The metadata's title unless it is a file name or a program's remark; else the first page's highest heading."""
    said = (document.get_metadata_dict(skip_empty=True).get("Title") or "").strip()
    names_file = said.lower().startswith(("microsoft ", "untitled", "slide ")) or ("." in said[-6:] and " " not in said)
    if len(said) >= 4 and not names_file:
        return said
    first = [i for i in items if i.kind == "heading" and i.page == (items[0].page if items else 1)]
    return min(first, key=lambda i: i.level).text if first else None
