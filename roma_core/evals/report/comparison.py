"""Is B better than A? Two runs over the same cases, case by case: one measure decides, the others are corrected.

Interval, p-value and the announced smallest effect come from one test at one level (``stats.inference``). No case is
dropped in silence: what only one of the runs scored is counted, named, and must not be what a decision rests on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from roma_core import display
from roma_core.errors import ErrorCode, EvalError, count_noun, name_some, suggest_name
from roma_core.evals.judge.model import load_rubrics
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo, words_an_answer
from roma_core.evals.stats.inference import ALPHA, FEW_CLUSTERS, Difference, compare_pairs, holm, holm_levels
from roma_core.settings.model import own_settings
from roma_core.types import Noun, frame

if TYPE_CHECKING:
    import pandas as pd

MeasureRole = Literal["primary", "secondary", "descriptive"]
PREFERRED_PRIMARIES = ("nugget_recall", "false_answers")
"""The measures that decide where none was named, the first that was taken; else any other."""
INDEX_SECTIONS = frozenset({"chunking", "parsing", "figures"})
"""Sections of settings that act when documents are ingested, through the index alone."""
NO_MODEL = "none"
"""The model of a run whose answers are quoted."""
LONGER = 3.0
"""From so many times the length on a score that grows with length is not called better."""
MOST_CHANGED = 10
UNSEEN_CASES = 3
"""What happens in fewer than 3 of n cases may be in none of n that were looked at (rule of three, at 95 %)."""


class Decision(StrEnum):
    """The result of a comparison for B in one measure."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    """The interval lies within the margin on both sides."""
    NOT_WORSE = "not worse"
    """The interval excludes that B is worse by the margin or more."""
    INCONCLUSIVE = "inconclusive"
    SAME = "same"
    """No case differs."""
    DIFFERENT = "different"
    """B differs in a measure of which neither direction is better."""


class MeasureComparison(Noun):
    """B minus A in one measure, over the cases that both runs scored."""

    measure: str
    role: MeasureRole
    """``primary`` decides; ``secondary`` is corrected for how many could have moved; ``descriptive`` claims nothing."""
    higher: bool | None
    a: float
    b: float
    difference: Difference
    adjusted_p: float
    """The primary measure's own p-value; of a secondary one corrected by Holm."""
    wins: int
    losses: int
    ties: int
    only_a: tuple[str, ...] = ()
    """Cases that A scored and B did not: B failed, is unscored, or the measure does not apply to its answer."""
    only_b: tuple[str, ...] = ()
    neither: int = 0
    """Cases that the measure applies to and neither run scored."""
    noise: float | None = None
    """Mean distance between the means of two samples of one system; None when each was asked once."""
    decision: Decision
    remark: str = ""
    """Why a decision is not what the interval alone would say."""

    @property
    def gain(self) -> tuple[float, float, float]:
        """Difference and interval turned so that more is better for B."""
        low, mean, high = self.difference.low, self.difference.mean, self.difference.high
        return (-high, -mean, -low) if self.higher is False else (low, mean, high)

    @property
    def shown_interval(self) -> str:
        """The interval for a table; a dash where one cluster has no spread."""
        low, high = self.difference.low, self.difference.high
        return "–" if math.isnan(low) or math.isnan(high) else f"{low:+.3f} to {high:+.3f}"

    @property
    def shown_detectable(self) -> str:
        """The smallest effect that is found four times in five, for a table."""
        return show_effect(self.difference.detectable)


def show_effect(detectable: float) -> str:
    """Return the smallest effect for a table; an infinite one is none that would be found four times in five.

    >>> show_effect(0.0831), show_effect(float("inf"))
    ('0.083', 'too few')
    """
    return f"{detectable:.3f}" if math.isfinite(detectable) else "too few"


class ScorePair(Noun):
    """One case in both runs, in the measure that decides."""

    case_id: str
    question: str
    a: float | None
    b: float | None
    answer_a: str | None
    answer_b: str | None
    reason_a: str = ""
    reason_b: str = ""

    @property
    def change(self) -> float:
        """B minus A; a case that one run has not scored counts as changed most."""
        return self.b - self.a if self.a is not None and self.b is not None else math.inf


class SliceComparison(Noun):
    """The deciding measure over a part of the cases: to look at, not to decide by."""

    title: str
    difference: Difference


class Comparison(Noun):
    """B against A over the cases of both."""

    a: str
    b: str
    """Ids of the runs."""
    names: tuple[str, str] | None = None
    """Names of A and B; None where a run has none."""
    dataset: str
    cases: int
    primary: str
    margin: float | None = None
    measures: tuple[MeasureComparison, ...]
    slices: tuple[SliceComparison, ...] = ()
    changed_cases: tuple[ScorePair, ...] = Field(default=(), repr=False)
    """The cases whose score in the deciding measure changed most, the greatest change first."""
    words: tuple[float, float]
    """Mean length of the answers of A and of B over these cases: a longer answer states more facts by chance."""
    changed: dict[str, tuple[str, str]]
    """Whatever made the runs that differs: value in A, value in B."""
    remarks: tuple[str, ...] = ()
    """Facts that a reader must know before believing the decision."""

    @property
    def decision(self) -> Decision:
        """The decision in the primary measure."""
        return self.of(self.primary).decision

    @property
    def shown_names(self) -> tuple[str, str]:
        """The names of A and B; the ids of their runs where they have none."""
        return self.names or (f"run {self.a}", f"run {self.b}")

    def of(self, measure: str) -> MeasureComparison:
        """Return the comparison in one measure. Raises ``EvalError`` for one that was not compared."""
        for compared in self.measures:
            if compared.measure == measure:
                return compared
        names = [m.measure for m in self.measures]
        raise EvalError(f"{measure!r} was not compared. {suggest_name(measure, names)}", ErrorCode.EVAL_PARAMETERS)

    def to_frame(self) -> pd.DataFrame:
        """One row a measure."""
        plain = frame(self.measures, ("measure", "role", "a", "b", "adjusted_p", "wins", "losses", "ties", "neither"))
        for name in ("mean", "low", "high", "p_value", "detectable", "n", "clusters", "effective_clusters"):
            plain[name] = [getattr(m.difference, name) for m in self.measures]
        plain["only_a"] = [len(m.only_a) for m in self.measures]
        plain["only_b"] = [len(m.only_b) for m in self.measures]
        plain["decision"] = [m.decision.value for m in self.measures]
        return plain

    def _repr_html_(self) -> str:
        from roma_core.evals.report.comparison_page import render_comparison

        return render_comparison(self)

    def _repr_markdown_(self) -> str:
        decided = self.of(self.primary)
        head = f"B is **{decided.decision.value}** in {display.escape_markdown(decided.measure)}"
        rows = [
            (m.measure, m.role, m.a, m.b, m.difference.mean, m.shown_interval, m.adjusted_p, m.decision.value)
            for m in self.measures
        ]
        table = display.markdown_table(("Measure", "Role", "A", "B", "B - A", "Interval", "p", "B is"), rows)
        return f"{head}: {decided.a:.3f} → {decided.b:.3f} ({self.cases} cases)\n\n{table}"


def compare(
    a: EvalReport,
    b: EvalReport,
    *,
    primary: str = "",
    margin: float | None = None,
    alpha: float = ALPHA,
    samples_a: Sequence[EvalReport] = (),
    samples_b: Sequence[EvalReport] = (),
) -> Comparison:
    """Return whether B is better than A, decided in one measure.

    >>> compare(base, lazy, primary="nugget_recall", margin=0.02).decision  # doctest: +SKIP
    <Decision.NOT_WORSE: 'not worse'>

    ``primary`` is the measure that decides, to be named before the runs (default: ``nugget_recall``, else the first of
    both). ``margin``, on the measure's scale, is the loss that would not matter: with it B can be ``not worse`` or
    ``equivalent``. ``alpha`` is the level of the primary measure's test. ``samples_a`` and ``samples_b`` are further
    reports of the same systems, asked again: the noise that a difference is to be seen beside.

    Raises ``EvalError`` when the runs share no case, ask it differently, or one of them has no answer of its own.
    """
    first, second = ({row.case_id: row for row in report.rows} for report in (a, b))
    shared = [case for case in first if case in second]
    _require_comparable(a, b, first, second, shared)
    require_margin(margin)
    pairs = [(first[case], second[case]) for case in shared]
    theirs = {m.name for m in b.measures}
    samples = [_PairedScores(m, pairs) for m in a.measures if m.name in theirs]
    samples = [sample for sample in samples if sample.scored]
    decides = choose_primary([sample.info for sample in samples], primary)
    compared = _compare_measures(samples, decides, margin, alpha)
    families = ((a, *samples_a), (b, *samples_b))
    compared = tuple(m.model_copy(update={"noise": measure_noise(m.measure, families)}) for m in compared)
    sample = next(s for s in samples if s.info.name == decides)
    return Comparison(
        a=a.run_id,
        b=b.run_id,
        dataset=b.dataset,
        cases=len(shared),
        primary=decides,
        margin=margin,
        measures=compared,
        slices=_compare_slices(sample, alpha),
        changed_cases=_rank_changes(sample),
        words=(words_an_answer(row for row, _ in pairs), words_an_answer(row for _, row in pairs)),
        changed=list_changes(a, b),
        remarks=_make_remarks(a, b, shared, compared, decides),
    )


def require_margin(margin: float | None) -> None:
    """Raise ``EvalError`` for a margin that is none."""
    if margin is not None and not margin > 0:
        raise EvalError(f"A margin is greater than 0, not {margin:g}.", ErrorCode.EVAL_PARAMETERS)


def measure_noise(measure: str, families: Sequence[Sequence[EvalReport]]) -> float | None:
    """Return the mean distance between the means of two samples of one system; None when no system has two."""
    distances = [
        abs(first.mean(measure) - second.mean(measure))
        for family in families
        for first, second in itertools.combinations(family, 2)
    ]
    known = [distance for distance in distances if not math.isnan(distance)]
    return math.fsum(known) / len(known) if known else None


def choose_primary(infos: Sequence[MeasureInfo], wanted: str = "") -> str:
    """Return the measure that decides. Raises ``EvalError`` for one that cannot."""
    able = [info.name for info in infos if info.higher is not None]
    if not able:
        raise EvalError("The two runs have no score in common; compare runs that took the same measures.")
    if not wanted:
        return next((name for name in PREFERRED_PRIMARIES if name in able), able[0])
    if wanted not in able:
        raise EvalError(f"{wanted!r} cannot decide. {suggest_name(wanted, able)}", ErrorCode.EVAL_PARAMETERS)
    return wanted


def _require_comparable(
    a: EvalReport,
    b: EvalReport,
    first: Mapping[str, EvalRow],
    second: Mapping[str, EvalRow],
    shared: Sequence[str],
) -> None:
    if not shared:
        raise EvalError("The two runs have no case in common; compare runs over the same dataset.")
    if moved := [case for case in shared if first[case].question != second[case].question]:
        raise EvalError(f"The two runs ask different questions under the same id: {name_some(moved)}.")
    for name, report, rows in (("A", a, first), ("B", b, second)):
        if all(rows[case].state != "ok" for case in shared):
            states = ", ".join(f"{n} {state}" for state, n in sorted(report.states.items()))
            why = f" ({report.most_frequent_trouble})" if report.most_frequent_trouble else ""
            raise EvalError(f"Run {report.run_id} ({name}) has no answer of its own ({states}); run it again{why}.")


class _PairedScores:
    """One measure's scores over the cases of both runs."""

    def __init__(self, info: MeasureInfo, pairs: Sequence[tuple[EvalRow, EvalRow]]) -> None:
        self.info = info
        applying = [(a, b) for a, b in pairs if info.name in a.scores or info.name in b.scores]
        values = [(a, b, a.scores.get(info.name), b.scores.get(info.name)) for a, b in applying]
        self.rows = [(a, b) for a, b, _, _ in values]
        self.values = [(x, y) for _, _, x, y in values]
        self.scored = [(a, x, y) for a, _, x, y in values if x is not None and y is not None]
        self.only_a = [a for a, _, x, y in values if x is not None and y is None]
        self.only_b = [a for a, _, x, y in values if x is None and y is not None]
        self.neither = len(values) - len(self.scored) - len(self.only_a) - len(self.only_b)

    @property
    def length_ratio(self) -> float:
        """Length of B's answers against that of A's, in words."""
        a, b = (words_an_answer(rows) for rows in zip(*self.rows, strict=True))
        return b / a if a and b == b else 1.0

    @property
    def moves(self) -> bool:
        """True when a case differs."""
        return any(x != y for _, x, y in self.scored)

    def difference(self, alpha: float, keep: Callable[[EvalRow], bool] = lambda row: True) -> Difference:
        """Return the paired difference over the cases that both scored."""
        kept = [(row, x, y) for row, x, y in self.scored if keep(row)]
        clusters = [row.cluster for row, _, _ in kept]
        return compare_pairs([x for _, x, _ in kept], [y for _, _, y in kept], clusters, alpha, self.info.scale)

    def holds(self, claim: Callable[[Difference], bool], alpha: float, against_b: bool) -> bool:
        """Return True when ``claim`` holds too where each case of only one run speaks against it.

        ``against_b``: the claim is in favour of B, so B's missing scores count as the worst and A's as the best.
        """
        if not self.only_a and not self.only_b:
            return True
        worst, best = self._extremes()
        for_a, for_b = (best, worst) if against_b else (worst, best)
        rows = [(row, x, y) for row, x, y in self.scored]
        rows += [(row, _score(row, self.info), for_b) for row in self.only_a]
        missing_in_a = {row.case_id for row in self.only_b}
        rows += [(a, for_a, _score(b, self.info)) for a, b in self.rows if a.case_id in missing_in_a]
        filled = compare_pairs(
            [x for _, x, _ in rows],
            [y for _, _, y in rows],
            [row.cluster for row, _, _ in rows],
            alpha,
            self.info.scale,
        )
        return claim(filled)

    def _extremes(self) -> tuple[float, float]:
        """Return the worst and the best score there can be; without a scale, that there is."""
        values = [v for pair in self.values for v in pair if v is not None]
        low, high = self.info.scale or (min(values), max(values))
        return (high, low) if self.info.higher is False else (low, high)


def _score(row: EvalRow, info: MeasureInfo) -> float:
    value = row.scores[info.name]
    assert value is not None  # noqa: S101 (the caller chose rows with a score)
    return value


def _compare_measures(
    samples: Sequence[_PairedScores], primary: str, margin: float | None, alpha: float
) -> tuple[MeasureComparison, ...]:
    """Return each measure's comparison: the primary at ``alpha``, those that could move at the levels of Holm."""
    family = [s for s in samples if s.info.name != primary and s.info.higher is not None and s.moves]
    p_values = [sample.difference(ALPHA).p_value for sample in family]
    levels = dict(zip([s.info.name for s in family], holm_levels(p_values), strict=True))
    adjusted = dict(zip([s.info.name for s in family], holm(p_values), strict=True))
    compared = []
    for sample in samples:
        name = sample.info.name
        decides = name == primary
        role: MeasureRole = "primary" if decides else "secondary" if sample.info.higher is not None else "descriptive"
        level = alpha if decides else levels.get(name, ALPHA)
        difference = sample.difference(level)
        decision, remark = _decide(sample, difference, level, margin if decides else None)
        gains = [x - y if sample.info.higher is False else y - x for _, x, y in sample.scored]
        compared.append(
            MeasureComparison(
                measure=name,
                role=role,
                higher=sample.info.higher,
                a=math.fsum(x for _, x, _ in sample.scored) / len(sample.scored),
                b=math.fsum(y for _, _, y in sample.scored) / len(sample.scored),
                difference=difference,
                adjusted_p=adjusted.get(name, difference.p_value),
                wins=sum(gain > 0 for gain in gains),
                losses=sum(gain < 0 for gain in gains),
                ties=sum(gain == 0 for gain in gains),
                only_a=tuple(row.case_id for row in sample.only_a),
                only_b=tuple(row.case_id for row in sample.only_b),
                neither=sample.neither,
                decision=decision,
                remark=remark,
            )
        )
    return tuple(sorted(compared, key=lambda m: m.role != "primary"))


def _decide(sample: _PairedScores, difference: Difference, alpha: float, margin: float | None) -> tuple[Decision, str]:
    """Return the decision of one measure, and why it is not what the interval alone would say."""
    sign = -1.0 if sample.info.higher is False else 1.0

    def bounds(of: Difference) -> tuple[float, float]:
        low, high = sorted((sign * of.low, sign * of.high))
        return low, high

    def is_better(of: Difference) -> bool:
        return bounds(of)[0] > 0

    def is_worse(of: Difference) -> bool:
        return bounds(of)[1] < 0

    def is_not_worse(of: Difference) -> bool:
        return margin is not None and bounds(of)[0] > -margin

    def is_not_better(of: Difference) -> bool:
        return margin is not None and bounds(of)[1] < margin

    def holds(claim: Callable[[Difference], bool], for_b: bool) -> bool:
        return claim(difference) and sample.holds(claim, alpha, against_b=for_b)

    if sample.info.higher is None:
        if not sample.moves and not sample.only_a and not sample.only_b:
            return Decision.SAME, ""
        return (Decision.DIFFERENT if difference.is_significant else Decision.INCONCLUSIVE), ""
    if not sample.moves and not sample.only_a and not sample.only_b:
        within = is_not_worse(difference) and is_not_better(difference)
        return (Decision.EQUIVALENT if within else Decision.SAME), ""
    if holds(is_better, True):
        if sample.info.length_sensitive and sample.length_ratio > LONGER:
            return (
                Decision.INCONCLUSIVE,
                f"the answers are {sample.length_ratio:.1f} times as long, which raises it alone",
            )
        return Decision.BETTER, ""
    if holds(is_not_worse, True):
        return (Decision.EQUIVALENT if holds(is_not_better, False) else Decision.NOT_WORSE), ""
    if holds(is_worse, False):
        return Decision.WORSE, ""
    if is_better(difference) or is_worse(difference) or is_not_worse(difference):
        lone = len(sample.only_a) + len(sample.only_b)
        return Decision.INCONCLUSIVE, f"hangs on {lone} cases that only one run scored"
    return Decision.INCONCLUSIVE, ""


def _compare_slices(sample: _PairedScores, alpha: float) -> tuple[SliceComparison, ...]:
    """Return the deciding measure by kind and by persona, where there is more than one of them."""
    slices = []
    for title, attribute in (("kind", "kind"), ("persona", "persona")):
        values = dict.fromkeys(str(getattr(row, attribute)) for row, _, _ in sample.scored)
        if len(values) < 2:
            continue
        for value in values:

            def belongs(row: EvalRow, attribute: str = attribute, value: str = value) -> bool:
                return str(getattr(row, attribute)) == value

            slices.append(SliceComparison(title=f"{title} {value}", difference=sample.difference(alpha, belongs)))
    return tuple(slices)


def _rank_changes(sample: _PairedScores) -> tuple[ScorePair, ...]:
    """Return the cases that changed most in the deciding measure; those that one run lost come first."""
    name = sample.info.name
    pairs = [
        ScorePair(
            case_id=a.case_id,
            question=a.question,
            a=x,
            b=y,
            answer_a=a.answer,
            answer_b=b.answer,
            reason_a=a.why or a.reasons.get(name, ""),
            reason_b=b.why or b.reasons.get(name, ""),
        )
        for (a, b), (x, y) in zip(sample.rows, sample.values, strict=True)
        if x != y
    ]
    return tuple(sorted(pairs, key=lambda pair: -abs(pair.change))[:MOST_CHANGED])


def _make_remarks(
    a: EvalReport, b: EvalReport, shared: Sequence[str], compared: Sequence[MeasureComparison], primary: str
) -> tuple[str, ...]:
    """Return what a reader must know before believing the decision."""
    decisive = next(m for m in compared if m.measure == primary)
    return (*_remark_on_runs(a, b, shared), *_remark_on_decision(a, b, decisive))


def _remark_on_runs(a: EvalReport, b: EvalReport, shared: Sequence[str]) -> list[str]:
    """Return what makes two runs less alike, or more, than their names say."""
    remarks = []
    for name, report, other in (("A", a, b), ("B", b, a)):
        known = {row.case_id for row in other.rows}
        alone = [row.case_id for row in report.rows if row.case_id not in known]
        if alone:
            remarks.append(f"{count_noun(len(alone), 'case')} in {name} alone and not compared: {name_some(alone)}.")
        broken = [row for row in report.rows if row.state != "ok" and row.case_id in set(shared)]
        if broken:
            states = ", ".join(sorted({row.state for row in broken}))
            ids = name_some([row.case_id for row in broken])
            answers = count_noun(len(broken), "answer")
            remarks.append(f"{answers} of {name} not its own ({states}) and unscored: {ids}.")
    if a.dataset_sha256 != b.dataset_sha256 and {row.case_id for row in a.rows} == {row.case_id for row in b.rows}:
        remarks.append(
            f"The runs are of two versions of the set ({a.dataset} {a.dataset_sha256[:6]}, {b.dataset} "
            f"{b.dataset_sha256[:6]}): facts or evidence of the same items differ. Evaluate both on one; known answers "
            "are not asked again."
        )
    if a.index_sha256 and a.index_sha256 == b.index_sha256:
        shaping = {s.name for s in own_settings() if s.section in INDEX_SECTIONS and s.decides_answers}
        for name in sorted(shaping & list_changes(a, b).keys()):
            remarks.append(f"{name} differs, but both runs searched the same index: run `roma ingest` with it first.")
    if a.settings.get("llm") == b.settings.get("llm") == NO_MODEL:
        judging = {f"prompt {name}" for name in load_rubrics()}
        for name in sorted(change for change in list_changes(a, b) if change.startswith("prompt ")):
            if name not in judging:
                remarks.append(f"{name} differs, but no model answered in either run: set a model and its key first.")
    return remarks


def _remark_on_decision(a: EvalReport, b: EvalReport, decisive: MeasureComparison) -> list[str]:
    """Return what weakens the result in the measure that decides."""
    primary = decisive.measure
    remarks = []
    if decisive.only_a or decisive.only_b:
        counts = f"{count_noun(len(decisive.only_a), 'case')} only in A, {len(decisive.only_b)} only in B"
        ids = name_some([*decisive.only_a, *decisive.only_b])
        remarks.append(f"{primary} is scored for {counts} ({ids}): they count against a decision.")
    difference = decisive.difference
    if difference.effective_clusters < FEW_CLUSTERS:
        remarks.append(
            f"{count_noun(difference.n, 'case')} in {count_noun(difference.clusters, 'cluster')}, counted as "
            f"{difference.effective_clusters:.1f}: the result hangs on a few documents."
        )
    info = next(info for info in b.measures if info.name == primary)
    if difference.is_significant and info.scale is not None:
        total, width = abs(difference.mean) * difference.n, info.scale[1] - info.scale[0]
        if total < UNSEEN_CASES * width:
            remarks.append(
                f"All {count_noun(difference.n, 'case')} together differ by {total:.2g} points: {UNSEEN_CASES} cases "
                f"that go wholly the other way would undo it, and so rare a case may be in none of these."
            )
    calibrated = {c.measure for report in (a, b) for c in report.corrections}
    if any(info.name == primary and info.judge and primary not in calibrated for info in b.measures):
        remarks.append(f"{primary} is a model's grade and uncalibrated: how far it agrees with people is unknown.")
    if decisive.noise is not None:
        remarks.append(
            f"The same system asked again differs by {decisive.noise:.3f} in {primary}: "
            + (
                "the difference is no larger."
                if abs(difference.mean) <= decisive.noise
                else "the difference is larger."
            )
        )
    if math.isinf(difference.detectable):
        remarks.append(
            "No result could be significant: the least p-value that "
            f"{count_noun(difference.clusters, 'cluster')} can reach is {difference.smallest_p:.3f}, and "
            f"{1 - difference.confidence:.3g} is the level of this test. Add questions about other documents."
        )
    return remarks


class VariantComparison(Noun):
    """One of several variants against the base, in the measure that decides."""

    name: str
    comparison: Comparison
    adjusted_p: float
    """P-value corrected for the number of variants (Holm)."""


class ExperimentComparison(Noun):
    """Several variants against one base with one correction: the best of twenty must not win by luck."""

    base: str
    primary: str
    variants: tuple[VariantComparison, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know before believing a decision, with the names of the variants unless it is of all."""
        owners: dict[str, list[str]] = {}
        for variant in self.variants:
            for remark in variant.comparison.remarks:
                owners.setdefault(remark, []).append(variant.name)
        everyone = len(self.variants)
        return tuple(r if len(names) == everyone else f"{name_some(names)}: {r}" for r, names in owners.items())

    def to_frame(self) -> pd.DataFrame:
        """One row a variant."""
        import pandas as pd

        return pd.DataFrame([_variant_record(variant) for variant in self.variants])

    def _repr_html_(self) -> str:
        from roma_core.evals.report.comparison_page import render_experiment

        return render_experiment(self)


def _variant_record(variant: VariantComparison) -> dict[str, Any]:
    decided = variant.comparison.of(variant.comparison.primary)
    difference = decided.difference
    return {
        "variant": variant.name,
        "base": decided.a,
        "score": decided.b,
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "adjusted_p": variant.adjusted_p,
        "decision": decided.decision.value,
    }


def compare_variants(
    base: EvalReport,
    variants: Mapping[str, EvalReport],
    *,
    primary: str = "",
    margin: float | None = None,
    alpha: float = ALPHA,
) -> ExperimentComparison:
    """Return each variant's comparison with the base, each tested at its level of Holm over all variants.

    >>> compare_variants(base, {"lazy": lazy, "brisk": brisk}).to_frame()  # doctest: +SKIP

    Raises ``EvalError`` as ``compare`` does, and when there is no variant.
    """
    if not variants:
        raise EvalError("There is no variant to compare with the base.", ErrorCode.EVAL_PARAMETERS)
    alone = {name: compare(base, report, primary=primary, margin=margin) for name, report in variants.items()}
    p_values = [comparison.of(comparison.primary).difference.p_value for comparison in alone.values()]
    levels, adjusted = holm_levels(p_values, alpha), holm(p_values)
    compared = [
        VariantComparison(
            name=name,
            comparison=compare(base, variants[name], primary=comparison.primary, margin=margin, alpha=level),
            adjusted_p=p,
        )
        for (name, comparison), level, p in zip(alone.items(), levels, adjusted, strict=True)
    ]
    return ExperimentComparison(base=base.run_id, primary=compared[0].comparison.primary, variants=tuple(compared))


def list_changes(a: EvalReport, b: EvalReport) -> dict[str, tuple[str, str]]:
    """Return whatever made the runs that differs: settings, prompts, models, data, index; absent values are empty."""
    first, second = _describe_origin(a), _describe_origin(b)
    names = sorted({*first, *second})
    return {n: (first.get(n, ""), second.get(n, "")) for n in names if first.get(n, "") != second.get(n, "")}


def _describe_origin(report: EvalReport) -> dict[str, str]:
    origin = {name: str(value) for name, value in report.settings.items()}
    origin |= {f"prompt {name}": sha256[:12] for name, sha256 in report.prompts.items()}
    origin |= {
        "dataset": report.dataset_sha256[:12],
        "corpus": report.corpus_sha256[:12],
        "index": report.index_sha256[:12],
        "top_k": str(report.top_k),
        "ROMA's code": report.code_sha256[:12],
    }
    for info in report.measures:
        origin[f"measure {info.name}"] = info.identity[:12]
        origin |= {f"model of {role}": model for role, model in info.models.items()}
    return origin
