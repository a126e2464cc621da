"""Erasure of a user or of documents, in every place of a workspace, with a certificate that holds no content.

The steps stand in one list, each may be run again, and a journal counts what each has removed: an erasure that was
killed is finished by running it again. After the steps every database is written again without what was deleted.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from roma_core import __version__
from roma_core.connectors.local.paths import path_of
from roma_core.database import scrub
from roma_core.errors import MOST_NAMED, InputError, NotFoundError
from roma_core.telemetry import log_files, traces
from roma_core.tenants.uploads import find_upload
from roma_core.types import ErasedPlace, ErasureCertificate, ForgetReport, Principal, digest
from roma_core.workspace import Workspace, private_file

if TYPE_CHECKING:
    from roma_core.app import Roma

NOT_ERASED: Final = (
    "Backups that were made of the workspace, and copies of its files and disks, are not erased here.",
    "What was sent to others (vendors of models, MLflow and OpenTelemetry servers, exports, transcripts) is theirs.",
    "Log lines on stderr are kept by what collects them; they hold no question and no answer, but with "
    "ROMA_LLM_LOG_TEXT.",
)
FILE_ONLY: Final = (
    "Conversations, and in PostgreSQL the audit log and the accounts, are in another database (ROMA_DATABASE_URL): "
    "its own log and backups are not erased here."
)
QUOTING_CACHES: Final = ("page", "words", "llm", "quotes", "picture")
"""Kinds of cache entries that may hold words of a question or a document and do not say which."""
Work = Callable[[], Awaitable[int]]


class ErasureStep(NamedTuple):
    """A place and what removes something from it; ``work`` returns how much, and may be called again."""

    place: str
    work: Work


class Journal:
    """What an erasure has removed so far, in a file that a later run goes on from."""

    def __init__(self, path: Path, facts: Mapping[str, str]) -> None:
        self._path = path
        self.facts = dict(facts)
        self._removed: dict[str, int] = {}
        self.id = uuid.uuid4().hex[:16]
        self.began_at = datetime.now(UTC)

    def open(self) -> None:
        """Take over what an unfinished erasure of the same has done, else begin."""
        if self._path.exists():
            held = json.loads(self._path.read_text("utf-8"))
            self.id, self._removed = held["id"], held["removed"]
            self.began_at = datetime.fromisoformat(held["began_at"])
        self._write()

    @property
    def exists(self) -> bool:
        """Return whether an erasure of the same was not finished."""
        return self._path.exists()

    def note(self, place: str, removed: int) -> None:
        """Add to what was removed from a place."""
        self._removed[place] = self._removed.get(place, 0) + removed
        self._write()

    def close(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    @property
    def places(self) -> tuple[ErasedPlace, ...]:
        """Return the places in the order of the steps."""
        return tuple(ErasedPlace(place=place, removed=removed) for place, removed in self._removed.items())

    def _write(self) -> None:
        held = {**self.facts, "id": self.id, "began_at": self.began_at.isoformat(), "removed": self._removed}
        private_file(self._path)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(held), encoding="utf-8")
        fresh.replace(self._path)


class Erasure:
    """Erases from the workspace of ``roma``. ``more`` are further steps, as for the accounts of the HTTP service.

    >>> certificate = await Erasure(roma).forget_user(Principal(subject="anna"))  # doctest: +SKIP
    """

    def __init__(self, roma: Roma) -> None:
        self._roma = roma
        self._workspace = Workspace.of(roma.settings)
        self._places = tuple(dict.fromkeys((self._workspace, Workspace(roma.settings.workspace))))
        """The tenant's folder and the installation's: uploads, evaluations and traces lie there from before the tenant
        had one."""

    async def forget_user(self, who: Principal, more: Sequence[ErasureStep] = ()) -> ErasureCertificate:
        """Remove all that a user asked, was answered, rated and was granted. Raises ``StoreError``: run it again."""
        roma = self._roma
        await asyncio.to_thread(self._require_free, who.tenant, frozenset({who.subject}), {})
        journal = Journal(self._workspace.certificates / f"{who.pseudonym}.unfinished", {"user": who.pseudonym})
        await asyncio.to_thread(journal.open)
        await roma.log_action(roma.user, "forget", user=who.pseudonym, erasure=journal.id)
        steps = (
            ErasureStep("spending of conversations", lambda: self._forget_spending(who)),
            ErasureStep("trials", lambda: self._forget_trials(who)),
            ErasureStep("answers", lambda: roma.answers.forget_user(who)),
            ErasureStep("conversations and ratings", lambda: roma.sessions.forget_user(who)),
            ErasureStep("cached answers", lambda: roma.clear_answer_cache(who.tenant)),
            ErasureStep("cached replies of models", lambda: asyncio.to_thread(self._clear_quotes)),
            ErasureStep("grants", lambda: asyncio.to_thread(roma.grants.forget_user, who.tenant, who.subject)),
            ErasureStep("traces", lambda: asyncio.to_thread(traces.forget_user, roma.settings, who)),
            ErasureStep("log lines", lambda: asyncio.to_thread(self._forget_lines_of_user, who)),
            *more,
            ErasureStep("copies from before migrations", lambda: asyncio.to_thread(self._remove_copies)),
            ErasureStep(
                "audit log (rows blanked)",
                lambda: asyncio.to_thread(roma.audit.erase_user, who, by=roma.user, erasure=journal.id),
            ),
        )
        await self._take(steps, journal)
        return await self._certify("user", who.tenant, journal, user=who.pseudonym)

    async def forget_documents(
        self, uris: Sequence[str], *, document_ids: Sequence[str], source: str | None, tenant: str
    ) -> ForgetReport:
        """Remove documents from every place. Raises ``NotFoundError``, and ``StoreError``: run it again."""
        roma = self._roma
        asked = [*uris, *document_ids, *([source] if source is not None else [])]
        journal = await asyncio.to_thread(self._find_unfinished, tenant, asked)
        known: dict[str, str] = {} if journal is None else json.loads(journal.facts["targets"])
        try:
            found = await roma.ingestion.find_documents(uris, document_ids=document_ids, source=source, tenant=tenant)
        except NotFoundError:
            if not known:
                raise
            removal = ForgetReport()  # it was killed after the ledger had forgotten them
        else:
            await self._require_unheld(tenant, found.values())
            known |= found
            journal = journal or self._make_journal(tenant, asked, known)
            await asyncio.to_thread(journal.open)
            removal = await roma.ingestion.forget(uris, document_ids=document_ids, source=source, tenant=tenant)
        journal = journal or self._make_journal(tenant, asked, known)
        ids, named = sorted(set(known.values())), [*known.values(), *known]
        steps = (
            ErasureStep("documents, with older versions and indexes", _as_work(removal.documents)),
            ErasureStep("passages", _as_work(removal.passages)),
            ErasureStep("cached parses, vectors and replies", _as_work(removal.cached)),
            ErasureStep("answers that quoted them", lambda: self._blank_answers(tenant, ids)),
            ErasureStep("cached answers", lambda: roma.clear_answer_cache(tenant)),
            ErasureStep("uploaded files", lambda: asyncio.to_thread(self._remove_uploads, list(known))),
            ErasureStep("evaluations that quote them", lambda: asyncio.to_thread(self._forget_evaluations, named)),
            ErasureStep("traces", lambda: asyncio.to_thread(traces.forget_documents, roma.settings, tenant, named)),
            ErasureStep("log lines", lambda: asyncio.to_thread(self._forget_lines_of_documents, named)),
            ErasureStep("copies from before migrations", lambda: asyncio.to_thread(self._remove_copies)),
        )
        await self._take(steps, journal)
        removed = {place.place: place.removed for place in journal.places}
        certificate = await self._certify("documents", tenant, journal, document_ids=ids)
        return ForgetReport(
            uris=tuple(known),
            document_ids=tuple(ids),
            documents=removal.documents,
            passages=removal.passages,
            cached=removal.cached,
            answers=removed["answers that quoted them"],
            certificate=certificate,
        )

    async def _require_unheld(self, tenant: str, ids: Iterable[str]) -> None:
        """Raise ``InputError`` when a legal hold keeps one of the documents."""
        if not self._workspace.retention.exists():
            return
        collections: dict[str, str] = {}
        for document_id in ids:
            document = await self._roma.store.document(tenant, document_id)
            collections[document_id] = document.collection if document is not None else ""
        await asyncio.to_thread(self._require_free, tenant, frozenset(), collections)

    def _require_free(self, tenant: str, users: frozenset[str], documents: Mapping[str, str]) -> None:
        """Raise ``InputError`` when a legal hold keeps one of the users or documents (collection by id)."""
        held = self._roma.holds.find(tenant, users=users, documents=documents)
        if held:
            named = "; ".join(f"{hold.id} on {hold.kind} {hold.name}: {hold.reason}" for hold in held[:MOST_NAMED])
            raise InputError(f"A legal hold keeps this ({named}); `roma retention hold --release` ends one.")

    def _make_journal(self, tenant: str, asked: Sequence[str], targets: Mapping[str, str]) -> Journal:
        key = digest("documents", tenant, *asked)[:16]
        facts = {"tenant": tenant, "asked": json.dumps(list(asked)), "targets": json.dumps(dict(targets))}
        return Journal(self._workspace.certificates / f"{key}.unfinished", facts)

    def _find_unfinished(self, tenant: str, asked: Sequence[str]) -> Journal | None:
        """Return the journal of a killed removal of one of these; None without one."""
        for path in sorted(self._workspace.certificates.glob("*.unfinished")):
            held = json.loads(path.read_text("utf-8"))
            if held.get("tenant") == tenant and set(asked) & set(json.loads(held.get("asked", "[]"))):
                return Journal(path, {name: held[name] for name in ("tenant", "asked", "targets")})
        return None

    async def _blank_answers(self, tenant: str, ids: Sequence[str]) -> int:
        turns = await self._roma.sessions.forget_documents(tenant, list(ids))
        records = await self._roma.answers.forget_documents(tenant, list(ids))
        return max(turns, records)

    async def _take(self, steps: Iterable[ErasureStep], journal: Journal) -> None:
        for step in steps:
            removed = await step.work()
            await asyncio.to_thread(journal.note, step.place, removed)
        await asyncio.to_thread(self._scrub)

    async def _certify(
        self, what: str, tenant: str, journal: Journal, *, user: str = "", document_ids: Sequence[str] = ()
    ) -> ErasureCertificate:
        is_elsewhere = self._roma.settings.storage.database_url is not None
        certificate = ErasureCertificate(
            id=journal.id,
            what="user" if what == "user" else "documents",
            tenant=tenant,
            user=user,
            document_ids=tuple(document_ids),
            began_at=journal.began_at,
            ended_at=datetime.now(UTC),
            roma=__version__,
            places=journal.places,
            not_erased=(*NOT_ERASED, *((FILE_ONLY,) if is_elsewhere else ())),
        ).seal()
        await asyncio.to_thread(write_certificate, self._workspace, certificate)
        await asyncio.to_thread(journal.close)
        return certificate

    async def _list_sessions(self, who: Principal) -> list[str]:
        ids = {*await self._roma.sessions.list_ids(who), *await self._roma.answers.list_sessions(who)}
        return sorted(ids)

    async def _forget_spending(self, who: Principal) -> int:
        ids = await self._list_sessions(who)
        return await asyncio.to_thread(self._roma.budgets.forget_sessions, who.tenant, ids)

    async def _forget_trials(self, who: Principal) -> int:
        from roma_core.trials.table import TrialTable

        table = TrialTable(self._workspace.folder)
        ids = await self._list_sessions(who)
        return await asyncio.to_thread(table.forget_user, who.tenant, who.subject, ids)

    def _clear_quotes(self) -> int:
        return sum(self._roma.cache.clear(kind) for kind in QUOTING_CACHES)

    def _remove_copies(self) -> int:
        """Remove copies of databases from before their tables were changed."""
        copies = [copy for place in self._places if place.backups.is_dir() for copy in place.backups.glob("*")]
        for copy in copies:
            copy.unlink(missing_ok=True)
        return len(copies)

    def _remove_uploads(self, uris: Iterable[str]) -> int:
        """Remove the files of documents that people brought: ROMA's own copies. Files of other sources stay."""
        removed = 0
        for uri in uris:
            path = find_upload(self._places, uri)
            if path is not None and path.is_file():
                path.unlink()
                removed += 1
        return removed

    def _forget_lines_of_user(self, who: Principal) -> int:
        return sum(log_files.forget_user(place.logs, who.subject, who.pseudonym) for place in self._places)

    def _forget_lines_of_documents(self, named: Sequence[str]) -> int:
        paths = [path_of(name) for name in named if name.startswith("file:")]
        spelt = [*named, *(spelling for path in paths for spelling in (str(path), path.name))]
        return sum(log_files.forget_documents(place.logs, spelt) for place in self._places)

    def _forget_evaluations(self, named: Sequence[str]) -> int:
        """Remove kept answers, runs and golden candidates of evaluations that name one of these documents."""
        present = [place for place in self._places if place.evals.is_dir()]
        return sum(_forget_evaluations_in(place, named) for place in present) if named else 0

    def _scrub(self) -> None:
        """Write every database of the workspace again without what was deleted from it."""
        shared = (path for place in self._places for path in (place.mlflow, place.eval_answers))
        service = Workspace(self._roma.settings.workspace).service
        for path in dict.fromkeys((*self._workspace.databases, self._workspace.trials, service, *shared)):
            scrub(path)


def _forget_evaluations_in(workspace: Workspace, named: Sequence[str]) -> int:
    from roma_core.evals.checkpoint import SqliteCheckpoint

    removed = 0
    if workspace.eval_answers.exists():
        removed += SqliteCheckpoint(workspace.eval_answers).forget(named)
    needles = [name.encode() for name in named]
    for folder in sorted(path for path in workspace.evals.iterdir() if path.is_dir()):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        holding = [path for path in files if any(needle in path.read_bytes() for needle in needles)]
        if holding and (folder / "report.json").exists():
            shutil.rmtree(folder)
            removed += 1
        else:
            for path in holding:
                path.unlink()
            removed += len(holding)
    return removed


def write_certificate(workspace: Workspace, certificate: ErasureCertificate) -> None:
    """Write a certificate into the folder of certificates."""
    path = workspace.certificates / f"{certificate.id}.json"
    private_file(path)
    path.write_text(certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _as_work(removed: int) -> Work:
    """Return the work of a step that is done already."""

    async def report() -> int:
        return removed

    return report
