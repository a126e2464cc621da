"""Files to documents: the seam, the table of formats and the service that runs parsers in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.parsers.base import Parse as Parse
    from roma_core.parsers.base import ParseOptions as ParseOptions
    from roma_core.parsers.base import Parser as Parser
    from roma_core.parsers.base import ParserSpec as ParserSpec
    from roma_core.parsers.builder import DocumentBuilder as DocumentBuilder
    from roma_core.parsers.registry import PARSERS as PARSERS
    from roma_core.parsers.registry import by_media_type as by_media_type
    from roma_core.parsers.service import DolphinParserService as DolphinParserService
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "base": (
                "Parse",
                "ParseOptions",
                "Parser",
                "ParserSpec",
            ),
            "builder": ("DocumentBuilder",),
            "registry": (
                "PARSERS",
                "by_media_type",
            ),
            "service": ("DolphinParserService",),
        },
    )

__all__ = [
    "PARSERS",
    "DocumentBuilder",
    "DolphinParserService",
    "Parse",
    "ParseOptions",
    "Parser",
    "ParserSpec",
    "by_media_type",
]
