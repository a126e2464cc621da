"""``run_eval``: the one call behind ``roma eval``, the notebook and the regression test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from roma_core.errors import AgentFailure, EvalError
from roma_core.evals.checkpoint import SqliteCheckpoint
from roma_core.evals.golden.beir import load_beir, write_corpus
from roma_core.evals.golden.dataset import Golden, load_golden
from roma_core.evals.golden.evidence import Corpus, find
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures.builtin import default_measures
from roma_core.evals.report.record import EvalReport, write
from roma_core.evals.runner import Evaluation, Progress, evaluate
from roma_core.settings import Settings, shown
from roma_core.types import Document, IngestionReport, Query, TailorOutput, digest

BEIR = "beir:"
TOP_K = 5
FOLDER = "evals"
"""Below the workspace: a folder for each run, and the answers kept."""

UNDECISIVE = frozenset(
    "workspace tenant min_free_mb host port cors_origins max_body_mb rate_limit_per_minute log_level log_format "
    "tracing mlflow_tracking_uri cache llm_log_text prices_file embed_threads database_url parser_timeout_s "
    "require_token parser_memory_mb parser_workers gdrive_credentials".split()
)
"""Settings that do not decide an answer over a given corpus. Every other one does, also those yet to come."""


class Documents(Protocol):
    """The part of a store that an evaluation reads."""

    def documents(self, tenant: str) -> AsyncIterator[Document]: ...

    async def document(self, tenant: str, document_id: str) -> Document | None: ...


class System(Protocol):
    """What can be evaluated whole: ``Roma``, or anything with these parts."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> Documents: ...

    @property
    def prompts(self) -> Mapping[str, str]:
        """Hash of each prompt by name."""
        ...

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """What decides vectors, ranks and answers beside settings and prompts: models by their role."""
        ...

    def query(self, query: Query, /) -> Awaitable[TailorOutput | AgentFailure]: ...

    def ingest(self, *sources: str, tenant: str | None = None) -> Awaitable[IngestionReport]: ...


async def run_eval(
    system: System,
    dataset: str,
    *,
    limit: int | None = None,
    top_k: int = TOP_K,
    judge: Judge | None = None,
    concurrency: int = 4,
    resume: bool = True,
    progress: Progress | None = None,
) -> EvalReport:
    """Evaluate ``system`` on a golden set (a path) or a BEIR folder (``beir:DIR``, ingested under a tenant of its own).

    The report is written below ``<workspace>/evals/<run id>``. Answers are kept by the hash of all that decided them:
    a run that was killed goes on where it was, the same run again asks nothing and writes the same bytes.
    ``resume=False`` asks everything anew. Raises ``EvalError``.
    """
    settings = system.settings
    whole = load_dataset(dataset)
    golden = whole.sample(limit)
    tenant = settings.tenant
    if dataset.startswith(BEIR):
        tenant = await _ingest_beir(system, Path(dataset.removeprefix(BEIR)), whole)
    corpus = await find(golden.cases, system.store.documents(tenant))
    if not corpus.documents:
        raise EvalError("The corpus is empty: ingest documents before the evaluation.")
    identity = fingerprint(system, corpus)

    async def text(document_id: str) -> str | None:
        document = await system.store.document(tenant, document_id)
        return document.text if document else None

    evaluation = Evaluation(
        task=system.query,
        measures=default_measures(top_k),
        top_k=top_k,
        tenant=tenant,
        concurrency=concurrency,
        corpus=corpus,
        text=text,
        judge=judge,
        checkpoint=SqliteCheckpoint(settings.workspace / FOLDER / "answers.db") if resume else None,
        fingerprint=identity,
    )
    report = (await evaluate(golden, evaluation, progress)).model_copy(
        update={"settings": {**decisive(settings), **system.fingerprints}, "prompts": _prompts(system, judge)}
    )
    write(report, settings.workspace / FOLDER)
    return report


def load_dataset(spec: str) -> Golden:
    """A golden set by path, or a BEIR folder by ``beir:DIR``. Raises ``EvalError``."""
    if spec.startswith(BEIR):
        return load_beir(Path(spec.removeprefix(BEIR)))
    return load_golden(Path(spec))


def decisive(settings: Settings) -> dict[str, Any]:
    """The settings that decide an answer, as JSON values; never a secret, and no path of this machine."""
    values = settings.model_dump(mode="json", exclude=set(UNDECISIVE))
    secret = {name for name in type(settings).model_fields if isinstance(getattr(settings, name), SecretStr)}
    return {name: shown(value) for name, value in sorted(values.items()) if name not in secret}


def fingerprint(system: System, corpus: Corpus) -> str:
    """Hash of all that decides an answer beside the question."""
    parts = [f"{k}={v}" for k, v in sorted({**system.prompts, **system.fingerprints}.items())]
    settings = [f"{k}={v}" for k, v in decisive(system.settings).items()]
    return digest("system", code_sha256(), corpus.sha256, *settings, *parts)


@cache
def code_sha256() -> str:
    """Hash of ROMA's own code as far as it decides answers: all of it but skins and evaluation."""
    root = Path(__file__).resolve().parents[1]
    skins = {"evals", "ui", "api", "telemetry", "cli.py", "__main__.py", "display.py"}
    files = sorted(p for p in root.rglob("*.py") if p.relative_to(root).parts[0] not in skins)
    return digest("code", *(part for p in files for part in (p.relative_to(root).as_posix(), p.read_bytes())))


def _prompts(system: System, judge: Judge | None) -> dict[str, str]:
    return {**system.prompts, **({judge.rubric.name: judge.rubric.sha256} if judge else {})}


async def _ingest_beir(system: System, folder: Path, golden: Golden) -> str:
    """Ingest a BEIR corpus under a tenant named for its questions; returns the tenant."""
    tenant = f"beir-{folder.name}-{golden.sha256[:8]}"
    target = system.settings.workspace / "beir" / tenant
    write_corpus(folder, target)
    report = await system.ingest(str(target), tenant=tenant)
    if failed := report.counts()["failed"]:
        raise EvalError(f"{failed} documents of {golden.name} could not be ingested; see the ledger of {tenant}.")
    return tenant
