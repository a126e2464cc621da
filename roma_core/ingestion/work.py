"""What a run of an ingest works with, and what passes through its stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from roma_core.cache import Cache
from roma_core.chunking import CHUNKER
from roma_core.connectors.base import Connector, Listing, ListingEnd
from roma_core.embeddings.base import Embedder
from roma_core.errors import AgentFailure
from roma_core.ingestion.captions import FIGURES, Captions
from roma_core.ingestion.ledger import Admission, Ledger, LedgerRow, StoredVersion
from roma_core.ingestion.pictures import PictureIndex
from roma_core.ingestion.sources import SourceLease
from roma_core.parsers.base import ParseOptions
from roma_core.privacy import DocumentScreen, Originals, RetentionLedger
from roma_core.store.base import ChunkStore
from roma_core.types import DEFAULT_COLLECTION, Chunk, Document, RawDocument, Source, SourceRecord, digest

if TYPE_CHECKING:
    from roma_core.types import Vectors

AGENT = "ingestion"


class ParserService(Protocol):
    """The part of ``DolphinParserService`` that ingestion needs."""

    @property
    def parser_ids(self) -> frozenset[str]: ...

    def parser_id(self, raw: RawDocument) -> str | None: ...

    async def parse(self, raw: RawDocument, options: ParseOptions | None = None) -> Document | AgentFailure: ...

    async def parts(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[RawDocument, ...] | AgentFailure: ...


class SourceAccess(Protocol):
    """The part of ``GrantTable`` that follows the permissions of sources. Blocking."""

    def follow(self, tenant: str, readers: Mapping[str, Sequence[str] | None]) -> None: ...

    def unfollow(self, tenant: str, document_ids: Iterable[str]) -> int: ...


@dataclass(frozen=True)
class Parts:
    """The parts that an ingest works with."""

    connectors: Sequence[Connector]
    parsers: ParserService
    embedder: Embedder
    store: ChunkStore
    cache: Cache
    ledger: Ledger
    chunk_tokens: int
    workers: int
    captions: Captions | None = None
    """Describes figures; None: they are not described."""
    pictures: PictureIndex | None = None
    """Sees pictures; None: they are found by the words beside them alone."""
    screen: DocumentScreen | None = None
    """Looks for personal data; None: nothing is looked for."""
    originals: Originals | None = None
    """Keeps what was masked; None: it is not kept."""
    retired: RetentionLedger | None = None
    """Knows the items that were removed because their time was over; None: there are none."""
    access: SourceAccess | None = None
    """Keeps who may read documents at their source; None: nobody asks."""
    followed: frozenset[str] = frozenset()
    """Kinds of connectors whose permissions documents follow."""

    @property
    def identities(self) -> frozenset[str]:
        """Every parser, alone and with what is done today to documents that have figures."""
        tag = self.captions.tag if self.captions else FIGURES
        return self.parsers.parser_ids | {parser + tag for parser in self.parsers.parser_ids}

    def identify_making(self, tenant: str, collection: str = DEFAULT_COLLECTION) -> str:
        """Return the hash of what decides passages, vectors, masks and what is seen in pictures."""
        masks = self.screen.identify(tenant, collection) if self.screen is not None else ""
        made_with = make_identity(self.chunk_tokens, self.embedder.fingerprint, collection, masks)
        return digest(made_with, self.pictures.tag)[:32] if self.pictures is not None else made_with


@dataclass
class SourceRun:
    """One source in a run: who reads it, and what its listing showed."""

    connector: Connector
    source: Source
    record: SourceRecord
    lease: SourceLease | None
    """None for a plan, which writes nothing."""
    generation: int = 0
    end: ListingEnd = field(default_factory=ListingEnd)
    failures: list[AgentFailure] = field(default_factory=list)
    """Failures of the source or of parts of it."""
    is_listed: bool = False
    """The listing came to its end."""
    listed: set[str] = field(default_factory=set)
    excluded: list[Candidate] = field(default_factory=list)
    """Items that are stored and that the source now leaves out."""
    not_there: dict[str, tuple[Candidate, AgentFailure]] = field(default_factory=dict)
    """Items that were listed, and that the source did not have when they were fetched."""

    has_parts: bool | None = None
    """An earlier run claimed files inside of files for it; None before that was looked up."""

    def has_listed(self, uri: str) -> bool:
        """Return whether the listing showed an item, or the file inside of which it is."""
        return uri in self.listed or uri.partition("#")[0] in self.listed

    @property
    def is_lost(self) -> bool:
        """Return whether another run has taken the source over."""
        return self.lease is not None and self.lease.is_lost

    @property
    def is_complete(self) -> bool:
        """Return whether the listing showed everything that the source has."""
        return self.is_listed and not self.failures and self.end.is_complete and not self.is_lost


@dataclass(frozen=True)
class Candidate:
    """An item to be brought in. ``is_stored``: the store holds what the ledger says."""

    run: SourceRun
    listing: Listing
    admission: Admission
    is_stored: bool
    attempt: str

    @property
    def row(self) -> LedgerRow | None:
        return self.admission.row

    @property
    def document_id(self) -> str:
        return self.admission.document_id


@dataclass(frozen=True)
class OpenParts:
    """Files inside of one container that have to be read."""

    container: Listing
    parts: tuple[Candidate, ...]


Work = Candidate | OpenParts


@dataclass(frozen=True)
class Prepared:
    """An item ready for the store, but for its vectors."""

    candidate: Candidate
    document: Document
    chunks: Sequence[Chunk]
    stored: StoredVersion
    parse_key: str | None = None
    vectors: Vectors | None = None
    original: Document | None = None
    """The document before something in it was masked; None where nothing was."""


def make_identity(chunk_tokens: int, fingerprint: str, collection: str = DEFAULT_COLLECTION, masks: str = "") -> str:
    """Return the hash of what decides passages and vectors beside the document; ``masks`` names a policy on them."""
    made_with = digest(CHUNKER, str(chunk_tokens), fingerprint)[:32]
    made_with = digest(made_with, masks)[:32] if masks else made_with
    return made_with if collection == DEFAULT_COLLECTION else digest(made_with, collection)[:32]
