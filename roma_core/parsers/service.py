"""DolphinParserService: the only way from a file to a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Self

from roma_core.errors import AgentFailure, ConfigError, ErrorCode, ParserError, guarded, request_id, suggest_name
from roma_core.parsers import media
from roma_core.parsers.backends.base import Backend, find_backend
from roma_core.parsers.base import ParseOptions, Parser
from roma_core.parsers.containers import as_documents, unpack
from roma_core.parsers.figures import Figure, unpack_figures
from roma_core.parsers.page_reading import UNREAD, PageReader, ReadingStore, wanted_pages, without_pages
from roma_core.parsers.registry import ParserTable
from roma_core.parsers.sandbox.pool import ProcessSandbox, Sandbox, WorkerLimits
from roma_core.parsers.sandbox.worker import AGENT, ParseJob, Result
from roma_core.settings import OWN_PARSER, ParsingSettings, Settings, TrackedChanges
from roma_core.types import Document, RawDocument

_DEFAULTS = ParsingSettings()

ADVICE: dict[str, str] = {
    media.OLE: "it is cut, damaged or of another program: save it again as .docx, .pptx or .xlsx",
    media.XLSB: "save it as .xlsx",
    media.GIF: "save it as PNG",
    media.BMP: "save it as PNG",
    **dict.fromkeys(
        (media.GZIP, media.BZIP2, media.XZ, media.ZSTD, media.TAR, media.SEVEN_ZIP, media.RAR),
        "unpack it and read what is in it, or pack it as a .zip",
    ),
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
        backends: Mapping[str, str] | None = None,
        tracked_changes: TrackedChanges = _DEFAULTS.tracked_changes,
    ) -> None:
        """``backends`` names the backend that reads a format instead of ROMA's parser: ``{"pdf": "pdfplumber"}``.

        Raises ``ConfigError`` for a backend that is unknown, not installed, or does not read its format.
        """
        self._sandbox = sandbox or ProcessSandbox()
        self._table = ParserTable.installed() if parsers is None else ParserTable(parsers)
        self._parsers = self._table.by_type
        self._backends = choose_backends(self._parsers, backends or {})
        self._max_bytes = max_bytes
        self._tracked_changes = tracked_changes
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
            backends=settings.parsing.backends,
            tracked_changes=settings.parsing.tracked_changes,
        )

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure:
        """Document of ``raw``, never an empty one; otherwise a failure with an ``ERR_PARSER_*`` code."""
        return await guarded(AGENT, self._parse(raw, options or ParseOptions()))

    async def page_image(
        self, raw: RawDocument, number: int, options: ParseOptions | None = None
    ) -> bytes | AgentFailure:
        """PNG of page ``number`` (1-based) of a PDF or a picture as shown, to lay block boxes over."""
        chosen = (options or ParseOptions()).model_copy(update={"pages": (number,)})
        return await guarded(AGENT, self._bytes("roma_core.parsers.figures:draw_page", raw, chosen))

    async def page_words(self, raw: RawDocument, number: int) -> bytes | AgentFailure:
        """Words of page ``number`` (1-based) of a PDF with their boxes, packed: ``unpack_words`` reads them."""
        options = ParseOptions(pages=(number,))
        return await guarded(AGENT, self._bytes("roma_core.parsers.pdf.words:page_words", raw, options))

    async def figures(self, raw: RawDocument, options: ParseOptions | None = None) -> tuple[Figure, ...] | AgentFailure:
        """Pictures inside of a PDF, DOCX, PPTX or EPUB file, by the names that its figure blocks carry."""
        return await self._figures("roma_core.parsers.figures:extract_figures", raw, options)

    async def pictures(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[Figure, ...] | AgentFailure:
        """``figures`` as small PNGs for a model, without icons and what cannot be drawn."""
        return await self._figures("roma_core.parsers.figures:draw_pictures", raw, options)

    async def pictures_with_unreadable(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[Figure, ...] | AgentFailure:
        """``pictures``, and without data those that cannot be drawn."""
        return await self._figures("roma_core.parsers.figures:draw_all_pictures", raw, options)

    async def parts(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[RawDocument, ...] | AgentFailure:
        """Files inside of a file: attachments, embedded files, messages of a mailbox, files of an archive.

        Each has the address ``container#name`` and is parsed like any other file.
        """
        return await guarded(AGENT, self._parts(raw, options or ParseOptions()))

    @property
    def parser_ids(self) -> frozenset[str]:
        """Every parser with its version: a document made with another one is parsed again."""
        rows = [self._row(media_type, self._backends.get(media_type)) for media_type in self._parsers]
        return frozenset(row.id for row in rows if row is not None)

    def detect(self, raw: RawDocument) -> str:
        """Return the media type of a file, by its content and then by its name."""
        return self._table.detect(raw)

    def parser_id(self, raw: RawDocument) -> str | None:
        """Name and version of the parser that would read ``raw``; None when no parser does."""
        kind = self._table.detect(raw)
        row = self._row(kind, self._backends.get(kind))
        return row.id if row else None

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
        held = _hold_bytes(raw)
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
        return packed if isinstance(packed, AgentFailure) else unpack_figures(packed)

    async def _parts(self, raw: RawDocument, options: ParseOptions) -> tuple[RawDocument, ...] | AgentFailure:
        packed = await self._bytes("roma_core.parsers.containers:extract", raw, options)
        return packed if isinstance(packed, AgentFailure) else as_documents(raw, unpack(packed))

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
        held = _hold_bytes(raw)
        if not held.data or held.data.isspace():
            raise ParserError("The file is empty; check that it was saved and copied whole.", ErrorCode.PARSER_EMPTY)
        kind = self._table.detect(held)
        backend = self._backend(kind, options) if target is None else None
        changes = options.tracked_changes or self._tracked_changes
        row = self._row(kind, backend, changes)
        if row is None:
            raise _make_unsupported_error(kind, media.extension(raw.uri))
        options = options.model_copy(update={"tracked_changes": changes})
        if backend is not None:
            held = held.model_copy(update={"media_type": kind})
            options = options.model_copy(update={"backend": backend.name})
        job = ParseJob(target=target or row.parse, parser_id=row.id, media_type=kind, raw=held, options=options)
        result = await self._sandbox.run(job)
        return _explain(result, kind, backend) if isinstance(result, AgentFailure) else result

    def _backend(self, kind: str, options: ParseOptions) -> Backend | None:
        """Return the backend that reads a file of this type; None for ROMA's parser. Raises ``ConfigError``."""
        if options.backend is None:
            return self._backends.get(kind)
        return None if options.backend == OWN_PARSER else find_backend(options.backend, kind)

    def _row(self, kind: str, backend: Backend | None, changes: TrackedChanges | None = None) -> Parser | None:
        own = self._parsers.get(kind)
        if backend is not None:
            return backend.parser_for(own, kind)
        changes = changes or self._tracked_changes
        is_variant = own is not None and own.tracks_changes and changes != _DEFAULTS.tracked_changes
        return replace(own, variant=changes) if own is not None and is_variant else own


def choose_backends(parsers: Mapping[str, Parser], names: Mapping[str, str]) -> dict[str, Backend]:
    """Return the backend by media type for ``names`` by format. Raises ``ConfigError``."""
    formats: dict[str, list[str]] = {}
    for media_type, parser in parsers.items():
        formats.setdefault(parser.name, []).append(media_type)
    chosen: dict[str, Backend] = {}
    for name, backend_name in names.items():
        if name not in formats:
            raise ConfigError(f"There is no format {name!r}. {suggest_name(name, formats)}")
        backend = find_backend(backend_name, formats[name][0])
        chosen |= {media_type: backend for media_type in formats[name] if backend.reads(media_type)}
    return chosen


def _hold_bytes(raw: RawDocument) -> RawDocument:
    """Return the document with its bytes in memory."""
    return raw if raw.content is not None else raw.model_copy(update={"content": raw.data, "path": None})


def _explain(failure: AgentFailure, kind: str, backend: Backend | None = None) -> AgentFailure:
    """Return the failure with the request and the format; a defect of a library counts as a malformed file."""
    update: dict[str, object] = {
        "request_id": request_id.get(),
        "details": {**failure.details, "media_type": kind},
    }
    if failure.code is ErrorCode.INTERNAL:
        cause = failure.details.get("exception", "an error")
        update["code"] = ErrorCode.PARSER_MALFORMED
        if backend is not None:
            update["message"] = (
                f"The backend {backend.name!r} cannot read the file ({cause}); read it with --backend {OWN_PARSER} to "
                "see whether it is damaged."
            )
            return failure.model_copy(update=update)
        update["message"] = (
            f"The file cannot be read ({cause}): it is probably damaged. Save it again in the program it came "
            "from; if other programs read it, please report it."
        )
    return failure.model_copy(update=update)


def _make_unsupported_error(kind: str, extension: str) -> ParserError:
    if kind == media.BINARY and extension in media.TOLD_BY_CONTENT:
        return ParserError(
            f"The file is called {extension} and holds something else: it is damaged, or was not copied whole. Save it "
            "again in the program it came from.",
            ErrorCode.PARSER_MALFORMED,
        )
    if kind == media.ENCRYPTED_OFFICE:
        return ParserError("The file is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED)
    advice = ADVICE.get(kind, "convert it to PDF, DOCX, HTML or text")
    return ParserError(f"No parser reads {kind}; {advice}.", ErrorCode.PARSER_UNSUPPORTED)
