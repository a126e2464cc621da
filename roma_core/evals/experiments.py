"""Experiments: several variants of a system on one golden set, decided in one measure with one correction.

A variant is a dictionary of settings, a ``Variant`` (settings, prompts, stages), or any ``async`` function from a query
to an answer: a rival's system too. ``grid`` makes one of each combination::

    await experiment([{}, {"rerank_weight": 0.0}], "golden.json", roma, primary="nugget_recall")
    await experiment([Variant("base"), *grid(rerank_weight=[0.0, 0.3], lexical_weight=[0.2, 0.6])], ...)
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field, ValidationError

from roma_core.errors import ErrorCode, EvalError, explain_invalid, suggest_name
from roma_core.evals.evaluation import TOP_K, System, evaluate, load_dataset
from roma_core.evals.foreign import SYSTEM, ForeignSystem
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.measures.base import Measurable
from roma_core.evals.measures.registry import import_attribute
from roma_core.evals.report.comparison import (
    ExperimentComparison,
    choose_primary,
    compare_variants,
    require_margin,
)
from roma_core.evals.report.record import EvalReport
from roma_core.evals.runner import Task
from roma_core.evals.runs import RunStore
from roma_core.evals.workers import open_executor_if_named
from roma_core.types import Noun, Usage
from roma_core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

EditPipeline = Callable[[Any], Any]


class VariableSystem(System, Protocol):
    """A system that variants can be made of: ``Roma``."""

    def vary(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        prompts: Mapping[str, str | Path] | None = None,
        pipeline: EditPipeline | None = None,
        sources: Sequence[str] = (),
    ) -> AbstractAsyncContextManager[System]: ...


@dataclass(frozen=True)
class Variant:
    """One system of an experiment: changes to ``Roma``, or a ``task`` of its own.

    ``prompts`` are versions or files by name; ``pipeline`` edits the stages; ``fingerprint`` names a task's version.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompts: Mapping[str, str | Path] = field(default_factory=dict)
    pipeline: EditPipeline | None = None
    task: Task | None = None
    fingerprint: str = ""


VariantLike = Variant | Mapping[str, Any] | Task


class ExperimentProgress(Noun):
    """The state of an experiment that is under way."""

    variant: str
    number: int
    """Number of the variant, from 1."""
    variants: int
    done: int
    """Questions that were answered, over all variants."""
    total: int
    seconds_left: float
    """What is left at the pace so far; NaN before the first answer."""


OnExperiment = Callable[[ExperimentProgress], None]


class ExperimentEstimate(Noun):
    """The most that an experiment can cost, by the latest run of the same questions that asked them all."""

    questions: int
    """Questions over all variants; those that were asked before cost nothing."""
    basis: str = ""
    """Name of the run; empty when there is none."""
    calls: int = 0
    cost_usd: float | None = None
    seconds: float = math.nan

    @property
    def words(self) -> str:
        """The estimate in a sentence."""
        if not self.basis:
            return f"{self.questions} questions; no earlier run of this set tells what they cost."
        cost = "at an unknown price" if self.cost_usd is None else f"for {self.cost_usd:.4f} USD"
        return (
            f"{self.questions} questions: at most {self.calls} model calls {cost} and {self.seconds:.0f} s, "
            f"by the run {self.basis}; what variants share, and what was asked before, costs nothing again."
        )


class VariantResult(Noun):
    """One variant's run: its score in the deciding measure, and what it took."""

    name: str
    run_id: str
    score: float
    low: float
    high: float
    asked: int
    known: int
    """Questions whose answers were known from an earlier run."""
    calls: int
    cost_usd: float | None
    """Cost of a question with all that its answer needed, also where the answer was known; None without a price."""
    seconds: float
    """Median time of an answer, with the work that another variant had done for it."""
    states: dict[str, int]
    report: EvalReport = Field(repr=False, exclude=True)


class Experiment(Noun):
    """Variants on one golden set: each one's run, and the decision for each against the base."""

    dataset: str
    primary: str
    base: str
    estimate: ExperimentEstimate
    seconds: float
    variants: tuple[VariantResult, ...]
    comparison: ExperimentComparison | None = None
    """None when there is only the base, or nothing else has an answer."""
    broken: dict[str, str] = Field(default_factory=dict)
    """Variants that have no answer of their own, and so no decision, with the most frequent reason."""

    def report(self, name: str) -> EvalReport:
        """Return the report of a variant. Raises ``EvalError``."""
        for variant in self.variants:
            if variant.name == name:
                return variant.report
        raise EvalError(f"There is no variant {name!r}. {suggest_name(name, [v.name for v in self.variants])}")

    def describe_undecided(self, name: str) -> str:
        """Return what stands in the place of a decision: ``base``, or ``no answer``."""
        return "no answer" if name in self.broken else "base"

    def to_frame(self) -> pd.DataFrame:
        """One row a variant: scores, decision, cost and latency."""
        import pandas as pd

        decisions = {v.name: v for v in self.comparison.variants} if self.comparison else {}
        records = []
        for variant in self.variants:
            record = variant.model_dump(exclude={"report", "states"})
            compared = decisions.get(variant.name)
            decided = compared.comparison.of(self.primary) if compared else None
            record["difference"] = decided.difference.mean if decided else math.nan
            record["adjusted_p"] = compared.adjusted_p if compared else math.nan
            record["decision"] = decided.decision.value if decided else self.describe_undecided(variant.name)
            records.append(record)
        return pd.DataFrame(records)

    def _repr_html_(self) -> str:
        from roma_core.evals.report.experiment_page import render_experiment_report

        return render_experiment_report(self)


def grid(**axes: Sequence[Any]) -> list[Variant]:
    """Return a variant for each combination of settings, named by them.

    >>> [variant.name for variant in grid(rerank_weight=[0.0, 0.5], rerank_limit=[20])]
    ['rerank_weight=0.0 rerank_limit=20', 'rerank_weight=0.5 rerank_limit=20']
    """
    combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [Variant(name_settings(settings), settings) for settings in combinations]


def name_settings(settings: Mapping[str, Any]) -> str:
    """Return a name for a variant that only its settings describe.

    >>> name_settings({"rerank_weight": 0.0})
    'rerank_weight=0.0'
    """
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "base"


def read_variants(given: Sequence[VariantLike] | Mapping[str, VariantLike]) -> list[Variant]:
    """Return variants under their names. Raises ``EvalError`` for what is none, and for a name that is there twice."""
    if isinstance(given, Mapping):
        variants = [_as_variant(value, name) for name, value in given.items()]
    else:
        variants = [_as_variant(value) for value in given]
    names = [variant.name for variant in variants]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise EvalError(f"Two variants are called {', '.join(doubled)}; rename one.", ErrorCode.EVAL_PARAMETERS)
    if not variants:
        raise EvalError("An experiment needs a variant.", ErrorCode.EVAL_PARAMETERS)
    return variants


def _as_variant(value: VariantLike, name: str = "") -> Variant:
    if isinstance(value, Variant):
        return Variant(name or value.name, **{k: v for k, v in vars(value).items() if k != "name"})
    if isinstance(value, Mapping):
        return Variant(name or name_settings(value), value)
    if callable(value):
        return Variant(name or getattr(value, "__name__", "task"), task=value)
    raise EvalError(
        f"{value!r} is no variant: give a dictionary of settings, a Variant, or an async function of a query.",
        ErrorCode.EVAL_PARAMETERS,
    )


async def experiment(
    variants: Sequence[VariantLike] | Mapping[str, VariantLike],
    dataset: Golden | str | Path,
    system: VariableSystem | None = None,
    *,
    primary: str = "",
    base: int | str = 0,
    margin: float | None = None,
    measures: Sequence[Measurable | str] = (),
    limit: int | None = None,
    top_k: int = TOP_K,
    sources: Sequence[str] = (),
    prefix: str = "",
    concurrency: int = 4,
    progress: OnExperiment | None = None,
    on: str | None = None,
) -> Experiment:
    """Return which variants are better than the base, with what each costs and how long it takes.

    >>> await experiment([{}, {"rerank_weight": 0.0}], "golden.json", roma)  # doctest: +SKIP

    ``system`` (a ``Roma``) is what variants of settings, prompts and stages are made of; work that they have in common
    is done once. ``base`` is a number or a name. ``primary`` is the measure that decides, ``margin`` a loss that would
    not matter. A variant that shapes the index is made from ``sources`` (default: all that were ingested). Runs are
    kept under the variants' names, after ``prefix``. ``on`` says where variants of ``system`` are asked, see
    ``evaluate``. Raises ``EvalError``, and ``ConfigError`` for wrong settings.
    """
    chosen = read_variants(variants)
    names = [variant.name for variant in chosen]
    base_name = _find_base(names, base)
    require_margin(margin)
    golden = dataset if isinstance(dataset, Golden) else load_dataset(str(dataset))
    if system is None and (made := [v.name for v in chosen if v.task is None]):
        raise EvalError(
            f"Variants are made of a system, and none is given: experiment(..., roma). Without: {', '.join(made)}.",
            ErrorCode.EVAL_PARAMETERS,
        )
    # All of them are checked before the first question is asked.
    opened = {
        v.name: system.vary(v.settings, prompts=v.prompts, pipeline=v.pipeline, sources=[str(s) for s in sources])
        for v in chosen
        if system is not None and v.task is None
    }
    estimate = estimate_experiment(golden.sample(limit), len(chosen), system)
    started = time.perf_counter()
    clock = _Clock(chosen, len(golden.sample(limit).cases), progress)
    reports: dict[str, EvalReport] = {}
    async with open_executor_if_named(on, system) as executor:
        for number, variant in enumerate(chosen, start=1):
            options: dict[str, Any] = {
                "measures": measures,
                "limit": limit,
                "top_k": top_k,
                "concurrency": concurrency,
                "progress": clock.watch(number),
            }
            if variant.task is not None and system is None:
                version = variant.fingerprint or variant.name
                reports[variant.name] = await evaluate(dataset, variant.task, fingerprint=version, **options)
                continue
            options |= {"name": make_run_name(prefix, variant.name), "primary": primary, "on": "local"}
            if variant.task is not None and system is not None:
                foreign = ForeignSystem(system, variant.task, variant.name, version=variant.fingerprint)
                reports[variant.name] = await evaluate(dataset, foreign, resume=False, **options)
                continue
            options["on"] = executor or "local"
            async with opened[variant.name] as made_system:
                reports[variant.name] = await evaluate(dataset, made_system, **options)
    broken = {
        name: report.most_frequent_trouble
        for name, report in reports.items()
        if name != base_name and not report.states.get("ok")
    }
    others = {name: report for name, report in reports.items() if name != base_name and name not in broken}
    decides = choose_primary(reports[base_name].measures, primary)
    compared = compare_variants(reports[base_name], others, primary=decides, margin=margin) if others else None
    if compared is not None:
        compared = compared.model_copy(update={"base": base_name})
    return Experiment(
        dataset=golden.name,
        primary=decides,
        base=base_name,
        estimate=estimate,
        seconds=time.perf_counter() - started,
        variants=tuple(describe_result(name, reports[name], decides) for name in names),
        comparison=compared,
        broken=broken,
    )


def _find_base(names: Sequence[str], base: int | str) -> str:
    if isinstance(base, str):
        if base not in names:
            raise EvalError(f"There is no variant {base!r}. {suggest_name(base, names)}", ErrorCode.EVAL_PARAMETERS)
        return base
    if not -len(names) <= base < len(names):
        raise EvalError(f"The base is variant {base}, of {len(names)}.", ErrorCode.EVAL_PARAMETERS)
    return names[base]


class _Clock:
    """Turns the progress of one run into that of the experiment."""

    def __init__(self, variants: Sequence[Variant], questions: int, progress: OnExperiment | None) -> None:
        self._variants, self._questions, self._progress = variants, questions, progress
        self._started = time.perf_counter()

    def watch(self, number: int) -> Callable[[int, int], None]:
        """Return the callback of the run of variant ``number``."""
        before = (number - 1) * self._questions
        total = len(self._variants) * self._questions

        def advance(done: int, _: int) -> None:
            if self._progress is None:
                return
            finished = before + done
            pace = (time.perf_counter() - self._started) / finished if finished else math.nan
            self._progress(
                ExperimentProgress(
                    variant=self._variants[number - 1].name,
                    number=number,
                    variants=len(self._variants),
                    done=finished,
                    total=total,
                    seconds_left=pace * (total - finished),
                )
            )

        return advance


def estimate_experiment(golden: Golden, variants: int, system: System | None) -> ExperimentEstimate:
    """Return the most that ``variants`` variants can cost, by the latest run of the same questions."""
    questions = variants * len(golden.cases)
    if system is None:
        return ExperimentEstimate(questions=questions)
    store = RunStore(Workspace.of(system.settings).evals)
    for card in reversed(store.list()):
        facts = store.facts(card.run_id)
        if card.dataset != golden.name or not facts.asked or facts.asked != card.cases:
            continue
        provenance = store.find_provenance(card.run_id)
        if provenance is not None and SYSTEM in provenance.models:
            continue  # another system's run tells nothing of this one's cost
        usage, share = Usage.total(facts.usage.values()), questions / facts.asked
        cost = None if usage.cost_usd is None else usage.cost_usd * share
        return ExperimentEstimate(
            questions=questions,
            basis=card.name,
            calls=math.ceil(usage.calls * share),
            cost_usd=cost,
            seconds=facts.seconds * share,
        )
    return ExperimentEstimate(questions=questions)


def describe_result(name: str, report: EvalReport, primary: str) -> VariantResult:
    """Return the line of a variant."""
    summary = next((s for s in report.summary() if s.measure == primary), None)
    facts = report.facts
    usage = Usage.total(facts.usage.values())
    asked = facts.asked or 1
    saved = None if usage.saved_usd is None or usage.cost_usd is None else usage.cost_usd + usage.saved_usd
    seconds = [alone + facts.case_spared.get(case, 0.0) for case, alone in facts.case_seconds.items()]
    return VariantResult(
        name=name,
        run_id=report.run_id,
        score=summary.interval.mean if summary else math.nan,
        low=summary.interval.low if summary else math.nan,
        high=summary.interval.high if summary else math.nan,
        asked=facts.asked,
        known=facts.resumed,
        calls=usage.calls,
        cost_usd=None if saved is None else saved / asked,
        seconds=statistics.median(seconds) if seconds else math.nan,
        states=report.states,
        report=report,
    )


def make_run_name(prefix: str, name: str) -> str:
    """Return a name that a run can have: what a shell would read otherwise is a dash.

    >>> make_run_name("lab-", "rerank_weight=0.0")
    'lab-rerank_weight-0.0'
    """
    return "".join(c if c.isalnum() or c in "_.@+-" else "-" for c in f"{prefix}{name}")[:80]


class ExperimentFile(Noun):
    """An experiment as a TOML file describes it. Paths are seen from the folder of the file."""

    dataset: str
    primary: str = ""
    base: str = ""
    margin: float | None = None
    measures: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    top_k: int = Field(default=TOP_K, ge=1)
    sources: tuple[str, ...] = ()
    prefix: str = ""
    variants: dict[str, VariantTable] = Field(default_factory=dict)
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)

    @property
    def all_variants(self) -> list[Variant]:
        """The variants in their order, those of the grid after the named ones. Raises ``EvalError``."""
        named = [table.make(name) for name, table in self.variants.items()]
        return read_variants([*named, *(grid(**self.grid) if self.grid else [])])


class VariantTable(Noun):
    """A variant in a file: settings and prompts by name, or ``system = "module:function"`` for another system."""

    settings: dict[str, Any] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)
    system: str = ""

    def make(self, name: str) -> Variant:
        """Return the variant. Raises ``EvalError`` when its system cannot be imported."""
        if not self.system:
            return Variant(name, self.settings, self.prompts)
        module, _, attribute = self.system.partition(":")
        return Variant(name, task=import_attribute(module, attribute, "system"), fingerprint=self.system)


ExperimentFile.model_rebuild()


def load_experiment(path: Path) -> ExperimentFile:
    """Read an experiment. Raises ``EvalError`` that names what is wrong.

    A file names the set, the measure that decides, and the variants::

        dataset = "golden.json"
        primary = "nugget_recall"
        [variants.base]
        [variants.lazy]
        settings = { rerank_weight = 0.0 }
        prompts = { answer = "lazy" }
        [grid]
        lexical_weight = [0.2, 0.6]
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvalError(f"{path} is no experiment: {error}", ErrorCode.EVAL_PARAMETERS) from None
    try:
        read = ExperimentFile.model_validate(data)
    except ValidationError as error:
        hint = ". A variant has settings, prompts or system: settings = { rerank_weight = 0.0 }"
        is_of_variant = any(each["type"] == "extra_forbidden" and len(each["loc"]) > 1 for each in error.errors())
        why = explain_invalid(error) + (hint if is_of_variant else "")
        raise EvalError(f"{path}: {why}", ErrorCode.EVAL_PARAMETERS) from None
    folder = path.parent
    beside = {
        "dataset": _beside(folder, read.dataset),
        "sources": tuple(_beside(folder, source) for source in read.sources),
    }
    return read.model_copy(update=beside)


def _beside(folder: Path, name: str) -> str:
    """Return a path as seen from ``folder``; addresses and absolute paths stay."""
    if "://" in name or name.startswith("beir:") or Path(name).is_absolute():
        return name
    return str(folder / name)
