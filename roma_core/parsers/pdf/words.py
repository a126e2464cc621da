"""Words of a PDF's page with their boxes, to mark the exact words of a citation on its picture."""

from __future__ import annotations

import json
from typing import NamedTuple

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions
from roma_core.types import Box, RawDocument


class PageWord(NamedTuple):
    """A word of a page. ``box`` holds fractions of the page as shown: left, top, right, bottom."""

    text: str
    box: Box


def page_words(raw: RawDocument, options: ParseOptions) -> bytes:
    """Return the words of the first page asked for, packed for the way out of the sandbox.

    Raises ``ParserError``: ``UNSUPPORTED`` for other files, ``EMPTY`` when there is no such page.
    """
    import pypdfium2 as pdfium

    from roma_core.parsers.pdf.page import read_page
    from roma_core.parsers.pdf.parser import open_pdf, wanted_pages

    if media.detect(raw) != media.PDF:
        raise ParserError("Only pages of PDF files hold words with places.", ErrorCode.PARSER_UNSUPPORTED)
    document = open_pdf(raw.data, options.password)
    try:
        page = read_page(document, wanted_pages(len(document), options)[0])
    except pdfium.PdfiumError:
        raise ParserError("The page is damaged and cannot be read; look at the file in its own program.") from None
    finally:
        document.close()
    placed = [(word.text, page.box((word.x0, word.top, word.x1, word.bottom))) for word in page.words]
    placed += [(word.text, page.box(page.spots[id(word)])) for word in page.strays if id(word) in page.spots]
    return json.dumps(placed).encode()


def unpack_words(data: bytes) -> tuple[PageWord, ...]:
    """Return the words that ``page_words`` packed."""
    return tuple(PageWord(text, (box[0], box[1], box[2], box[3])) for text, box in json.loads(data))
