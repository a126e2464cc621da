"""``SourceCatalog``: sources that are added by name or in ``roma.toml``, planned, synced, and removed.

``roma.toml`` stands beside the workspace and can be kept in git::

    [[sources]]
    name = "handbook"
    uri = "https://example.org/handbook"
    depth = 2
    every = "1h"
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.sources import redact_failure, redact_uri, resolve_source
from roma_core.environment import describe_unreadable
from roma_core.errors import AgentFailure, ConfigError, InputError, guarded, name_some
from roma_core.ingestion.absence import AbsenceReview
from roma_core.ingestion.decide import decide_item
from roma_core.ingestion.distribution import ShardPlan
from roma_core.ingestion.ledger import Admission
from roma_core.ingestion.progress import OnProgress
from roma_core.ingestion.run import Run
from roma_core.ingestion.service import IngestionService
from roma_core.ingestion.sources import SourceTable
from roma_core.ingestion.work import AGENT, SourceRun
from roma_core.types import (
    DEFAULT_TENANT,
    Document,
    IngestionReport,
    PlannedItem,
    SourceOptions,
    SourcePlan,
    SourceRecord,
    SyncPlan,
)

PROJECT: Final = "roma.toml"
SOURCES: Final = "sources"
"""All that a ``roma.toml`` holds: a list of tables."""
BYTES_PER_TOKEN: Final = 4
"""English text, about: what a plan's estimate rests on."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, None: 1}
_ACTIONS: Final = {
    "fetch": "changed",
    "keep": "unchanged",
    "give_up": "failing",
    "leave_out": "excluded",
    "take_out": "excluded",
}


def read_duration(text: str | float) -> float:
    """Return the seconds of ``30s``, ``15m``, ``2h`` or ``1d``. Raises ``InputError``.

    >>> read_duration("15m")
    900.0
    """
    found = _DURATION.fullmatch(str(text).strip().lower())
    if found is None:
        raise InputError(f"A time is a number with s, m, h or d, like 15m; not {str(text)[:40]!r}.")
    return float(found[1]) * _SECONDS[found[2]]


def read_project_sources(path: Path) -> list[tuple[str, str, SourceOptions]]:
    """Return name, address and settings of each source in a ``roma.toml``; none where there is no such file.

    Relative paths are those beside the file. Raises ``ConfigError`` that names the line or the table that is wrong.
    """
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return []
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({describe_unreadable(error)}); it has to be TOML in UTF-8."
        ) from None
    unknown = sorted(set(project) - {SOURCES})
    if unknown:
        raise ConfigError(
            f"{path} holds [[{SOURCES}]] alone, not {name_some(unknown)}; settings belong into .env beside it."
        )
    tables = project.get(SOURCES, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: each source is a table that begins with [[{SOURCES}]].")
    sources: list[tuple[str, str, SourceOptions]] = []
    for number, table in enumerate(tables, start=1):
        fields: dict[str, Any] = dict(table)
        uri, name = fields.pop("uri", None), fields.pop("name", "")
        if not isinstance(uri, str) or not isinstance(name, str):
            raise ConfigError(f"Source {number} of {path} needs a uri, and a name that is a text.")
        if "every" in fields:
            fields["schedule_s"] = read_duration(fields.pop("every"))
        sources.append((name, _beside(path, uri), make_options(fields, f"Source {name or number} of {path}")))
    return sources


def make_options(fields: dict[str, Any], subject: str) -> SourceOptions:
    """Return settings of a source. Raises ``ConfigError`` that names the field that is wrong."""
    try:
        return SourceOptions.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        known = ", ".join(sorted(SourceOptions.model_fields))
        raise ConfigError(f"{subject}: {field}: {first['msg'].lower()}. Known: every, {known}.") from None


def _beside(path: Path, uri: str) -> str:
    is_relative = "://" not in uri and not uri.startswith(("/", "~"))
    return str(path.parent / uri) if is_relative else uri


class SourceCatalog:
    """The sources of a workspace. ``project`` is the ``roma.toml`` beside it, if there is one.

    Example::

        catalog = SourceCatalog(roma.ingestion)
        await catalog.add("https://example.org/handbook?depth=2", name="handbook")
        await catalog.sync(["handbook"])
    """

    def __init__(self, service: IngestionService, project: Path | None = None) -> None:
        self._service = service
        self._project = project

    async def all(self, tenant: str = DEFAULT_TENANT) -> list[SourceRecord]:
        """Return every source, those of ``roma.toml`` among them. Raises ``ConfigError`` and ``StoreError``."""
        await asyncio.to_thread(self._adopt, tenant)
        return await asyncio.to_thread(self._table.all, tenant)

    async def add(
        self,
        uri: str,
        *,
        name: str = "",
        options: SourceOptions | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> SourceRecord:
        """Add a source, or give one that is there a name and settings. Raises ``InputError``; reads nothing."""
        if name and not _NAME.fullmatch(name):
            raise InputError("A source's name has letters, digits, dots, dashes and underlines, 64 at most.")

        def add() -> SourceRecord:
            connector, source = resolve_source(uri, self._service.parts.connectors)
            return self._table.declare(
                tenant, source.uri, connector.kind, name=name, options=options or SourceOptions()
            )

        return await asyncio.to_thread(add)

    async def edit(
        self, label: str, changes: dict[str, Any], *, name: str | None = None, tenant: str = DEFAULT_TENANT
    ) -> SourceRecord:
        """Change the name or settings of a source. Raises ``NotFoundError``, ``ConfigError``, ``InputError``."""
        record = await self.require(label, tenant)
        if record.declared_in == PROJECT:
            raise InputError(f"The source {record.label!r} stands in {self._project}; change it there.")
        options = make_options({**record.options.model_dump(), **changes}, f"The source {record.label!r}")
        new_name = record.name if name is None else name
        return await self.add(record.uri, name=new_name, options=options, tenant=tenant)

    async def require(self, label: str, tenant: str = DEFAULT_TENANT) -> SourceRecord:
        """Return the source with this name, id or address. Raises ``NotFoundError``."""
        await asyncio.to_thread(self._adopt, tenant)
        return await asyncio.to_thread(self._require, label, tenant)

    async def remove(self, label: str, tenant: str = DEFAULT_TENANT) -> IngestionReport:
        """Remove a source and the documents that no other one lists; ``restore`` brings those back for a time."""
        record = await self.require(label, tenant)
        if record.declared_in == PROJECT:
            raise InputError(f"The source {record.label!r} stands in {self._project}; remove it there.")
        return await self._service.remove_source(record, tenant)

    async def sync(
        self,
        labels: Sequence[str] = (),
        *,
        tenant: str = DEFAULT_TENANT,
        progress: OnProgress | None = None,
        prune: bool = False,
        shards: ShardPlan | None = None,
    ) -> IngestionReport:
        """Bring sources up to date: those that are named, or all that were added by name (else all that are known)."""
        records = await self.select(labels, tenant)
        uris = [record.uri for record in records]
        return await self._service.ingest(uris, tenant=tenant, progress=progress, prune=prune, shards=shards)

    async def select(self, labels: Sequence[str], tenant: str = DEFAULT_TENANT) -> list[SourceRecord]:
        """Return the sources that ``sync`` means. Raises ``NotFoundError`` for a label that none has."""
        if labels:
            return [await self.require(label, tenant) for label in labels]
        known = await self.all(tenant)
        return [record for record in known if record.declared_in] or known

    async def plan(self, labels: Sequence[str] = (), *, tenant: str = DEFAULT_TENANT, prune: bool = False) -> SyncPlan:
        """Return what ``sync`` would do, without doing it: sources are listed, nothing is written."""
        contents = await self._service.parts.store.contents(tenant)
        plans = [
            await self._plan_one(record, tenant, contents, prune=prune) for record in await self.select(labels, tenant)
        ]
        return SyncPlan(sources=tuple(plans))

    async def due(self, now: datetime | None = None) -> list[tuple[str, SourceRecord]]:
        """Return the sources whose next sync is due, each with its tenant. Raises ``StoreError``."""
        at = now or datetime.now(UTC)
        return await asyncio.to_thread(self._table.due, at)

    # Inside

    @property
    def _table(self) -> SourceTable:
        return self._service.parts.ledger.sources

    def _require(self, label: str, tenant: str) -> SourceRecord:
        record = self._table.find(tenant, label)
        if record is None:
            resolved = None if _NAME.fullmatch(label) else resolve_source(label, self._service.parts.connectors)
            address = label if resolved is None else resolved[1].uri
            record = self._table.require(tenant, address)
        return record

    def _adopt(self, tenant: str) -> None:
        """Bring the sources of ``roma.toml`` into the table; one that was taken out there is no longer declared."""
        if self._project is None:
            return
        declared: set[str] = set()
        for name, uri, options in read_project_sources(self._project):
            connector, source = resolve_source(uri, self._service.parts.connectors)
            self._table.declare(tenant, source.uri, connector.kind, name=name, options=options, declared_in=PROJECT)
            declared.add(source.uri)
        for record in self._table.all(tenant):
            if record.declared_in == PROJECT and record.uri not in declared:
                self._table.declare(tenant, record.uri, record.kind, name="", options=SourceOptions(), declared_in="")

    async def _plan_one(
        self, record: SourceRecord, tenant: str, contents: dict[str, str], *, prune: bool
    ) -> SourcePlan:
        resolved = await guarded(AGENT, asyncio.to_thread(self._service.resolve, tenant, record.uri))
        if isinstance(resolved, AgentFailure):
            return SourcePlan(source=record.label, uri=redact_uri(record.uri), failures=(redact_failure(resolved),))
        run = Run(self._service.parts, tenant, "plan", contents)
        source = SourceRun(resolved.connector, resolved.source, record, None)
        items: list[PlannedItem] = []
        batch: list[Listing] = []
        async for value in source.connector.list(source.source):
            if isinstance(value, ListingEnd):
                source.end = value
            elif isinstance(value, AgentFailure):
                source.failures.append(value)
            elif value.uri not in source.listed:
                source.listed.add(value.uri)
                batch.append(value)
        source.is_listed = True
        items += await asyncio.to_thread(self._plan_listed, run, source, batch)
        items += await self._plan_absent(run, source, prune=prune)
        counts = Counter(item.action for item in items)
        to_read = sum(item.size or 0 for item in items if item.action in {"added", "changed"})
        return SourcePlan(
            source=record.label,
            uri=redact_uri(record.uri),
            counts=dict(counts),
            size_bytes=to_read,
            estimated_tokens=to_read // BYTES_PER_TOKEN,
            is_complete=source.is_complete,
            failures=tuple(redact_failure(failure) for failure in (*source.failures, *source.end.errors)),
            items=tuple(item for item in items if item.action != "unchanged"),
        )

    def _plan_listed(self, run: Run, source: SourceRun, listings: Sequence[Listing]) -> list[PlannedItem]:
        rows = run.parts.ledger.rows(run.tenant, [listing.uri for listing in listings])
        items: list[PlannedItem] = []
        for listing in listings:
            row = rows.get(listing.uri)
            document_id = Document.id_for(listing.uri, run.tenant) if row is None else row.document_id
            candidate = run.candidate(source, listing, Admission(row, document_id, is_held_elsewhere=False))
            action = _ACTIONS[decide_item("listed", run.facts_of(candidate))]
            if action == "changed" and (row is None or row.content_sha256 is None):
                action = "added"
            items.append(PlannedItem(uri=listing.uri, action=action, size=listing.size, reason=listing.skip or ""))
        return items

    async def _plan_absent(self, run: Run, source: SourceRun, *, prune: bool) -> list[PlannedItem]:
        review = AbsenceReview(run, source, self._service.policy, is_pruning=prune)
        claims = await asyncio.to_thread(run.parts.ledger.absent, run.tenant, source.record.id)
        absent = [item for item in claims if not source.has_listed(item.uri)]
        decided = await review.decide(absent, await review.claimed())
        actions = {"gone": "deleted", "missing": "missing"}
        return [
            PlannedItem(uri=item.uri, action=actions[absence.state], reason=reason)
            for item, absence, reason in decided
            if absence.state in actions
        ]
