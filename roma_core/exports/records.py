"""What an export reads, and what it reports.

Everything is read where it lies: no model is loaded, and no other process is kept from working.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from roma_core.answers import AnswerRecord, Answers
from roma_core.errors import ErrorCode, EvalError, StoreError
from roma_core.evals.evaluation import BEIR, DocumentIterator, beir_tenant, load_dataset
from roma_core.evals.golden.beir import iterate_documents
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.report.record import EvalReport
from roma_core.evals.run_dataset import find_run_dataset, match_dataset
from roma_core.evals.runs import RunStore
from roma_core.sessions.service import Feedback, Sessions, database_url
from roma_core.settings import Settings
from roma_core.store import ChunkStore, locate_store, open_for_reading
from roma_core.types import Noun, Principal
from roma_core.workspace import Workspace

MOST_RATINGS = 1_000_000


class ExportedFile(Noun):
    """A file that was written. ``sha256`` is that of its bytes."""

    name: str
    rows: int
    size_bytes: int
    sha256: str


class ExportReport(Noun):
    """Everything that one export wrote. ``notes`` say what could not be exported, and why."""

    to: str
    target: str
    roma: str
    tenant: str
    index_sha256: str = ""
    """Hash of the passages as they are searched; empty when neither documents nor passages were read."""
    rows: dict[str, int]
    """Number of rows of each table."""
    files: tuple[ExportedFile, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoredRun:
    """A run with the set that it was scored on, where that can still be found."""

    name: str
    report: EvalReport
    golden: Golden | None
    spec: str = ""
    """The dataset as it was named: a path, or ``beir:DIR``."""

    @property
    def beir_folder(self) -> Path | None:
        """The folder of the BEIR set that the run was scored on; None for any other set."""
        return Path(self.spec.removeprefix(BEIR)) if self.spec.startswith(BEIR) else None

    def require_golden(self) -> Golden:
        """Return the set. Raises ``EvalError`` when it cannot be found as it was."""
        if self.golden is None:
            raise EvalError(
                f"The golden set of {self.name} is not where it was, or has changed since; give the one that it was "
                "scored on with --golden.",
                ErrorCode.EVAL_DATASET,
            )
        return self.golden


@dataclass
class WorkspaceReader:
    """Everything in a workspace that can be exported."""

    settings: Settings
    store: ChunkStore
    answers: Answers
    sessions: Sessions
    run_store: RunStore
    run_names: tuple[str, ...] = ()
    """Runs whose rows are exported; none given: all."""
    golden: str = ""
    """A golden set in place of the one that the card of a run names."""
    everyone: bool = False
    """Also the answers and ratings of other users of the tenant."""
    notes: list[str] = field(default_factory=list)

    def iterate_answers(self) -> AsyncIterator[AnswerRecord]:
        """Yield the recorded answers of the user of this machine, or of everyone."""
        return self.answers.records(Principal.local(self.tenant), everyone=self.everyone)

    async def list_ratings(self) -> list[Feedback]:
        """Return the ratings of the user of this machine, or of everyone, the newest first."""
        user = Principal.local(self.tenant)
        return await self.sessions.feedback(user, limit=MOST_RATINGS, everyone=self.everyone)

    @property
    def tenant(self) -> str:
        """The tenant whose records are read."""
        return self.settings.tenant

    @cached_property
    def runs(self) -> tuple[ScoredRun, ...]:
        """The runs that were named, or all, the oldest first. Raises ``EvalError``."""
        names = self.run_names or tuple(card.run_id for card in self.run_store.list())
        return tuple(self._read_run(name) for name in names)

    def require_runs(self) -> tuple[ScoredRun, ...]:
        """Return the runs. Raises ``EvalError`` when there is none."""
        if not self.runs:
            raise EvalError("There is no run to export; `roma eval` makes one.", ErrorCode.EVAL_PARAMETERS)
        return self.runs

    def require_run(self) -> ScoredRun:
        """Return the only run. Raises ``EvalError`` when there are several, or none."""
        runs = self.require_runs()
        if len(runs) > 1:
            names = ", ".join(run.name for run in runs)
            raise EvalError(f"This format holds one run; choose with --run: {names}.", ErrorCode.EVAL_PARAMETERS)
        return runs[0]

    def documents_of(self, run: ScoredRun) -> DocumentIterator:
        """Return the function that iterates over the documents that a run searched."""
        folder = run.beir_folder
        if folder is not None:
            return lambda: iterate_documents(folder)
        return lambda: self.store.documents(self.tenant)

    def _read_run(self, name: str) -> ScoredRun:
        report = self.run_store.read(name)
        given = Path(name).exists()
        card = None if given else self.run_store.find(name)
        name_of_run = card.name if card else report.run_id
        if not self.golden:
            found = find_run_dataset(self.run_store, report)
            return ScoredRun(name_of_run, report, found.golden if found else None, found.spec if found else "")
        golden = match_dataset(self.golden, report)
        if golden is None:
            raise EvalError(
                f"{name} was not scored on {self.golden}: its items are other ones, or have changed.",
                ErrorCode.EVAL_DATASET,
            )
        return ScoredRun(name_of_run, report, golden, self.golden)

    async def watch_store(self) -> dict[str, str]:
        """Return the documents of the tenant with the hashes of their contents, to be compared afterwards."""
        return await self.store.contents(self.tenant)

    async def require_unchanged(self, before: dict[str, str]) -> None:
        """Raise ``StoreError`` when the documents are other ones than ``before``: the export would mix two states."""
        if await self.store.contents(self.tenant) != before:
            raise StoreError(
                "Documents were added, changed or removed during the export; run it again.", ErrorCode.STORAGE_LOCKED
            )


def tenant_of(run: ScoredRun, default: str) -> str:
    """Return the tenant whose passages a run searched."""
    folder = run.beir_folder
    return beir_tenant(folder, load_dataset(run.spec)) if folder is not None else default


@asynccontextmanager
async def open_records(
    settings: Settings, runs: Sequence[str] = (), golden: str | Path = "", *, everyone: bool = False
) -> AsyncIterator[WorkspaceReader]:
    """Return a context with all records of the workspace that the settings name."""
    workspace = Workspace.of(settings)
    store = await asyncio.to_thread(open_for_reading, await asyncio.to_thread(locate_store, settings))
    storage = settings.storage
    answers = Answers(
        workspace.answers, server_url=storage.server_url, days=storage.answer_days, most_mb=storage.answer_mb
    )
    sessions = Sessions(database_url(workspace.folder, settings.storage.database_url))
    try:
        yield WorkspaceReader(
            settings, store, answers, sessions, RunStore(workspace.evals), tuple(runs), str(golden), everyone
        )
    finally:
        await store.close()
        await answers.close()
        await sessions.close()
