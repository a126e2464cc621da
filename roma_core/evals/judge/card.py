"""The card of a judge: how far its grades agree with people's, and scores that its errors no longer bias."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from roma_core import display
from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.judge.calibration import (
    Confusion,
    LabelledGrade,
    calibrate,
    cohen_kappa,
    corrected_rate,
    krippendorff_alpha,
    prediction_powered_mean,
)
from roma_core.evals.judge.labels import ENOUGH, Label, LabelItem, Preference
from roma_core.evals.judge.model import GRADES, PASS_GRADE, Judge
from roma_core.evals.judge.pairwise import PairJudge, measure_first_place
from roma_core.evals.report.record import CorrectedScore, EvalReport
from roma_core.evals.stats.inference import ClusteredMean, Interval, interval, quantile
from roma_core.types import Noun, Usage
from roma_core.types.base import read_nan
from roma_core.workspace import private_folder, replace_file

RESAMPLES = 1000
FEWEST = 2
"""Labels without which there is no spread."""
REPEATS = 3
"""Times that each labelled answer is graded, to see how far the judge repeats itself."""
CONCURRENCY = 4


class JudgeCard(Noun):
    """A judge against people over the same answers. Shares have intervals that know the clusters."""

    judge: str
    """Identity of the judge: rubric, model and votes."""
    name: str
    model: str
    rubric_sha256: str
    created_at: datetime
    threshold: float = PASS_GRADE
    labels: tuple[LabelledGrade, ...] = Field(repr=False)
    raters: int
    unread: int
    """Labelled answers that the judge gave no readable grade for."""
    exact: float
    within_one: float
    kappa: float
    """Weighted by the square of the distance."""
    kappa_low: float
    kappa_high: float
    sensitivity: Interval
    specificity: Interval
    passed: Confusion
    bias: float
    """Judge minus people, in grades."""
    length_bias: Interval
    """The same for the longer half of the answers minus the shorter half."""
    repeatability: float
    """Share of the pairs of grades of one answer that are the same."""
    people_alpha: float
    """Krippendorff's alpha of people among each other; NaN with one rater. No judge can be held to more."""
    usage: Usage = Usage()

    _nan = field_validator("kappa", "kappa_low", "kappa_high", "repeatability", "people_alpha", mode="before")(read_nan)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the card as rows: figure, value, meaning."""
        return [
            ("answers", str(len(self.labels)), f"graded by {self.raters} people and by {self.model}"),
            ("unread", str(self.unread), "replies of the judge that are no grade"),
            ("kappa", self._show_kappa(), "agreement beyond chance"),
            ("exact", f"{self.exact:.3f}", "same grade"),
            ("within one", f"{self.within_one:.3f}", "at most one grade apart"),
            ("sensitivity", _show(self.sensitivity), "of what people passed, the judge passes"),
            ("specificity", _show(self.specificity), "of what people failed, the judge fails"),
            ("bias", f"{self.bias:+.3f}", "judge minus people, in grades"),
            ("bias by length", _show(self.length_bias), "longer half minus shorter half"),
            ("repeatability", _number(self.repeatability), "same grade when asked again"),
            ("people", _number(self.people_alpha), "alpha of people among each other: the ceiling"),
        ]

    def _show_kappa(self) -> str:
        """Return kappa; a dash where people, or the judge, gave one grade to all: then it is 0 whatever they did."""
        if min(len({label.person for label in self.labels}), len({label.judge for label in self.labels})) < 2:
            return "–"
        return f"{self.kappa:.3f} ({self.kappa_low:.3f} to {self.kappa_high:.3f})"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the labels cannot say, and which ones would."""
        passed = sum(label.person >= self.threshold for label in self.labels)
        found = []
        if passed == len(self.labels):
            found.append("People passed every answer: grade some that are wrong, or no pass rate can be corrected.")
        if not passed:
            found.append("People passed no answer: grade some that are right, or no pass rate can be corrected.")
        return tuple(found)

    def correct(self, report: EvalReport) -> CorrectedScore | None:
        """Return the scores of this judge in a report, corrected; None when the report has none of it."""
        rows = [row for row in report.rows if row.scores.get(self.name) is not None]
        if not rows:
            return None
        grades, clusters = [float(row.scores[self.name] or 0) for row in rows], [row.cluster for row in rows]
        raw = interval([float(grade >= self.threshold) for grade in grades], clusters)
        return CorrectedScore(
            measure=self.name,
            threshold=self.threshold,
            raw_pass_rate=raw.mean,
            pass_rate=corrected_rate(grades, clusters, self.labels, self.threshold),
            mean=prediction_powered_mean(self.labels, grades, clusters, GRADES),
            labels=len(self.labels),
        )

    def _repr_html_(self) -> str:
        return display.box(
            display.heading(f"{self.name} by {self.model}"),
            display.table(("Figure", "Value", ""), self.rows()),
            *[display.paragraph(f"⚠ {remark}") for remark in self.remarks],
        )


def _show(found: Interval) -> str:
    return "–" if math.isnan(found.mean) else f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


async def calibrate_judge(
    labels: Sequence[Label], judge: Judge, *, threshold: float = PASS_GRADE, repeats: int = REPEATS
) -> JudgeCard:
    """Return the card of a judge over labelled answers; each is graded ``repeats`` times.

    >>> card = await calibrate_judge(load_labels(Path("labels.csv")), roma.judge)  # doctest: +SKIP

    Several people's grades of an answer count as their median. Raises ``EvalError`` when the judge read
    none of them, or a single one.
    """
    by_item: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_item[label.item.id].append(label)
    items = [group[0].item for group in by_item.values()]
    people = [statistics.median([label.grade for label in group]) for group in by_item.values()]
    gate = asyncio.Semaphore(CONCURRENCY)

    async def grade(item: LabelItem) -> tuple[list[float], Usage]:
        async with gate:
            votes = [await judge.vote(item.case, item.outcome, number) for number in range(max(1, repeats))]
        return [v.value for v in votes if v.value is not None], Usage.total(v.usage for v in votes)

    graded = await asyncio.gather(*(grade(item) for item in items))
    read = [(item, person, grades) for item, person, (grades, _) in zip(items, people, graded, strict=True) if grades]
    if not read:
        raise EvalError(f"{judge.llm.name} gave no readable grade for any of the {len(items)} labelled answers.")
    if len(read) < FEWEST:
        raise EvalError(
            f"{len(read)} answer is graded by people and the judge, and a calibration needs {FEWEST} at least: grade "
            f"about {ENOUGH} (`roma judge label RUN`).",
            ErrorCode.EVAL_JUDGE,
        )
    # The judge of a run gives the middle of its own votes: what is calibrated is what is used.
    pairs = [
        LabelledGrade(person=person, judge=statistics.median_low(grades[: max(1, judge.repeats)]), cluster=item.group)
        for item, person, grades in read
    ]
    found = calibrate([p.person for p in pairs], [p.judge for p in pairs], threshold)
    low, high = _resample_kappa(pairs)
    good = [p for p in pairs if p.person >= threshold]
    bad = [p for p in pairs if p.person < threshold]
    raters = sorted({label.rater for label in labels})
    units = [[next((x.grade for x in group if x.rater == r), None) for r in raters] for group in by_item.values()]
    return JudgeCard(
        judge=judge.identity,
        name=judge.name,
        model=judge.llm.name,
        rubric_sha256=judge.rubric.sha256,
        created_at=datetime.now(UTC).replace(microsecond=0),
        threshold=threshold,
        labels=tuple(pairs),
        raters=len(raters),
        unread=len(items) - len(read),
        exact=found.exact,
        within_one=found.within_one,
        kappa=found.kappa,
        kappa_low=low,
        kappa_high=high,
        sensitivity=interval([float(p.judge >= threshold) for p in good], [p.cluster for p in good]),
        specificity=interval([float(p.judge < threshold) for p in bad], [p.cluster for p in bad]),
        passed=found.passed,
        bias=found.bias,
        length_bias=_measure_length_bias([item for item, _, _ in read], pairs),
        repeatability=_measure_repeatability([grades for _, _, grades in read]),
        people_alpha=krippendorff_alpha(units, "ordinal") if len(raters) > 1 else math.nan,
        usage=Usage.total(usage for _, usage in graded),
    )


def _resample_kappa(pairs: Sequence[LabelledGrade]) -> tuple[float, float]:
    """Return a 95 % interval of kappa by drawing whole clusters again; always the same draws."""
    import numpy as np

    groups: dict[str, list[LabelledGrade]] = defaultdict(list)
    for pair in pairs:
        groups[pair.cluster].append(pair)
    drawn, rng = list(groups.values()), np.random.default_rng(0)
    kappas = []
    for _ in range(RESAMPLES):
        sample = [pair for index in rng.integers(0, len(drawn), len(drawn)) for pair in drawn[index]]
        kappa = cohen_kappa([p.person for p in sample], [p.judge for p in sample], "quadratic")
        if not math.isnan(kappa):
            kappas.append(kappa)
    if not kappas:
        return math.nan, math.nan
    return float(np.quantile(kappas, 0.025)), float(np.quantile(kappas, 0.975))


def _measure_length_bias(items: Sequence[LabelItem], pairs: Sequence[LabelledGrade]) -> Interval:
    """Return how much more the judge gives the longer half of the answers than people do, against the shorter half."""
    order = sorted(range(len(items)), key=lambda i: (len(items[i].answer), items[i].id))
    half = len(order) // 2
    shorter, longer = order[:half], order[len(order) - half :]
    if half < 2:
        return Interval(mean=math.nan, low=math.nan, high=math.nan, n=len(items), clusters=0)

    def gaps(indices: Sequence[int]) -> ClusteredMean:
        values = [pairs[i].judge - pairs[i].person for i in indices]
        return ClusteredMean.of(values, [pairs[i].cluster for i in indices])

    first, second = gaps(shorter), gaps(longer)
    difference = second.mean - first.mean
    error = math.hypot(first.standard_error, second.standard_error)
    spread = quantile(min(first.design.degrees, second.design.degrees)) * error
    clusters = len({pair.cluster for pair in pairs})
    return Interval(mean=difference, low=difference - spread, high=difference + spread, n=2 * half, clusters=clusters)


def _measure_repeatability(grades: Sequence[Sequence[float]]) -> float:
    pairs = [a == b for row in grades for i, a in enumerate(row) for b in row[i + 1 :]]
    return sum(pairs) / len(pairs) if pairs else math.nan


class PairCard(Noun):
    """A judge of pairs against people's preferences."""

    model: str
    pairs: int
    decided: int
    """Pairs of which people preferred one and the judge read both orders."""
    agreement: Interval
    """Share of the decided pairs in which the judge prefers the same; a change of place counts as a half."""
    consistent: float
    """Share of the pairs that got the same verdict in both orders."""
    first_place: float
    """Share of the replies that preferred what stood first: 0.5 without a bias of place."""
    usage: Usage = Usage()

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the card as rows: figure, value, meaning."""
        return [
            ("pairs", str(self.pairs), f"compared by {self.model}, in both orders"),
            ("decided", str(self.decided), "one was preferred by people, and the judge could be read"),
            ("agreement", _show(self.agreement), "same preference (a change of place: half)"),
            ("consistent", f"{self.consistent:.3f}", "same verdict in both orders"),
            ("first place", f"{self.first_place:.3f}", "prefers what stands first; 0.5 is unbiased"),
        ]


async def calibrate_pairs(pairs: Sequence[Preference], judge: PairJudge) -> PairCard:
    """Return how far a judge of pairs agrees with people's preferences, and its bias of place."""
    gate = asyncio.Semaphore(CONCURRENCY)

    async def ask(pair: Preference):  # type: ignore[no-untyped-def]
        async with gate:
            return await judge.compare(pair.case, pair.first, pair.second)

    verdicts = await asyncio.gather(*(ask(pair) for pair in pairs))
    decided = [(p, v) for p, v in zip(pairs, verdicts, strict=True) if v.better is not None and p.better != "tie"]
    agreements = [0.5 if v.better == "tie" else float(v.better == p.better) for p, v in decided]
    read = [v for v in verdicts if v.better is not None]
    return PairCard(
        model=judge.llm.name,
        pairs=len(pairs),
        decided=len(decided),
        agreement=interval(agreements, [p.question for p, _ in decided]),
        consistent=sum(v.is_consistent for v in read) / len(read) if read else math.nan,
        first_place=measure_first_place(read),
        usage=Usage.total(v.usage for v in verdicts),
    )


def write_card(card: JudgeCard, folder: Path) -> Path:
    """Keep the card of a judge and return its file."""
    private_folder(folder)
    path = folder / f"{card.judge[:16]}.json"
    replace_file(path, card.model_dump_json(indent=1) + "\n")
    return path


def read_card(judge: str, folder: Path) -> JudgeCard | None:
    """Return the card of the judge with this identity; None when it was never calibrated."""
    try:
        return JudgeCard.model_validate_json((folder / f"{judge[:16]}.json").read_bytes())
    except (OSError, ValidationError):
        return None
