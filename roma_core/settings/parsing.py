"""Settings of parser processes and of figures that a model describes."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from roma_core.settings.base import SettingsSection, setting

TrackedChanges = Literal["accepted", "original", "both"]
"""Text of a document with tracked changes: with them, without them, or both between marks."""
OWN_PARSER: Final = "own"
"""Name of ROMA's own parsers among the backends."""
BACKEND_FORMATS: Final = (
    "csv",
    "docx",
    "eml",
    "epub",
    "html",
    "ipynb",
    "latex",
    "markdown",
    "msg",
    "ods",
    "odt",
    "org",
    "pdf",
    "pptx",
    "rst",
    "rtf",
    "text",
    "xls",
    "xlsb",
    "xlsx",
)
"""Formats, by the names of their parsers, that a backend can be chosen for; each is a field of ``ParsingSettings``."""


def backend_setting(files: str) -> Any:
    """Return the field that chooses who reads ``files``."""
    return setting(OWN_PARSER, f"Backend that reads {files}; own = ROMA's parser.", decides_answers=False)


class ParsingSettings(SettingsSection):
    """Limits of the processes that parse files, and who reads which format."""

    prefix: ClassVar[str] = "ROMA_PARSER_"

    timeout_s: float = setting(60.0, "Wall time one file may take.", gt=0, decides_answers=False)
    memory_mb: int = setting(2048, "Address space of a parser process.", ge=256, decides_answers=False)
    workers: int = setting(0, "Parser processes; 0 = one per core.", ge=0, decides_answers=False)
    ocr_pages: int = setting(
        200, "Most pages of one file that OCR reads in one run; the next run goes on.", ge=1, decides_answers=False
    )
    max_mb: int = setting(200, "Larger files are refused.", ge=1, decides_answers=False)
    tracked_changes: TrackedChanges = setting(
        "accepted",
        "Text of documents with tracked changes: accepted, original, or both between marks.",
        decides_answers=False,
    )
    csv: str = backend_setting("CSV and TSV")
    docx: str = backend_setting("DOCX")
    eml: str = backend_setting("EML messages")
    epub: str = backend_setting("EPUB")
    html: str = backend_setting("HTML")
    ipynb: str = backend_setting("Jupyter notebooks")
    latex: str = backend_setting("LaTeX")
    markdown: str = backend_setting("Markdown")
    msg: str = backend_setting("Outlook messages")
    ods: str = backend_setting("ODS")
    odt: str = backend_setting("ODT")
    org: str = backend_setting("Org")
    pdf: str = backend_setting("PDF")
    pptx: str = backend_setting("PPTX")
    rst: str = backend_setting("reStructuredText")
    rtf: str = backend_setting("RTF")
    text: str = backend_setting("plain text")
    xls: str = backend_setting("XLS")
    xlsb: str = backend_setting("XLSB")
    xlsx: str = backend_setting("XLSX")

    @property
    def backends(self) -> dict[str, str]:
        """Return the chosen backend by format, where it is not ROMA's own parser.

        >>> ParsingSettings(pdf="pdfplumber").backends
        {'pdf': 'pdfplumber'}
        """
        chosen = {name: str(getattr(self, name)) for name in BACKEND_FORMATS}
        return {name: backend for name, backend in chosen.items() if backend != OWN_PARSER}


class FigureSettings(SettingsSection):
    """Descriptions of figures. The parser's id records them: they decide the corpus, not an answer over it."""

    prefix: ClassVar[str] = "ROMA_FIGURE_"

    captions: Literal["off", "on"] = setting(
        "off",
        "on: ingest has a model describe figures without words in PDF, DOCX, PPTX, EPUB, ODF.",
        decides_answers=False,
    )
    model: str | None = setting(
        None,
        "provider:model that describes figures; none = the model that writes answers.",
        decides_answers=False,
    )
    limit: int = setting(30, "Most figures of one document that are described.", ge=1, decides_answers=False)
