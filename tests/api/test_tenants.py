"""Tenants over HTTP: each has its own folder, and its tokens ingest what its own roots allow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.telemetry import logs
from roma_core.tenants import bring_layout_up_to_date, create_tenant, set_tenant
from roma_core.tenants.layout import find_shared_tenants
from roma_core.types import Document
from roma_core.workspace import Workspace
from tests.api.test_access_matrix import BODIES, QUERIES, fill, list_routes
from tests.fakes.tenants import MARKS, make_settings, make_shared

QUESTION = "When was the harbour dredged?"


def write_paper(folder: Path, mark: str) -> Path:
    folder.mkdir()
    (folder / f"{mark}.md").write_text(f"# Harbour {mark}\n\nThe harbour of {mark} was dredged in 1907.\n")
    return folder


@pytest.fixture
async def two(start: Any, workspace: Path, tmp_path: Path, auth: Any) -> AsyncIterator[Any]:
    """A service with the tenants lab and clinic, a folder for each, and a token of each that may ask and ingest."""
    folders = {name: write_paper(tmp_path / name, f"zq{name}qz") for name in ("lab", "clinic")}
    for name, folder in folders.items():
        create_tenant(workspace, name, {"ROMA_INGEST_ROOTS": str(folder)})
    async with start(real=True, real_store=True, parser_workers=1) as service:
        service.folders = folders
        service.headers = {}
        for name in (*folders, "default"):
            secret, _ = service.tokens.create(name, ["query", "ingest"], tenant=name)
            service.headers[name] = auth(secret)
        yield service


async def ingest(service: Any, tenant: str, source: Path) -> dict[str, Any]:
    headers = service.headers[tenant]
    made = await service.client.post("/ingest", json={"sources": [str(source)]}, headers=headers)
    assert made.status_code == 202, made.text
    while True:
        job: dict[str, Any] = (await service.client.get(f"/ingest/{made.json()['id']}", headers=headers)).json()
        if job["state"] not in {"queued", "running"}:
            return job
        await asyncio.sleep(0.05)


async def test_a_tenant_cannot_ingest_the_folder_of_another_one(two: Any, workspace: Path) -> None:
    for tenant, other in (("lab", "clinic"), ("clinic", "lab"), ("default", "lab")):
        for source in (two.folders[other], two.folders[other] / f"zq{other}qz.md", f"{two.folders[other]}/*.md"):
            refused = await two.client.post("/ingest", json={"sources": [str(source)]}, headers=two.headers[tenant])
            assert refused.status_code == 403, (tenant, source, refused.text)
            assert refused.json()["failure"]["code"] == "ERR_ACCESS_FORBIDDEN"
    assert not Workspace(workspace).of_tenant("lab").ledger.exists()


async def test_documents_of_a_tenant_are_found_by_its_tokens_alone(two: Any, workspace: Path) -> None:
    job = await ingest(two, "lab", two.folders["lab"])
    assert job["state"] == "done", job
    shown = {}
    for tenant in ("lab", "clinic", "default"):
        found = await two.client.get("/search", params={"q": QUESTION}, headers=two.headers[tenant])
        assert found.status_code == 200
        shown[tenant] = "zqlabqz" in found.text
    assert shown == {"lab": True, "clinic": False, "default": False}
    assert Workspace(workspace).of_tenant("lab").ledger.exists()
    assert not Workspace(workspace).of_tenant("clinic").ledger.exists()
    assert not Workspace(workspace).ledger.exists()
    jobs = [len((await two.client.get("/ingest", headers=two.headers[name])).json()) for name in ("lab", "clinic")]
    assert jobs == [1, 0]


async def test_roots_that_are_changed_hold_for_the_next_request(two: Any, workspace: Path) -> None:
    source = {"sources": [str(two.folders["clinic"])]}
    assert (await two.client.post("/ingest", json=source, headers=two.headers["lab"])).status_code == 403
    set_tenant(workspace, "lab", {"ROMA_INGEST_ROOTS": str(two.folders["clinic"])})
    assert (await two.client.post("/ingest", json=source, headers=two.headers["lab"])).status_code == 202
    own = {"sources": [str(two.folders["lab"])]}
    assert (await two.client.post("/ingest", json=own, headers=two.headers["lab"])).status_code == 403


async def test_conversations_of_a_tenant_lie_in_its_folder(two: Any, workspace: Path) -> None:
    await ingest(two, "lab", two.folders["lab"])
    body = {"text": "When was the harbour of zqlabqz dredged?", "session_id": "first"}
    answered = await two.client.post("/query", json=body, headers=two.headers["lab"])
    assert answered.status_code == 200, answered.text
    own = [entry["id"] for entry in (await two.client.get("/sessions", headers=two.headers["lab"])).json()]
    other = (await two.client.get("/sessions", headers=two.headers["clinic"])).json()
    assert (own, other) == (["first"], [])
    lab = Workspace(workspace).of_tenant("lab").folder
    outside = [path for path in workspace.rglob("*") if path.is_file() and lab not in path.parents]
    holding = [path.name for path in outside if b"zqlabqz" in path.read_bytes()]
    assert set(holding) <= {"service.db", "service.db-wal"}, "only the job's address is the service's"


async def test_settings_of_a_tenant_that_cannot_be_read_shut_it_alone(two: Any, workspace: Path) -> None:
    Workspace(workspace).of_tenant("lab").tenant_settings.write_text("{")
    statuses = {}
    for tenant in ("lab", "clinic"):
        found = await two.client.get("/search", params={"q": QUESTION}, headers=two.headers[tenant])
        statuses[tenant] = found.status_code
    assert statuses["lab"] >= 400 and statuses["clinic"] == 200


@pytest.mark.slow
async def test_every_route_shows_and_writes_what_is_of_its_tenant_alone(two: Any, workspace: Path, auth: Any) -> None:
    """An admin of each tenant takes every route with documents of its own and of the other one."""
    marks = {"lab": "zqlabqz", "clinic": "zqclinicqz"}
    ids: dict[str, str] = {}
    for tenant, folder in two.folders.items():
        assert (await ingest(two, tenant, folder))["state"] == "done"
        address = (folder / f"{marks[tenant]}.md").as_uri()
        ids[tenant] = Document.id_for(address, tenant)
    routes = await list_routes(two)
    assert len(routes) >= 40
    leaks, seen = [], set()
    for tenant, mark in marks.items():
        (other,) = set(marks) - {tenant}
        secret, _ = two.tokens.create("all", ["admin"], tenant=tenant)
        headers = {**auth(secret), "accept": "application/json, text/event-stream"}
        bodies = {**BODIES, "/ingest": {"sources": [str(two.folders[tenant])]}}
        for method, template in routes:
            for document_id in ids.values() if "{document" in template else ("",):
                answer = await two.client.request(
                    method,
                    fill(template, document_id),
                    headers=headers,
                    json=bodies.get(template),
                    params=QUERIES.get(template),
                    follow_redirects=False,
                )
                shown = f"{answer.text} {answer.headers}"
                leaks += [(tenant, method, template)] if marks[other] in shown else []
                seen |= {tenant} if mark in shown else set()
    assert leaks == []
    assert seen == set(marks), "each tenant sees what is its own"
    for tenant in marks:
        assert find_shared_tenants(Workspace(workspace).of_tenant(tenant)) == {tenant}
    assert find_shared_tenants(Workspace(workspace)) <= {"default"}


@pytest.mark.slow
async def test_a_workspace_of_before_is_served_with_a_folder_for_each_tenant(
    start: Any, workspace: Path, tmp_path: Path, auth: Any
) -> None:
    """A move that was cut short is finished by the server, and each tenant has its documents and conversations."""
    tenants = ("default", "lab")
    await make_shared(workspace, tmp_path / "papers", tenants)
    with pytest.raises(RuntimeError):
        bring_layout_up_to_date(make_settings(workspace), interrupt_at("clean ledger.sqlite"))
    async with start(real=True, real_store=True, parser_workers=1) as service:
        for tenant, other in (tenants, tenants[::-1]):
            name = f"anna{MARKS[tenant]}"
            service.app.state.accounts.add(name, roles=["admin"], tenant=tenant)
            secret, _ = service.tokens.create(name, ["admin"], tenant=tenant, owner=name)
            headers = auth(secret)
            found = await service.client.get("/search", params={"q": "rope bridge"}, headers=headers)
            turns = await service.client.get("/sessions/first", headers=headers)
            log = await service.client.get("/audit/verify", headers=headers)
            assert MARKS[tenant] in found.text and MARKS[tenant] in turns.text
            assert MARKS[other] not in f"{found.text}{turns.text}"
            assert log.json()["broken_at"] is None and log.json()["rows"] > 0
    assert find_shared_tenants(Workspace(workspace)) == {"default"}
    assert find_shared_tenants(Workspace(workspace).of_tenant("lab")) == {"lab"}


def interrupt_at(name: str) -> Any:
    def interrupt(step: str) -> None:
        if step == name:
            raise RuntimeError(step)

    return interrupt


async def test_log_lines_of_a_tenants_callers_lie_in_its_folder(two: Any, workspace: Path) -> None:
    logs.configure("INFO")
    logs.configure_files(Workspace(workspace), days=3)
    try:
        await ingest(two, "lab", two.folders["lab"])
        for tenant in ("lab", "default"):
            await two.client.post("/query", json={"text": QUESTION}, headers=two.headers[tenant])
    finally:
        logs.configure()
    read: dict[str, list[dict[str, Any]]] = {}
    for tenant in ("lab", "default"):
        (path,) = Workspace(workspace).of_tenant(tenant).logs.iterdir()
        read[tenant] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    asked = {tenant: [line["user"] for line in lines if line["event"] == "query"] for tenant, lines in read.items()}
    assert [len(users) for users in asked.values()] == [1, 1] and asked["lab"] != asked["default"]
    events = {line["event"] for line in read["lab"]}
    assert {"ingest", "ingest job", "request", "query"} <= events
    assert {line.get("tenant", "lab") for line in read["lab"]} == {"lab"}
