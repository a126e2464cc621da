"""The seam to places that documents come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import Field

from roma_core.errors import AgentFailure
from roma_core.settings import Settings, SettingsSection
from roma_core.types import Noun, RawDocument, Source

T = TypeVar("T")


class Listing(Noun):
    """One item that a source lists, before it is fetched.

    ``uri`` is canonical (it becomes the document's identity). ``version`` changes when the content may have changed
    (mtime and size, md5, ETag); None means that only the content itself can tell. ``skip`` gives the reason when the
    connector lists an item that it will not fetch (ignored, a folder shortcut, forbidden by robots.txt).
    """

    uri: str
    version: str | None = None
    title: str | None = None
    size: int | None = None
    modified_at: datetime | None = None
    skip: str | None = None
    deferred: bool = False
    """The item is skipped in this listing alone (over a limit, not to be asked for now): what is stored of it stays."""
    previous_uri: str | None = None
    """The URI that the same item had before it was moved, when the source can tell."""
    options: dict[str, Any] = Field(default_factory=dict)
    readers: tuple[str, ...] | None = None
    """Readers of the item at its source: ``user:...``, ``group:...``, ``domain:...``, ``anyone``; None: not known.
    It is kept with the document, and decides who reads it where ROMA follows the source (``ROMA_GDRIVE_ACL``)."""
    container: Listing | None = None
    """The item inside of which this one is (a message with attachments, an archive); no connector sets it."""

    @property
    def depth(self) -> int:
        """Return the number of containers around the item."""
        return 0 if self.container is None else 1 + self.container.depth


class ListingEnd(Noun):
    """The last value of a listing: whether it showed everything that the source has.

    A listing that ends without one is complete when it had no failure. Nothing is deleted after an incomplete one.

    >>> ListingEnd(limit_reached=True).is_complete
    False
    """

    errors: tuple[AgentFailure, ...] = ()
    """Parts of the source that gave no answer, so that what they would have named is unknown."""
    limit_reached: bool = False
    state: dict[str, Any] | None = None
    """JSON that the connector gets back as ``Source.options["state"]`` in the next listing; None changes nothing."""

    @property
    def is_complete(self) -> bool:
        return not self.errors and not self.limit_reached


class Connector(Protocol):
    """Lists and fetches. Everything that goes wrong is an ``AgentFailure``; nothing is raised but cancellation."""

    @property
    def kind(self) -> str:
        """The scheme of the connector's spec."""
        ...

    def accepts(self, uri: str) -> bool:
        """Return whether this connector handles ``uri`` (by its scheme; paths without one are local)."""
        ...

    def normalise_source(self, source: Source) -> Source:
        """The source in the spelling that means the same from everywhere: by it the ledger knows what is whose.

        ``source.options["within"]`` names the places that the caller is confined to; without it there are none. What is
        this machine's or this installation's own must be in one of them, when it is checked and when it is read: else
        raises ``AccessError``. ``InputError`` for what means nothing. May look at the file system (call it from a
        thread), never at the network.
        """
        ...

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        """Yield every item once. A failure is about the source (or a part of it named by ``details["uri"]``).

        A ``ListingEnd`` may come last; it must when the listing is incomplete without a failure.
        """
        ...

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Return whether an item that was listed before is surely not there, asked for by itself.

        True takes evidence (404, 410, no such file in a folder that is there); doubt is False or a failure.
        """
        ...

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        """The bytes of one item; needs no earlier ``list`` on this object, so that single items can be retried.

        The caller owns the result and calls ``RawDocument.discard`` when it is parsed.
        """
        ...

    async def close(self) -> None:
        """Release connections and temporary files. May be called twice."""
        ...


@dataclass(frozen=True)
class ConnectorSpec:
    """The declaration of a connector: one entry point of the group ``roma.connectors``, named like ``scheme``.

    A package that reads ``gopher://`` addresses declares::

        SPEC = ConnectorSpec("gopher", make=GopherConnector, example="gopher://host/menu", settings=GopherSettings)
    """

    scheme: str
    """Name of the connector: what ``Source.kind`` holds and what its settings begin with."""
    make: Callable[[Settings], Connector]
    """Makes the connector. Cheap, but for the import of the module that has it: SDKs wait for their first use."""
    example: str
    """A source as users write it, for help and errors."""
    settings: type[SettingsSection] | None = None
    addresses: tuple[str, ...] | None = None
    """Schemes of the addresses that are read; None: ``scheme`` alone. Empty: paths, which have none."""
    sign_in: Callable[[Settings, Path], Path] | None = None
    """Signs in with a client's secrets from a file, for ``roma auth``; returns where the credentials are kept."""

    @property
    def address_schemes(self) -> tuple[str, ...]:
        return (self.scheme,) if self.addresses is None else self.addresses


async def in_batches(items: Iterator[T], size: int = 256) -> AsyncGenerator[T, None]:
    """Drive a blocking iterator from a thread, ``size`` items a hop."""
    while batch := await asyncio.to_thread(lambda: list(islice(items, size))):
        for item in batch:
            yield item
