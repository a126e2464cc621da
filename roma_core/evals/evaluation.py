"""``evaluate``: the one call behind ``roma eval``, the notebook and the regression test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from roma_core.codehash import package_sha256
from roma_core.errors import AgentFailure, EvalError, NotFoundError
from roma_core.evals.checkpoint import SqliteCheckpoint
from roma_core.evals.golden.beir import load_beir, write_corpus
from roma_core.evals.golden.dataset import Golden, load_golden
from roma_core.evals.golden.evidence import Corpus, find
from roma_core.evals.golden.foreign_sets import IMPORT_FORMS, load_foreign_set
from roma_core.evals.judge.card import read_card
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures.base import Measurable, Measure
from roma_core.evals.measures.registry import require_measure, resolve_measures
from roma_core.evals.provenance import RunProvenance, describe_environment
from roma_core.evals.report.record import EvalReport, RunFacts
from roma_core.evals.runner import CaseRunner, Progress, Task, describe_measure, run_cases
from roma_core.evals.runs import RunStore, require_run_name
from roma_core.evals.workers import open_worker_task
from roma_core.executor import Executor
from roma_core.llm.base import sample
from roma_core.settings import Settings
from roma_core.starter import find_shipped
from roma_core.types import Document, IngestionReport, Query, TailorOutput, Usage, digest
from roma_core.workspace import Workspace, find_in_project

BEIR = "beir:"
DocumentIterator = Callable[[], AsyncIterator[Document]]
"""Called for each pass over the documents of a corpus."""
TOP_K = 5
SHIPPED_SETS = "datasets"
"""Folder of ROMA's own sets, in a checkout and in the wheel."""
SKINS = frozenset({"evals", "ui", "api", "telemetry", "cli", "__main__.py", "display.py", "codehash.py"})
"""Folders and files of ROMA's code that do not decide an answer."""


class Documents(Protocol):
    """The part of a store that an evaluation reads."""

    def documents(self, tenant: str) -> AsyncIterator[Document]: ...

    async def document(self, tenant: str, document_id: str) -> Document | None: ...

    async def index_sha256(self, tenant: str) -> str: ...


class Ingesting(Protocol):
    """A system with a corpus of its own."""

    @property
    def settings(self) -> Settings: ...

    def ingest(self, *sources: str, tenant: str | None = None) -> Awaitable[IngestionReport]: ...


class System(Ingesting, Protocol):
    """A system that is evaluated whole: ``Roma``, or anything with these parts."""

    @property
    def store(self) -> Documents: ...

    @property
    def prompts(self) -> Mapping[str, str]:
        """Hash of each prompt by name."""
        ...

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """Models and stages by their role: all that decides an answer beside settings and prompts."""
        ...

    def observe_usage(self, observer: Callable[[str, Usage], None]) -> Callable[[], None]:
        """Report the purpose and the usage of every model call until the returned function is called."""
        ...

    def query(self, query: Query, /, *, keep: bool = True) -> Awaitable[TailorOutput | AgentFailure]: ...


@runtime_checkable
class BringsJudge(Protocol):
    """A system that has a model to grade answers with: then a measure of it can be named."""

    def find_judge(self, name: str) -> Judge:
        """Return the judge by a rubric of this name. Raises ``EvalError`` where no model is configured."""
        ...


@runtime_checkable
class BringsPrompts(Protocol):
    """A system whose prompts can be other ones than its own."""

    @property
    def prompt_files(self) -> Mapping[str, Path]:
        """File of each prompt that is not the system's own, by name."""
        ...


async def evaluate(
    golden: Golden | str | Path,
    system: System | Task,
    *,
    measures: Sequence[Measurable | str] = (),
    defaults: bool = True,
    top_k: int = TOP_K,
    limit: int | None = None,
    name: str = "",
    primary: str = "",
    repeats: int = 1,
    concurrency: int = 4,
    resume: bool = True,
    fingerprint: str = "",
    progress: Progress | None = None,
    on: Executor | str | None = None,
) -> EvalReport:
    """Return how well ``system`` answers a golden set, measure by measure.

    >>> report = await evaluate("golden.json", roma, measures=[mine, Judge(roma.llm)])  # doctest: +SKIP

    ``golden`` is a set, its path, or ``beir:DIR`` (a BEIR folder, ingested under a tenant of its own). ``measures`` are
    taken beside the default ones (``defaults=False``: alone); a string names one as ``roma eval --measure`` does.

    ``system`` is ``Roma``, or any ``async`` function from a ``Query`` to an answer or a failure: a rival's too. With
    ``Roma`` the report is written below ``<workspace>/evals/<run id>`` with a card of all that made it, and answers are
    kept by the hash of all that decided them: a run that was killed goes on, the same run again asks nothing and writes
    the same bytes. ``resume=False`` asks everything again. ``name`` is what the run is called from then on; ``primary``
    is the measure that is to decide, written into the card before anything is asked.

    ``repeats`` asks the same system so many times, past the caches of its models: how far these samples differ is the
    noise that ``roma compare`` shows beside a difference.

    A function's answers are kept nowhere; ``fingerprint`` names its version.

    ``on`` asks the questions on workers (an address such as ``local:8``, or an open executor; by default
    ``ROMA_EXECUTOR``): the report is the same, but for times. Measures are taken here.

    Raises ``EvalError``, and ``WorkerError`` when there are no workers.
    """
    require_run_name(name)
    if callable(system):
        if on is not None:
            raise EvalError("A function of this process is asked here: evaluate it without `on`.")
        dataset = golden if isinstance(golden, Golden) else load_dataset(str(golden))
        wanted = resolve_measures(measures, top_k, defaults, None)
        require_measure(primary, wanted)
        runner = CaseRunner(system, wanted, top_k=top_k, concurrency=concurrency, fingerprint=fingerprint)
        report = await run_cases(dataset.sample(limit), runner, progress)
        return report.model_copy(update={"prompts": _measure_prompts(wanted)})
    wanted_run = WantedRun(golden, tuple(measures), defaults, top_k, limit, primary, repeats)
    prepared = await wanted_run.prepare(system, concurrency, resume)
    workspace = Workspace.of(system.settings)
    runs = RunStore(workspace.evals)
    card = await prepared.register(runs, name)
    meter = CallMeter()
    stop = system.observe_usage(meter.record)
    try:
        async with open_worker_task(system, on, meter.record) as workers:
            runner = prepared.runner
            if workers is not None:
                runner = replace(runner, task=workers[0], concurrency=max(concurrency, workers[1]))
            report = await run_cases(prepared.cases, runner, progress)
            report = report.model_copy(update={**prepared.decided, "facts": meter.add_to(report.facts)})
            samples = [await _draw_sample(n, prepared.cases, runner, progress) for n in range(1, repeats)]
    finally:
        stop()
    report = correct_scores(report, workspace.judges)
    saved = runs.save(report, name, primary)
    runs.save_samples(report.run_id, [drawn.model_copy(update=prepared.decided) for drawn in samples])
    if card is not None or report.facts.asked:
        card = card or await prepared.describe(name)
        runs.write_provenance(finish_card(card, report, saved.name), prepared.prompt_files, prepared.dataset)
    return report


async def describe_run(
    golden: Golden | str | Path,
    system: System,
    *,
    measures: Sequence[Measurable | str] = (),
    defaults: bool = True,
    top_k: int = TOP_K,
    limit: int | None = None,
    primary: str = "",
    repeats: int = 1,
) -> RunProvenance:
    """Return the card of a run as it would be made now; nothing is asked. Raises ``EvalError``."""
    wanted = WantedRun(golden, tuple(measures), defaults, top_k, limit, primary, repeats)
    prepared = await wanted.prepare(system, concurrency=1, resume=False)
    return await prepared.describe("")


@dataclass(frozen=True)
class WantedRun:
    """The parameters of a run."""

    golden: Golden | str | Path
    measures: tuple[Measurable | str, ...]
    defaults: bool
    top_k: int
    limit: int | None
    primary: str
    repeats: int

    def describe(self, dataset: Golden) -> dict[str, object]:
        """Return the parameters as a card holds them; a set that is no file is named alone."""
        return {
            "dataset": dataset.name if isinstance(self.golden, Golden) else _absolute(str(self.golden)),
            "measures": [_name_measure(each) for each in self.measures],
            "defaults": self.defaults,
            "top_k": self.top_k,
            "limit": self.limit,
            "primary": self.primary,
            "repeats": self.repeats,
        }

    async def prepare(self, system: System, concurrency: int, resume: bool) -> PreparedRun:
        """Return all that the run needs, up to the first question. Raises ``EvalError``."""
        dataset = self.golden if isinstance(self.golden, Golden) else load_dataset(str(self.golden))
        find_judge = system.find_judge if isinstance(system, BringsJudge) else None
        measures = resolve_measures(self.measures, self.top_k, self.defaults, find_judge)
        require_measure(self.primary, measures)
        tenant = await prepare_tenant(system, self.golden, dataset)
        cases = dataset.sample(self.limit)
        corpus = await find(cases.cases, system.store.documents(tenant))
        workspace = Workspace.of(system.settings)
        if not corpus.documents:
            raise EvalError(
                f"The corpus is empty: ingest documents to {workspace.folder.absolute()} before the evaluation, or "
                "name the workspace that holds them (--workspace, ROMA_WORKSPACE)."
            )

        async def read_text(document_id: str) -> str | None:
            document = await system.store.document(tenant, document_id)
            return document.text if document else None

        index_sha256 = await system.store.index_sha256(tenant)
        runner = CaseRunner(
            task=partial(system.query, keep=False),
            measures=measures,
            top_k=self.top_k,
            tenant=tenant,
            concurrency=concurrency,
            corpus=corpus,
            read_text=read_text,
            checkpoint=SqliteCheckpoint(workspace.eval_answers) if resume else None,
            fingerprint=system_fingerprint(system, corpus, index_sha256),
        )
        decided = {
            "index_sha256": index_sha256,
            "code_sha256": package_sha256(without=SKINS),
            "settings": {**system.settings.deciding(), **system.fingerprints},
            "prompts": {**system.prompts, **_measure_prompts(measures)},
        }
        return PreparedRun(
            cases=cases,
            runner=runner,
            decided=decided,
            parameters=self.describe(dataset),
            settings=system.settings.deciding(),
            models={**system.fingerprints, **{r: m for each in measures for r, m in each.models.items()}},
            prompt_files=system.prompt_files if isinstance(system, BringsPrompts) else {},
            dataset=dataset if isinstance(self.golden, Golden) else None,
        )


@dataclass(frozen=True)
class PreparedRun:
    """A run before its first question: what decides it is known, and so is its id."""

    cases: Golden
    runner: CaseRunner
    decided: Mapping[str, Any]
    parameters: Mapping[str, object]
    settings: Mapping[str, Any]
    models: Mapping[str, str]
    prompt_files: Mapping[str, Path]
    dataset: Golden | None
    """The set, where no file holds it."""

    @property
    def blank(self) -> EvalReport:
        """The report without a row: it has the id of the run."""
        return EvalReport(
            dataset=self.cases.name,
            dataset_sha256=self.cases.sha256,
            corpus_sha256=self.runner.corpus.sha256 if self.runner.corpus else "",
            fingerprint=self.runner.fingerprint,
            top_k=self.runner.top_k,
            measures=tuple(describe_measure(measure) for measure in self.runner.measures),
            **self.decided,
        )

    async def describe(self, name: str) -> RunProvenance:
        """Return the card of the run as of now."""
        blank = self.blank
        environment = await asyncio.to_thread(describe_environment)
        return RunProvenance(
            run_id=blank.run_id,
            name=name,
            parameters=dict(self.parameters),
            primary=str(self.parameters["primary"]),
            dataset=blank.dataset,
            dataset_sha256=blank.dataset_sha256,
            corpus_sha256=blank.corpus_sha256,
            index_sha256=blank.index_sha256,
            code_sha256=blank.code_sha256,
            settings=dict(self.settings),
            prompts=blank.prompts,
            chosen_prompts=tuple(sorted(self.prompt_files)),
            models=dict(self.models),
            **environment,
        )

    async def register(self, runs: RunStore, name: str) -> RunProvenance | None:
        """Write the card before anything is asked; None when an earlier run of the same id has one."""
        held = runs.find_provenance(self.blank.run_id)
        if held is not None and held.finished_at is not None:
            return None
        card = await self.describe(name)
        runs.write_provenance(card, self.prompt_files, self.dataset)
        return card


def finish_card(card: RunProvenance, report: EvalReport, name: str) -> RunProvenance:
    """Return a card with what the run took."""
    return card.model_copy(
        update={
            "name": name,
            "finished_at": datetime.now(UTC).replace(microsecond=0),
            "asked": report.facts.asked,
            "seconds": report.facts.seconds,
            "usage": report.facts.usage,
        }
    )


def _absolute(spec: str) -> str:
    form, colon, place = spec.partition(":")
    if colon and f"{form}:" in (BEIR, *(f"{each}:" for each in IMPORT_FORMS)):
        return f"{form}:{Path(place).resolve()}"
    return str(Path(find_dataset(spec)).resolve())


def _name_measure(given: Measurable | str) -> str:
    """Return the name by which a measure can be found again: ``module:name`` for a function of one's own."""
    if isinstance(given, str):
        return given
    measure = given.measure if not isinstance(given, Measure) and hasattr(given, "measure") else given
    function = measure.function if isinstance(measure, Measure) else measure
    module = getattr(function, "__module__", "")
    own = measure.name if isinstance(measure, Measure) else ""
    if own and module.startswith("roma_core."):
        return own
    return f"{module}:{getattr(function, '__qualname__', own)}"


def correct_scores(report: EvalReport, cards: Path) -> EvalReport:
    """Return the report with the corrected scores of the judges whose cards are in the folder ``cards``."""
    known = [read_card(info.judge, cards) for info in report.measures if info.judge]
    corrections = [card.correct(report) for card in known if card is not None]
    return report.model_copy(update={"corrections": tuple(c for c in corrections if c is not None)})


async def _draw_sample(number: int, cases: Golden, runner: CaseRunner, progress: Progress | None) -> EvalReport:
    """Return the report of the same system asked once more; its answers are kept apart from those of other samples."""
    token = sample.set(number)
    try:
        again = replace(runner, fingerprint=digest("sample", runner.fingerprint, str(number)))
        return await run_cases(cases, again, progress)
    finally:
        sample.reset(token)


@dataclass
class CallMeter:
    """Counts what model calls use, by their purpose."""

    usage: dict[str, Usage] = field(default_factory=dict)

    def record(self, purpose: str, usage: Usage) -> None:
        """Count one call."""
        self.usage[purpose] = self.usage.get(purpose, Usage()) + usage

    def add_to(self, facts: RunFacts) -> RunFacts:
        """Return ``facts`` with the usage of each purpose, in place of what answers and measures report themselves."""
        counted = {role: usage for role, usage in self.usage.items() if usage != Usage()}
        return facts.model_copy(update={"usage": {**facts.usage, **counted}})


def _measure_prompts(measures: Sequence[Measure]) -> dict[str, str]:
    return {name: sha256 for measure in measures for name, sha256 in measure.prompts.items()}


def load_dataset(spec: str) -> Golden:
    """Return a golden set by path, or another tool's by ``beir:DIR``, ``ragas:FILE`` or ``deepeval:FILE``.

    A path is seen from the working folder, else from the project's root (``find_dataset``). Raises ``EvalError``.
    """
    if spec.startswith(BEIR):
        return load_beir(Path(spec.removeprefix(BEIR)))
    form, colon, place = spec.partition(":")
    if colon and form in IMPORT_FORMS:
        return load_foreign_set(Path(place), form)
    return load_golden(Path(find_dataset(spec)))


def find_dataset(spec: str) -> str:
    """Return the path of a golden set, with its tag: as it is, else at the project's root, else the shipped one.

    So a notebook in a folder of its own and a command at the root mean the same file. One that is nowhere stays.

    >>> find_dataset("nowhere.json#core")
    'nowhere.json#core'
    """
    place, mark, tag = spec.partition("#")
    path = Path(place)
    if path.is_absolute() or path.exists() or Path(spec).exists():
        return spec
    found = [candidate for candidate in find_in_project(path) if candidate.exists()]
    if not found and path.parts[:1] == (SHIPPED_SETS,):
        with suppress(NotFoundError):
            found.append(find_shipped(path.as_posix()))
    return f"{found[0]}{mark}{tag}" if found else spec


def system_fingerprint(system: System, corpus: Corpus, index_sha256: str) -> str:
    """Return the hash of all that decides an answer beside the question and ``top_k``.

    The index counts beside the settings: it was made by those of the last ingest, whatever they are now.
    """
    parts = [f"{k}={v}" for k, v in sorted({**system.prompts, **system.fingerprints}.items())]
    settings = [f"{k}={v}" for k, v in system.settings.deciding().items()]
    return digest("system", package_sha256(without=SKINS), corpus.sha256, index_sha256, *settings, *parts)


async def prepare_tenant(system: Ingesting, golden: Golden | str | Path, dataset: Golden) -> str:
    """Return the tenant whose corpus answers ``dataset``: that of the settings, or one for ``beir:DIR``, ingested now.

    Raises ``EvalError``.
    """
    folder = _beir_folder(golden)
    return await _ingest_beir(system, folder, dataset) if folder else system.settings.tenant


def _beir_folder(golden: Golden | str | Path) -> Path | None:
    named = isinstance(golden, str) and golden.startswith(BEIR)
    return Path(str(golden).removeprefix(BEIR)) if named else None


def beir_tenant(folder: Path, golden: Golden) -> str:
    """Return the tenant that the corpus of a BEIR set belongs to."""
    return f"beir-{folder.name}-{golden.sha256[:8]}"


async def _ingest_beir(system: Ingesting, folder: Path, golden: Golden) -> str:
    """Ingest a BEIR corpus under a tenant named for its questions; returns the tenant."""
    tenant = beir_tenant(folder, golden)
    target = Workspace.of(system.settings).beir / tenant
    write_corpus(folder, target)
    report = await system.ingest(str(target), tenant=tenant)
    if failed := report.counts()["failed"]:
        raise EvalError(f"{failed} documents of {golden.name} could not be ingested; see the ledger of {tenant}.")
    return tenant
