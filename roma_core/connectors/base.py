"""The seam to places that documents come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from roma_core.errors import AgentFailure
from roma_core.types import Noun, RawDocument, Source, SourceKind


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
    previous_uri: str | None = None
    """The URI that the same item had before it was moved, when the source can tell."""
    options: dict[str, Any] = Field(default_factory=dict)


class Connector(Protocol):
    """Lists and fetches. Everything that goes wrong is an ``AgentFailure``; nothing is raised but cancellation."""

    @property
    def kind(self) -> SourceKind: ...

    def accepts(self, uri: str) -> bool:
        """Whether this connector handles ``uri`` (by its scheme; paths without one are local)."""
        ...

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure]:
        """Every item once, streamed. A failure is about the source (or a part of it named in ``details``)."""
        ...

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure: ...

    async def close(self) -> None: ...
