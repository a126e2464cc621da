"""EPUB by ebooklib: the items of the spine, each read as HTML."""

from __future__ import annotations

import io
from collections.abc import Iterator

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.backends.writer import blocks_of_html
from roma_core.parsers.base import ParseOptions
from roma_core.types import RawDocument


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the blocks of the chapters in reading order; navigation pages are left to the table of contents."""
    from ebooklib import epub

    book = epub.read_epub(io.BytesIO(raw.data))
    for identifier, _ in book.spine:
        item = book.get_item_with_id(identifier)
        if item is not None and not isinstance(item, epub.EpubNav):
            yield from blocks_of_html(item.get_content(), "utf-8")
