"""Documents by docling: its items in reading order with their places. Its models must be on this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.base import ParseOptions
from roma_core.types import BlockKind, Box, RawDocument

_KINDS: Final[dict[str, BlockKind]] = {
    "title": "heading",
    "section_header": "heading",
    "list_item": "list",
    "table": "table",
    "document_index": "table",
    "caption": "caption",
    "footnote": "footnote",
    "code": "code",
    "picture": "figure",
}
"""Kinds by label; all others are paragraphs."""
_FURNITURE: Final = frozenset({"page_header", "page_footer"})


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the items of the body, then those of headers and footers as left out."""
    from docling.document_converter import DocumentConverter
    from docling_core.types.doc import ContentLayer
    from docling_core.types.io import DocumentStream

    stream = DocumentStream(name=PurePosixPath(raw.uri).name or "file", stream=io.BytesIO(raw.data))
    document = DocumentConverter().convert(stream).document
    for item, _ in document.iterate_items(included_content_layers={ContentLayer.BODY, ContentLayer.FURNITURE}):
        yield from _blocks(item, document)


def _blocks(item: Any, document: Any) -> Iterator[BackendBlock]:
    page, box = _place(item, document)
    label = str(getattr(item.label, "value", item.label))
    text = getattr(item, "text", "")
    if label in _FURNITURE or str(getattr(item.content_layer, "value", "body")) == "furniture":
        yield BackendBlock("paragraph", text, page=page, left_out="furniture")
        return
    kind = _KINDS.get(label, "paragraph")
    if kind == "table":
        rows = [[cell.text for cell in row] for row in item.data.grid]
        yield BackendBlock("table", page=page, box=box, rows=rows)
    elif kind == "heading":
        yield BackendBlock("heading", text, page=page, box=box, level=getattr(item, "level", 1))
    else:
        yield BackendBlock(kind, text, page=page, box=box, level=0)


def _place(item: Any, document: Any) -> tuple[int | None, Box | None]:
    if not item.prov:
        return None, None
    place = item.prov[0]
    size = document.pages[place.page_no].size if place.page_no in document.pages else None
    if size is None:
        return place.page_no, None
    area = place.bbox.to_top_left_origin(page_height=size.height)
    return place.page_no, (area.l / size.width, area.t / size.height, area.r / size.width, area.b / size.height)
