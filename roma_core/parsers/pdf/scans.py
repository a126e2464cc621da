"""Pages of a PDF whose text must come from their picture: scans, pictures of text, and wrong font maps."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdf

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, page_ranges
from roma_core.parsers.images import ocr
from roma_core.parsers.page_reading import WANTED
from roma_core.parsers.pdf.page import PageContent, Rect, Word
from roma_core.parsers.sandbox import deadline
from roma_core.types import RawDocument

MIN_CHARS = 20
"""Pages with fewer characters of text are read by OCR."""
PICTURE_SHARE = 0.4
"""A page is read when pictures without text over them cover this share of it, whatever else it says."""
MAX_BESIDE = 400
"""Pages with more characters beside their pictures are set text with illustrations."""
MAX_STAMP = 200
"""Characters of headers, Bates numbers and court stamps over a scan; a text layer made by OCR has far more."""
MIN_WORDS = 40
MIN_COMMON = 0.02
"""Least share of common words in running text; the languages below have over 0.15."""
MIN_PAIRS = 0.16
"""Least share of the pairs of letters below; English has .55, Finnish .35, Polish .26, a shifted text under .1."""
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
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_PAIRS = frozenset(
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic "
    "ne ea ra ce li ch ll be ma si om ur ie ei ge un la no ta di qu el os ad ec ci ue em do da ao us na ni ka ki ja za "
    "wa ow cz rz sz ze po pr ko ny ak il ik ir ın lı ya tt ss sa aa ii uu mi va vi".split()
)
"""Pairs of letters that are common in languages written in Latin letters."""


def fill_in(document: Any, pages: Sequence[PageContent], options: ParseOptions, builder: DocumentBuilder) -> None:
    """Give the pages that need it the text that OCR reads (in place); name those that stay unread.

    With ``options.defer_ocr`` the pages are named in ``metadata["ocr_pages"]`` with their hashes, for jobs of their
    own; those in ``options.readings`` are taken from there.
    """
    needy = [page for page in pages if needs_ocr(page)]
    if not needy:
        return
    if not options.ocr or not ocr.available():
        why = "OCR was switched off" if not options.ocr else "no OCR engine is installed (extra 'ocr')"
        builder.warn(f"{_name(needy)} without a usable text layer: {why}")
        _leave_out(needy, builder)
        return
    if options.defer_ocr and options.readings is None:
        builder.metadata[WANTED] = {str(page.number): _hash(document, page) for page in needy}
        return
    if options.readings is not None:
        unread = _from_readings(needy, options.readings, builder)
    else:
        unread = _read_now(document, needy, builder)
    if unread:
        read = len(needy) - len(unread)
        builder.warn(f"read {read} of {len(needy)} pages by OCR; {_name(unread)} wait for the next ingest")
        _leave_out(unread, builder)


def _from_readings(
    needy: Sequence[PageContent], readings: Mapping[int, str], builder: DocumentBuilder
) -> list[PageContent]:
    """Place what was read and return the pages without a reading."""
    unread: list[PageContent] = []
    for page in needy:
        reading = readings.get(page.number)
        if reading is None:
            unread.append(page)
        else:
            _place(ocr.OcrResult.from_json(reading), page, builder)
    return unread


def _read_now(document: Any, needy: Sequence[PageContent], builder: DocumentBuilder) -> list[PageContent]:
    """Read the pages as long as there is time and return those that it does not suffice for."""
    cost, left = FIRST_PAGE_S, list(needy)
    while left and deadline.remaining_s() > 1.5 * cost:
        began = time.monotonic()
        page = left.pop(0)
        _place(_read(document, page.number), page, builder)
        cost = max(time.monotonic() - began, 0.3 * cost)
    return left


def read_page(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return what OCR reads on the one page of ``options.pages``, as JSON: a job of its own in the sandbox."""
    from roma_core.parsers.pdf.parser import open_pdf, wanted_pages

    document = open_pdf(raw.data, options.password)
    try:
        (index,) = wanted_pages(len(document), options)
        return _read(document, index + 1).to_json().encode()
    finally:
        document.close()


def _read(document: Any, number: int) -> ocr.OcrResult:
    """Return the lines of a page in points of the page as shown."""
    try:
        source = document.get_page(number - 1)
        width, height = source.get_size()
        scale = min(ocr.DPI / 72, (_MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        picture = source.render(scale=scale, grayscale=False).to_pil()
        source.close()
    except pdfium.PdfiumError:
        raise ParserError(f"Page {number} cannot be drawn for OCR.", ErrorCode.PARSER_MALFORMED) from None
    return ocr.read(picture).scale(1 / scale)


def _place(result: ocr.OcrResult, page: PageContent, builder: DocumentBuilder) -> None:
    """Put what was read on the page (in place): instead of its text, or beside it where the text lies elsewhere."""
    if result.warning:
        builder.warn(f"page {page.number} {result.warning}")
    if not result.lines:
        return
    beside = [] if has_wrong_map(page) or result.turns else list(page.words)
    page_text = sum(len(word.text) for word in page.words)
    if not beside and sum(len(line.text) for line in result.lines) <= 0.5 * page_text:
        return
    kept = [line for line in result.lines if not any(_overlaps(line, word) for word in beside)]
    reading = ocr.OcrResult(tuple(kept), result.turns)
    layer = page.words
    ocr.place(reading, page, 1.0)
    if beside:
        page.words = [*beside, *page.words]
    elif layer:
        builder.leave_out(" ".join(word.text for word in layer), "doubtful", page=page.number)
    page.images, page.rules = ([], page.rules) if result.turns == 0 else ([], [])


def _overlaps(line: ocr.OcrLine, word: Word) -> bool:
    x = min(line.x1, word.x1) - max(line.x0, word.x0)
    y = min(line.bottom, word.bottom) - max(line.top, word.top)
    return x > 0.3 * (word.x1 - word.x0) and y > 0.4 * (word.bottom - word.top)


def needs_ocr(page: PageContent) -> bool:
    """Return whether a page has a picture of text, or a text layer that is no language."""
    words = [*page.words, *page.strays]
    chars = sum(len(word.text) for word in words)
    if chars < MIN_CHARS:
        return bool(page.images) or len(page.rules) > 20
    return has_wrong_map(page) or (chars <= MAX_BESIDE and _has_bare_picture(page))


def _has_bare_picture(page: PageContent) -> bool:
    """Return whether pictures that no text lies over cover most of a page."""
    width, height = page.frame
    bare = 0.0
    for x0, top, x1, bottom in page.images:
        rect = (max(0.0, x0), max(0.0, top), min(width, x1), min(height, bottom))
        area = max(0.0, rect[2] - rect[0]) * max(0.0, rect[3] - rect[1])
        over = sum(len(word.text) for word in page.words if _lies_in(word, rect))
        if over <= MAX_STAMP:
            bare += area
    return bare >= PICTURE_SHARE * width * height


def _lies_in(word: Word, rect: Rect) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return rect[0] <= x <= rect[2] and rect[1] <= y <= rect[3]


def has_wrong_map(page: PageContent) -> bool:
    """Tell if the text layer is the output of a wrong font map.

    Its signs are most characters without any Unicode value, or long Latin text without common words and common pairs
    of letters.
    """
    text = " ".join(word.text for word in page.words)
    chars = len(text)
    if page.map_errors > 0.5 * chars:
        return True
    words = _WORD.findall(text)
    latin = len(_LATIN.findall(text))
    if len(words) < MIN_WORDS or latin < 0.6 * sum(not char.isspace() for char in text):
        return False
    common = sum(word.lower() in _COMMON for word in words) / len(words)
    if common >= MIN_COMMON:
        return False
    pairs = [one + two for word in words for one, two in pairwise(word.lower())]
    if len(pairs) < 2 * len(words):
        return False  # labels and codes, no running text
    usual = sum(pair in _PAIRS for pair in pairs) / len(pairs)
    return usual < MIN_PAIRS or (common == 0 and bool(page.map_errors))


def _hash(document: Any, page: PageContent) -> str:
    """Return a hash of what OCR would see: the pictures of a page with their places, and its size."""
    found = hashlib.sha256(f"{page.width:.1f} {page.height:.1f}".encode())
    source = document.get_page(page.number - 1)
    pictures = 0
    for item in source.get_objects(filter=(pdf.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        found.update(repr([round(value, 1) for value in item.get_bounds()]).encode())
        found.update(bytes(item.get_data(decode_simple=False)))
        pictures += 1
    if not pictures or page.words:
        bitmap = source.render(scale=0.5, grayscale=True)
        found.update(bytes(bitmap.buffer))
    source.close()
    return found.hexdigest()


def _leave_out(pages: Sequence[PageContent], builder: DocumentBuilder) -> None:
    for page in pages:
        builder.leave_out("page not read by OCR", "ocr_unread", page=page.number)


def _name(pages: Sequence[PageContent]) -> str:
    return f"page{'s' if len(pages) > 1 else ''} {page_ranges(page.number for page in pages)}"
