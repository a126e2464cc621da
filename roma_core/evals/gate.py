"""May this go out? Floors pinned beside a golden set, counted from the rows: a failed case is a failed case.

Means that leave failures out cannot be used to decide: a system that fails on every hard question would look better
for it. Here an error or an unscored row counts as the worst score of its measure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError, computed_field

from roma_core import display
from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.judge.model import PASS_GRADE
from roma_core.evals.report.record import EvalReport, MeasureInfo
from roma_core.types import Noun


class Floors(Noun):
    """What a run must reach. ``measures`` are means (a ceiling where lower is better), ``passed`` a share of grades."""

    dataset_sha256: str
    measures: dict[str, float] = Field(default_factory=dict)
    passed: float | None = None
    """Least share of cases with a judge's grade of at least ``PASS_GRADE``."""
    max_errors: int = 0


class GateRule(Noun):
    """One thing that was required and what was seen."""

    name: str
    required: float
    seen: float
    passed: bool


class GateResult(Noun):
    """All rules; ``passed`` when each one is."""

    rules: tuple[GateRule, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        return all(rule.passed for rule in self.rules)

    @property
    def missed(self) -> str:
        """The rules that do not hold, in words; empty when all do."""
        return "; ".join(f"{r.name} is {r.seen:.3f}, required {r.required:.3f}" for r in self.rules if not r.passed)

    def require(self) -> None:
        """Raises ``EvalError`` with ``ERR_EVAL_GATE`` that names what was missed."""
        if not self.passed:
            raise EvalError(f"The gate is closed: {self.missed}.", ErrorCode.EVAL_GATE)

    def _repr_html_(self) -> str:
        rows = [(r.name, r.required, r.seen, display.state("ok" if r.passed else "failed")) for r in self.rules]
        return display.box(display.table(("Rule", "Required", "Seen", "State"), rows))


def load_floors(path: Path) -> Floors:
    """Read pinned floors. Raises ``EvalError``."""
    try:
        return Floors.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvalError(f"{path} does not hold floors ({type(error).__name__}).", ErrorCode.EVAL_GATE) from None


def check(report: EvalReport, floors: Floors) -> GateResult:
    """Hold a report against its floors. Raises ``EvalError`` when they were pinned for other questions."""
    if report.dataset_sha256 != floors.dataset_sha256:
        raise EvalError(
            f"The floors belong to another version of {report.dataset}; pin them anew on purpose.", ErrorCode.EVAL_GATE
        )
    infos = {m.name: m for m in report.measures}
    if unknown := sorted(set(floors.measures) - set(infos)):
        raise EvalError(
            f"There are floors for measures that were not taken: {', '.join(unknown)}.", ErrorCode.EVAL_GATE
        )
    rules = [_rule(infos[name], strict_mean(report, infos[name]), floor) for name, floor in floors.measures.items()]
    if floors.passed is not None:
        seen = pass_rate(report)
        rules.append(GateRule(name="passed", required=floors.passed, seen=seen, passed=seen >= floors.passed))
    errors = GateRule(
        name="errors", required=floors.max_errors, seen=report.errors, passed=report.errors <= floors.max_errors
    )
    return GateResult(rules=(*rules, errors))


def _rule(info: MeasureInfo, seen: float, floor: float) -> GateRule:
    return GateRule(name=info.name, required=floor, seen=seen, passed=seen >= floor if info.higher else seen <= floor)


def strict_mean(report: EvalReport, info: MeasureInfo) -> float:
    """Mean over the rows that the measure applies to, where unscored counts as the worst score."""
    worst = _worst_score(info)
    values = [row.scores[info.name] for row in report.rows if info.name in row.scores]
    return _mean([worst if v is None else v for v in values], empty=worst)


def _worst_score(info: MeasureInfo) -> float:
    if info.scale is None or info.higher is None:
        raise EvalError(f"{info.name} has no worst score, so no floor can hold it.", ErrorCode.EVAL_GATE)
    return info.scale[0] if info.higher else info.scale[1]


def pass_rate(report: EvalReport, measure: str = "judge", grade: float = PASS_GRADE) -> float:
    """Share of all rows whose grade is readable and high enough; errors and unreadable grades have not passed."""
    return _mean([float((row.scores.get(measure) or 0.0) >= grade) for row in report.rows], empty=0.0)


def _mean(values: Sequence[float], empty: float) -> float:
    return sum(values) / len(values) if values else empty


def pin(report: EvalReport, old: Floors | None, slack: float = 0.0) -> Floors:
    """Floors at what the report reached, less ``slack``. A floor for the same questions is never lowered.

    Raises ``EvalError`` when the report is below one of the old floors.
    """
    if old is not None and old.dataset_sha256 == report.dataset_sha256:
        check(report, old).require()
    measures = {}
    for info in report.measures:
        if info.scale and info.higher is not None and any(info.name in row.scores for row in report.rows):
            seen = strict_mean(report, info)
            measures[info.name] = round(seen - slack if info.higher else seen + slack, 6)
    return Floors(dataset_sha256=report.dataset_sha256, measures=measures, max_errors=report.errors)


def write_floors(floors: Floors, path: Path) -> None:
    """Write floors as JSON with sorted keys."""
    path.write_text(json.dumps(floors.model_dump(mode="json"), indent=1, sort_keys=True) + "\n", encoding="utf-8")
