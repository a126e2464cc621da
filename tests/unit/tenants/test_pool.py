"""Each tenant's system works in its own folder; models are shared, settings are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_core.app import build_roma
from roma_core.errors import ConfigError, ErrorCode, InputError, StoreError
from roma_core.identity import Grantee, Resource
from roma_core.tenants import create_tenant, set_tenant
from roma_core.types import Principal, TailorOutput
from roma_core.workspace import Workspace
from tests.fakes.tenants import make_settings, write_papers

LAB = Principal(subject="anna", tenant="lab", roles=("admin",), signed_in_by="account")


async def test_all_that_a_tenant_writes_lies_in_its_folder(tmp_path: Path) -> None:
    papers = write_papers(tmp_path / "papers", "zqlabqz")
    async with build_roma(make_settings(tmp_path / "ws", answer_cache="on")) as roma:
        await roma.ingest(papers, tenant="lab")
        answer = await roma.query("When was the rope bridge built?", principal=LAB, session_id="first")
        assert isinstance(answer, TailorOutput) and "1902" in answer.answer
        await roma.rate(answer.answer_id, "up", session_id="first", comment="zqlabqz", principal=LAB)
        own = Workspace.of(roma.of_tenant("lab").settings)
    assert own.folder == tmp_path / "ws" / "tenants" / "lab"
    present = {path.name for path in own.folder.iterdir()}
    assert present >= {"store", "ledger.sqlite", "answers.sqlite", "sessions.db", "audit", "cache.sqlite"}
    outside = [path for path in (tmp_path / "ws").rglob("*") if path.is_file() and own.folder not in path.parents]
    assert [path for path in outside if b"zqlabqz" in path.read_bytes()] == []


async def test_what_a_single_user_has_stays_where_it_was(tmp_path: Path) -> None:
    papers = write_papers(tmp_path / "papers", "zqhomeqz")
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        await roma.ingest(papers)
        assert isinstance(await roma.query("When was the rope bridge built?", session_id="first"), TailorOutput)
    workspace = Workspace(tmp_path / "ws")
    assert workspace.ledger.exists() and workspace.store.is_dir() and workspace.sessions.exists()
    assert not workspace.tenants.exists()


async def test_no_tenant_finds_or_opens_what_another_one_has(tmp_path: Path) -> None:
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        await roma.ingest(write_papers(tmp_path / "lab", "zqlabqz"), tenant="lab")
        (item,) = await roma.of_tenant("lab").ingestion.ledger_items("lab")
        assert await roma.search("rope bridge zqlabqz") == ()
        assert await roma.count_documents() == (0, 0)
        assert await roma.count_documents(LAB) == (1, 1)
        other = Principal(subject="anna", tenant="other", roles=("admin",))
        failures = [await roma.document(name, other) for name in (item.document_id, "0" * 64)]
        assert [getattr(failure, "code", None) for failure in failures] == [ErrorCode.NOT_FOUND] * 2


async def test_grants_of_one_tenant_say_nothing_of_another(tmp_path: Path) -> None:
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        roma.of_tenant("lab").grants.grant("lab", Resource("tenant"), Grantee("user", "anna"), by="local")
        reader = Principal(subject="bert", tenant="lab", roles=("reader",))
        assert not (await roma.of_tenant("lab").grants.find_scope(reader)).is_everything
        assert (await roma.grants.find_scope(reader.model_copy(update={"tenant": "default"}))).is_everything


async def test_the_grants_of_one_tenant_refuse_those_of_another(tmp_path: Path) -> None:
    """In the wrong file a grant would restrict nothing, and a question would find nothing restricted."""
    reader = Principal(subject="bert", tenant="lab", roles=("reader",))
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        with pytest.raises(StoreError, match=r"use `roma\.of_tenant\('lab'\)`"):
            roma.grants.grant("lab", Resource("tenant"), Grantee("user", "anna"), by="local")
        with pytest.raises(StoreError):
            await roma.grants.find_scope(reader)


async def test_systems_of_a_process_share_models(tmp_path: Path) -> None:
    async with build_roma(make_settings(tmp_path / "ws").replace(reranker="fake")) as roma:
        lab, co = roma.of_tenant("lab"), roma.of_tenant("co")
        assert lab.embedder is roma.embedder is co.embedder
        assert lab.reranker is roma.reranker is co.reranker
        assert lab is roma.of_tenant("lab") and lab.of_tenant("default") is roma
        assert lab.store is not roma.store and lab.cache is not roma.cache


async def test_a_tenant_has_budgets_rules_and_roots_of_its_own(tmp_path: Path) -> None:
    own = {"ingest_roots": "/srv/home", "budget_tenant_usd": "7", "retention_rules": "answers=9d"}
    settings = make_settings(tmp_path / "ws", **own)
    create_tenant(tmp_path / "ws", "lab", {"ROMA_INGEST_ROOTS": "/srv/lab", "ROMA_BUDGET_TENANT_USD": "2"})
    async with build_roma(settings) as roma:
        lab, co = roma.of_tenant("lab").settings, roma.of_tenant("co").settings
        assert (lab.serving.ingest_roots, lab.budgets.tenant_usd) == (("/srv/lab",), 2.0)
        assert (co.serving.ingest_roots, co.budgets.tenant_usd) == ((), 7.0), "roots are not those of another tenant"
        assert lab.retention.rules == co.retention.rules == ("answers=9d",)
        assert roma.settings.serving.ingest_roots == ("/srv/home",)
        set_tenant(tmp_path / "ws", "lab", {"ROMA_RETENTION_RULES": "answers=3d", "ROMA_INGEST_ROOTS": ""})
        changed = roma.of_tenant("lab").settings
        assert (changed.serving.ingest_roots, changed.retention.rules) == ((), ("answers=3d",))


async def test_settings_that_cannot_be_read_shut_the_tenant(tmp_path: Path) -> None:
    profile = create_tenant(tmp_path / "ws", "lab", {"ROMA_INGEST_ROOTS": "/srv/lab"})
    (profile.folder / "tenant.json").write_text("{")
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        with pytest.raises(ConfigError, match=r"tenant\.json cannot be read"):
            roma.of_tenant("lab")
        assert roma.of_tenant("default") is roma


@pytest.mark.parametrize("tenant", ["x" * 300, "é" * 100, "line\nbreak"])
async def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(ConfigError, match="ROMA_TENANT"):
        make_settings(tmp_path, tenant=tenant)
    async with build_roma(make_settings(tmp_path / "ws")) as roma:
        with pytest.raises(InputError, match="A tenant's name has"):
            roma.of_tenant(tenant)


def test_the_tenant_of_the_environment_has_its_own_settings(tmp_path: Path) -> None:
    create_tenant(tmp_path / "ws", "lab", {"ROMA_BUDGET_TENANT_USD": "2"})
    roma = build_roma(make_settings(tmp_path / "ws", tenant="lab"))
    assert roma.settings.budgets.tenant_usd == 2.0
    assert Workspace.of(roma.settings).folder == tmp_path / "ws" / "tenants" / "lab"
