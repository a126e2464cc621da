"""PDF by pdfplumber: its tables, and between them its lines as paragraphs; large type is a heading."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.base import ParseOptions
from roma_core.types import Box, RawDocument

LARGER: Final = 1.15
"""Type that is larger than the body by this factor is a heading."""
PARAGRAPH_GAP: Final = 0.6
"""White between two lines of one paragraph, at most, in heights of a line."""


@dataclass(frozen=True)
class _TextLine:
    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    size: float


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the blocks of each page from top to bottom."""
    import pdfplumber

    with pdfplumber.open(io.BytesIO(raw.data), password=options.password or "") as document:
        pages = document.pages
        body = _body_size(pages)
        for page in pages:
            if options.pages is None or page.page_number in options.pages:
                yield from _page(page, body)
            page.close()


def _body_size(pages: Sequence[Any], most: int = 20) -> float:
    """Return the size that most characters of the first pages have."""
    sizes: Counter[float] = Counter()
    for page in pages[:most]:
        sizes.update(round(char["size"], 1) for char in page.chars)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _page(page: Any, body: float) -> Iterator[BackendBlock]:
    tables = page.find_tables()
    outside = page
    for table in tables:
        outside = outside.outside_bbox(_inside(table.bbox, page.bbox))
    parts: list[tuple[float, BackendBlock]] = []
    for table in tables:
        rows = [[cell or "" for cell in row] for row in table.extract()]
        block = BackendBlock("table", page=page.page_number, box=_box(table.bbox, page), rows=rows)
        parts.append((table.bbox[1], block))
    for paragraph in _paragraphs(_lines(outside)):
        top = min(line.top for line in paragraph)
        parts.append((top, _prose(paragraph, page, body)))
    for _, block in sorted(parts, key=lambda part: part[0]):
        yield block


def _inside(bbox: Box, frame: Box) -> Box:
    """Return the part of a table's box that lies on the page: the library refuses any other."""
    return max(bbox[0], frame[0]), max(bbox[1], frame[1]), min(bbox[2], frame[2]), min(bbox[3], frame[3])


def _lines(page: Any) -> list[_TextLine]:
    lines: list[_TextLine] = []
    for line in page.extract_text_lines(strip=True):
        size = max(char["size"] for char in line["chars"])
        lines.append(_TextLine(line["text"], line["x0"], line["top"], line["x1"], line["bottom"], size))
    return lines


def _paragraphs(lines: Sequence[_TextLine]) -> Iterator[list[_TextLine]]:
    """Yield runs of lines that stand close together in one size."""
    run: list[_TextLine] = []
    for line in lines:
        if run:
            gap = line.top - run[-1].bottom
            height = run[-1].bottom - run[-1].top
            if gap > PARAGRAPH_GAP * height or abs(line.size - run[-1].size) > 0.5:
                yield run
                run = []
        run.append(line)
    if run:
        yield run


def _prose(lines: Sequence[_TextLine], page: Any, body: float) -> BackendBlock:
    bbox = (
        min(line.x0 for line in lines),
        min(line.top for line in lines),
        max(line.x1 for line in lines),
        max(line.bottom for line in lines),
    )
    is_heading = lines[0].size >= LARGER * body and len(lines) <= 3
    text = " ".join(line.text for line in lines)
    return BackendBlock("heading" if is_heading else "paragraph", text, page=page.page_number, box=_box(bbox, page))


def _box(bbox: Sequence[float], page: Any) -> Box:
    left, top, right, bottom = page.bbox
    width, height = max(right - left, 1.0), max(bottom - top, 1.0)
    places = (bbox[0] - left) / width, (bbox[1] - top) / height, (bbox[2] - left) / width, (bbox[3] - top) / height
    x0, y0, x1, y1 = (min(1.0, max(0.0, place)) for place in places)
    return x0, y0, x1, y1
