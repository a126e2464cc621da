"""``report_quality``: what the page for stakeholders shows, gathered from a workspace. No model is loaded for it."""

from __future__ import annotations

import asyncio
import calendar
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from roma_core.errors import AgentFailure
from roma_core.evals.golden.candidates import collect_candidates, read_decisions
from roma_core.evals.golden.evidence import find
from roma_core.evals.report.quality_page import (
    HEADLINES,
    CostProjection,
    Coverage,
    OpenFailure,
    QualityReport,
    RunCost,
    Trend,
    TrendPoint,
)
from roma_core.evals.report.record import EvalReport, describe_states
from roma_core.evals.runs import RunCard
from roma_core.exports.records import ScoredRun, WorkspaceReader, open_records
from roma_core.ingestion.ledger import Ledger
from roma_core.types import Usage
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    from roma_core.app import Roma

MOST_RUNS = 20
"""Newest runs of a set that its trend shows."""
MOST_FAILURES = 50


async def report_quality(roma: Roma, *, everyone: bool = False) -> QualityReport:
    """Return the quality, cost, coverage and open failures of a workspace, by its last runs.

    Runs are compared over time only on the same version of a golden set. ``everyone`` counts the questions of all users
    of the tenant.

    >>> page = render_quality_page(await report_quality(roma))  # doctest: +SKIP
    """
    now = datetime.now(UTC)
    settings = roma.settings
    async with open_records(settings, everyone=everyone) as reader:
        cards = reader.run_store.list()
        newest = _find_newest(cards)
        reports = {card.run_id: reader.run_store.read(card.run_id) for card in cards}
        reader.run_names = tuple(card.run_id for card in newest)
        coverage = [await _measure_coverage(reader, run) for run in reader.runs] if newest else []
        failures = [failure for card in newest for failure in _list_failed_items(card, reports[card.run_id])]
        failures += await _list_complaints(reader)
    failures += await asyncio.to_thread(_list_failed_documents, Workspace.of(settings), settings.tenant)
    costs = [_measure_cost(reader, card) for card in cards[-MOST_RUNS:]]
    return QualityReport(
        made_at=now,
        workspace=settings.workspace.name,
        trends=tuple(_make_trends(cards, reports)),
        costs=tuple(costs),
        projection=await _project_cost(roma, now),
        coverage=tuple(coverage),
        failures=tuple(failures[:MOST_FAILURES]),
    )


def _find_newest(cards: Sequence[RunCard]) -> list[RunCard]:
    """Return the newest run of each set."""
    by_dataset: dict[str, RunCard] = {}
    for card in cards:
        by_dataset[card.dataset] = card
    return list(by_dataset.values())


def _make_trends(cards: Sequence[RunCard], reports: dict[str, EvalReport]) -> list[Trend]:
    groups: dict[tuple[str, str], list[RunCard]] = {}
    for card in cards:
        report = reports[card.run_id]
        groups.setdefault((report.dataset, report.dataset_sha256), []).append(card)
    trends: list[Trend] = []
    for (dataset, sha256), held in groups.items():
        shown = held[-MOST_RUNS:]
        last = reports[shown[-1].run_id]
        taken = {info.name: info for info in last.measures}
        names = [name for name in dict.fromkeys((shown[-1].primary, *HEADLINES)) if name in taken]
        for name in names or list(taken)[:1]:
            points = [point for card in shown if (point := _make_point(card, reports[card.run_id], name))]
            trends.append(
                Trend(
                    dataset=dataset,
                    dataset_sha256=sha256,
                    measure=name,
                    direction=taken[name].direction,
                    points=tuple(points),
                )
            )
    return trends


def _make_point(card: RunCard, report: EvalReport, measure: str) -> TrendPoint | None:
    summary = next((each for each in report.summary() if each.measure == measure), None)
    if summary is None:
        return None
    found = summary.interval
    return TrendPoint(
        run=card.name,
        made_at=card.created_at,
        mean=found.mean,
        low=found.low,
        high=found.high,
        items=found.n,
        unscored=summary.unscored,
    )


def _measure_cost(reader: WorkspaceReader, card: RunCard) -> RunCost:
    facts = reader.run_store.read_facts(card.run_id)
    cost = Usage.total(facts.usage.values()).cost_usd
    return RunCost(run=card.name, asked=facts.asked, cost_usd=cost, seconds=facts.seconds)


async def _project_cost(roma: Roma, now: datetime) -> CostProjection | None:
    spent = await roma.spend("month", by="day")
    if isinstance(spent, AgentFailure) or not spent.rows:
        return None
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return CostProjection(
        spent_usd=spent.cost_usd,
        days_over=(now - start).total_seconds() / 86_400,
        days_in_month=calendar.monthrange(now.year, now.month)[1],
        unpriced_calls=spent.unpriced_calls,
    )


async def _measure_coverage(reader: WorkspaceReader, run: ScoredRun) -> Coverage:
    report = run.report
    asked = documents = None
    if run.golden is not None:
        corpus = await find(run.golden.cases, reader.documents_of(run)())
        places = [place for evidence in corpus.places.values() for pieces in evidence for place in pieces]
        asked, documents = len({place.document_id for place in places}), corpus.documents
    return Coverage(
        dataset=report.dataset,
        items=len(report.rows),
        missing_evidence=len(report.missing_evidence),
        documents=documents or 0,
        documents_asked=asked,
        kinds=dict(Counter(row.kind for row in report.rows)),
    )


def _list_failed_items(card: RunCard, report: EvalReport) -> list[OpenFailure]:
    """Return the items of a run without an answer of its own, and those that lose all of their score."""
    taken = {info.name: info for info in report.measures}
    deciding = next((name for name in (card.primary, *HEADLINES) if name in taken), "")
    failures: list[OpenFailure] = []
    for row in report.rows:
        if row.state != "ok":
            failures.append(OpenFailure(kind=f"{row.state} item", name=row.case_id, what=row.why or row.question))
        elif deciding and row.scores.get(deciding) == _worst(taken[deciding].scale, taken[deciding].higher):
            what = f"{row.question} ({deciding} {row.scores[deciding]:.2f}; {row.reasons.get(deciding, '')})"
            failures.append(OpenFailure(kind=f"item of {card.name}", name=row.case_id, what=what.replace("; )", ")")))
    if not report.is_whole:
        failures.insert(0, OpenFailure(kind="run", name=card.name, what=describe_states(report)))
    return failures


def _worst(scale: tuple[float, float] | None, higher: bool | None) -> float | None:
    """Return the worst score of a measure; None when it has none."""
    if scale is None or higher is None:
        return None
    return scale[0] if higher else scale[1]


async def _list_complaints(reader: WorkspaceReader) -> list[OpenFailure]:
    decisions = read_decisions(Workspace.of(reader.settings).reviews, reader.tenant)
    candidates = await collect_candidates(reader.iterate_answers(), await reader.list_ratings(), decisions)
    return [
        OpenFailure(
            kind=each.reasons[0], name=each.id, what=f"{each.question} ({each.times} times) {' / '.join(each.comments)}"
        )
        for each in candidates
    ]


def _list_failed_documents(workspace: Workspace, tenant: str) -> list[OpenFailure]:
    if not workspace.ledger.is_file():
        return []
    ledger = Ledger(workspace.ledger)
    try:
        items = ledger.items(tenant, state="failed")
    finally:
        ledger.close()
    return [OpenFailure(kind="document", name=item.uri, what=f"{item.code}: {item.reason}") for item in items]
