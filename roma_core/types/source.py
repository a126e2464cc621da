"""Sources: their addresses, options, schedules and last syncs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from roma_core.errors import AgentFailure
from roma_core.types.base import Noun, digest


class SourceOptions(Noun):
    """Settings of one source; None and empty values leave the installation's settings in place."""

    include: tuple[str, ...] = ()
    """Globs over names (with a slash: relative paths) of the files that are wanted."""
    ignore: tuple[str, ...] = ()
    """Globs of files and folders to leave out, beside ``ROMA_LOCAL_IGNORE``."""
    depth: int | None = Field(default=None, ge=0)
    """Links that a crawl follows from its start."""
    max_pages: int | None = Field(default=None, ge=1)
    """Pages that a crawl asks for."""
    render: str | None = Field(default=None, pattern="^(auto|always|never)$")
    """When pages are drawn by a browser."""
    cookies: str | None = None
    """Path of a cookie file in Netscape format."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers for the source's own host; a value may be ``env:NAME``."""
    secrets: str | None = Field(default=None, pattern="^(leave_out|include)$")
    """``include`` takes in files that hold, or are named like, keys and passwords."""
    ignore_files: bool | None = None
    """False: ``.gitignore`` and ``.romaignore`` do not count."""
    query: str | None = None
    """Question of a source that is searched (arXiv, SQL)."""
    collection: str | None = Field(default=None, pattern=r"^\w[\w.-]{0,63}$")
    """Part of the corpus that its documents belong to; None: ``main``."""
    schedule_s: float | None = Field(default=None, ge=10)
    """Seconds between two syncs by the server or ``roma sync --watch``; None: by hand."""

    def for_connector(self) -> dict[str, Any]:
        """Return the options that a connector reads: those that are set."""
        return self.model_dump(exclude={"schedule_s", "collection"}, exclude_none=True, exclude_defaults=True)


class SourceRecord(Noun):
    """A source that the ledger knows: its address and settings, and how its last sync went.

    ``declared_in`` is ``cli`` or ``roma.toml`` for one that was added by name, empty for one that an ingest made.
    """

    id: str
    uri: str
    kind: str = ""
    name: str = ""
    declared_in: str = ""
    options: SourceOptions = SourceOptions()
    created_at: datetime
    generation: int = 0
    """Number of syncs that were begun."""
    last_started_at: datetime | None = None
    last_ended_at: datetime | None = None
    last_complete_at: datetime | None = None
    """End of the last sync in which the whole source answered."""
    last_counts: dict[str, int] = Field(default_factory=dict)
    last_failure: str = ""
    items: int = 0
    """Items that it lists."""
    missing: int = 0
    """Items of it that its last listings did not show."""

    @property
    def label(self) -> str:
        """Return the name, or the address of a source without one."""
        return self.name or self.uri


class ErasedPlace(Noun):
    """A place and the number of entries that were removed from it."""

    place: str
    removed: int


class ErasureCertificate(Noun):
    """Certificate of an erasure: what was removed where and when, without any content.

    ``user`` is the pseudonym of who was forgotten: the hash of its tenant and name. ``sha256`` covers all other fields.
    """

    id: str
    what: Literal["user", "documents", "tenant"]
    tenant: str
    user: str = ""
    document_ids: tuple[str, ...] = ()
    began_at: datetime
    ended_at: datetime
    roma: str
    places: tuple[ErasedPlace, ...]
    not_erased: tuple[str, ...]
    """Sentences about copies that cannot be reached from here."""
    sha256: str = ""

    def seal(self) -> Self:
        """Return the certificate with its hash."""
        return self.model_copy(update={"sha256": self._hash()})

    @property
    def is_genuine(self) -> bool:
        """Return whether every field is as it was written."""
        return self.sha256 == self._hash()

    def _hash(self) -> str:
        return digest("certificate", self.model_dump_json(exclude={"sha256"}))


class ForgetReport(Noun):
    """Proof of what was forgotten: addresses, documents, their passages, and entries of caches."""

    uris: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    documents: int = 0
    passages: int = 0
    cached: int = 0
    answers: int = 0
    """Stored answers that quoted one of them, whose quotes were removed."""
    certificate: ErasureCertificate | None = None
    """Certificate of the whole; None from a part that removes documents alone."""


class PlannedItem(Noun):
    """An item and what a sync would do with it: added, changed, excluded, failing, missing or deleted."""

    uri: str
    action: str
    size: int | None = None
    reason: str = ""


class SourcePlan(Noun):
    """A sync of one source as it would go. ``counts`` holds the unchanged items as well, ``items`` does not."""

    source: str
    uri: str
    counts: dict[str, int] = Field(default_factory=dict)
    size_bytes: int = 0
    """Bytes to read, as far as the source says."""
    estimated_tokens: int = 0
    """Tokens to embed: what a paid embedder would count, about."""
    is_complete: bool = False
    failures: tuple[AgentFailure, ...] = ()
    items: tuple[PlannedItem, ...] = ()


class SyncPlan(Noun):
    """A sync as it would go."""

    sources: tuple[SourcePlan, ...] = ()
