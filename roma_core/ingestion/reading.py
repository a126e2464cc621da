"""Documents of the bytes of items: parsed or out of the cache, with what is seen in their figures."""

from __future__ import annotations

import asyncio
import zlib

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.ingestion.captions import FIGURES
from roma_core.ingestion.documents import find_endless_word, refuse_data
from roma_core.ingestion.pictures import IMAGE_PARSER
from roma_core.ingestion.work import Parts
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.figures import list_undescribed
from roma_core.types import Document, RawDocument, digest


class DocumentReader:
    """Reads items of one tenant, with the parsers, the cache and the models of ``parts``."""

    def __init__(self, parts: Parts, tenant: str) -> None:
        self._parts = parts
        self._tenant = tenant

    def name_parse(self, raw: RawDocument, sha256: str, parser: str | None) -> str:
        """Return the key under which a parse is cached: its bytes, its parser, and what else the parser sees."""
        described = raw.model_dump_json(exclude={"content", "path"})
        return digest("parse", sha256, parser or "", described, self._tenant)

    async def parse(self, raw: RawDocument, key: str, *, keeps: bool) -> Document | AgentFailure:
        """Return the document, from the cache when the same bytes were parsed before under the same name.

        ``keeps`` puts it there; what may have to be masked is not kept as it is.
        """
        held = await asyncio.to_thread(self._parts.cache.get, "parse", key)
        if held is not None:
            return Document.model_validate_json(unpack_document(held))
        document = await self._parts.parsers.parse(raw, ParseOptions(tenant=self._tenant, parts_apart=True))
        if isinstance(document, AgentFailure):
            return await self._picture_without_words(raw, document)
        longest = await asyncio.to_thread(find_endless_word, document.text)
        if longest:
            return refuse_data(longest)
        has_all_pages = document.parser in self._parts.parsers.parser_ids
        if has_all_pages and keeps:
            await asyncio.to_thread(lambda: self._parts.cache.put("parse", key, pack_document(document)))
        return document

    async def _picture_without_words(self, raw: RawDocument, failure: AgentFailure) -> Document | AgentFailure:
        """Return a document for a picture that holds no text; for any other file the failure stands."""
        if failure.code != ErrorCode.PARSER_EMPTY or self._parts.pictures is None:
            return failure
        parser = await asyncio.to_thread(self._parts.parsers.parser_id, raw)
        if parser is None or not parser.startswith(IMAGE_PARSER):
            return failure
        return await self._parts.pictures.describe(raw, parser, self._tenant)

    async def add_captions(self, document: Document, raw: RawDocument) -> Document:
        """Return the document with a caption for each figure, when captioning is on.

        The parser id records whether captions were made, so that switching them on parses the document again.
        """
        if not list_undescribed(document):
            return document
        if self._parts.captions is None:
            return document.model_copy(update={"parser": document.parser + FIGURES})
        return await self._parts.captions.add(document, raw, self._tenant)


def pack_document(document: Document) -> bytes:
    """Return a document as it is cached: compressed, so that a change writes a third of the bytes."""
    return zlib.compress(document.model_dump_json().encode(), level=1)


def unpack_document(held: bytes) -> bytes:
    """Return the JSON of a cached document; those of earlier versions are not compressed."""
    return held if held.startswith(b"{") else zlib.decompress(held)
