"""DolphinParserService: the only way from a file to a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from roma_core.errors import AgentFailure, ErrorCode, ParserError, guarded, request_id
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions, Parser
from roma_core.parsers.registry import PARSERS, by_media_type
from roma_core.parsers.sandbox import Limits, ProcessSandbox, Sandbox
from roma_core.parsers.worker import AGENT, Job, Result
from roma_core.settings import Settings
from roma_core.types import Document, RawDocument

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
        self, sandbox: Sandbox | None = None, *, parsers: Iterable[Parser] = PARSERS, max_bytes: int = 200 << 20
    ) -> None:
        self._sandbox = sandbox or ProcessSandbox()
        self._parsers = by_media_type(parsers)
        self._max_bytes = max_bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Service with the limits of ``settings``. No process is started before the first file."""
        limits = Limits(timeout_s=settings.parser_timeout_s, memory_mb=settings.parser_memory_mb)
        return cls(ProcessSandbox(settings.parser_workers, limits), max_bytes=settings.parser_max_mb << 20)

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure:
        """Document of ``raw``, never an empty one; otherwise a failure with an ``ERR_PARSER_*`` code."""
        result = await guarded(AGENT, self._parse(raw, options or ParseOptions()))
        return self._named(raw, result) if isinstance(result, AgentFailure) else result

    @property
    def parser_ids(self) -> frozenset[str]:
        """Names and versions of all parsers: what was made by another one can be made better."""
        return frozenset(parser.id for parser in self._parsers.values())

    def parser_id(self, raw: RawDocument) -> str | None:
        """Name and version of the parser that would read ``raw``; None when no parser does."""
        parser = self._parsers.get(media.detect(raw))
        return parser.id if parser else None

    async def close(self) -> None:
        await self._sandbox.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _parse(self, raw: RawDocument, options: ParseOptions) -> Document | AgentFailure:
        parser, kind = self._choose(raw)
        result = await self._run(parser.parse, parser, kind, raw, options)
        if isinstance(result, bytes):
            raise TypeError(f"parser {parser.id} returned bytes")
        return result

    async def _run(self, target: str, parser: Parser, kind: str, raw: RawDocument, options: ParseOptions) -> Result:
        job = Job(target=target, parser_id=parser.id, media_type=kind, raw=raw, options=options)
        return await self._sandbox.run(job)

    def _choose(self, raw: RawDocument) -> tuple[Parser, str]:
        """Parser and media type for ``raw``. Raises ``ParserError`` before any work is done on it."""
        if len(raw.data) > self._max_bytes:
            raise ParserError(
                f"The file is larger than {self._max_bytes >> 20} MB; raise ROMA_PARSER_MAX_MB or split it.",
                ErrorCode.PARSER_TOO_LARGE,
                details={"bytes": len(raw.data)},
            )
        if not raw.data or raw.data.isspace():
            raise ParserError("The file is empty.", ErrorCode.PARSER_EMPTY)
        kind = media.detect(raw)
        parser = self._parsers.get(kind)
        if parser is None:
            raise _unsupported(kind)
        return parser, kind

    def _named(self, raw: RawDocument, failure: AgentFailure) -> AgentFailure:
        """The failure with the request and the format; a defect of a format library counts as a malformed file."""
        details = {**failure.details, "media_type": media.detect(raw)}
        update: dict[str, object] = {"request_id": request_id.get(), "details": details}
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
