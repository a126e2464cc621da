"""OCR as a service of pages: each page is a job with its own limit, and what was read once is kept.

The parser of a PDF names the pages that OCR has to read, with a hash of what each shows. A page that fails costs itself
alone; what is not read is tried again at the next ingest of the file.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, overload

from roma_core.errors import AgentFailure
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import Sandbox
from roma_core.parsers.sandbox.worker import ParseJob
from roma_core.telemetry import logs
from roma_core.types import Document, RawDocument, digest

WANTED = "ocr_pages"
"""Key of ``Document.metadata`` or of a failure's details under which the parser names pages."""
UNREAD = "+ocr-"
"""Part of the parser id of a document that has unread pages."""
KIND = "ocr"
VERSION = "2"
"""Rises whenever OCR reads some page in another way."""
TARGET = "roma_core.parsers.pdf.scans:read_page"
CONCURRENT = 2
"""Pages of one file that are read at once; other files have to be parsed meanwhile."""
_log = logs.get("parser")


class ReadingStore(Protocol):
    """Bytes by kind and key, as ``Cache`` keeps them."""

    def get(self, kind: str, key: str) -> bytes | None: ...

    def put(self, kind: str, key: str, value: bytes) -> None: ...


class PageReader:
    """Reads pages by OCR in the sandbox, one job a page, at most ``max_pages`` of a file that are not kept yet.

    Example::

        readings = await PageReader(sandbox, cache, 200).read(raw, ParseOptions(), {3: "hash of page 3"})
    """

    def __init__(self, sandbox: Sandbox, store: ReadingStore | None, max_pages: int) -> None:
        self._sandbox = sandbox
        self._store = store
        self._max_pages = max_pages

    async def read(self, raw: RawDocument, options: ParseOptions, wanted: dict[int, str]) -> dict[int, str]:
        """Return what was read by page number, as JSON. Pages that failed or are beyond the limit are missing."""
        readings: dict[int, str] = {}
        fresh: list[int] = []
        for number, page_hash in wanted.items():
            kept = await asyncio.to_thread(self._get, page_hash)
            if kept is None:
                fresh.append(number)
            else:
                readings[number] = kept
        gate = asyncio.Semaphore(CONCURRENT)

        async def read_one(number: int) -> None:
            async with gate:
                text = await self._read_page(raw, options, number)
            if text is not None:
                readings[number] = text
                await asyncio.to_thread(self._put, wanted[number], text)

        await asyncio.gather(*(read_one(number) for number in fresh[: self._max_pages]))
        return readings

    async def _read_page(self, raw: RawDocument, options: ParseOptions, number: int) -> str | None:
        chosen = options.model_copy(update={"pages": (number,)})
        job = ParseJob(target=TARGET, parser_id=KIND, media_type=media.PDF, raw=raw, options=chosen)
        result = await self._sandbox.run(job)
        if isinstance(result, bytes):
            return result.decode()
        code = result.code.value if isinstance(result, AgentFailure) else "a document"
        _log.warning("page not read by OCR", uri=raw.uri, page=number, code=code)
        return None

    def _get(self, page_hash: str) -> str | None:
        kept = self._store.get(KIND, _key(page_hash)) if self._store else None
        return kept.decode() if kept is not None else None

    def _put(self, page_hash: str, text: str) -> None:
        if self._store:
            self._store.put(KIND, _key(page_hash), text.encode())


def _key(page_hash: str) -> str:
    return digest(KIND, VERSION, page_hash)


def wanted_pages(result: Document | AgentFailure) -> dict[int, str]:
    """Return the pages that the parser wants read, with their hashes."""
    facts = result.metadata if isinstance(result, Document) else result.details
    return {int(number): page_hash for number, page_hash in facts.get(WANTED, {}).items()}


@overload
def without_pages(result: Document) -> Document: ...
@overload
def without_pages(result: AgentFailure) -> AgentFailure: ...
def without_pages(result: Document | AgentFailure) -> Document | AgentFailure:
    """Return the result without the pages that it wanted read."""
    if isinstance(result, Document):
        metadata = {key: value for key, value in result.metadata.items() if key != WANTED}
        return result.model_copy(update={"metadata": metadata})
    details = {key: value for key, value in result.details.items() if key != WANTED}
    return result.model_copy(update={"details": details})
