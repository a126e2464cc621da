"""The record of an evaluation: one row a case, summaries with intervals, the same bytes for the same inputs.

``canonical`` holds no time, no latency and nothing that depends on what a cache knew; those are in ``RunFacts``.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, computed_field

from roma_core import display
from roma_core.errors import ErrorCode, EvalError, name_some
from roma_core.evals.golden.dataset import Kind
from roma_core.evals.report.means_plot import draw_means
from roma_core.evals.stats.inference import Interval, interval
from roma_core.markup import remove_markers
from roma_core.types import Citation, Noun, Persona, ScoredChunk, Usage, digest

if TYPE_CHECKING:
    import pandas as pd

RowState = Literal["ok", "degraded", "fallback", "failed"]


class MeasureInfo(Noun):
    """A column of scores: its source, which way is better (``higher``; None when neither is), and its scale."""

    name: str
    source: str = ""
    higher: bool | None = True
    scale: tuple[float, float] | None = (0.0, 1.0)
    """Least and greatest score; None when there is no limit."""
    length_sensitive: bool = False
    """True when a longer answer scores higher by chance."""
    identity: str = ""
    """Hash of the measure's code, prompts and models."""
    models: dict[str, str] = Field(default_factory=dict)
    """Each model that the measure asks, by its role."""
    judge: str = ""
    """Identity of the judge whose grades these are; empty for what no model grades."""

    @property
    def direction(self) -> str:
        """Which way is better, in a word."""
        return {True: "higher", False: "lower", None: "neither"}[self.higher]


class EvalRow(Noun):
    """One case. ``scores`` has a key for each measure that applies; None there means unscored, never 0."""

    case_id: str
    question: str
    kind: Kind
    persona: Persona
    cluster: str
    state: RowState = "ok"
    """``ok`` when the system wrote the answer with all its parts at work. Every other row is unscored."""
    why: str = ""
    """The reason of another state."""
    answer: str | None = None
    answered: bool | None = None
    citations: tuple[Citation, ...] = ()
    passages: tuple[ScoredChunk, ...] = Field(default=(), repr=False)
    """The passages that the answer was written from, best first."""
    considered: tuple[str, ...] = Field(default=(), repr=False)
    """Ids of all passages that were looked up, best first."""
    proofs: tuple[bool | None, ...] = Field(default=(), repr=False)
    """For each citation, whether the source holds its quote at the offsets; None where it could not be read."""
    model: str = ""
    scores: dict[str, float | None] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    """The reason of a score by its measure: a judge's words, the facts that were missed."""
    error: str | None = None
    """``ErrorCode`` of the failure, if there was no answer."""


class Summary(Noun):
    """One measure over some rows: the scored ones with an interval, the others counted."""

    measure: str
    interval: Interval
    unscored: int


class CorrectedScore(Noun):
    """A judge's scores as people would have given them, by its calibration on answers that people graded."""

    measure: str
    threshold: float
    """Grades from here on are passes."""
    raw_pass_rate: float
    pass_rate: Interval
    """By Rogan and Gladen, with clusters."""
    mean: Interval
    """Mean grade, by prediction-powered inference, with clusters."""
    labels: int
    """Answers that people graded."""

    @property
    def words(self) -> str:
        """The correction in a sentence."""
        rate = "unknown" if math.isnan(self.pass_rate.mean) else f"{self.pass_rate.mean:.3f}"
        return (
            f"{self.measure}: people would pass {rate} of the answers ({_range(self.pass_rate, always=True)}; the "
            f"judge passes {self.raw_pass_rate:.3f}) and give {self.mean.mean:.2f} on average ({_range(self.mean)}), "
            f"by {self.labels} answers that people graded."
        )


class RunFacts(Noun):
    """Time and cost: what differs between two runs of the same evaluation."""

    seconds: float = 0.0
    asked: int = 0
    resumed: int = 0
    usage: dict[str, Usage] = Field(default_factory=dict)
    """Usage of model calls by role: ``answer``, ``judge``, ..."""
    case_seconds: dict[str, float] = Field(default_factory=dict)
    case_spared: dict[str, float] = Field(default_factory=dict)
    """Seconds of work that another variant of an experiment had done for the answer."""
    case_started: dict[str, float] = Field(default_factory=dict)
    """Seconds since 1970 at which each question was asked, of an answer that was kept when it was first."""

    def _repr_html_(self) -> str:
        times = sorted(self.case_seconds.values())
        rows: list[tuple[str, object]] = [
            ("questions asked now", self.asked),
            ("answers that were kept from before", self.resumed),
            ("seconds of the whole run", self.seconds),
        ]
        if times:
            rows.append(("seconds to an answer, median and longest", f"{times[len(times) // 2]:.2f}, {times[-1]:.2f}"))
        for role, usage in self.usage.items():
            cost = "price unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
            tokens = f"{usage.input_tokens:,} tokens read, {usage.output_tokens:,} written"
            rows.append((f"model calls: {role}", f"{usage.calls:,} calls, {tokens}, {cost}"))
        return display.box(display.table(("What this run took", ""), rows))


class EvalReport(Noun):
    """Everything that one evaluation found, and what decided it."""

    dataset: str
    dataset_sha256: str
    corpus_sha256: str = ""
    index_sha256: str = ""
    """Hash of the chunks that were searched: cut by another chunker, they are another index over the same corpus."""
    fingerprint: str = ""
    """Hash of all that decides an answer beside the question: system, settings, prompts, corpus, code."""
    top_k: int = 5
    code_sha256: str = ""
    """Hash of ROMA's own code as far as it decides answers."""
    settings: dict[str, Any] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)
    measures: tuple[MeasureInfo, ...] = ()
    rows: tuple[EvalRow, ...] = Field(default=(), repr=False)
    corrections: tuple[CorrectedScore, ...] = ()
    """Scores of judges that were calibrated."""
    missing_evidence: tuple[str, ...] = ()
    """Cases whose evidence the corpus does not hold; their retrieval is unscored."""
    facts: RunFacts = Field(default=RunFacts(), exclude=True, repr=False)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def run_id(self) -> str:
        """Names the run by what decided it: the same evaluation again has the same id."""
        measures = [f"{m.name}={m.identity}" for m in self.measures]
        prompts = [f"{name}={sha256}" for name, sha256 in sorted(self.prompts.items())]
        return digest("run", self.dataset_sha256, self.fingerprint, str(self.top_k), *measures, *prompts)[:12]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def errors(self) -> int:
        """Cases without an answer because something failed."""
        return sum(row.error is not None for row in self.rows)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def states(self) -> dict[str, int]:
        """Number of cases in each state."""
        return dict(Counter(row.state for row in self.rows))

    @property
    def is_whole(self) -> bool:
        """True when every answer is one: none failed, none is degraded, none is a fallback's."""
        return set(self.states) <= {"ok"}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Each measure over all rows."""
        return self.summary()

    def summary(self, rows: Sequence[EvalRow] | None = None) -> tuple[Summary, ...]:
        """Each measure that applies to one of the rows (all of the report's by default)."""
        found = (summarise(m, self.rows if rows is None else rows) for m in self.measures)
        return tuple(s for s in found if s is not None)

    def groups(self) -> dict[str, list[EvalRow]]:
        """The rows by kind and by persona, under a title each."""
        found: dict[str, list[EvalRow]] = {}
        for title in ("Kind: {0.kind}", "Persona: {0.persona}"):
            for row in self.rows:
                found.setdefault(title.format(row), []).append(row)
        return found

    def mean(self, measure: str) -> float:
        """Mean of the scored rows; NaN when there is none. Raises ``EvalError`` for an unknown measure."""
        if measure not in {m.name for m in self.measures}:
            known = ", ".join(m.name for m in self.measures)
            raise EvalError(f"There is no measure {measure!r} in this report; it has {known}.")
        found = [s.interval.mean for s in self.summary() if s.measure == measure]
        return found[0] if found else math.nan

    @property
    def most_frequent_trouble(self) -> str:
        """The most frequent reason why an answer is not the system's own; empty when all are."""
        reasons = Counter(row.why for row in self.rows if row.why)
        return reasons.most_common(1)[0][0] if reasons else ""

    def canonical(self) -> bytes:
        """The report as JSON: sorted keys, no times, null for what has no number."""
        data = json.loads(self.model_dump_json())
        return (json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()

    def to_frame(self) -> pd.DataFrame:
        """One row a case, one column a measure (missing where it does not apply or is unscored)."""
        import pandas as pd

        plain = ("case_id", "kind", "persona", "question", "answer", "answered", "state", "error", "cluster")
        names = [m.name for m in self.measures]
        records = [{**{k: getattr(r, k) for k in plain}, **{n: r.scores.get(n) for n in names}} for r in self.rows]
        # ``answered`` is a fact of the row and a measure: one column, or a writer of JSON drops both.
        return pd.DataFrame(records, columns=list(dict.fromkeys([*plain, *names])))

    def _repr_html_(self) -> str:
        remarks = [display.paragraph(sentence) for sentence in describe_judges(self)]
        summaries = self.summary()
        plot = draw_means(summaries, self.measures)
        return display.box(display.heading(self._headline()), plot, summary_table(summaries), *remarks)

    def to_markdown(self) -> str:
        """Return the means with their intervals as a table of Markdown."""
        rows = [(s.measure, s.interval.mean, _range(s.interval), s.interval.n, s.unscored) for s in self.summary()]
        table = display.markdown_table(("Measure", "Mean", "95 % interval", "Cases", "Unscored"), rows)
        return f"**{display.escape_markdown(self._headline())}**\n\n{table}"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _headline(self) -> str:
        return f"{self.dataset}: {describe_states(self)}, run {self.run_id}"


def describe_states(report: EvalReport) -> str:
    """Return the number of cases and of those that are no answers of this system, in words."""
    other = [f"{n} {state}" for state, n in sorted(report.states.items()) if state != "ok"]
    suffix = f" ({', '.join(other)}: unscored)" if other else ""
    return f"{len(report.rows)} cases{suffix}"


def words_an_answer(rows: Iterable[EvalRow]) -> float:
    """Mean number of words of the answers that were given, without their markers; NaN when there is none."""
    found = [len(remove_markers(row.answer).split()) for row in rows if row.answered and row.answer]
    return sum(found) / len(found) if found else math.nan


def summarise(measure: MeasureInfo, rows: Sequence[EvalRow]) -> Summary | None:
    """One measure over the rows; None when it applies to none of them."""
    held = [(row.scores[measure.name], row.cluster) for row in rows if measure.name in row.scores]
    if not held:
        return None
    scored = [(value, cluster) for value, cluster in held if value is not None]
    return Summary(
        measure=measure.name,
        interval=interval([v for v, _ in scored], [c for _, c in scored], measure.scale),
        unscored=len(held) - len(scored),
    )


def summary_table(summaries: Iterable[Summary]) -> display.Html:
    """Means with their intervals, and how many rows stand behind them."""
    rows = [
        (s.measure, s.interval.mean, _range(s.interval), s.interval.n, s.interval.clusters, s.unscored)
        for s in summaries
    ]
    return display.table(("Measure", "Mean", "95 % interval", "Cases", "Clusters", "Unscored"), rows)


def _range(found: Interval, always: bool = False) -> str:
    unknown = math.isnan(found.mean) and not always
    return "–" if unknown else f"{found.low:.3f} to {found.high:.3f}"


def describe_unscored(report: EvalReport) -> list[str]:
    """Return a sentence for each measure that could not be taken on answers of the system itself, with the reasons.

    Cases whose evidence the corpus lacks are told of apart.
    """
    sentences = []
    for info in report.measures:
        cases: dict[str, list[str]] = defaultdict(list)
        for row in report.rows:
            is_unscored = row.state == "ok" and info.name in row.scores and row.scores[info.name] is None
            if is_unscored and row.case_id not in report.missing_evidence:
                cases[row.reasons.get(info.name, "no reason given")].append(row.case_id)
        for reason, named in sorted(cases.items(), key=lambda pair: (-len(pair[1]), pair[0])):
            sentences.append(f"{info.name}: {len(named)} unscored ({name_some(named)}): {reason}")
    return sentences


def describe_judges(report: EvalReport) -> list[str]:
    """Return what must be known of the judges of a run: corrected scores, or that they are uncalibrated."""
    corrected = {correction.measure: correction for correction in report.corrections}
    sentences = []
    for info in report.measures:
        if not info.judge:
            continue
        if info.name in corrected:
            sentences.append(corrected[info.name].words)
        else:
            sentences.append(
                f"{info.name}: uncalibrated. How far its grades agree with people is unknown: compare runs by them, "
                "and do not take them for a rate of good answers (roma judge label, roma calibrate judge)."
            )
        own = sum(bool(row.model) and row.model in info.models.values() for row in report.rows)
        total = len(report.rows)
        if own:
            sentences.append(f"{info.name}: its model also wrote {own} of the {total} answers that it grades.")
    return sentences


def render_page(report: EvalReport) -> str:
    """Return the report as one HTML file that needs nothing else."""
    words = f"{words_an_answer(report.rows):.1f} words an answer"
    asked = display.paragraph(f"{describe_states(report)}, {words}")
    parts = [display.heading("All cases"), asked, summary_table(report.summary())]
    parts += [display.paragraph(sentence) for sentence in describe_judges(report)]
    for title, rows in report.groups().items():
        parts += [display.heading(title), summary_table(report.summary(rows))]
    sources = [(m.name, m.source, m.direction) for m in report.measures]
    parts += [display.heading("Cases"), _case_table(report)]
    parts += [display.heading("Measures"), display.table(("Measure", "Source", "Better"), sources)]
    decided = {
        "run": report.run_id,
        "dataset": report.dataset_sha256,
        "corpus": report.corpus_sha256,
        "index": report.index_sha256,
        "top_k": report.top_k,
    }
    decided |= {f"prompt {name}": sha for name, sha in report.prompts.items()} | report.settings
    parts += [display.heading("What decided this run"), display.table(("Name", "Value"), list(decided.items()))]
    return display.page(f"ROMA evaluation of {report.dataset}", display.box(*parts))


def _case_table(report: EvalReport) -> display.Html:
    names = [m.name for m in report.measures]
    rows = [
        (r.case_id, r.kind, r.question, r.answer, _remarks(r), *(r.scores.get(n) for n in names)) for r in report.rows
    ]
    return display.table(("Case", "Kind", "Question", "Answer", "Remarks", *names), rows)


def _remarks(row: EvalRow) -> display.Html:
    """Return the failure of a row, and the reasons of its scores."""
    reasons = display.cell("; ".join([row.why] * bool(row.why) + [f"{n}: {why}" for n, why in row.reasons.items()]))
    return display.Html((display.state(row.error) if row.error else "") + reasons)


def read_report(path: Path) -> EvalReport:
    """Return the report in a file. Raises ``EvalError``."""
    try:
        data = dict(json.loads(path.read_text(encoding="utf-8")))
        derived = set(EvalReport.model_computed_fields)
        return EvalReport.model_validate({k: v for k, v in data.items() if k not in derived})
    except (OSError, TypeError, ValueError) as error:
        raise EvalError(f"{path} is not a report of ROMA ({type(error).__name__}).", ErrorCode.EVAL_DATASET) from None
