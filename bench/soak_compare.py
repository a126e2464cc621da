"""Is a decision of ``compare()`` as rare, and as likely, as it promises? Monte Carlo through the public call.

Each run is two whole reports over the same cases. Under the null the systems differ by chance alone: a decision is
false. Under the effect that ``plan_study`` announced the decision must come four times in five. The spread of the
differences is known to the plan, as from a pilot without error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_core.evals import Decision, EvalReport, EvalRow, Golden, GoldenCase, compare, plan_study
from roma_core.evals.measures import default_measures
from roma_core.evals.measures.answers import nugget_recall
from roma_core.evals.report.record import MeasureInfo

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
RUNS, POWER_RUNS = 4000, 1000
Z = 1.96
MOVING = ("nugget_recall", "cited", "answered")
TIED = ("R@5", "citation_validity")
"""Two measures in which nothing moves stand for all: they are in no family that is corrected for."""
INFOS = [
    MeasureInfo(name=m.name, higher=m.higher, scale=m.scale) for m in default_measures(5) if m.name in {*MOVING, *TIED}
]
NOTE = (
    "False decision: the primary measure is called better or worse though the systems differ by chance alone (to: "
    "upper end of the Monte-Carlo 95 % interval). Any: one of the other measures is, after correction. Coverage: the "
    "interval holds the true difference. Power: decisions at the effect that the plan announced for four in five. "
    "Differences within a document are alike (intra-class correlation 0.2) unless each has one question."
)


@dataclass(frozen=True)
class CellResult:
    """Shares over the runs of one cell."""

    runs: int
    false_decisions: float
    false_in_others: float
    coverage: float
    announced: float
    power: float

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

    def pair(self, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return scores of A and B in 0..1 whose mean difference is ``shift``."""
        n = len(self.codes)
        shared = self.rng.normal(0, 1, len(self.sizes))[self.codes] * math.sqrt(self.alike)
        own = self.rng.normal(0, 1, n) * math.sqrt(1 - self.alike)
        if self.kind == "graded":
            difference = np.clip(np.round(4 * (0.35 * (shared + own))) / 4, -1, 1)
            a = np.where(difference > 0, 0.0, 1.0)
            return a, a + difference + shift
        changing = CHANGING[self.kind]
        changes = self.rng.random(n) < changing
        gain = self.rng.random(n) < _share_of_gains(shift, changing)
        if self.alike:
            # A document pulls its questions one way, either way as likely, so that the mean stays.
            pulled = self.rng.random(n) < math.sqrt(self.alike)
            direction = (self.rng.random(len(self.sizes)) < _share_of_gains(shift, changing))[self.codes]
            gain = np.where(pulled, direction, gain)
        a = np.where(gain, 0.0, 1.0)
        return a, np.where(changes, 1 - a, a)


def _share_of_gains(shift: float, changing: float) -> float:
    """Return the share of the changes that are gains, for a mean difference of ``shift``."""
    return 0.5 + shift / (2 * changing)


def make_report(simulation: Simulation, scores: dict[str, np.ndarray], fingerprint: str) -> EvalReport:
    """Return a report of these scores; measures without any are the same everywhere."""
    rows = []
    for i, code in enumerate(simulation.codes):
        held = {info.name: 0.5 for info in INFOS} | {name: float(values[i]) for name, values in scores.items()}
        rows.append(
            EvalRow.model_construct(
                case_id=f"q{i}", question="?", kind="single", persona="general", cluster=f"d{code}", scores=held
            )
        )
    fields: dict[str, Any] = {"measures": tuple(INFOS), "rows": tuple(rows), "fingerprint": fingerprint}
    return EvalReport.model_construct(dataset="simulated", dataset_sha256="s", **fields)


def run_pair(simulation: Simulation, shift: float = 0.0) -> tuple[EvalReport, EvalReport]:
    """Return two reports that differ by ``shift`` in the primary measure, and by chance in others."""
    pairs = {name: simulation.pair(shift if name == MOVING[0] else 0.0) for name in MOVING}
    a = make_report(simulation, {name: pair[0] for name, pair in pairs.items()}, "a")
    return a, make_report(simulation, {name: pair[1] for name, pair in pairs.items()}, "b")


def spread_of(simulation: Simulation) -> tuple[float, float]:
    """Return the standard deviation of a difference and its correlation within a document, by brute force."""
    draws = [simulation.pair() for _ in range(4000)]
    differences = np.array([b - a for a, b in draws])
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
    spread = {"sd": sd} if simulation.kind == "graded" else {"discordance": CHANGING[simulation.kind]}
    plan = plan_study(Golden(name="simulated", cases=cases), [nugget_recall], primary=MOVING[0], icc=icc, **spread)
    return plan.measures[0].detectable


def run_cell(
    sizes: Sequence[int], kind: str, runs: int = RUNS, power_runs: int = POWER_RUNS, seed: int = 1
) -> CellResult:
    """Return how ``compare()`` decides over ``runs`` pairs of reports of one design, ``power_runs`` with an effect."""
    simulation = Simulation(sizes, kind, seed)
    false = others = covered = 0
    for _ in range(runs):
        comparison = compare(*run_pair(simulation), primary=MOVING[0])
        decided = {m.measure: m.decision in {Decision.BETTER, Decision.WORSE} for m in comparison.measures}
        false += decided.pop(MOVING[0])
        others += any(decided.values())
        difference = comparison.of(MOVING[0]).difference
        covered += difference.low <= 0 <= difference.high
    effect = announced_effect(simulation)
    reachable = bool(power_runs) and effect <= CHANGING.get(kind, 1.0)
    found = 0
    for _ in range(power_runs if reachable else 0):
        found += compare(*run_pair(simulation, effect), primary=MOVING[0]).decision is Decision.BETTER
    power = found / power_runs if reachable else math.nan
    return CellResult(runs, false / runs, others / runs, covered / runs, effect, power)


def main() -> None:
    from bench import report

    rows = []
    for design, sizes in DESIGNS.items():
        for kind in KINDS:
            cell = run_cell(sizes, kind)
            rows.append(
                {
                    "design": design,
                    "scores": kind,
                    "false decisions": f"{cell.false_decisions:.3f} (to {cell.upper_limit:.3f})",
                    "any other": f"{cell.false_in_others:.3f}",
                    "coverage": f"{cell.coverage:.3f}",
                    "announced effect": f"{cell.announced:.3f}",
                    "power": f"{cell.power:.3f}" if math.isfinite(cell.power) else "more than can change",
                }
            )
            print(rows[-1], flush=True)
    title = f"Decisions of compare(): {RUNS} runs a cell, {POWER_RUNS} for the power"
    report.write("soak_compare", title, rows, NOTE, ["numpy", "scipy"])
