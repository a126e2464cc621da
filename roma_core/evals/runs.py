"""Runs of evaluations in a workspace: a folder each, with a name, a date and labels, found by any of them.

A run's id is the hash of what decided it, so the same evaluation again is the same run. Its name is what a person calls
it; a name that is given again belongs to the newest run that has it.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from roma_core.errors import ErrorCode, EvalError, suggest_name
from roma_core.evals import provenance
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.provenance import RunProvenance, read_provenance
from roma_core.evals.report.record import EvalReport, MeasureInfo, RunFacts, Summary, read_report, render_page
from roma_core.settings import Settings
from roma_core.types import Noun, Usage
from roma_core.workspace import Workspace, private_folder, replace_file

CARD, REPORT, PAGE, FACTS = "run.json", "report.json", "report.html", "facts.json"
INCOMPLETE = "incomplete.json"
"""The report of a later attempt at the same run that scored less than the one that is kept."""
SUMMARY = "summary.json"
"""The figures of a run that dashboards read in place of its rows; made again when the report or the facts are newer."""
COMPARISONS, SAMPLES, DATASET = "comparisons", "samples", "dataset.json"
NAMES_LOCK = "names.lock"
"""Held while a run is written: two that end at one moment do not take the same number for a name."""
NAME = re.compile(r"[\w.@+-]{1,80}")


class RunCard(Noun):
    """A run as it is listed: what it is called, when it was made, what it is of."""

    run_id: str
    name: str
    created_at: datetime
    labels: tuple[str, ...] = ()
    dataset: str = ""
    cases: int = 0
    states: dict[str, int] = Field(default_factory=dict)
    """Number of cases in each state; only those that are ``ok`` are scored."""
    primary: str = ""
    """The measure that was named before the run as the one that decides."""

    @property
    def is_whole(self) -> bool:
        """True when every case was answered by the system itself."""
        return set(self.states) <= {"ok"}


class RunSummary(Noun):
    """The figures of a run without its rows: means with intervals, cost and time. Small, whatever the run's size."""

    card: RunCard
    dataset_sha256: str
    measures: tuple[MeasureInfo, ...] = ()
    summaries: tuple[Summary, ...] = ()
    asked: int = 0
    """Questions that were put to the system in this run; those that were resumed are not among them."""
    cost_usd: float | None = 0.0
    """None where a price is unknown."""
    seconds: float = 0.0
    median_s: float | None = None
    p95_s: float | None = None
    """Time to an answer; None where no times are kept."""

    def find(self, measure: str) -> Summary | None:
        """Return a measure's mean with its interval; None when the run did not take it."""
        return next((summary for summary in self.summaries if summary.measure == measure), None)


class RunStore:
    """The runs below one folder.

    >>> RunStore(Path(".roma/evals")).list()
    []

    Example::

        RunStore(Path(".roma/evals")).read("lazy").mean("nugget_recall")
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, report: EvalReport, name: str = "", primary: str = "") -> RunCard:
        """Write a run's files and return its card. A report that scored less than the kept one does not replace it.

        Raises ``EvalError`` for a name that could not be typed in a shell.
        """
        from filelock import FileLock

        require_run_name(name)
        private_folder(self.folder)
        with FileLock(str(self.folder / NAMES_LOCK)):
            return self._save(report, name, primary)

    def _save(self, report: EvalReport, name: str, primary: str) -> RunCard:
        target = self.folder / report.run_id
        private_folder(target)
        card = self._make_card(report, name, primary)
        held = _read_held(target)
        if held is not None and count_scores(held) > count_scores(report):
            replace_file(target / INCOMPLETE, report.canonical())
            card = card.model_copy(update={"states": held.states})
        else:
            replace_file(target / REPORT, report.canonical())
            (target / INCOMPLETE).unlink(missing_ok=True)
            replace_file(target / PAGE, render_page(report))
            if report.facts.asked or not (target / FACTS).is_file():
                replace_file(target / FACTS, report.facts.model_dump_json(indent=1) + "\n")
        self._write_card(card)
        return card

    def list(self) -> Sequence[RunCard]:
        """Return the cards of all runs, the newest last."""
        cards = [self._card_of(path.parent) for path in self.folder.glob(f"*/{REPORT}")]
        return sorted(cards, key=lambda card: (card.created_at, card.run_id))

    def find(self, name: str) -> RunCard:
        """Return a run by name, label, or the beginning of its id. Raises ``EvalError`` (``ERR_NOT_FOUND``)."""
        cards = self.list()
        named = [card for card in cards if card.name == name]
        if named:
            return named[-1]
        labelled = [card for card in cards if name in card.labels]
        matching = labelled or [card for card in cards if name and card.run_id.startswith(name)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise EvalError(
                f"More than one run matches {name!r}: {_name_runs(matching)}. Use a run id.", ErrorCode.NOT_FOUND
            )
        known = [card.name for card in cards]
        hint = suggest_name(name, known) if known else "There are none yet; `roma eval` makes one."
        raise EvalError(f"There is no run {name!r}. {hint}", ErrorCode.NOT_FOUND)

    def read(self, name: str) -> EvalReport:
        """Return a report by ``find``, by its file or by its folder. Raises ``EvalError``."""
        given = Path(name)
        for path in (given, given / REPORT):
            if path.is_file():
                return read_report(path)
        return read_report(self.folder / self.find(name).run_id / REPORT)

    def name_of(self, run_id: str) -> str:
        """Return what a kept run is called; its id where it has no name or is not kept here."""
        card = self._read_card(self.folder / run_id)
        return card.name if card is not None and card.name else run_id

    def save_samples(self, run_id: str, samples: Sequence[EvalReport]) -> None:
        """Keep the reports of further samples of a run: the same system, asked again."""
        if not samples:
            return
        folder = self.folder / run_id / SAMPLES
        private_folder(folder)
        for number, report in enumerate(samples, start=1):
            replace_file(folder / f"{number}.json", report.canonical())

    def samples(self, name: str) -> tuple[EvalReport, ...]:
        """Return the reports of further samples of a run. Raises ``EvalError``."""
        paths = sorted((self.folder / self.find(name).run_id / SAMPLES).glob("*.json"))
        return tuple(read_report(path) for path in paths)

    def samples_of(self, name: str) -> tuple[EvalReport, ...]:
        """Return ``samples``; none for a report that is named by its path."""
        return () if Path(name).exists() else self.samples(name)

    def facts(self, name: str) -> RunFacts:
        """Return the times and costs of a run; empty ones when they are not kept. Raises ``EvalError``."""
        return self.read_facts(self.find(name).run_id)

    def read_facts(self, run_id: str) -> RunFacts:
        """Return the times and costs of the run with this id; empty ones when they are not kept."""
        path = self.folder / run_id / FACTS
        try:
            return RunFacts.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return RunFacts()

    def summarise(self, card: RunCard) -> RunSummary:
        """Return the figures of a run, from its small file where that is as new as the run. Raises ``EvalError``."""
        folder = self.folder / card.run_id
        kept = _read_summary(folder)
        if kept is None:
            kept = make_summary(card, read_report(folder / REPORT), self.read_facts(card.run_id))
            with suppress(OSError):  # a workspace that can only be read is summed up each time
                replace_file(folder / SUMMARY, kept.model_dump_json() + "\n")
        return kept.model_copy(update={"card": card})

    def summaries(self) -> Sequence[RunSummary]:
        """Return the figures of all runs, the newest last; a run whose report cannot be read is left out."""
        found: list[RunSummary] = []
        for card in self.list():
            try:
                found.append(self.summarise(card))
            except EvalError:
                continue
        return found

    def find_provenance(self, run_id: str) -> RunProvenance | None:
        """Return the card of the run with this id; None without one."""
        try:
            return read_provenance(self.folder / run_id)
        except EvalError:
            return None

    def write_provenance(self, card: RunProvenance, prompts: Mapping[str, Path], dataset: Golden | None = None) -> Path:
        """Write the card of a run, the texts of its chosen prompts, and the set where no file holds it."""
        folder = self.folder / card.run_id
        private_folder(folder)
        if dataset is not None:
            text = json.dumps([case.model_dump(mode="json") for case in dataset.cases], ensure_ascii=False, indent=1)
            replace_file(folder / DATASET, text + "\n")
        return provenance.write_provenance(card, folder, prompts)

    def registered_primary(self, names: Iterable[str]) -> str:
        """Return the first primary measure that one of the runs was given before it was asked; empty without one."""
        known = {name: card for card in self.list() for name in (card.name, card.run_id, *card.labels)}
        return next((known[name].primary for name in names if name in known and known[name].primary), "")

    def write_page(self, stem: str, page: str, path: Path | None = None) -> Path:
        """Write an HTML page to ``path``, else below the folder of comparisons, and return its place."""
        target = path or self.folder / COMPARISONS / f"{stem}.html"
        private_folder(target.parent)
        replace_file(target, page)
        return target

    def page(self, name: str) -> Path:
        """Return the path of a run's HTML report. Raises ``EvalError``."""
        return self.folder / self.find(name).run_id / PAGE

    def remove(self, name: str) -> RunCard:
        """Delete a run's files; its answers stay cached. Raises ``EvalError``."""
        card = self.find(name)
        shutil.rmtree(self.folder / card.run_id)
        return card

    def rename(self, name: str, to: str) -> RunCard:
        """Give a run another name. Raises ``EvalError``."""
        require_run_name(to)
        return self._update(name, name=to)

    def label(self, name: str, labels: Iterable[str], remove: bool = False) -> RunCard:
        """Add labels to a run, or remove them. Raises ``EvalError``."""
        held, given = self.find(name).labels, tuple(labels)
        kept = tuple(label for label in held if label not in given)
        return self._update(name, labels=kept if remove else (*kept, *given))

    def _update(self, run: str, **fields: object) -> RunCard:
        card = self.find(run).model_copy(update=fields)
        self._write_card(card)
        return card

    def _make_card(self, report: EvalReport, name: str, primary: str) -> RunCard:
        held = self._read_card(self.folder / report.run_id)
        labels = held.labels if held else ()
        if held and name and held.name not in {name, *labels}:
            labels = (*labels, held.name)  # the same evaluation under another name: the old one still finds it
        return RunCard(
            run_id=report.run_id,
            name=name or (held.name if held else self._next_name(report.dataset)),
            created_at=held.created_at if held and not name else datetime.now(UTC),
            labels=labels,
            dataset=report.dataset,
            cases=len(report.rows),
            states=report.states,
            primary=primary or (held.primary if held else ""),
        )

    def _next_name(self, dataset: str) -> str:
        """Return ``<dataset>-<n>`` with the next free number."""
        stem = re.sub(r"[^\w.@+-]+", "-", dataset) or "run"
        taken = [card.name.removeprefix(f"{stem}-") for card in self.list()]
        return f"{stem}-{max([int(n) for n in taken if n.isdigit()], default=0) + 1}"

    def _card_of(self, folder: Path) -> RunCard:
        """Return a run's card; one without (made by hand, or copied) is called by its folder."""
        card = self._read_card(folder)
        if card is not None:
            return card
        created = datetime.fromtimestamp((folder / REPORT).stat().st_mtime, UTC).replace(microsecond=0)
        return RunCard(run_id=folder.name, name=folder.name, created_at=created)

    def _read_card(self, folder: Path) -> RunCard | None:
        try:
            return RunCard.model_validate_json((folder / CARD).read_bytes())
        except (OSError, ValidationError):
            return None

    def _write_card(self, card: RunCard) -> None:
        text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True)
        replace_file(self.folder / card.run_id / CARD, text + "\n")


def open_runs(settings: Settings) -> RunStore:
    """Return the runs of the workspace that ``settings`` name.

    >>> open_runs(Settings()).folder.as_posix()
    '.roma/evals'
    """
    return RunStore(Workspace.of(settings).evals)


def make_summary(card: RunCard, report: EvalReport, facts: RunFacts) -> RunSummary:
    """Return the figures of a run from its rows and its facts."""
    times = sorted(facts.case_seconds.values())
    return RunSummary(
        card=card,
        dataset_sha256=report.dataset_sha256,
        measures=report.measures,
        summaries=report.summary(),
        asked=facts.asked,
        cost_usd=Usage.total(facts.usage.values()).cost_usd,
        seconds=facts.seconds,
        median_s=find_quantile(times, 0.5),
        p95_s=find_quantile(times, 0.95),
    )


def find_quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least ``share`` of the values do not exceed; None without values.

    >>> find_quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _read_summary(folder: Path) -> RunSummary | None:
    """Return the figures in a run's small file; None when there are none, or older ones than the run."""
    path = folder / SUMMARY
    try:
        made_at = path.stat().st_mtime_ns
        sources = [folder / REPORT, *([folder / FACTS] if (folder / FACTS).exists() else [])]
        if any(source.stat().st_mtime_ns > made_at for source in sources):
            return None
        return RunSummary.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def require_run_name(name: str) -> None:
    """Raise ``EvalError`` for a name that could not be typed in a shell; an empty one is none."""
    if name and not NAME.fullmatch(name):
        raise EvalError(
            f"A run cannot be called {name!r}: use up to 80 letters, digits and . _ - + @.", ErrorCode.EVAL_PARAMETERS
        )


def count_scores(report: EvalReport) -> int:
    """Return the number of scores that were taken."""
    return sum(value is not None for row in report.rows for value in row.scores.values())


def _read_held(folder: Path) -> EvalReport | None:
    try:
        return read_report(folder / REPORT)
    except EvalError:  # none yet, or one that a kill has cut
        return None


def _name_runs(cards: Iterable[RunCard]) -> str:
    return ", ".join(f"{card.name} ({card.run_id})" for card in cards)
