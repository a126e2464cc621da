"""Settings of parser processes and of figures that a model describes."""

from __future__ import annotations

from typing import ClassVar, Literal

from roma_core.settings.base import SettingsSection, setting


class ParsingSettings(SettingsSection):
    """Limits of the processes that parse files."""

    prefix: ClassVar[str] = "ROMA_PARSER_"

    timeout_s: float = setting(60.0, "Wall time one file may take.", gt=0, decides_answers=False)
    memory_mb: int = setting(2048, "Address space of a parser process.", ge=256, decides_answers=False)
    workers: int = setting(0, "Parser processes; 0 = one per core.", ge=0, decides_answers=False)
    ocr_pages: int = setting(
        200, "Most pages of one file that OCR reads in one run; the next run goes on.", ge=1, decides_answers=False
    )
    max_mb: int = setting(200, "Larger files are refused.", ge=1, decides_answers=False)


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
