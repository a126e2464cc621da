"""A run made again by its card: with its settings, prompts and parameters, over the data, index and code of today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.provenance import PROMPTS, RunProvenance
from roma_core.evals.report.record import EvalReport, EvalRow
from roma_core.evals.runs import DATASET
from roma_core.settings import Settings
from roma_core.types import Noun

MASK = "***"
"""Part of a value that a card does not hold: an address with credentials."""
NOTEBOOK_ONLY = "__main__:"


class RerunResult(Noun):
    """A run made again beside the one that is kept."""

    run_id: str
    kept_run_id: str
    cases: int
    other_answers: tuple[str, ...] = ()
    """Cases whose answer has another text."""
    other_scores: tuple[str, ...] = ()
    """Cases of which a score differs."""

    @property
    def is_same(self) -> bool:
        """True when every answer and every score came out the same."""
        return not self.other_answers and not self.other_scores

    @property
    def words(self) -> str:
        """The result in a sentence."""
        made = f"run {self.run_id} beside {self.kept_run_id}"
        if self.is_same:
            return f"{made}: all {self.cases} answers and their scores are the same."
        return (
            f"{made}: of {self.cases} answers {len(self.other_answers)} have another text, "
            f"{len(self.other_scores)} another score."
        )


def restore_settings(card: RunProvenance, settings: Settings) -> Settings:
    """Return ``settings`` with the values of the card that decide answers. Raises ``ConfigError`` for a wrong value.

    A value that the card holds masked, and one of a setting that there is no more, stay as they are today.
    """
    today = settings.deciding()
    values = {name: value for name, value in card.settings.items() if name in today and value != today[name]}
    return settings.replace({name: value for name, value in values.items() if MASK not in str(value)})


def restore_parameters(card: RunProvenance, folder: Path, dataset: str = "") -> dict[str, Any]:
    """Return the parameters of ``evaluate`` by a card in ``folder``; ``dataset`` stands in for its golden set.

    Raises ``EvalError`` where the set is nowhere, or a measure can only be had in the notebook that made it.
    """
    measures = [str(name) for name in card.parameters.get("measures", [])]
    if lost := [name for name in measures if name.startswith(NOTEBOOK_ONLY) or "<locals>" in name]:
        raise EvalError(
            f"The measures {', '.join(lost)} were made in a notebook or a function: move them to a module, or "
            "evaluate there.",
            ErrorCode.EVAL_PARAMETERS,
        )
    kept = folder / DATASET
    held = str(card.parameters.get("dataset", ""))
    golden = dataset or (str(kept) if kept.is_file() else held)
    if not golden.startswith("beir:") and not Path(golden).is_file():
        raise EvalError(f"The dataset {golden} is not there; name its place by --dataset.", ErrorCode.EVAL_DATASET)
    names = ("defaults", "top_k", "limit", "primary", "repeats")
    known = {name: card.parameters[name] for name in names if name in card.parameters}
    return {"golden": golden, "measures": measures, **known}


def restore_prompts(card: RunProvenance, folder: Path) -> dict[str, Path]:
    """Return the file of each chosen prompt, as it was. Raises ``EvalError`` where a text is missing."""
    files = {name: folder / PROMPTS / f"{name}.md" for name in card.chosen_prompts}
    if missing := [name for name, path in files.items() if not path.is_file()]:
        raise EvalError(f"The texts of the prompts {', '.join(missing)} are not beside the card.")
    return files


def compare_reruns(kept: EvalReport, again: EvalReport) -> RerunResult:
    """Return how a run made again differs from the kept one, case by case."""
    rows: Mapping[str, EvalRow] = {row.case_id: row for row in again.rows}
    answers, scores = [], []
    for row in kept.rows:
        other = rows.get(row.case_id)
        if other is None or other.answer != row.answer or other.state != row.state:
            answers.append(row.case_id)
        if other is None or other.scores != row.scores:
            scores.append(row.case_id)
    return RerunResult(
        run_id=again.run_id,
        kept_run_id=kept.run_id,
        cases=len(kept.rows),
        other_answers=tuple(answers),
        other_scores=tuple(scores),
    )
