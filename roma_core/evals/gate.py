"""The gate: no significant regression against a pinned baseline, counted from the rows.

Means that leave failures out cannot be used to decide: a system that fails on every hard question would look better
for it. Here an error or an unscored row counts as the worst score of its measure. The baseline holds each case's score,
so that a run is compared case by case and passes the gate that was pinned on itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, computed_field

from roma_core import display
from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.judge.model import JUDGE, PASS_GRADE
from roma_core.evals.report.record import EvalReport, MeasureInfo
from roma_core.evals.stats.inference import ALPHA, Difference, Interval, compare_pairs, holm_levels, interval
from roma_core.types import Noun
from roma_core.workspace import replace_file

PASSED = "passed"
"""Name of the share of all cases with a judge's grade of at least ``PASS_GRADE``; a floor may be set for it."""


REFERENCE = "reference"
"""Name of the share of all cases that the reference judge passes; a floor may be set for it."""
_REFERENCE_NEEDS = {"nugget_recall": 1.0, "false_answers": 0.0, "contradicted": 0.0, "citation_validity": 1.0}
"""Least value that the reference judge asks of each of these measures where it applies."""
_SHARES = frozenset({PASSED, REFERENCE})


class Baseline(Noun):
    """A run that later ones must not be significantly worse than, and floors for the lower bounds of theirs."""

    dataset: str
    dataset_sha256: str
    run_id: str = ""
    measures: tuple[MeasureInfo, ...] = ()
    clusters: dict[str, str] = Field(default_factory=dict)
    """Cluster of each case."""
    scores: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By measure and case, where unscored counts as the worst score."""
    floors: dict[str, float] = Field(default_factory=dict)
    """By measure: what the 95 % lower bound must reach (the upper one, where lower is better)."""
    max_errors: int = 0

    def mean(self, measure: str) -> float:
        """Return the pinned mean of a measure."""
        scores = self.scores[measure]
        return math.fsum(scores.values()) / len(scores)


class GateRule(Noun):
    """One thing that was required, and what the run shows."""

    name: str
    kind: Literal["regression", "floor", "errors"]
    required: float
    seen: float
    passed: bool
    detail: str = ""

    def describe(self) -> str:
        """Return the rule in words."""
        return f"{self.name} is {self.seen:.3f}, {_REQUIRED[self.kind]} {self.required:.3f}{self.detail}"


_REQUIRED = {"regression": "significantly worse than the pinned", "floor": "required", "errors": "at most"}


class GateResult(Noun):
    """All rules; ``passed`` when each one is."""

    rules: tuple[GateRule, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """True when every rule holds."""
        return all(rule.passed for rule in self.rules)

    @property
    def missed(self) -> str:
        """The rules that do not hold, in words; empty when all do."""
        return "; ".join(rule.describe() for rule in self.rules if not rule.passed)

    def require(self) -> None:
        """Raise ``EvalError`` with ``ERR_EVAL_GATE`` that names what was missed."""
        if not self.passed:
            raise EvalError(f"The gate is closed: {self.missed}.", ErrorCode.EVAL_GATE)

    def _repr_html_(self) -> str:
        rows = [
            (r.name, r.kind, r.required, r.seen, r.detail, display.state("ok" if r.passed else "failed"))
            for r in self.rules
        ]
        return display.box(display.table(("Measure", "Rule", "Required", "Seen", "", "State"), rows))


def load_baseline(path: Path) -> Baseline:
    """Return the baseline in a file. Raises ``EvalError``."""
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvalError(
            f"{path} does not hold a baseline ({type(error).__name__}); `roma gate pin RUN` makes one.",
            ErrorCode.EVAL_GATE,
        ) from None


def check_gate(report: EvalReport, baseline: Baseline, alpha: float = ALPHA) -> GateResult:
    """Return whether a run may go out.

    A measure fails when the run is significantly worse than the baseline, case by case, corrected for the number of
    measures; or when the lower bound of its interval is under its floor. Raises ``EvalError`` when the baseline was
    pinned for other questions, or when a pinned measure was not taken.
    """
    if report.dataset_sha256 != baseline.dataset_sha256:
        raise EvalError(
            f"The baseline belongs to another version of {report.dataset}; pin a new one on purpose.",
            ErrorCode.EVAL_GATE,
        )
    taken = {info.name for info in report.measures}
    wanted = {*baseline.scores, *(name for name in baseline.floors if name not in _SHARES)}
    if REFERENCE in baseline.floors:
        wanted.add("nugget_recall")
    if unknown := sorted(wanted - taken):
        raise EvalError(f"Pinned measures were not taken: {', '.join(unknown)}.", ErrorCode.EVAL_GATE)
    errors = GateRule(
        name="errors",
        kind="errors",
        required=baseline.max_errors,
        seen=report.errors,
        passed=report.errors <= baseline.max_errors,
    )
    return GateResult(rules=(*_check_regressions(report, baseline, alpha), *_check_floors(report, baseline), errors))


def _check_regressions(report: EvalReport, baseline: Baseline, alpha: float) -> list[GateRule]:
    infos = [info for info in report.measures if info.name in baseline.scores]
    first = [_compare(report, baseline, info, alpha) for info in infos]
    levels = holm_levels([difference.p_value for difference in first], alpha)
    rules = []
    for info, level in zip(infos, levels, strict=True):
        difference = _compare(report, baseline, info, level)
        regressed = difference.high < 0 if info.higher else difference.low > 0
        detail = f" ({difference.low:+.3f} to {difference.high:+.3f})"
        pinned = baseline.mean(info.name)
        rules.append(
            GateRule(
                name=info.name,
                kind="regression",
                required=pinned,
                seen=pinned + difference.mean,
                passed=not regressed,
                detail=detail,
            )
        )
    return rules


def _compare(report: EvalReport, baseline: Baseline, info: MeasureInfo, alpha: float) -> Difference:
    """Return run minus baseline over the pinned cases; one that the run has no score for is the worst."""
    pinned, worst = baseline.scores[info.name], worst_score(info)
    seen = strict_scores(report, info)
    after = [seen.get(case, worst) for case in pinned]
    clusters = [baseline.clusters.get(case, case) for case in pinned]
    return compare_pairs(list(pinned.values()), after, clusters, alpha, info.scale)


def _check_floors(report: EvalReport, baseline: Baseline) -> list[GateRule]:
    infos = {info.name: info for info in report.measures}
    rules = []
    for name, floor in baseline.floors.items():
        info = infos.get(name)
        found = _share(name, report) if info is None else _strict_interval(report, info)
        lower_is_better = info is not None and info.higher is False
        seen = found.high if lower_is_better else found.low
        passed = seen <= floor if lower_is_better else seen >= floor
        bound = "upper" if lower_is_better else "lower"
        rules.append(GateRule(name=f"{bound} bound of {name}", kind="floor", required=floor, seen=seen, passed=passed))
    return rules


def _share(name: str, report: EvalReport) -> Interval:
    return reference_rate(report) if name == REFERENCE else pass_rate(report)


def reference_rate(report: EvalReport) -> Interval:
    """Return the share of all cases that the reference judge passes; it is deterministic and asks no model.

    An answer passes when it states every vital fact, is not contradicted by its own citations, and each of them is
    proven; a question without an answer passes when none is given. What could not be scored does not pass.
    """
    passed = [float(_is_right(row.scores)) for row in report.rows]
    return interval(passed, [row.cluster for row in report.rows])


def _is_right(scores: Mapping[str, float | None]) -> bool:
    if "nugget_recall" not in scores and "false_answers" not in scores:
        return False
    return all(scores[name] == needed for name, needed in _REFERENCE_NEEDS.items() if name in scores)


def worst_score(info: MeasureInfo) -> float:
    """Return the worst score of a measure. Raises ``EvalError`` for one that has none."""
    if info.scale is None or info.higher is None:
        raise EvalError(f"{info.name} has no worst score, so it cannot be gated.", ErrorCode.EVAL_GATE)
    return info.scale[0] if info.higher else info.scale[1]


def strict_scores(report: EvalReport, info: MeasureInfo) -> dict[str, float]:
    """Return the score of each case that the measure applies to, where unscored is the worst."""
    worst = worst_score(info)
    return {
        row.case_id: worst if (value := row.scores[info.name]) is None else value
        for row in report.rows
        if info.name in row.scores
    }


def _strict_interval(report: EvalReport, info: MeasureInfo) -> Interval:
    scores, clusters = strict_scores(report, info), {row.case_id: row.cluster for row in report.rows}
    return interval(list(scores.values()), [clusters[case] for case in scores], info.scale)


def pass_rate(report: EvalReport, measure: str = JUDGE, grade: float = PASS_GRADE) -> Interval:
    """Return the share of all rows with a readable grade that is high enough; errors do not pass."""
    passed = [float((row.scores.get(measure) or 0.0) >= grade) for row in report.rows]
    return interval(passed, [row.cluster for row in report.rows])


def pin_baseline(report: EvalReport, old: Baseline | None = None, *, lower: bool = False) -> Baseline:
    """Return the baseline that a run makes. Floors stay as they are.

    A mean that is lower than the pinned one for the same questions needs ``lower=True``, and a line in the changelog.
    Raises ``EvalError``, also for a run with answers that are not its own.
    """
    if not report.is_whole:
        raise EvalError(
            f"Run {report.run_id} has answers that failed or are not its own; a baseline is pinned on a whole run.",
            ErrorCode.EVAL_GATE,
        )
    same_questions = old is not None and old.dataset_sha256 == report.dataset_sha256
    if old is not None and same_questions and not lower:
        _require_no_loss(report, old)
    gated = [info for info in report.measures if info.scale and info.higher is not None]
    scores = {info.name: strict_scores(report, info) for info in gated}
    return Baseline(
        dataset=report.dataset,
        dataset_sha256=report.dataset_sha256,
        run_id=report.run_id,
        measures=tuple(info for info in gated if scores[info.name]),
        clusters={row.case_id: row.cluster for row in report.rows},
        scores={name: values for name, values in scores.items() if values},
        floors=old.floors if old else {},
        max_errors=report.errors,
    )


def _require_no_loss(report: EvalReport, old: Baseline) -> None:
    infos = {info.name: info for info in report.measures}
    lost = []
    for name in old.scores:
        if name not in infos:
            lost.append(f"{name} was not taken")
            continue
        change = _compare(report, old, infos[name], ALPHA).mean
        if (change < 0) if infos[name].higher else (change > 0):
            lost.append(f"{name} {old.mean(name):.3f} -> {old.mean(name) + change:.3f}")
    if lost:
        raise EvalError(
            f"This would lower the baseline ({'; '.join(lost)}). If that is meant, pin with --lower and say so in the "
            "changelog.",
            ErrorCode.EVAL_GATE,
        )


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline as JSON with sorted keys."""
    data = baseline.model_dump(mode="json")
    replace_file(path, json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
