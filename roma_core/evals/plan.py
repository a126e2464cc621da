"""A study before it is run: what a golden set can decide, measure by measure, and what it will cost.

The announced effects are those of the test that decides (``stats.inference``): of the primary measure at its level, of
each other at the level that Holm's correction leaves in the worst case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from roma_core import display
from roma_core.errors import count_noun
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.measures.base import Measure
from roma_core.evals.report.comparison import MeasureRole, choose_primary, show_effect
from roma_core.evals.report.record import EvalReport, MeasureInfo, RunFacts
from roma_core.evals.stats.inference import (
    ALPHA,
    FEW_CLUSTERS,
    ICC_OF_DIFFERENCE,
    POWER,
    ClusterDesign,
    Difference,
    compare_pairs,
    find_gains,
)
from roma_core.types import Noun, Usage, frame

if TYPE_CHECKING:
    import pandas as pd

DISCORDANCE = 0.2
"""Share of right-or-wrong answers that change between two systems when nothing is known."""
BISECTIONS = 10
SIMULATIONS = 4000
SIMULATED_ANSWERS = 2_000_000
"""Most answers that one simulation draws: a larger set is simulated fewer times."""
Basis = Literal["two runs", "one run", "assumed"]


class MeasurePlan(Noun):
    """The power of one measure on a set."""

    measure: str
    role: MeasureRole
    items: int
    clusters: int
    effective_clusters: float
    level: float
    """Level of the test: that of the primary measure, or what the correction leaves a secondary one at least."""
    smallest_p: float
    detectable: float
    """Smallest true difference that the decision finds four times in five; infinite when it can find none."""
    basis: Basis
    """Origin of the spread of the differences."""

    @property
    def can_decide(self) -> bool:
        """True when a significant result is possible at all."""
        return self.smallest_p < self.level


class StudyPlan(Noun):
    """The decisions that a golden set allows, and their cost."""

    dataset: str
    items: int
    primary: str
    measures: tuple[MeasurePlan, ...]
    usage: Usage | None = None
    """Usage of the latest run of this set that asked every question; None when there is none."""
    seconds: float | None = None
    remarks: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a measure."""
        names = ("measure", "role", "items", "clusters", "effective_clusters", "smallest_p", "level", "detectable")
        return frame(self.measures, (*names, "basis"))

    def _repr_html_(self) -> str:
        rows = [
            (m.measure, m.role, m.items, m.clusters, f"{m.effective_clusters:.1f}", m.smallest_p, m.level,
             show_effect(m.detectable), m.basis)
            for m in self.measures
        ]  # fmt: skip
        columns = ("Measure", "Role", "Items", "Clusters", "Effective", "Least p", "Level", "Detectable", "Spread from")
        return display.box(
            display.heading(f"{self.dataset}: {self.items} items, decided by {self.primary}"),
            display.table(columns, rows),
            *[display.paragraph(f"⚠ {remark}") for remark in self.remarks],
        )


def plan_study(
    golden: Golden,
    measures: Sequence[Measure],
    *,
    primary: str = "",
    alpha: float = ALPHA,
    runs: Sequence[EvalReport] = (),
    facts: RunFacts | None = None,
    discordance: float = DISCORDANCE,
    sd: float | None = None,
    icc: float = ICC_OF_DIFFERENCE,
) -> StudyPlan:
    """Return what ``golden`` can decide.

    >>> plan_study(load_golden("golden.json"), default_measures(5), primary="nugget_recall")  # doctest: +SKIP

    The spread of the differences comes from ``runs`` over the same set, the newest last: from the last two, else from
    the scores of the last, else it is assumed: the share of answers that change (``discordance``), or a standard
    deviation on the scale 0..1 (``sd``), alike within a cluster by ``icc``. ``facts`` are those of a run that
    asked every question: its cost is announced. Raises ``EvalError`` for a primary measure that cannot decide.
    """
    infos = [MeasureInfo(name=m.name, higher=m.higher, scale=m.scale) for m in measures]
    decides = choose_primary(infos, primary)
    pilots = [run for run in runs if run.dataset_sha256 == golden.sha256]
    secondary = [m for m in measures if m.name != decides and m.higher is not None]
    level_of_others = alpha / max(1, len(secondary))
    plans = []
    for m in measures:
        role: MeasureRole = "primary" if m.name == decides else "secondary" if m.higher is not None else "descriptive"
        level = alpha if role == "primary" else level_of_others
        plans.append(_plan_measure(golden, m, role, level, pilots if sd is None else (), _Spread(discordance, sd, icc)))
    plans.sort(key=lambda plan: plan.role != "primary")
    return StudyPlan(
        dataset=golden.name,
        items=len(golden.cases),
        primary=decides,
        measures=tuple(plans),
        usage=Usage.total(facts.usage.values()) if facts else None,
        seconds=facts.seconds if facts else None,
        remarks=_make_remarks(plans[0]),
    )


@dataclass(frozen=True)
class _Spread:
    """The assumed spread of the differences, on the scale 0..1."""

    discordance: float
    sd: float | None
    icc: float

    def detectable(self, design: ClusterDesign, level: float) -> float:
        """Return the smallest effect that is found four times in five; infinite when there is none."""
        if self.sd is not None:
            return design.detectable(design.planned_error(self.sd, self.icc), level, icc=self.icc)
        return _find_effect(tuple(sorted(design.sizes)), self.discordance, self.icc, level)


@lru_cache(maxsize=256)
def _find_effect(sizes: tuple[int, ...], discordance: float, icc: float, level: float) -> float:
    """Return the smallest effect among right-or-wrong answers, by simulating the test that decides.

    A formula would not do: where few answers change, the effect is most of the changes, and their spread shrinks.
    """
    design = ClusterDesign(sizes)
    if not design.can_decide(level) or _simulate_power(design, discordance, icc, level, discordance) < POWER:
        return math.inf
    low, high = 0.0, discordance
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _simulate_power(design, discordance, icc, level, middle) < POWER:
            low = middle
        else:
            high = middle
    return high


def _simulate_power(design: ClusterDesign, discordance: float, icc: float, level: float, effect: float) -> float:
    """Return how often the test finds ``effect``, where a share ``discordance`` of the answers changes.

    A cluster pulls some of its changes one way, so that differences are alike by ``icc``. Always the same draws.
    """
    import numpy as np

    n, sizes = design.n, np.asarray(design.sizes)
    codes, starts = np.repeat(np.arange(len(sizes)), sizes), np.concatenate(([0], np.cumsum(sizes)[:-1]))
    runs = max(200, min(SIMULATIONS, SIMULATED_ANSWERS // n))
    rng = np.random.default_rng(0)
    share_of_gains = 0.5 + effect / (2 * discordance)
    changes = rng.random((runs, n)) < discordance
    own, shared = rng.random((runs, n)) < share_of_gains, rng.random((runs, len(sizes))) < share_of_gains
    pulled = rng.random((runs, n)) < math.sqrt(min(1.0, icc / discordance)) * (sizes[codes] > 1)
    differences = changes * np.where(np.where(pulled, shared[:, codes], own), 1.0, -1.0)
    sums = np.add.reduceat(differences, starts, axis=1)
    return float(np.mean(find_gains(sums, sizes, level)))


def _plan_measure(
    golden: Golden,
    measure: Measure,
    role: MeasureRole,
    level: float,
    pilots: Sequence[EvalReport],
    spread: _Spread,
) -> MeasurePlan:
    design = ClusterDesign.of([case.group for case in golden.cases if measure.applies(case)])
    width = measure.scale[1] - measure.scale[0] if measure.scale else 1.0
    observed = _observe(measure.name, pilots, level)
    known: Basis = "two runs" if len(pilots) > 1 else "one run"
    return MeasurePlan(
        measure=measure.name,
        role=role,
        items=design.n,
        clusters=design.clusters,
        effective_clusters=design.effective_clusters,
        level=level,
        smallest_p=design.smallest_p(),
        detectable=observed.detectable if observed else spread.detectable(design, level) * width,
        basis=known if observed else "assumed",
    )


def _observe(name: str, pilots: Sequence[EvalReport], level: float) -> Difference | None:
    """Return the difference that pilots show: of two runs, or of one run's scores from their mean.

    Two systems of one quality whose scores are correlated by one half differ by as much as one of them varies.
    """
    if not pilots:
        return None
    last = {row.case_id: row for row in pilots[-1].rows if row.scores.get(name) is not None}
    if len(pilots) > 1:
        before = {row.case_id: row.scores.get(name) for row in pilots[-2].rows}
        pairs = [(row, before.get(case), row.scores[name]) for case, row in last.items()]
        scored = [(row, x, y) for row, x, y in pairs if x is not None and y is not None]
    else:
        scored = [(row, 0.0, value) for row in last.values() if (value := row.scores[name]) is not None]
    differs = len({y - x for _, x, y in scored}) > 1
    if not differs:
        return None
    found = compare_pairs(
        [x for _, x, _ in scored], [y for _, _, y in scored], [row.cluster for row, _, _ in scored], level
    )
    return found if math.isfinite(found.detectable) else None


def _make_remarks(primary: MeasurePlan) -> tuple[str, ...]:
    remarks = []
    if not primary.items:
        remarks.append(
            f"{primary.measure} is taken on no item of the set: name another measure by --primary (false_answers for "
            "questions that the documents do not answer)."
        )
        return tuple(remarks)
    if not primary.can_decide:
        remarks.append(
            f"Nothing can be decided: {count_noun(primary.clusters, 'cluster')} cannot reach a p-value below "
            f"{primary.smallest_p:.3f}. Add questions about other documents."
        )
    if primary.effective_clusters < FEW_CLUSTERS:
        remarks.append(
            f"{count_noun(primary.items, 'item')} in {count_noun(primary.clusters, 'cluster')}, counted as "
            f"{primary.effective_clusters:.1f}: a result hangs on a few documents."
        )
    return tuple(remarks)
