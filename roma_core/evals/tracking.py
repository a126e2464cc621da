"""Evaluations in MLflow: what decided a run, what it scored, every row, and the report to look at.

It uses a client of its own and leaves MLflow's global state alone; ``tracked_items`` has the traces of the items.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roma_core.evals import tracked_items
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.judge.labels import load_labels
from roma_core.evals.provenance import CARD, PAGE, RunProvenance
from roma_core.evals.report.record import EvalReport, RunFacts, render_page
from roma_core.evals.runs import RunStore
from roma_core.prompts import Prompt, PromptLibrary, PromptVersion
from roma_core.scratch import ScratchFolder
from roma_core.settings import Settings
from roma_core.telemetry import logs
from roma_core.workspace import Workspace, private_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "roma-eval"
RUN_TAG = "roma.run_id"
SHA_TAG = "roma.sha256"
VERSION_TAG = "roma.version"
DATASET_TAG = "roma.mlflow_dataset"
ROWS = "rows.json"
LONGEST_VALUE = 500
"""Characters of a parameter that MLflow keeps."""


def tracking_uri(settings: Settings) -> str:
    """The server that is configured, else SQLite in the workspace."""
    return settings.telemetry.mlflow_tracking_uri or Workspace.of(settings).mlflow_uri


async def track(
    report: EvalReport, settings: Settings, prompts: Iterable[Prompt] = (), golden: Golden | None = None
) -> str:
    """Log a report and mirror the prompts in the registry; returns MLflow's id of the run.

    The run has the times that it took, its card, and a trace for each item with its scores, and the grades of people,
    as assessments. ``golden`` is kept as an evaluation dataset. A report that is there already (same ``run_id``) is not
    logged again.
    """
    return await asyncio.to_thread(_track, report, settings, tuple(prompts), golden)


async def track_page(report: EvalReport, settings: Settings, name: str, page: str) -> str:
    """Keep an HTML page, as of a comparison, with the run of ``report``, which is logged when it is not there yet.

    Returns MLflow's id of the run.
    """
    run = await track(report, settings)

    def log() -> None:
        client = _client(settings)
        client.log_text(run, page, f"comparisons/{name}.html")

    await asyncio.to_thread(log)
    return run


def keep_dataset(
    settings: Settings, name: str, golden: Golden, answers: Mapping[str, str], *, replace: bool = False
) -> None:
    """Keep items with answers as the evaluation dataset ``name`` of MLflow, whole or not at all.

    ``answers`` are by case id; items without one have no output. Raises ``EvalError`` when there is a dataset of that
    name and ``replace`` is not set.
    """
    client = _client(settings)
    uri, experiment = tracking_uri(settings), _experiment(client, settings)
    tracked_items.log_answers(uri, experiment, name, golden, answers, replace=replace)


def _track(report: EvalReport, settings: Settings, prompts: tuple[Prompt, ...], golden: Golden | None) -> str:
    client = _client(settings)
    experiment = _experiment(client, settings)
    held = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{report.run_id}' and status = 'FINISHED'")
    if held:
        return str(held[0].info.run_id)
    for prompt in prompts:
        register_prompt(client, prompt)
    store = RunStore(Workspace.of(settings).evals)
    facts = report.facts if report.facts.case_seconds else store.read_facts(report.run_id)
    began_at, ended_at = _find_times(store.find_provenance(report.run_id), facts)
    named = tags(report)
    if golden is not None:
        named[DATASET_TAG] = tracked_items.log_dataset(tracking_uri(settings), experiment, golden)
    name = store.name_of(report.run_id)
    run: str = client.create_run(
        experiment,
        tags=named,
        run_name=f"{report.dataset} {name}" if name == report.run_id else name,
        start_time=int(began_at * 1000),
    ).info.run_id
    if golden is not None:
        tracked_items.link_dataset(client, run, named[DATASET_TAG], golden)
    folder = store.folder / report.run_id
    _log(client, run, report, [path for path in (folder / CARD, folder / PAGE) if path.is_file()])
    labels = Workspace.of(settings).labels / f"{report.run_id}.csv"
    tracked_items.log_items(
        tracking_uri(settings),
        experiment,
        run,
        report.model_copy(update={"facts": facts}),
        began_at,
        load_labels(labels) if labels.is_file() else (),
    )
    client.set_terminated(run, end_time=int(ended_at * 1000))
    return run


def _find_times(card: RunProvenance | None, facts: RunFacts) -> tuple[float, float]:
    """Return when a run began and ended, in seconds since 1970: by its card, else by how long it took until now."""
    if card is not None and card.finished_at is not None:
        return card.created_at.timestamp(), card.finished_at.timestamp()
    now = time.time()
    return now - facts.seconds, now


def _client(settings: Settings) -> MlflowClient:
    logs.quiet_loggers("mlflow.store.db.utils", "alembic")
    from mlflow import MlflowClient

    if settings.telemetry.mlflow_tracking_uri is None:
        private_file(Workspace.of(settings).mlflow)
    uri = tracking_uri(settings)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment(client: MlflowClient, settings: Settings) -> str:
    """The experiment's id. Artifacts of a local one are kept in the workspace: MLflow would take the working folder."""
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    local = settings.telemetry.mlflow_tracking_uri is None
    place = Workspace.of(settings).mlflow_artifacts.resolve().as_uri() if local else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=place))


def _log(client: MlflowClient, run: str, report: EvalReport, beside: Sequence[Path]) -> None:
    from mlflow.entities import Metric, Param

    now = 0  # a run is named by what decided it, not by when it was made
    client.log_batch(
        run,
        metrics=[Metric(name, value, now, 0) for name, value in metrics(report).items()],
        params=[Param(name, value) for name, value in parameters(report).items()],
    )
    # MLflow's own log_table takes a column without a value for a column of images and fails.
    client.set_tag(run, "mlflow.loggedArtifacts", json.dumps([{"path": ROWS, "type": "table"}]))
    rows = report.to_frame().to_json(orient="split", index=False)
    with ScratchFolder("mlflow") as scratch:
        files = {"report.json": report.canonical(), "report.html": render_page(report).encode(), ROWS: rows.encode()}
        for name, data in files.items():
            (scratch.path / name).write_bytes(data)
        for path in beside:
            shutil.copy(path, scratch.path)
        client.log_artifacts(run, str(scratch.path))


def metrics(report: EvalReport) -> dict[str, float]:
    """Mean and interval of each measure, rows left unscored, failures. ``@`` is not allowed in MLflow's names."""
    found: dict[str, float] = {"cases": len(report.rows), "errors": report.errors}
    for s in report.summary():
        name = s.measure.replace("@", "_at_")
        values = {"": s.interval.mean, ".low": s.interval.low, ".high": s.interval.high, ".unscored": s.unscored}
        found |= {name + suffix: float(value) for suffix, value in values.items() if not math.isnan(value)}
    return found


def parameters(report: EvalReport) -> dict[str, str]:
    """Return all that decided the run: hashes, settings (never a secret), prompts."""
    facts: Mapping[str, Any] = {
        "dataset": report.dataset,
        "dataset_sha256": report.dataset_sha256,
        "corpus_sha256": report.corpus_sha256,
        "index_sha256": report.index_sha256,
        "top_k": report.top_k,
        "fingerprint": report.fingerprint,
        **{f"setting.{name}": value for name, value in report.settings.items()},
        **{f"prompt.{name}": sha for name, sha in report.prompts.items()},
    }
    return {name: str(value)[:LONGEST_VALUE] for name, value in facts.items()}


def tags(report: EvalReport) -> dict[str, str]:
    """Return the tags that identify the run and the code it was made with, and its table as MLflow's description."""
    return {
        RUN_TAG: report.run_id,
        "roma.dataset": report.dataset,
        "mlflow.source.name": "roma eval",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git_revision(),
        "mlflow.note.content": report.to_markdown(),
    }


def git_revision(folder: Path = Path(__file__).parent) -> str:
    """Commit of the checkout that ``folder`` is in, with ``-dirty`` when files were changed; empty outside of one."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude", "*", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed arguments)
    return done.stdout.strip() if done.returncode == 0 else ""


async def push_prompts(versions: Iterable[PromptVersion], settings: Settings) -> tuple[str, ...]:
    """Register versions of prompts in MLflow, unless their words are there; returns the names of the new ones."""

    def push() -> tuple[str, ...]:
        client = _client(settings)
        return tuple(f"{v.name} {v.version}" for v in versions if register_prompt(client, v.prompt, v.version))

    return await asyncio.to_thread(push)


async def pull_prompts(library: PromptLibrary, settings: Settings, name: str = "") -> tuple[Path, ...]:
    """Write the registered versions of prompts that ``library`` does not have; returns their files."""
    names = [name] if name else list(library.own)
    return await asyncio.to_thread(lambda: tuple(path for each in names for path in _pull(library, settings, each)))


def _pull(library: PromptLibrary, settings: Settings, name: str) -> Iterator[Path]:
    held = {version.version: version.prompt.template.strip() for version in library.list(name)}
    for registered in list_registered(_client(settings), name):
        template = str(registered.template).strip()
        if template in held.values():
            continue
        wanted = re.sub(r"[^\w.+-]+", "-", registered.tags.get(VERSION_TAG, "")) or f"mlflow-{registered.version}"
        version = wanted if wanted not in held else f"mlflow-{registered.version}"
        about = " ".join((registered.commit_message or "").split())
        text = f"---\nname: {name}\nversion: {version}\ndescription: {about}\n---\n{template}\n"
        held[version] = template
        yield library.write(name, version, text)


def list_registered(client: MlflowClient, name: str) -> list[Any]:
    """Return the versions of a prompt in MLflow's registry, the oldest first."""
    from mlflow.exceptions import MlflowException

    try:
        latest = client.get_prompt_version_by_alias(f"roma-{name}", "latest")
    except MlflowException:
        return []  # not registered yet
    numbers = range(1, int(latest.version) + 1)
    versions = [client.get_prompt_version(f"roma-{name}", str(number)) for number in numbers]
    return [version for version in versions if version is not None]


def register_prompt(client: MlflowClient, prompt: Prompt, version: str = "") -> bool:
    """Register a prompt's text as a new version unless one with the same words is there; True when it was not."""
    registered = list_registered(client, prompt.name)
    if any(str(each.template).strip() == prompt.template for each in registered):
        return False
    client.register_prompt(
        f"roma-{prompt.name}",
        prompt.template,
        commit_message=prompt.description or f"version {prompt.version}",
        tags={SHA_TAG: prompt.sha256, VERSION_TAG: version or prompt.version},
    )
    return True
