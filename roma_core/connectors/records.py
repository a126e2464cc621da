"""Connectors whose items are records: entries, rows, messages, works. Their content is known when they are listed.

A subclass says how to read all of a source; listing, versions, fetching and evidence of absence follow from that::

    class NotesConnector(RecordConnector):
        kind = "notes"
        schemes = ("notes",)

        async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
            for note in await self._client.notes(source.uri):
                yield Record(uri=f"notes://{note.id}", title=note.title, data=note.text.encode())
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.errors import AccessError, AgentFailure, ConnectorError, ErrorCode, guarded, guarded_stream
from roma_core.types import Noun, RawDocument, Source, digest

SHELF_BYTES: Final = 64 * 1024 * 1024
TRUSTED_S: Final = 30.0
"""A reading of a whole source answers questions about single items for so long."""


class Record(Noun):
    """An item with its content. ``metadata`` becomes the document's."""

    uri: str
    title: str | None = None
    data: bytes = b""
    media_type: str = "text/markdown; charset=utf-8"
    version: str | None = None
    """None: the hash of everything that the record says."""
    modified_at: datetime | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def listing(self) -> Listing:
        """The record as an item of a listing."""
        return Listing(
            uri=self.uri,
            version=self.version or self._hash(),
            title=self.title,
            size=len(self.data),
            modified_at=self.modified_at,
        )

    @property
    def raw(self) -> RawDocument:
        """The record as fetched."""
        return RawDocument(
            uri=self.uri,
            data=self.data,
            media_type=self.media_type,
            title=self.title,
            modified_at=self.modified_at,
            metadata=self.metadata,
        )

    def _hash(self) -> str:
        facts = json.dumps(self.metadata, sort_keys=True, default=str)
        return digest("record", self.title or "", self.media_type, facts, self.data.hex())[:32]


Entry = Record | Listing | AgentFailure | ListingEnd
"""What reading a source yields. A ``Listing`` is an item whose content is fetched later, by ``find``."""


class RecordConnector(ABC):
    """A connector made of ``read``. ``find`` may be overridden where an item can be asked for by itself.

    ``is_confined`` says that its places are this installation's own, so that tokens may read named ones alone.
    """

    kind: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    is_confined: ClassVar[bool] = True

    def __init__(self) -> None:
        self._shelf = _Shelf(SHELF_BYTES)
        self._seen: dict[str, tuple[float, frozenset[str]]] = {}

    @abstractmethod
    def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield everything that the source has, with a ``ListingEnd`` when it is not all. May raise ``RomaError``."""

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return one item; None when the source surely does not have it. Raises ``RomaError`` when it cannot tell."""
        async for entry in self.read(source):
            if isinstance(entry, Record) and entry.uri == listing.uri:
                return entry
            _demand_whole(entry)
        return None

    def accepts(self, uri: str) -> bool:
        """Return whether the address has one of the schemes that are read here."""
        scheme, has_scheme, _ = uri.partition("://")
        return bool(has_scheme) and scheme.lower() in self.schemes

    def normalise_source(self, source: Source) -> Source:
        """Return the source as it is known to the ledger. Raises ``AccessError`` for one outside of ``within``."""
        within = source.options.get("within")
        if self.is_confined and within is not None and not any(is_below(source.uri, place) for place in within):
            raise outside()
        return source

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        """Yield every item; records wait on a shelf until they are fetched."""
        return guarded_stream(self._agent, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        """Return the record of an item."""
        return await guarded(self._agent, self._fetch(source, listing))

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Look for the item again: it is gone when its source answers and does not have it."""
        return await guarded(self._agent, self._is_gone(source, listing))

    async def close(self) -> None:
        """Forget the records that wait."""
        self._shelf.clear()

    @property
    def _agent(self) -> str:
        return f"connector.{self.kind}"

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        source = await self._check(source)
        self._shelf.drop(source.uri)
        async for entry in self.read(source):
            if isinstance(entry, Record):
                self._shelf.put(source.uri, entry)
                yield entry.listing
            else:
                yield entry

    async def _fetch(self, source: Source, listing: Listing) -> RawDocument:
        source = await self._check(source)
        found = self._shelf.take(source.uri, listing.uri) or await self.find(source, listing)
        if found is None:
            raise ConnectorError(
                "The source has no such item any more.", ErrorCode.CONNECTOR_NOT_FOUND, details={"uri": listing.uri}
            )
        return found.raw if isinstance(found, Record) else found

    async def _is_gone(self, source: Source, listing: Listing) -> bool:
        source = await self._check(source)
        if type(self).find is not RecordConnector.find:
            found = await self.find(source, listing)
            if isinstance(found, RawDocument):
                found.discard()
            return found is None
        read_at, uris = self._seen.get(source.uri, (0.0, frozenset[str]()))
        if time.monotonic() - read_at > TRUSTED_S:
            entries = [entry async for entry in self.read(source)]
            uris = frozenset(item.uri for item in _items_of(entries))
            self._seen[source.uri] = (time.monotonic(), uris)
        return listing.uri not in uris

    async def _check(self, source: Source) -> Source:
        return self.normalise_source(source)


class _Shelf:
    """Records that were listed and wait to be fetched; the oldest make room for new ones."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()

    def put(self, source: str, record: Record) -> None:
        self.take(source, record.uri)
        self._records[source, record.uri] = record
        self._bytes += len(record.data)
        while self._bytes > self._max_bytes:
            _, oldest = self._records.popitem(last=False)
            self._bytes -= len(oldest.data)

    def take(self, source: str, uri: str) -> Record | None:
        record = self._records.pop((source, uri), None)
        if record is not None:
            self._bytes -= len(record.data)
        return record

    def drop(self, source: str) -> None:
        """Forget what an earlier listing of a source has left."""
        for uri in [uri for listed_in, uri in self._records if listed_in == source]:
            self.take(source, uri)

    def clear(self) -> None:
        self._records.clear()
        self._bytes = 0


def _items_of(entries: Iterable[Entry]) -> Iterator[Record | Listing]:
    """Yield the items of a whole reading. Raises ``ConnectorError`` when it was not whole."""
    for entry in entries:
        _demand_whole(entry)
        if isinstance(entry, Record | Listing):
            yield entry


def _demand_whole(entry: Entry) -> None:
    if isinstance(entry, AgentFailure):
        raise ConnectorError(entry.message, entry.code, details=entry.details)
    if isinstance(entry, ListingEnd) and not entry.is_complete:
        raise ConnectorError("The source cannot be read as a whole now.")


def is_below(uri: str, place: str) -> bool:
    """Return whether an address is ``place`` or lies below it.

    >>> is_below("mbox:///mail/in.mbox", "mbox:///mail"), is_below("sql://shop2", "sql://shop")
    (True, False)
    """
    return uri == place or uri.startswith(place.rstrip("/") + "/")


def outside() -> AccessError:
    """Return the error for a source that a confined caller may not read."""
    return AccessError(
        "This address is not in ROMA_INGEST_ROOTS, which names the places that may be ingested over HTTP.",
        ErrorCode.ACCESS_FORBIDDEN,
    )


def absent(uri: str, what: str) -> ConnectorError:
    """Return the error for a source that is not there."""
    return ConnectorError(f"There is no {what}.", ErrorCode.CONNECTOR_NOT_FOUND, details={"uri": uri})
