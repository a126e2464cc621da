"""A small workshop for ingestion tests: every part is a fake with a fault that can be switched on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roma_core.cache import Cache
from roma_core.connectors.fake import FakeConnector
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import AgentFailure, EmbeddingError, ErrorCode, ParserError, RomaError, StoreError
from roma_core.ingestion import IngestionService, Ledger
from roma_core.ingestion.work import Parts
from roma_core.parsers.base import ParseOptions
from roma_core.store.base import ChunkStore, EmbeddedDocument
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Document, RawDocument


@dataclass
class TextParsers:
    """Reads UTF-8; a text that begins with ``BAD`` is malformed. ``.md`` and the rest have a parser each."""

    versions: dict[str, int] = field(default_factory=lambda: {"text": 1, "md": 1})
    parsed: list[str] = field(default_factory=list)
    fault: RomaError | None = None
    unread: dict[str, str] = field(default_factory=dict)
    """What is added to the parser id of a URI's document, as for pages that OCR has not read yet."""

    @property
    def parser_ids(self) -> frozenset[str]:
        return frozenset(f"{name}/{version}" for name, version in self.versions.items())

    def parser_id(self, raw: RawDocument) -> str:
        name = "md" if raw.uri.endswith(".md") else "text"
        return f"{name}/{self.versions[name]}"

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure:
        self.parsed.append(raw.uri)
        text = raw.data.decode()
        if self.fault is not None or text.startswith("BAD"):
            return AgentFailure.of("parser", self.fault or ParserError("It is malformed."))
        return Document(
            id=Document.id_for(raw.uri, options.tenant if options else "default"),
            uri=raw.uri,
            title=raw.uri.rsplit("/", 1)[-1],
            text=text,
            content_sha256=raw.sha256,
            parser=self.parser_id(raw) + self.unread.get(raw.uri, ""),
        )


class CountingEmbedder(FakeEmbedder):
    """Remembers what it was asked to embed; a text with ``NOVECTOR`` cannot be."""

    def __init__(self, version: int = 1) -> None:
        super().__init__(dim=32, version=version)
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Any:
        self.embedded += texts
        if any("NOVECTOR" in text for text in texts):
            raise EmbeddingError("The server is away.")
        return await super().embed(texts)


class FaultyStore(InMemoryStore):
    """Fails while ``fault`` is set; a document whose text has ``NOSTORE`` is always refused."""

    fault: RomaError | None = None

    async def put_many(self, tenant: str, entries: Sequence[EmbeddedDocument]) -> None:
        if self.fault is not None:
            raise self.fault
        if any("NOSTORE" in entry.document.text for entry in entries):
            raise RomaError("It cannot be stored.")
        await super().put_many(tenant, entries)

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> int:
        if self.fault is not None:
            raise self.fault
        return await super().delete(tenant, document_ids)


FULL = StoreError("The disk is full.", ErrorCode.STORAGE_FULL)


@dataclass
class Shop:
    """A source, a store and the service between them."""

    folder: Path
    connector: FakeConnector = field(default_factory=FakeConnector)
    parsers: TextParsers = field(default_factory=TextParsers)
    embedder: CountingEmbedder = field(default_factory=CountingEmbedder)
    store: ChunkStore = field(default_factory=FaultyStore)
    chunk_tokens: int = 60
    workers: int = 2

    def service(self) -> IngestionService:
        """A new one each time, as after a restart."""
        return IngestionService(
            Parts(
                connectors=[self.connector],
                parsers=self.parsers,
                embedder=self.embedder,
                store=self.store,
                cache=Cache(self.folder / "cache.sqlite"),
                ledger=Ledger(self.folder / "ledger.sqlite"),
                chunk_tokens=self.chunk_tokens,
                workers=self.workers,
            )
        )

    def forget(self) -> None:
        self.connector.fetched.clear()
        self.parsers.parsed.clear()
        self.embedder.embedded.clear()


async def table(store: ChunkStore, tenant: str = "default") -> list[Any]:
    """Everything in the store, in an order of its own."""
    documents = [d async for d in store.documents(tenant)]
    return [(d, await store.chunks(tenant, d.id)) for d in documents]
