"""DolphinParserService: the only way from a file to a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from roma_core.errors import AgentFailure, ErrorCode, ParserError, guarded, request_id
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions, Parser
from roma_core.parsers.figures import Figure, unpacked
from roma_core.parsers.page_reading import UNREAD, PageReader, ReadingStore, wanted_pages, without_pages
from roma_core.parsers.registry import ParserTable
from roma_core.parsers.sandbox.pool import ProcessSandbox, Sandbox, WorkerLimits
from roma_core.parsers.sandbox.worker import AGENT, ParseJob, Result
from roma_core.settings import ParsingSettings, Settings
from roma_core.types import Document, RawDocument

_DEFAULTS = ParsingSettings()

ADVICE: dict[str, str] = {
    media.DOC: "save it as .docx",
    media.PPT: "save it as .pptx",
    media.XLSB: "save it as .xlsx",
    media.ZIP: "unpack it and ingest the files",
    media.GIF: "save it as PNG",
    media.BMP: "save it as PNG",
}
"""What to do with files that are recognised but that no parser reads."""


class DolphinParserService:
    """Decides the format by content, runs its parser in the sandbox, and returns ``Document | AgentFailure``."""

    def __init__(
        self,
        sandbox: Sandbox | None = None,
        *,
        parsers: Iterable[Parser] | None = None,
        max_bytes: int = _DEFAULTS.max_mb << 20,
        readings: ReadingStore | None = None,
        max_ocr_pages: int = _DEFAULTS.ocr_pages,
    ) -> None:
        self._sandbox = sandbox or ProcessSandbox()
        self._table = ParserTable.installed() if parsers is None else ParserTable(parsers)
        self._parsers = self._table.by_type
        self._max_bytes = max_bytes
        self._ocr = PageReader(self._sandbox, readings, max_ocr_pages)

    @classmethod
    def of(cls, settings: Settings, readings: ReadingStore | None = None) -> Self:
        """Service with the limits of ``settings``. No process is started before the first file.

        ``readings`` keeps the pages that OCR has read, so that no page is read twice.
        """
        limits = WorkerLimits(timeout_s=settings.parsing.timeout_s, memory_mb=settings.parsing.memory_mb)
        return cls(
            ProcessSandbox(settings.parsing.workers, limits),
            max_bytes=settings.parsing.max_mb << 20,
            readings=readings,
            max_ocr_pages=settings.parsing.ocr_pages,
        )

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure:
        """Document of ``raw``, never an empty one; otherwise a failure with an ``ERR_PARSER_*`` code."""
        return await guarded(AGENT, self._parse(raw, options or ParseOptions()))

    async def page_image(
        self, raw: RawDocument, number: int, options: ParseOptions | None = None
    ) -> bytes | AgentFailure:
        """PNG of page ``number`` (1-based) of a PDF or a picture as shown, to lay block boxes over."""
        chosen = (options or ParseOptions()).model_copy(update={"pages": (number,)})
        return await guarded(AGENT, self._bytes("roma_core.parsers.figures:page_image", raw, chosen))

    async def figures(self, raw: RawDocument, options: ParseOptions | None = None) -> tuple[Figure, ...] | AgentFailure:
        """Pictures inside of a PDF, DOCX, PPTX or EPUB file, by the names that its figure blocks carry."""
        return await self._figures("roma_core.parsers.figures:figures", raw, options)

    async def pictures(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[Figure, ...] | AgentFailure:
        """``figures`` as small PNGs for a model, without icons and what cannot be drawn."""
        return await self._figures("roma_core.parsers.figures:pictures", raw, options)

    @property
    def parser_ids(self) -> frozenset[str]:
        """Every parser with its version: a document made with another one is parsed again."""
        return frozenset(parser.id for parser in self._parsers.values())

    def parser_id(self, raw: RawDocument) -> str | None:
        """Name and version of the parser that would read ``raw``; None when no parser does."""
        parser = self._parsers.get(self._table.detect(raw))
        return parser.id if parser else None

    async def close(self) -> None:
        await self._sandbox.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _parse(self, raw: RawDocument, options: ParseOptions) -> Document | AgentFailure:
        """Parse once; where pages have to be read by OCR, have each read by a job of its own and parse again.

        The parser id of a document with unread pages says so, so that the next ingest goes on with them.
        """
        result = await self._parse_once(raw, options.model_copy(update={"defer_ocr": options.ocr}))
        wanted = wanted_pages(result)
        if not wanted:
            return result
        held = _held(raw)
        readings = await self._ocr.read(held, options, wanted)
        result = await self._parse_once(held, options.model_copy(update={"readings": readings, "defer_ocr": True}))
        if isinstance(result, AgentFailure):
            return without_pages(result)
        result = without_pages(result)
        if len(readings) == len(wanted):
            return result
        return result.model_copy(update={"parser": f"{result.parser}{UNREAD}{len(readings)}-of-{len(wanted)}"})

    async def _parse_once(self, raw: RawDocument, options: ParseOptions) -> Document | AgentFailure:
        result = await self._run(None, raw, options)
        if isinstance(result, bytes):
            raise TypeError("a parser returned bytes")
        return result

    async def _figures(
        self, target: str, raw: RawDocument, options: ParseOptions | None
    ) -> tuple[Figure, ...] | AgentFailure:
        packed = await guarded(AGENT, self._bytes(target, raw, options or ParseOptions()))
        return packed if isinstance(packed, AgentFailure) else unpacked(packed)

    async def _bytes(self, target: str, raw: RawDocument, options: ParseOptions) -> bytes | AgentFailure:
        result = await self._run(target, raw, options)
        if isinstance(result, Document):
            raise TypeError(f"{target} returned a document")
        return result

    async def _run(self, target: str | None, raw: RawDocument, options: ParseOptions) -> Result:
        """Result of ``target`` (of the file's parser when None). Raises ``ParserError`` before any work is done."""
        if raw.size > self._max_bytes:
            raise ParserError(
                f"The file is larger than {self._max_bytes >> 20} MB; raise ROMA_PARSER_MAX_MB or split it.",
                ErrorCode.PARSER_TOO_LARGE,
                details={"bytes": raw.size},
            )
        held = _held(raw)
        if not held.data or held.data.isspace():
            raise ParserError("The file is empty; check that it was saved and copied whole.", ErrorCode.PARSER_EMPTY)
        kind = self._table.detect(held)
        parser = self._parsers.get(kind)
        if parser is None:
            raise _unsupported(kind)
        job = ParseJob(target=target or parser.parse, parser_id=parser.id, media_type=kind, raw=held, options=options)
        result = await self._sandbox.run(job)
        return _explained(result, kind) if isinstance(result, AgentFailure) else result


def _held(raw: RawDocument) -> RawDocument:
    """Return the document with its bytes in memory."""
    return raw if raw.content is not None else raw.model_copy(update={"content": raw.data, "path": None})


def _explained(failure: AgentFailure, kind: str) -> AgentFailure:
    """The failure with the request and the format; a defect of a format library counts as a malformed file."""
    update: dict[str, object] = {
        "request_id": request_id.get(),
        "details": {**failure.details, "media_type": kind},
    }
    if failure.code is ErrorCode.INTERNAL:
        cause = failure.details.get("exception", "an error")
        update["code"] = ErrorCode.PARSER_MALFORMED
        update["message"] = (
            f"The file cannot be read ({cause}): it is probably damaged. Save it again in the program it came "
            "from; if other programs read it, please report it."
        )
    return failure.model_copy(update=update)


def _unsupported(kind: str) -> ParserError:
    if kind == media.ENCRYPTED_OFFICE:
        return ParserError("The file is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED)
    advice = ADVICE.get(kind, "convert it to PDF, DOCX, HTML or text")
    return ParserError(f"No parser reads {kind}; {advice}.", ErrorCode.PARSER_UNSUPPORTED)
