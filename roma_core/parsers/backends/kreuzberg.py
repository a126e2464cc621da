"""Documents by kreuzberg: Markdown of the file, and for PDF the text of each page."""

from __future__ import annotations

from collections.abc import Iterator

from roma_core.parsers import media
from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.backends.writer import blocks_of_markdown
from roma_core.parsers.base import ParseOptions
from roma_core.types import RawDocument


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the blocks. A PDF keeps its pages and has no headings; other formats have headings and no pages."""
    from kreuzberg import ExtractionConfig, PageConfig, extract_bytes_sync

    is_paged = raw.media_type == media.PDF
    config = ExtractionConfig(
        use_cache=False,
        disable_ocr=True,
        output_format="plain" if is_paged else "markdown",
        pages=PageConfig(extract_pages=True) if is_paged else None,
    )
    result = extract_bytes_sync(raw.data, raw.media_type or media.BINARY, config)
    for page in (result.pages or ()) if is_paged else ():
        for paragraph in page["content"].replace("\r\n", "\n").split("\n\n"):
            yield BackendBlock("paragraph", paragraph, page=page["page_number"])
        for table in page.get("tables") or ():
            yield BackendBlock("table", page=page["page_number"], rows=table.cells)
    if not is_paged:
        yield from blocks_of_markdown(result.content)
