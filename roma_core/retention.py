"""Retention: what is old enough goes, by the rules of its tenant, its collection and its kind of record.

``plan`` says what would go, ``apply`` does it, and a server applies it once a day. A legal hold keeps what it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roma_core.privacy.holds import LegalHold
from roma_core.settings.privacy import ANY
from roma_core.settings.retention import RecordKind, RetentionRule
from roma_core.telemetry import log_files, traces
from roma_core.tenants.uploads import list_uploads, name_person_folder
from roma_core.types import Document, Noun, Principal, ReadScope
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.app import Roma

DOCUMENTS_AT_ONCE: Final = 100
Remove = Callable[[str, datetime, bool], Awaitable[int]]
"""Removes a tenant's records from before a moment, or only counts them when the third argument is true."""


class PlannedRemoval(Noun):
    """Records of one kind that are old enough. ``kept`` are those that a hold keeps."""

    tenant: str
    record: RecordKind
    collection: str = ANY
    before: datetime
    by_use: bool = False
    count: int
    kept: int = 0


class RetentionReport(Noun):
    """What retention removes, or would remove."""

    is_applied: bool
    at: datetime
    removals: tuple[PlannedRemoval, ...]
    holds: tuple[LegalHold, ...]
    certificates: tuple[str, ...] = ()
    """Ids of the certificates of documents that were removed."""


class Retention:
    """Retention in the workspace of ``roma``; ``jobs`` removes old ingest jobs of the HTTP service.

    >>> report = await Retention(roma).plan("default")  # doctest: +SKIP
    """

    def __init__(
        self, roma: Roma, jobs: Remove | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._roma = roma
        self._jobs = jobs
        self._now = now
        self.ledger = roma.holds

    async def plan(self, tenant: str) -> RetentionReport:
        """Return what would be removed of a tenant now. Removes nothing. Raises ``StoreError``."""
        return await self._run(tenant, counts_only=True)

    async def apply(self, tenant: str) -> RetentionReport:
        """Remove what is old enough of a tenant. Raises ``StoreError``: then run it again."""
        report = await self._run(tenant, counts_only=False)
        await asyncio.to_thread(self.ledger.note_applied, tenant)
        return report

    async def is_due(self, tenant: str, every: timedelta) -> bool:
        """Return whether there are rules for a tenant, and they were not applied for as long as ``every``."""
        if not any(rule.tenant in {ANY, tenant} and rule.age is not None for rule in self._rules):
            return False
        applied = await asyncio.to_thread(self.ledger.find_applied, tenant)
        return applied is None or self._now() - applied >= every

    @property
    def _rules(self) -> Sequence[RetentionRule]:
        return self._roma.settings.retention.parsed

    async def _run(self, tenant: str, *, counts_only: bool) -> RetentionReport:
        holds = await asyncio.to_thread(self.ledger.list_holds, tenant)
        removals: list[PlannedRemoval] = []
        certificates: list[str] = []
        is_held = any(hold.kind == "tenant" for hold in holds)
        for record, remove in self._removers(holds).items():
            rule = self._find_rule(tenant, ANY, record)
            if rule is None or rule.age is None:
                continue
            before = self._now() - rule.age
            count = await remove(tenant, before, counts_only or is_held)
            kept = count if is_held else 0
            removals.append(PlannedRemoval(tenant=tenant, record=record, before=before, count=count - kept, kept=kept))
        for removal, ids in await self._find_documents(tenant, holds):
            removals.append(removal)
            if not counts_only and ids:
                certificates += await self._remove_documents(tenant, ids)
        return RetentionReport(
            is_applied=not counts_only,
            at=self._now(),
            removals=tuple(removals),
            holds=tuple(holds),
            certificates=tuple(certificates),
        )

    def _find_rule(self, tenant: str, collection: str, record: RecordKind) -> RetentionRule | None:
        """Return the last rule that fits; None where none does."""
        fitting = [
            rule
            for rule in self._rules
            if rule.record == record and rule.tenant in {ANY, tenant} and rule.collection in {ANY, collection}
        ]
        return fitting[-1] if fitting else None

    def _removers(self, holds: Sequence[LegalHold]) -> dict[RecordKind, Remove]:
        roma = self._roma
        held_users = frozenset(hold.name for hold in holds if hold.kind == "user")

        async def conversations(tenant: str, before: datetime, counts_only: bool) -> int:
            return await roma.sessions.delete_before(tenant, before, held_users, counts_only=counts_only)

        async def answers(tenant: str, before: datetime, counts_only: bool) -> int:
            return await roma.answers.delete_before(tenant, before, held_users, counts_only=counts_only)

        async def caches(_: str, before: datetime, counts_only: bool) -> int:
            return await asyncio.to_thread(roma.cache.remove_before, before, counts_only=counts_only)

        async def trace(tenant: str, before: datetime, counts_only: bool) -> int:
            return await asyncio.to_thread(traces.remove_before, roma.settings, tenant, before, counts_only=counts_only)

        async def log_lines(tenant: str, before: datetime, counts_only: bool) -> int:
            folder = Workspace(roma.settings.workspace).of_tenant(tenant).logs
            held = {Principal(subject=name, tenant=tenant).pseudonym for name in held_users}
            return await asyncio.to_thread(
                log_files.remove_before, folder, before, held_users=held, counts_only=counts_only
            )

        async def audit(tenant: str, before: datetime, counts_only: bool) -> int:
            by = Principal.local(tenant)
            return await asyncio.to_thread(roma.audit.remove_before, tenant, before, by=by, counts_only=counts_only)

        async def uploads(tenant: str, before: datetime, counts_only: bool) -> int:
            files = await asyncio.to_thread(list_uploads, Workspace(roma.settings.workspace), tenant)
            old = await asyncio.to_thread(_choose_old, files, before)
            due = [path for path in old if not await self._is_upload_held(tenant, path, holds)]
            if not counts_only:
                await asyncio.to_thread(_remove_files, due)
            return len(due)

        removers: dict[RecordKind, Remove] = {
            "conversations": conversations,
            "answers": answers,
            "caches": caches,
            "traces": trace,
            "logs": log_lines,
            "uploads": uploads,
            "audit": audit,
        }
        if self._jobs is not None:
            removers["jobs"] = self._jobs
        return removers

    async def _is_upload_held(self, tenant: str, path: Path, holds: Sequence[LegalHold]) -> bool:
        """Return whether a hold keeps a file that somebody brought: by its person, its document or its collection."""
        named = {
            kind: {hold.name for hold in holds if hold.kind == kind} for kind in ("user", "document", "collection")
        }
        if path.parent.name in {name_person_folder(tenant, user) for user in named["user"]}:
            return True
        document_id = _identify_upload(path, tenant)
        if document_id in named["document"] or not named["collection"]:
            return document_id in named["document"]
        document = await self._roma.store.document(tenant, document_id)
        return document is not None and document.collection in named["collection"]

    async def _find_documents(self, tenant: str, holds: Sequence[LegalHold]) -> list[tuple[PlannedRemoval, list[str]]]:
        """Return what is to be removed of each collection, with the ids of its documents."""
        if not any(rule.record == "documents" and rule.tenant in {ANY, tenant} for rule in self._rules):
            return []
        roma = self._roma
        stored = await asyncio.to_thread(roma.ingestion.find_stored_times, tenant)
        last_uses = await roma.answers.find_last_uses(tenant)
        found: list[tuple[PlannedRemoval, list[str]]] = []
        for collection in await roma.store.collections(tenant):
            rule = self._find_rule(tenant, collection, "documents")
            if rule is None or rule.age is None:
                continue
            before = self._now() - rule.age
            members = await roma.store.permitted_ids(tenant, stored, ReadScope(collections=(collection,)))
            old = [id_ for id_ in sorted(members) if _last_time(id_, stored, last_uses, by_use=rule.by_use) < before]
            is_held = any(hold.kind == "tenant" or hold.name == collection for hold in holds if hold.kind != "document")
            held_ids = {hold.name for hold in holds if hold.kind == "document"}
            due = [] if is_held else [id_ for id_ in old if id_ not in held_ids]
            removal = PlannedRemoval(
                tenant=tenant,
                record="documents",
                collection=collection,
                before=before,
                by_use=rule.by_use,
                count=len(due),
                kept=len(old) - len(due),
            )
            found.append((removal, due))
        return found

    async def _remove_documents(self, tenant: str, ids: Sequence[str]) -> list[str]:
        """Retire documents and remove them from every place; return the ids of the certificates."""
        roma = self._roma
        certificates: list[str] = []
        for start in range(0, len(ids), DOCUMENTS_AT_ONCE):
            some = ids[start : start + DOCUMENTS_AT_ONCE]
            for uri, version in await asyncio.to_thread(roma.ingestion.find_versions, tenant, some):
                await asyncio.to_thread(self.ledger.retire, tenant, uri, version)
            report = await roma.forget(document_ids=some, tenant=tenant)
            certificates += [report.certificate.id] if report.certificate is not None else []
        return certificates


def _identify_upload(path: Path, tenant: str) -> str:
    """Return the id of the document that a file is ingested as."""
    return Document.id_for(path.absolute().as_uri(), tenant)


def _choose_old(paths: Sequence[Path], before: datetime) -> list[Path]:
    return [path for path in paths if path.stat().st_mtime < before.timestamp()]


def _remove_files(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


async def list_tenants(roma: Roma) -> list[str]:
    """Return every tenant with a folder, and those that have records beside those of this one where rules look."""
    found = set(await asyncio.to_thread(roma.tenants.list))
    if not roma.settings.retention.rules:
        return sorted(found)
    found |= await asyncio.to_thread(roma.ingestion.list_tenants)
    found |= await roma.sessions.list_tenants()
    found |= await asyncio.to_thread(roma.answers.store.list_tenants)
    found |= await asyncio.to_thread(roma.audit.list_tenants)
    return sorted(found)


def _last_time(
    document_id: str, stored: dict[str, datetime], last_uses: dict[str, datetime], *, by_use: bool
) -> datetime:
    """Return when a document was stored, or when an answer was last written from it if that is later and counts."""
    stored_at = stored[document_id]
    return max(stored_at, last_uses.get(document_id, stored_at)) if by_use else stored_at
