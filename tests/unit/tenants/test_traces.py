"""Traces of a tenant lie in its folder, and those from before it had one are found and removed as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.settings import Settings
from roma_core.telemetry import traces, tracing
from roma_core.tenants.removal import delete_tenant
from roma_core.types import Principal
from roma_core.workspace import Workspace
from tests.fakes.tenants import make_settings
from tests.fakes.traces import find_traces

pytestmark = pytest.mark.slow
MARKS = {"lab": "zqlabaskqz", "default": "zqhomeaskqz"}


@pytest.fixture
def off() -> Iterator[None]:
    yield
    tracing.configure(Settings(tracing=False))


async def ask_each(settings: Settings) -> None:
    """Ask a question as anna of each tenant, with traces."""
    async with build_roma(settings) as roma:
        tracing.configure(settings)
        for tenant, mark in MARKS.items():
            who = Principal(subject="anna", tenant=tenant, roles=("reader",), signed_in_by="account")
            await roma.query(f"Where is the bridge of {mark}?", principal=who)
        await asyncio.to_thread(tracing.flush)


def find_databases(root: Path, mark: str) -> set[str]:
    return {name for name in find_traces(root, [mark]) if "mlflow" in name}


async def test_traces_lie_with_their_tenant_and_go_with_it(off: None, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    root = tmp_path / "ws"
    settings = make_settings(root, tracing=True)
    await ask_each(settings)
    own = {tenant: find_databases(root, mark) for tenant, mark in MARKS.items()}
    assert own["lab"] and all(name.startswith("tenants/lab/") for name in own["lab"])
    assert own["default"] and not any(name.startswith("tenants/") for name in own["default"])

    shared = settings.replace(mlflow_tracking_uri=Workspace(root).mlflow_uri)
    await ask_each(shared)  # as it was while all tenants shared one database
    lab = settings.replace(tenant="lab")
    assert "mlflow.db" in find_databases(root, MARKS["lab"])
    assert traces.forget_user(lab, Principal(subject="anna", tenant="lab")) == 2
    assert traces.forget_tenant(settings, "default") == 2

    await ask_each(shared)
    async with build_roma(settings) as roma:
        certificate = await delete_tenant(roma, "lab")
    assert {place.place: place.removed for place in certificate.places}["traces of before"] == 1
    assert find_traces(root, [MARKS["lab"]]) == {}
    assert find_databases(root, MARKS["default"]) == {"mlflow.db"}
