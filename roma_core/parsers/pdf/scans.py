"""Pages of a PDF whose text must come from their picture: scans, and text layers with a wrong font map."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import pypdfium2 as pdfium

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder
from roma_core.parsers.images import ocr
from roma_core.parsers.pdf.page import PageContent
from roma_core.parsers.sandbox import deadline

MIN_CHARS = 20
"""Pages with fewer characters of text are read by OCR."""
FIRST_PAGE_S = 12.0
"""Time reserved for a page before one has been measured."""
_MAX_PIXELS = 25_000_000

_COMMON = frozenset(
    "the of and to in is for that on with as by are this be or from at it an not was a "
    "der die und das den von zu mit ist auf für im ein eine des dem "
    "de la le et les des en du un une que pour dans est el los y se con por una il di che per della "
    "o os do da em não uma com het een van op te dat och att som på av det en og i er til".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")


def fill_in(document: Any, pages: Sequence[PageContent], options: ParseOptions, builder: DocumentBuilder) -> None:
    """Read the pages that need it by OCR (in place) as long as there is time; warn about those left unread."""
    needy = [page for page in pages if needs_ocr(page)]
    if not needy:
        return
    if not options.ocr or not ocr.available():
        why = "OCR was switched off" if not options.ocr else "no OCR engine is installed (extra 'ocr')"
        builder.warn(f"{_numbers(needy)} without a usable text layer: {why}")
        return
    cost, left = FIRST_PAGE_S, list(needy)
    while left and deadline.remaining_s() > 1.5 * cost:
        began = time.monotonic()
        _read(document, left.pop(0), builder)
        cost = max(time.monotonic() - began, 0.3 * cost)
    if left:
        builder.warn(f"{_numbers(left)} not read by OCR: time ran out; raise ROMA_PARSER_TIMEOUT_S")


def needs_ocr(page: PageContent) -> bool:
    """A page with a picture or drawing but next to no text, or whose text is no language."""
    chars = sum(len(w.text) for w in page.words) + sum(len(w.text) for w in page.strays)
    if chars < MIN_CHARS:
        return bool(page.images) or len(page.rules) > 20
    return bool(page.images or page.map_errors) and has_wrong_map(page)


def has_wrong_map(page: PageContent) -> bool:
    """Whether the text layer is the output of a wrong font map: long Latin text without a single common word, or
    most characters without any Unicode value."""
    text = " ".join(w.text for w in page.words)
    chars = len(text)
    if page.map_errors > 0.5 * chars:
        return True
    words = [w.lower() for w in _WORD.findall(text)]
    latin = len(_LATIN.findall(text))
    return len(words) >= 60 and latin > 0.6 * chars and not any(w in _COMMON for w in words)


def _read(document: Any, page: PageContent, builder: DocumentBuilder) -> None:
    scale = min(ocr.DPI / 72, (_MAX_PIXELS / (page.width * page.height)) ** 0.5)
    try:
        source = document.get_page(page.number - 1)
        picture = source.render(scale=scale, grayscale=False).to_pil()
        source.close()
    except pdfium.PdfiumError:
        builder.warn(f"page {page.number} could not be drawn for OCR")
        return
    result = ocr.read(picture)
    if result.warning:
        builder.warn(f"page {page.number} {result.warning}")
    before = sum(len(w.text) for w in page.words)
    if sum(len(line.text) for line in result.lines) > before:
        ocr.place(result, page, scale)
        page.images, page.rules = ([], page.rules) if result.turns == 0 else ([], [])


def _numbers(pages: Sequence[PageContent]) -> str:
    shown = ", ".join(str(p.number) for p in pages[:10])
    more = f" and {len(pages) - 10} more" if len(pages) > 10 else ""
    return f"page{'s' if len(pages) > 1 else ''} {shown}{more}"
