"""Which parser reads which media type: one table, so that a new format is one row."""

from __future__ import annotations

from collections.abc import Iterable

from roma_core.parsers import media
from roma_core.parsers.base import Parser

PARSERS: tuple[Parser, ...] = (
    Parser("csv", 1, (media.CSV, media.TSV), "roma_core.parsers.text.delimited:parse"),
    Parser("docx", 4, (media.DOCX,), "roma_core.parsers.office.docx:parse"),
    Parser("eml", 3, (media.EML,), "roma_core.parsers.text.mail:parse_eml"),
    Parser("encrypted", 1, (media.ENCRYPTED_OFFICE,), "roma_core.parsers.office.encrypted:parse"),
    Parser("epub", 4, (media.EPUB,), "roma_core.parsers.web.epub:parse"),
    Parser("html", 4, (media.HTML,), "roma_core.parsers.web.html:parse"),
    Parser("image", 2, (media.PNG, media.JPEG, media.TIFF, media.WEBP), "roma_core.parsers.images.image:parse"),
    Parser("ipynb", 1, (media.IPYNB,), "roma_core.parsers.text.ipynb:parse"),
    Parser("markdown", 1, (media.MARKDOWN,), "roma_core.parsers.text.markdown:parse"),
    Parser("mhtml", 3, (media.MHTML,), "roma_core.parsers.text.mail:parse_mhtml"),
    Parser("msg", 3, (media.MSG,), "roma_core.parsers.text.mail:parse_msg"),
    Parser("odp", 3, (media.ODP,), "roma_core.parsers.opendocument.odt:parse_presentation"),
    Parser("ods", 1, (media.ODS,), "roma_core.parsers.office.spreadsheet:parse_ods"),
    Parser("odt", 3, (media.ODT,), "roma_core.parsers.opendocument.odt:parse"),
    Parser("pdf", 4, (media.PDF,), "roma_core.parsers.pdf.parser:parse"),
    Parser("pptx", 4, (media.PPTX,), "roma_core.parsers.office.pptx:parse"),
    Parser("rst", 3, (media.RST,), "roma_core.parsers.text.rst:parse"),
    Parser("rtf", 2, (media.RTF,), "roma_core.parsers.office.rtf:parse"),
    Parser("subtitles", 1, (media.SRT, media.VTT), "roma_core.parsers.text.subtitles:parse"),
    Parser("text", 1, (media.TEXT, media.JSON, media.XML, media.ORG), "roma_core.parsers.text.plain:parse"),
    Parser("xls", 1, (media.XLS,), "roma_core.parsers.office.spreadsheet:parse_xls"),
    Parser("xlsb", 1, (media.XLSB,), "roma_core.parsers.office.spreadsheet:parse_calamine"),
    Parser("xlsx", 1, (media.XLSX,), "roma_core.parsers.office.xlsx:parse"),
)
"""Functions are named, not imported: the parent process loads no format library."""


def by_media_type(parsers: Iterable[Parser] = PARSERS) -> dict[str, Parser]:
    """Table from media type to parser. Raises ``ValueError`` when two parsers claim one type."""
    table: dict[str, Parser] = {}
    for parser in parsers:
        for name in parser.media_types:
            if name in table:
                raise ValueError(f"{name} is claimed by both {table[name].name} and {parser.name}")
            table[name] = parser
    return table
