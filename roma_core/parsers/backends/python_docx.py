"""DOCX by python-docx: paragraphs by their style, and tables."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.tables import Grid
from roma_core.types import RawDocument

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LEVEL = re.compile(r"(\d)$")


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield paragraphs and tables in the order of the body, then headers and footers as left out."""
    import docx
    from docx.table import Table

    document = docx.Document(io.BytesIO(raw.data))
    for part in document.iter_inner_content():
        if isinstance(part, Table):
            yield BackendBlock("table", rows=_rows(part))
        elif part.text.strip():
            yield _paragraph(part)
    for section in document.sections:
        for furniture in (section.header, section.footer):
            words = "\n".join(paragraph.text for paragraph in furniture.paragraphs)
            if not furniture.is_linked_to_previous and words.strip():
                yield BackendBlock("paragraph", words, left_out="furniture")


def _paragraph(paragraph: Any) -> BackendBlock:
    style = paragraph.style.name if paragraph.style is not None and paragraph.style.name else ""
    heading = _HEADING.match(style)
    if heading:
        return BackendBlock("heading", paragraph.text, level=int(heading[1]))
    if style == "Title":
        return BackendBlock("heading", paragraph.text)
    if style.startswith("List"):
        level = _LEVEL.search(style)
        return BackendBlock("list", paragraph.text, level=int(level[1]) - 1 if level else 0)
    if style == "Caption":
        return BackendBlock("caption", paragraph.text)
    return BackendBlock("paragraph", paragraph.text)


def _rows(table: Any) -> Grid:
    return [[cell.text for cell in row.cells] for row in table.rows]
