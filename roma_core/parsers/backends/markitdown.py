"""Documents by markitdown, which writes Markdown without pages or places."""

from __future__ import annotations

import io
from collections.abc import Iterator

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.backends.writer import blocks_of_markdown
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.media import extension
from roma_core.types import RawDocument


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the blocks of the Markdown. No plug-in is loaded and nothing is fetched."""
    from markitdown import MarkItDown, StreamInfo

    converter = MarkItDown(enable_plugins=False)
    info = StreamInfo(mimetype=raw.media_type, extension=extension(raw.uri) or None)
    yield from blocks_of_markdown(converter.convert_stream(io.BytesIO(raw.data), stream_info=info).markdown)
