"""Is a decision of ``compare()`` as rare, and as likely, as it promises? Monte Carlo through the public call.

Each run is two whole reports over the same cases. Under the null the systems differ by chance alone: a decision is
false. Under the effect that ``plan_study`` announced the decision must come four times in five. The spread of the
differences is known to the plan, as from a pilot without error.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_core.evals import Comparison, Decision, EvalReport, EvalRow, Golden, GoldenCase, compare, plan_study
from roma_core.evals.measures import default_measures
from roma_core.evals.measures.answers import nugget_recall
from roma_core.evals.report.record import MeasureInfo
from roma_core.evals.stats.inference import FEW_CLUSTERS, ClusterDesign

DESIGNS: dict[str, tuple[int, ...]] = {
    "100 x 1": (1,) * 100,
    "20 x 5": (5,) * 20,
    "10 x 10": (10,) * 10,
    "40 x 5": (5,) * 40,
    "half in one": (50, *(1,) * 50),
}
"""Sizes of the clusters: questions about each document."""
KINDS = ("binary", "graded", "90 % ties")
CHANGING = {"binary": 0.4, "90 % ties": 0.1}
"""Share of the cases whose score differs between the systems."""
RUNS, POWER_RUNS = 4000, 2000
BLOCK = 250
"""Runs whose scores are drawn at once."""
SPREAD_DRAWS = 4000
Z = 1.96
PRIMARY = "nugget_recall"
MOVING = (PRIMARY, "nugget_f", "support", "cited", "answered")
"""Measures that differ between the systems, each by chance of its own; in all other default ones nothing moves."""
INFOS = [MeasureInfo(name=m.name, higher=m.higher, scale=m.scale) for m in default_measures(5)]
FEW = "hangs on a few documents"
NOTE = (
    "False decision: the primary measure is called better or worse though the systems differ by chance alone (to: "
    "upper end of the Monte-Carlo 95 % interval). Any other: one of the other measures is, after correction. Coverage: "
    "the interval holds the true difference, without one / at the announced effect. Power: decisions at the effect "
    "that the plan announced for four in five. Warned: share of the comparisons that warn of few documents. "
    "Differences within a document are alike (intra-class correlation 0.2) unless each has one question."
)


@dataclass(frozen=True)
class CellResult:
    """Shares over the runs of one cell."""

    runs: int
    false_decisions: float
    false_in_others: float
    coverage: float
    warned: float
    announced: float
    power: float
    coverage_of_effect: float

    @property
    def upper_limit(self) -> float:
        """Upper end of the Monte-Carlo interval of the false decisions."""
        p = self.false_decisions
        return p + Z * math.sqrt(max(p * (1 - p), 1e-6) / self.runs)


class Simulation:
    """Two systems over one design: pairs of scores whose differences have a known spread."""

    def __init__(self, sizes: Sequence[int], kind: str, seed: int) -> None:
        self.sizes, self.kind = sizes, kind
        self.codes = np.repeat(np.arange(len(sizes)), sizes)
        self.alike = 0.0 if max(sizes) == 1 else 0.2
        self.rng = np.random.default_rng(seed)

    def draw(self, runs: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return scores of A and B in 0..1, one row a run, whose mean difference is ``shift``."""
        shape, documents = (runs, len(self.codes)), (runs, len(self.sizes))
        if self.kind == "graded":
            shared = self.rng.normal(0, 1, documents)[:, self.codes] * math.sqrt(self.alike)
            own = self.rng.normal(0, 1, shape) * math.sqrt(1 - self.alike)
            difference = np.clip(np.round(4 * (0.35 * (shared + own))) / 4, -1, 1)
            a = np.where(difference > 0, 0.0, 1.0)
            return a, a + difference + shift
        changing = CHANGING[self.kind]
        changes = self.rng.random(shape) < changing
        gain = self.rng.random(shape) < _share_of_gains(shift, changing)
        if self.alike:
            # A document pulls its questions one way, either way as likely, so that the mean stays.
            pulled = self.rng.random(shape) < math.sqrt(self.alike)
            direction = (self.rng.random(documents) < _share_of_gains(shift, changing))[:, self.codes]
            gain = np.where(pulled, direction, gain)
        a = np.where(gain, 0.0, 1.0)
        return a, np.where(changes, 1 - a, a)


def _share_of_gains(shift: float, changing: float) -> float:
    """Return the share of the changes that are gains, for a mean difference of ``shift``."""
    return 0.5 + shift / (2 * changing)


def make_report(codes: Sequence[int], fingerprint: str) -> EvalReport:
    """Return a report over cases of these clusters with the same score everywhere."""
    rows = [
        EvalRow.model_construct(
            case_id=f"q{i}",
            question="?",
            kind="single",
            persona="general",
            cluster=f"d{code}",
            scores=dict.fromkeys([info.name for info in INFOS], 0.5),
        )
        for i, code in enumerate(codes)
    ]
    fields: dict[str, Any] = {"measures": tuple(INFOS), "rows": tuple(rows), "fingerprint": fingerprint}
    return EvalReport.model_construct(dataset="simulated", dataset_sha256="s", **fields)


def compare_runs(simulation: Simulation, runs: int, shift: float = 0.0) -> Iterator[Comparison]:
    """Compare ``runs`` pairs of reports that differ by ``shift`` in the primary measure, and by chance in others.

    The two reports are filled with new scores for each run: making a hundred rows takes longer than to compare them.
    """
    codes = simulation.codes.tolist()
    a, b = make_report(codes, "a"), make_report(codes, "b")
    with _frozen_garbage():
        for begin in range(0, runs, BLOCK):
            size = min(BLOCK, runs - begin)
            draws = {name: simulation.draw(size, shift if name == PRIMARY else 0.0) for name in MOVING}
            for run in range(size):
                for name, (first, second) in draws.items():
                    _fill(a, name, first[run])
                    _fill(b, name, second[run])
                yield compare(a, b, primary=PRIMARY)


@contextmanager
def _frozen_garbage() -> Iterator[None]:
    """Leave everything that was imported out of the garbage collector's rounds: three times as quick."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _fill(report: EvalReport, measure: str, scores: np.ndarray) -> None:
    for row, score in zip(report.rows, scores.tolist(), strict=True):
        row.scores[measure] = score


def spread_of(simulation: Simulation) -> tuple[float, float]:
    """Return the standard deviation of a difference and its correlation within a document, by brute force."""
    a, b = simulation.draw(SPREAD_DRAWS)
    differences = b - a
    variance = float(differences.var())
    if not simulation.alike:
        return math.sqrt(variance), 0.0
    inside = simulation.codes == int(np.argmax(simulation.sizes))
    members = differences[:, inside]
    size = members.shape[1]
    between = float(members.sum(axis=1).var())
    return math.sqrt(variance), (between / (size * variance) - 1) / (size - 1)


def announced_effect(simulation: Simulation) -> float:
    """Return the effect that the plan says is found four times in five."""
    cases = tuple(
        GoldenCase.model_validate(
            {
                "id": f"q{i}",
                "question": "?",
                "kind": "single",
                "nuggets": [{"fact": "x"}],
                "evidence": [{"uri": f"d{code}"}],
            }
        )
        for i, code in enumerate(simulation.codes)
    )
    sd, icc = spread_of(simulation)
    spread: dict[str, Any] = {"sd": sd} if simulation.kind == "graded" else {"discordance": CHANGING[simulation.kind]}
    plan = plan_study(Golden(name="simulated", cases=cases), [nugget_recall], primary=PRIMARY, icc=icc, **spread)
    return plan.measures[0].detectable


def run_cell(
    sizes: Sequence[int], kind: str, runs: int = RUNS, power_runs: int = POWER_RUNS, seed: int = 1
) -> CellResult:
    """Return how ``compare()`` decides over ``runs`` pairs of reports of one design, ``power_runs`` with an effect."""
    simulation = Simulation(sizes, kind, seed)
    false = others = covered = warned = 0
    for comparison in compare_runs(simulation, runs):
        decided = {m.measure: m.decision in {Decision.BETTER, Decision.WORSE} for m in comparison.measures}
        false += decided.pop(PRIMARY)
        others += any(decided.values())
        covered += _holds(comparison, 0.0)
        warned += any(FEW in remark for remark in comparison.remarks)
    effect = announced_effect(simulation) if power_runs else math.nan
    reachable = effect <= CHANGING.get(kind, 1.0)
    found = covered_effect = 0
    for comparison in compare_runs(simulation, power_runs if reachable else 0, effect):
        found += comparison.decision is Decision.BETTER
        covered_effect += _holds(comparison, effect)
    return CellResult(
        runs=runs,
        false_decisions=false / runs,
        false_in_others=others / runs,
        coverage=covered / runs,
        warned=warned / runs,
        announced=effect,
        power=found / power_runs if reachable else math.nan,
        coverage_of_effect=covered_effect / power_runs if reachable else math.nan,
    )


def _holds(comparison: Comparison, truth: float) -> bool:
    difference = comparison.of(PRIMARY).difference
    return difference.low <= truth <= difference.high


def _show(share: float) -> str:
    return f"{share:.3f}" if math.isfinite(share) else "–"


def measure_cell(design: str, kind: str) -> dict[str, str]:
    """Return a row of the table."""
    effective = ClusterDesign(DESIGNS[design]).effective_clusters
    cell = run_cell(DESIGNS[design], kind)
    return {
        "design": design,
        "effective clusters": f"{effective:.1f}" + (" (few)" if effective < FEW_CLUSTERS else ""),
        "scores": kind,
        "false decisions": f"{cell.false_decisions:.3f} (to {cell.upper_limit:.3f})",
        "any other": _show(cell.false_in_others),
        "coverage": f"{_show(cell.coverage)} / {_show(cell.coverage_of_effect)}",
        "announced effect": _show(cell.announced) if math.isfinite(cell.announced) else "none",
        "power": _show(cell.power),
        "warned": f"{cell.warned:.0%}",
    }


def write_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Write the table among the benchmarks."""
    from bench import report

    title = f"Decisions of compare(): {RUNS} runs a cell, {POWER_RUNS} with the announced effect"
    report.write("soak_compare", title, rows, NOTE, ["numpy", "scipy"])


def main() -> None:
    rows = []
    for design in DESIGNS:
        for kind in KINDS:
            rows.append(measure_cell(design, kind))
            print(rows[-1], flush=True)
    write_rows(rows)
