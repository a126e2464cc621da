"""Runs of evaluations: their figures over time, and two of them item by item."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

from pydantic import Field

from roma_core.errors import AccessError, ErrorCode, EvalError
from roma_core.evals import compare, open_runs
from roma_core.evals.report.comparison import Comparison, choose_primary
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
from roma_core.evals.runs import RunSummary
from roma_core.types import Citation, Noun, Principal

if TYPE_CHECKING:
    from roma_core.app import Roma

ItemSelection = Literal["changed most", "better", "worse", "wrong in B", "not scored", "all"]
ITEM_SELECTIONS: Final[tuple[ItemSelection, ...]] = get_args(ItemSelection)
WITHHELD: Final = "(about documents that you may not read)"


class RunBoard(Noun):
    """The runs of a workspace, the oldest first."""

    runs: tuple[RunSummary, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the sets, the one that was used last first."""
        return tuple(dict.fromkeys(run.card.dataset for run in reversed(self.runs)))

    def of(self, dataset: str) -> tuple[RunSummary, ...]:
        """Return the runs on a set, the oldest first."""
        return tuple(run for run in self.runs if run.card.dataset == dataset)

    def measures(self, dataset: str) -> tuple[str, ...]:
        """Return the names of the measures that runs on a set took, the deciding one of the newest first."""
        runs = self.of(dataset)
        names: dict[str, None] = {}
        for run in reversed(runs):
            if not names:
                names[find_primary(run)] = None
            names.update(dict.fromkeys(info.name for info in run.measures))
        return tuple(name for name in names if name)


class ItemSide(Noun):
    """One item in one run."""

    state: str
    why: str = ""
    answer: str = ""
    score: float | None = None
    reason: str = ""
    citations: tuple[Citation, ...] = ()


class ItemPair(Noun):
    """One item in two runs, or in one.

    ``is_withheld`` where a document behind it may not be read by the viewer: it has neither words nor its own id, which
    people choose.
    """

    case_id: str
    question: str
    kind: str
    a: ItemSide | None
    b: ItemSide | None
    gain: float | None = None
    """What B gains in the deciding measure, turned so that more is better; None where a score is missing."""
    loss: float | None = None
    """Share of the measure's scale that B misses."""
    is_withheld: bool = False
    stage: str = ""
    """Stage that lost it in B; empty where it did not fail, or is not explained yet."""
    shows: str = ""
    """The sign by which the stage is known to have lost it."""


class ComparedRuns(Noun):
    """Two runs side by side: the decision, where one can be taken, and every item."""

    a: str
    b: str
    measure: str
    comparison: Comparison | None = None
    refusal: str = ""
    """Why the two cannot be compared."""
    items: tuple[ItemPair, ...] = Field(default=(), repr=False)
    failures: dict[str, int] = Field(default_factory=dict)
    """Items of B by what became of them."""
    by_kind: dict[str, tuple[float, int]] = Field(default_factory=dict)
    """Mean of the deciding measure in B, and the number of scored items, by kind of question."""

    def explain(self, losses: Mapping[str, tuple[str, str]]) -> ComparedRuns:
        """Return it with the stage that lost each item of B, and what shows it, by the item's id.

        >>> compared.explain(losses.by_case)  # doctest: +SKIP
        """
        items = []
        for item in self.items:
            stage, shows = losses.get(item.case_id, ("", ""))
            items.append(item if item.is_withheld else item.model_copy(update={"stage": stage, "shows": shows}))
        return self.model_copy(update={"items": tuple(items)})

    def choose(self, selection: str = "changed most", words: str = "") -> list[ItemPair]:
        """Return the items of a selection whose question, answers, kind, id or lost stage hold all of some words.

        >>> compared.choose("worse")  # doctest: +SKIP
        """
        wanted = words.casefold().split()
        chosen = [item for item in self.items if _is_selected(item, selection) and _holds(item, wanted)]
        if selection == "changed most":
            return sorted(chosen, key=lambda item: -abs(item.gain or 0.0))
        if selection in {"better", "worse"}:
            return sorted(chosen, key=lambda item: (item.gain or 0.0) * (1 if selection == "worse" else -1))
        if selection == "wrong in B":
            return sorted(chosen, key=lambda item: -(item.loss or 0.0))
        return chosen


async def read_runs(roma: Roma, who: Principal) -> RunBoard:
    """Return the figures of all runs. Raises ``AccessError`` without the permission ``insights.read``.

    >>> board = await read_runs(roma, roma.user)  # doctest: +SKIP
    """
    _require_permission(who)
    if not _is_own_tenant(roma, who):
        return RunBoard()
    return RunBoard(runs=tuple(await asyncio.to_thread(open_runs(roma.settings).summaries)))


async def compare_runs(roma: Roma, who: Principal, a: str, b: str, measure: str = "") -> ComparedRuns:
    """Return two runs side by side, by their ids; the same id twice is one run alone.

    Raises ``AccessError`` without the permission ``insights.read``, ``EvalError`` for a run that is not there, and
    ``StoreError``.

    >>> compared = await compare_runs(roma, roma.user, "3f2a", "91bc")  # doctest: +SKIP
    """
    _require_permission(who)
    if not _is_own_tenant(roma, who):
        raise EvalError("There is no such run.", ErrorCode.NOT_FOUND)
    scope = await roma.grants.find_scope(who)
    permitted = None if scope.is_everything else frozenset(await roma.store.facts(who.tenant, scope))
    return await asyncio.to_thread(_compare, roma, a, b, measure, permitted)


def _compare(roma: Roma, a: str, b: str, measure: str, permitted: frozenset[str] | None) -> ComparedRuns:
    runs = open_runs(roma.settings)
    second = runs.read(b)
    first = second if a == b else runs.read(a)
    comparison, refusal = None, ""
    if a != b:
        try:
            comparison = compare(
                first, second, primary=measure, samples_a=runs.samples_of(a), samples_b=runs.samples_of(b)
            )
        except EvalError as error:
            refusal = str(error)
    return pair_runs(first, second, measure, permitted).model_copy(
        update={"a": a, "b": b, "comparison": comparison, "refusal": refusal}
    )


def pair_runs(a: EvalReport, b: EvalReport, measure: str = "", permitted: frozenset[str] | None = None) -> ComparedRuns:
    """Return two reports item by item. ``permitted`` are the ids of the documents that may be shown; None: all.

    >>> pair_runs(base, lazy, "nugget_recall").items  # doctest: +SKIP
    """
    info = _find_measure(b.measures, measure)
    name = info.name if info is not None else measure
    before = {row.case_id: row for row in a.rows}
    after = {row.case_id: row for row in b.rows}
    pairs = [
        _pair(number, before.get(case_id), after.get(case_id), name, info, permitted)
        for number, case_id in enumerate(dict.fromkeys([*after, *before]), start=1)
    ]
    return ComparedRuns(
        a=a.run_id,
        b=b.run_id,
        measure=name,
        items=tuple(pairs),
        failures=break_down(b.rows, info),
        by_kind=_average_by_kind(b.rows, name),
    )


def break_down(rows: Iterable[EvalRow], info: MeasureInfo | None) -> dict[str, int]:
    """Return the number of items by what became of them in a measure, the best first.

    >>> fields = {"question": "Why?", "kind": "single", "persona": "general", "cluster": "a"}
    >>> rows = [EvalRow(case_id=str(score), scores={"recall": score}, **fields) for score in (0, 0.5, 1, 1)]
    >>> break_down(rows, MeasureInfo(name="recall"))
    {'right': 2, 'in part': 1, 'wrong': 1}
    """
    counts = Counter(_describe_row(row, info) for row in rows)
    order = ("right", "in part", "wrong", "unscored", "not asked of it", "degraded", "fallback", "failed")
    return {name: counts[name] for name in order if counts[name]}


def measure_loss(row: EvalRow, info: MeasureInfo | None) -> float | None:
    """Return the share of a measure's scale that a row misses; None where it is not scored or has no scale."""
    if info is None or info.scale is None or info.higher is None:
        return None
    score = row.scores.get(info.name)
    if score is None:
        return None
    low, high = info.scale
    share = (score - low) / (high - low)
    return 1 - share if info.higher else share


def find_primary(run: RunSummary) -> str:
    """Return the measure that decides a run: the one that was named before it, else the usual one."""
    try:
        return choose_primary(run.measures, run.card.primary)
    except EvalError:
        return run.measures[0].name if run.measures else ""


def _require_permission(who: Principal) -> None:
    if not who.may("insights.read"):
        raise AccessError("Evaluations need the permission insights.read.", ErrorCode.ACCESS_FORBIDDEN)


def _is_own_tenant(roma: Roma, who: Principal) -> bool:
    """Return whether the runs of the workspace are of the tenant of ``who``: they have that of the settings."""
    return who.tenant == roma.settings.tenant


def _find_measure(infos: Sequence[MeasureInfo], wanted: str) -> MeasureInfo | None:
    named = {info.name: info for info in infos}
    if wanted in named:
        return named[wanted]
    try:
        return named[choose_primary(infos)]
    except EvalError:
        return next(iter(infos), None)


def _pair(
    number: int,
    a: EvalRow | None,
    b: EvalRow | None,
    measure: str,
    info: MeasureInfo | None,
    permitted: frozenset[str] | None,
) -> ItemPair:
    row = b or a
    assert row is not None  # noqa: S101 - every id comes from one of the two
    is_withheld = permitted is not None and not all(_may_show(each, permitted) for each in (a, b) if each is not None)
    return ItemPair(
        case_id=f"item {number}" if is_withheld else row.case_id,
        question=WITHHELD if is_withheld else row.question,
        kind=row.kind,
        a=_make_side(a, measure, is_withheld=is_withheld),
        b=_make_side(b, measure, is_withheld=is_withheld),
        gain=_find_gain(a, b, info),
        loss=None if b is None else measure_loss(b, info),
        is_withheld=is_withheld,
    )


def _may_show(row: EvalRow, permitted: frozenset[str]) -> bool:
    """Return whether all documents behind a row may be read; a row of which none is known may not be shown."""
    documents = {passage.chunk.document_id for passage in row.passages}
    documents |= {citation.document_id for citation in row.citations}
    return bool(documents) and documents <= permitted


def _make_side(row: EvalRow | None, measure: str, *, is_withheld: bool) -> ItemSide | None:
    if row is None:
        return None
    if is_withheld:
        return ItemSide(state=row.state, score=row.scores.get(measure))
    return ItemSide(
        state=row.state,
        why=row.why or (row.error or ""),
        answer=row.answer or "",
        score=row.scores.get(measure),
        reason=row.reasons.get(measure, ""),
        citations=row.citations,
    )


def _find_gain(a: EvalRow | None, b: EvalRow | None, info: MeasureInfo | None) -> float | None:
    if a is None or b is None or info is None:
        return None
    before, after = a.scores.get(info.name), b.scores.get(info.name)
    if before is None or after is None:
        return None
    return before - after if info.higher is False else after - before


def _describe_row(row: EvalRow, info: MeasureInfo | None) -> str:
    if row.state != "ok":
        return row.state
    if info is None or info.name not in row.scores:
        return "not asked of it"
    loss = measure_loss(row, info)
    if loss is None:
        return "unscored"
    if loss <= 0:
        return "right"
    return "wrong" if loss >= 1 else "in part"


def _average_by_kind(rows: Iterable[EvalRow], measure: str) -> dict[str, tuple[float, int]]:
    scores: dict[str, list[float]] = {}
    for row in rows:
        score = row.scores.get(measure)
        if row.state == "ok" and score is not None:
            scores.setdefault(row.kind, []).append(score)
    return {kind: (sum(held) / len(held), len(held)) for kind, held in sorted(scores.items())}


def _is_selected(item: ItemPair, selection: str) -> bool:
    if selection == "changed most":
        return item.a is not None and item.b is not None and item.gain != 0
    if selection == "better":
        return item.gain is not None and item.gain > 0
    if selection == "worse":
        return item.gain is not None and item.gain < 0
    if selection == "wrong in B":
        return item.loss is not None and item.loss > 0
    if selection == "not scored":
        return item.b is None or item.b.score is None
    return True


def _holds(item: ItemPair, wanted: Sequence[str]) -> bool:
    sides = [side.answer for side in (item.a, item.b) if side is not None]
    text = " ".join([item.case_id, item.question, item.kind, item.stage, *sides]).casefold()
    return all(word in text for word in wanted)
