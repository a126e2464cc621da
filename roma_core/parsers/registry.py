"""Which parser reads which media type: one table, so that a new format is one row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from roma_core.parsers import media
from roma_core.parsers.base import Parser, ParserSpec
from roma_core.plugins import BrokenPlugin, load_specs
from roma_core.types import RawDocument

GROUP: Final = "roma.parsers"

PARSERS: tuple[Parser, ...] = (
    Parser("asciidoc", 2, (media.ASCIIDOC,), "roma_core.parsers.text.light:parse_asciidoc"),
    Parser("calendar", 2, (media.ICS,), "roma_core.parsers.text.calendar:parse"),
    Parser("code", 1, (media.CODE,), "roma_core.parsers.text.code:parse"),
    Parser("csv", 3, (media.CSV, media.TSV), "roma_core.parsers.text.delimited:parse"),
    Parser("doc", 1, (media.DOC,), "roma_core.parsers.office.doc:parse", tracks_changes=True),
    Parser("docx", 7, (media.DOCX,), "roma_core.parsers.office.docx:parse", tracks_changes=True),
    Parser("eml", 6, (media.EML,), "roma_core.parsers.text.mail:parse_eml"),
    Parser("encrypted", 1, (media.ENCRYPTED_OFFICE,), "roma_core.parsers.office.encrypted:parse"),
    Parser("epub", 7, (media.EPUB,), "roma_core.parsers.web.epub:parse"),
    Parser("html", 7, (media.HTML,), "roma_core.parsers.web.html:parse"),
    Parser("image", 2, (media.PNG, media.JPEG, media.TIFF, media.WEBP), "roma_core.parsers.images.image:parse"),
    Parser("ipynb", 1, (media.IPYNB,), "roma_core.parsers.text.ipynb:parse"),
    Parser("json", 2, (media.JSON, media.JSON_LINES), "roma_core.parsers.text.tree:parse_json"),
    Parser("latex", 2, (media.TEX,), "roma_core.parsers.text.latex:parse"),
    Parser("markdown", 2, (media.MARKDOWN,), "roma_core.parsers.text.markdown:parse"),
    Parser("mbox", 3, (media.MBOX,), "roma_core.parsers.text.mail:parse_mbox"),
    Parser("mhtml", 5, (media.MHTML,), "roma_core.parsers.text.mail:parse_mhtml"),
    Parser("msg", 6, (media.MSG,), "roma_core.parsers.text.mail:parse_msg"),
    Parser("odp", 4, (media.ODP,), "roma_core.parsers.opendocument.odt:parse_presentation"),
    Parser("ods", 3, (media.ODS,), "roma_core.parsers.office.spreadsheet:parse_ods"),
    Parser("odt", 4, (media.ODT,), "roma_core.parsers.opendocument.odt:parse", tracks_changes=True),
    Parser("org", 2, (media.ORG,), "roma_core.parsers.text.light:parse_org"),
    Parser("pdf", 7, (media.PDF,), "roma_core.parsers.pdf.parser:parse"),
    Parser("ppt", 1, (media.PPT,), "roma_core.parsers.office.ppt:parse"),
    Parser("pptx", 5, (media.PPTX,), "roma_core.parsers.office.pptx:parse"),
    Parser("rst", 4, (media.RST,), "roma_core.parsers.text.rst:parse"),
    Parser("rtf", 3, (media.RTF,), "roma_core.parsers.office.rtf:parse", tracks_changes=True),
    Parser("subtitles", 1, (media.SRT, media.VTT), "roma_core.parsers.text.subtitles:parse"),
    Parser("text", 3, (media.TEXT,), "roma_core.parsers.text.plain:parse"),
    Parser("toml", 1, (media.TOML,), "roma_core.parsers.text.code:parse_toml"),
    Parser("wiki", 2, (media.WIKI,), "roma_core.parsers.text.light:parse_wiki"),
    Parser("xls", 3, (media.XLS,), "roma_core.parsers.office.spreadsheet:parse_xls"),
    Parser("xlsb", 1, (media.XLSB,), "roma_core.parsers.office.spreadsheet:parse_calamine"),
    Parser("xlsx", 2, (media.XLSX,), "roma_core.parsers.office.xlsx:parse"),
    Parser("xml", 2, (media.XML,), "roma_core.parsers.text.tree:parse_xml_file"),
    Parser("yaml", 1, (media.YAML,), "roma_core.parsers.text.code:parse_yaml"),
    Parser("zip", 1, (media.ZIP,), "roma_core.parsers.containers:parse_zip"),
)
"""Functions are named, not imported: the parent process loads no format library."""


SPEC = ParserSpec(PARSERS)

LITTLE_SAID: Final = frozenset({media.TEXT, media.BINARY, media.ZIP, media.XML, media.JSON})
"""Types that say little of a format: for these, plug-ins are asked whether the file is theirs."""


class ParserTable:
    """Parsers by media type. A plug-in's row that claims a type which another has is left out, as ``broken``."""

    def __init__(self, parsers: Iterable[Parser] = PARSERS, broken: Iterable[BrokenPlugin] = ()) -> None:
        self.by_type = by_media_type(parsers)
        self.broken = tuple(broken)
        self._of_plugins = [parser for parser in self.by_type.values() if parser.suffixes or parser.magic]

    @classmethod
    def installed(cls) -> ParserTable:
        """Return the table of ROMA's own parsers and those of plug-ins."""
        specs = load_specs(GROUP, ParserSpec)
        rows: list[Parser] = []
        broken = list(specs.broken)
        taken: dict[str, str] = {}
        for name, spec in specs.items():
            for parser in spec.parsers:
                owner = next((taken[media_type] for media_type in parser.media_types if media_type in taken), None)
                if owner is not None:
                    reason = f"it reads {', '.join(parser.media_types)}, which {owner} does; remove one of the two."
                    broken.append(BrokenPlugin(name, GROUP, reason))
                    continue
                rows.append(parser)
                taken |= dict.fromkeys(parser.media_types, parser.name)
        return cls(rows, broken)

    def detect(self, raw: RawDocument) -> str:
        """Return the media type of ``raw``: by its content, then by what plug-ins claim, then by its name."""
        detected = media.detect(raw)
        if detected not in LITTLE_SAID or not self._of_plugins:
            return detected
        data, suffix = raw.data, media.extension(raw.uri)
        for parser in self._of_plugins:
            if parser.claims(data, suffix):
                return parser.media_types[0]
        return detected


def by_media_type(parsers: Iterable[Parser] = PARSERS) -> dict[str, Parser]:
    """Table from media type to parser. Raises ``ValueError`` when two parsers claim one type."""
    table: dict[str, Parser] = {}
    for parser in parsers:
        for name in parser.media_types:
            if name in table:
                raise ValueError(f"{name} is claimed by both {table[name].name} and {parser.name}")
            table[name] = parser
    return table
