"""The stage that lost each failed item of a run: counts for all, its words for those who may read everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from pydantic import Field

from roma_core.errors import AccessError, ErrorCode, EvalError
from roma_core.evals import explain_failures, open_runs
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.golden.evidence import file_name_of
from roma_core.evals.report.record import EvalReport
from roma_core.evals.run_dataset import RunDataset, find_run_dataset
from roma_core.types import Chunk, Document, Noun, Principal

if TYPE_CHECKING:
    from roma_core.app import Roma


AT_ONCE: Final = 8
"""Documents that are read from the store at a time."""


class StageLoss(Noun):
    """A stage with the failed items that it lost."""

    stage: str
    items: int
    points: float
    """Points of the deciding measure that mending the stage alone would give at most."""
    advice: str


class RunLosses(Noun):
    """The failed items of a run by the stage that lost them, the greatest gain first."""

    measure: str = ""
    items: int = 0
    """Items with an answer of the system itself."""
    unanswered: int = 0
    """Items without one; no stage is blamed for them."""
    stages: tuple[StageLoss, ...] = ()
    by_case: dict[str, tuple[str, str]] = Field(default_factory=dict, repr=False)
    """Stage and what shows it by the item's id. What shows it names documents: empty where some are withheld."""
    refusal: str = ""
    """Why no stage can be named."""

    @property
    def failed(self) -> int:
        """Items that a stage lost."""
        return sum(stage.items for stage in self.stages)


async def explain_run(roma: Roma, who: Principal, run_id: str, measure: str = "") -> RunLosses:
    """Return which stage lost each failed item of a run, over the corpus as it is now. Asks no model.

    Raises ``AccessError`` without the permission ``insights.read``, ``EvalError`` for a run that is not there, and
    ``StoreError``.

    >>> losses = await explain_run(roma, roma.user, "3f2a")  # doctest: +SKIP
    """
    if not who.may("insights.read"):
        raise AccessError("Evaluations need the permission insights.read.", ErrorCode.ACCESS_FORBIDDEN)
    if who.tenant != roma.settings.tenant:
        raise EvalError("There is no such run.", ErrorCode.NOT_FOUND)
    report, dataset, registered = await asyncio.to_thread(_read_run, roma, run_id)
    if dataset is None:
        return RunLosses(
            refusal="The golden set of this run is not where it was, or has changed since, so that no stage can be "
            "named. `roma why RUN DATASET` takes the set from another place."
        )
    scope = await roma.grants.find_scope(who)
    tenant = dataset.tenant(roma.settings.tenant)
    documents = await _read_documents(roma, tenant, dataset.golden)
    loop = asyncio.get_running_loop()

    async def read_source(document: Document) -> str:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(roma.read_source(document, tenant), loop))

    primary = measure if any(info.name == measure for info in report.measures) else registered
    explaining = explain_failures(
        report, dataset.golden, documents, tenant=tenant, read_source=read_source, primary=primary
    )
    # long documents are searched for words that are like a lost anchor: others are served meanwhile
    found = await asyncio.to_thread(asyncio.run, explaining)
    by_case: dict[str, tuple[str, str]] = {}
    for each in found.attributions:
        reason = each.why if scope.is_everything else ""
        by_case[each.case_id] = (each.fault.value, reason)
    return RunLosses(
        measure=found.primary,
        items=found.items,
        unanswered=found.unanswered,
        stages=tuple(
            StageLoss(stage=stage, items=items, points=points, advice=advice)
            for stage, items, points, advice in found.rows()
        ),
        by_case=by_case,
    )


def _read_run(roma: Roma, run_id: str) -> tuple[EvalReport, RunDataset | None, str]:
    runs = open_runs(roma.settings)
    report = runs.read(run_id)
    return report, find_run_dataset(runs, report), runs.registered_primary((run_id,))


class _NamedDocuments:
    """The documents that a set names, with their passages: a large corpus is not read for a small set."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Document, list[Chunk]]] = {}

    async def documents(self, tenant: str) -> AsyncIterator[Document]:
        """Yield the documents."""
        for _, (document, _) in sorted(self.held.items()):
            yield document

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        """Return the passages of a document."""
        return self.held[document_id][1]


async def _read_documents(roma: Roma, tenant: str, golden: Golden) -> _NamedDocuments:
    """Return the documents whose file names the evidence of a set names, by the ledger."""
    wanted = {file_name_of(evidence.uri) for case in golden.cases for evidence in case.evidence}
    items = await roma.ingestion.ledger_figures(tenant)
    named = {item.document_id for item in items if item.document_id and file_name_of(item.uri) in wanted}
    documents = _NamedDocuments()
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(document_id: str) -> None:
        async with slots:
            document = await roma.store.document(tenant, document_id)
            if document is not None:
                documents.held[document_id] = (document, await roma.store.chunks(tenant, document_id))

    await asyncio.gather(*(read(document_id) for document_id in sorted(named)))
    return documents
