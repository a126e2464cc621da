"""Is B better than A? Two runs over the same cases, case by case."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import computed_field

from roma_core import display
from roma_core.errors import EvalError
from roma_core.evals.report.record import EvalReport, MeasureInfo, words_an_answer
from roma_core.evals.stats.inference import Difference, holm, paired
from roma_core.types import Noun, frame

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05


class MeasureComparison(Noun):
    """B minus A in one measure. ``unscored`` cases have no score in one of the runs and are left out."""

    measure: str
    higher: bool | None
    a: float
    b: float
    difference: Difference
    adjusted_p: float
    """P-value corrected for the number of measures compared (Holm)."""
    wins: int
    losses: int
    ties: int
    unscored: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """``better`` or ``worse``; ``undecided`` when the adjusted p-value is not below 5 %; ``same`` when all tie."""
        if not self.wins and not self.losses:
            return "same"
        if not self.adjusted_p < ALPHA or self.difference.mean == 0:
            return "undecided"
        if self.higher is None:
            return "different"
        return "better" if (self.difference.mean > 0) == self.higher else "worse"


class Comparison(Noun):
    """B against A over the cases of both."""

    a: str
    b: str
    dataset: str
    cases: int
    measures: tuple[MeasureComparison, ...]
    words: tuple[float, float]
    """Mean length of the answers of A and of B over these cases: a longer answer states more facts by chance."""
    changed: dict[str, tuple[str, str]]
    """Settings and prompts that differ: value in A, value in B."""

    def to_frame(self) -> pd.DataFrame:
        """One row a measure."""
        plain = frame(self.measures, ("measure", "a", "b", "adjusted_p", "wins", "losses", "ties", "unscored"))
        for name in ("mean", "low", "high", "p_value", "detectable"):
            plain[name] = [getattr(m.difference, name) for m in self.measures]
        plain["verdict"] = [m.verdict for m in self.measures]
        return plain

    def _repr_html_(self) -> str:
        rows = [
            (m.measure, m.a, m.b, *m.difference.shown, m.adjusted_p, f"{m.wins}/{m.losses}/{m.ties}", m.verdict)
            for m in self.measures
        ]
        columns = ("Measure", "A", "B", "B - A", "95 % interval", "Detectable", "p (Holm)", "Won/lost/tied", "B is")
        changed = [(name, *values) for name, values in self.changed.items()]
        return display.box(
            display.heading(f"{self.dataset}: run {self.b} (B) against run {self.a} (A), {self.cases} cases"),
            display.table(columns, rows),
            display.paragraph(f"Words an answer: {self.words[0]:.0f} in A, {self.words[1]:.0f} in B."),
            display.table(("What changed", "A", "B"), changed) if changed else "",
        )


def compare(a: EvalReport, b: EvalReport, seed: int = 0) -> Comparison:
    """Paired comparison. Raises ``EvalError`` when the runs share no case or ask it differently."""
    first, second = ({row.case_id: row for row in report.rows} for report in (a, b))
    shared = [case for case in first if case in second]
    if not shared:
        raise EvalError("The two runs have no case in common; compare runs over the same dataset.")
    if moved := [case for case in shared if first[case].question != second[case].question]:
        raise EvalError(f"The two runs ask different questions under the same id: {', '.join(moved[:5])}.")
    names = {m.name for m in b.measures}
    found = [_measure(m, a, b, shared, seed) for m in a.measures if m.name in names]
    compared = [m for m in found if m is not None]
    adjusted = holm([m.difference.p_value for m in compared])
    measures = (m.model_copy(update={"adjusted_p": p}) for m, p in zip(compared, adjusted, strict=True))
    return Comparison(
        a=a.run_id,
        b=b.run_id,
        dataset=b.dataset,
        cases=len(shared),
        measures=tuple(measures),
        words=(words_an_answer(first[case] for case in shared), words_an_answer(second[case] for case in shared)),
        changed=changes(a, b),
    )


def _measure(info: MeasureInfo, a: EvalReport, b: EvalReport, cases: list[str], seed: int) -> MeasureComparison | None:
    clusters = {row.case_id: row.cluster for row in a.rows}
    scores = [{row.case_id: row.scores for row in report.rows} for report in (a, b)]
    held = [case for case in cases if all(info.name in s[case] for s in scores)]
    pairs = [(case, scores[0][case][info.name], scores[1][case][info.name]) for case in held]
    scored = [(case, x, y) for case, x, y in pairs if x is not None and y is not None]
    if not scored:
        return None
    before, after = [x for _, x, _ in scored], [y for _, _, y in scored]
    gains = [x - y if info.higher is False else y - x for _, x, y in scored]
    return MeasureComparison(
        measure=info.name,
        higher=info.higher,
        a=math.fsum(before) / len(before),
        b=math.fsum(after) / len(after),
        difference=paired(before, after, [clusters[case] for case, _, _ in scored], seed),
        adjusted_p=1.0,
        wins=sum(g > 0 for g in gains),
        losses=sum(g < 0 for g in gains),
        ties=sum(g == 0 for g in gains),
        unscored=len(held) - len(scored),
    )


def changes(a: EvalReport, b: EvalReport) -> dict[str, tuple[str, str]]:
    """What differs in settings, prompts, corpus and data; absent values are empty."""

    def facts(report: EvalReport) -> dict[str, str]:
        prompts = {f"prompt {name}": sha[:12] for name, sha in report.prompts.items()}
        data = {
            "dataset": report.dataset_sha256[:12],
            "corpus": report.corpus_sha256[:12],
            "index": report.index_sha256[:12],
            "top_k": str(report.top_k),
            **{f"measure {m.name}": m.identity[:12] for m in report.measures},
            **{f"model of {m.name}": model for m in report.measures for model in m.models.values()},
        }
        return {**{k: str(v) for k, v in report.settings.items()}, **prompts, **data}

    first, second = facts(a), facts(b)
    names = sorted({*first, *second})
    return {n: (first.get(n, ""), second.get(n, "")) for n in names if first.get(n, "") != second.get(n, "")}
