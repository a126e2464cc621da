"""Removal of traces from the workspace's own MLflow, of a user, of a tenant, or by age. Blocking.

Traces on a tracking server belong to that server, and stay.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from roma_core.settings import Settings
from roma_core.telemetry import logs
from roma_core.telemetry.tracing import EXPERIMENT, SWITCHES, USER_TAG, flush
from roma_core.types import Principal
from roma_core.workspace import Workspace

PAGE: Final = 100
IsMeant = Callable[[Any, bool], bool]
"""Says of a trace, and of whether it lies in the tenant's own database, if it is to be removed."""
EXPERIMENTS: Final = (EXPERIMENT, "roma-eval")
"""Experiments of questions and of evaluations."""


def forget_user(settings: Settings, who: Principal) -> int:
    """Remove the traces of what a user asked, and those that do not say who asked; return how many."""
    return _remove(settings, lambda trace, is_own: _read_tag(trace, USER_TAG) == who.pseudonym or _is_nobodys(trace))


def forget_tenant(settings: Settings, tenant: str) -> int:
    """Remove the traces of a tenant's questions from the database of ``settings``; return how many.

    They are there where they were written before tenants had folders of their own.
    """
    return _remove(settings, lambda trace, is_own: _read_tenant(trace) == tenant)


def forget_documents(settings: Settings, tenant: str, named: Sequence[str]) -> int:
    """Remove the traces of a tenant's questions, and of evaluations that name one of these documents."""

    def is_meant(trace: Any, is_own: bool) -> bool:
        if _read_tag(trace, USER_TAG) and _read_tenant(trace) == tenant:
            return True
        text = trace.to_json()
        return any(name in text for name in named)

    return _remove(settings, is_meant)


def remove_before(settings: Settings, tenant: str, moment: datetime, *, counts_only: bool = False) -> int:
    """Remove the traces of a tenant's questions from before ``moment``; return how many.

    ``counts_only`` removes none.
    """
    limit_ms = moment.timestamp() * 1000

    def is_meant(trace: Any, is_own: bool) -> bool:
        tenants = {tenant, ""} if is_own else {tenant}
        return trace.info.request_time < limit_ms and _read_tenant(trace) in tenants

    return _remove(settings, is_meant, counts_only=counts_only)


def _remove(settings: Settings, is_meant: IsMeant, *, counts_only: bool = False) -> int:
    """Remove traces from the tenant's database, and from the one that all tenants shared before they had folders."""
    own = Workspace.of(settings)
    places = [place for place in dict.fromkeys((own, Workspace(settings.workspace))) if place.mlflow.exists()]
    if settings.telemetry.mlflow_tracking_uri is not None or not places:
        return 0
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    logs.quiet_loggers("mlflow.store.db.utils", "alembic")
    from mlflow import MlflowClient

    flush()
    count = 0
    for place in places:
        client = MlflowClient(tracking_uri=place.mlflow_uri)
        chosen = _choose(is_meant, is_own=place == own)
        for experiment in _list(client):
            count += _remove_from(client, experiment.experiment_id, place, chosen, counts_only=counts_only)
    return count


def _choose(is_meant: IsMeant, *, is_own: bool) -> Callable[[Any], bool]:
    return lambda trace: is_meant(trace, is_own)


def _list(client: Any) -> list[Any]:
    """Return the experiments that ROMA writes to."""
    return [found for name in EXPERIMENTS if (found := client.get_experiment_by_name(name)) is not None]


def _remove_from(
    client: Any, experiment_id: str, workspace: Workspace, is_meant: Callable[[Any], bool], *, counts_only: bool
) -> int:
    meant: list[str] = []
    token = None
    while True:
        page = client.search_traces(locations=[experiment_id], max_results=PAGE, page_token=token, include_spans=True)
        meant += [trace.info.trace_id for trace in page if is_meant(trace)]
        token = page.token
        if not token:
            break
    if counts_only:
        return len(meant)
    for at in range(0, len(meant), PAGE):
        client.delete_traces(experiment_id=experiment_id, trace_ids=meant[at : at + PAGE])
    for trace_id in meant:
        for folder in workspace.mlflow_artifacts.glob(f"**/{trace_id}"):
            shutil.rmtree(folder, ignore_errors=True)
    return len(meant)


def _is_nobodys(trace: Any) -> bool:
    """Return whether a trace is of a question and was written before traces said who asked."""
    return "request_id" in trace.info.tags and not _read_tag(trace, USER_TAG)


def _read_tag(trace: Any, name: str) -> str:
    return str(trace.info.tags.get(name, ""))


def _read_tenant(trace: Any) -> str:
    spans = trace.data.spans
    return str(spans[0].attributes.get("tenant", "")) if spans else ""
