"""Pages of a PDF whose text must come from their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.build import DocumentBuilder
from roma_core.parsers.pdf_page import PageContent


def fill_in(document: Any, pages: Sequence[PageContent], options: ParseOptions, builder: DocumentBuilder) -> None:
    return None
