"""The golden set that a run was scored on: found by what the run's card names, else by the copy beside the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roma_core.errors import EvalError
from roma_core.evals.evaluation import BEIR, beir_tenant, load_dataset
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.report.record import EvalReport
from roma_core.evals.runs import DATASET, RunStore


@dataclass(frozen=True)
class RunDataset:
    """The items of a set that a report has rows of, and the set as it was named: a path, or ``beir:DIR``."""

    golden: Golden
    spec: str

    def tenant(self, default: str) -> str:
        """Return the tenant whose passages a run on it searched."""
        if not self.spec.startswith(BEIR):
            return default
        return beir_tenant(Path(self.spec.removeprefix(BEIR)), load_dataset(self.spec))


def find_run_dataset(runs: RunStore, report: EvalReport) -> RunDataset | None:
    """Return the set that a report was scored on; None when it is not where it was, or has changed since.

    >>> find_run_dataset(runs, runs.read("base")).golden.name  # doctest: +SKIP
    'golden'
    """
    made = runs.find_provenance(report.run_id)
    named = str(made.parameters.get("dataset", "")) if made is not None else ""
    for spec in (named, str(runs.folder / report.run_id / DATASET)):
        golden = match_dataset(spec, report) if spec else None
        if golden is not None:
            return RunDataset(golden, spec)
    return None


def match_dataset(spec: str, report: EvalReport) -> Golden | None:
    """Return the items of the set ``spec`` that a report has rows of; None when they are not the same any more."""
    try:
        cases = {case.id: case for case in load_dataset(spec).cases}
    except (EvalError, OSError):
        return None
    chosen = [cases[row.case_id] for row in report.rows if row.case_id in cases]
    golden = Golden(name=report.dataset, cases=tuple(chosen))
    return golden if golden.sha256 == report.dataset_sha256 else None
